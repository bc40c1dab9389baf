/* What the simulator's dice are asked: probabilities and shares, from a seeded generator, so that
 * the same seed gives the same faults and delays in the same order of requests. */
#ifndef NB_SIM_CHANCE_H
#define NB_SIM_CHANCE_H

#include "core/prng.h"

/* A double in [0, 1). */
static inline double chance_unit(struct prng *chance)
{
    return (double)(prng_next(chance) >> 11) * 0x1p-53;
}

/* Reads a decimal number as people write probabilities: "0.01", "5", ".5"; no sign, no exponent.
 * False when it is none, or has more than 15 digits. */
static inline bool chance_parse_decimal(struct span text, double *ret_value)
{
    double digits = 0, scale = 1;
    size_t count = 0;
    bool behind_point = false;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '.' && !behind_point) {
            behind_point = true;
        } else if (is_digit(text.ptr[i]) && count < 15) {
            digits = digits * 10 + (text.ptr[i] - '0');
            scale *= behind_point ? 10 : 1;
            count++;
        } else {
            return false;
        }
    }
    if (count == 0)
        return false;
    *ret_value = digits / scale;
    return true;
}

/* Reads a probability: 0 to 1, or in percent. */
static inline bool chance_parse_probability(struct span text, double *ret_probability)
{
    bool percent = text.len > 0 && text.ptr[text.len - 1] == '%';

    text.len -= percent ? 1 : 0;
    if (!chance_parse_decimal(text, ret_probability))
        return false;
    *ret_probability /= percent ? 100 : 1;
    return *ret_probability <= 1;
}

#endif
