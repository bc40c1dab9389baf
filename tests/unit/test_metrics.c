#include "unit.h"

#include "report/metrics.h"

static struct tally tally;

static void assert_has(const struct metrics *metrics, const char *line)
{
    struct buf out;

    buf_init(&out, 1024 * 1024);
    metrics_add_text(metrics, &out);
    assert_int_equal(out.status, STATUS_OK);
    if (strstr(buf_string(&out), line) == NULL)
        fail_msg("no \"%s\" in:\n%s", line, buf_string(&out));
    assert_true(out.len > 0 && out.ptr[out.len - 1] == '\n');
    buf_deinit(&out);
}

static void assert_lacks(const struct metrics *metrics, const char *text)
{
    struct buf out;

    buf_init(&out, 1024 * 1024);
    metrics_add_text(metrics, &out);
    assert_null(strstr(buf_string(&out), text));
    buf_deinit(&out);
}

static void test_counts_and_times(void **state)
{
    (void)state;
    struct metrics metrics = {.input = "fleet.csv",
                              .version = "1.2.3",
                              .tally = &tally,
                              .expected = 9007199254740991,
                              .retries = 3,
                              .in_flight = 2,
                              .rate_limit_per_s = 0.5,
                              .paused = true,
                              .start_ms = 1700000000123};

    tally = (struct tally){.rows = {[ROW_ACCEPTED] = 5, [ROW_IN_DOUBT] = 1}, .attempts = 7};
    assert_has(&metrics, "\nnbatch_rows_total{input=\"fleet.csv\",status=\"accepted\"} 5\n");
    assert_has(&metrics, "\nnbatch_rows_total{input=\"fleet.csv\",status=\"in_doubt\"} 1\n");
    assert_has(&metrics, "\nnbatch_rows_expected{input=\"fleet.csv\"} 9.00719925474099e+15\n");
    assert_has(&metrics, "\nnbatch_attempts_total{input=\"fleet.csv\"} 7\n");
    assert_has(&metrics, "\nnbatch_rate_limit_per_second{input=\"fleet.csv\"} 0.5\n");
    assert_has(&metrics, "\nnbatch_paused{input=\"fleet.csv\"} 1\n");
    assert_has(&metrics, "\nnbatch_start_time_seconds{input=\"fleet.csv\"} 1700000000.123\n");
    assert_has(&metrics, "nbatch_info{input=\"fleet.csv\",version=\"1.2.3\"} 1\n");
}

static void test_what_does_not_apply_is_left_out(void **state)
{
    (void)state;
    struct metrics metrics = {.input = "-", .version = "1", .tally = &tally};

    assert_lacks(&metrics, "nbatch_rows_expected");
    assert_lacks(&metrics, "nbatch_rate_limit_per_second");
    assert_lacks(&metrics, "nbatch_end_time_seconds");
    assert_lacks(&metrics, "nbatch_exit_status");
    metrics.ended = true;
    assert_has(&metrics, "\nnbatch_exit_status{input=\"-\"} 0\n");
}

static void test_the_histogram_is_cumulative(void **state)
{
    (void)state;
    struct metrics metrics = {.input = "a", .version = "1", .tally = &tally};

    tally = (struct tally){.attempts = 0};
    tally_add_attempt(&tally, 1000);
    tally_add_attempt(&tally, 20000);
    tally_add_attempt(&tally, 60 * 1000 * 1000);
    assert_has(&metrics, "_bucket{input=\"a\",le=\"0.005\"} 1\n");
    assert_has(&metrics, "_bucket{input=\"a\",le=\"0.025\"} 2\n");
    assert_has(&metrics, "_bucket{input=\"a\",le=\"30\"} 2\n");
    assert_has(&metrics, "_bucket{input=\"a\",le=\"+Inf\"} 3\n");
    assert_has(&metrics, "_seconds_count{input=\"a\"} 3\n");
    assert_has(&metrics, "_seconds_sum{input=\"a\"} 60.021000\n");
}

static void test_labels_are_escaped(void **state)
{
    (void)state;
    struct metrics metrics = {.input = "a\\b\"c\nd", .version = "1", .tally = &tally};

    assert_has(&metrics, "nbatch_in_flight{input=\"a\\\\b\\\"c\\nd\"} 0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_and_times),
        cmocka_unit_test(test_what_does_not_apply_is_left_out),
        cmocka_unit_test(test_the_histogram_is_cumulative),
        cmocka_unit_test(test_labels_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
