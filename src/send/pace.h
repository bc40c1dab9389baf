/*
 * How fast the platform lets a run go: finds a limit that it does not tell, and follows it.
 *
 *     pace_init(&pace, concurrency, true, true);
 *     … rows start at most pace_rate(&pace) a second, where that is not 0 …
 *     pace_start(&pace);                                   at each start
 *     pace_wait(&pace, now_ns);                            where a rate keeps a row back
 *     change = pace_end(&pace, PACE_PASSED, started_ns, now_ns);    at each end
 *
 *            the whole concurrency is in use
 *     STARTING ──────────────────────────▶ OPEN ◀────────────────────────────────────────┐
 *       │  ▲                                 │                                           │
 *       │  └── the refusals are noise ──┐    │ refused           the limit holds nothing │
 *       └────── refused ─────────▶ SETTLING ◀┘                                back any more
 *                                     │   ▲ it has fallen or risen                       │
 *                                     ▼   │         after an interval                    │
 *                       TRYING ◀──▶ HOLDING ──────────────────────────▶ TESTING ─────────┘
 *                                         ◀────────────────────────────
 *                                                  refused once
 *
 * STARTING looks for a limit: the rate grows, the faster the shorter a round trip is. In OPEN
 * nothing but the concurrency and the ceiling hold; it costs nothing. Where two are refused, the
 * rate is cut, and SETTLING waits for the answers to what is under way: they show how much passes.
 * HOLDING sends a little less than that, so that nothing is refused. Now and then TESTING sends a
 * little more, and faster and faster where that passes, until one is refused. Tests are seldom: one
 * in INTERVAL_ROWS rows or eight seconds, and more seldom where they cost more than one refusal.
 *
 * The model of the platform is a token bucket of unknown size, or a count of each second or of the
 * last one (a window). What it measures by is in
 * pace_limit.c; the counts are pace_measure, and pace_noise tells noise from a limit.
 *
 * Refusals that do not depend on the rate (noise): where more come than a limit explains, TRYING
 * sends clearly less for some rows. A limit refuses none of them. Where they are refused all the
 * same, the pace goes back to STARTING, and only what is more than this share counts. So it does
 * where most of what was under way at the end of STARTING passed: while the rate grows, a limit
 * refuses more and more.
 *
 * A rate that is not used (no rows, a pause) is not learned from.
 *
 * Models: slow start (RFC 5681), BBR's delivered rate and its probes (Cardwell et al. 2016), the
 * CUSUM test (Page 1954). Times are the caller's monotonic clock in nanoseconds, rates are per
 * second, "rows" are requests that passed.
 */
#ifndef NB_SEND_PACE_H
#define NB_SEND_PACE_H

#include "send/pace_noise.h"

#define PACE_RATE_MIN (1.0 / 60)
#define PACE_RATE_MAX 1e6
#define PACE_EXCESS   0.004

/* What an end says about the pace. */
enum pace_answer {
    PACE_PASSED,  /* the platform took the request, whatever it made of it */
    PACE_REFUSED, /* it gets too much */
    PACE_SILENT,  /* nothing */
};

enum pace_mode {
    PACE_OPEN,
    PACE_STARTING,
    /* The others have a limit: */
    PACE_SETTLING,
    PACE_HOLDING,
    PACE_TESTING,
    PACE_TRYING,
};

enum pace_change { PACE_SAME, PACE_LOWERED, PACE_FREED };

/* How fast it went before everything was refused. */
struct pace_before {
    int64_t at_ns;
    double rate;  /* what passed, or would have */
    double limit; /* 0: none was known */
};

struct pace {
    bool enabled;
    enum pace_mode mode;
    int64_t since_ns; /* when it began */
    size_t concurrency;
    size_t in_flight;
    double ceiling;    /* 0: none */
    double rtt_s;      /* smoothed; 0 until the first answer */
    double rate;       /* but in OPEN */
    int64_t bound_ns;  /* when a rate kept a row back last */
    double gain;       /* by this part of it the rate grows in a second, in STARTING and TESTING */
    int64_t grown_ns;  /* up to when it has */
    int64_t step_ns;   /* since when by this gain */
    uint64_t answered; /* without a limit */
    double sought;     /* the rate at which STARTING met what may be a limit; 0: that is decided */

    struct pace_recent recent;
    struct pace_run run;
    struct pace_before before; /* … that run */
    uint64_t passed;           /* since the start, or the last restart */
    int slow;                  /* restarts after which next to nothing passed */
    bool windowed;             /* the platform counts by the second, it seems */
    int64_t calmed_ns;         /* when half was sent for a while, since a window was not even */
    struct pace_cusum alarm;   /* refusals that come close together */
    struct pace_noise noise;

    double limit;             /* as it was measured; 0: none was found */
    double least, most;       /* and while it is being measured, within these */
    double unsure;            /* by this part of it */
    struct pace_count anchor; /* what the limit is measured by */
    int64_t last_ns;          /* when the newest request that was answered started */
    int64_t cut_ns;           /* when the rate was cut last; for others to read */
    double rows;              /* that were held, */
    bool clean;               /* … and whether none of them was refused */
    bool trusted;             /* what was above the measure has been refused: it is right */
    double interval;          /* rows to hold before the next test */
    double ground;            /* the rate before the test */
    double tested;            /* rows of the test */
    double cost;              /* its refusals */
};

/* `concurrency` ≥ 1. `gently`: begins with STARTING, otherwise with OPEN. Where it is not enabled,
 * it is OPEN for good. */
void pace_init(struct pace *pace, size_t concurrency, bool enabled, bool gently);

/* What the operator allows at the most; 0: anything. */
void pace_set_ceiling(struct pace *pace, double ceiling);

/* After an outage: what was known is old. Where a limit is known, the rate goes on far below it;
 * otherwise it begins anew, at half of what passed before or more. That everything was refused at
 * the end says nothing of the rate: what was known before that counts. */
void pace_restart(struct pace *pace, int64_t now_ns);

/* The rate that holds beside the ceiling; 0: none. */
double pace_rate(const struct pace *pace);

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

/* Whether there is a limit. */
bool pace_is_limited(const struct pace *pace);

/* The platform's limit as it was measured last, per second; 0 where none showed. What was refused
 * without a break since then measures nothing. */
double pace_allowed(const struct pace *pace);

#endif
