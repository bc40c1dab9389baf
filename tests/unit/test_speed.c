#include "unit.h"

#include "report/speed.h"

static struct speed run_of(double seconds)
{
    return (struct speed){.concurrency = 8, .rows = 100, .accepted = 100, .seconds = seconds};
}

static void test_the_median_is_the_run_in_the_middle(void **state)
{
    (void)state;
    struct speed runs[] = {run_of(5), run_of(1), run_of(4), run_of(2), run_of(3)};
    assert_true(speed_median(runs, 5).seconds == 3);
    assert_true(speed_median(runs, 1).seconds == 5); /* sorted by speed: the slowest is first */
}

static void test_a_run_is_summed_up_from_its_tally(void **state)
{
    (void)state;
    static struct tally tally;
    tally.rows[ROW_ACCEPTED] = 8;
    tally.rows[ROW_REJECTED] = 2;
    for (int64_t us = 100; us <= 1000; us += 100)
        tally_add_attempt(&tally, us);
    struct speed speed = speed_of(4, &tally, 2.0, 0.5);
    assert_int_equal(speed.rows, 10);
    assert_int_equal(speed.accepted, 8);
    assert_in_range(speed.p50_us, 500, 510);
    assert_int_equal(speed.max_us, 1000);
}

static void test_both_reports_say_the_same(void **state)
{
    (void)state;
    struct speed levels[] = {{.concurrency = 1,
                              .rows = 100,
                              .accepted = 100,
                              .seconds = 0.5,
                              .cpu_s = 0.001,
                              .p50_us = 1500,
                              .max_us = 2000},
                             {.concurrency = 64, .rows = 100, .accepted = 97, .seconds = 0}};
    struct speed_report report = {
        .rows = 100, .rounds = 3, .processors = 2, .levels = levels, .level_count = 2};
    struct buf out;

    buf_init(&out, 64 * 1024);
    speed_add_text(&report, &out);
    assert_non_null(strstr(buf_string(&out), "        1       200          10.0      1.50"));
    assert_non_null(strstr(buf_string(&out), "3 of 100 rows were not accepted\n"));
    assert_non_null(strstr(buf_string(&out), "a simulator in this process"));
    buf_clear(&out);
    report.endpoint = "http://127.0.0.1:1";
    assert_int_equal(speed_add_json(&report, &out), STATUS_OK);
    assert_non_null(strstr(buf_string(&out), "\"endpoint\":\"http://127.0.0.1:1\""));
    assert_non_null(strstr(buf_string(&out), "{\"concurrency\":1,\"accepted\":100,\"seconds\":0.5,"
                                             "\"rows_per_second\":200,\"cpu_us_per_row\":10,"));
    assert_non_null(strstr(buf_string(&out), "\"rows_per_second\":0,"));
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_median_is_the_run_in_the_middle),
        cmocka_unit_test(test_a_run_is_summed_up_from_its_tally),
        cmocka_unit_test(test_both_reports_say_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
