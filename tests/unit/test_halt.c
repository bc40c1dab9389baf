#include "unit.h"

#include "core/prng.h"
#include "send/halt.h"

static void parse(struct halt *halt, const char *text)
{
    struct buf message;

    buf_init(&message, 4096);
    halt_init(halt);
    assert_int_equal(halt_parse(halt, span_string(text), &message), STATUS_OK);
    assert_int_equal(message.len, 0);
    buf_deinit(&message);
}

static bool crossed(const struct halt *halt)
{
    struct buf why;

    buf_init(&why, 4096);
    bool is = halt_crossed(halt, &why);
    assert_int_equal(is, why.len > 0);
    buf_deinit(&why);
    return is;
}

static void add(struct halt *halt, enum row_status status, size_t count)
{
    struct halt_fact fact = {.status = status};
    for (size_t i = 0; i < count; i++)
        halt_add(halt, &fact);
}

static void add_errno(struct halt *halt, int64_t number, size_t count)
{
    struct halt_fact fact = {.status = ROW_REJECTED, .has_errno = true, .platform_errno = number};
    for (size_t i = 0; i < count; i++)
        halt_add(halt, &fact);
}

static void assert_why(const struct halt *halt, const char *text)
{
    struct buf why;

    buf_init(&why, 4096);
    assert_true(halt_crossed(halt, &why));
    assert_string_equal(buf_string(&why), text);
    buf_deinit(&why);
}

static void test_a_count_stops_with_the_row_that_reaches_it(void **state)
{
    (void)state;
    struct halt halt;

    parse(&halt, "rejected=100");
    add(&halt, ROW_ACCEPTED, 5000);
    add(&halt, ROW_FAILED, 5000);
    add(&halt, ROW_REJECTED, 99);
    assert_false(crossed(&halt));
    add(&halt, ROW_REJECTED, 1);
    assert_why(&halt, "the rule rejected=100 was reached: 100 of 10100 rows ended as rejected");
    parse(&halt, "failed=1"); /* min is for percentages alone */
    add(&halt, ROW_FAILED, 1);
    assert_true(crossed(&halt));
}

static void test_each_status_has_its_rule(void **state)
{
    (void)state;
    static const enum row_status statuses[] = {ROW_FAILED, ROW_REJECTED, ROW_IN_DOUBT, ROW_INVALID};
    static const char *const rules[] = {"failed=2", "rejected=2", "in_doubt=2", "invalid=2"};

    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        for (size_t j = 0; j < ARRAY_LENGTH(statuses); j++) {
            struct halt halt;
            parse(&halt, rules[i]);
            add(&halt, statuses[j], 2);
            assert_int_equal(crossed(&halt), i == j);
        }
    }
}

static void test_a_percentage_is_reached_at_its_border(void **state)
{
    (void)state;
    struct halt halt;

    parse(&halt, "failed=5%");
    add(&halt, ROW_ACCEPTED, 950);
    add(&halt, ROW_FAILED, 49);
    assert_false(crossed(&halt)); /* 49 of 999 */
    add(&halt, ROW_FAILED, 1);
    assert_why(&halt, "the rule failed=5% was reached: 50 of 1000 rows ended as failed");
    parse(&halt, "failed=5%");
    add(&halt, ROW_ACCEPTED, 951);
    add(&halt, ROW_FAILED, 50);
    assert_true(crossed(&halt)); /* 50 of the last 1000, although 50 of 1001 are less */
    parse(&halt, "failed=100%");
    add(&halt, ROW_FAILED, 100);
    assert_true(crossed(&halt));
    parse(&halt, "failed=0.1%,min=1000");
    add(&halt, ROW_FAILED, 1);
    add(&halt, ROW_ACCEPTED, 998);
    assert_false(crossed(&halt));
    add(&halt, ROW_ACCEPTED, 1);
    assert_why(&halt, "the rule failed=0.1% was reached: 1 of 1000 rows ended as failed");
}

static void test_a_percentage_has_four_decimals(void **state)
{
    (void)state;
    struct halt halt;

    parse(&halt, "failed=1.2345%,min=1");
    add(&halt, ROW_FAILED, 1);
    assert_why(&halt, "the rule failed=1.2345% was reached: 1 of 1 rows ended as failed");
    parse(&halt, "failed=0.0001%,min=1000000");
    add(&halt, ROW_FAILED, 1);
    add(&halt, ROW_ACCEPTED, 999999);
    assert_why(&halt, "the rule failed=0.0001% was reached: 1 of 1000000 rows ended as failed");
    parse(&halt, "failed=0.0001%,min=1000001");
    add(&halt, ROW_FAILED, 1);
    add(&halt, ROW_ACCEPTED, 1000000);
    assert_false(crossed(&halt));
}

