#include "unit.h"

#include "platform/kinds.h"

static struct kinds kinds;
static struct schema schema;
static struct problems problems;
static uint64_t line;

static void start(const char *const *names)
{
    kinds_deinit(&kinds);
    kinds_init(&kinds);
    schema_deinit(&schema);
    schema_init(&schema);
    for (; *names != NULL; names++)
        assert_int_equal(schema_add(&schema, span_string(*names)), STATUS_OK);
    line = 1;
}

#define START(...) start((const char *const[]){__VA_ARGS__, NULL})

/* Makes the row's footprint as a check does. */
static void shape(const struct row *row, struct footprint *footprint)
{
    struct buf out;

    buf_init(&out, 4096);
    footprint->count = 0;
    problems_clear(&problems, 1, row->line);
    for (size_t i = 0; i < row->cell_count; i++)
        if (schema.columns[i].role == COLUMN_RES && cell_is_given(&row->cells[i]))
            data_add_res(&schema.columns[i], &row->cells[i], footprint, &problems, &out);
    buf_deinit(&out);
}

static void add(const char *const *texts)
{
    struct cell cells[8];
    struct footprint footprint;
    struct row row = {.line = ++line, .cells = cells};

    for (; *texts != NULL; texts++)
        cells[row.cell_count++] = (struct cell){.kind = **texts != '\0' ? CELL_TEXT : CELL_ABSENT,
                                                .text = span_string(*texts)};
    shape(&row, &footprint);
    problems_clear(&problems, 1, line);
    kinds_doubt(&kinds, &schema, &row, 3311, &footprint, &problems);
    assert_int_equal(kinds_add(&kinds, &schema, &row, 3311, &footprint), STATUS_OK);
}

#define ADD(...) add((const char *const[]){__VA_ARGS__, NULL})

static size_t judge(void)
{
    problems_clear(&problems, 0, 0);
    kinds_judge(&kinds, &schema, &problems);
    return problems.doubt_count;
}

static void assert_said(size_t index, enum problem_code code, const char *field,
                        const char *message)
{
    assert_true(index < problems.count);
    assert_int_equal(problems.items[index].code, code);
    assert_span(problem_field(&problems, &problems.items[index]), field);
    assert_span(problem_message(&problems, &problems.items[index]), message);
}

static void test_the_first_doubt_is_none_of_what_is_only_odd(void **state)
{
    (void)state;
    START("imei", "res:1", "res:2");
    ADD("a", "1", "1");
    ADD("a", "true", "x");
    assert_int_equal(judge(), 1);
    assert_int_equal(problems.count, 2);
    assert_memory_equal(problems.first_doubt, "res:2: holds", 12);
}

static void test_a_text_among_numbers_is_told_with_its_line(void **state)
{
    (void)state;
    START("imei", "res:1", "res:2:string", "res:3");
    ADD("a", "1", "x", "true");
    ADD("a", "2.5", "2", "");
    assert_int_equal(judge(), 0);
    assert_int_equal(problems.count, 0);
    ADD("a", "0042", "x", "false");
    assert_int_equal(problems.count, 1); /* what a pipe would say of this row */
    assert_said(0, PROBLEM_DOUBT, "res:1", "\"0042\" is a text, and 1 on line 2 is a number");
    assert_int_equal(judge(), 1);
    assert_int_equal(problems.count, 1);
    assert_said(0, PROBLEM_MIXED, "res:1",
                "holds 2 numbers (1 on line 2, …) and 1 text (\"0042\" on line 4): each is sent as "
                "what it looks like");
}

static void test_columns_of_one_kind_and_of_numbers_beside_booleans_ask_nothing(void **state)
{
    (void)state;
    START("res:1", "res:2", "res:3:opaque", "res:4:time");
    ADD("x", "1", "00", "1");
    ADD("0042", "true", "12E5", "2");
    assert_int_equal(judge(), 0);
    assert_int_equal(problems.count, 1);
    assert_int_equal(problems.items[0].code, PROBLEM_MIXED);
}

static void test_hex_words_and_what_is_invisible_are_told(void **state)
{
    (void)state;
    START("res:1", "res:2", "res:3");
    ADD("1205", "TRUE", "a\u00a0");
    ADD("12E5", "FALSE", "b");
    assert_int_equal(judge(), 3);
    assert_said(0, PROBLEM_MIXED, "res:1",
                "holds what is sent as a number and may be hex: 12E5 on line 3");
    assert_int_equal(problems.items[1].code, PROBLEM_BOOLEAN);
    assert_said(2, PROBLEM_INVISIBLE, "res:3",
                "1 cell holds invisible characters: \"a<U+00A0>\" on line 2");
}

static void assert_words(bool value, const char *expected)
{
    struct buf list;

    buf_init(&list, 1024);
    kinds_add_words(&kinds, value, &list);
    assert_string_equal(buf_string(&list), expected);
    buf_deinit(&list);
}

