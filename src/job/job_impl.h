/*
 * What job.c and control.c share; nobody else includes it. job.c moves rows; control.c is what else
 * can begin, end or change a run: signals, outages, a key that is refused.
 */
#ifndef NB_JOB_JOB_IMPL_H
#define NB_JOB_JOB_IMPL_H

#include <signal.h>

#include "job/job.h"
#include "send/budget.h"
#include "send/scheduler.h"

enum { JOB_SIGNALS = 4, JOB_KEY_ROWS = 5 }; /* so many first rows refused for the key end a run */

/* A row between intake and result. */
struct job_row {
    struct task task; /* first: the scheduler hands it back */
    struct job *job;
    struct command command;
    uint32_t occurrence;
    bool in_canary;
    uint32_t admission;      /* the ledger's ticket; LEDGER_NO_TICKET for a row that is not sent */
    struct retry_row so_far; /* with the attempts of earlier runs, except in `tries` */
    uint32_t ticket;         /* of the attempt that is under way */
    int64_t started_ns;      /* when it started */
    struct job_row *next;    /* free, or waiting for the disk */
};

/* Rows that were read and may not be sent yet: a machine that dies would forget them. */
struct admissions {
    struct job_row *head, *tail;
    size_t count;
    size_t ahead;   /* so many rows shall be read that have not started */
    uv_work_t work; /* the sync that is under way */
    struct ledger_sync *sync;
};

struct job {
    const struct job_options *options;
    struct intake *intake;
    struct ledger *ledger;
    struct tally *tally;
    struct buf *message;
    uv_loop_t loop;
    uv_idle_t more; /* goes on with the work in the loop's next turn */
    uv_timer_t flush;
    uv_timer_t wake; /* when something may start that may not now */
    uv_timer_t tick;
    uv_signal_t signals[JOB_SIGNALS];
    uv_poll_t input; /* waits for a pipe */
    bool has_input_poll;
    int input_flags; /* of the descriptor, to be restored */
    struct transport *transport;
    struct scheduler scheduler;
    struct pacer pacer;
    struct budget budget;
    struct retry retry;
    struct canary canary;
    struct admissions admissions;
    struct problems problems;
    struct cell passed[LAYOUT_PASSES_MAX]; /* of the row that is recorded */
    struct job_row *free_rows;
    unsigned answers;      /* taken since the last job_pump */
    uint64_t refused_keys; /* rows that the key was refused for, from the first one on */
    enum pacer_wait wait;  /* why nothing starts */
    int64_t wake_ns;
    bool started; /* the header has been read */
    bool input_ended;
    uint64_t outages_told;
    struct job_result result;
    enum status status; /* not STATUS_OK: no row is started any more */
};

static inline int64_t job_now_ns(void)
{
    return (int64_t)uv_hrtime();
}

static inline int64_t job_now_ms(void)
{
    return job_now_ns() / 1000000;
}

/* Whether no row is started any more. */
static inline bool job_is_stopping(const struct job *job)
{
    return job->status != STATUS_OK || job->result.end != JOB_COMPLETE;
}

/* Does all that can be done now: starts what may start, reads what there is room for. */
void job_pump(struct job *job);

/* Asks the disk for what is to be durable, where it is time for that; job_admit hands the scheduler
 * the rows that are. */
void job_sync_if_due(struct job *job);
void job_sync(struct job *job);
void job_admit(struct job *job);

/* A row has been admitted to the ledger and waits to be durable. */
void job_await_disk(struct job *job, struct job_row *row);

/* Tells the operator. */
void job_tell(struct job *job, enum job_event event);

/* Tells of the end of an attempt. */
void job_tell_attempt(const struct job_row *row, const struct outcome *outcome,
                      const struct retry_decision *decision, int64_t latency_us);

/* Stops starting rows; the first reason is the one that is told. `text` is the message, NULL where
 * it says it already. */
void job_stop(struct job *job, enum job_end end, const char *text);

/* The same for what must not happen; goes before any other reason. */
void job_fail(struct job *job, enum status status, const char *text);

/* Looks at a row that has ended: the key is wrong for all rows where it is for the first ones. */
void job_watch_key(struct job *job, const struct retry_rule *rule, const struct outcome *outcome);

/* Tells of outages that begin and end. */
void job_tell_outage(struct job *job);

/* Ends the run where an outage has lasted too long. */
void job_watch_outage(struct job *job);

/* SIGINT, SIGTERM, SIGUSR1, SIGUSR2 and the tick. */
void job_watch_signals(struct job *job);
void job_close_signals(struct job *job);

#endif
