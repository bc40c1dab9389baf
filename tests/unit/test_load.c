#include "unit.h"

#include <math.h>

#include "report/load_page.h"

static const struct outcome accepted = {.status = ROW_ACCEPTED};
static const struct outcome refused = {.status = ROW_REJECTED,
                                       .voice = VOICE_PLATFORM,
                                       .has_errno = true,
                                       .platform_errno = 15,
                                       .http_status = 200,
                                       .error = "too <many>"};
static const struct outcome slowed = {.status = ROW_FAILED,
                                      .http_status = 429,
                                      .error = "HTTP 429"};
static const struct outcome broken = {.status = ROW_IN_DOUBT, .error = "reset"};

/* A request that was due at `due_ms`, started `late_ms` later and took `took_ms`. */
static void add(struct load *load, const struct outcome *outcome, int64_t due_ms, int64_t late_ms,
                int64_t took_ms, bool waited)
{
    const struct load_request request = {.outcome = outcome,
                                         .left = true,
                                         .waited = waited,
                                         .due_ns = due_ms * 1000000,
                                         .started_ns = (due_ms + late_ms) * 1000000,
                                         .ended_ns = (due_ms + late_ms + took_ms) * 1000000,
                                         .latency_us = took_ms * 1000};
    load_add(load, &request);
}

static void test_both_latencies_are_counted(void **state)
{
    (void)state;
    static struct load load;
    load = (struct load){.rate_per_s = 10, .concurrency = 4};
    add(&load, &accepted, 1200, 0, 20, false);
    add(&load, &accepted, 1000, 300, 20, true); /* ends out of order */
    assert_int_equal(load.from_due.max_us, 320000);
    assert_int_equal(load.tally.latency.max_us, 20000);
    /* The later one started 0.3 s behind the first, and another would be due 0.1 s later: how long
     * the answers took is no part of it. */
    assert_true(fabs(load_seconds(&load) - 0.4) < 1e-9);
    assert_int_equal(load.waited, 1);
    assert_int_equal(load.late.count, 1);
}

static void test_refusals_are_told_from_failures(void **state)
{
    (void)state;
    static struct load load;
    load = (struct load){.rate_per_s = 10, .concurrency = 4};
    const struct outcome *outcomes[] = {&accepted, &refused, &slowed, &broken, &refused};
    for (size_t i = 0; i < ARRAY_LENGTH(outcomes); i++)
        add(&load, outcomes[i], (int64_t)i, 0, 5, false);
    assert_int_equal(load.refused, 3);
    assert_int_equal(load.failed, 1);
}

static void test_a_request_that_never_left_has_no_latency(void **state)
{
    (void)state;
    static struct load load;
    const struct outcome unsent = {.status = ROW_FAILED, .error = "connection refused"};
    const struct load_request request = {.outcome = &unsent, .due_ns = 1, .started_ns = 1};
    load = (struct load){.rate_per_s = 10};
    load_add(&load, &request);
    assert_int_equal(load_total(&load), 1);
    assert_int_equal(load.failed, 1);
    assert_int_equal(load.from_due.count + load.tally.latency.count, 0);
}

