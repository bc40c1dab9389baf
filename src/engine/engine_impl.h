/*
 * What the engine's files share; nobody else includes it. engine.c takes events and moves rows up
 * to their start, engine_attempt.c is the end of an attempt and of a row, engine_trust.c what an
 * answer says about the run as a whole, engine_verify.c how a row is looked for whose request may
 * have been processed, engine_end.c what else begins, ends or changes a run.
 */
#ifndef NB_ENGINE_ENGINE_IMPL_H
#define NB_ENGINE_ENGINE_IMPL_H

#include "engine/engine.h"
#include "platform/uuid_memory.h"
#include "send/budget.h"
#include "send/shortage.h"
#include "send/trust.h"

/* What becomes of a run where the key's source gives no other key. */
enum renewal { RENEWAL_NONE, RENEWAL_OR_STOP, RENEWAL_OR_REJECT };

/* One more than the ticks of ten seconds. */
enum { ENGINE_SAMPLES = 10 * 1000 / JOB_TICK_MS + 1 };

struct engine {
    struct engine_options options;
    struct buf *message;
    struct engine_time now; /* of the event that is taken */
    struct scheduler scheduler;
    struct pacer pacer;
    struct budget budget;
    struct retry retry;
    struct canary canary;
    struct shortage shortage;
    struct trust trust;
    struct uuid_memory *uuids;
    struct item *free_items, *all_items;
    struct item *reading; /* handed out by READ */
    /* The record. */
    size_t room;       /* rows that may be admitted */
    size_t ahead;      /* so many rows shall be read that have not started */
    size_t waiting;    /* rows that were admitted and that no sync covers yet, */
    size_t unsynced;   /* … and results */
    uint64_t syncs;    /* that were asked for */
    uint64_t recorded; /* results */
    /* Rows and attempts. */
    uint64_t admitted;
    uint64_t starts; /* attempts that were started */
    uint64_t left;   /* … and those of them that have ended and had left */
    /* The key. */
    enum renewal renewal; /* its source is being read */
    uint32_t key_number;  /* counts the keys */
    int64_t clock_off_s;  /* it, less this machine's, where that is worth saying */
    /* Time. */
    enum pacer_wait wait; /* why nothing starts */
    int64_t wake_ns;      /* when it may */
    int64_t armed_ns;     /* what the world's timer is set for */
    struct engine_sample {
        int64_t at_ns;
        uint64_t rows;
    } samples[ENGINE_SAMPLES]; /* of the last ten seconds; a ring */
    size_t sampled;
    unsigned disk_ticks; /* ticks in a row at which only the disk was waited for */
    /* The end. */
    enum job_end input_end; /* why it ended, where that was not its end */
    uint64_t outages_told;
    const char *last_error; /* while an outage is told */
    struct job_result result;
    enum status status; /* not STATUS_OK: no row is started any more */
    /* What is so at the moment. */
    bool held_up; /* the record's reader does not keep up */
    bool is_syncing;
    bool is_recording; /* this step has written a result */
    bool has_clock;    /* the platform's has been looked at */
    bool input_ended;
    bool told_valid_now;
    bool was_asked; /* to stop, by SIGINT or SIGTERM: the next one stops at once */
    bool has_ended; /* END was performed */
};

static inline int64_t engine_now_ms(const struct engine *engine)
{
    return engine->now.ns / 1000000;
}

/* What is asked of the world. */
void engine_perform(struct engine *engine, enum effect_kind kind, struct item *item);

/* Has a TURN come. */
void engine_turn_soon(struct engine *engine);

/* Ends a row that was added, and takes its item back. */
void engine_end_item(struct engine *engine, struct item *item);

/* Puts the rows that are held among those that wait. */
void engine_release_held(struct engine *engine);

/* Writes a row's result, and looks whether it stops the run. `outcome` becomes what is true of the
 * row as a whole. */
void engine_record_outcome(struct engine *engine, struct item *item, struct outcome *outcome,
                           int64_t latency_us);
void engine_record_given_up(struct engine *engine, struct item *item, const char *why);
void engine_record_expired(struct engine *engine, struct item *item);
void engine_record_invalid(struct engine *engine, struct item *item,
                           const struct problems *problems);

/* No request of the row is under way; where none may have been processed, the record may know. */
void engine_unmark(struct engine *engine, struct item *item);

/* The end of an attempt: the row goes on to the next one, or ends. */
void engine_take_answer(struct engine *engine, const struct event *event);

/*
 * Looks at what an attempt says about the run as a whole (send/trust.h). True when the row is dealt
 * with: it is held, or it is sent again with another key.
 */
bool engine_watch_answer(struct engine *engine, const struct event *event,
                         const struct outcome *outcome);
void engine_take_key(struct engine *engine, const struct event *event);

/* Where nothing is under way that could tell more, rows that are held end as they were refused. */
void engine_settle_idle(struct engine *engine);

/* Reckons the relative times of a row by the platform's clock. One that may have been sent keeps
 * what it was sent with: it would be another command. */
void engine_set_clock(const struct engine *engine, struct item *item);

/* Looks for a row in the platform's history, in place of another attempt. False: no memory. */
bool engine_verify(struct engine *engine, struct item *item);

/* Makes the request of the row's next question. False: no memory, or none can be made. */
bool engine_put_question(struct engine *engine, struct item *item);

/* The end of an attempt to ask. */
void engine_take_told(struct engine *engine, const struct event *event,
                      const struct outcome *outcome, const struct retry_decision *decision);

/* Ends a row that is being looked for as in doubt. */
void engine_give_up_verification(struct engine *engine, struct item *item);

/* Frees what an item has for it. */
void engine_end_verification(struct item *item);

/* Tells the operator. */
void engine_tell(struct engine *engine, enum job_event event);

/* Stops starting rows; the first reason is the one that is told. `text` is the message, NULL where
 * it says it already. */
void engine_stop(struct engine *engine, enum job_end end, const char *text);

/* The same for what must not happen; goes before any other reason. */
void engine_fail(struct engine *engine, enum status status, const char *text);

/* An attempt could not leave for want of something here (an error of send/shortage.h). */
void engine_take_shortage(struct engine *engine, int error);

/* How many attempts may be in flight now. */
void engine_set_concurrency(struct engine *engine);

/* Looks at the end of a row of the canary. */
void engine_watch_canary(struct engine *engine, enum row_status status);

/* Tells of outages that begin and end, and how the attempt ended by which it was seen. */
void engine_tell_outage(struct engine *engine, const struct outcome *outcome);

/* How long an outage may last. */
int64_t engine_outage_wait_ms(const struct engine *engine);

/* Ends the run where an outage has lasted too long. */
void engine_watch_outage(struct engine *engine);

/* Whether rows of the input have not left yet. */
bool engine_has_waiting(const struct engine *engine);

void engine_take_change(struct engine *engine, const struct event *event);
void engine_take_unreadable(struct engine *engine, const struct event *event);
void engine_take_signal(struct engine *engine, const struct event *event);
void engine_take_closed(struct engine *engine, const struct event *event);

#endif
