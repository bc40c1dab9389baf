#include "unit.h"

#include "send/beats.h"

#define MS_NS INT64_C(1000000)

/* Starts all that may start now. */
static int64_t start_all(struct beats *beats, int64_t now_ns)
{
    int64_t count = 0;

    while (beats_next_ns(beats, now_ns) == 0) {
        beats_take(beats);
        count++;
    }
    return count;
}

static void test_starts_come_at_their_times_and_late_ones_are_made_up_for(void **state)
{
    struct beats beats = {.wanted = false};

    (void)state;
    assert_int_equal(beats_next_ns(&beats, 0), INT64_MAX);
    assert_true(beats.wanted);
    assert_true(beats_add(&beats, 100 * MS_NS, 10 * MS_NS, 10));
    assert_int_equal(beats_next_ns(&beats, 0), 100 * MS_NS);
    assert_int_equal(start_all(&beats, 100 * MS_NS), 1);
    assert_int_equal(start_all(&beats, 109 * MS_NS), 0);
    assert_int_equal(start_all(&beats, 145 * MS_NS), 4);
    assert_true(beats_add(&beats, 200 * MS_NS, 10 * MS_NS, 10));
    assert_int_equal(start_all(&beats, 205 * MS_NS), 6);
    assert_int_equal(beats_next_ns(&beats, 205 * MS_NS), 210 * MS_NS);
}

static void test_more_are_wanted_before_they_run_out(void **state)
{
    struct beats beats = {.wanted = false};

    (void)state;
    assert_true(beats_add(&beats, 0, 10 * MS_NS, 21)); /* the last at 200 ms */
    assert_int_equal(start_all(&beats, 50 * MS_NS), 6);
    assert_false(beats.wanted);
    assert_int_equal(start_all(&beats, 120 * MS_NS), 7);
    assert_true(beats.wanted);
    beats = (struct beats){.wanted = false};
    assert_true(beats_add(&beats, 0, 0, BEATS_LOW + 2));
    assert_int_equal(beats_next_ns(&beats, 0), 0);
    assert_false(beats.wanted);
    for (int i = 0; i < 4; i++)
        beats_take(&beats);
    assert_int_equal(beats_next_ns(&beats, 0), 0);
    assert_true(beats.wanted);
}

static void test_starts_that_were_slept_through_are_void(void **state)
{
    struct beats beats = {.wanted = false};

    (void)state;
    assert_true(beats_add(&beats, 0, 10 * MS_NS, 100)); /* up to 990 ms */
    assert_int_equal(start_all(&beats, 500 * MS_NS), 26);
    assert_true(beats_add(&beats, 990 * MS_NS, 10 * MS_NS, 1));
    assert_int_equal(start_all(&beats, 100000 * MS_NS), 0);
    assert_int_equal(beats.count, 0);
}

static void test_groups_have_a_maximum_and_nothing_is_no_group(void **state)
{
    struct beats beats = {.wanted = false};

    (void)state;
    assert_true(beats_add(&beats, 0, 0, 0));
    assert_int_equal(beats.count, 0);
    for (int round = 0; round < 3; round++) {
        beats.wanted = false;
        for (int i = 0; i < BEATS_GROUPS_MAX; i++)
            assert_true(beats_add(&beats, 0, 0, 2));
        assert_int_equal(beats_next_ns(&beats, 0), 0);
        assert_false(beats.wanted); /* there is no room for more */
        assert_int_equal(beats_held(&beats), 2 * BEATS_GROUPS_MAX);
        assert_false(beats_add(&beats, 0, 0, 2));
        assert_int_equal(start_all(&beats, 0), 2 * BEATS_GROUPS_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_come_at_their_times_and_late_ones_are_made_up_for),
        cmocka_unit_test(test_more_are_wanted_before_they_run_out),
        cmocka_unit_test(test_starts_that_were_slept_through_are_void),
        cmocka_unit_test(test_groups_have_a_maximum_and_nothing_is_no_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
