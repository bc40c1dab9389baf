#include "unit.h"

#include "core/prng.h"
#include "send/budget.h"

static size_t retry_all(struct budget *budget, int64_t now_ms)
{
    size_t count = 0;
    while (budget_next_ms(budget, now_ms) == 0) {
        budget_take(budget, now_ms);
        assert_true(++count <= BUDGET_TOKENS_MAX);
    }
    return count;
}

static void test_a_full_budget_pays_for_a_hundred_retries_at_once(void **state)
{
    (void)state;
    struct budget budget;

    budget_init(&budget, 5000);
    assert_int_equal(retry_all(&budget, 5000), 100);
    assert_int_equal(budget.unpaid, 0);
    assert_int_equal(budget_next_ms(&budget, 5000), 5000 + BUDGET_TRICKLE_MS);
}

static void test_five_successes_pay_for_a_retry_and_the_bucket_never_overflows(void **state)
{
    (void)state;
    struct budget budget;

    budget_init(&budget, 0);
    for (size_t i = 0; i < 10000; i++)
        budget_return(&budget);
    assert_int_equal(retry_all(&budget, 0), 100);
    for (size_t i = 0; i < 4; i++) {
        budget_return(&budget);
        assert_int_equal(budget_next_ms(&budget, 1), BUDGET_TRICKLE_MS);
    }
    budget_return(&budget);
    assert_int_equal(retry_all(&budget, 1), 1);
}

static void test_without_tokens_retries_trickle(void **state)
{
    (void)state;
    struct budget budget;
    size_t count = 0;

    budget_init(&budget, 0);
    (void)retry_all(&budget, 0);
    for (int64_t now_ms = 1; now_ms <= 60 * 1000; now_ms++)
        count += retry_all(&budget, now_ms);
    assert_int_equal(count, 60 * 1000 / BUDGET_TRICKLE_MS);
    assert_int_equal(budget.unpaid, 60 * 1000 / BUDGET_TRICKLE_MS);
    assert_int_equal(retry_all(&budget, 3600 * 1000), 1); /* an hour of quiet saves nothing up */
}

/* 30 % of all attempts fail: the retries are bounded by what the successes return. */
static void test_retries_add_at_most_a_fifth_of_the_successes(void **state)
{
    (void)state;
    struct budget budget;
    struct prng prng = {11};
    size_t successes = 0, retries = 0;

    budget_init(&budget, 0);
    for (int64_t now_ms = 0; now_ms < 100 * 1000; now_ms++) {
        if (prng_up_to(&prng, 9) >= 3) {
            budget_return(&budget);
            successes++;
        } else if (budget_next_ms(&budget, now_ms) == 0) {
            budget_take(&budget, now_ms);
            retries++;
        }
    }
    assert_in_range(retries, successes / 5, 100 + successes / 5 + 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_budget_pays_for_a_hundred_retries_at_once),
        cmocka_unit_test(test_five_successes_pay_for_a_retry_and_the_bucket_never_overflows),
        cmocka_unit_test(test_without_tokens_retries_trickle),
        cmocka_unit_test(test_retries_add_at_most_a_fifth_of_the_successes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
