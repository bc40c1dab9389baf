/*
 * The engine: pulls rows from the intake when there is room, asks `send` which one may start and
 * when, lets the transport carry it, and tells ledger and tally what became of it. The only place
 * that acts on decisions; it runs a libuv loop of its own until every row has come to its end, or
 * the run is stopped.
 */
#ifndef NB_ENGINE_JOB_H
#define NB_ENGINE_JOB_H

#include "engine/check.h"
#include "ledger/ledger.h"
#include "net/transport.h"
#include "report/tally.h"
#include "send/halt.h"
#include "send/pacer.h"
#include "send/retry.h"

/* How a run can end before its input does. */
enum job_end {
    JOB_COMPLETE, /* it did not: every row has its result */
    JOB_FAILED,   /* results could not be written, input not be read, no memory: see the status */
    JOB_HALTED,   /* by a --halt rule */
    JOB_OUTAGE,   /* the platform was away for longer than outage_wait_ms */
    JOB_REFUSED,  /* no row could be sent: the key, certificates, an endpoint never reached, or not
                     the platform's */
    JOB_INTERRUPTED, /* by a signal */
    JOB_CHANGED,     /* the input is no longer what was checked */
    JOB_UNREADABLE,  /* the input cannot be read, or not on: STATUS_BAD_INPUT */
    JOB_CANARY,      /* too few of the first rows were accepted */
    JOB_SHORTAGE,    /* this machine had too little to send with for too long */
};

/* What the operator may want to know while it runs. */
struct job_status {
    uint64_t rows;    /* that have their result */
    size_t in_flight; /* attempts */
    size_t waiting;   /* rows that were read and wait for their turn or for another attempt */
    uint64_t retries; /* so far */
    enum pacer_wait wait;
    int64_t wait_ms;       /* until it is over at the earliest; -1: not known */
    int64_t rate_per_hour; /* that holds now; 0: none */
    size_t concurrency;    /* likewise */
    int signal_number;     /* of JOB_EVENT_DRAINING */
    const struct canary *canary;
    int64_t canary_wait_ms; /* until its pause is over; -1: there is none */
    const char *shortage;   /* of JOB_EVENT_SHORTAGE: what is short, and what helps */
    int64_t clock_off_s;    /* of JOB_EVENT_CLOCK: the platform's clock less this machine's */
    const char *why;        /* why rows are not started any more; "" while they are */
};

enum job_event {
    JOB_EVENT_TICK,      /* every JOB_TICK_MS, for progress */
    JOB_EVENT_STATUS,    /* SIGUSR1: wants to be told */
    JOB_EVENT_PAUSED,    /* SIGUSR2 */
    JOB_EVENT_RESUMED,   /* SIGUSR2 */
    JOB_EVENT_SLOWER,    /* the platform asked for it */
    JOB_EVENT_RECOVERED, /* back to what was asked for */
    JOB_EVENT_OUTAGE,    /* rows wait; one at a time probes */
    JOB_EVENT_OUTAGE_OVER,
    JOB_EVENT_CANARY_PAUSE, /* its rows have ended, and its pause begins */
    JOB_EVENT_CANARY,       /* the other rows are sent */
    JOB_EVENT_VALID_NOW,    /* once: a row leaves without its valid_time, which has come */
    JOB_EVENT_KEY,          /* it was refused, and its source gave another: on with that */
    JOB_EVENT_CLOCK,        /* this machine's is far from the platform's */
    JOB_EVENT_SHORTAGE,     /* this machine has too little to send with: rows wait */
    JOB_EVENT_DRAINING,     /* by a signal: what is in flight is waited for */
    JOB_EVENT_ABORTING,     /* by a second one: what is in flight is ended */
    JOB_EVENT_STOPPED,      /* by anything else: no row is started any more; `why` says it */
};

enum { JOB_TICK_MS = 200 };

typedef void job_event_fn(void *context, enum job_event event, const struct job_status *status);

/* The end of an attempt, and what was decided. */
struct job_attempt {
    uint64_t row, line;
    uint32_t number; /* the row's first is 1 */
    const struct outcome *outcome;
    const struct retry_decision *decision;
    int64_t latency_us;
};

typedef void job_attempt_fn(void *context, const struct job_attempt *attempt);

/* What became of an attempt to read the key's source again. */
enum job_key {
    JOB_KEY_OTHER,  /* the credentials of the transport's options hold another key now */
    JOB_KEY_SAME,   /* there is no other */
    JOB_KEY_FAILED, /* `message` says why it could not be read */
};

typedef enum job_key job_key_fn(void *context, struct buf *message);

/* This far the clocks may be from each other before it is said, in seconds. */
enum { JOB_CLOCK_OFF_MAX_S = 30 };

struct job_options {
    enum dialect dialect; /* of the platform */
    struct transport_options transport;
    struct retry_policy retry;
    uint64_t seed; /* of the jitter */
    struct pacer_options pacer;
    struct canary canary;
    struct halt *halt;      /* rules; counts are kept in it */
    int64_t outage_wait_ms; /* an outage of this length ends the run */
    job_key_fn *renew_key; /* reads the key's source again; NULL: there is none that could change */
    void *renew_key_context;
    problems_fn *report; /* told of every row with problems; NULL where a check has told already */
    void *report_context;
    job_event_fn *event; /* may be NULL */
    void *event_context;
    job_attempt_fn *attempt; /* told of every attempt; may be NULL */
    void *attempt_context;
};

/* How it went. */
struct job_result {
    enum job_end end;
    int signal_number; /* of JOB_INTERRUPTED */
    bool aborted;      /* what was in flight was ended too, not waited for: … */
    uint64_t cut_off;  /* … so many requests that had left */
    uint64_t retries;  /* attempts that were started beyond each row's first */
    struct canary canary;
    uint64_t rows;    /* of the input that were read */
    uint64_t settled; /* those of them that had their result already */
    double allowed;   /* the platform's limit a second as it was found; 0: none showed */
};

/*
 * Sends every valid row of the intake that the ledger has no result for, and records every row that
 * has come to its end, invalid ones as such. The intake stands at its first byte and uses the
 * ledger, which has been started. When it returns nothing is in flight; the ledger is to be
 * finished.
 *
 * STATUS_OK: every row has its result, or `ret_result` says why the run was stopped; rows without a
 * result were then never sent, or are certain not to have been processed. STATUS_BAD_INPUT: header
 * or file cannot be used (`report` was told). STATUS_IO: results could not be written or the input
 * not be read; what was in flight was waited for. STATUS_NO_MEMORY, STATUS_NETWORK. `message` says
 * more wherever the end is not JOB_COMPLETE.
 *
 * The first request goes alone, until the platform has answered one: its answer tells whether the
 * key is good, whether it is the platform that answers, and what its clock says. Rows that were
 * refused for the key when the run was stopped for it have no result.
 *
 * SIGINT, SIGTERM, SIGHUP (and SIGALRM, SIGXCPU, that would kill) stop starting rows and wait for
 * what is in flight; a second SIGINT or SIGTERM ends that too. Where nothing was left to start
 * after the first, the run is complete. SIGUSR1 asks for JOB_EVENT_STATUS, SIGUSR2 pauses and
 * resumes. A signal that is ignored when the run starts (nohup, a background job of a script) stays
 * so.
 */
enum status job_run(struct intake *intake, const struct job_options *options, struct ledger *ledger,
                    struct tally *tally, struct job_result *ret_result,
                    struct buf *message) MUST_USE;

#endif
