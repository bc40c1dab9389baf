#include "platform/command.h"

#include <xxhash.h>

#include "core/text.h"
#include "core/when.h"
#include "platform/data_memo.h"
#include "platform/device.h"
#include "platform/fleet.h"

enum {
    COMMAND_TEXT_MAX = 64 * 1024 * 1024
}; /* the reader's limit on a row is the one that matters */

/* What the row says, by meaning instead of by position. */
struct draft {
    struct command *command;
    const struct schema *schema;
    const struct row *row;
    struct problems *problems;
    int64_t now_s;
    bool check_only;
    bool any_imei;
    bool has_blanks; /* the body holds texts with blanks around them, which the key leaves out */
    struct data_memo *memo;
    const struct fleet *fleet;
    struct footprint *footprint;
    const struct cell *parts[PART_COUNT];     /* what is given; NULL: nothing */
    const struct column *columns[PART_COUNT]; /* where it stands */
    size_t res_count;
    bool valid_time_good, expired_time_good;
    int64_t times_s[PARAM_COUNT]; /* for parameters that are times */
    int64_t ints[PARAM_COUNT];    /* and for those that are good numbers; else the default */
    enum status status;           /* STATUS_NO_MEMORY where the row could not be checked */
};

void command_init(struct command *command)
{
    *command = (struct command){.row = 0};
    buf_init(&command->text, COMMAND_TEXT_MAX);
}

void command_deinit(struct command *command)
{
    if (command != NULL)
        buf_deinit(&command->text);
}

struct span command_imei(const struct command *command)
{
    return span_of(command->text.ptr + command->body_len + command->target_len + 1,
                   command->imei_len);
}

struct span command_target(const struct command *command)
{
    return span_of(command->text.ptr + command->body_len, command->target_len);
}

struct span command_body(const struct command *command)
{
    return span_of(command->text.ptr, command->body_len);
}

/* What the input calls a part: messages name the column as people know it. */
static struct span field_of(const struct draft *draft, size_t part)
{
    if (draft->columns[part] != NULL)
        return span_string(draft->columns[part]->name);
    return span_string(schema_part_name(part));
}

/* Takes a cell as one of the row's parts. */
static void take_cell(struct draft *draft, const struct column *column, const struct cell *cell)
{
    const struct column *first = draft->columns[column->part];

    if (first != NULL && !first->is_fallback)
        problem_add(draft->problems, PROBLEM_DUPLICATE, span_string(column->name), cell->text,
                    "stands for the same as %s: give one of them", first->name);
    draft->parts[column->part] = cell;
    draft->columns[column->part] = column;
}

static void sort_cells(struct draft *draft)
{
    for (size_t i = 0; i < draft->row->cell_count; i++) {
        const struct column *column = &draft->schema->columns[i];
        const struct cell *cell = &draft->row->cells[i];
        if (cell->kind != CELL_ABSENT && column->role == COLUMN_UNKNOWN)
            schema_report_unknown(column, draft->problems);
        if (!cell_is_given(cell))
            continue;
        if (column->role == COLUMN_PART)
            take_cell(draft, column, cell);
        else if (column->role == COLUMN_RES)
            draft->res_count++;
    }
    const struct cell *action = draft->parts[PART_ACTION];
    draft->command->action = ACTION_WRITE;
    if (action != NULL && !action_find(action->text, &draft->command->action))
        problem_add(draft->problems, PROBLEM_ACTION, field_of(draft, PART_ACTION), action->text,
                    "\"%.*s\" is not one of write, read, execute", SPAN_ARG(action->text));
}

/* 8.65820E+14: what a spreadsheet makes of a long number. */
static bool is_spreadsheet_number(struct span text)
{
    size_t i = 0;
    while (i < text.len && (is_digit(text.ptr[i]) || text.ptr[i] == '.' || text.ptr[i] == ','))
        i++;
    return i > 0 && i + 1 < text.len && (text.ptr[i] == 'E' || text.ptr[i] == 'e') &&
           (text.ptr[i + 1] == '+' || is_digit(text.ptr[i + 1]));
}

