#include "command/reply.h"

#include <math.h>

#include "command/json.h"
#include "core/buf.h"
#include "core/jsonlex.h"
#include "core/text.h"

static const double EXACT_INTEGER_MAX = 9007199254740992.0; /* 2^53 */

static struct span trim(struct span text)
{
    while (text.len > 0 && text.ptr[0] == ' ')
        text = span_skip(text, 1);
    while (text.len > 0 && text.ptr[text.len - 1] == ' ')
        text.len--;
    return text;
}

static struct span text_of(const cJSON *member)
{
    return trim(span_string(cJSON_IsString(member) ? member->valuestring : ""));
}

/* Whether a string of the body may go on where cJSON's C string ends. */
static bool has_nul(struct span body)
{
    struct jsonlex lex = {.numbers = NULL};
    enum status status = jsonlex_scan(&lex, body);

    return lex.nul_escape || (status != STATUS_OK && memchr(body.ptr, '\0', body.len) != NULL);
}

static void copy_uuid(struct span body, const cJSON *member, char out[REPLY_UUID_MAX + 1])
{
    struct span text = text_of(member);
    bool usable =
        text.len <= REPLY_UUID_MAX && text_printable_prefix(text) == text.len && !has_nul(body);
    size_t len = usable ? text.len : 0;

    memcpy(out, text.ptr, len); /* takes no memory: a uuid must not be lost for want of it */
    out[len] = '\0';
}

/* Whether the tree is a reply; its errno is then in `ret_number`. */
static bool read_number(const cJSON *root, int64_t *ret_number)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(root, "errno");

    if (!cJSON_IsObject(root) || !cJSON_IsNumber(number) ||
        !(fabs(number->valuedouble) < EXACT_INTEGER_MAX) ||
        trunc(number->valuedouble) != number->valuedouble)
        return false;
    *ret_number = (int64_t)number->valuedouble;
    return true;
}

enum status reply_parse(struct span body, struct reply *ret_reply)
{
    struct reply reply = {.number = 0};
    cJSON *root = NULL;
    size_t at = 0;
    enum status status = json_parse(body, &root, &at);

    if (status != STATUS_OK)
        return status;
    if (at == body.len && read_number(root, &reply.number)) {
        const cJSON *data = cJSON_GetObjectItemCaseSensitive(root, "data");
        buf_copy_printable(reply.error, sizeof(reply.error),
                           text_of(cJSON_GetObjectItemCaseSensitive(root, "error")));
        copy_uuid(body, cJSON_GetObjectItemCaseSensitive(data, "uuid"), reply.uuid);
        *ret_reply = reply;
    } else {
        status = STATUS_SYNTAX;
    }
    json_free(root);
    return status;
}
