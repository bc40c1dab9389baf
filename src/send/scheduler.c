#include "send/scheduler.h"

#include <assert.h>

static size_t rows_for(size_t concurrency)
{
    size_t rows = concurrency * SCHEDULER_ROWS_PER_PLACE;

    return rows > SCHEDULER_ROWS_MIN ? rows : SCHEDULER_ROWS_MIN;
}

void scheduler_init(struct scheduler *scheduler, size_t concurrency)
{
    assert(concurrency > 0);
    *scheduler = (struct scheduler){.concurrency = concurrency, .rows_max = rows_for(concurrency)};
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
        [TASK_READ] = 0,
        [TASK_ADMITTED] = 1u << TASK_READ,
        [TASK_READY] =
            1u << TASK_ADMITTED | 1u << TASK_BLOCKED | 1u << TASK_BACKOFF | 1u << TASK_HELD,
        [TASK_BLOCKED] = 1u << TASK_ADMITTED,
        [TASK_IN_FLIGHT] = 1u << TASK_READY,
        [TASK_BACKOFF] = 1u << TASK_IN_FLIGHT,
        [TASK_HELD] = 1u << TASK_IN_FLIGHT,
        [TASK_DONE] = 1u << TASK_ADMITTED | 1u << TASK_IN_FLIGHT | 1u << TASK_HELD,
    };
    assert((from[state] >> task->state & 1u) != 0);
    (void)from;
    task->state = state;
}

static void append(struct task_queue *queue, struct task *task)
{
    task->next = NULL;
    if (queue->tail != NULL)
        queue->tail->next = task;
    else
        queue->head = task;
    queue->tail = task;
}

static void make_ready(struct scheduler *scheduler, struct task_queue *queue, struct task *task)
{
    set_state(task, TASK_READY);
    scheduler->ready++;
    append(queue, task);
}

static struct task *take_first(struct task_queue *queue)
{
    struct task *task = queue->head;

    if (task == NULL)
        return NULL;
    queue->head = task->next;
    if (task->next == NULL)
        queue->tail = NULL;
    return task;
}

void scheduler_set_concurrency(struct scheduler *scheduler, size_t concurrency)
{
    assert(concurrency > 0);
    scheduler->concurrency = concurrency;
    scheduler->rows_max = rows_for(concurrency);
}

bool scheduler_has_room(const struct scheduler *scheduler, size_t ahead)
{
    size_t coming = scheduler->coming;

    return scheduler->ready + coming < ahead &&
           scheduler->held + coming < scheduler->rows_max + ahead - 1;
}

void scheduler_admit(struct scheduler *scheduler, struct task *task)
{
    set_state(task, TASK_ADMITTED);
    append(&scheduler->admitted, task);
    scheduler->coming++;
}

void scheduler_drop(struct scheduler *scheduler)
{
    set_state(take_first(&scheduler->admitted), TASK_DONE);
    scheduler->coming--;
}

enum status scheduler_add(struct scheduler *scheduler)
{
    struct task *task = scheduler->admitted.head;
    struct task *last = hashmap_get(&scheduler->last_of_device, task->device);
    enum status status = hashmap_put(&scheduler->last_of_device, task->device, task);

    if (status != STATUS_OK)
        return status;
    (void)take_first(&scheduler->admitted);
    scheduler->coming--;
    scheduler->held++;
    task->behind = NULL;
    if (last == NULL) {
        make_ready(scheduler, &scheduler->fresh, task);
    } else {
        set_state(task, TASK_BLOCKED);
        last->behind = task;
    }
    return STATUS_OK;
}

struct task *scheduler_next(struct scheduler *scheduler)
{
    if (scheduler->in_flight >= scheduler->concurrency)
        return NULL;
    bool is_fresh = scheduler->again.head == NULL || (scheduler->probes && scheduler->fresh.head);
    struct task *task = take_first(is_fresh ? &scheduler->fresh : &scheduler->again);
    if (task == NULL)
        return NULL;
    scheduler->in_flight++;
    scheduler->ready--;
    set_state(task, TASK_IN_FLIGHT);
    return task;
}

void scheduler_finish(struct scheduler *scheduler, struct task *task)
{
    if (task->state == TASK_IN_FLIGHT) {
        scheduler->in_flight--;
    } else {
        assert(task == scheduler->aside.head);
        (void)take_first(&scheduler->aside);
    }
    set_state(task, TASK_DONE);
    scheduler->held--;
    if (task->behind != NULL)
        make_ready(scheduler, &scheduler->fresh, task->behind);
    else
        hashmap_remove(&scheduler->last_of_device, task->device);
}

void scheduler_retry(struct scheduler *scheduler, struct task *task, int64_t due_ms)
{
    set_state(task, TASK_BACKOFF);
    scheduler->in_flight--;
    heap_push(&scheduler->backoff, &task->backoff, due_ms);
}

void scheduler_hold(struct scheduler *scheduler, struct task *task)
{
    set_state(task, TASK_HELD);
    scheduler->in_flight--;
    append(&scheduler->aside, task);
}

void scheduler_release(struct scheduler *scheduler)
{
    make_ready(scheduler, &scheduler->again, take_first(&scheduler->aside));
}

static struct task *task_of(struct heap_node *node)
{
    return (struct task *)(void *)((char *)node - offsetof(struct task, backoff));
}

size_t scheduler_due(struct scheduler *scheduler, int64_t now_ms)
{
    const struct heap_node *first;
    size_t count = 0;

    while ((first = heap_first(&scheduler->backoff)) != NULL && first->key <= now_ms) {
        make_ready(scheduler, &scheduler->again, task_of(heap_pop(&scheduler->backoff)));
        count++;
    }
    return count;
}

int64_t scheduler_next_due_ms(const struct scheduler *scheduler)
{
    const struct heap_node *first = heap_first(&scheduler->backoff);

    return first != NULL ? first->key : INT64_MAX;
}
