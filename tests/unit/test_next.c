/* What an operator is told after a run: the steps, the remedies, and words for a shell. */
#include "unit.h"

#include "core/shell.h"
#include "platform/problem.h"
#include "report/advice.h"
#include "report/next.h"

static struct buf out;

static const char *shown(const struct next_facts *facts, const struct next_step *step,
                         void add(const struct next_facts *, const struct next_step *,
                                  struct buf *))
{
    buf_clear(&out);
    add(facts, step, &out);
    return buf_string(&out);
}

static void test_each_kind_of_row_has_its_step_in_order(void **state)
{
    const uint64_t rows[ROW_STATUS_COUNT] = {
        [ROW_ACCEPTED] = 9, [ROW_REJECTED] = 1, [ROW_FAILED] = 3, [ROW_IN_DOUBT] = 2};
    const struct next_facts facts = {.rows = rows,
                                     .unsent = 5,
                                     .twice = 2,
                                     .results = "-r.csv",
                                     .command = {.program = "nbatch run", .words = " x.csv"},
                                     .verify = "nbatch verify ./-r.csv --api v2"};
    struct next_step steps[NEXT_COUNT];

    (void)state;
    assert_int_equal(next_steps(&facts, steps), 7);
    assert_string_equal(shown(&facts, &steps[0], next_add_text),
                        "send the 5 rows that were not sent");
    assert_string_equal(shown(&facts, &steps[0], next_add_command), "nbatch run --resume x.csv");
    assert_string_equal(shown(&facts, &steps[1], next_add_command),
                        "nbatch run --resume=failed x.csv");
    assert_string_equal(shown(&facts, &steps[2], next_add_text),
                        "once its reason is gone, send the one rejected row again");
    assert_string_equal(shown(&facts, &steps[3], next_add_command), facts.verify);
    assert_string_equal(shown(&facts, &steps[4], next_add_command),
                        "nbatch results ./-r.csv --status in_doubt");
    assert_int_equal(steps[5].kind, NEXT_IN_DOUBT);
    assert_string_equal(shown(&facts, &steps[6], next_add_command),
                        "nbatch results ./-r.csv --status accepted --ambiguous");
}

static void test_what_was_wrong_for_a_while_is_sent_as_it_is(void **state)
{
    const uint64_t rows[ROW_STATUS_COUNT] = {[ROW_INVALID] = 5};
    const struct next_facts facts = {.rows = rows,
                                     .passing = 3,
                                     .command = {.program = "nbatch run", .words = " x.csv"}};
    struct next_step steps[NEXT_COUNT];

    (void)state;
    assert_int_equal(next_steps(&facts, steps), 2);
    assert_string_equal(shown(&facts, &steps[0], next_add_text),
                        "fix the 2 invalid rows in the input, then send them");
    assert_string_equal(shown(&facts, &steps[0], next_add_command), "nbatch run --resume x.csv");
    assert_string_equal(shown(&facts, &steps[1], next_add_text),
                        "once nothing keeps them from being sent any more, send the 3 invalid rows "
                        "as they are");
    assert_string_equal(shown(&facts, &steps[1], next_add_command),
                        "nbatch run --resume=invalid x.csv");
    assert_true(problem_reason_passes(SPAN_LITERAL("imei: 10 commands wait … [E-QUEUE]")));
    assert_false(problem_reason_passes(SPAN_LITERAL("imei: E-QUEUE [E-IMEI]; mode: … [E-RANGE]")));
    assert_false(problem_reason_passes(SPAN_LITERAL("imei: \" [E-QUEUE]\" is none [E-IMEI]")));
    assert_false(problem_reason_passes(span_of(NULL, 0)));
}

static void test_nothing_is_to_be_done_when_all_were_accepted(void **state)
{
    const uint64_t rows[ROW_STATUS_COUNT] = {[ROW_ACCEPTED] = 9};
    struct next_facts facts = {.rows = rows};
    struct next_step steps[NEXT_COUNT];

    (void)state;
    assert_int_equal(next_steps(&facts, steps), 0);
    facts.has_more = true;
    assert_int_equal(next_steps(&facts, steps), 1);
    assert_string_equal(shown(&facts, &steps[0], next_add_text),
                        "send what was not sent: call the run once more, with --resume");
}

static void test_what_helps_goes_by_errno_http_status_and_code(void **state)
{
    static const struct {
        struct reason reason;
        const char *name, *remedy;
    } cases[] = {
        {{ROW_REJECTED, true, 5006, 200, {"limit", 5}}, "system logic limit", "wait until"},
        {{ROW_REJECTED, true, 4711, 200, {"x", 1}}, NULL, "ask the platform"},
        {{ROW_FAILED, false, 0, 0, {"not sent: x", 11}}, NULL, "look at the network"},
        {{ROW_FAILED, true, 1, 401, {"HTTP 401", 8}}, NULL, "check that the key"},
        {{ROW_FAILED, false, 0, 418, {"HTTP 418", 8}}, NULL, "check the endpoint"},
        {{ROW_IN_DOUBT, false, 0, 0, {"no answer", 9}}, NULL, "look whether"},
        {{ROW_IN_DOUBT, false, 0, 502, {"HTTP 502", 8}}, NULL, "look whether"},
        {{ROW_INVALID, false, 0, 0, {"a: E-HEX b [E-RANGE]; c: d [E-HEX]", 34}},
         "E-RANGE",
         "give a"},
        {{ROW_INVALID, false, 0, 0, {"a: \"[E-HEX]\" x [E-RANGE]", 24}}, "E-RANGE", "give a"},
        {{ROW_INVALID, false, 0, 0, {"E-DATA-SIZE: x", 14}}, "E-DATA-SIZE", "split"},
        {{ROW_INVALID, false, 0, 0, {"[E-NONE]", 8}}, NULL, "nbatch check"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct advice advice = advice_of(&cases[i].reason);
        assert_non_null(advice.meaning);
        assert_true(span_starts_with(span_string(advice.remedy), cases[i].remedy));
        if (cases[i].name == NULL)
            assert_null(advice.name);
        else
            assert_string_equal(advice.name, cases[i].name);
    }
}

static void test_words_are_quoted_where_a_shell_would_take_them_apart(void **state)
{
    static const char *const cases[][2] = {
        {"fleet.csv", "fleet.csv"},
        {"a=b,c:1%", "a=b,c:1%"},
        {"", "''"},
        {"a b", "'a b'"},
        {"it's", "'it'\\''s'"},
        {"$(x)", "'$(x)'"},
        {"~", "'~'"},
        {"设备", "设备"},
        {"a\nb'c\\", "$'a\\012b\\'c\\\\'"},
        {"\x1b[2J", "$'\\033[2J'"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        buf_clear(&out);
        shell_add_word(cases[i][0], &out);
        assert_string_equal(buf_string(&out), cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_of_row_has_its_step_in_order),
        cmocka_unit_test(test_what_was_wrong_for_a_while_is_sent_as_it_is),
        cmocka_unit_test(test_nothing_is_to_be_done_when_all_were_accepted),
        cmocka_unit_test(test_what_helps_goes_by_errno_http_status_and_code),
        cmocka_unit_test(test_words_are_quoted_where_a_shell_would_take_them_apart),
    };

    buf_init(&out, 64 * 1024);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_deinit(&out);
    return failed;
}
