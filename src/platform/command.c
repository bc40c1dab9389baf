#include <xxhash.h>

#include "core/text.h"
#include "core/when.h"
#include "platform/command_impl.h"
#include "platform/device.h"
#include "platform/operation.h"

enum {
    COMMAND_TEXT_MAX = 64 * 1024 * 1024
}; /* the reader's limit on a row is the one that matters */

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

enum status command_ask(struct command *command, enum dialect dialect, enum operation operation,
                        const struct question *question)
{
    struct buf text = command->text;
    char device[DEVICE_TEXT_MAX + 1];
    struct operation_call call;
    enum status status = operation_request(dialect, operation, question, &text, &call);

    *command = (struct command){.device = question->device,
                                .valid_at_s = INT64_MAX,
                                .expires_at_s = INT64_MAX,
                                .text = text};
    if (status != STATUS_OK)
        return status;
    command->target_len = call.target.len;
    device_write(question->device, device);
    command->device_len = strlen(device);
    buf_add_string(&command->text, device);
    return command->text.status;
}

struct span command_device_text(const struct command *command)
{
    return span_of(command->text.ptr + command->body_len + command->target_len + 1,
                   command->device_len);
}

struct span command_target(const struct command *command)
{
    return span_of(command->text.ptr + command->body_len, command->target_len);
}

struct span command_body(const struct command *command)
{
    return span_of(command->text.ptr, command->body_len);
}

struct span draft_field(const struct draft *draft, size_t part)
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
                    "means the same as %s: give one of them", first->name);
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
        problem_add(draft->problems, PROBLEM_ACTION, draft_field(draft, PART_ACTION), action->text,
                    "\"%.*s\" is not one of write, read, execute", SPAN_ARG(action->text));
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
        buf_add_string(out, time); /* its colons are allowed in a query, RFC 3986 section 3.4 */
    } else if (param_rules[param].type == PARAM_TYPE_INT) {
        buf_add_int64(out, draft->ints[param]); /* 00010 is 10 */
    } else if (draft->parts[param] != NULL) {   /* a time alone may be without */
        buf_add_percent_encoded(out, draft->parts[param]->text);
    }
}

static void add_target(struct draft *draft, struct buf *out)
{
    char separator = '?';

    operation_add_path(draft->dialect, (enum operation)draft->command->action, out);
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        if (draft->parts[i] == NULL && !(i == PARAM_VALID_TIME && draft->valid_time_good))
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

static bool is_time(struct span pair)
{
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        const char *name = param_rules[i].name;
        size_t len = strlen(name);
        if (param_rules[i].type == PARAM_TYPE_TIME && pair.len > len && pair.ptr[len] == '=' &&
            memcmp(pair.ptr, name, len) == 0)
            return true;
    }
    return false;
}

void command_add_timeless_target(const struct command *command, struct buf *out)
{
    struct span left = command_target(command);

    for (bool is_first = true; left.len > 0; is_first = false) {
        const char *end = memchr(left.ptr, '&', left.len);
        struct span pair = span_of(left.ptr, end != NULL ? (size_t)(end - left.ptr) : left.len);
        left = span_skip(left, end != NULL ? pair.len + 1 : pair.len);
        if (is_time(pair))
            continue;
        if (!is_first)
            buf_add_char(out, '&');
        buf_add(out, pair);
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
    bool has_valid_time = draft->valid_time_good;
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

/* `body` ends with the row's body, and is as it was afterwards. */
static void name_row(struct draft *draft, struct buf *body)
{
    struct buf key;

    if (!draft->has_blanks) {
        draft->command->hash = hash_content(draft, body);
        return;
    }
    /* Keys were without blanks before they were sent: a row keeps its key. */
    buf_init(&key, COMMAND_TEXT_MAX);
    draft_add_key_body(draft, &key);
    draft->command->hash = hash_content(draft, &key);
    draft->status = key.status != STATUS_OK ? key.status : draft->status;
    buf_deinit(&key);
}

/* Appends body, target, NUL and imei; a row with problems keeps only the imei. */
static void build_text(struct draft *draft)
{
    struct command *command = draft->command;
    struct buf *text = &command->text;

    draft_add_body(draft, text);
    command->body_len = text->len;
    if (!draft->nameless)
        name_row(draft, text);
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
        command->device_len = text_cut(imei->text, COMMAND_IMEI_SHOWN_MAX);
        buf_add_bytes(text, imei->text.ptr, command->device_len);
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
                          .later_s = context->later_s,
                          .embargo_s = context->embargo_s,
                          .check_only = context->check_only,
                          .nameless = context->nameless,
                          .any_device = context->any_device,
                          .dialect = context->dialect,
                          .ints = {[PARAM_RETRY] = DEFAULT_RETRY,
                                   [PARAM_TIMEOUT] = DEFAULT_TIMEOUT,
                                   [PARAM_TRIGGER_MSG] = DEFAULT_TRIGGER_MSG},
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
    draft_check_params(&draft);
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

struct span command_passed_bytes(const struct command *command)
{
    size_t at = command->body_len + command->target_len + 1 + command->device_len;

    return span_of(command->text.ptr + at, command->text.len - at);
}

size_t command_cells(struct span bytes, struct cell *ret_cells, size_t max)
{
    enum { CELL_HEAD = 1 + sizeof(uint32_t) };
    size_t count = 0;

    while (count < max && bytes.len >= CELL_HEAD) {
        uint32_t len;
        memcpy(&len, bytes.ptr + 1, sizeof(len));
        if (len > bytes.len - CELL_HEAD)
            break;
        ret_cells[count++] = (struct cell){.kind = (enum cell_kind)bytes.ptr[0],
                                           .text = span_of(bytes.ptr + CELL_HEAD, len)};
        bytes = span_skip(bytes, CELL_HEAD + len);
    }
    return count;
}

size_t command_passed(const struct command *command, struct cell *ret_cells, size_t max)
{
    return command_cells(command_passed_bytes(command), ret_cells, max);
}

enum status command_restore(struct command *command, const struct command *facts,
                            const struct command_texts *texts)
{
    struct buf text = command->text;

    *command = *facts;
    command->text = text;
    buf_clear(&command->text);
    buf_add(&command->text, texts->body);
    buf_add(&command->text, texts->target);
    buf_add_char(&command->text, '\0');
    buf_add(&command->text, texts->device);
    buf_add(&command->text, texts->passed);
    command->body_len = texts->body.len;
    command->target_len = texts->target.len;
    command->device_len = texts->device.len;
    return command->text.status;
}