static void refuse_imei(struct draft *draft, struct span text)
{
    struct span field = field_of(draft, PARAM_IMEI);
    size_t digits = 0;

    while (digits < text.len && is_digit(text.ptr[digits]))
        digits++;
    if (is_spreadsheet_number(text))
        problem_add(draft->problems, PROBLEM_IMEI, field, text,
                    "%.*s is what a spreadsheet made of the number; its last digits are lost",
                    SPAN_ARG(text));
    else if (digits == text.len && draft->any_imei)
        problem_add(draft->problems, PROBLEM_IMEI, field, text,
                    "%.*s is no device's: that has %d to %d digits, not all of them 0",
                    SPAN_ARG(text), DEVICE_TEST_DIGITS_MIN, DEVICE_TEST_DIGITS_MAX);
    else if (digits == DEVICE_IMEI_DIGITS && text.len == digits)
        problem_add(draft->problems, PROBLEM_IMEI, field, text,
                    "%.*s begins with 0, as no IMEI does (of a test device: --imei any)",
                    SPAN_ARG(text));
    else if (digits == text.len)
        problem_add(draft->problems, PROBLEM_IMEI, field, text, "%.*s has %zu digits instead of %d",
                    SPAN_ARG(text), digits, DEVICE_IMEI_DIGITS);
    else
        problem_add(draft->problems, PROBLEM_IMEI, field, text, "\"%.*s\" is not %d digits",
                    SPAN_ARG(text), DEVICE_IMEI_DIGITS);
}

/* An IMEI has 15 digits, the first not 0; test devices have other numbers (README.md, "Devices").
 */
static void check_imei(struct draft *draft, struct span text)
{
    uint64_t device = 0;
    bool is_device = device_read(text, &device);
    bool is_imei = is_device && text.len == DEVICE_IMEI_DIGITS && text.ptr[0] != '0';

    if (!is_imei && !(draft->any_imei && is_device)) {
        refuse_imei(draft, text);
        return;
    }
    draft->command->device = device;
    if (draft->fleet != NULL)
        fleet_expect(draft->fleet, device);
    if (text.len == DEVICE_IMEI_DIGITS &&
        device_check_digit(text.ptr) != text.ptr[DEVICE_IMEI_DIGITS - 1])
        problem_add(draft->problems, PROBLEM_IMEI_CHECK, field_of(draft, PARAM_IMEI), text,
                    "%.*s does not fit its check digit", SPAN_ARG(text));
}

static void check_int_param(struct draft *draft, enum param param, struct span text)
{
    const struct param_rule *rule = &param_rules[param];
    int64_t value = 0;
    enum status status = span_to_int64(text, &value);

    if (status == STATUS_SYNTAX)
        problem_add(draft->problems, PROBLEM_TYPE, field_of(draft, param), text,
                    "\"%.*s\" is not a whole number", SPAN_ARG(text));
    else if (status == STATUS_RANGE || value < rule->min || value > rule->max || text.ptr[0] == '-')
        problem_add(draft->problems, PROBLEM_RANGE, field_of(draft, param), text,
                    "%.*s is outside %lld–%lld", SPAN_ARG(text), (long long)rule->min,
                    (long long)rule->max);
    else
        draft->ints[param] = value;
}

/* Only a time with milliseconds, or with more behind it than the platform's form has. */
static bool may_have_fraction(struct span text)
{
    return text.len > WHEN_PLATFORM_LENGTH || text.ptr[text.len > 1 ? text.len - 2 : 0] == 'm';
}

static void warn_of_fraction(struct draft *draft, enum param param, struct span text)
{
    char shown[WHEN_PLATFORM_LENGTH + 1];

    when_format_platform(draft->times_s[param], shown);
    problem_add(draft->problems, PROBLEM_TIME_FRACTION, field_of(draft, param), text,
                "the fraction of a second in %.*s is dropped: %s (UTC+8) is sent", SPAN_ARG(text),
                shown);
}

