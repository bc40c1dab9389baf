/*
 * A device as the platform tells it from others, as one number: what the rest of the program orders
 * commands by, keeps on record and compares, without knowing what it is made of. Here, and only
 * here, it is an IMEI of 15 digits, or the 4 to 17 digits of a test device (README.md, "Devices").
 *
 *     if (device_read(text, &device)) …
 *     device_write(device, text);             // with the digits that it was read from
 *
 * 0 is no device. The numbers are on record in journals: their form must not change.
 */
#ifndef NB_PLATFORM_DEVICE_H
#define NB_PLATFORM_DEVICE_H

#include "core/span.h"

enum {
    DEVICE_IMEI_DIGITS = 15,
    DEVICE_TEST_DIGITS_MIN = 4, /* of a test device's identity, where those are allowed */
    DEVICE_TEST_DIGITS_MAX = 17,
    DEVICE_TEXT_MAX = DEVICE_TEST_DIGITS_MAX,
};

/* What rows and results call it. */
#define DEVICE_COLUMN "imei"

/* Reads the identity of a device, a test device too. False where it is none; then `ret_device` is
 * left alone. */
bool device_read(struct span text, uint64_t *ret_device);

/* Writes the identity with its digits, 0's in front too, and a NUL. */
void device_write(uint64_t device, char out[DEVICE_TEXT_MAX + 1]);

/* A device as a key of core/keytable.h: bijective, so that no two devices share one; its bits are
 * uniform, as the table wants. */
static inline uint64_t device_mix(uint64_t device)
{
    device = (device ^ device >> 30) * 0xbf58476d1ce4e5b9u;
    device = (device ^ device >> 27) * 0x94d049bb133111ebu;
    return device ^ device >> 31;
}

/* The device of that key. */
static inline uint64_t device_unmix(uint64_t key)
{
    key = (key ^ key >> 31 ^ key >> 62) * 0x319642b2d24d8ec3u;
    key = (key ^ key >> 27 ^ key >> 54) * 0x96de1b173f119089u;
    return key ^ key >> 30 ^ key >> 60;
}

/* The check digit of so many digits, the last one left out: by Luhn's formula (3GPP TS 23.003,
 * annex B), from the right every second digit counts double, and the digits of that are added. */
char device_check_digit(const char digits[DEVICE_IMEI_DIGITS - 1]);

#endif
