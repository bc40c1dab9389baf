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

static bool is_uuid_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-';
}

/* The usual success, byte for byte as the platform's pages show it. A tree of any other costs ten
 * times as much; both say the same (tests/fuzz/fuzz_reply.c). */
static bool read_usual(struct span body, struct reply *ret_reply)
{
    static const char before[] = "{\"errno\":0,\"error\":\"succ\",\"data\":{\"uuid\":\"";
    static const char after[] = "\"}}";
    size_t around = sizeof(before) - 1 + sizeof(after) - 1;

    if (body.len <= around || body.len > around + REPLY_UUID_MAX ||
        memcmp(body.ptr, before, sizeof(before) - 1) != 0 ||
        memcmp(body.ptr + body.len - (sizeof(after) - 1), after, sizeof(after) - 1) != 0)
        return false;
    struct span uuid = span_of(body.ptr + sizeof(before) - 1, body.len - around);
    for (size_t i = 0; i < uuid.len; i++)
        if (!is_uuid_char(uuid.ptr[i]))
            return false;
    ret_reply->number = 0;
    memcpy(ret_reply->error, "succ", sizeof("succ"));
    memcpy(ret_reply->uuid, uuid.ptr, uuid.len);
    ret_reply->uuid[uuid.len] = '\0';
    return true;
}

enum status reply_parse(struct span body, struct reply *ret_reply)
{
    if (read_usual(body, ret_reply))
        return STATUS_OK;
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
