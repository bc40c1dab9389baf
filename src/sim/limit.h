/*
 * How many calls the simulated platform takes: a token bucket that clients do not see. Pure.
 *
 *     limit_parse(SPAN_LITERAL("300/s"), &limit.per_s)
 *     limit_begin(&limit, now_ns);
 *     … for each command: if (!limit_takes(&limit, now_ns)) … it meets limit.refusal …
 */
#ifndef NB_SIM_LIMIT_H
#define NB_SIM_LIMIT_H

#include "sim/faults.h"

enum { LIMIT_BURST_MAX = 1000 * 1000 };

struct limit {
    double per_s;         /* 0: none */
    uint64_t burst;       /* 0: what a tenth of a second lets through, at least one */
    struct fault refusal; /* what a command beyond it meets; one of before processing */
    double tokens;
    int64_t at_ns; /* up to when there are tokens */
};

/* No limit; errno 15, if there will be one. */
void limit_init(struct limit *limit);

/* Reads N/s, N/m or N/h, at most 1000000/s. */
bool limit_parse(struct span text, double *ret_per_s);

/* Decides on the burst where it is 0, and fills the bucket. */
void limit_begin(struct limit *limit, int64_t now_ns);

/* Whether a command is taken, which then is counted. */
bool limit_takes(struct limit *limit, int64_t now_ns);

#endif
