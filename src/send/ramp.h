/*
 * Careful beginnings: a rate that changes over time (--ramp), and a few rows ahead of the others
 * (--canary).
 *
 *     ramp_parse(SPAN_LITERAL("10/s..500/s:5m"), &ramp, &message)
 *     … limiter_set_rate(&limiter, ramp_per_hour(&ramp, now_ms - begin_ms), LIMITER_HOUR_MS, …)
 *       before each question to the limiter, or every RAMP_STEP_MS …
 *
 *     canary_parse(SPAN_LITERAL("20:30s"), &canary, &message)
 *     if (canary_next_ms(&canary, now_ms) == 0) { canary_add(&canary); … scheduler_add … }
 *     … when a row that was added has ended for good: canary_end(&canary, status, now_ms),
 *       and canary_is_lost(&canary): no other row should be sent …
 *
 * The canary holds back rows before they get to the scheduler, so that retries of the first ones go
 * on. Durations are in milliseconds, times the caller's monotonic clock in milliseconds.
 */
#ifndef NB_SEND_RAMP_H
#define NB_SEND_RAMP_H

#include "core/buf.h"
#include "platform/outcome.h"

enum { RAMP_STEP_MS = 100 };

/* The largest settings. */
#define RAMP_PER_HOUR_MAX   INT64_C(3600000000)         /* 1 000 000/s */
#define RAMP_MS_MAX         (7 * INT64_C(24 * 3600000)) /* a week */
#define CANARY_ROWS_MAX     UINT64_C(1000000)
#define CANARY_PAUSE_MAX_MS (7 * INT64_C(24 * 3600000))

/* Reads N/s, N/m or N/h: a count and its unit in milliseconds. False for anything else, and above
 * RAMP_PER_HOUR_MAX. */
bool rate_parse(struct span text, int64_t *ret_count, int64_t *ret_per_ms);

struct ramp {
    int64_t from_per_hour, to_per_hour; /* ≥ 1 */
    int64_t ms;                         /* > 0 */
};

/* Reads RATE..RATE:DURATION, each rate N/s, N/m or N/h; it may rise or fall. STATUS_USAGE with the
 * piece and the remedy in `message`. */
enum status ramp_parse(struct span text, struct ramp *ret_ramp, struct buf *message) MUST_USE;

/* The rate at a time since the beginning: linear up to the end, then the last. ≥ 1. */
int64_t ramp_per_hour(const struct ramp *ramp, int64_t elapsed_ms);

enum canary_state {
    CANARY_SENDING, /* its rows are added */
    CANARY_WAITING, /* all are added, not all have ended */
    CANARY_PAUSING, /* all have ended; until over_ms */
    CANARY_OVER,    /* or there was none */
};

/* A zeroed struct with the state CANARY_OVER is none. */
struct canary {
    enum canary_state state;
    uint64_t rows;
    uint64_t added, ended;
    uint64_t by_status[ROW_STATUS_COUNT]; /* those that have ended */
    bool accepts_count;                   /* `accept` is a number of rows, not per cent of them */
    uint64_t accept;                      /* so many are to be accepted for the others to be sent */
    int64_t pause_ms;
    int64_t over_ms;
};

/* Reads N or N:PAUSE; without a pause the run goes on when the N rows have ended. STATUS_USAGE as
 * above. */
enum status canary_parse(struct span text, struct canary *ret_canary, struct buf *message) MUST_USE;

/* Reads the share that is to be accepted, such as 90%, or a number of rows, into a canary that was
 * parsed; without this it is all of them. STATUS_USAGE as above. */
enum status canary_parse_accept(struct span text, struct canary *canary,
                                struct buf *message) MUST_USE;

/* How many of its rows are to be accepted. */
uint64_t canary_needed(const struct canary *canary);

/* Whether so few were accepted that this number cannot be reached any more. */
bool canary_is_lost(const struct canary *canary);

/* Appends how its rows have ended: "18 accepted, 2 rejected". */
void canary_describe(const struct canary *canary, struct buf *out);

/* 0 when another row may be added now; otherwise the end of the pause, or INT64_MAX while rows are
 * under way. Ends the pause. */
int64_t canary_next_ms(struct canary *canary, int64_t now_ms);

/* When a pause ends, also where that has passed; INT64_MAX outside of one. Ends nothing: a timer is
 * set by it, and whoever the timer wakes asks canary_next_ms. */
int64_t canary_wake_ms(const struct canary *canary);

/* Counts a row that is added. Only after canary_next_ms said 0. */
void canary_add(struct canary *canary);

/* Counts a row that was added and has ended. */
void canary_end(struct canary *canary, enum row_status status, int64_t now_ms);

#endif
