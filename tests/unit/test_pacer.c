#include "unit.h"

#include "send/pacer.h"

#define MS INT64_C(1000000)

static struct pacer pacer;
static enum pacer_wait why;

static void start(int64_t count, int64_t per_ms, bool adaptive)
{
    const struct pacer_options options = {.rate_count = count,
                                          .rate_per_ms = per_ms,
                                          .burst = 1,
                                          .adaptive = adaptive,
                                          .concurrency = 64};
    pacer_init(&pacer, &options, 1000);
}

static struct pacer_news end(enum outcome_class class, int http_status, uint32_t ticket,
                             int64_t started_ms, int64_t host_wait_ms, int64_t now_ms)
{
    const struct outcome outcome = {.class = class, .http_status = http_status};
    const struct pacer_attempt attempt = {.outcome = &outcome,
                                          .ticket = ticket,
                                          .started_ms = started_ms,
                                          .host_wait_ms = host_wait_ms};
    struct pacer_news news;

    pacer_end(&pacer, &attempt, now_ms, &news);
    return news;
}

static void test_without_a_limit_everything_may_start(void **state)
{
    (void)state;
    start(0, 1000, true);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(pacer_next_ns(&pacer, 1000 * MS, &why), 0);
        assert_int_equal(why, PACER_GO);
        (void)pacer_start(&pacer, 1000 * MS);
    }
    assert_int_equal(pacer_rate_per_hour(&pacer), 0);
    assert_int_equal(pacer_concurrency(&pacer), 64);
}

static void test_a_rate_holds_over_a_simulated_day(void **state)
{
    (void)state;
    uint64_t starts = 0;

    start(7, 60 * 1000, true); /* 7 a minute */
    /* A timer of milliseconds, set for what the pacer says. */
    for (int64_t now_ms = 1000; now_ms <= 1000 + 24 * 3600 * 1000;) {
        int64_t next_ns = pacer_next_ns(&pacer, now_ms * MS, &why);
        if (next_ns == 0) {
            (void)pacer_start(&pacer, now_ms * MS);
            starts++;
        } else {
            assert_int_equal(why, PACER_RATE);
            now_ms = (next_ns + MS - 1) / MS;
        }
    }
    assert_in_range(starts, 7 * 60 * 24, 7 * 60 * 24 + 1);
}

static void test_throttling_halves_the_rate_or_the_places(void **state)
{
    (void)state;
    start(20, 1000, true);
    uint32_t ticket = pacer_start(&pacer, 1000 * MS);
    assert_int_equal(end(OUTCOME_AGAIN, 429, ticket, 1000, 0, 1100).throttle, THROTTLE_LOWERED);
    assert_int_equal(pacer_rate_per_hour(&pacer), 10 * 3600);
    assert_int_equal(pacer_concurrency(&pacer), 64);
    start(0, 1000, true);
    ticket = pacer_start(&pacer, 1000 * MS);
    assert_int_equal(end(OUTCOME_AGAIN, 429, ticket, 1000, 0, 1100).throttle, THROTTLE_LOWERED);
    assert_int_equal(pacer_concurrency(&pacer), 32);
    start(0, 1000, false);
    ticket = pacer_start(&pacer, 1000 * MS);
    assert_int_equal(end(OUTCOME_AGAIN, 429, ticket, 1000, 0, 1100).throttle, THROTTLE_SAME);
    assert_int_equal(pacer_concurrency(&pacer), 64);
}

static void test_a_ramp_rises_and_a_throttled_one_keeps_its_limit(void **state)
{
    (void)state;
    const struct pacer_options options = {.burst = 1,
                                          .has_ramp = true,
                                          .ramp = {10 * 3600, 110 * 3600, 10 * 1000},
                                          .adaptive = true,
                                          .concurrency = 64};
    pacer_init(&pacer, &options, 0);
    assert_int_equal(pacer_rate_per_hour(&pacer), 10 * 3600);
    (void)pacer_next_ns(&pacer, 5000 * MS, &why);
    assert_int_equal(pacer_rate_per_hour(&pacer), 60 * 3600);
    uint32_t ticket = pacer_start(&pacer, 5000 * MS);
    (void)end(OUTCOME_AGAIN, 429, ticket, 5000, 0, 5001);
    assert_int_equal(pacer_rate_per_hour(&pacer), 30 * 3600);
    (void)pacer_next_ns(&pacer, 20000 * MS, &why);
    assert_int_equal(pacer_rate_per_hour(&pacer), 30 * 3600);
}

static void test_retry_after_holds_everything_back(void **state)
{
    (void)state;
    start(0, 1000, false);
    uint32_t ticket = pacer_start(&pacer, 1000 * MS);
    (void)end(OUTCOME_AGAIN, 503, ticket, 1000, 5000, 1100);
    assert_int_equal(pacer_next_ns(&pacer, 1200 * MS, &why), 6100 * MS);
    assert_int_equal(why, PACER_HOST);
    ticket = pacer_start(&pacer, 6100 * MS);
    (void)end(OUTCOME_AGAIN, 503, ticket, 6100, 10, 6100); /* a shorter one shortens nothing */
    assert_int_equal(pacer_next_ns(&pacer, 6110 * MS, &why), 0);
}

static void test_an_outage_lets_one_at_a_time_through(void **state)
{
    (void)state;
    bool told = false;

    start(0, 1000, true);
    for (int i = 0; i < BREAKER_RUN; i++) {
        assert_int_equal(pacer_next_ns(&pacer, 2000 * MS, &why), 0);
        told = end(OUTCOME_AGAIN, 0, pacer_start(&pacer, 2000 * MS), 2000, 0, 2000).breaker_changed;
    }
    assert_true(told);
    assert_int_equal(pacer_next_ns(&pacer, 2000 * MS, &why), (2000 + BREAKER_DELAY_MS) * MS);
    assert_int_equal(why, PACER_OUTAGE);
    assert_int_equal(pacer_next_ns(&pacer, 3000 * MS, &why), 0);
    uint32_t ticket = pacer_start(&pacer, 3000 * MS);
    assert_true(pacer_next_ns(&pacer, 3000 * MS, &why) == INT64_MAX);
    assert_true(end(OUTCOME_ACCEPTED, 200, ticket, 3000, 0, 3010).breaker_changed);
    assert_int_equal(pacer_next_ns(&pacer, 3010 * MS, &why), 0);
}

static void test_a_pause_lasts_until_it_is_over(void **state)
{
    (void)state;
    start(0, 1000, true);
    pacer.paused = true;
    assert_true(pacer_next_ns(&pacer, 1000 * MS, &why) == INT64_MAX);
    assert_int_equal(why, PACER_PAUSED);
    pacer.paused = false;
    assert_int_equal(pacer_next_ns(&pacer, 1000 * MS, &why), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_limit_everything_may_start),
        cmocka_unit_test(test_a_rate_holds_over_a_simulated_day),
        cmocka_unit_test(test_throttling_halves_the_rate_or_the_places),
        cmocka_unit_test(test_a_ramp_rises_and_a_throttled_one_keeps_its_limit),
        cmocka_unit_test(test_retry_after_holds_everything_back),
        cmocka_unit_test(test_an_outage_lets_one_at_a_time_through),
        cmocka_unit_test(test_a_pause_lasts_until_it_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
