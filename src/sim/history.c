#include "sim/history.h"

#include <cjson/cJSON.h>
#include <time.h>

#include "core/when.h"
#include "platform/device.h"

enum { CHINA_OFFSET_S = 8 * 3600, LOG_TIME_SIZE = 40 };

struct query_values {
    struct span imei;
    uint64_t device, page, per_page;
    bool has_start, has_end, ascending;
    int64_t start_s, end_s;
};

static bool refuse(struct platform_answer *answer, const char *what)
{
    char text[128];

    (void)snprintf(text, sizeof(text), "invalid parameter: %s", what);
    platform_refuse(answer, 5108, span_string(text));
    return false;
}

static bool take_number(struct span text, uint64_t max, uint64_t *ret_number)
{
    uint64_t number;

    if (span_to_uint64(text, &number) != STATUS_OK || number == 0 || number > max)
        return false;
    *ret_number = number;
    return true;
}

/* The form that parameters have; the client must have resolved what else it takes. */
static bool take_time(struct span text, int64_t *ret_s)
{
    return text.len == WHEN_PLATFORM_LENGTH && text.ptr[10] == 'T' &&
           when_parse(text, 0, ret_s) == STATUS_OK;
}

static bool take_sort(struct span text, bool *ret_ascending)
{
    *ret_ascending = span_is(text, "ASC");
    return *ret_ascending || span_is(text, "DESC");
}

/* Parameters that are not known are ignored: public clients send some. */
static bool take_pair(const struct query_pair *pair, struct query_values *values,
                      struct platform_answer *answer)
{
    struct span value = pair->value;

    if (span_is(pair->name, "imei")) {
        values->imei = value;
        return device_read(value, &values->device) || refuse(answer, "imei: must be 15 digits");
    }
    if (span_is(pair->name, "page"))
        return take_number(value, UINT32_MAX, &values->page) ||
               refuse(answer, "page: must be a number from 1");
    if (span_is(pair->name, "per_page"))
        return take_number(value, HISTORY_PER_PAGE_MAX, &values->per_page) ||
               refuse(answer, "per_page: must be a number of 1 to 100");
    if (span_is(pair->name, "start"))
        return (values->has_start = take_time(value, &values->start_s)) ||
               refuse(answer, "start: is not of the form YYYY-MM-DDThh:mm:ss");
    if (span_is(pair->name, "end"))
        return (values->has_end = take_time(value, &values->end_s)) ||
               refuse(answer, "end: is not of the form YYYY-MM-DDThh:mm:ss");
    if (span_is(pair->name, "sort"))
        return take_sort(value, &values->ascending) || refuse(answer, "sort: must be ASC or DESC");
    return true;
}

static bool take_query(struct platform *platform, const struct call *call,
                       struct query_values *values, struct platform_answer *answer)
{
    struct span query = call->query;
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
    if (values->imei.len > 0 && (values->has_start || call->kind != CALL_HISTORY))
        return true;
    platform_refuse(answer, 3, SPAN_LITERAL("parameter required"));
    return false;
}

/* Replies write a space where parameters have a T (platform/README.md). */
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

/* Its send_status at that moment. */
static int send_status_of(const struct store_command *command, int64_t now_ms)
{
    bool open = !command_life_has_ended(&command->life);

    return open && command->ends_ms < now_ms ? SEND_EXPIRED : command->life.send_status;
}

