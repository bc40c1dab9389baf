/*
 * Random numbers from a seed (SplitMix64, Steele, Lea and Flood 2014), so that what depends on
 * chance can be repeated. Not for secrets.
 */
#ifndef NB_CORE_PRNG_H
#define NB_CORE_PRNG_H

#include "core/span.h"

struct prng {
    uint64_t state; /* the seed, at first */
};

static inline uint64_t prng_next(struct prng *prng)
{
    uint64_t z = prng->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* A number of 0 to `max`, each as likely as the others. */
static inline uint64_t prng_up_to(struct prng *prng, uint64_t max)
{
    if (max == UINT64_MAX)
        return prng_next(prng);
    uint64_t count = max + 1;
    uint64_t uneven = (0 - count) % count; /* 2^64 mod count: so many would come once too often */
    uint64_t number;

    do
        number = prng_next(prng);
    while (number < uneven);
    return number % count;
}

#endif
