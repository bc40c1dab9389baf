#include "sim/history.h"

#include <cjson/cJSON.h>

#include "core/when.h"
#include "platform/device.h"

enum { SEND_STATUS_WAITING = 1, SEND_STATUS_EXPIRED = 4 };

struct query_values {
    struct span imei;
    uint64_t device, page, per_page;
};

static const char invalid[] = "invalid parameter: ";

static bool refuse(struct platform_answer *answer, const char *what)
{
    char text[128];

    (void)snprintf(text, sizeof(text), "%s%s", invalid, what);
    platform_refuse(answer, 5108, span_string(text));
    return false;
}

static bool take_pair(const struct query_pair *pair, struct query_values *values,
                      struct platform_answer *answer)
{
    if (span_is(pair->name, "imei")) {
        values->imei = pair->value;
        if (!device_read(pair->value, &values->device))
            return refuse(answer, "imei: must be 15 digits");
    } else if (span_is(pair->name, "page")) {
        if (span_to_uint64(pair->value, &values->page) != STATUS_OK || values->page == 0 ||
            values->page > UINT32_MAX)
            return refuse(answer, "page: must be a number from 1");
    } else if (span_is(pair->name, "per_page")) {
        if (span_to_uint64(pair->value, &values->per_page) != STATUS_OK || values->per_page == 0 ||
            values->per_page > HISTORY_PER_PAGE_MAX)
            return refuse(answer, "per_page: must be a number of 1 to 1000");
    } else if (!span_is(pair->name, "start") && !span_is(pair->name, "end") &&
               !span_is(pair->name, "sort")) {
        return refuse(answer, "there is a parameter that is not known");
    }
    return true;
}

static bool take_query(struct platform *platform, struct span query, struct query_values *values,
                       struct platform_answer *answer)
{
    struct query_pair pair;
    enum status status = STATUS_END;

    buf_clear(&platform->query);
    if (query.len > 0 && !buf_reserve(&platform->query, query.len))
        return refuse(answer, "the query is too long");
    while ((status = query_next(&query, &platform->query, &pair)) == STATUS_OK)
        if (!take_pair(&pair, values, answer))
            return false;
    if (status != STATUS_END)
        return refuse(answer, "the query is not made of name=value, joined by &");
    if (values->imei.len == 0) {
        platform_refuse_by_number(answer, 3);
        return false;
    }
    return true;
}

/* Replies write a space where parameters have a T (platform/README.md, "Times"). */
static void add_time(cJSON *item, const char *name, int64_t time_s)
{
    char text[WHEN_PLATFORM_LENGTH + 1];

    when_format_platform(time_s, text);
    text[10] = ' ';
    (void)cJSON_AddStringToObject(item, name, text);
}

static uint16_t value_of(const struct store_command *command, enum param param, uint16_t fallback)
{
    return (command->present >> param & 1) != 0 ? command->values[param] : fallback;
}

static void add_common(cJSON *item, const struct store_command *command, struct span imei,
                       int64_t now_s)
{
    static const char *const types[ACTION_COUNT] = {
        [ACTION_WRITE] = "WRITE", [ACTION_READ] = "READ", [ACTION_EXECUTE] = "EXECUTE"};
    char uuid[UUID_LENGTH + 1], text[32];
    bool expired = command->expires_s < now_s;

    uuid_format(command->uuid, uuid);
    (void)cJSON_AddStringToObject(item, "cmd_uuid", uuid);
    (void)cJSON_AddStringToObject(item, "type", types[command->action]);
    add_time(item, "create_time", command->created_s);
    add_time(item, "valid_time", command->valid_s);
    add_time(item, "expired_time", command->expires_s);
    (void)cJSON_AddNumberToObject(item, "trigger_msg", value_of(command, PARAM_TRIGGER_MSG, 7));
    (void)cJSON_AddNumberToObject(item, "send_status",
                                  expired ? SEND_STATUS_EXPIRED : SEND_STATUS_WAITING);
    (void)snprintf(text, sizeof(text), "%.*s", SPAN_ARG(imei));
    (void)cJSON_AddStringToObject(item, "imei", text);
    (void)snprintf(text, sizeof(text), "%u", (unsigned)value_of(command, PARAM_RETRY, 3));
    (void)cJSON_AddStringToObject(item, "remain", text);
}

