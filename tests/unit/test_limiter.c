#include "unit.h"

#include "core/prng.h"
#include "send/limiter.h"

#define MS_NS     INT64_C(1000000)
#define SECOND_NS INT64_C(1000000000)
#define HOUR_NS   (3600 * SECOND_NS)
#define DAY_NS    (24 * HOUR_NS)

enum { STARTS_MAX = 20 * 1000 };

/* Starts all that may start now; returns how many. */
static size_t start_all(struct limiter *limiter, int64_t now_ns)
{
    size_t count = 0;
    while (limiter_next_ns(limiter, now_ns) == 0) {
        limiter_take(limiter, now_ns);
        count++;
        assert_true(count <= 3 * STARTS_MAX);
    }
    return count;
}

/* A caller that wakes exactly when it is told to, up to and with `until_ns`. */
static uint64_t run_punctually(struct limiter *limiter, int64_t now_ns, int64_t until_ns)
{
    uint64_t before = limiter->taken;
    while (now_ns <= until_ns) {
        (void)start_all(limiter, now_ns);
        int64_t next_ns = limiter_next_ns(limiter, now_ns);
        assert_true(next_ns > now_ns);
        now_ns = next_ns;
    }
    return limiter->taken - before;
}

static void test_days_are_exact_to_the_start(void **state)
{
    (void)state;
    static const struct {
        int64_t count, per_ms, span_ns;
        uint64_t starts; /* in the span, with its ends */
    } cases[] = {
        {7, 1000, DAY_NS, 604800 + 1},
        {1, LIMITER_HOUR_MS, 30 * DAY_NS, 720 + 1},
        {11, LIMITER_HOUR_MS, 30 * DAY_NS, 7920 + 1},
        {13, 60 * 1000, 7 * DAY_NS, 131040 + 1},
        {20000, 1000, 100 * SECOND_NS, 2000000 + 1},
        {19999, 1000, 100 * SECOND_NS, 1999900 + 1},
        {LIMITER_COUNT_MAX, LIMITER_HOUR_MS, SECOND_NS, 1000000 + 1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct limiter limiter;
        const int64_t begin_ns = 123456789;
        limiter_init(&limiter, cases[i].count, cases[i].per_ms, 1, begin_ns);
        assert_int_equal(run_punctually(&limiter, begin_ns, begin_ns + cases[i].span_ns),
                         cases[i].starts);
    }
}

/* Each start comes at the first nanosecond of its place in an even row. */
static void test_starts_are_evenly_spaced(void **state)
{
    (void)state;
    static const struct {
        int64_t count, per_ms;
    } rates[] = {{1, LIMITER_HOUR_MS}, {7, 1000}, {13, 60 * 1000}, {999, 1000}, {20000, 1000}};

    for (size_t i = 0; i < ARRAY_LENGTH(rates); i++) {
        struct limiter limiter;
        int64_t per_ns = rates[i].per_ms * MS_NS, count = rates[i].count, now_ns = 0;
        limiter_init(&limiter, count, rates[i].per_ms, 1, 0);
        for (int64_t n = 0; n < 2000; n++) {
            assert_int_equal(now_ns, (n * per_ns + count - 1) / count);
            assert_int_equal(start_all(&limiter, now_ns), 1);
            now_ns = limiter_next_ns(&limiter, now_ns);
            assert_int_equal(start_all(&limiter, now_ns - 1), 0);
        }
    }
}

static void test_a_timer_of_one_millisecond_starts_all_that_fell_due(void **state)
{
    (void)state;
    struct limiter limiter;

    limiter_init(&limiter, 20000, 1000, 1, 0);
    assert_int_equal(start_all(&limiter, 0), 1);
    for (int64_t ms = 1; ms <= 10000; ms++)
        assert_int_equal(start_all(&limiter, ms * MS_NS), 20);
}

/* A caller that is late, at random, by less than the slack, reaches the rate to the start. */
static void test_late_wake_ups_within_the_slack_lose_nothing(void **state)
{
    (void)state;
    static const int64_t rates[] = {1, 7, 150, 999, 20000};

    for (uint64_t seed = 1; seed <= ARRAY_LENGTH(rates); seed++) {
        struct limiter limiter;
        struct prng prng = {seed};
        int64_t now_ns = 0, rate = rates[seed - 1];
        print_message("seed %d: %d/s\n", (int)seed, (int)rate);
        limiter_init(&limiter, rate, 1000, 1, 0);
        while (now_ns < 60 * SECOND_NS) {
            (void)start_all(&limiter, now_ns);
            int64_t due_ns = limiter_next_ns(&limiter, now_ns);
            now_ns = due_ns + (int64_t)prng_up_to(&prng, LIMITER_SLACK_NS);
        }
        (void)start_all(&limiter, now_ns);
        /* Credit is given in whole nanoseconds of waiting, so this is floor(1 + rate · T). */
        assert_int_equal(limiter.taken, 1 + now_ns * rate / SECOND_NS);
    }
}

static void test_a_long_pause_grants_the_burst_and_the_slack_only(void **state)
{
    (void)state;
    struct limiter limiter;

    limiter_init(&limiter, 1000, 1000, 10, 0);
    assert_int_equal(start_all(&limiter, 0), 10);
    assert_int_equal(start_all(&limiter, HOUR_NS), 10 + 5);
    limiter_init(&limiter, 7, 1000, 1, 0);
    assert_int_equal(start_all(&limiter, 0), 1);
    assert_int_equal(start_all(&limiter, DAY_NS), 1);
    limiter_init(&limiter, LIMITER_COUNT_MAX, LIMITER_HOUR_MS, LIMITER_BURST_MAX, 0);
    assert_int_equal(limiter_next_ns(&limiter, INT64_MAX), 0); /* nothing overflows */
    limiter_init(&limiter, 1, LIMITER_HOUR_MS, LIMITER_BURST_MAX, 0);
    assert_int_equal(limiter_next_ns(&limiter, INT64_MAX), 0);
}

/* The window bound, for each pair of starts: (n - burst) · per ≤ count · (D + slack). Returns how
 * many pairs go beyond what a bucket without slack would allow. */
static size_t check_windows(const int64_t *starts_ns, size_t starts, int64_t count, int64_t per_ns,
                            int64_t burst)
{
    size_t beyond = 0;

    for (size_t i = 0; i < starts; i++) {
        for (size_t j = i; j < starts && j < i + 3000; j++) {
            int64_t n = (int64_t)(j - i + 1), span_ns = starts_ns[j] - starts_ns[i];
            if (n <= burst)
                continue;
            assert_true((n - burst) * per_ns <= count * (span_ns + LIMITER_SLACK_NS));
            beyond += (n - burst) * per_ns > count * span_ns;
        }
    }
    return beyond;
}

/* Pauses of all lengths: from nothing over late timers to idle minutes. */
static int64_t random_pause_ns(struct prng *prng)
{
    static const int64_t up_to_ns[] = {1000,      MS_NS,      MS_NS,     2 * MS_NS,
                                       7 * MS_NS, 30 * MS_NS, SECOND_NS, 60 * SECOND_NS};
    int64_t max_ns = up_to_ns[prng_up_to(prng, ARRAY_LENGTH(up_to_ns) - 1)];
    return (int64_t)prng_up_to(prng, (uint64_t)max_ns);
}

static void test_no_window_exceeds_its_bound_whatever_the_wake_ups(void **state)
{
    (void)state;
    static const struct {
        int64_t count, per_ms, burst;
    } cases[] = {{20000, 1000, 1}, {20000, 1000, 50}, {1000, 1000, 1},           {250, 1000, 3},
                 {7, 1000, 1},     {7, 1000, 5},      {600, 60 * 1000, 2},       {3, 1000, 1},
                 {199, 1000, 1},   {201, 1000, 1},    {3600, LIMITER_HOUR_MS, 1}};
    static int64_t starts_ns[STARTS_MAX];
    size_t beyond = 0;

    for (uint64_t seed = 1; seed <= 2 * ARRAY_LENGTH(cases); seed++) {
        size_t i = (size_t)(seed - 1) % ARRAY_LENGTH(cases), starts = 0;
        struct limiter limiter;
        struct prng prng = {seed};
        int64_t now_ns = 0;
        print_message("seed %d: %d per %d ms\n", (int)seed, (int)cases[i].count,
                      (int)cases[i].per_ms);
        limiter_init(&limiter, cases[i].count, cases[i].per_ms, cases[i].burst, 0);
        for (size_t wakes = 0; wakes < 5000; wakes++) {
            size_t some = prng_up_to(&prng, 3) == 0 ? (size_t)prng_up_to(&prng, 30) : SIZE_MAX;
            while (starts < STARTS_MAX && some-- > 0 && limiter_next_ns(&limiter, now_ns) == 0) {
                limiter_take(&limiter, now_ns);
                starts_ns[starts++] = now_ns;
            }
            now_ns += random_pause_ns(&prng);
        }
        assert_true(starts > 500);
        beyond += check_windows(starts_ns, starts, cases[i].count, cases[i].per_ms * MS_NS,
                                cases[i].burst);
    }
    assert_true(beyond > 0); /* the pauses did call upon the slack */
}

static void test_another_rate_brings_no_backlog(void **state)
{
    (void)state;
    struct limiter limiter;

    limiter_init(&limiter, 1, LIMITER_HOUR_MS, 1, 0);
    assert_int_equal(start_all(&limiter, 0), 1);
    limiter_set_rate(&limiter, 20000, 1000, HOUR_NS / 2); /* half a start is due, and stays that */
    assert_int_equal(start_all(&limiter, HOUR_NS / 2), 0);
    assert_int_equal(limiter_next_ns(&limiter, HOUR_NS / 2), HOUR_NS / 2 + 25 * 1000);
    /* The slack of a fast rate is none at a slow one. */
    limiter_init(&limiter, 20000, 1000, 1, 0);
    assert_int_equal(limiter_next_ns(&limiter, HOUR_NS), 0);
    limiter_set_rate(&limiter, 1, 1000, HOUR_NS);
    assert_int_equal(start_all(&limiter, HOUR_NS), 1);
    assert_int_equal(limiter_next_ns(&limiter, HOUR_NS), HOUR_NS + SECOND_NS * 995 / 1000);
    /* Nor does a time without any limit. */
    limiter_init(&limiter, 0, 1000, 3, 0);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(limiter_next_ns(&limiter, 0), 0);
        limiter_take(&limiter, 0);
    }
    limiter_set_rate(&limiter, 10, 1000, HOUR_NS);
    assert_int_equal(limiter_next_ns(&limiter, HOUR_NS), HOUR_NS + SECOND_NS / 10);
    limiter_set_rate(&limiter, 0, 1000, HOUR_NS);
    assert_int_equal(limiter_next_ns(&limiter, HOUR_NS), 0);
}

