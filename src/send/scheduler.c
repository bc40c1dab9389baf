#include "send/scheduler.h"

#include <assert.h>

void scheduler_init(struct scheduler *scheduler, size_t concurrency)
{
    size_t rows = concurrency * SCHEDULER_ROWS_PER_PLACE;

    *scheduler =
        (struct scheduler){.concurrency = concurrency,
                           .rows_max = rows > SCHEDULER_ROWS_MIN ? rows : SCHEDULER_ROWS_MIN};
    hashmap_init(&scheduler->last_of_device);
}

void scheduler_deinit(struct scheduler *scheduler)
{
    if (scheduler != NULL)
        hashmap_deinit(&scheduler->last_of_device);
}

/* The only place that changes a task's state. */
static void set_state(struct task *task, enum task_state state)
{
    static const unsigned from[] = {
        [TASK_NEW] = 0,
        [TASK_READY] = 1u << TASK_NEW | 1u << TASK_BLOCKED,
        [TASK_BLOCKED] = 1u << TASK_NEW,
        [TASK_IN_FLIGHT] = 1u << TASK_READY,
        [TASK_DONE] = 1u << TASK_IN_FLIGHT,
    };
    assert((from[state] >> task->state & 1u) != 0);
    (void)from;
    task->state = state;
}

static void make_ready(struct scheduler *scheduler, struct task *task)
{
    set_state(task, TASK_READY);
    task->next = NULL;
    if (scheduler->ready_tail != NULL)
        scheduler->ready_tail->next = task;
    else
        scheduler->ready_head = task;
    scheduler->ready_tail = task;
}

bool scheduler_has_room(const struct scheduler *scheduler)
{
    return scheduler->held < scheduler->rows_max && scheduler->ready_head == NULL;
}

enum status scheduler_add(struct scheduler *scheduler, struct task *task)
{
    assert(task->state == TASK_NEW);
    struct task *last = hashmap_get(&scheduler->last_of_device, task->device);
    enum status status = hashmap_put(&scheduler->last_of_device, task->device, task);

    if (status != STATUS_OK)
        return status;
    scheduler->held++;
    task->behind = NULL;
    if (last == NULL) {
        make_ready(scheduler, task);
    } else {
        set_state(task, TASK_BLOCKED);
        last->behind = task;
    }
    return STATUS_OK;
}

struct task *scheduler_next(struct scheduler *scheduler)
{
    struct task *task = scheduler->ready_head;

    if (task == NULL || scheduler->in_flight == scheduler->concurrency)
        return NULL;
    scheduler->ready_head = task->next;
    if (task->next == NULL)
        scheduler->ready_tail = NULL;
    scheduler->in_flight++;
    set_state(task, TASK_IN_FLIGHT);
    return task;
}

void scheduler_finish(struct scheduler *scheduler, struct task *task)
{
    set_state(task, TASK_DONE);
    scheduler->in_flight--;
    scheduler->held--;
    if (task->behind != NULL)
        make_ready(scheduler, task->behind);
    else
        hashmap_remove(&scheduler->last_of_device, task->device);
}
