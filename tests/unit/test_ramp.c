#include "unit.h"

#include "send/limiter.h"
#include "send/ramp.h"

#define MINUTE_MS INT64_C(60000)

static struct ramp parsed(const char *text)
{
    struct ramp ramp = {0};
    struct buf message;

    buf_init(&message, 4096);
    assert_int_equal(ramp_parse(span_string(text), &ramp, &message), STATUS_OK);
    assert_int_equal(message.len, 0);
    buf_deinit(&message);
    return ramp;
}

static void test_the_rate_is_linear_between_its_ends(void **state)
{
    (void)state;
    struct ramp ramp = parsed("10/s..500/s:5m");

    assert_int_equal(ramp_per_hour(&ramp, -1), 10 * 3600);
    assert_int_equal(ramp_per_hour(&ramp, 0), 10 * 3600);
    assert_int_equal(ramp_per_hour(&ramp, 150 * 1000), 255 * 3600);
    assert_int_equal(ramp_per_hour(&ramp, 300 * 1000), 500 * 3600);
    assert_int_equal(ramp_per_hour(&ramp, INT64_MAX), 500 * 3600);
    ramp = parsed("500/s..10/s:300s");
    assert_int_equal(ramp_per_hour(&ramp, 150 * 1000), 255 * 3600);
    ramp = parsed("1/h..60/m:7d");
    assert_int_equal(ramp_per_hour(&ramp, 0), 1);
    assert_int_equal(ramp_per_hour(&ramp, RAMP_MS_MAX), 3600);
    ramp = parsed("1/h..1000000/s:7d"); /* the largest there is */
    assert_int_equal(ramp_per_hour(&ramp, RAMP_MS_MAX - 1),
                     1 + (int64_t)((double)(RAMP_PER_HOUR_MAX - 1) *
                                   ((double)(RAMP_MS_MAX - 1) / (double)RAMP_MS_MAX)));
}

static void test_the_rate_never_jumps_nor_turns_back(void **state)
{
    (void)state;
    struct ramp up = parsed("7/s..20000/s:1h"), down = parsed("20000/s..7/s:1h");

    for (int64_t ms = 1; ms <= 3600 * 1000; ms++) {
        int64_t rise = ramp_per_hour(&up, ms) - ramp_per_hour(&up, ms - 1);
        int64_t fall = ramp_per_hour(&down, ms - 1) - ramp_per_hour(&down, ms);
        assert_in_range(rise, 19, 20); /* (20000 − 7) · 3600 / 3 600 000 */
        assert_in_range(fall, 19, 20);
    }
}

/* The limiter, told the rate at each wake-up, starts the integral of the ramp: 255 · 300 s. */
static void test_a_limiter_on_a_ramp_starts_its_integral(void **state)
{
    (void)state;
    struct ramp ramp = parsed("10/s..500/s:5m");
    struct limiter limiter;
    const int64_t ms_ns = 1000 * 1000;

    limiter_init(&limiter, ramp_per_hour(&ramp, 0), LIMITER_HOUR_MS, 1, 0);
    for (int64_t now_ms = 0; now_ms <= 5 * MINUTE_MS; now_ms++) {
        limiter_set_rate(&limiter, ramp_per_hour(&ramp, now_ms), LIMITER_HOUR_MS, now_ms * ms_ns);
        while (limiter_next_ns(&limiter, now_ms * ms_ns) == 0)
            limiter_take(&limiter, now_ms * ms_ns);
    }
    assert_in_range(limiter.taken, 76500, 76502);
}

typedef enum status parse_fn(struct span text, struct buf *message);

static enum status as_ramp(struct span text, struct buf *message)
{
    struct ramp ramp;
    return ramp_parse(text, &ramp, message);
}

static enum status as_canary(struct span text, struct buf *message)
{
    struct canary canary;
    return canary_parse(text, &canary, message);
}

