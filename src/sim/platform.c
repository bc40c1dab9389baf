#include "sim/platform.h"

#include "core/jsonlex.h"
#include "core/text.h"
#include "core/when.h"
#include "sim/history.h"

enum { COLUMN_OF_DATA = PARAM_COUNT, COLUMN_OF_ARGS, COLUMN_OF_ACTION };

enum {
    ERRNO_AUTH_FAILED = 1,
    ERRNO_PARAMETER_REQUIRED = 3,
    ERRNO_INTERNAL = 7,
    ERRNO_LIMIT = 5006,
    ERRNO_INVALID_PARAMETER = 5108,
    CODE_NO_PERMISSION = 10403,
};

static enum status add_columns(struct schema *schema)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < PARAM_COUNT && status == STATUS_OK; i++)
        status = schema_add(schema, span_string(param_rules[i].name));
    if (status == STATUS_OK)
        status = schema_add(schema, SPAN_LITERAL("data"));
    if (status == STATUS_OK)
        /* Whatever a client sends as args is meant; a spreadsheet is not on this side. */
        status = schema_add_as(schema, SPAN_LITERAL("args"), SPAN_LITERAL("args:string"));
    if (status == STATUS_OK)
        status = schema_add(schema, SPAN_LITERAL("action"));
    return status;
}

enum status platform_init(struct platform *platform, const struct platform_options *options,
                          const struct auth *auth)
{
    *platform = (struct platform){.options = *options, .auth = auth};
    sim_store_init(&platform->store, options->queue_limit, options->max_commands);
    devices_init(&platform->devices, &platform->options.devices, &platform->store);
    platform->store.overwrites = options->overwrites;
    platform->store.keeps_waiting = devices_live(&platform->devices);
    schema_init(&platform->schema);
    command_init(&platform->command);
    problems_init(&platform->problems);
    buf_init(&platform->query, PLATFORM_TARGET_MAX);
    return add_columns(&platform->schema);
}

void platform_deinit(struct platform *platform)
{
    if (platform == NULL)
        return;
    devices_deinit(&platform->devices);
    sim_store_deinit(&platform->store);
    schema_deinit(&platform->schema);
    command_deinit(&platform->command);
    problems_deinit(&platform->problems);
    buf_deinit(&platform->query);
}

/* What a request id is made of is not documented; one is in every answer of the newer platform. */
void platform_begin(struct platform_answer *answer, int64_t number, struct span text)
{
    const struct dialect_rule *dialect = &dialects[answer->dialect];

    answer->http = 200;
    answer->has_errno = true;
    answer->platform_errno = number;
    buf_clear(&answer->body);
    buf_add_format(&answer->body, "{\"%s\":%lld,\"%s\":", dialect->number, (long long)number,
                   dialect->text);
    buf_add_json_string(&answer->body, text);
    if (answer->dialect != DIALECT_V1)
        buf_add_string(&answer->body, ",\"request_id\":\"simulated\"");
}

void platform_refuse(struct platform_answer *answer, int64_t number, struct span text)
{
    platform_begin(answer, number, text);
    buf_add_char(&answer->body, '}');
}

/* Which numbers the newer platform gives its refusals is not documented, but for one: the others
 * are the simulator's own, with the texts that the first dialect has for them. */
void platform_refuse_by_number(struct platform_answer *answer, int64_t number)
{
    const struct meaning *known = meaning_of_number(answer->dialect, number);

    if (known == NULL)
        known = meaning_of_number(DIALECT_V1, number);
    platform_refuse(answer, number, span_string(known != NULL ? known->name : "simulated error"));
}

static void refuse_key(struct platform_answer *answer)
{
    platform_refuse_by_number(answer, answer->dialect == DIALECT_V1 ? ERRNO_AUTH_FAILED
                                                                    : CODE_NO_PERMISSION);
}

