#include "unit.h"

#include "platform/problem.h"

static struct problems problems;
static struct buf out;

static void add(enum problem_code code, size_t count)
{
    for (size_t i = 0; i < count; i++)
        problem_add(&problems, code, SPAN_LITERAL("data"), SPAN_LITERAL("v"), "number %zu", i + 1);
}

static void assert_described(const char *text)
{
    buf_clear(&out);
    problems_describe(&problems, &out);
    assert_string_equal(buf_string(&out), text);
}

static void test_the_verdict_knows_an_error_behind_any_number_of_warnings(void **state)
{
    static const size_t counts[] = {0, 1, 63, 64, 65, 70, 200};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
        problems_clear(&problems, 1, 2);
        add(PROBLEM_RES_TWICE, counts[i]);
        assert_int_equal(problems.error_count, 0);
        add(PROBLEM_QUEUE, 1);
        assert_int_equal(problems.error_count, 1);
        assert_int_equal(problems.warning_count, counts[i]);
        assert_int_equal(problems_total(&problems), counts[i] + 1);
        assert_int_equal(problems_first_error(&problems), PROBLEM_QUEUE);
        assert_described("data: number 1 [E-QUEUE]");
    }
}

static void test_errors_displace_the_last_warnings_and_keep_their_order(void **state)
{
    (void)state;
    add(PROBLEM_RES_TWICE, 30);
    add(PROBLEM_RANGE, 1);
    add(PROBLEM_RES_TWICE, 40);
    add(PROBLEM_TYPE, 1);
    add(PROBLEM_HEX, 1);
    assert_int_equal(problems.count, PROBLEMS_PER_ROW_MAX);
    assert_int_equal(problems.items[30].code, PROBLEM_RANGE);
    assert_int_equal(problems.items[PROBLEMS_PER_ROW_MAX - 2].code, PROBLEM_TYPE);
    assert_int_equal(problems.items[PROBLEMS_PER_ROW_MAX - 1].code, PROBLEM_HEX);
    assert_int_equal(problems_first_error(&problems), PROBLEM_RANGE);
    assert_int_equal(problems_unlisted(&problems, PROBLEM_RES_TWICE), 70 - 61);
    assert_int_equal(problems_unlisted(&problems, PROBLEM_HEX), 0);
    assert_described("data: number 1 [E-RANGE]; data: number 1 [E-TYPE]; data: number 1 [E-HEX]");
}

static void test_the_first_errors_stay_where_there_are_only_errors(void **state)
{
    (void)state;
    add(PROBLEM_UTF8, 64);
    add(PROBLEM_CELLS, 3);
    assert_int_equal(problems.count, PROBLEMS_PER_ROW_MAX);
    assert_int_equal(problems.items[PROBLEMS_PER_ROW_MAX - 1].code, PROBLEM_UTF8);
    assert_int_equal(problems.error_count, 67);
    assert_int_equal(problems_unlisted(&problems, PROBLEM_CELLS), 3);
    assert_int_equal(problems_first_error(&problems), PROBLEM_UTF8);
    buf_clear(&out);
    problems_describe(&problems, &out);
    assert_non_null(strstr(buf_string(&out), "number 64 [E-UTF8]; and 3 more"));
}

static void test_strict_warnings_are_errors_that_nothing_displaces(void **state)
{
    (void)state;
    problems.strict = true;
    add(PROBLEM_RES_TWICE, 70);
    add(PROBLEM_QUEUE, 1);
    problems.strict = false;
    assert_int_equal(problems.error_count, 71);
    assert_int_equal(problems.warning_count, 0);
    assert_int_equal(problems_first_error(&problems), PROBLEM_RES_TWICE);
    assert_int_equal(problems_unlisted(&problems, PROBLEM_QUEUE), 1);
}

/* What is shown, or left out, has no part in it. */
static void test_a_row_is_named_by_its_first_errors_alone(void **state)
{
    (void)state;
    add(PROBLEM_DUPLICATE, PROBLEMS_NAMING - 1);
    uint64_t before = problems.name;
    add(PROBLEM_RES_TWICE, 10);
    assert_int_equal(problems.name, before);
    add(PROBLEM_NUL, 1);
    uint64_t name = problems.name;
    assert_int_not_equal(name, before);
    add(PROBLEM_NUL, 10);
    assert_int_equal(problems.name, name);
    problems_clear(&problems, 2, 3);
    add(PROBLEM_RES_TWICE, 2 * PROBLEMS_PER_ROW_MAX);
    add(PROBLEM_DUPLICATE, PROBLEMS_NAMING - 1);
    add(PROBLEM_NUL, 1);
    assert_int_equal(problems.name, name);
    problems_clear(&problems, 3, 4);
    assert_int_equal(problems.name, 0);
}

