/*
 * Going slower when the platform asks for it, for the whole run: additive increase, multiplicative
 * decrease (Chiu and Jain 1989) of the rate, or of the concurrency of a run without a rate.
 *
 *     throttle_init(&throttle, true, rate per hour, THROTTLE_RATE_FLOOR, now_ms);
 *     … or, without a rate: throttle_init(&throttle, true, concurrency, 1, now_ms);
 *     … at the end of each attempt:
 *     if (throttle_add(&throttle, &outcome, started_ms, now_ms) != THROTTLE_SAME) {
 *         … throttle_value(&throttle) is the limit now: tell the limiter or the scheduler, and the
 *           operator …
 *     }
 *
 * The ceiling is what the operator asked for; the value never is above it, nor below the
 * floor. An answer
 * that throttles halves the value, at most once per THROTTLE_INTERVAL_MS, and once per round trip:
 * what started before the last cut was sent at the old pace and says nothing about the new one.
 * When none has throttled for an interval, an answer (neither a failed attempt nor HTTP
 * 5xx) raises the value by a THROTTLE_STEPS-th of the ceiling, until it has it back.
 *
 * Times are the caller's monotonic clock in milliseconds.
 */
#ifndef NB_SEND_THROTTLE_H
#define NB_SEND_THROTTLE_H

#include "command/outcome.h"

enum {
    THROTTLE_INTERVAL_MS = 1000,
    THROTTLE_STEPS = 20,
    THROTTLE_RATE_FLOOR = 3600, /* 1/s, per hour as the limiter's variable rates are */
};

enum throttle_change { THROTTLE_SAME, THROTTLE_LOWERED, THROTTLE_RAISED };

struct throttle {
    bool enabled;    /* where not, the value is the ceiling */
    int64_t ceiling; /* ≥ 1 */
    int64_t floor;   /* ≥ 1; a ceiling below it is the floor */
    int64_t limit;   /* INT64_MAX while the ceiling alone holds */
    int64_t cut_ms;  /* the last time that it was lowered */
    int64_t calm_ms; /* since when nothing has changed or throttled */
    uint64_t cuts;
};

void throttle_init(struct throttle *throttle, bool enabled, int64_t ceiling, int64_t floor,
                   int64_t now_ms);

/* Another ceiling, as from a ramp. It keeps a limit that is below it. */
void throttle_set_ceiling(struct throttle *throttle, int64_t ceiling);

/* The rate or concurrency that holds now. */
int64_t throttle_value(const struct throttle *throttle);

/* Whether an outcome says that the platform gets too much: HTTP 429, 503 with Retry-After, errno 15
 * or 7. */
bool throttle_is_called_for(const struct outcome *outcome);

/* Counts the end of an attempt that started at `started_ms`. */
enum throttle_change throttle_add(struct throttle *throttle, const struct outcome *outcome,
                                  int64_t started_ms, int64_t now_ms) MUST_USE;

#endif