static void test_words_for_true_and_false_ask_and_name_the_options(void **state)
{
    (void)state;
    START("res:1", "res:2", "res:3:string", "res:4");
    ADD("开", "on", "on", "true");
    assert_said(0, PROBLEM_DOUBT, "res:1",
                "开 would be sent as a text; to send a boolean, add --true 开");
    ADD("关", "auto", "off", "Off");
    assert_int_equal(judge(), 2);
    assert_int_equal(problems.count, 2); /* on beside auto is a text, and so is res:3 */
    assert_said(
        0, PROBLEM_BOOLEAN, "res:1",
        "2 cells look like true or false, and are sent as texts: \"开\" on line 2, \"关\" on "
        "line 3; to send booleans, add --true 开 --false 关");
    assert_said(
        1, PROBLEM_BOOLEAN, "res:4",
        "1 cell looks like true or false, and is sent as a text: \"Off\" on line 3; to send a "
        "boolean, add --false Off");
    assert_words(true, "开");
    assert_words(false, "关,Off");
}

static void test_a_word_beside_texts_and_numbers_is_a_text_like_them(void **state)
{
    (void)state;
    START("res:1");
    ADD("on");
    ADD("1");
    ADD("auto");
    assert_int_equal(judge(), 1);
    assert_int_equal(problems.count, 1);
    assert_said(
        0, PROBLEM_MIXED, "res:1",
        "holds 1 number (1 on line 3) and 2 texts (\"on\" on line 2, \"auto\" on line 4): each "
        "is sent as what it looks like");
    assert_words(true, "");
}

static void test_a_column_of_numbers_that_became_texts_asks(void **state)
{
    (void)state;
    START("res:1", "res:2", "res:3:string");
    ADD("12%", "0042", "12%");
    assert_said(0, PROBLEM_DOUBT, "res:1",
                "\"12%\" looks like a number, and would be sent as a text");
    ADD("1,234", "1,234", "80");
    assert_int_equal(judge(), 1);
    assert_int_equal(problems.count, 1);
    assert_said(0, PROBLEM_MIXED, "res:1",
                "2 cells look like numbers, and are sent as texts: \"12%\" on line 2, \"1,234\" on "
                "line 3");
}

static void test_a_message_has_room_for_the_longest_samples(void **state)
{
    static const char longest[] = "\u200b\u200b\u200b\u200b\u200b\u200b\u200b\u200b\u200b\u200b";

    (void)state;
    START("res:1");
    ADD("1");
    ADD("true");
    for (int i = 0; i < 5; i++)
        ADD(longest);
    assert_int_equal(judge(), 2);
    struct span message = problem_message(&problems, &problems.items[0]);
    assert_true(message.len < 512 && strstr(message.ptr, "each is sent as") != NULL);
}

static void test_values_of_data_are_judged_by_object_and_resource(void **state)
{
    const struct cell cell = {.kind = CELL_TEXT, .text = SPAN_LITERAL("[…]")};
    const struct row row = {.line = 2, .cells = &cell, .cell_count = 1};
    struct footprint numbers = {.count = 0}, texts = {.count = 0};

    (void)state;
    START("data");
    footprint_add(&numbers, 5850, 0, false, SPAN_LITERAL("1"));
    footprint_add(&texts, 5850, 0, true, SPAN_LITERAL("1"));
    footprint_add(&texts, 5851, 1, true, SPAN_LITERAL("0A"));
    assert_int_equal(kinds_add(&kinds, &schema, &row, 3311, &numbers), STATUS_OK);
    assert_int_equal(kinds_add(&kinds, &schema, &row, 3303, &texts), STATUS_OK);
    assert_int_equal(judge(), 0);
    assert_int_equal(kinds_add(&kinds, &schema, &row, 3311, &texts), STATUS_OK);
    assert_int_equal(judge(), 1);
    assert_said(
        0, PROBLEM_MIXED, "data",
        "gives resource 5850 values of several kinds: 1 number (the first on line 2), 1 text "
        "(the first on line 2)");
}

/* Resources without end: the table fills, and nothing else happens. */
static void test_more_resources_than_there_are_places_do_no_harm(void **state)
{
    const struct cell cell = {.kind = CELL_TEXT, .text = SPAN_LITERAL("[…]")};
    const struct row row = {.line = 2, .cells = &cell, .cell_count = 1};

    (void)state;
    START("data");
    for (int64_t id = 0; id < 2 * KINDS_RESOURCES_MAX; id++) {
        struct footprint one = {.count = 0};
        footprint_add(&one, id, 0, false, SPAN_LITERAL("1"));
        kinds_doubt(&kinds, &schema, &row, 1, &one, &problems);
        assert_int_equal(kinds_add(&kinds, &schema, &row, 1, &one), STATUS_OK);
    }
    assert_int_equal(judge(), 0);
}

static int setup(void **state)
{
    (void)state;
    problems_init(&problems);
    kinds_init(&kinds);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    problems_deinit(&problems);
    kinds_deinit(&kinds);
    schema_deinit(&schema);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_doubt_is_none_of_what_is_only_odd),
        cmocka_unit_test(test_a_text_among_numbers_is_told_with_its_line),
        cmocka_unit_test(test_columns_of_one_kind_and_of_numbers_beside_booleans_ask_nothing),
        cmocka_unit_test(test_hex_words_and_what_is_invisible_are_told),
        cmocka_unit_test(test_words_for_true_and_false_ask_and_name_the_options),
        cmocka_unit_test(test_a_word_beside_texts_and_numbers_is_a_text_like_them),
        cmocka_unit_test(test_a_column_of_numbers_that_became_texts_asks),
        cmocka_unit_test(test_a_message_has_room_for_the_longest_samples),
        cmocka_unit_test(test_values_of_data_are_judged_by_object_and_resource),
        cmocka_unit_test(test_more_resources_than_there_are_places_do_no_harm),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
