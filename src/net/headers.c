#include "net/headers.h"

#include "core/redact.h"
#include "platform/token.h"

enum { LINE_MAX_LEN = CREDENTIALS_KEY_MAX + 64 };

static void append(struct curl_slist **list, const char *line, bool *ok)
{
    struct curl_slist *longer = *ok ? curl_slist_append(*list, line) : NULL;

    *ok = *ok && longer != NULL;
    if (*ok)
        *list = longer;
}

/* A token may be used by whoever has its signature. */
static void hide_signature(const char *token)
{
    static const char name[] = "sign=";
    const char *sign = strstr(token, name);

    if (sign != NULL)
        redact_add_encoded(span_string(sign + strlen(name)));
}

/* The line that says who asks; "" for credentials without a key. */
static enum status write_key_line(const struct credentials *credentials, int64_t now_s,
                                  char line[LINE_MAX_LEN])
{
    struct token_key key;
    struct buf token;

    line[0] = '\0';
    if (credentials == NULL || credentials->key == NULL)
        return STATUS_OK;
    if (credentials->product_id == NULL) {
        (void)snprintf(line, LINE_MAX_LEN, "api-key: %s", credentials->key);
        return STATUS_OK;
    }
    key.product_id = span_string(credentials->product_id);
    key.access_key = span_of(credentials->key, credentials->key_len);
    buf_init(&token, TOKEN_MAX);
    enum status status = token_make(&key, now_s + TOKEN_LIFE_S, TOKEN_SHA256, &token);
    if (status == STATUS_OK) {
        (void)snprintf(line, LINE_MAX_LEN, "Authorization: %s", buf_string(&token));
        hide_signature(buf_string(&token));
    }
    if (token.len > 0)
        explicit_bzero(token.ptr, token.len);
    buf_deinit(&token);
    return status == STATUS_SYNTAX ? STATUS_CREDENTIALS : status;
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
    char line[LINE_MAX_LEN];
    bool ok = true;

    if (set == NULL)
        return STATUS_NO_MEMORY;
    enum status status = write_key_line(credentials, now_s, line);
    if (host != NULL) {
        append(&set->get, "Host:", &ok);
        append(&set->get, host, &ok);
        append(&set->post, "Host:", &ok);
        append(&set->post, host, &ok);
    }
    append(&set->get, "Accept:", &ok);
    append(&set->post, "Content-Type: application/json", &ok);
    append(&set->post, "Accept:", &ok);
    if (line[0] != '\0') {
        append(&set->get, line, &ok);
        append(&set->post, line, &ok);
    }
    explicit_bzero(line, sizeof(line));
    if (status == STATUS_OK && !ok)
        status = STATUS_NO_MEMORY;
    if (status != STATUS_OK) {
        header_set_free(set);
        return status;
    }
    set->renew_at_s = credentials != NULL && credentials->product_id != NULL
                          ? now_s + TOKEN_LIFE_S - TOKEN_LEFT_MIN_S
                          : INT64_MAX;
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
