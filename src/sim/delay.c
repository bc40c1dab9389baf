#include "sim/delay.h"

enum { DELAY_FIRST_CAPACITY = 64 };

void delay_queue_init(struct delay_queue *queue)
{
    *queue = (struct delay_queue){.count = 0};
}

void delay_queue_deinit(struct delay_queue *queue)
{
    if (queue == NULL)
        return;
    free((void *)queue->items);
    *queue = (struct delay_queue){.count = 0};
}

static void put(struct delay_queue *queue, size_t place, struct delay *item)
{
    queue->items[place] = item;
    item->at = place + 1;
}

static void sift_up(struct delay_queue *queue, size_t place)
{
    struct delay *item = queue->items[place];

    while (place > 0) {
        size_t parent = (place - 1) / 2;
        if (queue->items[parent]->due_ns <= item->due_ns)
            break;
        put(queue, place, queue->items[parent]);
        place = parent;
    }
    put(queue, place, item);
}

static void sift_down(struct delay_queue *queue, size_t place)
{
    struct delay *item = queue->items[place];

    for (;;) {
        size_t child = place * 2 + 1;
        if (child >= queue->count)
            break;
        if (child + 1 < queue->count &&
            queue->items[child + 1]->due_ns < queue->items[child]->due_ns)
            child++;
        if (queue->items[child]->due_ns >= item->due_ns)
            break;
        put(queue, place, queue->items[child]);
        place = child;
    }
    put(queue, place, item);
}

enum status delay_add(struct delay_queue *queue, struct delay *item, int64_t due_ns)
{
    if (queue->count == queue->capacity) {
        size_t capacity = queue->capacity > 0 ? queue->capacity * 2 : DELAY_FIRST_CAPACITY;
        struct delay **items = realloc((void *)queue->items, capacity * sizeof(struct delay *));
        if (items == NULL)
            return STATUS_NO_MEMORY;
        queue->items = items;
        queue->capacity = capacity;
    }
    item->due_ns = due_ns;
    queue->items[queue->count++] = item;
    sift_up(queue, queue->count - 1);
    return STATUS_OK;
}

void delay_remove(struct delay_queue *queue, struct delay *item)
{
    if (item->at == 0)
        return;
    size_t place = item->at - 1;
    struct delay *last = queue->items[--queue->count];
    item->at = 0;
    if (last == item)
        return;
    put(queue, place, last);
    sift_up(queue, place);
    sift_down(queue, last->at - 1);
}

struct delay *delay_take(struct delay_queue *queue, int64_t now_ns)
{
    if (queue->count == 0 || queue->items[0]->due_ns > now_ns)
        return NULL;
    struct delay *item = queue->items[0];
    delay_remove(queue, item);
    return item;
}

int64_t delay_next(const struct delay_queue *queue)
{
    return queue->count > 0 ? queue->items[0]->due_ns : INT64_MAX;
}
