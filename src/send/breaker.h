/*
 * Whether the platform can be reached at all: a circuit breaker. While it is open, rows wait and do
 * not burn their attempts; now and then one row probes.
 *
 *     if (breaker_next_ms(&breaker, now_ms) == 0) {
 *         row->ticket = breaker_start(&breaker, now_ms);
 *         … start it …
 *     }
 *     … at the end of the attempt:
 *     breaker_add(&breaker, row->ticket, breaker_kind_of(&outcome), now_ms);
 *     … and --outage-wait is over when
 *     breaker_is_open(&breaker) && now_ms - breaker.open_since_ms >= wait_ms
 *
 *             BREAKER_RUN connections in a row failed, or half of the last attempts,
 *             or it has refused everything for BREAKER_REFUSED_MS
 *     CLOSED ────────────────────────────────────────────────────────────────────▶ OPEN ◀──┐
 *        ▲                                     one row starts, after a delay │             │ fails
 *        └────────────────────────── answered ────────────────────────── HALF_OPEN ────────┘
 *
 * The delay before a probe starts at BREAKER_DELAY_MS and doubles with each probe that fails, up to
 * BREAKER_DELAY_MAX_MS. Every change of state begins a new era; a ticket names the era in which an
 * attempt started, and those of earlier eras that end late are not counted: they tell of the past.
 *
 * Rows that the platform refuses for their own sake (a device that has had too much) are no outage,
 * even where they are all that is left of a run. What tells them: others were answered in between,
 * by requests that started later. Such a row is stubborn: its refusals count as nothing, and as a
 * probe it has another one follow without a longer delay. Where a third of what is refused in
 * a row is stubborn, others of that kind are likely, which had nobody behind them that could be
 * answered: then BREAKER_REFUSED_RUN different rows open it. Otherwise so many answers do: they are
 * the last rows of a run, and the platform may have begun to refuse everything.
 *
 * Pattern: Nygard, "Release It!" (2007), chapter "Circuit Breaker". Times are the caller's
 * monotonic clock in milliseconds.
 */
#ifndef NB_SEND_BREAKER_H
#define NB_SEND_BREAKER_H

#include "platform/outcome.h"

enum {
    BREAKER_RUN = 10,          /* connections that fail in a row open it */
    BREAKER_RUN_LIKELY = 2,    /* so many make it likely that it will be open */
    BREAKER_WINDOW = 64,       /* the last attempts that are looked at, bits of a word */
    BREAKER_ATTEMPTS_MIN = 20, /* before so many, no share counts */
    BREAKER_SHARE = 50,        /* per cent of failures that open it */
    BREAKER_REFUSED_RUN = 8,   /* throttling answers in a row that open it (see below), … */
    BREAKER_REFUSED_MS = 2000, /* … where these last for so long */
    BREAKER_DELAY_MS = 1000,
    BREAKER_DELAY_MAX_MS = 60 * 1000,
};

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

/* What an attempt says about the way to the platform. */
enum breaker_kind {
    BREAKER_OK,            /* it answered; a command that it rejects is an answer */
    BREAKER_NO_CONNECTION, /* not sent */
    BREAKER_FAILED,        /* no answer, or HTTP 5xx */
    BREAKER_REFUSED,       /* it gets too much: the pace's matter, unless it refuses everything */
    BREAKER_REFUSED_AGAIN, /* … of a row that it had refused before */
    BREAKER_STUBBORN,      /* it refuses a row again, or fails, and answered others in between */
    BREAKER_LOCAL,         /* nothing: it never left this machine, or was ended here */
};

struct breaker {
    enum breaker_state state;
    uint32_t era;
    uint32_t failed_connections; /* in a row */
    uint32_t attempts;           /* in the window, up to BREAKER_WINDOW */
    uint64_t window;             /* a bit for each of the last attempts: it failed */
    uint32_t refused;            /* throttling answers in a row to rows that had none before, */
    uint32_t refused_again;      /* … to others, but stubborn ones, */
    int64_t refused_since_ms;    /* … since the first of them */
    uint32_t stubborn;           /* … and to these */
    bool by_refusals;            /* … is why it is open */
    int64_t open_since_ms;       /* since the last time that it was closed; while it is open */
    int64_t probe_ms;            /* when the next probe may start */
    int64_t delay_ms;            /* before that probe */
    uint64_t openings;           /* how often it left CLOSED */
};

void breaker_init(struct breaker *breaker);

enum breaker_kind breaker_kind_of(const struct outcome *outcome);

/* 0 when a row may start now; otherwise the time of the next probe; INT64_MAX while a probe is
 * under way. */
int64_t breaker_next_ms(const struct breaker *breaker, int64_t now_ms);

/* Whether it has refused everything of late, so that it will soon be open, or is; that a row is
 * refused is then no fault of its own. Of a stubborn one it is, unless that is why it is open. */
bool breaker_refuses_all(const struct breaker *breaker, bool is_stubborn);

/* Whether no connection came about of late, so that it will soon be open, or is: that a row was not
 * sent is then no fault of its own. */
bool breaker_is_unreachable(const struct breaker *breaker);

/* Counts a start, which is the probe where the breaker is open, and returns its ticket. Only after
 * breaker_next_ms said 0 for the same time, and only for an attempt whose end will be added. */
uint32_t breaker_start(struct breaker *breaker, int64_t now_ms);

/* Counts the end of an attempt. True when that has changed the state. */
bool breaker_add(struct breaker *breaker, uint32_t ticket, enum breaker_kind kind, int64_t now_ms);

/* Whether a third or more of what was refused in a row is stubborn: what else is refused again is
 * likely to be so. */
static inline bool breaker_is_among_stubborn(const struct breaker *breaker)
{
    return breaker->stubborn > 0 &&
           2 * breaker->stubborn >= breaker->refused + breaker->refused_again;
}

/* Whether the last answer that counts was a refusal. */
static inline bool breaker_is_refusing(const struct breaker *breaker)
{
    return breaker->refused + breaker->refused_again > 0;
}

static inline bool breaker_is_open(const struct breaker *breaker)
{
    return breaker->state != BREAKER_CLOSED;
}

#endif
