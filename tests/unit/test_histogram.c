#include "unit.h"

#include "report/histogram.h"

static struct histogram histogram;

static void test_quantiles_are_right_to_their_bucket(void **state)
{
    (void)state;
    histogram = (struct histogram){.count = 0};
    for (uint64_t i = 1; i <= 100000; i++)
        histogram_add(&histogram, i);
    static const double quantiles[] = {0.001, 0.01, 0.5, 0.9, 0.99, 0.999};
    for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++) {
        double exact = quantiles[i] * 100000;
        double got = (double)histogram_quantile(&histogram, quantiles[i]);
        assert_true(got >= exact && got <= exact * (1 + 1.0 / 64) + 1);
    }
    assert_int_equal(histogram_quantile(&histogram, 1.0), 100000);
    assert_int_equal(histogram.max_us, 100000);
}

static void test_edges(void **state)
{
    (void)state;
    histogram = (struct histogram){.count = 0};
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    histogram_add(&histogram, 0);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    histogram_add(&histogram, UINT64_MAX);
    histogram_add(&histogram, UINT64_MAX);
    assert_int_equal(histogram.count, 3);
    assert_true(histogram_quantile(&histogram, 0.99) > UINT64_C(1) << 39);
    histogram = (struct histogram){.count = 0};
    for (unsigned bit = 0; bit < 40; bit++) { /* every border of a bucket */
        histogram = (struct histogram){.count = 0};
        uint64_t value = UINT64_C(1) << bit;
        histogram_add(&histogram, value - 1);
        histogram_add(&histogram, value);
        assert_true(histogram_quantile(&histogram, 1.0) == value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles_are_right_to_their_bucket),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