static bool check_time_param(struct draft *draft, enum param param, struct span text)
{
    enum status status = when_parse(text, draft->now_s, &draft->times_s[param]);

    if (status == STATUS_OK) {
        if (may_have_fraction(text) && when_drops_fraction(text))
            warn_of_fraction(draft, param, text);
        return true;
    }
    if (status == STATUS_TOO_BIG)
        problem_add(draft->problems, PROBLEM_TIME, field_of(draft, param), text,
                    "\"%.*s\" cannot be told to the platform: in its time (UTC+8) it is outside "
                    "the years 1970–9999%s",
                    SPAN_ARG(text),
                    text.ptr[0] == '+' ? ", or more than a hundred years from now" : "");
    else if (status == STATUS_RANGE)
        problem_add(draft->problems, PROBLEM_TIME, field_of(draft, param), text,
                    "\"%.*s\" names a day or an hour that does not exist", SPAN_ARG(text));
    else
        problem_add(draft->problems, PROBLEM_TIME, field_of(draft, param), text,
                    "\"%.*s\" is not a time such as 2030-01-31T08:00:00, "
                    "2030-01-31T08:00:00+08:00 or +24h",
                    SPAN_ARG(text));
    return false;
}

static void refuse_past(struct draft *draft, enum param param)
{
    char now[WHEN_PLATFORM_LENGTH + 1], shown[WHEN_PLATFORM_LENGTH + 1];

    when_format_platform(draft->now_s, now);
    when_format_platform(draft->times_s[param], shown);
    problem_add(draft->problems, PROBLEM_TIME_PAST, field_of(draft, param),
                draft->parts[param]->text, "%s is not later than now, %s (both UTC+8)", shown, now);
}

static void refuse_order(struct draft *draft)
{
    char valid[WHEN_PLATFORM_LENGTH + 1], expired[WHEN_PLATFORM_LENGTH + 1];

    when_format_platform(draft->times_s[PARAM_VALID_TIME], valid);
    when_format_platform(draft->times_s[PARAM_EXPIRED_TIME], expired);
    problem_add(draft->problems, PROBLEM_TIME_ORDER, field_of(draft, PARAM_EXPIRED_TIME),
                draft->parts[PARAM_EXPIRED_TIME]->text,
                "%s is not later than valid_time %s (both UTC+8)", expired, valid);
}

/* valid_time > now; expired_time > valid_time, and > now (onenet-api.md, "Write"). */
static void check_time_order(struct draft *draft)
{
    int64_t valid_s = draft->times_s[PARAM_VALID_TIME];
    int64_t expired_s = draft->times_s[PARAM_EXPIRED_TIME];

    if (draft->valid_time_good) {
        draft->command->valid_at_s = valid_s;
        if (valid_s <= draft->now_s)
            refuse_past(draft, PARAM_VALID_TIME);
    }
    if (!draft->expired_time_good)
        return;
    draft->command->expires_at_s = expired_s;
    if (expired_s <= draft->now_s)
        refuse_past(draft, PARAM_EXPIRED_TIME);
    else if (draft->valid_time_good && expired_s <= valid_s)
        refuse_order(draft);
}

static void note_relative(struct command *command, enum param param, struct span text)
{
    bool is_relative = when_is_relative(text);

    if (param == PARAM_VALID_TIME) {
        command->valid_is_given = true;
        command->valid_is_relative = is_relative;
    } else {
        command->expires_is_relative = is_relative;
    }
}

static void check_param_value(struct draft *draft, enum param param, const struct cell *cell)
{
    const struct param_rule *rule = &param_rules[param];

    if (cell->kind == CELL_JSON || (cell->kind == CELL_BOOL && rule->type != PARAM_TYPE_BOOL)) {
        problem_add(draft->problems, PROBLEM_TYPE, field_of(draft, param), cell->text,
                    "must be a number or a string, is %s",
                    cell->kind == CELL_BOOL    ? "a boolean"
                    : cell->text.ptr[0] == '[' ? "an array"
                                               : "an object");
        return;
    }
    switch (rule->type) {
    case PARAM_TYPE_IMEI:
        check_imei(draft, cell->text);
        break;
    case PARAM_TYPE_INT:
        check_int_param(draft, param, cell->text);
        break;
    case PARAM_TYPE_TIME:
        if (param == PARAM_VALID_TIME)
            draft->valid_time_good = check_time_param(draft, param, cell->text);
        else
            draft->expired_time_good = check_time_param(draft, param, cell->text);
        note_relative(draft->command, param, cell->text);
        break;
    case PARAM_TYPE_BOOL:
        if (!span_is(cell->text, "true") && !span_is(cell->text, "false"))
            problem_add(draft->problems, PROBLEM_TYPE, field_of(draft, param), cell->text,
                        "\"%.*s\" is neither true nor false", SPAN_ARG(cell->text));
        break;
    }
}