static void refuse_parameter(struct platform_answer *answer, struct span name, struct span message)
{
    struct buf text;

    buf_init(&text, PLATFORM_BODY_MAX);
    buf_add_string(&text, "invalid parameter: ");
    buf_add_printable(&text, name);
    buf_add_string(&text, name.len > 0 ? ": " : "");
    buf_add(&text, message);
    platform_refuse(answer, ERRNO_INVALID_PARAMETER, buf_span(&text));
    buf_deinit(&text);
}

/* HTTP statuses that are not the platform's own; their bodies have no errno. */
static void answer_http(struct platform_answer *answer, unsigned http, const char *text)
{
    answer->http = http;
    buf_add_string(&answer->body, "{\"error\":");
    buf_add_json_string(&answer->body, span_string(text));
    buf_add_char(&answer->body, '}');
}

/* The platform's own form only: the client must have resolved what else it takes. */
static bool is_platform_time(struct span text)
{
    return text.len == WHEN_PLATFORM_LENGTH && text.ptr[10] == 'T';
}

static bool take_parameter(struct platform *platform, enum action action,
                           const struct query_pair *pair, struct platform_answer *answer)
{
    enum param param;

    if (!text_is_utf8(pair->name) || !text_is_utf8(pair->value)) {
        refuse_parameter(answer, pair->name, SPAN_LITERAL("is not UTF-8"));
        return false;
    }
    if (!param_find(pair->name, &param) || (param_rules[param].allowed & FOR_ACTION(action)) == 0)
        return true;
    if (platform->cells[param].kind != CELL_ABSENT) {
        refuse_parameter(answer, pair->name, SPAN_LITERAL("is given twice"));
        return false;
    }
    if (param_rules[param].type == PARAM_TYPE_TIME && !is_platform_time(pair->value)) {
        refuse_parameter(answer, pair->name,
                         SPAN_LITERAL("is not of the form YYYY-MM-DDThh:mm:ss"));
        return false;
    }
    platform->cells[param] = (struct cell){.kind = CELL_STRING, .text = pair->value};
    return true;
}

/* Parameters to cells. False: the answer says why not. */
static bool take_query(struct platform *platform, enum action action, struct span query,
                       struct platform_answer *answer)
{
    struct query_pair pair;
    enum status status;

    buf_clear(&platform->query);
    if (query.len > 0 && !buf_reserve(&platform->query, query.len)) {
        platform_refuse_by_number(answer, ERRNO_INTERNAL);
        return false;
    }
    while ((status = query_next(&query, &platform->query, &pair)) == STATUS_OK)
        if (!take_parameter(platform, action, &pair, answer))
            return false;
    if (status == STATUS_END)
        return true;
    refuse_parameter(answer, span_of("", 0),
                     SPAN_LITERAL("the query is not made of name=value, joined by &"));
    return false;
}

/* The text of the value in {"name":value}; false when the body is anything else. A name that is
 * spelled with escapes is not recognized. */
static bool only_member(struct span body, const char *quoted_name, struct span *ret_value)
{
    struct jsonlex lex;

    jsonlex_start(&lex, body);
    bool is_object = jsonlex_next(&lex) == JSONLEX_OBJECT;
    bool is_named = jsonlex_next(&lex) == JSONLEX_NAME && span_is(lex.text, quoted_name);
    (void)jsonlex_next(&lex);
    bool is_value = jsonlex_skip(&lex);
    struct span value = lex.text;
    bool is_only = jsonlex_next(&lex) == JSONLEX_OBJECT_END;
    if (!is_object || !is_named || !is_value || !is_only || jsonlex_next(&lex) != JSONLEX_END)
        return false;
    *ret_value = value;
    return true;
}

/* The args of an execute to their cell, which may point into `decoded`. */
static bool take_args(struct platform *platform, struct span body, struct buf *decoded)
{
    struct span value;

    if (body.len == 0)
        return true;
    if (!only_member(body, "\"args\"", &value))
        return false;
    if (value.ptr[0] != '"') {
        platform->cells[COLUMN_OF_ARGS] =
            (struct cell){.kind = CELL_JSON, .text = value}; /* a problem of its own */
        return true;
    }
    struct span text = jsonlex_string(value, decoded);
    platform->cells[COLUMN_OF_ARGS] =
        (struct cell){.kind = CELL_STRING, .text = span_of(text.ptr, strnlen(text.ptr, text.len))};
    return decoded->status == STATUS_OK;
}

