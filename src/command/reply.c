#include "command/reply.h"

#include <cjson/cJSON.h>
#include <math.h>

#include "core/buf.h"
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

static void copy_uuid(const cJSON *member, char out[REPLY_UUID_MAX + 1])
{
    struct span text = text_of(member);
    bool usable = text.len <= REPLY_UUID_MAX && text_printable_prefix(text) == text.len;
    buf_copy_printable(out, REPLY_UUID_MAX + 1, usable ? text : span_of("", 0));
}

static bool only_space(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (strchr(" \t\r\n", text.ptr[i]) == NULL || text.ptr[i] == '\0')
            return false;
    return true;
}

enum status reply_parse(struct span body, struct reply *ret_reply)
{
    const char *end = NULL;
    struct reply reply = {.number = 0};
    enum status status = STATUS_SYNTAX;

    if (body.len == 0)
        return STATUS_SYNTAX;
    cJSON *root = cJSON_ParseWithLengthOpts(body.ptr, body.len, &end, false);
    if (root == NULL)
        return STATUS_SYNTAX;
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(root, "errno");
    bool whole = cJSON_IsObject(root) && only_space(span_skip(body, (size_t)(end - body.ptr)));
    if (whole && cJSON_IsNumber(number) && fabs(number->valuedouble) < EXACT_INTEGER_MAX &&
        trunc(number->valuedouble) == number->valuedouble) {
        const cJSON *data = cJSON_GetObjectItemCaseSensitive(root, "data");
        reply.number = (int64_t)number->valuedouble;
        buf_copy_printable(reply.error, sizeof(reply.error),
                           text_of(cJSON_GetObjectItemCaseSensitive(root, "error")));
        copy_uuid(cJSON_GetObjectItemCaseSensitive(data, "uuid"), reply.uuid);
        *ret_reply = reply;
        status = STATUS_OK;
    }
    cJSON_Delete(root);
    return status;
}