static void check_params(struct draft *draft)
{
    unsigned action = FOR_ACTION(draft->command->action);
    const char *action_name = action_rules[draft->command->action].name;

    for (size_t i = 0; i < PARAM_COUNT; i++) {
        const struct param_rule *rule = &param_rules[i];
        const struct cell *cell = draft->parts[i];
        if (cell == NULL) {
            if ((rule->required & action) != 0)
                problem_add(draft->problems, PROBLEM_REQUIRED, field_of(draft, i), span_of(NULL, 0),
                            "is missing");
        } else if ((rule->allowed & action) == 0) {
            problem_add(draft->problems, PROBLEM_NOT_ALLOWED, field_of(draft, i), cell->text,
                        "%s takes no %s", action_name, rule->name);
        } else {
            check_param_value(draft, (enum param)i, cell);
        }
    }
    check_time_order(draft);
    if (draft->command->action == ACTION_READ && draft->parts[PARAM_RES_ID] != NULL &&
        draft->parts[PARAM_OBJ_INST_ID] == NULL)
        problem_add(draft->problems, PROBLEM_NO_INSTANCE, field_of(draft, PARAM_RES_ID),
                    draft->parts[PARAM_RES_ID]->text, "is given without obj_inst_id");
}

/* The data cell as it stands; what a template made of it has the blanks of the cells in it. */
static void add_data_cell(struct draft *draft, struct buf *out)
{
    struct cell cell = *draft->parts[PART_DATA];

    if (cell.given.ptr != NULL && draft->columns[PART_DATA]->is_fallback) {
        cell.text = cell.given;
        draft->has_blanks = true;
    }
    draft->status = data_check_memo(draft->memo, &cell, draft->footprint, draft->problems);
    buf_add(out, cell.text);
}

/* Appends the data array of a write: the data cell as it stands, or what the res: columns make. */
static void add_data(struct draft *draft, struct buf *out)
{
    struct problems *problems = draft->problems;

    if (draft->parts[PART_DATA] != NULL && draft->res_count > 0) {
        problem_add(problems, PROBLEM_DATA_TWICE, field_of(draft, PART_DATA), span_of(NULL, 0),
                    "the row has data and %zu filled res: column%s", draft->res_count,
                    draft->res_count == 1 ? "" : "s");
    } else if (draft->parts[PART_DATA] == NULL && draft->res_count == 0) {
        problem_add(problems, PROBLEM_REQUIRED, field_of(draft, PART_DATA), span_of(NULL, 0),
                    "is missing: a write needs data, or a filled res: column");
    }
    if (draft->parts[PART_DATA] != NULL) {
        add_data_cell(draft, out);
        return;
    }
    size_t start = out->len;
    buf_add_char(out, '[');
    for (size_t i = 0; i < draft->row->cell_count; i++) {
        const struct column *column = &draft->schema->columns[i];
        const struct cell *cell = &draft->row->cells[i];
        if (column->role != COLUMN_RES || !cell_is_given(cell))
            continue;
        if (out->len > start + 1)
            buf_add_char(out, ',');
        data_add_res(column, cell, draft->footprint, problems, out);
        draft->has_blanks = draft->has_blanks || cell->given.ptr != NULL;
    }
    buf_add_char(out, ']');
    content_check_size("data", span_of(out->ptr + start, out->len - start), problems);
    footprint_check(draft->footprint, field_of(draft, PART_DATA), problems);
}

static void add_args(struct draft *draft, struct buf *out)
{
    const struct cell *args = draft->parts[PART_ARGS];

    if (args == NULL)
        return;
    struct span text = cell_as_given(args);
    const struct column *column = draft->columns[PART_ARGS];
    draft->has_blanks = draft->has_blanks || args->given.ptr != NULL;
    if (args->kind == CELL_JSON)
        problem_add(draft->problems, PROBLEM_TYPE, field_of(draft, PART_ARGS), args->text,
                    "must be a string");
    else if (!column->is_text && !column->is_fallback) /* what --set says is meant */
        (void)data_check_damage(field_of(draft, PART_ARGS), args->text, draft->problems);
    content_check_size("args", text, draft->problems);
    buf_add_string(out, "{\"args\":");
    buf_add_json_string(out, text);
    buf_add_char(out, '}');
}

