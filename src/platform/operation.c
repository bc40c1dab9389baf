#include "platform/operation.h"

#include <strings.h>

#include "core/text.h"
#include "core/when.h"
#include "platform/device.h"
#include "platform/reply.h"

const struct operation_rule operations[OPERATION_COUNT] = {
    [OPERATION_WRITE] = {"write", "/offline", METHOD_POST, 0},
    [OPERATION_READ] = {"read", "/offline", METHOD_GET, 0},
    [OPERATION_EXECUTE] = {"execute", "/execute/offline", METHOD_POST, 0},
    [OPERATION_LIST] = {"list", "/offline/history", METHOD_GET, QUESTION_PERIOD},
    [OPERATION_LOOKUP] = {"lookup", "/offline/history/", METHOD_GET, QUESTION_UUID},
    [OPERATION_CANCEL] = {"cancel", "/offline/cancel/", METHOD_PUT, QUESTION_UUID},
    [OPERATION_CANCEL_ALL] = {"cancel all", "/offline/cancel/all", METHOD_PUT, 0},
};

const char *method_name(enum method method)
{
    static const char *const names[] = {
        [METHOD_GET] = "GET", [METHOD_POST] = "POST", [METHOD_PUT] = "PUT"};
    return names[method];
}

void operation_add_path(enum dialect dialect, enum operation operation, struct buf *out)
{
    buf_add_string(out, dialects[dialect].prefix);
    buf_add_string(out, operations[operation].path);
}

static void add_time(const char *name, int64_t time_s, struct buf *out)
{
    char time[WHEN_PLATFORM_LENGTH + 1];

    when_format_platform(time_s, time);
    buf_add_format(out, "&%s=%s", name, time);
}

static void add_number(const char *name, uint32_t number, struct buf *out)
{
    if (number > 0)
        buf_add_format(out, "&%s=%lu", name, (unsigned long)number);
}

bool operation_names_one(struct span uuid)
{
    uuid = text_trim_blanks(uuid);
    bool is_word = uuid.len == 3 && strncasecmp(uuid.ptr, "all", 3) == 0; /* cancel/all */
    return uuid.len > 0 && uuid.len <= REPLY_UUID_MAX && !is_word && !span_is(uuid, ".") &&
           !span_is(uuid, "..");
}

enum status operation_request(enum dialect dialect, enum operation operation,
                              const struct question *question, struct buf *target,
                              struct operation_call *ret_call)
{
    const struct operation_rule *rule = &operations[operation];
    char device[DEVICE_TEXT_MAX + 1];

    if ((rule->questions & QUESTION_PERIOD) != 0 &&
        (!when_is_writable(question->start_s) || !when_is_writable(question->end_s)))
        return STATUS_RANGE;
    if ((rule->questions & QUESTION_UUID) != 0 && !operation_names_one(question->uuid))
        return STATUS_RANGE;
    buf_clear(target);
    operation_add_path(dialect, operation, target);
    if ((rule->questions & QUESTION_UUID) != 0)
        buf_add_percent_encoded(target, text_trim_blanks(question->uuid));
    device_write(question->device, device);
    buf_add_format(target, "?%s=%s", param_rules[PARAM_IMEI].name, device);
    if ((rule->questions & QUESTION_PERIOD) != 0) {
        add_time("start", question->start_s, target);
        if (question->end_s > 0)
            add_time("end", question->end_s, target);
        add_number("page", question->page, target);
        add_number("per_page", question->per_page, target);
        if (question->ascending)
            buf_add_string(target, "&sort=ASC");
    }
    buf_add_char(target, '\0');
    if (target->status != STATUS_OK)
        return target->status;
    *ret_call = (struct operation_call){.method = rule->method,
                                        .target = span_of(target->ptr, target->len - 1)};
    return STATUS_OK;
}
