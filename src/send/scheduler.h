/*
 * When to send what: a plain state machine that performs nothing. The engine admits tasks in file
 * order, adds those that the disk knows of, and asks which one to start; commands for one device
 * start in file order, one at a time, and never more than `concurrency` are in flight.
 *
 *     while (scheduler_has_room(&scheduler, ahead)) scheduler_admit(&scheduler, next task);
 *     … once that is durable: scheduler_add(&scheduler) for the first of them …
 *     scheduler_due(&scheduler, now_ms);
 *     while ((task = scheduler_next(&scheduler)) != NULL) … start it …
 *     … when it has ended: scheduler_finish(&scheduler, task) …
 *     … or, to send it again later: scheduler_retry(&scheduler, task, due_ms) …
 *     … and set a timer for scheduler_next_due_ms(&scheduler) …
 *
 * A task belongs to the caller and stays where it is from scheduler_admit to scheduler_finish. Its
 * state is the queue that it is in:
 *
 *     READ ─ admit ─▶ ADMITTED ─ add ─▶ READY ─ next ─▶ IN_FLIGHT ─ finish ─▶ DONE
 *                         │               ▲ ▲ ▲              │ │                ▲
 *                         └─▶ BLOCKED ────┘ │ └─ due ─ BACKOFF ◀┘ retry         │
 *                         (behind another   └─ release ─── HELD ◀──┘ hold ──────┘ finish
 *                         of its device)
 *
 * A task in BACKOFF or HELD holds no place in flight, but it still is its device's first: those
 * behind it wait until it has ended. Tasks that were in flight before go ahead of those that never
 * were; behind them where they are to find out whether the platform answers: what was refused may
 * have been so for its own sake.
 */
#ifndef NB_SEND_SCHEDULER_H
#define NB_SEND_SCHEDULER_H

#include "core/hashmap.h"
#include "core/heap.h"

enum task_state {
    TASK_READ,
    TASK_ADMITTED,
    TASK_READY,
    TASK_BLOCKED,
    TASK_IN_FLIGHT,
    TASK_BACKOFF,
    TASK_HELD,
    TASK_DONE
};

struct task {
    uint64_t device;
    enum task_state state;
    struct task *next;        /* in a queue */
    struct task *behind;      /* the next task for the same device */
    struct heap_node backoff; /* its key is when the task is due */
};

struct task_queue {
    struct task *head, *tail;
};

struct scheduler {
    bool probes; /* whoever starts finds out whether the platform answers */
    size_t concurrency;
    size_t rows_max; /* tasks that are held at most, in flight or waiting */
    size_t held;     /* tasks that were added and have not ended */
    size_t in_flight;
    size_t ready;  /* tasks that could start */
    size_t coming; /* tasks that were admitted and not added yet */
    struct task_queue admitted;
    struct task_queue again; /* ready, and sent before */
    struct task_queue fresh; /* ready, and never sent */
    struct task_queue aside; /* HELD */
    struct heap backoff;
    struct hashmap last_of_device; /* device -> the last task that was added for it */
};

/* How many rows are read ahead for each place in flight, to find devices that are free. */
enum { SCHEDULER_ROWS_PER_PLACE = 4, SCHEDULER_ROWS_MIN = 1024 };

/* At most `concurrency` (≥ 1) in flight. */
void scheduler_init(struct scheduler *scheduler, size_t concurrency);
void scheduler_deinit(struct scheduler *scheduler);

/* Another number (≥ 1) of places, from now on. Fewer than are in flight is fine: nothing starts
 * until enough have ended. */
void scheduler_set_concurrency(struct scheduler *scheduler, size_t concurrency);

/* Whether another row may be read, so that `ahead` tasks could start at once: there is room for it,
 * and there are not so many yet, with those that are coming. */
bool scheduler_has_room(const struct scheduler *scheduler, size_t ahead);

/* Takes a task in state TASK_READ, which waits to be added. */
void scheduler_admit(struct scheduler *scheduler, struct task *task);

/* The first of those that wait to be added; NULL for none. */
static inline struct task *scheduler_admitted(const struct scheduler *scheduler)
{
    return scheduler->admitted.head;
}

/* Adds it. STATUS_NO_MEMORY leaves everything as it was. */
enum status scheduler_add(struct scheduler *scheduler) MUST_USE;

/* Ends it before it was added. */
void scheduler_drop(struct scheduler *scheduler);

/* Whether a row waits for its turn that was never sent. */
static inline bool scheduler_has_fresh(const struct scheduler *scheduler)
{
    return scheduler->fresh.head != NULL;
}

/* The task to start now, which is then in flight; NULL when nothing may start. */
struct task *scheduler_next(struct scheduler *scheduler);

/* Ends a task that is in flight, or the first one that is held; the next one of its device becomes
 * ready. */
void scheduler_finish(struct scheduler *scheduler, struct task *task);

/* Puts a task that is in flight back, to start again at `due_ms` at the earliest (the caller's
 * monotonic clock). Cannot fail. */
void scheduler_retry(struct scheduler *scheduler, struct task *task, int64_t due_ms);

/* Takes a task out of flight until it is known what becomes of it: scheduler_release puts the first
 * of them among those that start next, scheduler_finish ends it. */
void scheduler_hold(struct scheduler *scheduler, struct task *task);
void scheduler_release(struct scheduler *scheduler);

/* The first of those that are held, in the order in which they were; NULL for none. */
static inline struct task *scheduler_held(const struct scheduler *scheduler)
{
    return scheduler->aside.head;
}

/* Makes the tasks ready whose time has come, in the order of their times, and returns how many
 * these were. INT64_MAX makes all of them ready, to be taken out at the end of a run. */
size_t scheduler_due(struct scheduler *scheduler, int64_t now_ms);

/* When the next task in backoff is due; INT64_MAX when there is none. */
int64_t scheduler_next_due_ms(const struct scheduler *scheduler);

/* Whether scheduler_next has something. */
static inline bool scheduler_can_start(const struct scheduler *scheduler)
{
    return (scheduler->again.head != NULL || scheduler->fresh.head != NULL) &&
           scheduler->in_flight < scheduler->concurrency;
}

static inline bool scheduler_is_idle(const struct scheduler *scheduler)
{
    return scheduler->held == 0;
}

#endif
