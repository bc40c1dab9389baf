/*
 * A queue of times: a pairing heap of nodes that live inside the things that wait, so that nothing
 * is allocated and nothing can fail (Fredman, Sedgewick, Sleator and Tarjan 1986). Nodes with the
 * same time leave in the order in which they came.
 *
 *     struct waiter { struct heap_node node; … };
 *     heap_push(&heap, &waiter->node, due_ms);
 *     while ((node = heap_first(&heap)) != NULL && node->key <= now_ms) heap_pop(&heap);
 *
 * A push takes constant time, a pop O(log n) amortised. A zeroed struct is an empty heap.
 */
#ifndef NB_CORE_HEAP_H
#define NB_CORE_HEAP_H

#include "core/span.h"

struct heap_node {
    int64_t key;
    uint64_t order; /* among nodes of one key */
    struct heap_node *child, *sibling;
};

struct heap {
    struct heap_node *root;
    uint64_t pushed;
};

/* Adds a node that is in no heap. It belongs to the caller and stays where it is until it is
 * popped. */
void heap_push(struct heap *heap, struct heap_node *node, int64_t key);

/* Takes out the node with the lowest key and returns it; NULL from an empty heap. */
struct heap_node *heap_pop(struct heap *heap);

/* The node with the lowest key, or NULL. */
static inline struct heap_node *heap_first(const struct heap *heap)
{
    return heap->root;
}

#endif
