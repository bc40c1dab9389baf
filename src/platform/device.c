#include "platform/device.h"

/* The digits' number, and in the four highest bits how many there are beyond 15, modulo 16: a
 * device with 0's in front is another one than that without. */
static uint64_t device_of(uint64_t number, size_t digits)
{
    return number | (uint64_t)((digits - DEVICE_IMEI_DIGITS) & 15) << 60;
}

bool device_read(struct span text, uint64_t *ret_device)
{
    uint64_t number = 0;

    if (text.len < DEVICE_TEST_DIGITS_MIN || text.len > DEVICE_TEST_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i]))
            return false;
        number = number * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    if (number == 0)
        return false;
    *ret_device = device_of(number, text.len);
    return true;
}

void device_write(uint64_t device, char out[DEVICE_TEXT_MAX + 1])
{
    size_t digits = DEVICE_IMEI_DIGITS + (size_t)(device >> 60);
    uint64_t rest = device << 4 >> 4;

    if (digits > DEVICE_TEST_DIGITS_MAX)
        digits -= 16;
    for (size_t i = digits; i > 0; i--, rest /= 10)
        out[i - 1] = (char)('0' + rest % 10);
    out[digits] = '\0';
}

char device_check_digit(const char digits[DEVICE_IMEI_DIGITS - 1])
{
    static const unsigned char doubled[] = {0, 2, 4, 6, 8, 1, 3, 5, 7, 9};
    unsigned sum = 0;

    for (size_t i = 0; i < DEVICE_IMEI_DIGITS - 1; i += 2)
        sum += (unsigned)(digits[i] - '0') + doubled[digits[i + 1] - '0'];
    return (char)('0' + (10 - sum % 10) % 10);
}
