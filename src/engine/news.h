/* What a run tells while it goes on, and how it ended. */
#ifndef NB_ENGINE_NEWS_H
#define NB_ENGINE_NEWS_H

#include "platform/operation.h"
#include "send/pacer.h"
#include "send/ramp.h"
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
    JOB_UNDELIVERED, /* too few of a step's commands were delivered: run/rollout.h alone says so */
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
    bool is_limited;       /* that is what the platform takes, not what was asked for */
    size_t concurrency;    /* likewise */
    int signal_number;     /* of JOB_EVENT_DRAINING */
    const struct canary *canary;
    int64_t canary_wait_ms; /* until its pause is over; -1: there is none */
    const char *shortage;   /* of JOB_EVENT_SHORTAGE: what is short, and the remedy */
    int64_t clock_off_s;    /* of JOB_EVENT_CLOCK: the platform's clock less this machine's */
    const char *why;  /* why rows are not started any more, or wait (JOB_EVENT_OUTAGE); else "" */
    bool was_reached; /* a request has left */
    int64_t outage_wait_ms; /* how long an outage may last */
};

enum job_event {
    JOB_EVENT_TICK,      /* every JOB_TICK_MS, for progress */
    JOB_EVENT_STATUS,    /* SIGUSR1: a person and the log are told */
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
    enum operation operation; /* of a row, or of a question about it */
    uint32_t number;          /* the first of its kind is 1 */
    const struct outcome *outcome;
    const struct retry_decision *decision;
    int64_t latency_us;
    bool left; /* the request was sent, as far as can be told */
};

typedef void job_attempt_fn(void *context, const struct job_attempt *attempt);

/* What became of an attempt to read the key's source again. */
enum job_key {
    JOB_KEY_OTHER,   /* it gave another key, which requests are sent with from now on */
    JOB_KEY_SAME,    /* there is no other */
    JOB_KEY_NOT_YET, /* it could not be read, but may be being written: it is read once more */
    JOB_KEY_FAILED,  /* it could not be read */
};

/* This far the clocks may be from each other before it is said, in seconds. */
enum { JOB_CLOCK_OFF_MAX_S = 30 };

/* What became of attempts that may have been processed, and were looked for. */
struct verified {
    uint64_t rows; /* so often one was; a row that is sent again may be once more */
    uint64_t found, missing, unclear;
    uint64_t lists, lookups; /* questions that this took, each page of a list by itself */
};

/* How it went. */
struct job_result {
    enum job_end end;
    int signal_number; /* that stopped it, also where nothing was left to send; 0: none */
    bool aborted;      /* what was in flight was ended too, not waited for: … */
    uint64_t cut_off;  /* … so many requests that had left */
    uint64_t retries;  /* attempts that were started beyond each row's first */
    struct canary canary;
    struct verified verified;
    uint64_t rows;     /* of the input that were read */
    uint64_t settled;  /* those of them that had their result already */
    double allowed;    /* the platform's limit a second as it was found; 0: none showed */
    double late_per_s; /* rows with their result, in the last ten seconds; 0: it was shorter */
};

#endif
