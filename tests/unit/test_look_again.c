/* When a command is looked at again. */
#include "unit.h"

#include "send/look_again.h"

static struct look look(enum command_state state, unsigned looks)
{
    return (struct look){.state = state,
                         .looks = looks,
                         .now_s = 1000000,
                         .valid_s = HISTORY_NONE,
                         .expires_s = HISTORY_NONE,
                         .interval_s = 30};
}

static void test_the_wait_doubles_up_to_a_maximum(void **state)
{
    static const int64_t waits[] = {30, 60, 120, 240, 480, 960, 960};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(waits); i++) {
        const struct look now = look(COMMAND_WAITING, i + 1);
        assert_int_equal(look_again_s(&now), waits[i]);
    }
    assert_int_equal(look_again_s(&(struct look){COMMAND_WAITING, 255, 0, -1, -1, 30}), 960);
}

static void test_what_is_on_its_way_is_looked_at_more_often(void **state)
{
    const struct look now = look(COMMAND_SENT, 9);

    (void)state;
    assert_int_equal(look_again_s(&now), 4 * 30);
}

static void test_before_its_valid_time_a_command_cannot_end(void **state)
{
    struct look now = look(COMMAND_WAITING, 1);

    (void)state;
    now.valid_s = now.now_s + 500;
    assert_int_equal(look_again_s(&now), 501);
    now.valid_s = now.now_s + 100000; /* a platform in a hurry is noticed all the same */
    assert_int_equal(look_again_s(&now), 960);
    now.valid_s = now.now_s - 5;
    assert_int_equal(look_again_s(&now), 30);
}

static void test_the_end_of_a_command_is_looked_at_at_once(void **state)
{
    struct look now = look(COMMAND_WAITING, 6);

    (void)state;
    now.expires_s = now.now_s + 100;
    assert_int_equal(look_again_s(&now), 100 + DELIVERY_GRACE_S + 1);
    now.expires_s = now.now_s - DELIVERY_GRACE_S;
    assert_int_equal(look_again_s(&now), 1);
    now.expires_s = now.now_s - DELIVERY_GRACE_S - 1; /* that was looked at */
    assert_int_equal(look_again_s(&now), 960);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_wait_doubles_up_to_a_maximum),
        cmocka_unit_test(test_what_is_on_its_way_is_looked_at_more_often),
        cmocka_unit_test(test_before_its_valid_time_a_command_cannot_end),
        cmocka_unit_test(test_the_end_of_a_command_is_looked_at_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
