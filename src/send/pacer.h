/*
 * Whether a row may start now, as far as the run as a whole is concerned: the rate and its ramp,
 * the platform's own limit (pace), Retry-After where most answers refuse, outages (breaker) and the
 * operator's pause in one question.
 *
 *     pacer_init(&pacer, &options, now_ns);
 *     while (a row waits && pacer_next_ns(&pacer, now_ns, &why) == 0) {
 *         row->ticket = pacer_start(&pacer, now_ns);
 *         … start it …
 *     }
 *     … set a timer for what pacer_next_ns says; at the end of each attempt:
 *     pacer_end(&pacer, &attempt, now_ns, &news);
 *
 * Times are the caller's monotonic clock; what one of the parts wants in milliseconds is taken from
 * the same clock.
 */
#ifndef NB_SEND_PACER_H
#define NB_SEND_PACER_H

#include "send/breaker.h"
#include "send/limiter.h"
#include "send/pace.h"
#include "send/ramp.h"

struct pacer_options {
    int64_t rate_count, rate_per_ms; /* count 0: no limit */
    int64_t burst;                   /* ≥ 1 */
    bool rate_is_asked;              /* by the operator, who is to have it from the first row on */
    bool has_ramp;                   /* in place of the rate */
    struct ramp ramp;
    bool adaptive;
    size_t concurrency;
    uint64_t rows; /* that are to be sent; 0: it is not known */
    bool follows;  /* requests left at this rate until now: the burst is used up */
};

/* Why nothing starts; the one that lasts longest is told. */
enum pacer_wait {
    PACER_GO,
    PACER_RATE,
    PACER_HOST,   /* it asked to be left alone (Retry-After) */
    PACER_OUTAGE, /* the breaker is open */
    PACER_PAUSED, /* by the operator */
    /* What is known outside of the pacer, whose word this is all the same. */
    PACER_SHORTAGE, /* this machine has too little to send with */
    PACER_READER,   /* who reads the results does not keep up */
    PACER_DISK,     /* what may be sent next is not on disk yet */
};

/*
 * So many of the last answers are looked at, to tell whether most of them refuse, since the rate
 * was lowered last; then a few tell nothing yet. A run of no more rows than a few for each place
 * does not look for a limit slowly: it would be over before.
 */
enum { PACER_RECENT = 32, PACER_FEW = 16, PACER_TELL_MS = 60 * 1000, PACER_SHORT_RUN = 4 };

struct pacer {
    struct pacer_options options;
    struct limiter limiter;
    struct pace pace;
    struct breaker breaker;
    int64_t start_ms;
    int64_t ramped_ms;     /* when the ramp's rate was set last */
    int64_t per_hour;      /* what the limiter holds now; 0: nothing */
    int64_t host_until_ms; /* no attempt before */
    uint64_t answered;     /* the number of the newest request that the platform answered */
    int64_t answered_ms;   /* when it answered last */
    int64_t balance;       /* answers, less what was refused (struct pacer_row) */
    uint32_t recent;       /* a bit for each of the last answers: it refused */
    uint32_t recent_count;
    bool yielded; /* a row that had been refused, or failed, was answered later */
    bool paused;
    bool told_limit; /* the operator was told of one, */
    int64_t told_ms; /* … and when */
    int64_t tell_ms; /* not again before so long after that; doubles */
};

/*
 * What a row has been through, zeroed at its start. Stubborn (send/breaker.h) is who fails again
 * when, since it began to, the platform has answered a request that started later, and more than
 * PACER_STUBBORN of them for each other row that began to fail as well, and one for each refusal of
 * such a row: a limit that is exceeded refuses more than that. It does so in a row, too: who
 * was refused behind another one that may be the limit's is not known to be stubborn. Where nothing
 * is answered for some time, no row loses what was known of it.
 */
struct pacer_row {
    uint64_t failing; /* the number of its first request that was refused, or failed; 0: none */
    int64_t balance;  /* the pacer's by then; INT64_MAX: it was refused behind others */
};

enum { PACER_STUBBORN = 2 };

/* The end of an attempt. */
struct pacer_attempt {
    const struct outcome *outcome;
    uint32_t ticket;
    uint64_t number;       /* among the run's, in the order of their starts, from 1 */
    struct pacer_row *row; /* which is brought up to date */
    int64_t started_ns;
    int64_t host_wait_ms; /* from retry_decide; 0: none */
};

/* What has changed by it; both are worth a line to the operator. */
struct pacer_news {
    enum pace_change pace; /* a limit that comes and goes is told ever more seldom */
    bool breaker_changed;
};

void pacer_init(struct pacer *pacer, const struct pacer_options *options, int64_t now_ns);

/* 0 when a row may start now; otherwise when to ask again at the latest; INT64_MAX: when something
 * has ended or changed. */
int64_t pacer_next_ns(struct pacer *pacer, int64_t now_ns, enum pacer_wait *ret_why);

/* Counts a start and returns its ticket. Only after pacer_next_ns said 0 for the same time, and
 * only for an attempt whose end will be told. */
uint32_t pacer_start(struct pacer *pacer, int64_t now_ns);

void pacer_end(struct pacer *pacer, const struct pacer_attempt *attempt, int64_t now_ns,
               struct pacer_news *ret_news);

/* Whether it says nothing of a row that it is refused, for everything is. */
bool pacer_refuses_all(const struct pacer *pacer, const struct pacer_row *row);

/* The same for an attempt that tells nothing of the platform: it did not leave for want of
 * something here, or was ended from here. */
void pacer_cancel(struct pacer *pacer, uint32_t ticket, int64_t now_ms);

/* Whether it is the platform's limit that holds, and not what was asked for. */
bool pacer_is_limited(const struct pacer *pacer);

/* The platform's limit as it was measured last, per second; 0 where none showed, or where no row
 * that was refused was answered later: then it is not the rate that it was refused for. */
double pacer_allowed(const struct pacer *pacer);

/* The rate that holds now, per hour; 0 where there is none. */
int64_t pacer_rate_per_hour(const struct pacer *pacer);

#endif
