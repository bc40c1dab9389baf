/*
 * Plain arithmetic of the pace's files.
 */
#ifndef NB_SEND_PACE_MATH_H
#define NB_SEND_PACE_MATH_H

#include <stdint.h>

#define NS_PER_S 1e9

static inline double least(double a, double b)
{
    return a < b ? a : b;
}

static inline double most(double a, double b)
{
    return a > b ? a : b;
}

static inline double between(double value, double low, double high)
{
    return least(most(value, low), high);
}

static inline double seconds_between(int64_t from_ns, int64_t to_ns)
{
    return (double)(to_ns - from_ns) / NS_PER_S;
}

#endif
