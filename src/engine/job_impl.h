/*
 * What job.c and control.c share; nobody else includes it. job.c moves rows; control.c is what else
 * can begin, end or change a run: signals, outages, a key that is refused.
 */
#ifndef NB_ENGINE_JOB_IMPL_H
#define NB_ENGINE_JOB_IMPL_H

#include <signal.h>

#include "engine/job.h"
#include "platform/uuid_memory.h"
#include "send/budget.h"
#include "send/scheduler.h"
#include "send/shortage.h"
#include "send/trust.h"

enum { JOB_SIGNALS = 7 };

/* A row between intake and result. */
struct job_row {
    struct task task; /* first: the scheduler hands it back */
    struct job *job;
    struct command command;
    uint32_t occurrence;
    bool in_canary;
    uint32_t admission;      /* the ledger's ticket; STORE_NO_TICKET for a row that is not sent */
    struct retry_row so_far; /* with the attempts of earlier runs, except in `tries` */
    uint32_t ticket;         /* of the attempt that is under way */
    uint32_t key_number;     /* of the key that it is sent with */
    uint64_t start_number;   /* of the attempt, among all of the run */
    int64_t started_ns;      /* when it started */
    struct job_row *next;    /* free, or waiting for the disk */
};

/* A row that was refused for the key, while it is not known whether the key is to blame. */
struct suspect {
    struct job_row *row;
    uint64_t known_at; /* so many attempts had started when it was refused */
    struct outcome outcome;
    int64_t latency_us;
};

/* Rows that were read and may not be sent yet: a machine that dies would forget them. */
struct admissions {
    struct job_row *head, *tail;
    size_t count;
    size_t ahead;   /* so many rows shall be read that have not started */
    uv_work_t work; /* the sync that is under way */
    struct store_sync *sync;
};

struct job {
    const struct job_options *options;
    struct intake *intake;
    struct store *store;
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
    struct shortage shortage;
    struct uuid_memory *uuids;
    struct admissions admissions;
    struct problems problems;
    struct cell passed[LAYOUT_PASSES_MAX]; /* of the row that is recorded */
    struct job_row *free_rows;
    unsigned answers; /* taken since the last job_pump */
    struct trust trust;
    struct suspect *suspects; /* in the order in which they were refused */
    size_t suspect_count, suspect_capacity;
    uint64_t starts;      /* attempts that were started */
    uint32_t key_number;  /* counts the keys */
    bool has_clock;       /* the platform's has been looked at */
    int64_t clock_off_s;  /* it, less this machine's, where that is worth saying */
    enum pacer_wait wait; /* why nothing starts */
    int64_t wake_ns;
    bool started; /* the header has been read */
    bool told_valid_now;
    bool input_ended;
    enum job_end input_end; /* why it ended, where that was not its end */
    uint64_t outages_told;
    bool was_asked; /* to stop, by SIGINT or SIGTERM: the next one stops at once */
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

/*
 * Looks at what an attempt says about the run as a whole (send/trust.h). True when the row is dealt
 * with: it is held, or it is sent again with another key.
 */
bool job_watch_answer(struct job_row *row, const struct answer *answer,
                      const struct outcome *outcome);

/* Reckons the relative times of a row by the platform's clock. One that may have been sent keeps
 * what it was sent with: it would be another command. */
void job_set_clock(struct job_row *row);

/* Where nothing is under way that could tell more, rows that are held end as they were refused. */
void job_settle_idle(struct job *job);

/* Puts rows that are held among those that wait. */
void job_release_suspects(struct job *job);

/* Writes a row's result, and gives the row back. */
void job_record_outcome(struct job_row *row, int64_t latency_us, struct outcome *outcome);
void job_end_row(struct job_row *row);

/* Has job_pump called in the loop's next turn, once for all that asks for it. */
void job_pump_soon(struct job *job);

/* Notes that an attempt could not leave for want of something here (an errno). */
void job_take_shortage(struct job *job, int error);

/* How many attempts may be in flight now. */
void job_set_concurrency(struct job *job);

/* Looks at the end of a row of the canary. */
void job_watch_canary(struct job *job, enum row_status status);

/* Tells of outages that begin and end. */
void job_tell_outage(struct job *job);

/* Ends the run where an outage has lasted too long. */
void job_watch_outage(struct job *job);

/* The input is no longer what was checked. Stops the run; where all of that was read before, and
 * something was added behind it, the rows that were read are still sent. */
void job_tell_changed(struct job *job);

/* The input cannot be read on, which has been reported. Stops the run; where what was read is
 * beyond doubt, it is still sent. */
void job_end_reading(struct job *job);

/* Gives a run that was not stopped the end that its input had. */
void job_judge_input(struct job *job);

/* Looks whether it still is while rows of it have not left, before the reading comes to what is
 * not. */
void job_watch_file(struct job *job);

/* The signals of job_run, and the tick. */
void job_watch_signals(struct job *job);
void job_close_signals(struct job *job);

#endif