static bool take_body(struct platform *platform, enum body_kind kind, struct span body,
                      struct buf *decoded)
{
    struct span value;

    switch (kind) {
    case BODY_DATA:
        if (!only_member(body, "\"data\"", &value))
            return false;
        platform->cells[COLUMN_OF_DATA] =
            (struct cell){.kind = span_is(value, "null") ? CELL_NULL : CELL_JSON, .text = value};
        return true;
    case BODY_ARGS:
        return take_args(platform, body, decoded);
    case BODY_NONE:
        break;
    }
    return body.len == 0;
}

static const struct problem *first_error(const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        if (!problem_code_is_warning(problems->items[i].code))
            return &problems->items[i];
    return NULL;
}

static void refuse_problem(const struct problems *problems, struct platform_answer *answer)
{
    const struct problem *problem = first_error(problems);

    if (problem == NULL) /* more warnings than are kept stood before it */
        platform_refuse_by_number(answer, ERRNO_INVALID_PARAMETER);
    else if (problem->code == PROBLEM_REQUIRED || problem->code == PROBLEM_JSON)
        platform_refuse_by_number(answer, ERRNO_PARAMETER_REQUIRED);
    else
        refuse_parameter(answer, problem_field(problems, problem),
                         problem_message(problems, problem));
}

/* Parameters that are numbers and booleans, for the history. They have been checked. */
static void take_values(const struct cell *cells, struct store_command *kept)
{
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        uint64_t value = 0;
        if (cells[i].kind == CELL_ABSENT)
            continue;
        kept->present |= (uint16_t)(1u << i);
        if (param_rules[i].type == PARAM_TYPE_BOOL)
            value = span_is(cells[i].text, "true") ? 1 : 0;
        else if (param_rules[i].type != PARAM_TYPE_INT ||
                 span_to_uint64(cells[i].text, &value) != STATUS_OK)
            value = 0;
        kept->values[i] = (uint16_t)value;
    }
}

static void answer_accepted(struct platform_answer *answer, const uint8_t uuid[UUID_BYTES])
{
    platform_begin(answer, 0, SPAN_LITERAL("succ"));
    answer->processed = true;
    uuid_format(uuid, answer->uuid);
    buf_add_string(&answer->body, ",\"data\":{\"uuid\":\"");
    buf_add_bytes(&answer->body, answer->uuid, UUID_LENGTH);
    buf_add_string(&answer->body, "\"}}");
}

/* When a moment comes that is `time_s` by the calendar, where the clock may run faster. */
static int64_t moment_of(const struct platform *platform, int64_t time_s, int64_t now_ms)
{
    int64_t left_ms = time_s > INT64_MAX / 2000 ? INT64_MAX / 2 : time_s * 1000 - now_ms;

    return left_ms <= 0 ? now_ms : now_ms + devices_scale(&platform->options.devices, left_ms);
}

/* The command as it is kept. */
static void describe(struct platform *platform, enum action action, int64_t now_ms,
                     struct store_command *kept)
{
    const struct command *command = &platform->command;
    enum body_kind kind = action_rules[action].body;

    *kept = (struct store_command){.device = command->device,
                                   .action = action,
                                   .created_ms = now_ms,
                                   .valid_s = command->valid_at_s,
                                   .expires_s = command->expires_at_s,
                                   .ready_ms = moment_of(platform, command->valid_at_s, now_ms),
                                   .ends_ms = moment_of(platform, command->expires_at_s, now_ms),
                                   .life = {.send_status = SEND_WAITING,
                                            .confirm_status = CONFIRM_NONE}};
    if (kind != BODY_NONE)
        kept->content = platform->cells[kind == BODY_DATA ? COLUMN_OF_DATA : COLUMN_OF_ARGS].text;
    take_values(platform->cells, kept);
    kept->life.remain = (kept->present >> PARAM_RETRY & 1) != 0 ? (uint8_t)kept->values[PARAM_RETRY]
                                                                : DEFAULT_RETRY;
}