static void refuse_part(struct draft *draft, enum part part)
{
    if (draft->parts[part] != NULL)
        problem_add(draft->problems, PROBLEM_NOT_ALLOWED, field_of(draft, part),
                    draft->parts[part]->text, "%s takes no %s",
                    action_rules[draft->command->action].name, schema_part_name(part));
}

/* Appends the body, with its checks. */
static void add_body(struct draft *draft, struct buf *out)
{
    enum body_kind kind = action_rules[draft->command->action].body;

    if (kind == BODY_DATA) {
        buf_add_string(out, "{\"data\":");
        add_data(draft, out);
        buf_add_char(out, '}');
    } else {
        refuse_part(draft, PART_DATA);
        if (draft->res_count > 0)
            problem_add(draft->problems, PROBLEM_NOT_ALLOWED, SPAN_LITERAL("res:"),
                        span_of(NULL, 0), "%s takes no res: columns",
                        action_rules[draft->command->action].name);
    }
    if (kind == BODY_ARGS)
        add_args(draft, out);
    else
        refuse_part(draft, PART_ARGS);
}

/* Appends the body without the blanks around its texts. */
static void add_key_body(const struct draft *draft, struct buf *out)
{
    char separator = '[';

    if (action_rules[draft->command->action].body == BODY_ARGS) {
        buf_add_string(out, "{\"args\":");
        buf_add_json_string(out, draft->parts[PART_ARGS]->text);
        buf_add_char(out, '}');
        return;
    }
    buf_add_string(out, "{\"data\":");
    if (draft->parts[PART_DATA] != NULL) {
        buf_add(out, draft->parts[PART_DATA]->text);
    } else {
        for (size_t i = 0; i < draft->row->cell_count; i++) {
            const struct column *column = &draft->schema->columns[i];
            if (column->role != COLUMN_RES || !cell_is_given(&draft->row->cells[i]))
                continue;
            buf_add_char(out, separator);
            data_add_res_key(column, &draft->row->cells[i], out);
            separator = ',';
        }
        buf_add_char(out, ']');
    }
    buf_add_char(out, '}');
}

/*
 * The hash of the row's content as it was given: action, body and parameters, independent of the
 * order of columns. The parameters are appended to the buffer for the time of hashing.
 */
static uint64_t hash_content(struct draft *draft, struct buf *out)
{
    size_t body_end = out->len;

    buf_add_char(out, (char)draft->command->action);
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        if (draft->parts[i] == NULL)
            continue;
        buf_add_char(out, '\0'); /* no parameter's text holds a NUL: it is a safe mark */
        buf_add_char(out, (char)i);
        buf_add(out, draft->parts[i]->text);
    }
    uint64_t hash = XXH3_64bits(out->ptr, out->len);
    out->len = body_end;
    return hash;
}

static void add_param(struct draft *draft, enum param param, struct buf *out)
{
    char time[WHEN_PLATFORM_LENGTH + 1];

    buf_add_string(out, param_rules[param].name);
    buf_add_char(out, '=');
    if (param_rules[param].type == PARAM_TYPE_TIME) {
        when_format_platform(draft->times_s[param], time);
        buf_add_string(out, time); /* its colons may stand in a query, RFC 3986 section 3.4 */
    } else if (param_rules[param].type == PARAM_TYPE_INT) {
        buf_add_int64(out, draft->ints[param]); /* 00010 is 10 */
    } else {
        buf_add_percent_encoded(out, draft->parts[param]->text);
    }
}

static void add_target(struct draft *draft, struct buf *out)
{
    char separator = '?';

    buf_add_string(out, action_rules[draft->command->action].path);
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        if (draft->parts[i] == NULL)
            continue;
        buf_add_char(out, separator);
        size_t start = out->len;
        add_param(draft, (enum param)i, out);
        separator = '&';
        if (i == PARAM_VALID_TIME) { /* expired_time follows it, with the & that goes too */
            draft->command->valid_time_at = (uint32_t)(start - draft->command->body_len);
            draft->command->valid_time_len = (uint32_t)(out->len + 1 - start);
        }
    }
}