static cJSON *make_list(const struct store *store, const struct query_values *values, int64_t now_s)
{
    cJSON *data = cJSON_CreateObject();
    uint64_t skip = (values->page - 1) * values->per_page, left = values->per_page;

    (void)cJSON_AddNumberToObject(data, "total_count", (double)store_count(store, values->device));
    cJSON *items = cJSON_AddArrayToObject(data, "items");
    uint32_t ref = store_newest(store, values->device);
    while (ref != 0 && left > 0) {
        struct store_command command;
        store_view(store, ref, &command);
        ref = command.older;
        if (skip > 0) {
            skip--;
            continue;
        }
        cJSON *item = cJSON_CreateObject();
        add_common(item, &command, values->imei, now_s);
        if (!cJSON_AddItemToArray(items, item))
            cJSON_Delete(item);
        left--;
    }
    return data;
}

/* args: the URL parameters that are numbers or booleans, as they were given. */
static void add_args(cJSON *item, const struct store_command *command)
{
    cJSON *args = cJSON_AddObjectToObject(item, "args");

    for (size_t i = 0; i < PARAM_COUNT; i++) {
        if ((command->present >> i & 1) == 0)
            continue;
        if (param_rules[i].type == PARAM_TYPE_INT)
            (void)cJSON_AddNumberToObject(args, param_rules[i].name, command->values[i]);
        else if (param_rules[i].type == PARAM_TYPE_BOOL)
            (void)cJSON_AddBoolToObject(args, param_rules[i].name, command->values[i] != 0);
    }
}

/* content: the body, its numbers as they were written. */
static void add_content(cJSON *item, const struct store_command *command)
{
    struct buf text;

    buf_init(&text, PLATFORM_ANSWER_MAX);
    if (command->action == ACTION_WRITE) {
        buf_add_string(&text, "{\"data\":");
        buf_add(&text, command->content);
        buf_add_char(&text, '}');
    } else if (command->content.len > 0) {
        buf_add_string(&text, "{\"args\":");
        buf_add_json_string(&text, command->content);
        buf_add_char(&text, '}');
    }
    if (text.len > 0)
        (void)cJSON_AddRawToObject(item, "content", buf_string(&text));
    else
        (void)cJSON_AddNullToObject(item, "content");
    buf_deinit(&text);
}

static cJSON *make_one(const struct store *store, const struct query_values *values,
                       struct span uuid, int64_t now_s)
{
    for (uint32_t ref = store_newest(store, values->device); ref != 0;) {
        struct store_command command;
        char text[UUID_LENGTH + 1];
        store_view(store, ref, &command);
        ref = command.older;
        uuid_format(command.uuid, text);
        if (!span_is(uuid, text))
            continue;
        cJSON *item = cJSON_CreateObject();
        add_common(item, &command, values->imei, now_s);
        add_args(item, &command);
        add_content(item, &command);
        return item;
    }
    return NULL;
}

void history_answer(struct platform *platform, const struct call *call, int64_t now_s,
                    struct platform_answer *answer)
{
    struct query_values values = {.page = 1, .per_page = HISTORY_PER_PAGE};

    if (!take_query(platform, call->query, &values, answer))
        return;
    cJSON *data = call->kind == CALL_HISTORY
                      ? make_list(&platform->store, &values, now_s)
                      : make_one(&platform->store, &values, call->uuid, now_s);
    if (data == NULL) {
        (void)refuse(answer, "uuid: the device has no such command");
        return;
    }
    char *text = cJSON_PrintUnformatted(data);
    cJSON_Delete(data);
    platform_begin(answer, 0, SPAN_LITERAL("succ"));
    buf_add_string(&answer->body, ",\"data\":");
    buf_add_string(&answer->body, text != NULL ? text : "null");
    buf_add_char(&answer->body, '}');
    cJSON_free(text);
}
