/*
 * When to send what: a plain state machine that performs nothing. The job adds tasks in file order
 * and asks which one to start; commands for one device start in file order, one at a time, and
 * never more than `concurrency` are in flight.
 *
 *     while (scheduler_has_room(&scheduler)) scheduler_add(&scheduler, next task);
 *     while ((task = scheduler_next(&scheduler)) != NULL) … start it …
 *     … when it has ended: scheduler_finish(&scheduler, task) …
 *
 * A task belongs to the caller and stays where it is from scheduler_add to scheduler_finish. Its
 * state is the queue that it stands in: READY in the ready queue, BLOCKED behind another task of
 * its device, IN_FLIGHT in none.
 */
#ifndef NB_SEND_SCHEDULER_H
#define NB_SEND_SCHEDULER_H

#include "core/hashmap.h"

enum task_state { TASK_NEW, TASK_READY, TASK_BLOCKED, TASK_IN_FLIGHT, TASK_DONE };

struct task {
    uint64_t device;
    enum task_state state;
    struct task *next;   /* in the ready queue */
    struct task *behind; /* the next task for the same device */
};

struct scheduler {
    size_t concurrency;
    size_t rows_max; /* tasks that are held at most, in flight or waiting */
    size_t held;
    size_t in_flight;
    struct task *ready_head, *ready_tail;
    struct hashmap last_of_device; /* device -> the last task that was added for it */
};

/* How many rows are read ahead for each place in flight, to find devices that are free. */
enum { SCHEDULER_ROWS_PER_PLACE = 4, SCHEDULER_ROWS_MIN = 1024 };

/* At most `concurrency` (≥ 1) in flight. */
void scheduler_init(struct scheduler *scheduler, size_t concurrency);
void scheduler_deinit(struct scheduler *scheduler);

/* Whether another row may be read: there is room for it, and nothing that could start is waiting
 * already. */
bool scheduler_has_room(const struct scheduler *scheduler);

/* Adds a task in state TASK_NEW. STATUS_NO_MEMORY leaves everything as it was. */
enum status scheduler_add(struct scheduler *scheduler, struct task *task) MUST_USE;

/* The task to start now, which is then in flight; NULL when nothing may start. */
struct task *scheduler_next(struct scheduler *scheduler);

/* Ends a task that is in flight; the next one of its device becomes ready. */
void scheduler_finish(struct scheduler *scheduler, struct task *task);

static inline bool scheduler_is_idle(const struct scheduler *scheduler)
{
    return scheduler->held == 0;
}

#endif
