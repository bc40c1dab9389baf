/*
 * How fast the platform lets a run go: finds a limit that it does not tell, and follows it.
 *
 *     pace_init(&pace, concurrency, true, true);
 *     … rows start while pace_window(&pace) has a place, at most pace_rate(&pace) a second …
 *     pace_start(&pace);                                   at each start
 *     pace_wait(&pace, now_ns);                            where a rate keeps a row back
 *     change = pace_end(&pace, PACE_PASSED, started_ns, now_ns);    at each end
 *
 *            window is the whole concurrency
 *     STARTING ───────────────────────────▶ OPEN ◀──────────────────────────┐
 *       │  ▲                                  │                             │
 *       │  └── the refusals are noise ──┐     │                             │
 *       └──── refused ─────────────▶ LIMITED ◀┘ refused     the limit holds nothing back any more
 *
 * STARTING is slow start: the first request goes alone, then the window grows with each answer, and
 * its requests are spread over the round trip. In OPEN nothing but the concurrency and the ceiling
 * hold; it costs nothing. In LIMITED there is a rate.
 *
 * The model of the platform is a token bucket. One that refuses is empty, and while it is, it
 * passes exactly what it is limited to, whatever is sent and however large it is. So the rate is
 * what has passed since the refusals began, by the times at which it was sent, and a little more,
 * so that the bucket stays empty and the measure true: half a row in all rows that it was measured
 * over, and PACE_EXCESS in the end. That excess is also what is refused. So the limit is known to
 * one in n rows at the price of log n refusals, and where it changes this shows in the next ones:
 *
 *   - More is refused than the excess explains: what passed since this began is the new measure.
 *   - Nothing is refused for longer than the excess explains: the rate grows, slowly at first, up
 * to half as much again in a second.
 *   - A bucket of one token passes every other request at a rate that is a hair above its limit. So
 *     the rate at the last refusal is a cap, which rises slowly.
 *
 * Refusals that do not depend on the rate (noise): where some more come than the excess explains, a
 * trial sends clearly less for some rows. A limit refuses none of them. Where they are refused all
 * the same, the pace goes back to STARTING, and only what is more than this share counts.
 *
 * A window or a rate that is not used (no rows, a pause) is not learned from, nor is what passes
 * behind a pause before something is refused again.
 *
 * Models: slow start (RFC 5681), BBR's delivered rate (Cardwell et al. 2016), the measured rate of
 * the AWS SDKs' adaptive mode, the CUSUM test (Page 1954). Times are the caller's monotonic clock
 * in nanoseconds, rates are per second, "rows" are requests that passed.
 */
#ifndef NB_SEND_PACE_H
#define NB_SEND_PACE_H

#include "core/span.h"

#define PACE_RATE_MIN 1.0
#define PACE_RATE_MAX 1e6
#define PACE_EXCESS   0.004

/* What an end says about the pace. */
enum pace_answer {
    PACE_PASSED,  /* the platform took the request, whatever it made of it */
    PACE_REFUSED, /* it gets too much */
    PACE_SILENT,  /* nothing */
};

enum pace_mode { PACE_OPEN, PACE_STARTING, PACE_LIMITED };

enum pace_change { PACE_SAME, PACE_LOWERED, PACE_FREED };

/* What passed while the platform's bucket was empty. */
struct pace_measure {
    double passed, refused, seconds;
    double guess; /* what was thought to be the limit before, */
    double trust; /* … as if so many rows had shown it, */
    double begun; /* … and had done so at first */
    double most;  /* not more than this before enough rows have passed */
};

/* A pace that grows since nothing is refused. */
struct pace_growth {
    double gain;    /* in a step; 0: none is under way */
    double step;    /* rows; the gain doubles with each */
    double step_at; /* at which `calm` it doubles next */
    double ground;  /* the rate before */
};

/* Less is sent for a while, to see whether it is refused all the same. */
struct pace_trial {
    bool under_way;
    int64_t start_ns;
    double rows;   /* it takes so many */
    double before; /* the rate, */
    double share;  /* … and what was refused of it */
    double passed, refused;
};

struct pace {
    bool enabled;
    enum pace_mode mode;
    size_t concurrency;
    size_t in_flight;
    double ceiling;   /* 0: none */
    double rtt_s;     /* smoothed; 0 until the first answer */
    double window;    /* of STARTING */
    double rate;      /* of LIMITED */
    int64_t bound_ns; /* when a rate kept a row back last */
    double noise;     /* the share that is refused at any rate */
    int64_t noise_ns; /* up to when it has faded */
    double alarm;     /* refusals beyond what is expected */
    double allowed;   /* the limit as it was measured; 0: none was found */

    /* LIMITED: */
    int64_t mark_ns; /* what started before is not looked at */
    int64_t last_ns; /* when the newest request that was answered started */
    int64_t cut_ns;  /* when measuring began anew */
    struct pace_measure measure;
    struct pace_measure fall; /* since `alarm` was 0 last */
    bool rested;              /* nothing was sent for a while: the bucket has filled */
    double sure;              /* rows that the limit was measured over at the last refusal */
    double top;               /* the rate at the last refusal … */
    int64_t top_ns;           /* … and when that came */
    double calm;              /* rows since the last refusal */
    struct pace_growth growth;
    double odd;                   /* refusals that the excess does not explain, */
    double odd_refused, odd_rows; /* … and all since they began */
    struct pace_trial trial;
};

/* `concurrency` ≥ 1. `gently`: begins with STARTING, otherwise with OPEN. Where it is not enabled,
 * it is OPEN for good. */
void pace_init(struct pace *pace, size_t concurrency, bool enabled, bool gently);

/* What the operator allows at the most; 0: anything. */
void pace_set_ceiling(struct pace *pace, double ceiling);

/* After an outage: what was known is old. */
void pace_restart(struct pace *pace);

/* The rate that holds beside the ceiling; 0: none. */
double pace_rate(const struct pace *pace);

/* How many may be in flight, ≥ 1. */
size_t pace_window(const struct pace *pace);

/* A row could start but for the rate or the ceiling. */
static inline void pace_wait(struct pace *pace, int64_t now_ns)
{
    pace->bound_ns = now_ns;
}

static inline void pace_start(struct pace *pace)
{
    pace->in_flight++;
}

/* The end of a request that was counted by pace_start. PACE_LOWERED where a limit has appeared,
 * PACE_FREED where there is none any more. */
enum pace_change pace_end(struct pace *pace, enum pace_answer answer, int64_t started_ns,
                          int64_t now_ns);

/* It never left, and says nothing. */
static inline void pace_cancel(struct pace *pace)
{
    pace->in_flight--;
}

/* The platform's limit as it was measured last, per second; 0 where none showed. */
double pace_allowed(const struct pace *pace);

#endif
