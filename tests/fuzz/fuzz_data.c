/* platform/data.h over any bytes: as the text of data, and as a res: cell. */
#include "core/jsonlex.h"
#include "fuzz_help.h"
#include "json_reference.h"
#include "platform/data_plain.h"
#include "platform/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct footprint footprint;

static bool has_code(const struct problems *problems, enum problem_code code)
{
    for (size_t i = 0; i < problems->count; i++)
        if (problems->items[i].code == code)
            return true;
    return false;
}

static void check_problems(const struct problems *problems)
{
    MUST(problems->count <= problems->error_count + problems->warning_count);
    MUST(problems->count == PROBLEMS_PER_ROW_MAX ||
         problems->count == problems->error_count + problems->warning_count);
    for (size_t i = 0; i < problems->count; i++) {
        struct span field = problem_field(problems, &problems->items[i]);
        struct span message = problem_message(problems, &problems->items[i]);
        MUST(span_starts_with(field, "data") && is_printable(field));
        MUST(message.len > 0 && is_printable(message));
    }
}

/* A number that is too long to be read is told of the data as a whole, one that is too large of its
 * item. */
static bool has_long_number(const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        if (problems->items[i].code == PROBLEM_NUMBER &&
            span_is(problem_field(problems, &problems->items[i]), "data"))
            return true;
    return false;
}

/* The verdict is right: text that is no JSON is refused for that, JSON never is, and what passes
 * can go into a body as it stands. */
static void check_verdict(struct span text, const struct problems *problems)
{
    struct json_reference ref;
    bool is_json = json_reference_accepts(&ref, text.ptr, text.len);
    bool in_limits = ref.deepest <= JSONLEX_DEPTH_MAX && ref.longest_number <= JSONLEX_NUMBER_MAX &&
                     !ref.half_surrogate;
    bool refused = has_code(problems, PROBLEM_JSON) || has_code(problems, PROBLEM_UTF8) ||
                   has_long_number(problems);

    MUST(refused == !(is_json && in_limits));
    MUST(has_code(problems, PROBLEM_DATA_SIZE) == (text.len > COMMAND_CONTENT_MAX));
    if (is_json && in_limits && ref.nul_escape)
        MUST(has_code(problems, PROBLEM_NUL));
    if (problems->error_count == 0)
        MUST(is_json && in_limits && !ref.nul_escape && ref.number_count > 0 && ref.deepest == 2);
}

static bool same_items(const struct footprint *one, const struct footprint *other)
{
    for (size_t i = 0; i < one->count && one->count == other->count; i++)
        if (one->items[i].res_id != other->items[i].res_id ||
            one->items[i].kind != other->items[i].kind ||
            one->items[i].value != other->items[i].value)
            return false;
    return one->count == other->count;
}

/* What is good stays good with white space around it, and means the same; what is plain is good. */
static void check_padded(struct span text, struct problems *problems)
{
    static struct footprint plain, before;
    struct buf padded;
    bool is_plain = data_is_plain(text, &plain);

    MUST(!is_plain || problems->count == 0);

    if (problems->error_count > 0 || text.len + 2 > COMMAND_CONTENT_MAX)
        return;
    before = footprint;
    if (is_plain)
        MUST(same_items(&plain, &before));
    buf_init(&padded, COMMAND_CONTENT_MAX + 1);
    buf_add_char(&padded, '\t');
    buf_add(&padded, text);
    buf_add_char(&padded, '\n');
    (void)buf_string(&padded); /* puts the one byte behind it */
    problems_clear(problems, 1, 1);
    MUST(data_check(&(struct cell){.kind = CELL_TEXT, .text = buf_span(&padded)}, &footprint,
                    problems) == STATUS_OK &&
         problems->error_count == 0);
    MUST(same_items(&footprint, &before));
    MUST(!is_plain || problems->count == 0);
    buf_deinit(&padded);
}

/* The val of the only item says what the cell said. */
static void check_val(struct span array, struct span cell)
{
    cJSON *tree = NULL;
    size_t at;

    MUST(json_parse(array, &tree, &at) == STATUS_OK && at == array.len);
    MUST(cJSON_GetArraySize(tree) == 1);
    const cJSON *val = cJSON_GetObjectItemCaseSensitive(tree->child, "val");
    if (cJSON_IsString(val))
        MUST(span_equal(span_string(val->valuestring), cell));
    else if (cJSON_IsBool(val))
        MUST(span_is(cell, cJSON_IsTrue(val) ? "true" : "false"));
    else
        MUST(cJSON_IsNumber(val) &&
             span_equal(span_of(array.ptr + array.len - 2 - cell.len, cell.len), cell));
    cJSON_Delete(tree);
}

/* What a res: cell without an error makes is data without an error, and is warned of as the cell
 * is; but for TRUE, which has quotes in data: nobody takes that for a boolean. */
static void check_cell(struct span text, const char *name, enum cell_kind kind)
{
    struct cell cell = {.kind = kind, .text = text};
    struct problems problems;
    struct schema schema;
    struct buf array;

    schema_init(&schema);
    problems_init(&problems);
    buf_init(&array, SIZE_MAX / 2);
    MUST(schema_add(&schema, span_string(name)) == STATUS_OK);
    problems_clear(&problems, 1, 1);
    buf_add_char(&array, '[');
    data_add_res(&schema.columns[0], &cell, &footprint, &problems, &array);
    buf_add_char(&array, ']');
    (void)buf_string(&array); /* puts the one byte behind it */
    MUST(array.status == STATUS_OK);
    if (problems.error_count == 0) {
        size_t warnings = problems.warning_count - has_code(&problems, PROBLEM_BOOLEAN);
        problems_clear(&problems, 1, 1);
        MUST(data_check(&(struct cell){.kind = CELL_TEXT, .text = buf_span(&array)}, &footprint,
                        &problems) == STATUS_OK);
        MUST(problems.error_count == (array.len > COMMAND_CONTENT_MAX ? 1 : 0));
        MUST(problems.warning_count == warnings);
        check_val(buf_span(&array), text);
    }
    buf_deinit(&array);
    problems_deinit(&problems);
    schema_deinit(&schema);
}

/* As the readers give cells: UTF-8 without NUL, no empty ones from CSV. */
static void check_cells(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"res:1", "res:1:opaque", "res:1:time", "res:1:string"};
    char *copy = exact_copy(data, size);
    struct span text = span_of(copy, size);

    if (size > 0 && text_is_utf8(text) && memchr(copy, '\0', size) == NULL) {
        for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
            check_cell(text, names[i], CELL_TEXT);
            check_cell(text, names[i], CELL_STRING);
        }
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problems problems, first;

    problems_init(&first);
    problems_init(&problems);
    for (size_t i = 0; i < sizeof(bytes_behind); i++) {
        struct problems *now = i == 0 ? &first : &problems;
        char *copy = copy_with_byte_behind(data, size, bytes_behind[i]);
        problems_clear(now, 1, 1);
        MUST(data_check(&(struct cell){.kind = CELL_TEXT, .text = span_of(copy, size)}, &footprint,
                        now) == STATUS_OK);
        MUST(span_equal(buf_span(&now->text), buf_span(&first.text)));
        free(copy);
    }
    char *copy = copy_with_byte_behind(data, size, '\0');
    check_problems(&first);
    check_verdict(span_of(copy, size), &first);
    check_padded(span_of(copy, size), &first);
    free(copy);
    check_cells(data, size);
    problems_deinit(&problems);
    problems_deinit(&first);
    return 0;
}
