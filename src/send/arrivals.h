/*
 * When requests are due that come at a constant rate, whatever became of those before: an open
 * loop. What waits is counted from when it was due, so that a peer that stalls shows in every
 * request that would have come in the meantime (Tene, "How NOT to Measure Latency", 2015:
 * coordinated omission). Pure.
 */
#ifndef NB_SEND_ARRIVALS_H
#define NB_SEND_ARRIVALS_H

#include <stdint.h>

struct arrivals {
    int64_t start_ns; /* when the first one is due */
    double per_s;     /* > 0 */
};

/* When the request of that number, from 0 on, is due. */
static inline int64_t arrivals_due_ns(const struct arrivals *arrivals, uint64_t number)
{
    return arrivals->start_ns + (int64_t)((double)number * 1e9 / arrivals->per_s);
}

/* How many are due by then. */
static inline uint64_t arrivals_count(const struct arrivals *arrivals, int64_t now_ns)
{
    if (now_ns < arrivals->start_ns)
        return 0;
    uint64_t count = (uint64_t)((double)(now_ns - arrivals->start_ns) * arrivals->per_s / 1e9);
    while (count > 0 && arrivals_due_ns(arrivals, count - 1) > now_ns) /* what was rounded */
        count--;
    while (arrivals_due_ns(arrivals, count) <= now_ns)
        count++;
    return count;
}

#endif
