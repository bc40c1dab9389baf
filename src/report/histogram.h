/*
 * A histogram of latencies in fixed memory: microseconds from 0 to 2^40 in buckets whose width is
 * at most 1/64 of their value, so that a quantile is right to 1.6 %.
 */
#ifndef NB_REPORT_HISTOGRAM_H
#define NB_REPORT_HISTOGRAM_H

#include "core/span.h"

enum {
    HISTOGRAM_SUB_BITS = 6,
    HISTOGRAM_MAX_BITS = 40,
    HISTOGRAM_BUCKETS = (HISTOGRAM_MAX_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS,
};

struct histogram {
    uint64_t count;
    uint64_t max_us;
    uint64_t sum_us; /* of values within the range */
    uint32_t buckets[HISTOGRAM_BUCKETS];
};

/* Counts a value; values beyond the range count as the largest. A zeroed struct is an empty
 * histogram. */
void histogram_add(struct histogram *histogram, uint64_t value_us);

/* The value that the share `quantile` (0 … 1) of all values does not exceed, to the bucket's upper
 * edge; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);

/* How many values are at most `bound_us`, to the bucket that it falls into, which counts only where
 * all of it is. */
uint64_t histogram_count_below(const struct histogram *histogram, uint64_t bound_us);

#endif
