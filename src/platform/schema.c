#include "platform/schema.h"

#include "core/text.h"
#include "platform/heading.h"

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
            column->judged = kinds[i].kind == RES_AUTO;
            column->bad_res = false;
        }
    }
}

static const char *const part_names[PART_COUNT - PARAM_COUNT] = {"action", "data", "args"};

const char *schema_part_name(size_t part)
{
    return part < PARAM_COUNT ? param_rules[part].name : part_names[part - PARAM_COUNT];
}

#define STRING_SUFFIX ":string"

bool schema_is_text(struct span name)
{
    size_t len = strlen(STRING_SUFFIX);

    return name.len > len && span_is(span_skip(name, name.len - len), STRING_SUFFIX);
}

static void resolve(struct span given, struct column *column)
{
    char folded[HEADING_MAX];
    struct span name = heading_fold(given, folded);
    enum param param;

    column->is_loose = !span_equal(name, given);
    column->is_text = schema_is_text(name);
    if (span_is(name,
                "args" STRING_SUFFIX)) /* args are texts in any case: it says that they are meant */
        name = SPAN_LITERAL("args");
    if (span_starts_with(name, "res:")) {
        parse_res(name, column);
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(part_names); i++) {
        if (span_is(name, part_names[i])) {
            column->role = COLUMN_PART;
            column->part = PARAM_COUNT + i;
            column->judged_as_text = column->part == PART_ARGS && !column->is_text;
            column->judged = column->part == PART_DATA || column->judged_as_text;
        }
    }
    if (param_find(name, &param)) {
        column->role = COLUMN_PART;
        column->part = param;
    }
}

enum status schema_add(struct schema *schema, struct span name)
{
    return schema_add_as(schema, name, name);
}

enum status schema_add_as(struct schema *schema, struct span name, struct span meaning)
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
    resolve(meaning, &column);
    schema->columns[schema->count++] = column;
    return STATUS_OK;
}

void schema_mean(struct column *column, struct span meaning)
{
    *column = (struct column){.role = COLUMN_UNKNOWN, .name = column->name};
    if (meaning.len > 0)
        resolve(meaning, column);
}

enum status schema_add_fallback(struct schema *schema, struct span name, struct span meaning)
{
    enum status status = schema_add_as(schema, name, meaning);

    if (status != STATUS_OK)
        return status;
    struct column *column = &schema->columns[schema->count - 1];
    column->is_fallback = true;
    if (column->role == COLUMN_PART) /* data, args: judged by the columns that they are made of */
        column->judged = false;
    return STATUS_OK;
}

bool schema_knows(struct span name)
{
    struct column column = {.role = COLUMN_UNKNOWN};

    resolve(name, &column);
    return column.role != COLUMN_UNKNOWN;
}

const char *schema_nearest(struct span name)
{
    const char *known[PART_COUNT];

    for (size_t i = 0; i < PART_COUNT; i++)
        known[i] = schema_part_name(i);
    return text_nearest(name, known, PART_COUNT);
}

void schema_report_unknown(const struct column *column, struct problems *problems)
{
    struct span name = span_string(column->name);
    const char *nearest = schema_nearest(name);
    char guess[HEADING_NAME_MAX];

    if (heading_guess(name, guess))
        problem_add(problems, PROBLEM_COLUMN, name, name,
                    "unknown column; where it is %s, say --map %s=%s", guess, guess, column->name);
    else if (column->bad_res)
        problem_add(
            problems, PROBLEM_COLUMN, name, name,
            "is no resource column: write res:<id>, with :opaque, :time or :string behind it "
            "where needed, and an id of 0–%d",
            LWM2M_ID_MAX);
    else if (nearest != NULL)
        problem_add(problems, PROBLEM_COLUMN, name, name, "unknown column; did you mean %s?",
                    nearest);
    else
        problem_add(problems, PROBLEM_COLUMN, name, name,
                    "unknown column; --pass carries it into the results");
}

void schema_check(const struct schema *schema, struct problems *problems)
{
    const struct column *parts[PART_COUNT] = {NULL};
    bool has_res = false;

    for (size_t i = 0; i < schema->count; i++) {
        const struct column *column = &schema->columns[i];
        if (column->role == COLUMN_UNKNOWN)
            schema_report_unknown(column, problems);
        has_res = has_res || column->role == COLUMN_RES;
        if (column->role != COLUMN_PART)
            continue;
        const struct column *first = parts[column->part];
        if (first != NULL && !first->is_fallback)
            problem_add(problems, PROBLEM_DUPLICATE, span_string(column->name), span_of(NULL, 0),
                        "means the same as the column %s: leave one of them out", first->name);
        parts[column->part] = column;
    }
    bool has_action = parts[PART_ACTION] != NULL;
    bool has_content = has_res || parts[PART_DATA] != NULL;
    /* With an action column only what every action needs is sure to be needed. */
    unsigned needed_by = has_action ? FOR_ALL_ACTIONS : FOR_ACTION(ACTION_WRITE);
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        struct span name = span_string(param_rules[i].name);
        if (parts[i] == NULL && (param_rules[i].required & needed_by) == needed_by)
            problem_add(problems, PROBLEM_COLUMN_MISSING, name, span_of(NULL, 0),
                        i == PARAM_IMEI
                            ? "the column is missing; --map %s=COLUMN says which one it is"
                            : "the column is missing; --set %s=VALUE gives all rows one value",
                        param_rules[i].name);
    }
    if (!has_content && !has_action)
        problem_add(problems, PROBLEM_COLUMN_MISSING, SPAN_LITERAL("data"), span_of(NULL, 0),
                    "there is neither a data column nor a res:<id> column");
}