static void test_errors_name_the_piece_and_the_remedy(void **state)
{
    (void)state;
    static const struct {
        parse_fn *parse;
        const char *text, *piece, *remedy;
    } cases[] = {
        {as_ramp, "", "\"\"", "10/s..500/s:5m"},
        {as_ramp, "10/s", "\"10/s\"", "10/s..500/s:5m"},
        {as_ramp, "10/s..500/s", "\"10/s..500/s\"", "10/s..500/s:5m"},
        {as_ramp, "10/s-500/s:5m", "\"10/s-500/s:5m\"", "10/s..500/s:5m"},
        {as_ramp, "..5/s:5m", "\"\"", "600/m"},
        {as_ramp, "10..500/s:5m", "\"10\"", "600/m"},
        {as_ramp, "0/s..500/s:5m", "\"0/s\"", "600/m"},
        {as_ramp, "10/s..500:5m", "\"500\"", "600/m"},
        {as_ramp, "10/s..1000001/s:5m", "\"1000001/s\"", "1000000/s"},
        {as_ramp, "10/s..9999999999999999999/h:5m", "\"9999999999999999999/h\"", "1000000/s"},
        {as_ramp, "10/s..-5/s:5m", "\"-5/s\"", "600/m"},
        {as_ramp, "10/s..500/s:", "\"\"", "30s"},
        {as_ramp, "10/s..500/s:5", "\"5\"", "30s"},
        {as_ramp, "10/s..500/s:0s", "\"0s\"", "30s"},
        {as_ramp, "10/s..500/s:8d", "\"8d\"", "7d"},
        {as_ramp, "10/d..500/s:8d", "\"10/d\"", "600/m"},
        {as_canary, "", "\"\"", "20:30s"},
        {as_canary, "0", "\"0\"", "20:30s"},
        {as_canary, "-1", "\"-1\"", "20:30s"},
        {as_canary, "1000001", "\"1000001\"", "1000000"},
        {as_canary, "20:", "\"\"", "30s"},
        {as_canary, "20:30", "\"30\"", "30s"},
        {as_canary, "20:8d", "\"8d\"", "7d"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buf message;
        buf_init(&message, 4096);
        assert_int_equal(cases[i].parse(span_string(cases[i].text), &message), STATUS_USAGE);
        if (strstr(buf_string(&message), cases[i].piece) != message.ptr ||
            strstr(buf_string(&message), cases[i].remedy) == NULL)
            fail_msg("%s: %s", cases[i].text, buf_string(&message));
        buf_deinit(&message);
    }
}

static struct canary canary_of(const char *text)
{
    struct canary canary = {.state = CANARY_OVER};
    struct buf message;

    buf_init(&message, 4096);
    assert_int_equal(canary_parse(span_string(text), &canary, &message), STATUS_OK);
    assert_int_equal(message.len, 0);
    buf_deinit(&message);
    return canary;
}

static void test_the_canary_goes_ahead_is_waited_for_and_then_paused_behind(void **state)
{
    (void)state;
    struct canary canary = canary_of("3:30s");

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(canary_next_ms(&canary, 0), 0);
        canary_add(&canary);
        if (i == 0)
            canary_end(&canary, ROW_ACCEPTED, 5); /* one may end before the others are added */
    }
    assert_int_equal(canary.state, CANARY_WAITING);
    assert_int_equal(canary_next_ms(&canary, 1000 * 1000), INT64_MAX);
    canary_end(&canary, ROW_ACCEPTED, 400);
    assert_int_equal(canary_next_ms(&canary, 1000 * 1000), INT64_MAX);
    assert_true(canary_wake_ms(&canary) == INT64_MAX);
    canary_end(&canary, ROW_ACCEPTED, 500);
    assert_int_equal(canary_next_ms(&canary, 500), 30500);
    assert_int_equal(canary_next_ms(&canary, 30499), 30500);
    assert_int_equal(canary_wake_ms(&canary), 30500);
    assert_int_equal(canary.state, CANARY_PAUSING); /* the timer's time is asked for, no more */
    assert_int_equal(canary_next_ms(&canary, 30500), 0);
    assert_int_equal(canary.state, CANARY_OVER);
    assert_true(canary_wake_ms(&canary) == INT64_MAX);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(canary_next_ms(&canary, 0), 0);
        canary_add(&canary);
        canary_end(&canary, ROW_ACCEPTED, 0);
    }
}