/* The sum of starts is the integral of the rate, over 100 000 changes of it. */
static void test_a_rate_that_changes_all_the_time_is_exact(void **state)
{
    (void)state;
    struct limiter limiter;
    struct prng prng = {3};
    int64_t now_ns = 0, rate = 3600 * 100;
    double due = 1;

    limiter_init(&limiter, rate, LIMITER_HOUR_MS, 1, 0);
    for (size_t i = 0; i < 100 * 1000; i++) {
        (void)start_all(&limiter, now_ns);
        assert_true((double)limiter.taken <= due + 1e-3);
        assert_true((double)limiter.taken > due - 1 - 1e-3);
        int64_t pause_ns = (int64_t)prng_up_to(&prng, LIMITER_SLACK_NS / 2);
        due += (double)rate / (double)HOUR_NS * (double)pause_ns;
        now_ns += pause_ns;
        rate = 3600 * (100 + (int64_t)prng_up_to(&prng, 100));
        limiter_set_rate(&limiter, rate, LIMITER_HOUR_MS, now_ns);
    }
}

static void test_other_units_carry_over_to_a_billionth(void **state)
{
    (void)state;
    static const int64_t units_ms[] = {1000, 60 * 1000, LIMITER_HOUR_MS, 999, 1};
    struct limiter limiter;
    struct prng prng = {4};

    limiter_init(&limiter, 1, 1000, 8, 0);
    for (size_t i = 0; i < 10000; i++) {
        limiter.credit = (int64_t)prng_up_to(&prng, (uint64_t)(limiter.burst * limiter.per_ns));
        double before = (double)limiter.credit / (double)limiter.per_ns;
        int64_t unit_ms = units_ms[prng_up_to(&prng, ARRAY_LENGTH(units_ms) - 1)];
        limiter_set_rate(&limiter, 1, unit_ms, 0);
        double after = (double)limiter.credit / (double)limiter.per_ns;
        assert_true(after <= before + 1e-12);
        assert_true(after > before - 1.1e-6); /* a nanosecond's worth at a start per millisecond */
    }
    limiter_init(&limiter, 7, 1000, 1, 0);
    limiter_set_rate(&limiter, 420, 60 * 1000, 0); /* one start, and no slack on top of it */
    assert_int_equal(limiter.credit, limiter.per_ns);
    /* The largest bucket there is, in another unit. */
    limiter_init(&limiter, LIMITER_COUNT_MAX, 1, LIMITER_BURST_MAX, 0);
    assert_int_equal(limiter_next_ns(&limiter, HOUR_NS), 0);
    limiter_set_rate(&limiter, 1, LIMITER_HOUR_MS, HOUR_NS);
    assert_int_equal(limiter.credit / limiter.per_ns, LIMITER_BURST_MAX);
}