static void test_a_cleared_list_knows_nothing_of_the_row_before(void **state)
{
    (void)state;
    add(PROBLEM_RES_TWICE, 70);
    problems_clear(&problems, 7, 8);
    assert_int_equal(problems_total(&problems), 0);
    add(PROBLEM_TWICE, 1);
    assert_int_equal(problems.counts[PROBLEM_RES_TWICE], 0);
    assert_int_equal(problems.counts[PROBLEM_TWICE], 1);
    assert_int_equal(problems.items[0].line, 8);
}

static void test_a_long_message_is_cut_at_a_character_and_shows_it(void **state)
{
    static char text[2000];

    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        problems_clear(&problems, 1, 1);
        memset(text, 'x', sizeof(text));
        for (size_t i = shift; i + 3 < sizeof(text); i += 3)
            memcpy(text + i, "\xe4\xb8\xad", 3);
        problem_add(&problems, PROBLEM_TYPE, span_of(NULL, 0), span_of(NULL, 0), "%.*s",
                    (int)sizeof(text), text);
        struct span message = problem_message(&problems, &problems.items[0]);
        assert_in_range(message.len, 500, 511);
        assert_memory_equal(message.ptr + message.len - 3, "\xe2\x80\xa6", 3);
        assert_memory_equal(message.ptr + message.len - 6, "\xe4\xb8\xad", 3);
    }
}

static void test_the_longest_list_loses_no_message(void **state)
{
    static char text[4096];

    (void)state;
    memset(text, '\x01', sizeof(text)); /* four characters each where it is shown */
    for (size_t i = 0; i < 2 * PROBLEMS_PER_ROW_MAX; i++)
        problem_add(&problems, i < PROBLEMS_PER_ROW_MAX ? PROBLEM_TWICE : PROBLEM_TYPE,
                    span_of(text, sizeof(text)), span_of(text, sizeof(text)), "%.*s",
                    (int)sizeof(text), text);
    assert_int_equal(problems.text.status, STATUS_OK);
    const struct problem *last = &problems.items[PROBLEMS_PER_ROW_MAX - 1];
    assert_int_equal(last->code, PROBLEM_TYPE);
    assert_int_equal(last->field_len, 4 * PROBLEM_FIELD_MAX);
    assert_int_equal(last->value_len, PROBLEM_VALUE_MAX);
    assert_true(last->message_len > 4 * 500);
}

static int setup(void **state)
{
    (void)state;
    buf_init(&out, PROBLEMS_TEXT_MAX);
    problems_init(&problems);
    return 0;
}

static int after_each(void **state)
{
    (void)state;
    problems_clear(&problems, 1, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    problems_deinit(&problems);
    buf_deinit(&out);
    return 0;
}

static void test_the_first_doubt_is_kept_whatever_the_list_holds(void **state)
{
    (void)state;
    problems_clear(&problems, 0, 0);
    for (size_t i = 0; i < PROBLEMS_PER_ROW_MAX; i++)
        problem_add(&problems, PROBLEM_MIXED, SPAN_LITERAL("res:1"), SPAN_LITERAL("1"), "no doubt");
    assert_int_equal(problems.doubt_count, 0);
    assert_string_equal(problems.first_doubt, "");
    problem_add_doubt(&problems, PROBLEM_MIXED, SPAN_LITERAL("res:2"), SPAN_LITERAL("x"),
                      "holds %d texts", 3);
    problem_add_doubt(&problems, PROBLEM_BOOLEAN, SPAN_LITERAL("res:3"), SPAN_LITERAL("x"), "x");
    assert_int_equal(problems.doubt_count, 2);
    assert_int_equal(problems.count, PROBLEMS_PER_ROW_MAX);
    assert_int_equal(problems.warning_count, PROBLEMS_PER_ROW_MAX + 2);
    assert_string_equal(problems.first_doubt, "res:2: holds 3 texts");
    problems_clear(&problems, 1, 2);
    assert_int_equal(problems.doubt_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_the_verdict_knows_an_error_behind_any_number_of_warnings,
                                  after_each),
        cmocka_unit_test_teardown(test_errors_displace_the_last_warnings_and_keep_their_order,
                                  after_each),
        cmocka_unit_test_teardown(test_the_first_errors_stay_where_there_are_only_errors,
                                  after_each),
        cmocka_unit_test_teardown(test_strict_warnings_are_errors_that_nothing_displaces,
                                  after_each),
        cmocka_unit_test_teardown(test_a_row_is_named_by_its_first_errors_alone, after_each),
        cmocka_unit_test_teardown(test_a_cleared_list_knows_nothing_of_the_row_before, after_each),
        cmocka_unit_test_teardown(test_a_long_message_is_cut_at_a_character_and_shows_it,
                                  after_each),
        cmocka_unit_test_teardown(test_the_longest_list_loses_no_message, after_each),
        cmocka_unit_test_teardown(test_the_first_doubt_is_kept_whatever_the_list_holds, after_each),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
