/*
 * The engine of a run: a plain state machine. One event goes in, effects come out in order; it
 * waits for nothing, reads no clock and touches no file or socket, so that a run can be played in
 * virtual time. The driver (job.h) performs the effects on libuv, libcurl and the ledger; tests
 * have worlds of their own (tests/engine).
 *
 *     engine_new(&options, now, &engine);
 *     engine_step(engine, &(struct event){.kind = EVENT_TURN}, now);
 *     … whatever happens, one after the other:
 *     engine_step(engine, &event, now);     // calls options.perform for each effect, in order
 *     … until EFFECT_END was performed:
 *     engine_step(engine, &(struct event){.kind = EVENT_CLOSED, …}, now);
 *     result = engine_result(engine);
 *     engine_free(engine);
 *
 * A row's way, and what the world is asked and answers on it:
 *
 *     READ ─▶ ROW ─ ADMIT … SYNC ─▶ SYNC_DONE … MARK, SEND ─▶ ANSWER ─ RECORD
 *                                                ▲            │
 *                                                └── UNMARK ◀─┘ to be sent again, and not in doubt
 *
 *  - An item is marked in the record before it is sent, and sent only when a sync that began after
 *    its admission has ended well.
 *  - READ, SEND, SYNC and RENEW are each answered by one event, later: READ by ROW or what ends the
 *    input, SEND by ANSWER (also where nothing could leave), SYNC by SYNC_DONE, RENEW by KEY. What
 *    a world that dies does not answer is what a recovery finds.
 *  - All other effects are done when `perform` returns. Where the record cannot be written, the
 *    world says so by RECORD_FAILED, once it has performed what came with that effect.
 *  - `perform` never calls engine_step: what follows at once is kept, and told after the step.
 *
 * Memory: items are made as they are needed and used again, some thousands at the most; besides
 * them nothing grows with the rows. What an event or an effect points to is valid during the call.
 */
#ifndef NB_ENGINE_ENGINE_H
#define NB_ENGINE_ENGINE_H

#include "engine/item.h"
#include "engine/news.h"
#include "send/beats.h"
#include "send/halt.h"

struct problems;

/* When something happens. */
struct engine_time {
    int64_t ns;      /* monotonic */
    int64_t wall_ms; /* since 1970, by this machine's clock, which may jump */
};

enum event_kind {
    EVENT_TURN,  /* goes on with whatever can be done; answers EFFECT_TURN, and begins a run */
    EVENT_TIMER, /* the time that EFFECT_ARM named has come */
    EVENT_FLUSH, /* now and then (ENGINE_FLUSH_MS): what is recorded is to be written and synced */
    EVENT_TICK,  /* now and then (JOB_TICK_MS): progress; keep them coming while a run is paused */

    EVENT_ROW,              /* item, row: READ's row is in the item */
    EVENT_INPUT_WAITS,      /* READ's row is not there yet; it will be answered later */
    EVENT_INPUT_ENDED,      /* there is no other row */
    EVENT_INPUT_CHANGED,    /* input: it is no longer what was checked */
    EVENT_INPUT_UNREADABLE, /* input: it cannot be read on */
    EVENT_INPUT_FAILED,     /* failure: reading failed */

    EVENT_SYNC_DONE,     /* sync: what was on record when SYNC asked for it is durable, or not */
    EVENT_ROOM,          /* room: how much more the record takes; before SYNC_DONE where it made
                            some, and whenever its reader falls behind or catches up */
    EVENT_RECORD_FAILED, /* failure: the record could not be written, or the world is broken */

    EVENT_ANSWER, /* item, answer: the end of an attempt. One that could not leave since this
                     machine is short of something has that error in it (send/shortage.h); one
                     whose time was over (is_late) gives the row up, by DROP */
    EVENT_KEY,    /* key: what RENEW came to */
    EVENT_SIGNAL, /* signal: the operator, or whoever sends signals */

    EVENT_CLOSED, /* closed: after EFFECT_END, all is written; the last event */
};

enum item_verdict {
    ITEM_GOOD,    /* it is to be sent */
    ITEM_INVALID, /* it ends as such; `problems` says why */
    ITEM_SETTLED, /* it has its result from an earlier run */
};

enum engine_signal {
    ENGINE_SIGNAL_STOP,  /* by somebody who may say it once more to have it at once (INT, TERM) */
    ENGINE_SIGNAL_LEAVE, /* circumstances end the run; they are never impatient (HUP, ALRM, XCPU) */
    ENGINE_SIGNAL_STATUS,
    ENGINE_SIGNAL_PAUSE, /* or go on */
};