static void test_a_clock_that_goes_backwards_stands_still(void **state)
{
    (void)state;
    struct limiter limiter;

    limiter_init(&limiter, 10, 1000, 1, SECOND_NS);
    assert_int_equal(start_all(&limiter, SECOND_NS), 1);
    assert_int_equal(limiter_next_ns(&limiter, 0), SECOND_NS + SECOND_NS / 10);
    assert_int_equal(start_all(&limiter, 0), 0);
    assert_int_equal(start_all(&limiter, SECOND_NS + SECOND_NS / 10), 1);
}

static void test_a_smaller_burst_and_no_slack_keep_to_the_beat(void **state)
{
    (void)state;
    const int64_t second_ns = 1000 * 1000 * 1000;
    struct limiter limiter;
    int starts = 0;

    limiter_init(&limiter, 10, 1000, 50, 0);
    limiter_set_burst(&limiter, 1, 0, 0);
    for (int i = 0; i < 10; i++) { /* asked every 250 ms: what came due in between is lost */
        int64_t now_ns = i * second_ns / 4;
        while (limiter_next_ns(&limiter, now_ns) == 0) {
            limiter_take(&limiter, now_ns);
            starts++;
        }
    }
    assert_int_equal(starts, 10);
    limiter_set_burst(&limiter, 3, LIMITER_SLACK_NS, 10 * second_ns);
    for (starts = 0; limiter_next_ns(&limiter, 20 * second_ns) == 0; starts++)
        limiter_take(&limiter, 20 * second_ns);
    assert_int_equal(starts, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_days_are_exact_to_the_start),
        cmocka_unit_test(test_starts_are_evenly_spaced),
        cmocka_unit_test(test_a_timer_of_one_millisecond_starts_all_that_fell_due),
        cmocka_unit_test(test_late_wake_ups_within_the_slack_lose_nothing),
        cmocka_unit_test(test_a_long_pause_grants_the_burst_and_the_slack_only),
        cmocka_unit_test(test_no_window_exceeds_its_bound_whatever_the_wake_ups),
        cmocka_unit_test(test_another_rate_brings_no_backlog),
        cmocka_unit_test(test_a_rate_that_changes_all_the_time_is_exact),
        cmocka_unit_test(test_other_units_carry_over_to_a_billionth),
        cmocka_unit_test(test_a_clock_that_goes_backwards_stands_still),
        cmocka_unit_test(test_a_smaller_burst_and_no_slack_keep_to_the_beat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
