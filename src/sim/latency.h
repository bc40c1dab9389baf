/*
 * How long the simulated platform takes to answer: a fixed time, or one drawn for each request.
 *
 *     latency_parse(SPAN_LITERAL("lognormal:20ms:0.5"), &latency);
 *     delay_us = latency_draw(&latency, &chance);
 */
#ifndef NB_SIM_LATENCY_H
#define NB_SIM_LATENCY_H

#include "sim/chance.h"

enum latency_kind { LATENCY_FIXED, LATENCY_UNIFORM, LATENCY_LOGNORMAL };

/* No answer takes longer, whatever is drawn. */
enum { LATENCY_MAX_MS = 3600 * 1000 };

struct latency {
    enum latency_kind kind; /* zeroed: no delay at all */
    int64_t low_ms;         /* fixed: the time; uniform: the least; lognormal: the median */
    int64_t high_ms;        /* uniform: the most */
    double sigma;           /* lognormal: of the logarithm */
};

/*
 * Reads "20ms", "uniform:10ms..30ms", "lognormal:20ms" or "lognormal:20ms:0.5" (sigma, 0…4, 0.5 if
 * not given). Durations are those of core/when.h, an hour at most. STATUS_SYNTAX or STATUS_RANGE.
 */
enum status latency_parse(struct span text, struct latency *ret_latency) MUST_USE;

/* Whether a delay can come out of it. */
bool latency_is_zero(const struct latency *latency);

/* The next delay in microseconds. */
int64_t latency_draw(const struct latency *latency, struct prng *chance);

#endif