/* What lists and single commands say alike. */
static void add_common(cJSON *item, const struct store_command *command, struct span imei,
                       int64_t now_ms)
{
    static const char *const types[ACTION_COUNT] = {
        [ACTION_WRITE] = "WRITE", [ACTION_READ] = "READ", [ACTION_EXECUTE] = "EXECUTE"};
    char text[32];

    (void)cJSON_AddStringToObject(item, "type", types[command->action]);
    add_time(item, "create_time", command->created_s);
    add_time(item, "valid_time", command->valid_s);
    add_time(item, "expired_time", command->expires_s);
    if (command->life.sent_ms > 0)
        add_time(item, "send_time", command->life.sent_ms / 1000);
    (void)cJSON_AddNumberToObject(item, "trigger_msg",
                                  value_of(command, PARAM_TRIGGER_MSG, DEFAULT_TRIGGER_MSG));
    (void)cJSON_AddNumberToObject(item, "send_status", send_status_of(command, now_ms));
    if (command->life.confirmed_ms > 0)
        add_time(item, "confirm_time", command->life.confirmed_ms / 1000);
    if (command->life.confirm_status != CONFIRM_NONE)
        (void)cJSON_AddStringToObject(item, "confirm_status",
                                      history_confirm_name(
                                          (enum confirm)command->life.confirm_status));
    (void)snprintf(text, sizeof(text), "%.*s", SPAN_ARG(imei));
    (void)cJSON_AddStringToObject(item, "imei", text);
    (void)snprintf(text, sizeof(text), "%u", (unsigned)command->life.remain);
    (void)cJSON_AddStringToObject(item, "remain", text);
}

/* Whether the history shows the command: it is not overwritten, and not too new. */
static bool is_shown(const struct platform *platform, const struct store_command *command,
                     int64_t now_ms)
{
    return !command->life.is_gone &&
           (platform->options.lag_ms == 0 ||
            command->created_ms +
                    devices_scale(&platform->options.devices, platform->options.lag_ms) <=
                now_ms);
}

static bool is_in_period(const struct query_values *values, const struct store_command *command)
{
    return command->created_s >= values->start_s &&
           (!values->has_end || command->created_s <= values->end_s);
}

/* The first command that the list has, from `ref` on to older ones; false: there is none. */
static bool find_listed(const struct platform *platform, const struct query_values *values,
                        uint32_t ref, int64_t now_ms, struct store_command *ret_command)
{
    while (ref != 0) {
        sim_store_view(&platform->store, ref, ret_command);
        if (is_shown(platform, ret_command, now_ms) && is_in_period(values, ret_command))
            return true;
        ref = ret_command->older;
    }
    return false;
}

static uint64_t count_listed(const struct platform *platform, const struct query_values *values,
                             int64_t now_ms)
{
    struct store_command command;
    uint32_t ref = sim_store_newest(&platform->store, values->device);
    uint64_t count = 0;

    for (; find_listed(platform, values, ref, now_ms, &command); ref = command.older)
        count++;
    return count;
}

static void add_listed(cJSON *items, const struct store_command *command,
                       const struct query_values *values, int64_t now_ms)
{
    cJSON *item = cJSON_CreateObject();
    char uuid[UUID_LENGTH + 2];

    uuid_format(command->uuid, uuid);
    memcpy(uuid + UUID_LENGTH, " ", 2);
    (void)cJSON_AddStringToObject(item, "cmd_uuid", uuid);
    add_common(item, command, values->imei, now_ms);
    /* The chain is newest first. */
    if (!(values->ascending ? cJSON_InsertItemInArray(items, 0, item)
                            : cJSON_AddItemToArray(items, item)))
        cJSON_Delete(item);
}

static cJSON *make_list(const struct platform *platform, const struct query_values *values,
                        int64_t now_ms)
{
    cJSON *data = cJSON_CreateObject();
    uint64_t total = count_listed(platform, values, now_ms);
    uint64_t skip = (values->page - 1) * values->per_page, at = 0;
    uint64_t end = skip + values->per_page < total ? skip + values->per_page : total;
    struct store_command command;

    (void)cJSON_AddNumberToObject(data, "total_count", (double)total);
    cJSON *items = cJSON_AddArrayToObject(data, "items");
    if (values->ascending) { /* the same, counted from the other end */
        uint64_t from = end < skip ? 0 : total - end;
        end = skip > total ? 0 : total - skip;
        skip = from;
    }
    for (uint32_t ref = sim_store_newest(&platform->store, values->device);
         at < end && find_listed(platform, values, ref, now_ms, &command); ref = command.older)
        if (at++ >= skip)
            add_listed(items, &command, values, now_ms);
    return data;
}

