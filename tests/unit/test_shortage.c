#include "unit.h"

#include <errno.h>

#include "send/breaker.h"
#include "send/shortage.h"

static void test_shortages_are_told_from_what_the_network_says(void **state)
{
    (void)state;
    static const int local[] = {EMFILE, ENFILE, EADDRNOTAVAIL, ENOBUFS, ENOMEM};
    static const int far[] = {0,           ECONNREFUSED, ECONNRESET, ETIMEDOUT,
                              ENETUNREACH, EHOSTUNREACH, EPIPE,      EACCES};

    for (size_t i = 0; i < ARRAY_LENGTH(local); i++) {
        assert_true(shortage_is(local[i]));
        assert_non_null(strchr(shortage_text(local[i]), ':'));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(far); i++)
        assert_false(shortage_is(far[i]));
    assert_non_null(strstr(shortage_text(EMFILE), "ulimit -n"));
}

static void test_a_shortage_lowers_what_is_in_flight_until_it_is_over(void **state)
{
    (void)state;
    struct shortage shortage = {.error = 0};

    assert_int_equal(shortage_limit(&shortage, 64, 0), 64);
    assert_int_equal(shortage_next_ms(&shortage, 0), 0);
    assert_true(shortage_add(&shortage, EMFILE, 12, 1000));
    assert_false(shortage_add(&shortage, EMFILE, 12, 1000)); /* told already */
    assert_int_equal(shortage_next_ms(&shortage, 1000), 1000 + SHORTAGE_PAUSE_MS);
    assert_int_equal(shortage_next_ms(&shortage, 1000 + SHORTAGE_PAUSE_MS), 0);
    assert_int_equal(shortage_limit(&shortage, 64, 1000), 12);
    assert_int_equal(shortage_limit(&shortage, 64, 1000 + SHORTAGE_CALM_MS), 24);
    assert_int_equal(shortage_limit(&shortage, 64, 1000 + SHORTAGE_CALM_MS), 24);
    assert_int_equal(shortage_limit(&shortage, 64, 1000 + 2 * SHORTAGE_CALM_MS), 48);
    assert_int_equal(shortage_limit(&shortage, 64, 1000 + 3 * SHORTAGE_CALM_MS), 64);
    assert_int_equal(shortage.error, 0);
    assert_true(shortage_add(&shortage, EMFILE, 0, 90000)); /* news again; never below one */
    assert_int_equal(shortage_limit(&shortage, 64, 90000), 1);
    assert_true(shortage_add(&shortage, ENOMEM, 0, 90000));
}

static void test_a_shortage_lasts_while_nothing_leaves(void **state)
{
    (void)state;
    struct shortage shortage = {.error = 0};

    assert_false(shortage_lasts(&shortage, 0, 1000));
    (void)shortage_add(&shortage, EMFILE, 0, 1000);
    (void)shortage_add(&shortage, EMFILE, 0, 5000);
    assert_false(shortage_lasts(&shortage, 10000, 10999));
    assert_true(shortage_lasts(&shortage, 10000, 11000));
    shortage_sent(&shortage, 10999);
    assert_false(shortage_lasts(&shortage, 10000, 11000));
}

static void test_a_shortage_is_never_the_platforms_outage(void **state)
{
    (void)state;
    struct breaker breaker;

    breaker_init(&breaker);
    for (int i = 0; i < 1000; i++)
        assert_false(breaker_add(&breaker, breaker_start(&breaker, i), BREAKER_LOCAL, i));
    assert_false(breaker_is_open(&breaker));
    for (int i = 0; !breaker_is_open(&breaker); i++)
        (void)breaker_add(&breaker, breaker_start(&breaker, 0), BREAKER_NO_CONNECTION, 0);
    /* A probe that could not leave is followed by another, after the same delay. */
    int64_t delay_ms = breaker.delay_ms;
    uint32_t probe = breaker_start(&breaker, breaker.probe_ms);
    assert_int_equal(breaker_next_ms(&breaker, 5000), INT64_MAX);
    assert_false(breaker_add(&breaker, probe, BREAKER_LOCAL, 5000));
    assert_int_equal(breaker_next_ms(&breaker, 5000), 5000 + delay_ms);
    assert_true(breaker_add(&breaker, breaker_start(&breaker, 5000 + delay_ms), BREAKER_OK, 7000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shortages_are_told_from_what_the_network_says),
        cmocka_unit_test(test_a_shortage_lowers_what_is_in_flight_until_it_is_over),
        cmocka_unit_test(test_a_shortage_lasts_while_nothing_leaves),
        cmocka_unit_test(test_a_shortage_is_never_the_platforms_outage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