static void test_a_goal_is_read(void **state)
{
    (void)state;
    struct load_goal goal;
    assert_true(load_parse_goal(SPAN_LITERAL("p99=200ms"), &goal));
    assert_int_equal(goal.at_most_us[2], 200000);
    assert_int_equal(goal.at_most_us[0] + goal.at_most_us[1] + goal.at_most_us[3], 0);
    assert_int_equal(goal.refused, 1000);
    assert_true(load_parse_goal(SPAN_LITERAL("refused=0%,p99.9=2s,failed=1.5%"), &goal));
    assert_int_equal(goal.at_most_us[3], 2000000);
    assert_true(load_parse_goal(SPAN_LITERAL("p50=1ms,p99=200ms"), &goal));
    assert_int_equal(goal.at_most_us[0], 1000);
    assert_int_equal(goal.at_most_us[2], 200000);
    assert_true(load_parse_goal(SPAN_LITERAL("refused=0%,p99.9=2s,failed=1.5%"), &goal));
    assert_int_equal(goal.refused, 0);
    assert_int_equal(goal.failed, 15000);
    static const char *const bad[] = {"",
                                      "p99",
                                      "p99=",
                                      "p98=1s",
                                      "refused=1%",
                                      "p99=1s,refused=2",
                                      "p99=1s,,",
                                      "p99=0",
                                      "p99=1s,refused=101%",
                                      "99=1s",
                                      "p99=1s,p99=2s",
                                      "refused=1%,p99=1s,refused=2%",
                                      "failed=1%,p99=1s,failed=1%"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(load_parse_goal(span_string(bad[i]), &goal));
}

static void test_a_goal_is_kept_by_latency_and_shares(void **state)
{
    (void)state;
    static struct load load;
    struct load_goal goal;
    load = (struct load){.rate_per_s = 10};
    assert_true(load_parse_goal(SPAN_LITERAL("p90=100ms,refused=1%"), &goal));
    assert_false(load_keeps(&load, &goal)); /* nothing is known */
    for (int64_t i = 0; i < 99; i++)
        add(&load, &accepted, i, i < 5 ? 150 : 0, 20, false);
    add(&load, &refused, 99, 0, 20, false);
    assert_true(load_keeps(&load, &goal)); /* 1 of 100 */
    goal.refused = 9999;
    assert_false(load_keeps(&load, &goal));
    goal.refused = 10000;
    for (int64_t i = 0; i < 10; i++) /* fast since they left, and late since they were due */
        add(&load, &accepted, i, 150, 20, false);
    assert_false(load_keeps(&load, &goal));
    load = (struct load){.rate_per_s = 10};
    add(&load, &accepted, 0, 0, 20, false);
    add(&load, &broken, 0, 0, 20, false);
    assert_false(load_keeps(&load, &goal)); /* failures count as well */
}

/* Negative controls are the goals that name one of the two alone. */
static void test_several_percentiles_all_hold(void **state)
{
    (void)state;
    static struct load load;
    struct load_goal goal;
    load = (struct load){.rate_per_s = 1000};
    for (int64_t i = 0; i < 200; i++)
        add(&load, &accepted, i, 0, 20, false);
    assert_true(load_parse_goal(SPAN_LITERAL("p50=1ms,p99=200ms"), &goal));
    assert_false(load_keeps(&load, &goal));
    assert_true(load_parse_goal(SPAN_LITERAL("p99=200ms"), &goal));
    assert_true(load_keeps(&load, &goal));
    assert_true(load_parse_goal(SPAN_LITERAL("p99=1ms,p50=200ms"), &goal));
    assert_false(load_keeps(&load, &goal));
}

static void test_a_rate_that_was_not_started_is_not_kept(void **state)
{
    (void)state;
    static struct load load;
    struct load_goal goal;
    assert_true(load_parse_goal(SPAN_LITERAL("p99=1s"), &goal));
    load = (struct load){.rate_per_s = 100000};
    for (int64_t i = 0; i < 100; i++) /* due within a millisecond, and started over 20 */
        add(&load, &accepted, 0, i / 5, 1, false);
    assert_in_range((int64_t)load_started_per_s(&load), 4000, 6000);
    assert_false(load_keeps(&load, &goal));
    load.rate_per_s = 5000; /* negative control */
    assert_true(load_keeps(&load, &goal));
}

static void test_a_goal_wants_enough_requests(void **state)
{
    (void)state;
    struct load_goal goal;
    assert_true(load_parse_goal(SPAN_LITERAL("p99=200ms"), &goal));
    assert_int_equal(load_goal_requests(&goal, 100), 100);
    assert_int_equal(load_goal_requests(&goal, 1000), 1000); /* for a second */
    assert_true(load_parse_goal(SPAN_LITERAL("p50=2s,p99.9=20ms"), &goal));
    assert_int_equal(load_goal_requests(&goal, 10), 1000);
    assert_int_equal(load_goal_requests(&goal, 1000), 10000); /* for ten seconds */
}

/* A slow peer answers long after the last was due. */
static void test_accepted_a_second_is_of_the_time_of_starting(void **state)
{
    (void)state;
    static struct load load;
    load = (struct load){.rate_per_s = 20};
    for (int64_t i = 0; i < 60; i++)
        add(&load, &accepted, i * 50, 0, 2000, false);
    assert_true(fabs(load_accepted_per_s(&load) - 20) < 0.01);
    assert_true(fabs(load_seconds(&load) - 3) < 0.01);
    load = (struct load){.rate_per_s = 100};
    add(&load, &accepted, 0, 0, 0, false); /* one alone */
    assert_true(fabs(load_accepted_per_s(&load) - 100) < 0.01);
}

/* The same answer of a server that fails, with an errno in its body and without. */
static void test_a_server_that_fails_refuses_nothing(void **state)
{
    (void)state;
    static struct load load;
    struct outcome failure = {.status = ROW_IN_DOUBT, .http_status = 500, .error = "HTTP 500"};
    load = (struct load){.rate_per_s = 10};
    add(&load, &failure, 0, 0, 5, false);
    failure.voice = VOICE_PLATFORM;
    add(&load, &failure, 1, 0, 5, false);
    failure.status = ROW_FAILED;
    failure.http_status = 503;
    add(&load, &failure, 2, 0, 5, false);
    assert_int_equal(load.failed, 3);
    failure.http_status = 200; /* negative control */
    add(&load, &failure, 3, 0, 5, false);
    assert_int_equal(load.refused, 1);
}

static void fill(struct load *load, int64_t late_ms, bool waited, double cpu_s)
{
    *load = (struct load){.rate_per_s = 100, .concurrency = 7};
    for (int64_t i = 0; i < 200; i++)
        add(load, &accepted, i * 10, late_ms, 20, waited);
    load->cpu_s = cpu_s;
}

static void test_it_is_said_what_the_limit_was(void **state)
{
    (void)state;
    static struct load load;
    fill(&load, 0, false, 0.2);
    assert_int_equal(load_limit_of(&load), LOAD_PEER);
    fill(&load, 1, false, 0.2); /* that much is no news */
    assert_int_equal(load_limit_of(&load), LOAD_PEER);
    fill(&load, 30, false, 0.2);
    assert_int_equal(load_limit_of(&load), LOAD_LATE);
    fill(&load, 30, true, 0.2); /* late, but since the peer had not answered */
    assert_int_equal(load_limit_of(&load), LOAD_PLACES);
    fill(&load, 30, false, 2);
    assert_int_equal(load_limit_of(&load), LOAD_CPU);
}

static void test_a_reason_says_its_status_once(void **state)
{
    (void)state;
    static struct load load;
    const struct load *const loads[] = {&load};
    const struct load_report report = {.target = "http://127.0.0.1:1", .loads = loads, .count = 1};
    struct outcome told = refused;
    struct buf out;

    told.http_status = 400;
    load = (struct load){.rate_per_s = 10, .concurrency = 4};
    add(&load, &slowed, 0, 0, 20, false);
    add(&load, &told, 100, 0, 20, false);
    buf_init(&out, 1024 * 1024);
    load_add_text(&report, &out);
    assert_non_null(strstr(buf_string(&out), "1 × failed: HTTP 429\n"));
    assert_non_null(strstr(buf_string(&out), "1 × rejected, errno 15, HTTP 400: too <many>\n"));
    buf_deinit(&out);
}

static void test_all_reports_say_the_same(void **state)
{
    (void)state;
    static struct load load;
    static struct series ended;
    const struct load *const loads[] = {&load};
    const struct load_report report = {.target = "http://127.0.0.1:1<",
                                       .warm_up_ms = 1500,
                                       .processors = 2,
                                       .loads = loads,
                                       .count = 1,
                                       .goal = "p99=1s",
                                       .found = 250,
                                       .max = 1000};
    struct buf out;

    load = (struct load){.rate_per_s = 10, .concurrency = 4};
    add(&load, &accepted, 0, 400, 20, true);
    add(&load, &refused, 100, 0, 20, false);
    series_add(&ended, 1700000000000, ROW_ACCEPTED, 2);
    buf_init(&out, 1024 * 1024);
    load_add_text(&report, &out);
    assert_non_null(strstr(buf_string(&out), "    420.00  from when it was due\n"));
    assert_non_null(strstr(buf_string(&out), "     20.00  from when it left\n"));
    assert_non_null(strstr(buf_string(&out), "1 of 2 were refused, 0 failed"));
    assert_non_null(strstr(buf_string(&out), "1 × rejected, errno 15: too <many>\n"));
    assert_non_null(strstr(buf_string(&out), "1 of 2 found 4 under way"));
    assert_non_null(strstr(buf_string(&out), "p99=1s: kept up to 250/s\n"));
    buf_clear(&out);
    assert_int_equal(load_add_json(&report, &out), STATUS_OK);
    assert_non_null(strstr(buf_string(&out), "\"refused\":1,\"failed\":0,"));
    assert_non_null(strstr(buf_string(&out), "\"limit\":\"concurrency\""));
    assert_non_null(strstr(buf_string(&out), "\"find\":{\"goal\":\"p99=1s\",\"rate\":250}"));
    buf_clear(&out);
    load_page_add_html(&report, &ended, "1.2.3", &out);
    assert_int_equal(out.status, STATUS_OK);
    assert_non_null(strstr(buf_string(&out), "http://127.0.0.1:1&lt;"));
    assert_non_null(strstr(buf_string(&out), "420 ms<small>20.0 ms</small>"));
    assert_non_null(strstr(buf_string(&out), "too &lt;many&gt;"));
    assert_non_null(strstr(buf_string(&out), "kept up to 250 requests a second"));
    assert_null(strstr(buf_string(&out), "{{"));
    buf_deinit(&out);
}

/* All three forms of a report, one behind the other. */
static void add_all(const struct load_report *report, struct buf *out)
{
    static struct series ended;

    buf_clear(out);
    load_add_text(report, out);
    assert_int_equal(load_add_json(report, out), STATUS_OK);
    load_page_add_html(report, &ended, "1.2.3", out);
    assert_int_equal(out->status, STATUS_OK);
}

static void test_what_was_not_measured_is_no_verdict(void **state)
{
    (void)state;
    static struct load short_one, none;
    const struct load *const loads[] = {&short_one}, *const unmeasured[] = {&none};
    struct load_report report = {.target = "x", .goal = "p99=1s", .max = 1000};
    struct buf out;

    buf_init(&out, 1024 * 1024);
    add_all(&report, &out); /* negative control: all was tried */
    assert_non_null(strstr(buf_string(&out), "p99=1s: no rate keeps it"));
    assert_non_null(strstr(buf_string(&out), "\"rate\":0}"));
    report.end = LOAD_NO_ROWS;
    report.unmeasured = unmeasured;
    report.unmeasured_count = 1;
    none = (struct load){.rate_per_s = 400, .end = LOAD_NO_ROWS};
    add_all(&report, &out);
    assert_null(strstr(buf_string(&out), "no rate keeps it"));
    assert_null(strstr(buf_string(&out), "p50 ms"));
    assert_non_null(strstr(buf_string(&out), "p99=1s: not known: the input has no rows left\n"));
    assert_non_null(strstr(buf_string(&out), "nothing could be measured at 400/s: the input has "));
    assert_non_null(strstr(buf_string(&out), "[{\"rate\":400,\"ended\":\"no_rows\"}]"));
    assert_non_null(strstr(buf_string(&out), "\"rate\":null}"));
    assert_non_null(strstr(buf_string(&out), "Nothing could be measured at 400/s"));
    report.found = 250;
    report.loads = loads;
    report.count = 1;
    report.end = LOAD_INTERRUPTED;
    short_one = (struct load){.rate_per_s = 10, .end = LOAD_INTERRUPTED, .wanted = 5};
    add(&short_one, &accepted, 0, 0, 20, false);
    add_all(&report, &out);
    assert_non_null(
        strstr(buf_string(&out), "cut short, 1 of 5 requests were measured: it was in"));
    assert_non_null(
        strstr(buf_string(&out), "kept up to 250/s; above that it is not known: it wa"));
    assert_non_null(strstr(buf_string(&out), "<small>cut short: it was interrupted</small>"));
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_latencies_are_counted),
        cmocka_unit_test(test_refusals_are_told_from_failures),
        cmocka_unit_test(test_a_request_that_never_left_has_no_latency),
        cmocka_unit_test(test_a_goal_is_read),
        cmocka_unit_test(test_a_goal_is_kept_by_latency_and_shares),
        cmocka_unit_test(test_several_percentiles_all_hold),
        cmocka_unit_test(test_a_rate_that_was_not_started_is_not_kept),
        cmocka_unit_test(test_a_goal_wants_enough_requests),
        cmocka_unit_test(test_accepted_a_second_is_of_the_time_of_starting),
        cmocka_unit_test(test_a_server_that_fails_refuses_nothing),
        cmocka_unit_test(test_it_is_said_what_the_limit_was),
        cmocka_unit_test(test_a_reason_says_its_status_once),
        cmocka_unit_test(test_all_reports_say_the_same),
        cmocka_unit_test(test_what_was_not_measured_is_no_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
