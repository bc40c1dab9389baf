#include "unit.h"

#include "send/limiter.h"
#include "send/throttle.h"

static struct outcome judged(int http_status, bool has_retry_after, const char *body)
{
    struct answer answer = {.state = http_status != 0 ? ANSWER_ANSWERED : ANSWER_NOT_SENT,
                            .http_status = http_status,
                            .has_retry_after = has_retry_after,
                            .body = span_string(body)};
    struct outcome outcome;
    outcome_judge(&answer, &outcome);
    return outcome;
}

#define UUID_BODY "{\"errno\":0,\"data\":{\"uuid\":\"u\"}}"

/* An attempt that took `took_ms`, and ended. */
static enum throttle_change slow(struct throttle *throttle, int64_t took_ms, int64_t now_ms)
{
    struct outcome outcome = judged(429, false, "");
    return throttle_add(throttle, &outcome, now_ms - took_ms, now_ms);
}

static enum throttle_change fine(struct throttle *throttle, int64_t now_ms)
{
    struct outcome outcome = judged(200, false, UUID_BODY);
    return throttle_add(throttle, &outcome, now_ms, now_ms);
}

static void test_what_throttles(void **state)
{
    (void)state;
    static const struct {
        int http;
        bool retry_after;
        const char *body;
        bool called_for;
    } cases[] = {
        {429, false, "", true},
        {429, true, "", true},
        {503, true, "", true},
        {503, false, "", false},
        {200, false, "{\"errno\":15}", true},
        {200, false, "{\"errno\":7}", true},
        {200, false, "{\"errno\":5117}", false},
        {200, false, "{\"errno\":5006}", false},
        {200, false, UUID_BODY, false},
        {500, false, "", false},
        {0, false, "", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct outcome outcome = judged(cases[i].http, cases[i].retry_after, cases[i].body);
        assert_int_equal(throttle_is_called_for(&outcome), cases[i].called_for);
    }
}

static void test_it_halves_at_most_once_per_interval_and_round_trip(void **state)
{
    (void)state;
    struct throttle throttle;

    throttle_init(&throttle, true, 64, 1, 0);
    assert_int_equal(slow(&throttle, 50, 100), THROTTLE_LOWERED);
    assert_int_equal(throttle_value(&throttle), 32);
    for (int64_t now_ms = 100; now_ms < 100 + THROTTLE_INTERVAL_MS; now_ms++)
        assert_int_equal(slow(&throttle, 0, now_ms), THROTTLE_SAME);
    /* It started before the cut: it was sent at the old pace. */
    assert_int_equal(slow(&throttle, 5001, 5100), THROTTLE_SAME);
    assert_int_equal(slow(&throttle, 5000, 5100), THROTTLE_LOWERED);
    assert_int_equal(throttle_value(&throttle), 16);
    assert_int_equal(throttle.cuts, 2);
    assert_int_equal(slow(&throttle, 0, 5100 + THROTTLE_INTERVAL_MS - 1), THROTTLE_SAME);
    assert_int_equal(slow(&throttle, 0, 5100 + THROTTLE_INTERVAL_MS), THROTTLE_LOWERED);
}

static void test_it_never_goes_below_its_floor(void **state)
{
    (void)state;
    static const struct {
        int64_t ceiling, floor, lowest;
    } cases[] = {{64, 1, 1},
                 {7, 1, 1},
                 {1, 1, 1},
                 {20000 * INT64_C(3600), THROTTLE_RATE_FLOOR, 3600},
                 {600, THROTTLE_RATE_FLOOR, 600}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct throttle throttle;
        int64_t last;
        throttle_init(&throttle, true, cases[i].ceiling, cases[i].floor, 0);
        for (int64_t now_ms = 0; now_ms < 100 * 1000; now_ms += 1000) {
            last = throttle_value(&throttle);
            bool lowered = slow(&throttle, 0, now_ms) == THROTTLE_LOWERED;
            assert_int_equal(lowered, throttle_value(&throttle) < last);
        }
        assert_int_equal(throttle_value(&throttle), cases[i].lowest);
    }
}

static void test_it_recovers_by_steps_up_to_its_ceiling(void **state)
{
    (void)state;
    struct throttle throttle;

    throttle_init(&throttle, true, 100, 1, 0);
    assert_int_equal(fine(&throttle, 5000), THROTTLE_SAME); /* nothing to recover */
    assert_int_equal(slow(&throttle, 0, 10000), THROTTLE_LOWERED);
    for (int64_t step = 1; step <= 10; step++) {
        int64_t at_ms = 10000 + step * THROTTLE_INTERVAL_MS;
        assert_int_equal(fine(&throttle, at_ms - 1), THROTTLE_SAME);
        assert_int_equal(fine(&throttle, at_ms), THROTTLE_RAISED);
        assert_int_equal(fine(&throttle, at_ms), THROTTLE_SAME);
        assert_int_equal(throttle_value(&throttle), 50 + 5 * step);
    }
    assert_int_equal(fine(&throttle, 99999), THROTTLE_SAME);
    assert_int_equal(throttle_value(&throttle), 100);
    throttle_set_ceiling(&throttle, 150); /* fully recovered: nothing but the ceiling holds */
    assert_int_equal(throttle_value(&throttle), 150);
    /* A ceiling smaller than the number of steps is regained one by one. */
    throttle_init(&throttle, true, 4, 1, 0);
    assert_int_equal(slow(&throttle, 0, 0), THROTTLE_LOWERED);
    assert_int_equal(fine(&throttle, 1000), THROTTLE_RAISED);
    assert_int_equal(throttle_value(&throttle), 3);
}

static void test_only_answers_after_a_calm_interval_raise_it(void **state)
{
    (void)state;
    struct throttle throttle;
    struct outcome failed = judged(0, false, ""), broken = judged(502, false, "");

    throttle_init(&throttle, true, 100, 1, 0);
    assert_int_equal(slow(&throttle, 0, 0), THROTTLE_LOWERED);
    assert_int_equal(slow(&throttle, 900, 900), THROTTLE_SAME); /* too early to cut, but not calm */
    assert_int_equal(fine(&throttle, 1500), THROTTLE_SAME);
    assert_int_equal(throttle_add(&throttle, &failed, 1900, 1900), THROTTLE_SAME);
    assert_int_equal(throttle_add(&throttle, &broken, 1900, 1900), THROTTLE_SAME);
    assert_int_equal(fine(&throttle, 1900), THROTTLE_RAISED);
}

static void test_switched_off_it_leaves_the_ceiling(void **state)
{
    (void)state;
    struct throttle throttle;

    throttle_init(&throttle, false, 100, 1, 0);
    for (int64_t now_ms = 0; now_ms < 10000; now_ms += 500)
        assert_int_equal(slow(&throttle, 0, now_ms), THROTTLE_SAME);
    assert_int_equal(throttle_value(&throttle), 100);
}

static void test_a_ceiling_that_rises_lifts_what_is_not_throttled_alone(void **state)
{
    (void)state;
    struct throttle throttle;

    throttle_init(&throttle, true, 100, 1, 0);
    throttle_set_ceiling(&throttle, 200);
    assert_int_equal(throttle_value(&throttle), 200);
    assert_int_equal(slow(&throttle, 0, 0), THROTTLE_LOWERED);
    throttle_set_ceiling(&throttle, 400);
    assert_int_equal(throttle_value(&throttle), 100);
    assert_int_equal(fine(&throttle, 1000), THROTTLE_RAISED);
    assert_int_equal(throttle_value(&throttle), 120);
    throttle_set_ceiling(&throttle, 50);
    assert_int_equal(throttle_value(&throttle), 50);
    assert_int_equal(fine(&throttle, 2000), THROTTLE_SAME); /* the ceiling alone holds now … */
    throttle_set_ceiling(&throttle, 90);
    assert_int_equal(throttle_value(&throttle), 90); /* … and so may rise */
    assert_int_equal(slow(&throttle, 0, 9000), THROTTLE_LOWERED);
    for (int64_t now_ms = 10000; throttle_value(&throttle) < 90; now_ms += THROTTLE_INTERVAL_MS)
        assert_int_equal(fine(&throttle, now_ms), THROTTLE_RAISED);
    throttle_set_ceiling(&throttle, 300);
    assert_int_equal(throttle_value(&throttle), 300);
}

/* Against a platform that answers 429 beyond 60/s, asked for 500/s: the rate settles around what
 * there is, and few rows are throttled. */
static void test_the_rate_settles_around_what_the_platform_takes(void **state)
{
    (void)state;
    struct throttle throttle;
    struct limiter limiter, platform;
    const int64_t ms_ns = 1000 * 1000;
    size_t refused = 0, taken = 0;

    throttle_init(&throttle, true, 500 * INT64_C(3600), THROTTLE_RATE_FLOOR, 0);
    limiter_init(&limiter, 500, 1000, 1, 0);
    limiter_init(&platform, 60, 1000, 60, 0);
    for (int64_t now_ms = 0; now_ms < 600 * 1000; now_ms++) {
        int64_t now_ns = now_ms * ms_ns;
        while (limiter_next_ns(&limiter, now_ns) == 0) {
            limiter_take(&limiter, now_ns);
            bool ok = limiter_next_ns(&platform, now_ns) == 0;
            if (ok)
                limiter_take(&platform, now_ns);
            refused += !ok;
            taken += ok;
            if ((ok ? fine(&throttle, now_ms) : slow(&throttle, 0, now_ms)) != THROTTLE_SAME)
                limiter_set_rate(&limiter, throttle_value(&throttle), LIMITER_HOUR_MS, now_ns);
        }
    }
    assert_true(taken > 600 * 60 * 3 / 4);
    assert_true(refused < taken / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_throttles),
        cmocka_unit_test(test_it_halves_at_most_once_per_interval_and_round_trip),
        cmocka_unit_test(test_it_never_goes_below_its_floor),
        cmocka_unit_test(test_it_recovers_by_steps_up_to_its_ceiling),
        cmocka_unit_test(test_only_answers_after_a_calm_interval_raise_it),
        cmocka_unit_test(test_switched_off_it_leaves_the_ceiling),
        cmocka_unit_test(test_a_ceiling_that_rises_lifts_what_is_not_throttled_alone),
        cmocka_unit_test(test_the_rate_settles_around_what_the_platform_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