/* args: the URL parameters, as far as a log of the platform was seen to show them: without mode and
 * trigger_msg. */
static void add_args(cJSON *item, const struct store_command *command, const char *imei)
{
    static const enum param shown[] = {PARAM_OBJ_ID, PARAM_OBJ_INST_ID, PARAM_RES_ID};
    cJSON *args = cJSON_AddObjectToObject(item, "args");

    for (size_t i = 0; i < ARRAY_LENGTH(shown); i++)
        if ((command->present >> shown[i] & 1) != 0)
            (void)cJSON_AddNumberToObject(args, param_rules[shown[i]].name,
                                          command->values[shown[i]]);
    (void)cJSON_AddStringToObject(args, "imei", imei);
    add_time(args, "expired_time", command->expires_s);
    add_time(args, "valid_time", command->valid_s);
    (void)cJSON_AddNumberToObject(args, "retry", value_of(command, PARAM_RETRY, DEFAULT_RETRY));
    (void)cJSON_AddNumberToObject(args, "timeout",
                                  value_of(command, PARAM_TIMEOUT, DEFAULT_TIMEOUT));
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

/* The device's command of that uuid; false: it has none. */
static bool find_command(const struct platform *platform, const struct query_values *values,
                         struct span uuid, struct store_command *ret_command, uint32_t *ret_ref)
{
    for (uint32_t ref = sim_store_newest(&platform->store, values->device); ref != 0;) {
        char text[UUID_LENGTH + 1];
        sim_store_view(&platform->store, ref, ret_command);
        uuid_format(ret_command->uuid, text);
        if (span_is(uuid, text)) {
            *ret_ref = ref;
            return !ret_command->life.is_gone;
        }
        ref = ret_command->older;
    }
    return false;
}

/* What the immediate call would have answered; only after success. */
static void add_result(cJSON *item, const struct store_command *command)
{
    struct buf text;

    if (command->life.send_status != SEND_SUCCESS ||
        command->life.confirm_status != CONFIRM_SUCCESS)
        return;
    buf_init(&text, PLATFORM_ANSWER_MAX);
    buf_add_string(&text, "{\"errno\":0,\"error\":\"succ\"");
    if (command->result.len > 0) {
        buf_add_string(&text, ",\"data\":");
        buf_add(&text, command->result);
    }
    buf_add_char(&text, '}');
    (void)cJSON_AddRawToObject(item, "cmd_result", buf_string(&text));
    buf_deinit(&text);
}

static cJSON *make_one(const struct query_values *values, const struct store_command *command,
                       int64_t now_ms)
{
    cJSON *item = cJSON_CreateObject();

    add_common(item, command, values->imei, now_ms);
    add_args(item, command, cJSON_GetStringValue(cJSON_GetObjectItem(item, "imei")));
    add_content(item, command);
    add_result(item, command);
    return item;
}

/* A line of a log: {"log":…,"time":"Wed Dec 02 09:02:24 CST 2020"}. */
static void add_log(cJSON *lines, const char *log, int64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000 + CHINA_OFFSET_S);
    char time[LOG_TIME_SIZE];
    struct tm calendar;

    if (gmtime_r(&seconds, &calendar) == NULL ||
        strftime(time, sizeof(time), "%a %b %d %H:%M:%S CST %Y", &calendar) == 0)
        time[0] = '\0';
    cJSON *line = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(line, "log", log);
    (void)cJSON_AddStringToObject(line, "time", time);
    if (!cJSON_AddItemToArray(lines, line))
        cJSON_Delete(line);
}

