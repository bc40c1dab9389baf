/*
 * What answers say of a platform's limit: counts and rates, without any decision. A leaf: the
 * pace's other files decide by it.
 *
 * An answer belongs to the time at which its request was started; that is the order in which the
 * platform saw them, but for what the network shuffles. Times are the caller's monotonic clock in
 * nanoseconds, rates are per second.
 */
#ifndef NB_SEND_PACE_MEASURE_H
#define NB_SEND_PACE_MEASURE_H

#include "core/span.h"

/* The answers to what was started after `start_ns`, where a request was refused. */
struct pace_count {
    bool holds; /* the bucket cannot have been full since */
    int64_t start_ns, last_ns;
    double passed, refused;
};

struct pace_count pace_count_from(int64_t started_ns);

void pace_count_add(struct pace_count *count, bool refused, int64_t started_ns);

/* From the start to the newest request that was counted. */
double pace_count_seconds(const struct pace_count *count);

/* Whether more is refused than expected (Page's CUSUM test): the sum of what is above the
 * expectation, never below 0; and the count since it was 0 last. */
struct pace_cusum {
    double sum;
    struct pace_count seen;
};

/* `expected` is the share of the answers that may be refused. */
void pace_cusum_add(struct pace_cusum *cusum, bool refused, double expected, int64_t started_ns);

/* What passed lately, by when it was sent, in slots of 2^PACE_SLOT_BITS ns: 67 ms. */
enum { PACE_SLOT_BITS = 26, PACE_SLOTS = 64 };

struct pace_recent {
    int64_t slot; /* the newest */
    uint32_t passed[PACE_SLOTS];
};

void pace_recent_add(struct pace_recent *recent, int64_t started_ns);

/* What passed in the second before. A bucket of a second's worth, and a count of each second, let
 * no more than twice the limit through in it. */
double pace_recent_rate(const struct pace_recent *recent, int64_t at_ns);

/* Refusals without a break. */
struct pace_run {
    uint64_t count;   /* since the last request that passed, */
    int64_t start_ns; /* … and when the first of them started */
};

/* Returns the length of the run that has ended by this answer; 0: none has. */
uint64_t pace_run_add(struct pace_run *run, bool refused, int64_t started_ns);

#endif
