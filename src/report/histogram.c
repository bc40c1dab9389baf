#include "report/histogram.h"

static size_t bucket_of(uint64_t value)
{
    if (value < 1u << HISTOGRAM_SUB_BITS)
        return (size_t)value;
    unsigned exponent = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
    size_t bucket = ((size_t)exponent << HISTOGRAM_SUB_BITS) + (size_t)(value >> exponent);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest value that falls into the bucket. */
static uint64_t upper_edge(size_t bucket)
{
    const size_t sub = (size_t)1 << HISTOGRAM_SUB_BITS;
    if (bucket < sub * 2)
        return bucket;
    size_t exponent = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t mantissa = (bucket & (sub - 1)) + sub;
    return ((mantissa + 1) << exponent) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value_us)
{
    histogram->count++;
    if (value_us > histogram->max_us)
        histogram->max_us = value_us;
    if (value_us >> HISTOGRAM_MAX_BITS == 0)
        histogram->sum_us += value_us;
    histogram->buckets[bucket_of(value_us)]++;
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
    double exact = quantile * (double)histogram->count;
    uint64_t wanted = (uint64_t)exact;
    uint64_t seen = 0;

    if ((double)wanted < exact || wanted == 0)
        wanted++;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS && histogram->count > 0; i++) {
        seen += histogram->buckets[i];
        if (seen >= wanted) {
            uint64_t edge = upper_edge(i);
            return edge < histogram->max_us ? edge : histogram->max_us;
        }
    }
    return histogram->max_us;
}

uint64_t histogram_count_below(const struct histogram *histogram, uint64_t bound_us)
{
    uint64_t count = 0;

    for (size_t i = 0; i < HISTOGRAM_BUCKETS && upper_edge(i) <= bound_us; i++)
        count += histogram->buckets[i];
    return count;
}