/* Puts the checked command into the store, and answers. */
static void accept(struct platform *platform, enum action action, int64_t now_ms,
                   struct platform_answer *answer)
{
    struct store_command kept;

    describe(platform, action, now_ms, &kept);
    enum status status = uuid_next(&platform->uuids, kept.uuid);
    if (status == STATUS_OK)
        status = devices_notice(&platform->devices, kept.device, now_ms);
    if (status == STATUS_OK)
        status = sim_store_add(&platform->store, &kept, now_ms);
    if (status == STATUS_OK)
        answer_accepted(answer, kept.uuid);
    else if (status == STATUS_RANGE)
        platform_refuse_by_number(answer, ERRNO_LIMIT);
    else
        platform_refuse_by_number(answer, ERRNO_INTERNAL);
}

/* Checks the cells as the client checks a row, and accepts or refuses. */
static void judge(struct platform *platform, enum action action, int64_t now_ms,
                  struct platform_answer *answer)
{
    struct row row = {.number = 1,
                      .line = 1,
                      .cells = platform->cells,
                      .cell_count = PLATFORM_COLUMNS};
    /* Test devices are documented, with 4 digits ("create device"), and no rule for the others. */
    const struct command_context context = {.schema = &platform->schema,
                                            .now_s = now_ms / 1000,
                                            .dialect = platform->auth->dialect,
                                            .any_device = true};

    problems_clear(&platform->problems, row.number, row.line);
    if (command_build(&platform->command, &context, &row, NULL, &platform->problems) != STATUS_OK)
        platform_refuse_by_number(answer, ERRNO_INTERNAL);
    else if (platform->problems.error_count > 0)
        refuse_problem(&platform->problems, answer);
    else
        accept(platform, action, now_ms, answer);
}

static void answer_command(struct platform *platform, const struct platform_request *request,
                           int64_t now_ms, struct platform_answer *answer)
{
    const struct action_rule *rule = &action_rules[request->call.action];
    struct buf args;

    memset(platform->cells, 0, sizeof(platform->cells));
    platform->cells[COLUMN_OF_ACTION] =
        (struct cell){.kind = CELL_STRING, .text = span_string(rule->name)};
    if (!take_query(platform, request->call.action, request->call.query, answer))
        return;
    buf_init(&args, PLATFORM_BODY_MAX);
    if (take_body(platform, rule->body, request->body, &args))
        judge(platform, request->call.action, now_ms, answer);
    else if (rule->body == BODY_NONE)
        refuse_parameter(answer, span_string(rule->name), SPAN_LITERAL("takes no body"));
    else
        platform_refuse_by_number(answer, ERRNO_PARAMETER_REQUIRED);
    buf_deinit(&args);
}

enum status platform_answer(struct platform *platform, const struct platform_request *request,
                            int64_t now_ms, struct platform_answer *answer)
{
    enum call_kind kind = request->call.kind;

    *answer = (struct platform_answer){.dialect = platform->auth->dialect, .body = answer->body};
    buf_clear(&answer->body);
    if (kind == CALL_UNKNOWN)
        answer_http(answer, 404, "not found");
    else if (kind == CALL_WRONG_METHOD)
        answer_http(answer, 405, "method not allowed");
    else if (request->body_too_big)
        answer_http(answer, 413, "request entity too large");
    else if (!auth_fits(platform->auth, request->api_key, request->authorization, now_ms / 1000))
        refuse_key(answer);
    else if (kind == CALL_COMMAND)
        answer_command(platform, request, now_ms, answer);
    else
        history_answer(platform, &request->call, now_ms, answer);
    return answer->body.status;
}
