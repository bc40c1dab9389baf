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

/* A path is what its file system takes: GBK is no UTF-8, and a collector drops a file that is none.
 */
static void test_labels_are_utf8(void **state)
{
    (void)state;
    struct metrics metrics = {.input = "\xb1\xed.csv",
                              .job = "a\xff",
                              .version = "1",
                              .tally = &tally};

    assert_has(&metrics, "nbatch_in_flight{input=\"\xef\xbf\xbd\xef\xbf\xbd"
                         ".csv\",job_name=\"a\xef\xbf\xbd\"} 0\n");
}

/* What of it is read back for a run of that input and job. */
static struct metrics_past past_of(const struct metrics *metrics, const char *input,
                                   const char *job)
{
    struct metrics_past past;
    struct buf out;

    buf_init(&out, 1024 * 1024);
    metrics_add_text(metrics, &out);
    metrics_read_past(buf_span(&out), input, job, &past);
    buf_deinit(&out);
    return past;
}

static void test_what_holds_is_read_back_for_the_same_job_alone(void **state)
{
    (void)state;
    const uint64_t results[ROW_STATUS_COUNT] = {[ROW_ACCEPTED] = 5, [ROW_IN_DOUBT] = 64};
    struct metrics metrics = {.input = "a\\\"b\xff.csv",
                              .version = "1",
                              .tally = &tally,
                              .results = results,
                              .twice = 7,
                              .last_success_s = 1700000000.5};
    struct metrics_past past = past_of(&metrics, metrics.input, NULL);

    assert_true(past.has_results && past.twice == 7 && past.last_success_s == 1700000000.5);
    assert_memory_equal(past.results, results, sizeof(results));
    past = past_of(&metrics, "b.csv", NULL);
    assert_true(!past.has_results && past.twice == 0 && past.last_success_s == 0);
    assert_false(past_of(&metrics, metrics.input, "meters").has_results);
    metrics.job = "meters";
    assert_true(past_of(&metrics, "another night's.csv", "meters").results[ROW_IN_DOUBT] == 64);
    assert_false(past_of(&metrics, metrics.input, NULL).has_results);
    assert_false(past_of(&metrics, metrics.input, "meter").has_results);
    assert_false(past_of(&metrics, metrics.input, "meters2").has_results);
    metrics.results = NULL;
    assert_false(past_of(&metrics, metrics.input, "meters").has_results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_and_times),
        cmocka_unit_test(test_what_does_not_apply_is_left_out),
        cmocka_unit_test(test_the_histogram_is_cumulative),
        cmocka_unit_test(test_labels_are_escaped),
        cmocka_unit_test(test_labels_are_utf8),
        cmocka_unit_test(test_what_holds_is_read_back_for_the_same_job_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