struct event {
    enum event_kind kind;
    struct item *item;
    union {
        struct {
            enum item_verdict verdict;
            uint32_t sent, ambiguous;        /* of a good one: attempts of earlier runs */
            const struct problems *problems; /* of an invalid one: handed on to RECORD_INVALID */
        } row;
        struct {
            uint64_t line;  /* that would be read next */
            bool is_beyond; /* CHANGED: all that was checked was read before, and something stands
                               behind it; UNREADABLE: what was read before is beyond doubt. What was
                               read is sent then */
        } input;
        struct {
            enum status status;
            const char *why;
        } failure;
        struct {
            uint64_t number;    /* SYNC's */
            const char *failed; /* NULL: it did not */
        } sync;
        struct {
            size_t rows;  /* that may still be admitted */
            bool held_up; /* whoever reads the results does not keep up: no row is to be started */
        } room;
        struct {
            const struct answer *answer;
            bool has_date; /* its header Date, while engine_wants_date; */
            int64_t date_s;
        } answer;
        struct {
            enum job_key result;
            const char *why; /* of JOB_KEY_FAILED */
        } key;
        struct {
            int number;
            enum engine_signal meaning;
            const char *what; /* it means for people: "interrupted" */
        } signal;
        struct {
            uint64_t line;
            bool has_grown; /* the input, since it was checked */
        } closed;
    };
};

enum effect_kind {
    EFFECT_TURN, /* have a TURN soon: when the answers that are there were told. Once, however often
                    it is asked for */
    EFFECT_ARM,  /* at_ns: a TIMER then, in place of an earlier one; INT64_MAX: none */

    EFFECT_READ, /* item: read the next row into it */
    EFFECT_LOOK, /* see whether the input is still what was checked: INPUT_CHANGED where not */

    EFFECT_ADMIT,          /* item: from now on it may be sent; give it its ticket */
    EFFECT_MARK,           /* item: a request is about to leave; so_far counts those before it */
    EFFECT_UNMARK,         /* item: none is under way, and none may have been processed */
    EFFECT_DROP,           /* item: it is not sent by this run, and has no result */
    EFFECT_RECORD,         /* item, record: its result */
    EFFECT_RECORD_INVALID, /* item, problems: its result, of a row that was not admitted */
    EFFECT_RECORD_EXPIRED, /* item: its result: it was good, and its expired_time has passed */
    EFFECT_FLUSH,          /* write what was recorded */
    EFFECT_SYNC,           /* sync: make durable all that is on record now; one at a time */

    EFFECT_SEND,     /* item: what item_request says; a question is not marked */
    EFFECT_DISTRUST, /* no other request over the connection of the ANSWER that is being told */
    EFFECT_ABORT,    /* end all that is under way, by ANSWER for each */
    EFFECT_RENEW,    /* read the key's source again, and send with what it gives from now on */

    EFFECT_TELL,         /* tell: something that the operator may want to know */
    EFFECT_TELL_ATTEMPT, /* attempt: the end of one */

    EFFECT_END, /* nothing is under way any more, and nothing will be: close all, then CLOSED */
};

struct effect {
    enum effect_kind kind;
    struct item *item;
    union {
        int64_t at_ns;
        uint64_t sync; /* its number: from 1, one more each time */
        const struct problems *problems;
        const struct job_attempt *attempt;
        struct {
            const struct outcome *outcome; /* of the row: status, uuid, error … */
            int64_t latency_us;            /* of its last attempt; -1: none */
            int64_t clock_off_s;           /* as in struct job_status */
        } record;
        struct {
            enum job_event event;
            const struct job_status *status;
        } tell;
    };
};

typedef void effect_fn(void *context, const struct effect *effect);

enum {
    ENGINE_FLUSH_MS = 50,
    ENGINE_SYNC_ROWS = 500, /* after so many results a sync is asked for sooner */
};

/* Of ON_AMBIGUOUS_VERIFY. */
struct verify_options {
    struct known_commands *known;    /* of the record; accepted rows are added */
    int64_t settle_ms[SEARCH_LOOKS]; /* a look comes so long after the attempt had ended */
};

struct engine_options {
    enum dialect dialect; /* of the platform */
    size_t concurrency;
    size_t room; /* rows that may be admitted before the first ROOM */
    struct retry_policy retry;
    uint64_t seed; /* of the jitter */
    struct pacer_options pacer;
    struct canary canary;
    struct halt *halt;      /* rules; counts are kept in it; NULL: none */
    int64_t outage_wait_ms; /* an outage of this length ends the run */
    struct verify_options verify;
    bool can_renew;          /* the key's source can be read again */
    const char *input;       /* its name, for people */
    const char *target_path; /* the path that every request's begins with, for people; may be "" */
    struct beats *beats;     /* the starts that others grant, beside the pace; the world adds to
                                them between steps, where more are wanted. NULL: nobody does */
    effect_fn *perform;
    void *context;
    struct buf *message; /* takes why the run was stopped */
};

struct engine;

/* STATUS_NO_MEMORY. What the options point to outlives the engine. */
enum status engine_new(const struct engine_options *options, struct engine_time now,
                       struct engine **ret_engine) MUST_USE;

/* Takes NULL, and an engine whose run has not ended: a world that dies. */
void engine_free(struct engine *engine);

/* Takes an event. What comes late (a row or a key once the run is stopped, anything but CLOSED
 * after EFFECT_END) changes nothing. */
void engine_step(struct engine *engine, const struct event *event, struct engine_time now);

/* Whether no row is started or read any more. */
bool engine_is_stopping(const struct engine *engine);

/* Whether the next ANSWER's Date is of use. */
bool engine_wants_date(const struct engine *engine);

/* How the run went, after CLOSED; STATUS_OK also where it was stopped, see `end`. */
enum status engine_result(const struct engine *engine, struct job_result *ret_result) MUST_USE;

#endif
