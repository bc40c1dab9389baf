#include "command/schema.h"

#include "core/text.h"

void schema_init(struct schema *schema)
{
    *schema = (struct schema){.count = 0};
}

void schema_deinit(struct schema *schema)
{
    if (schema == NULL)
        return;
    for (size_t i = 0; i < schema->count; i++)
        free(schema->columns[i].name);
    free(schema->columns);
    *schema = (struct schema){.count = 0};
}

/* res:<id>, res:<id>:opaque, res:<id>:time, res:<id>:string */
static void parse_res(struct span name, struct column *column)
{
    static const struct {
        const char *suffix;
        enum res_kind kind;
    } kinds[] = {{"", RES_AUTO},
                 {":opaque", RES_OPAQUE},
                 {":time", RES_TIME},
                 {":string", RES_STRING}};
    struct span rest = span_skip(name, strlen("res:"));
    size_t len = 0;
    uint64_t id;

    column->bad_res = true;
    while (len < rest.len && is_digit(rest.ptr[len]))
        len++;
    if (span_to_uint64(span_of(rest.ptr, len), &id) != STATUS_OK || id > LWM2M_ID_MAX)
        return;
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        if (span_is(span_skip(rest, len), kinds[i].suffix)) {
            column->role = COLUMN_RES;
            column->res_id = (uint32_t)id;
            column->kind = kinds[i].kind;
            column->bad_res = false;
        }
    }
}

static void resolve(struct span name, struct column *column)
{
    if (param_find(name, &column->param))
        column->role = COLUMN_PARAM;
    else if (span_is(name, "action"))
        column->role = COLUMN_ACTION;
    else if (span_is(name, "data"))
        column->role = COLUMN_DATA;
    else if (span_is(name, "args"))
        column->role = COLUMN_ARGS;
    else if (span_starts_with(name, "res:"))
        parse_res(name, column);
}

enum status schema_add(struct schema *schema, struct span name)
{
    if (schema->count == schema->capacity) {
        size_t capacity = schema->capacity > 0 ? schema->capacity * 2 : 16;
        struct column *columns = realloc(schema->columns, capacity * sizeof(*columns));
        if (columns == NULL)
            return STATUS_NO_MEMORY;
        schema->columns = columns;
        schema->capacity = capacity;
    }
    struct column column = {.role = COLUMN_UNKNOWN, .name = malloc(name.len + 1)};
    if (column.name == NULL)
        return STATUS_NO_MEMORY;
    if (name.len > 0)
        memcpy(column.name, name.ptr, name.len);
    column.name[name.len] = '\0';
    resolve(name, &column);
    schema->columns[schema->count++] = column;
    return STATUS_OK;
}

void schema_report_unknown(const struct column *column, struct problems *problems)
{
    const char *known[PARAM_COUNT + 3];
    size_t count = 0;
    struct span name = span_string(column->name);

    if (column->bad_res) {
        problem_add(
            problems, PROBLEM_COLUMN, name, name,
            "is no resource column: write res:<id>, with :opaque, :time or :string behind it "
            "where needed, and an id of 0–%d",
            LWM2M_ID_MAX);
        return;
    }
    for (size_t i = 0; i < PARAM_COUNT; i++)
        known[count++] = param_rules[i].name;
    known[count++] = "action";
    known[count++] = "data";
    known[count++] = "args";
    const char *nearest = text_nearest(name, known, count);
    if (nearest != NULL)
        problem_add(problems, PROBLEM_COLUMN, name, name, "unknown column; did you mean %s?",
                    nearest);
    else
        problem_add(problems, PROBLEM_COLUMN, name, name, "unknown column");
}

void schema_check(const struct schema *schema, struct problems *problems)
{
    bool has_param[PARAM_COUNT] = {false};
    bool has_action = false, has_content = false;

    for (size_t i = 0; i < schema->count; i++) {
        const struct column *column = &schema->columns[i];
        if (column->role == COLUMN_UNKNOWN)
            schema_report_unknown(column, problems);
        if (column->role == COLUMN_PARAM)
            has_param[column->param] = true;
        has_action = has_action || column->role == COLUMN_ACTION;
        has_content = has_content || column->role == COLUMN_DATA || column->role == COLUMN_RES;
    }
    /* With an action column only what every action needs is sure to be needed. */
    unsigned needed_by = has_action ? FOR_ALL_ACTIONS : FOR_ACTION(ACTION_WRITE);
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        struct span name = span_string(param_rules[i].name);
        if (!has_param[i] && (param_rules[i].required & needed_by) == needed_by)
            problem_add(problems, PROBLEM_COLUMN_MISSING, name, span_of(NULL, 0),
                        "the column is missing");
    }
    if (!has_content && !has_action)
        problem_add(problems, PROBLEM_COLUMN_MISSING, SPAN_LITERAL("data"), span_of(NULL, 0),
                    "there is neither a data column nor a res:<id> column");
}
