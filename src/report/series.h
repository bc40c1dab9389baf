/*
 * What happened when, in fixed memory: counts in buckets of time whose width doubles whenever the
 * time that is covered needs it. The order of the points does not matter. A zeroed struct is an
 * empty series. Pure.
 *
 *     series_add(&series, finished_ms, ROW_ACCEPTED, 1);
 *     count = series_spans(&series, spans);        // where something happened
 */
#ifndef NB_REPORT_SERIES_H
#define NB_REPORT_SERIES_H

#include "core/span.h"

enum {
    SERIES_BUCKETS = 4096,
    SERIES_LANES = 5,
    SERIES_WIDTH_MS = 125, /* to begin with */
    SERIES_SPANS_MAX = 6,
};

struct series_bucket {
    uint64_t lanes[SERIES_LANES];
};

struct series {
    int64_t width_ms; /* 0: empty */
    int64_t first;    /* buckets[0] begins at first · width_ms */
    size_t count;     /* buckets from the first to the last that holds something */
    struct series_bucket buckets[SERIES_BUCKETS];
};

/* Counts `amount` at a time (epoch, not negative). */
void series_add(struct series *series, int64_t at_ms, size_t lane, uint64_t amount);

/* Buckets [from, to) between which nothing happened for long. */
struct series_span {
    size_t from, to;
};

/*
 * Leaves long gaps out: those that are longer than all the time in which something happened, and
 * than a twelfth of the whole. The spans are in order of time; where there would be too many, the
 * last one covers the rest. None for an empty series.
 */
size_t series_spans(const struct series *series, struct series_span spans[SERIES_SPANS_MAX]);

/* The sum of the buckets [from, to), which may lie behind the last one. */
struct series_bucket series_sum(const struct series *series, size_t from, size_t to);

#endif
