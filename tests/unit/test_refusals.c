#include "unit.h"

#include "run/refusals.h"

static const struct refusal_kind *add(struct refusals *refusals, const char *name, int64_t now_ms)
{
    return refusals_add(refusals, name, "no", now_ms);
}

static void test_ten_within_a_minute_begin_and_a_quiet_minute_ends(void **state)
{
    (void)state;
    struct refusals refusals = {.kinds = {{.count = 0}}};

    for (int i = 0; i < 9; i++)
        assert_null(add(&refusals, "errno 15", i * 1000));
    const struct refusal_kind *begun = add(&refusals, "errno 15", 9000);
    assert_non_null(begun);
    assert_int_equal(begun->count, 10);
    assert_null(add(&refusals, "errno 15", 10 * 1000)); /* told once */
    assert_null(refusals_ended(&refusals, 69 * 1000));
    const struct refusal_kind *ended = refusals_ended(&refusals, 70 * 1000);
    assert_non_null(ended);
    assert_string_equal(ended->name, "errno 15");
    assert_int_equal(ended->count, 11);
    assert_null(refusals_ended(&refusals, 70 * 1000));
    for (int i = 0; i < 9; i++) /* and begins anew */
        assert_null(add(&refusals, "errno 15", 80 * 1000));
    assert_non_null(add(&refusals, "errno 15", 80 * 1000));
}

static void test_one_now_and_then_is_no_matter(void **state)
{
    (void)state;
    struct refusals refusals = {.kinds = {{.count = 0}}};

    for (int i = 0; i < 100; i++)
        assert_null(add(&refusals, "http 503", (int64_t)i * 10 * 1000));
    assert_null(refusals_ended(&refusals, INT64_C(1) << 40));
}

/* Kinds beyond the maximum take the place of those that are over, and of none that goes on. */
static void test_many_kinds(void **state)
{
    (void)state;
    struct refusals refusals = {.kinds = {{.count = 0}}};
    char name[32];

    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof(name), "errno %d", i);
        assert_null(add(&refusals, name, i));
    }
    for (int i = 0; i < REFUSAL_KINDS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "on %d", i);
        for (int j = 0; j < 10; j++)
            (void)add(&refusals, name, 1000);
    }
    assert_null(add(&refusals, "one more", 1000));
    int ended = 0;
    while (refusals_ended(&refusals, 1000 + REFUSALS_WINDOW_MS) != NULL)
        ended++;
    assert_int_equal(ended, REFUSAL_KINDS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_within_a_minute_begin_and_a_quiet_minute_ends),
        cmocka_unit_test(test_one_now_and_then_is_no_matter),
        cmocka_unit_test(test_many_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
