/*
 * What is due later: a heap of items that their owners embed.
 *
 *     delay_add(&queue, &request->delay, now_ns + latency_ns);
 *     while ((item = delay_take(&queue, now_ns)) != NULL) …
 */
#ifndef NB_SIM_DELAY_H
#define NB_SIM_DELAY_H

#include "core/span.h"

struct delay {
    int64_t due_ns;
    size_t at; /* its place in the heap, from 1; 0: not in it */
};

struct delay_queue {
    struct delay **items; /* [0] is the first place */
    size_t count, capacity;
};

void delay_queue_init(struct delay_queue *queue);
void delay_queue_deinit(struct delay_queue *queue);

/* Adds an item that is in no queue. STATUS_NO_MEMORY. */
enum status delay_add(struct delay_queue *queue, struct delay *item, int64_t due_ns) MUST_USE;

/* Removes the item; nothing happens where it is in no queue. */
void delay_remove(struct delay_queue *queue, struct delay *item);

/* Removes and returns the earliest item when it is due, otherwise NULL. */
struct delay *delay_take(struct delay_queue *queue, int64_t now_ns);

/* When the earliest item is due; INT64_MAX for an empty queue. */
int64_t delay_next(const struct delay_queue *queue);

#endif
