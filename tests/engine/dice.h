/* What a simulation draws from its one generator: the seed is the test case. */
#ifndef NB_TESTS_ENGINE_DICE_H
#define NB_TESTS_ENGINE_DICE_H

#include "core/prng.h"

static inline bool dice_chance(struct prng *dice, uint32_t per_mille)
{
    return per_mille > 0 && prng_up_to(dice, 999) < per_mille;
}

static inline int64_t dice_between(struct prng *dice, int64_t from, int64_t to)
{
    return from + (int64_t)prng_up_to(dice, (uint64_t)(to - from));
}

/* Mostly near `from`, now and then as far as `to`: each doubling is as likely as the next. */
static inline int64_t dice_skewed(struct prng *dice, int64_t from, int64_t to)
{
    int64_t reach = to - from;

    while (reach > 1 && dice_chance(dice, 500))
        reach /= 2;
    return dice_between(dice, from, from + reach);
}

#endif
