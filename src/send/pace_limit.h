/*
 * What the pace does about a limit: grows up to it, measures it, holds what passes, tests whether
 * it has risen, and falls with it. For pace.c alone, which decides by the answers when each is
 * done.
 *
 * Times are monotonic nanoseconds: `started_ns` is when the request was sent whose answer is looked
 * at, `now_ns` is now. Rates are per second.
 */
#ifndef NB_SEND_PACE_LIMIT_H
#define NB_SEND_PACE_LIMIT_H

#include "send/pace.h"

#define PACE_WINDOW_S       1.2 /* no window is longer, and what lies between two rows */
#define PACE_INTERVAL_GUESS 3.0 /* rows before a test where next to nothing was measured */
#define PACE_REST_S         0.1 /* a longer time in which nothing is sent tells */

/* What is thought of a limit before it is measured. */
struct pace_guess {
    double limit, unsure, most;
};

/* The only place that changes the mode. */
void pace_set_mode(struct pace *pace, enum pace_mode mode, int64_t now_ns);
void pace_set_rate(struct pace *pace, double rate);

/* Whether it is the rate that holds rows back. */
bool pace_is_bound(const struct pace *pace, int64_t now_ns);

/* The greatest gain that costs no more than it may; and growth by `pace->gain` up to now. In a time
 * in which nothing was sent nothing was learned. */
double pace_gain_max(const struct pace *pace);
void pace_grow(struct pace *pace, int64_t now_ns);

/* What was being sent, by Little's law where there is no rate, when a request left that is answered
 * now. */
double pace_rate_then(const struct pace *pace, int64_t started_ns, int64_t now_ns);

/* Nothing was sent for a while: the bucket has filled. And: it was empty at this time. */
void pace_forget(struct pace *pace);
void pace_set_anchor(struct pace *pace, int64_t started_ns);

/* The rate was too high: it is cut, and what is still to be answered shows the limit. */
void pace_settle(struct pace *pace, const struct pace_count *seen, const struct pace_guess *guess,
                 int64_t now_ns);
void pace_follow_settling(struct pace *pace);

/* Sends a little less than `limit`, which is known but for the part `unsure` of it; with the book
 * of tests begun anew in the second. */
void pace_hold(struct pace *pace, double limit, double unsure, int64_t now_ns);
void pace_begin_holding(struct pace *pace, int64_t now_ns);

/* What was measured is refused: once, or so often that the limit has fallen. */
void pace_take_refusal(struct pace *pace, int64_t started_ns, int64_t now_ns);
void pace_fall(struct pace *pace, int64_t now_ns);

/* Whether a window that was calmed down is even again. */
bool pace_is_calmed(const struct pace *pace, int64_t now_ns);

/* A test: whether one is due, its begin, each answer that passed, and the refusal that ends it. */
bool pace_is_due(const struct pace *pace);
void pace_begin_test(struct pace *pace, int64_t now_ns);
void pace_go_on_testing(struct pace *pace, int64_t started_ns, int64_t now_ns);
void pace_end_test(struct pace *pace, int64_t started_ns, int64_t now_ns);

#endif
