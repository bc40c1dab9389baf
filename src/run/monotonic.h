/* A clock that only goes forward, for how long something took. Private to run/. */
#ifndef NB_RUN_MONOTONIC_H
#define NB_RUN_MONOTONIC_H

#include <time.h>

/* Seconds since some time in the past. */
static inline double monotonic_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

#endif
