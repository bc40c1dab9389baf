#include "unit.h"

#include "cli/progress_line.h"

static struct progress_facts sending(void)
{
    return (struct progress_facts){
        .doing = "sending",
        .done = 3000,
        .total = 5000,
        .share = 0.6,
        .rate = 320.4,
        .eta_s = 6.2,
        .is_sending = true,
        .in_flight = 64,
        .retries = 12,
        .ended = {[ROW_ACCEPTED] = 2995, [ROW_REJECTED] = 2, [ROW_IN_DOUBT] = 3},
        .wait_s = -1};
}

static void assert_live(const struct progress_facts *facts, size_t columns, const char *wanted)
{
    struct buf out;

    buf_init(&out, 4096);
    progress_line_add_live(facts, columns, &out);
    assert_string_equal(buf_string(&out), wanted);
    assert_true(out.len <= columns);
    buf_deinit(&out);
}

static void test_a_wide_terminal_shows_everything(void **state)
{
    (void)state;
    struct progress_facts facts = sending();

    assert_live(&facts, 200,
                "sending: [########################----------------] 60 % 3000/5000, 320 rows/s, "
                "64 in flight, 12 retries, 2 rejected, 3 in_doubt, 6s to go");
}

static void test_a_narrow_terminal_shows_what_matters_most(void **state)
{
    (void)state;
    struct progress_facts facts = sending();

    assert_live(&facts, 60, "60 % 3000/5000, 320 rows/s, 2 rejected, 3 in_doubt, 6s to go");
    assert_live(&facts, 40, "60 % 3000/5000, 2 rejected, 3 in_doubt");
    assert_live(&facts, 20, "60 % 3000/5000");
    assert_live(&facts, 9, "3000/5000");
    assert_live(&facts, 8, "60 %");
    assert_live(&facts, 3, "");
}

static void test_what_holds_rows_back_is_told(void **state)
{
    (void)state;
    struct progress_facts facts = sending();
    struct buf line;

    buf_init(&line, 4096);
    facts.held_per_s = 298.4;
    progress_line_add_plain(&facts, &line);
    assert_non_null(strstr(buf_string(&line), "; held to 298/s"));
    buf_clear(&line);
    facts.is_limited = true;
    progress_line_add_plain(&facts, &line);
    assert_non_null(strstr(buf_string(&line), "; the platform takes about 298/s"));
    buf_clear(&line);
    facts.wait = "paused"; /* which says more */
    progress_line_add_plain(&facts, &line);
    assert_null(strstr(buf_string(&line), "298/s"));
    buf_deinit(&line);
}

static void test_why_it_waits_goes_before_how_fast_it_is(void **state)
{
    (void)state;
    struct progress_facts facts = sending();

    facts.wait = "paused: the platform asked for it (Retry-After)";
    facts.wait_s = 12;
    facts.eta_s = -1;
    assert_live(&facts, 80,
                "60 % 3000/5000; paused: the platform asked for it (Retry-After), next in 12s");
}

static void test_no_width_is_exceeded(void **state)
{
    (void)state;
    struct progress_facts facts = sending();
    struct buf out;

    facts.wait = "paused";
    facts.total = facts.done = UINT64_MAX;
    buf_init(&out, 4096);
    for (size_t columns = 0; columns < 300; columns++) {
        buf_clear(&out);
        progress_line_add_live(&facts, columns, &out);
        assert_true(out.len <= columns);
    }
    buf_deinit(&out);
}

static void test_wide_characters_count_twice(void **state)
{
    (void)state;
    struct progress_facts facts = {.doing = "checking \xe8\xae\xbe\xe5\xa4\x87.csv",
                                   .done = 7,
                                   .share = -1,
                                   .rate = 1,
                                   .eta_s = -1};
    struct buf out;

    buf_init(&out, 4096);
    /* 18 columns, 6 for the rows, a separator, 8 for the rate. */
    progress_line_add_live(&facts, 36, &out);
    assert_string_equal(buf_string(&out),
                        "checking \xe8\xae\xbe\xe5\xa4\x87.csv: 7 rows, 1 rows/s");
    buf_clear(&out);
    progress_line_add_live(&facts, 34, &out);
    assert_string_equal(buf_string(&out), "7 rows, 1 rows/s");
    buf_deinit(&out);
}

static void test_a_file_gets_whole_plain_lines(void **state)
{
    (void)state;
    struct progress_facts facts = sending();
    struct buf out;

    buf_init(&out, 4096);
    facts.wait = "paused";
    progress_line_add_plain(&facts, &out);
    assert_string_equal(buf_string(&out),
                        "sending: 3000 of 5000 rows (60 %), 320 rows/s, 64 in flight, 12 retries, "
                        "2 rejected, 3 in_doubt, 6s to go; paused");
    buf_clear(&out);
    facts =
        (struct progress_facts){.doing = "checking a\x1b[1m", .done = 1, .share = -1, .eta_s = -1};
    progress_line_add_plain(&facts, &out);
    assert_string_equal(buf_string(&out), "checking a\\x1b[1m: 1 rows, 0 rows/s");
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_wide_terminal_shows_everything),
        cmocka_unit_test(test_a_narrow_terminal_shows_what_matters_most),
        cmocka_unit_test(test_what_holds_rows_back_is_told),
        cmocka_unit_test(test_why_it_waits_goes_before_how_fast_it_is),
        cmocka_unit_test(test_no_width_is_exceeded),
        cmocka_unit_test(test_wide_characters_count_twice),
        cmocka_unit_test(test_a_file_gets_whole_plain_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
