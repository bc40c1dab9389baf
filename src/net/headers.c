#include "net/headers.h"

#include "core/redact.h"

static void append(struct curl_slist **list, const char *line, bool *ok)
{
    struct curl_slist *longer = *ok ? curl_slist_append(*list, line) : NULL;

    *ok = *ok && longer != NULL;
    if (*ok)
        *list = longer;
}

/* The line that says who asks; "" for credentials without a key. */
static enum status write_key_line(const struct credentials *credentials, int64_t now_s,
                                  struct buf *line, int64_t *ret_renew_at_s)
{
    if (credentials == NULL || credentials->key == NULL)
        return STATUS_OK;
    enum status status =
        key_header(&credentials->form, span_of(credentials->key, credentials->key_len), now_s, line,
                   ret_renew_at_s);
    struct span secret = key_secret_of(buf_span(line));
    if (status == STATUS_OK && secret.len > 0)
        redact_add_encoded(secret);
    return status;
}

/*
 * A name without a value takes libcurl's own line away. Each line costs a look for every header
 * that libcurl might add. "Expect: 100-continue" it adds to bodies of more than 1 MB alone, and
 * ours have a few KB (COMMAND_CONTENT_MAX).
 */
enum status header_set_new(const struct credentials *credentials, const char *host, int64_t now_s,
                           struct header_set **ret_set)
{
    struct header_set *set = calloc(1, sizeof(*set));
    struct buf line;
    bool ok = true;

    if (set == NULL)
        return STATUS_NO_MEMORY;
    set->renew_at_s = INT64_MAX;
    buf_init(&line, KEY_LINE_MAX);
    (void)buf_reserve(&line, KEY_LINE_MAX - 1); /* at once: a buffer that grows leaves copies */
    enum status status = write_key_line(credentials, now_s, &line, &set->renew_at_s);
    if (host != NULL) {
        append(&set->get, "Host:", &ok);
        append(&set->get, host, &ok);
        append(&set->post, "Host:", &ok);
        append(&set->post, host, &ok);
    }
    append(&set->get, "Accept:", &ok);
    append(&set->post, "Content-Type: application/json", &ok);
    append(&set->post, "Accept:", &ok);
    if (line.len > 0 && status == STATUS_OK) {
        append(&set->get, buf_string(&line), &ok);
        append(&set->post, buf_string(&line), &ok);
    }
    if (line.len > 0)
        explicit_bzero(line.ptr, line.len);
    buf_deinit(&line);
    if (status == STATUS_OK && !ok)
        status = STATUS_NO_MEMORY;
    if (status != STATUS_OK) {
        header_set_free(set);
        return status;
    }
    *ret_set = set;
    return STATUS_OK;
}

static void free_list(struct curl_slist *list)
{
    for (struct curl_slist *line = list; line != NULL; line = line->next)
        explicit_bzero(line->data, strlen(line->data)); /* one of them holds the key */
    curl_slist_free_all(list);
}

void header_set_free(struct header_set *set)
{
    if (set == NULL)
        return;
    free_list(set->post);
    free_list(set->get);
    free(set);
}