static void test_no_percentage_counts_before_the_minimum(void **state)
{
    (void)state;
    struct halt halt;

    parse(&halt, "failed=5%,min=200");
    add(&halt, ROW_FAILED, 199);
    assert_false(crossed(&halt));
    add(&halt, ROW_ACCEPTED, 1);
    assert_true(crossed(&halt));
    parse(&halt, "failed=5%");
    add(&halt, ROW_FAILED, HALT_MIN_DEFAULT - 1);
    assert_false(crossed(&halt));
    add(&halt, ROW_FAILED, 1);
    assert_true(crossed(&halt));
    parse(&halt, "min=1500,failed=5%"); /* beyond the window, and before its rule */
    add(&halt, ROW_FAILED, 1499);
    assert_false(crossed(&halt));
    add(&halt, ROW_FAILED, 1);
    assert_true(crossed(&halt));
}

static void test_trouble_that_begins_late_shows_in_the_window(void **state)
{
    (void)state;
    struct halt halt;

    parse(&halt, "failed=5%");
    add(&halt, ROW_ACCEPTED, 1000 * 1000);
    add(&halt, ROW_FAILED, 49);
    assert_false(crossed(&halt));
    add(&halt, ROW_FAILED, 1);
    assert_why(&halt, "the rule failed=5% was reached: 50 of the last 1000 rows ended as failed");
    /* What has left the window does not count: 49 in each 1000, for ever. */
    parse(&halt, "failed=5%");
    for (size_t i = 0; i < 100; i++) {
        add(&halt, ROW_ACCEPTED, 951);
        add(&halt, ROW_FAILED, 49);
    }
    assert_false(crossed(&halt));
}

static void test_the_numbers_stay_those_of_the_crossing(void **state)
{
    (void)state;
    struct halt halt;

    parse(&halt, "errno:7=3%,failed=10,min=50");
    add(&halt, ROW_ACCEPTED, 97);
    add_errno(&halt, 15, 1);
    add_errno(&halt, 7, 2);
    assert_false(crossed(&halt));
    add_errno(&halt, 7, 1); /* 3 of 101 */
    assert_false(crossed(&halt));
    add_errno(&halt, 7, 1);
    assert_why(&halt, "the rule errno:7=3% was reached: 4 of 102 rows ended with errno 7");
    add(&halt, ROW_FAILED, 1000); /* rows in flight end later */
    assert_why(&halt, "the rule errno:7=3% was reached: 4 of 102 rows ended with errno 7");
}

/* Random rows against counting them all over again each time. */
static void test_random_rows_agree_with_a_recount(void **state)
{
    (void)state;
    enum { ROWS = 6000 };
    static bool failed[ROWS];

    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct halt halt;
        struct prng prng = {seed};
        bool expected = false;
        size_t in_run = 0, level = (size_t)prng_up_to(&prng, 40), row;
        print_message("seed %d\n", (int)seed);
        parse(&halt, "failed=4.5%,min=30,rejected=1000000");
        for (row = 0; row < ROWS && !expected; row++) {
            if (prng_up_to(&prng, 500) == 0)
                level = (size_t)prng_up_to(&prng, 60);
            failed[row] = prng_up_to(&prng, 999) < level;
            in_run += failed[row];
            add(&halt, failed[row] ? ROW_FAILED : ROW_ACCEPTED, 1);
            size_t rows = row + 1, first = rows > HALT_WINDOW ? rows - HALT_WINDOW : 0;
            size_t in_window = 0;
            for (size_t i = first; i < rows; i++)
                in_window += failed[i];
            expected = rows >= 30 &&
                       (in_run * 1000 >= 45 * rows || in_window * 1000 >= 45 * (rows - first));
            assert_int_equal(crossed(&halt), expected);
        }
    }
}

static void test_without_rules_nothing_is_crossed(void **state)
{
    (void)state;
    struct halt halt;

    halt_init(&halt);
    add(&halt, ROW_FAILED, 5000);
    assert_false(crossed(&halt));
    parse(&halt, "min=1");
    add(&halt, ROW_FAILED, 5000);
    assert_false(crossed(&halt));
}

