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
                                          .rate_is_asked = count > 0,
                                          .adaptive = adaptive,
                                          .concurrency = 64};
    pacer_init(&pacer, &options, 1000 * MS);
}

static struct pacer_news end(enum outcome_class class, int http_status, uint32_t ticket,
                             int64_t started_ms, int64_t host_wait_ms, int64_t now_ms)
{
    const struct outcome outcome = {.class = class, .http_status = http_status};
    struct pacer_row row = {0};
    const struct pacer_attempt attempt = {.outcome = &outcome,
                                          .row = &row,
                                          .ticket = ticket,
                                          .started_ns = started_ms * MS,
                                          .host_wait_ms = host_wait_ms};
    struct pacer_news news;

    pacer_end(&pacer, &attempt, now_ms * MS, &news);
    return news;
}

static void test_without_a_limit_everything_may_start(void **state)
{
    (void)state;
    start(0, 1000, false);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(pacer_next_ns(&pacer, 1000 * MS, &why), 0);
        assert_int_equal(why, PACER_GO);
        (void)pacer_start(&pacer, 1000 * MS);
    }
    assert_int_equal(pacer_rate_per_hour(&pacer), 0);
}

static void test_what_follows_other_requests_has_no_burst(void **state)
{
    (void)state;
    struct pacer_options options = {
        .rate_count = 2, .rate_per_ms = 1000, .burst = 5, .rate_is_asked = true, .concurrency = 64};

    pacer_init(&pacer, &options, 1000 * MS);
    assert_int_equal(pacer_next_ns(&pacer, 1000 * MS, &why), 0);
    options.follows = true;
    pacer_init(&pacer, &options, 1000 * MS);
    assert_int_equal(pacer_next_ns(&pacer, 1000 * MS, &why), 1500 * MS);
    assert_int_equal(why, PACER_RATE);
}

static void start_rows(uint64_t rows)
{
    const struct pacer_options options = {.burst = 1,
                                          .adaptive = true,
                                          .concurrency = 64,
                                          .rows = rows};

    pacer_init(&pacer, &options, 1000 * MS);
}

/* Starts what may start, and answers it 20 ms later. Returns how many these were. */
static size_t go_round(int64_t now_ms)
{
    uint32_t tickets[64];
    size_t count = 0;

    while (count < 64 && pacer_next_ns(&pacer, now_ms * MS, &why) == 0)
        tickets[count++] = pacer_start(&pacer, now_ms * MS);
    for (size_t i = 0; i < count; i++)
        (void)end(OUTCOME_ACCEPTED, 200, tickets[i], now_ms, 0, now_ms + 20);
    return count;
}

static void test_without_a_rate_it_grows_until_nothing_holds(void **state)
{
    (void)state;
    int64_t now_ms = 1000;

    start_rows(0);
    assert_int_equal(go_round(now_ms), 1);
    while (pacer_rate_per_hour(&pacer) > 0) {
        now_ms += 20;
        assert_true(go_round(now_ms) <= 64);
        assert_true(now_ms < 5000);
    }
    assert_int_equal(go_round(now_ms + 20), 64);
}

static void test_a_run_of_few_rows_begins_with_all_at_once(void **state)
{
    (void)state;
    start_rows(PACER_SHORT_RUN * 64);
    assert_int_equal(pacer_rate_per_hour(&pacer), 0);
    assert_int_equal(go_round(1000), 64);
    start_rows(PACER_SHORT_RUN * 64 + 1);
    assert_int_equal(go_round(1000), 1);
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

/* Two refusals are a limit; one may be chance. */
static enum pace_change refuse_two(int64_t now_ms)
{
    uint32_t first = pacer_start(&pacer, now_ms * MS);
    uint32_t second = pacer_start(&pacer, (now_ms + 100) * MS);

    assert_int_equal(end(OUTCOME_AGAIN, 429, first, now_ms, 0, now_ms + 50).pace, PACE_SAME);
    return end(OUTCOME_AGAIN, 429, second, now_ms + 100, 0, now_ms + 150).pace;
}

static void test_refusals_lower_the_rate_and_are_told_once(void **state)
{
    (void)state;
    start(20, 1000, true);
    assert_int_equal(refuse_two(1000), PACE_LOWERED);
    int64_t rate = pacer_rate_per_hour(&pacer);
    assert_in_range(rate, 5 * 3600, 19 * 3600);
    uint32_t ticket = pacer_start(&pacer, 1300 * MS);
    assert_int_equal(end(OUTCOME_AGAIN, 429, ticket, 1300, 0, 1350).pace, PACE_SAME);
    assert_true(pacer_rate_per_hour(&pacer) <= rate);
    start(20, 1000, false);
    assert_int_equal(refuse_two(1000), PACE_SAME);
    assert_int_equal(pacer_rate_per_hour(&pacer), 20 * 3600);
}

static void test_a_ramp_rises_and_a_limit_below_it_holds(void **state)
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
    assert_int_equal(refuse_two(5000), PACE_LOWERED);
    int64_t rate = pacer_rate_per_hour(&pacer);
    assert_in_range(rate, 5 * 3600, 59 * 3600);
    (void)pacer_next_ns(&pacer, 20000 * MS, &why);
    assert_int_equal(pacer_rate_per_hour(&pacer), rate);
}

