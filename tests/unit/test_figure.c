#include "unit.h"

#include "core/figure.h"

static void assert_rate(double per_s, const char *what, const char *expected)
{
    assert_string_equal(figure_rate(per_s, what).text, expected);
}

static void test_counts_have_commas_from_ten_thousand_on(void **state)
{
    (void)state;
    assert_string_equal(figure(0).text, "0");
    assert_string_equal(figure(9999).text, "9999");
    assert_string_equal(figure(10000).text, "10,000");
    assert_string_equal(figure(1234567).text, "1,234,567");
    assert_string_equal(figure(UINT64_MAX).text, "18,446,744,073,709,551,615");
}

static void test_rates_are_said_in_the_unit_that_fits(void **state)
{
    (void)state;
    assert_rate(3000, "", "3000/s");
    assert_rate(50590, " rows", "50,590 rows/s");
    assert_rate(19.6, " rows", "20 rows/s");
    assert_rate(2.5, "", "2.5/s");
    assert_rate(2, "", "2/s");
    assert_rate(1, " rows", "1 rows/s");
    assert_rate(7.0 / 60, " rows", "7 rows/m");
    assert_rate(90.0 / 3600, "", "1.5/m");
    assert_rate(20.0 / 3600, "", "20/h");
    assert_rate(0, " rows", "0 rows/s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_have_commas_from_ten_thousand_on),
        cmocka_unit_test(test_rates_are_said_in_the_unit_that_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
