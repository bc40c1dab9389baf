/* Roll-outs: what is read, where steps end, and when the next one begins. */
#include "send/rollout.h"

#include "unit.h"

static struct buf message;

static int setup(void **state)
{
    (void)state;
    buf_init(&message, 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_deinit(&message);
    return 0;
}

static struct rollout good(const char *text)
{
    struct rollout rollout;

    assert_int_equal(rollout_parse(span_string(text), &rollout, &message), STATUS_OK);
    return rollout;
}

static void test_steps_are_read(void **state)
{
    (void)state;
    struct rollout rollout = good("0.5%,10%,100%:wait=2h,delivered=99.5%");

    assert_int_equal(rollout.count, 3);
    assert_int_equal(rollout.steps[0].share, 5000);
    assert_int_equal(rollout.steps[2].share, 1000000);
    assert_int_equal(rollout.steps[1].goal.delivered, 995000);
    assert_int_equal(rollout.steps[1].goal.wait_ms, 2 * 3600 * 1000);
}

static void test_what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "100%",
                                      "1%,10%:delivered=95%,wait=1d",
                                      "10%,1%,100%:delivered=95%,wait=1d",
                                      "1%,1%,100%:delivered=95%,wait=1d",
                                      "0%,100%:delivered=95%,wait=1d",
                                      "1%,101%:delivered=95%,wait=1d",
                                      "1%,100%:delivered=0%,wait=1d",
                                      "1%,100%:delivered=95%",
                                      "1%,100%:wait=1d",
                                      "1%,100%:delivered=95%,wait=31d",
                                      "1%,100%:delivered=95%,wait=1ms",
                                      "1%,100%:accepted=95%,wait=1d",
                                      "10,100%:delivered=95%,wait=1d"};
    struct rollout rollout;
    struct rollout_step step;

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        buf_clear(&message);
        assert_int_equal(rollout_parse(span_string(bad[i]), &rollout, &message), STATUS_USAGE);
        assert_true(message.len > 0);
    }
    assert_int_equal(rollout_parse_canary(SPAN_LITERAL("0:delivered=90%,wait=2h"), &step, &message),
                     STATUS_USAGE);
    assert_int_equal(rollout_parse_canary(SPAN_LITERAL("5:delivered=90%"), &step, &message),
                     STATUS_USAGE);
}

static void test_a_canary_by_what_devices_did_is_told_from_one_with_a_pause(void **state)
{
    (void)state;
    assert_true(rollout_is_canary(SPAN_LITERAL("20:delivered=90%,wait=2h")));
    assert_true(rollout_is_canary(SPAN_LITERAL("20:delivred=90%")));
    assert_false(rollout_is_canary(SPAN_LITERAL("20")));
    assert_false(rollout_is_canary(SPAN_LITERAL("20:30s")));
}

static void test_steps_end_where_their_share_does(void **state)
{
    (void)state;
    const struct rollout_step one = {.share = 10000}, all = {.share = 1000000},
                              canary = {.rows = 20};

    assert_int_equal(rollout_until(&one, 10000), 100);
    assert_int_equal(rollout_until(&one, 10001), 101);
    assert_int_equal(rollout_until(&one, 5), 1);
    assert_int_equal(rollout_until(&all, 10001), 10001);
    assert_int_equal(rollout_until(&all, UINT64_C(18000000000000)), UINT64_C(18000000000000));
    assert_int_equal(rollout_until(&canary, 7), 7);
}

static void test_a_canary_goes_before_the_steps(void **state)
{
    (void)state;
    const struct rollout none = {.count = 0}, steps = good("1%,10%,100%:delivered=95%,wait=1d");
    const struct rollout_step canary = {.rows = 20, .goal = {900000, 1000}}, no = {.rows = 0};

    struct rollout plan = rollout_plan(&canary, &steps, 1000);
    assert_int_equal(plan.count, 3); /* 10 rows would end before the canary */
    assert_int_equal(plan.steps[0].goal.delivered, 900000);
    assert_int_equal(rollout_until(&plan.steps[1], 1000), 100);
    plan = rollout_plan(&canary, &none, 1000);
    assert_int_equal(plan.count, 2);
    assert_int_equal(rollout_until(&plan.steps[1], 1000), 1000);
    assert_int_equal(rollout_plan(&canary, &none, 20).count, 1);
    assert_int_equal(rollout_plan(&no, &steps, 1).count, 1);
    assert_int_equal(rollout_plan(&no, &none, 1000).count, 0);
}

static void test_the_next_step_begins_when_enough_is_delivered(void **state)
{
    (void)state;
    const struct rollout_goal goal = {.delivered = 950000};

    assert_int_equal(rollout_needed(&goal, 100), 95);
    assert_int_equal(rollout_needed(&goal, 101), 96);
    assert_int_equal(rollout_judge(&goal, &(struct rollout_counts){100, 94, 5}), ROLLOUT_OPEN);
    assert_int_equal(rollout_judge(&goal, &(struct rollout_counts){100, 95, 5}), ROLLOUT_REACHED);
    assert_int_equal(rollout_judge(&goal, &(struct rollout_counts){100, 90, 6}),
                     ROLLOUT_OUT_OF_REACH);
    assert_int_equal(rollout_judge(&goal, &(struct rollout_counts){0, 0, 0}), ROLLOUT_REACHED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_are_read),
        cmocka_unit_test(test_what_makes_no_sense_is_refused),
        cmocka_unit_test(test_a_canary_by_what_devices_did_is_told_from_one_with_a_pause),
        cmocka_unit_test(test_steps_end_where_their_share_does),
        cmocka_unit_test(test_a_canary_goes_before_the_steps),
        cmocka_unit_test(test_the_next_step_begins_when_enough_is_delivered),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