static void test_the_option_can_be_given_again(void **state)
{
    (void)state;
    struct halt halt;
    struct buf message;

    buf_init(&message, 4096);
    parse(&halt, "failed=5");
    assert_int_equal(halt_parse(&halt, SPAN_LITERAL("rejected=2"), &message), STATUS_OK);
    add(&halt, ROW_REJECTED, 2);
    assert_true(crossed(&halt));
    buf_deinit(&message);
}

static void test_errors_name_the_piece_and_the_remedy(void **state)
{
    (void)state;
    static const struct {
        const char *text, *piece, *remedy;
    } cases[] = {
        {"", "\"\"", "failed=5%"},
        {"failed", "\"failed\"", "failed=5%"},
        {"failed=5%,", "\"\"", "failed=5%"},
        {"rejected=1,faild=5%", "\"faild=5%\"", "did you mean failed?"},
        {"accepted=5", "\"accepted=5\"", "rejected, in_doubt, invalid"},
        {"failed=0", "\"failed=0\"", "1 or more"},
        {"failed=0%", "\"failed=0%\"", "above 0"},
        {"failed=100.1%", "\"failed=100.1%\"", "up to 100"},
        {"failed=101%", "\"failed=101%\"", "up to 100"},
        {"failed=5.%", "\"failed=5.%\"", "0.25%"},
        {"failed=.5%", "\"failed=.5%\"", "0.25%"},
        {"failed=0.00001%", "\"failed=0.00001%\"", "0.25%"},
        {"failed=1.x%", "\"failed=1.x%\"", "0.25%"},
        {"failed=-1", "\"failed=-1\"", "1 or more"},
        {"failed=%", "\"failed=%\"", "such as 5%"},
        {"failed=", "\"failed=\"", "such as 5%"},
        {"failed=5 %", "\"failed=5 %\"", "such as 5%"},
        {"failed=99999999999999999999", "\"failed=99999999999999999999\"", "1 or more"},
        {"errno:=3%", "\"errno:=3%\"", "errno:7=3%"},
        {"errno:x=3%", "\"errno:x=3%\"", "errno:7=3%"},
        {"errno:0=3%", "\"errno:0=3%\"", "errno:7=3%"},
        {"min=0", "\"min=0\"", "min=200"},
        {"min=5%", "\"min=5%\"", "min=200"},
        {"min=5,min=6", "\"min=6\"", "given already"},
        {"failed=1\n", "\"failed=1\\n\"", "1 or more"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct halt halt;
        struct buf message;
        buf_init(&message, 4096);
        halt_init(&halt);
        assert_int_equal(halt_parse(&halt, span_string(cases[i].text), &message), STATUS_USAGE);
        if (strstr(buf_string(&message), cases[i].piece) != message.ptr ||
            strstr(buf_string(&message), cases[i].remedy) == NULL)
            fail_msg("%s: %s", cases[i].text, buf_string(&message));
        buf_deinit(&message);
    }
}

static void test_there_is_a_maximum_of_rules(void **state)
{
    (void)state;
    struct halt halt;
    struct buf message;

    buf_init(&message, 4096);
    halt_init(&halt);
    for (size_t i = 0; i < HALT_RULES_MAX - 1; i++)
        assert_int_equal(halt_parse(&halt, SPAN_LITERAL("failed=9"), &message), STATUS_OK);
    assert_int_equal(halt_parse(&halt, SPAN_LITERAL("rejected=3"), &message), STATUS_OK);
    assert_int_equal(halt_parse(&halt, SPAN_LITERAL("invalid=1"), &message), STATUS_USAGE);
    add(&halt, ROW_REJECTED, 3); /* the last rule has its bit */
    assert_true(crossed(&halt));
    buf_deinit(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_count_stops_with_the_row_that_reaches_it),
        cmocka_unit_test(test_each_status_has_its_rule),
        cmocka_unit_test(test_a_percentage_is_reached_at_its_border),
        cmocka_unit_test(test_a_percentage_has_four_decimals),
        cmocka_unit_test(test_no_percentage_counts_before_the_minimum),
        cmocka_unit_test(test_trouble_that_begins_late_shows_in_the_window),
        cmocka_unit_test(test_the_numbers_stay_those_of_the_crossing),
        cmocka_unit_test(test_random_rows_agree_with_a_recount),
        cmocka_unit_test(test_without_rules_nothing_is_crossed),
        cmocka_unit_test(test_the_option_can_be_given_again),
        cmocka_unit_test(test_errors_name_the_piece_and_the_remedy),
        cmocka_unit_test(test_there_is_a_maximum_of_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