static void test_without_a_pause_the_run_goes_on_at_once(void **state)
{
    (void)state;
    struct canary canary = canary_of("1000000");

    assert_int_equal(canary.rows, CANARY_ROWS_MAX);
    canary = canary_of("1");
    canary_add(&canary);
    assert_int_equal(canary_next_ms(&canary, 10), INT64_MAX);
    canary_end(&canary, ROW_ACCEPTED, 10);
    assert_int_equal(canary_next_ms(&canary, 10), 0);
}

static void test_all_rows_may_end_one_by_one(void **state)
{
    (void)state;
    struct canary canary = canary_of("5:1s");

    for (int64_t i = 0; i < 5; i++) {
        assert_int_equal(canary_next_ms(&canary, i), 0);
        canary_add(&canary);
        canary_end(&canary, ROW_ACCEPTED, i);
    }
    assert_int_equal(canary_next_ms(&canary, 5), 1004);
}

static enum status accept(struct canary *canary, const char *text)
{
    struct buf message;

    buf_init(&message, 4096);
    enum status status = canary_parse_accept(span_string(text), canary, &message);
    assert_int_equal(message.len > 0, status != STATUS_OK);
    buf_deinit(&message);
    return status;
}

static void test_what_a_canary_accepts_is_a_share_or_a_number(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t needed;
    } good[] = {{"100%", 20}, {"0%", 0}, {"90%", 18}, {"91%", 19}, {"1%", 1}, {"20", 20}, {"0", 0}};
    static const char *const bad[] = {"", "%", "101%", "21", "-1", "x", "9.5%", "90 %", "90%%"};

    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        struct canary canary = canary_of("20");
        assert_int_equal(canary_needed(&canary), 20);
        assert_int_equal(accept(&canary, good[i].text), STATUS_OK);
        assert_int_equal(canary_needed(&canary), good[i].needed);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct canary canary = canary_of("20");
        assert_int_equal(accept(&canary, bad[i]), STATUS_USAGE);
        assert_int_equal(canary_needed(&canary), 20);
    }
}

static void test_a_canary_is_lost_when_too_few_can_be_accepted_any_more(void **state)
{
    (void)state;
    static const enum row_status bad[] = {ROW_REJECTED, ROW_FAILED, ROW_IN_DOUBT, ROW_INVALID};

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct canary canary = canary_of("10");
        assert_int_equal(accept(&canary, "80%"), STATUS_OK);
        for (int j = 0; j < 10; j++)
            canary_add(&canary);
        for (int j = 0; j < 3; j++) {
            assert_false(canary_is_lost(&canary));
            canary_end(&canary, ROW_ACCEPTED, 0);
            canary_end(&canary, bad[i], 0);
        }
        assert_true(canary_is_lost(&canary)); /* the third of ten */
    }
    struct canary none = {.state = CANARY_OVER};
    canary_end(&none, ROW_REJECTED, 0);
    assert_false(canary_is_lost(&none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rate_is_linear_between_its_ends),
        cmocka_unit_test(test_the_rate_never_jumps_nor_turns_back),
        cmocka_unit_test(test_a_limiter_on_a_ramp_starts_its_integral),
        cmocka_unit_test(test_errors_name_the_piece_and_the_remedy),
        cmocka_unit_test(test_a_canary_is_lost_when_too_few_can_be_accepted_any_more),
        cmocka_unit_test(test_what_a_canary_accepts_is_a_share_or_a_number),
        cmocka_unit_test(test_the_canary_goes_ahead_is_waited_for_and_then_paused_behind),
        cmocka_unit_test(test_without_a_pause_the_run_goes_on_at_once),
        cmocka_unit_test(test_all_rows_may_end_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