static void test_retry_after_holds_everything_back_where_most_answers_refuse(void **state)
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

static void test_retry_after_delays_nobody_else_where_most_are_taken(void **state)
{
    (void)state;
    start(0, 1000, false);
    for (int i = 0; i < 100; i++) {
        bool refused = i % 3 == 2;
        uint32_t ticket = pacer_start(&pacer, 1000 * MS);
        (void)end(refused ? OUTCOME_AGAIN : OUTCOME_ACCEPTED, refused ? 429 : 200, ticket, 1000,
                  refused ? 5000 : 0, 1100);
        assert_int_equal(pacer_next_ns(&pacer, 1100 * MS, &why), 0);
    }
}

static void test_an_outage_lets_one_at_a_time_through(void **state)
{
    (void)state;
    bool told = false;

    start(0, 1000, false);
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

/* A limit refuses most of what comes at once, and is no outage; a platform that refuses all is. */
static void test_a_limit_opens_no_breaker_and_refusing_everything_does(void **state)
{
    (void)state;
    bool opened = false;

    start(0, 1000, false);
    for (int64_t now_ms = 1000; now_ms < 60 * 1000; now_ms += 10) {
        bool refused = now_ms % 100 != 0;
        uint32_t ticket = pacer_start(&pacer, now_ms * MS);
        assert_false(end(refused ? OUTCOME_AGAIN : OUTCOME_ACCEPTED, refused ? 429 : 200, ticket,
                         now_ms, 0, now_ms)
                         .breaker_changed);
    }
    int64_t now_ms = 60 * 1000;
    for (; now_ms < 70 * 1000 && !opened; now_ms += 10)
        opened = end(OUTCOME_AGAIN, 429, pacer_start(&pacer, now_ms * MS), now_ms, 0, now_ms)
                     .breaker_changed;
    assert_true(opened);
    assert_in_range(now_ms, 59900 + BREAKER_REFUSED_MS, 59900 + BREAKER_REFUSED_MS + 100);
    assert_true(pacer_next_ns(&pacer, now_ms * MS, &why) > now_ms * MS);
    assert_int_equal(why, PACER_OUTAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_limit_everything_may_start),
        cmocka_unit_test(test_what_follows_other_requests_has_no_burst),
        cmocka_unit_test(test_a_rate_holds_over_a_simulated_day),
        cmocka_unit_test(test_without_a_rate_it_grows_until_nothing_holds),
        cmocka_unit_test(test_a_run_of_few_rows_begins_with_all_at_once),
        cmocka_unit_test(test_refusals_lower_the_rate_and_are_told_once),
        cmocka_unit_test(test_a_ramp_rises_and_a_limit_below_it_holds),
        cmocka_unit_test(test_retry_after_holds_everything_back_where_most_answers_refuse),
        cmocka_unit_test(test_retry_after_delays_nobody_else_where_most_are_taken),
        cmocka_unit_test(test_a_limit_opens_no_breaker_and_refusing_everything_does),
        cmocka_unit_test(test_an_outage_lets_one_at_a_time_through),
        cmocka_unit_test(test_a_pause_lasts_until_it_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
