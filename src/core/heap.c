#include "core/heap.h"

static bool goes_first(const struct heap_node *a, const struct heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->order < b->order;
}

/* Joins two trees; either may be empty. */
static struct heap_node *meld(struct heap_node *a, struct heap_node *b)
{
    if (a == NULL || b == NULL)
        return a != NULL ? a : b;
    if (goes_first(b, a)) {
        struct heap_node *other = a;
        a = b;
        b = other;
    }
    b->sibling = a->child;
    a->child = b;
    return a;
}

void heap_push(struct heap *heap, struct heap_node *node, int64_t key)
{
    *node = (struct heap_node){.key = key, .order = heap->pushed++};
    heap->root = meld(heap->root, node);
}

/* The two passes that make it a pairing heap: join neighbours in pairs, then the pairs to one. */
static struct heap_node *join_siblings(struct heap_node *node)
{
    struct heap_node *pairs = NULL, *root = NULL;

    while (node != NULL) {
        struct heap_node *a = node, *b = node->sibling;
        node = b != NULL ? b->sibling : NULL;
        a->sibling = NULL;
        if (b != NULL)
            b->sibling = NULL;
        struct heap_node *pair = meld(a, b);
        pair->sibling = pairs;
        pairs = pair;
    }
    while (pairs != NULL) {
        struct heap_node *pair = pairs;
        pairs = pair->sibling;
        pair->sibling = NULL;
        root = meld(root, pair);
    }
    return root;
}

struct heap_node *heap_pop(struct heap *heap)
{
    struct heap_node *first = heap->root;

    if (first == NULL)
        return NULL;
    heap->root = join_siblings(first->child);
    first->child = NULL;
    return first;
}
