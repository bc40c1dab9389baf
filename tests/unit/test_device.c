#include "unit.h"

#include "platform/device.h"

static void assert_device(const char *text, bool is_one)
{
    char out[DEVICE_TEXT_MAX + 1];
    uint64_t device = 0;

    assert_int_equal(device_read(span_string(text), &device), is_one);
    if (!is_one)
        return;
    device_write(device, out);
    assert_string_equal(out, text);
}

static void test_a_devices_number_keeps_its_digits(void **state)
{
    static const char *const devices[] = {
        "865820031313187",   "012345678901234",   "0012",          "1234", "9999999999999999",
        "00000000000000001", "99999999999999999", "99999999999999"};
    static const char *const others[] = {"",     "123",
                                         "0000", "000000000000000",
                                         "12a4", "123456789012345678"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(devices); i++)
        assert_device(devices[i], true);
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        assert_device(others[i], false);
    uint64_t device = 0;
    assert_true(device_read(SPAN_LITERAL("865820031313187"), &device));
    assert_true(device == 865820031313187u); /* as it is in journals that were written before */
}

static void test_the_check_digit_is_that_of_the_formula(void **state)
{
    (void)state;
    assert_int_equal(device_check_digit("86582003131318"), '7');
    assert_int_equal(device_check_digit("49015420323751"), '8');
    assert_int_equal(device_check_digit("00000000000000"), '0');
}

static void test_a_key_leads_back_to_its_device(void **state)
{
    (void)state;
    for (uint64_t i = 1; i != 0; i <<= 1) {
        assert_true(device_unmix(device_mix(i)) == i);
        assert_true(device_unmix(device_mix(i * 865820031313187u)) == i * 865820031313187u);
        assert_true(device_mix(i) != i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_devices_number_keeps_its_digits),
        cmocka_unit_test(test_the_check_digit_is_that_of_the_formula),
        cmocka_unit_test(test_a_key_leads_back_to_its_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
