/*
 * How fast rows may start: a token bucket in whole numbers.
 *
 *     limiter_init(&limiter, 20, 1000, 1, now_ns);                 20 per second, one by one
 *     while (something waits && limiter_next_ns(&limiter, now_ns) == 0) {
 *         limiter_take(&limiter, now_ns);
 *         … start it …
 *     }
 *     … and set a timer for what limiter_next_ns says …
 *
 * Times are the caller's monotonic clock in nanoseconds; one that goes backwards counts as one that
 * stands still. A rate is `count` starts per `per_ms` milliseconds; a count of 0 is no limit.
 *
 * Exact: the bucket holds fractions of a start as whole numbers (a start is `per_ms` in
 * nanoseconds, and each nanosecond brings `count`), so nothing is rounded, and 7/s over a day are
 * 604 800 starts.
 *
 * Late callers lose nothing: timers are coarse (libuv's tick is 1 ms, in which 20 starts fall due
 * at 20 000/s), and so the bucket keeps LIMITER_SLACK_NS worth of starts beyond the burst. A caller
 * that comes back within this time finds all the starts that have fallen due. What this costs is
 * the bound of a window: in any span of time D, no more start than
 *
 *     burst + rate · (D + LIMITER_SLACK_NS)        rounded down, while the rate stays the same
 *
 * so 0.5 % more in a span of a second. Below 200/s the slack is less than one start: a start that
 * follows a late one comes early by the lateness, and never two at once beyond the burst.
 */
#ifndef NB_SEND_LIMITER_H
#define NB_SEND_LIMITER_H

#include "core/span.h"

/* How late a caller may be without loss. */
#define LIMITER_SLACK_NS INT64_C(5000000)

/* The largest settings; the arithmetic fits into 64 bits up to these. */
#define LIMITER_COUNT_MAX  INT64_C(3600000000) /* 1 000 000/s, counted per hour */
#define LIMITER_PER_MS_MAX INT64_C(3600000)
#define LIMITER_BURST_MAX  INT64_C(1000000)

/* Rates that change (ramp, throttle) are counted per hour, in which each of N/s, N/m and N/h is a
 * whole number. */
#define LIMITER_HOUR_MS INT64_C(3600000)

struct limiter {
    int64_t count;  /* credit per nanosecond; 0: no limit */
    int64_t per_ns; /* credit that a start takes */
    int64_t burst;  /* starts */
    int64_t slack_ns;
    int64_t credit; /* now, from 0 to `burst` starts and the slack */
    int64_t at_ns;  /* up to when credit has been given */
    uint64_t taken; /* starts so far */
};

/* A full burst may start at once. `burst` ≥ 1; all within the maxima above. */
void limiter_init(struct limiter *limiter, int64_t count, int64_t per_ms, int64_t burst,
                  int64_t now_ns);

/* The burst is used up by starts of somebody else. */
void limiter_drain(struct limiter *limiter);

/* 0 when a row may start now; otherwise when the next one may, if the rate stays the same: the
 * first nanosecond at which it may. */
int64_t limiter_next_ns(struct limiter *limiter, int64_t now_ns);

/* Counts a start. Only after limiter_next_ns said 0 for the same time. */
void limiter_take(struct limiter *limiter, int64_t now_ns);

/* Another rate from now on. What had fallen due so far stays due, as far as the new rate's bucket
 * holds it; a fraction of a start stays the same fraction. So a higher rate brings no backlog. */
void limiter_set_rate(struct limiter *limiter, int64_t count, int64_t per_ms, int64_t now_ns);

/* Another burst, and another slack (≤ LIMITER_SLACK_NS) than the usual one. What is more than the
 * new bucket holds is lost. */
void limiter_set_burst(struct limiter *limiter, int64_t burst, int64_t slack_ns, int64_t now_ns);

#endif