bool command_drop_valid_time(struct command *command)
{
    size_t at = command->body_len + command->valid_time_at, len = command->valid_time_len;

    if (len == 0)
        return false;
    memmove(command->text.ptr + at, command->text.ptr + at + len, command->text.len - at - len);
    command->text.len -= len;
    command->target_len -= len;
    command->valid_time_at = command->valid_time_len = 0;
    return true;
}

static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

/*
 * The hash of what the row asks for: by numbers and points in time instead of their spelling, with
 * the platform's defaults filled in, and of data what is written where. The order of a write's
 * items is no part of it.
 */
static uint64_t hash_meaning(const struct draft *draft, struct span body)
{
    const struct footprint *footprint = draft->footprint;
    const struct cell *bin2hex = draft->parts[PARAM_BIN2HEX];
    bool has_valid_time = draft->parts[PARAM_VALID_TIME] != NULL;
    uint64_t items = 0;
    uint64_t place = (uint64_t)draft->ints[PARAM_OBJ_ID] |
                     (uint64_t)draft->ints[PARAM_OBJ_INST_ID] << 16 |
                     (uint64_t)draft->ints[PARAM_RES_ID] << 32 |
                     (uint64_t)(draft->parts[PARAM_OBJ_INST_ID] != NULL) << 48 |
                     (uint64_t)(draft->parts[PARAM_RES_ID] != NULL) << 49 |
                     (uint64_t)(bin2hex != NULL && span_is(bin2hex->text, "true")) << 50 |
                     (uint64_t)has_valid_time << 51 | (uint64_t)draft->command->action << 52;
    uint64_t how = (uint64_t)draft->ints[PARAM_MODE] | (uint64_t)draft->ints[PARAM_RETRY] << 8 |
                   (uint64_t)draft->ints[PARAM_TIMEOUT] << 16 |
                   (uint64_t)draft->ints[PARAM_TRIGGER_MSG] << 24;

    if (action_rules[draft->command->action].body == BODY_DATA)
        for (size_t i = 0; i < footprint->count; i++)
            items += mix((uint64_t)footprint->items[i].res_id << 32 | footprint->items[i].value);
    else
        items = XXH3_64bits(body.ptr, body.len);
    uint64_t hash = mix(mix(place) + how);
    hash = mix(hash + (uint64_t)draft->times_s[PARAM_EXPIRED_TIME]);
    if (has_valid_time)
        hash = mix(hash + (uint64_t)draft->times_s[PARAM_VALID_TIME]);
    return mix(hash + items);
}

/* Appends body, target, NUL and imei; a row with problems keeps only the imei. */
static void build_text(struct draft *draft)
{
    struct command *command = draft->command;
    struct buf *text = &command->text, *hashed = text;
    struct buf key;

    add_body(draft, text);
    command->body_len = text->len;
    if (draft->has_blanks) { /* keys were without them before they were sent: a row keeps its key */
        buf_init(&key, COMMAND_TEXT_MAX);
        add_key_body(draft, &key);
        hashed = &key;
    }
    command->hash = hash_content(draft, hashed);
    if (draft->has_blanks) {
        draft->status = key.status != STATUS_OK ? key.status : draft->status;
        buf_deinit(&key);
    }
    if (draft->fleet != NULL && draft->problems->error_count == 0)
        command->meaning = hash_meaning(draft, buf_span(text));
    if (draft->problems->error_count == 0 && !draft->check_only) {
        add_target(draft, text);
    } else {
        text->len = 0;
        command->body_len = 0;
    }
    command->target_len = text->len - command->body_len;
    buf_add_char(text, '\0');

    const struct cell *imei = draft->parts[PARAM_IMEI];
    if (imei != NULL) {
        command->imei_len = text_cut(imei->text, COMMAND_IMEI_SHOWN_MAX);
        buf_add_bytes(text, imei->text.ptr, command->imei_len);
    }
}

