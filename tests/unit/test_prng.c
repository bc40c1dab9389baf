#include "unit.h"

#include "core/prng.h"

/* The first numbers from seed 1234567, as published with the reference implementation. */
static void test_the_generator_is_splitmix64(void **state)
{
    (void)state;
    static const uint64_t first[] = {6457827717110365317u, 3203168211198807973u,
                                     9817491932198370423u, 4593380528125082431u,
                                     16408922859458223821u};
    struct prng prng = {1234567};

    for (size_t i = 0; i < ARRAY_LENGTH(first); i++)
        assert_true(prng_next(&prng) == first[i]);
}

static void test_bounds_hold_and_are_reached(void **state)
{
    (void)state;
    struct prng prng = {1};
    size_t seen[7] = {0};

    for (size_t i = 0; i < 70000; i++) {
        uint64_t number = prng_up_to(&prng, 6);
        assert_true(number <= 6);
        seen[number]++;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(seen); i++)
        assert_in_range(seen[i], 9500, 10500);
    assert_int_equal(prng_up_to(&prng, 0), 0);
    uint64_t all = 0, none = UINT64_MAX;
    for (size_t i = 0; i < 200; i++) {
        uint64_t number = prng_up_to(&prng, UINT64_MAX);
        all |= number;
        none &= number;
    }
    assert_true(all == UINT64_MAX && none == 0);
}

/* With a bound of two thirds of the range, a plain remainder would give the lower half 2/3. */
static void test_a_bound_that_divides_badly_is_even_all_the_same(void **state)
{
    (void)state;
    struct prng prng = {1};
    const uint64_t max = UINT64_MAX / 3 * 2;
    size_t lower = 0;

    for (size_t i = 0; i < 10000; i++)
        lower += prng_up_to(&prng, max) < max / 2;
    assert_in_range(lower, 4800, 5200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_generator_is_splitmix64),
        cmocka_unit_test(test_bounds_hold_and_are_reached),
        cmocka_unit_test(test_a_bound_that_divides_badly_is_even_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
