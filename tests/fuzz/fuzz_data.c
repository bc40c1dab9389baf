/* command/data.h: data_check over any bytes. */
#include "command/data.h"
#include "core/jsonlex.h"
#include "fuzz_help.h"
#include "json_reference.h"

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

/* The verdict is right: text that is no JSON is refused for that, JSON never is, and what passes
 * can go into a body as it stands. */
static void check_verdict(struct span text, const struct problems *problems)
{
    struct json_reference ref;
    bool is_json = json_reference_accepts(&ref, text.ptr, text.len);
    bool in_limits = ref.deepest <= JSONLEX_DEPTH_MAX && ref.longest_number <= JSONLEX_NUMBER_MAX &&
                     !ref.half_surrogate;
    bool refused = has_code(problems, PROBLEM_JSON) || has_code(problems, PROBLEM_UTF8);

    MUST(refused == !(is_json && in_limits));
    MUST(has_code(problems, PROBLEM_DATA_SIZE) == (text.len > COMMAND_CONTENT_MAX));
    if (is_json && in_limits && ref.nul_escape)
        MUST(has_code(problems, PROBLEM_NUL));
    if (problems->error_count == 0)
        MUST(is_json && in_limits && !ref.nul_escape && ref.number_count > 0 && ref.deepest == 2);
}

/* What is good stays good with white space around it. */
static void check_padded(struct span text, struct problems *problems)
{
    struct buf padded;

    if (problems->error_count > 0 || text.len + 2 > COMMAND_CONTENT_MAX)
        return;
    buf_init(&padded, COMMAND_CONTENT_MAX + 1);
    buf_add_char(&padded, '\t');
    buf_add(&padded, text);
    buf_add_char(&padded, '\n');
    (void)buf_string(&padded); /* puts the one byte behind it */
    problems_clear(problems, 1, 1);
    MUST(data_check(buf_span(&padded), &footprint, problems) == STATUS_OK &&
         problems->error_count == 0);
    buf_deinit(&padded);
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
        MUST(data_check(span_of(copy, size), &footprint, now) == STATUS_OK);
        MUST(span_equal(buf_span(&now->text), buf_span(&first.text)));
        free(copy);
    }
    char *copy = copy_with_byte_behind(data, size, '\0');
    check_problems(&first);
    check_verdict(span_of(copy, size), &first);
    check_padded(span_of(copy, size), &first);
    free(copy);
    problems_deinit(&problems);
    problems_deinit(&first);
    return 0;
}