enum status command_build(struct command *command, const struct command_context *context,
                          const struct row *row, struct footprint *ret_footprint,
                          struct problems *problems)
{
    struct footprint unused;

    unused.count = 0; /* alone: clearing it all costs more than a row's hash */
    struct draft draft = {.command = command,
                          .schema = context->schema,
                          .row = row,
                          .problems = problems,
                          .now_s = context->now_s,
                          .check_only = context->check_only,
                          .any_imei = context->any_imei,
                          .ints = {[PARAM_RETRY] = DEFAULT_RETRY,
                                   [PARAM_TIMEOUT] = DEFAULT_TIMEOUT,
                                   [PARAM_TRIGGER_MSG] = DEFAULT_TRIGGER_MSG},
                          .memo = context->memo,
                          .fleet = context->fleet,
                          .footprint = ret_footprint != NULL ? ret_footprint : &unused};
    struct buf text = command->text;

    buf_clear(&text);
    *command = (struct command){.row = row->number,
                                .line = row->line,
                                .valid_at_s = context->now_s,
                                .text = text};
    draft.footprint->count = 0;
    sort_cells(&draft);
    check_params(&draft);
    command->object_id = (uint16_t)draft.ints[PARAM_OBJ_ID];
    command->instance_id = (uint16_t)draft.ints[PARAM_OBJ_INST_ID];
    command->replaces =
        command->action == ACTION_WRITE && draft.ints[PARAM_MODE] == COMMAND_MODE_REPLACE;
    build_text(&draft);
    return draft.status != STATUS_OK ? draft.status : command->text.status;
}

/* Writes over a time of the target, whose form has one length. */
static void rewrite_time(struct command *command, enum param param, int64_t time_s)
{
    char time[WHEN_PLATFORM_LENGTH + 1];
    struct span target = command_target(command);
    const char *name = param_rules[param].name;
    size_t len = strlen(name);
    const char *at = memmem(target.ptr, target.len, name, len);

    if (at == NULL || (size_t)(target.ptr + target.len - at) < len + 1 + WHEN_PLATFORM_LENGTH)
        return;
    when_format_platform(time_s, time);
    memcpy(command->text.ptr + (at - command->text.ptr) + len + 1, time, WHEN_PLATFORM_LENGTH);
}

void command_shift(struct command *command, int64_t off_s)
{
    int64_t by_s = off_s - command->shifted_s;
    int64_t valid_s = command->valid_at_s + (command->valid_is_relative ? by_s : 0);
    int64_t expires_s = command->expires_at_s + (command->expires_is_relative ? by_s : 0);

    if (by_s == 0 || !(command->valid_is_relative || command->expires_is_relative) ||
        !when_is_writable(valid_s) || !when_is_writable(expires_s) ||
        (command->valid_is_given && expires_s <= valid_s))
        return;
    command->shifted_s = off_s;
    if (command->valid_is_relative)
        rewrite_time(command, PARAM_VALID_TIME, valid_s);
    if (command->expires_is_relative)
        rewrite_time(command, PARAM_EXPIRED_TIME, expires_s);
    command->valid_at_s = valid_s;
    command->expires_at_s = expires_s;
}

enum status command_add_passed(struct command *command, const struct cell *cell)
{
    struct buf *text = &command->text;
    struct span given = cell_as_given(cell);
    uint32_t len = (uint32_t)given.len;

    buf_add_char(text, (char)cell->kind);
    buf_add_bytes(text, &len, sizeof(len));
    buf_add_bytes(text, given.ptr, len);
    if (text->status == STATUS_OK)
        command->passed_count++;
    return text->status;
}

size_t command_passed(const struct command *command, struct cell *ret_cells, size_t max)
{
    size_t at = command->body_len + command->target_len + 1 + command->imei_len;
    size_t count = command->passed_count < max ? command->passed_count : max;

    for (size_t i = 0; i < count; i++) {
        const char *ptr = command->text.ptr + at;
        uint32_t len;
        memcpy(&len, ptr + 1, sizeof(len));
        ret_cells[i] = (struct cell){.kind = (enum cell_kind)ptr[0],
                                     .text = span_of(ptr + 1 + sizeof(len), len)};
        at += 1 + sizeof(len) + len;
    }
    return count;
}