/* Types and statuses are numbers in a log. */
static cJSON *make_log(const struct store_command *command)
{
    static const int types[ACTION_COUNT] = {
        [ACTION_READ] = 0, [ACTION_WRITE] = 1, [ACTION_EXECUTE] = 2};
    cJSON *lines = cJSON_CreateArray();
    char text[96];

    (void)snprintf(text, sizeof(text), "received command, type: %d", types[command->action]);
    add_log(lines, text, command->created_ms);
    if (command->life.sent_ms > 0)
        add_log(lines, "send command", command->life.sent_ms);
    if (command->life.confirmed_ms > 0) {
        (void)snprintf(text, sizeof(text), "received confirm message, confirm_status: %d",
                       command->life.confirm_status);
        add_log(lines, text, command->life.confirmed_ms);
    }
    return lines;
}

/* Whether the command could be taken back, and was. */
static bool cancel(struct platform *platform, uint64_t device, uint32_t ref,
                   const struct store_command *command, int64_t now_ms)
{
    struct command_life life = command->life;

    if (life.is_gone || send_status_of(command, now_ms) != SEND_WAITING)
        return false;
    life.send_status = SEND_CANCELLED;
    sim_store_set_life(&platform->store, device, ref, &life);
    return true;
}

/* Every command of the device that waits, and what became of the call. */
static cJSON *cancel_all(struct platform *platform, uint64_t device, int64_t now_ms)
{
    cJSON *data = cJSON_CreateObject();
    cJSON *done = cJSON_AddArrayToObject(data, "succ");
    cJSON *failed = cJSON_AddArrayToObject(data, "failed");
    uint64_t total = 0;
    struct store_command command;

    for (uint32_t ref = sim_store_newest(&platform->store, device); ref != 0; ref = command.older) {
        char uuid[UUID_LENGTH + 1];
        sim_store_view(&platform->store, ref, &command);
        if (command.life.is_gone || command_life_has_ended(&command.life) ||
            command.ends_ms < now_ms)
            continue;
        total++;
        uuid_format(command.uuid, uuid);
        cJSON *list = cancel(platform, device, ref, &command, now_ms) ? done : failed;
        cJSON *text = cJSON_CreateString(uuid);
        if (!cJSON_AddItemToArray(list, text))
            cJSON_Delete(text);
    }
    (void)cJSON_AddNumberToObject(data, "total", (double)total);
    return data;
}

static void answer_data(struct platform_answer *answer, cJSON *data)
{
    char *text = cJSON_PrintUnformatted(data);

    cJSON_Delete(data);
    platform_begin(answer, 0, SPAN_LITERAL("succ"));
    buf_add_string(&answer->body, ",\"data\":");
    buf_add_string(&answer->body, text != NULL ? text : "null");
    buf_add_char(&answer->body, '}');
    cJSON_free(text);
}

/* Calls that name a command. */
static void answer_one(struct platform *platform, const struct call *call,
                       const struct query_values *values, int64_t now_ms,
                       struct platform_answer *answer)
{
    struct store_command command;
    uint32_t ref = 0;

    if (!find_command(platform, values, call->uuid, &command, &ref) ||
        (call->kind != CALL_CANCEL && !is_shown(platform, &command, now_ms))) {
        (void)refuse(answer, "uuid: the device has no such command");
        return;
    }
    if (call->kind == CALL_HISTORY_ONE) {
        answer_data(answer, make_one(values, &command, now_ms));
    } else if (call->kind == CALL_LOG) {
        answer_data(answer, make_log(&command));
    } else if (cancel(platform, values->device, ref, &command, now_ms)) {
        platform_begin(answer, 0, SPAN_LITERAL("succ"));
        buf_add_char(&answer->body, '}');
    } else {
        platform_refuse_by_number(answer, 5106);
    }
}

void history_answer(struct platform *platform, const struct call *call, int64_t now_ms,
                    struct platform_answer *answer)
{
    struct query_values values = {.page = 1, .per_page = HISTORY_PER_PAGE};

    if (!take_query(platform, call, &values, answer))
        return;
    if (call->kind == CALL_HISTORY)
        answer_data(answer, make_list(platform, &values, now_ms));
    else if (call->kind == CALL_CANCEL_ALL)
        answer_data(answer, cancel_all(platform, values.device, now_ms));
    else
        answer_one(platform, call, &values, now_ms, answer);
}
