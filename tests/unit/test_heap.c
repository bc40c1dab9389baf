#include "unit.h"

#include "core/heap.h"
#include "core/prng.h"

static void test_an_empty_heap_has_nothing(void **state)
{
    (void)state;
    struct heap heap = {0};

    assert_null(heap_first(&heap));
    assert_null(heap_pop(&heap));
}

static void test_equal_keys_leave_in_the_order_in_which_they_came(void **state)
{
    (void)state;
    struct heap heap = {0};
    struct heap_node nodes[100];

    for (size_t i = 0; i < ARRAY_LENGTH(nodes); i++)
        heap_push(&heap, &nodes[i], 7);
    for (size_t i = 0; i < ARRAY_LENGTH(nodes); i++)
        assert_ptr_equal(heap_pop(&heap), &nodes[i]);
    assert_null(heap_pop(&heap));
}

static void test_the_whole_range_of_keys_is_ordered(void **state)
{
    (void)state;
    static const int64_t keys[] = {INT64_MAX, -1, INT64_MIN, 1, 0};
    static const int64_t sorted[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
    struct heap heap = {0};
    struct heap_node nodes[ARRAY_LENGTH(keys)];

    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        heap_push(&heap, &nodes[i], keys[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        assert_int_equal(heap_pop(&heap)->key, sorted[i]);
}

/* A node is pushed again after it was popped, in a heap that grows and shrinks. */
static void test_random_pushes_and_pops_agree_with_a_search(void **state)
{
    (void)state;
    enum { NODES = 300, STEPS = 100 * 1000 };
    static struct heap_node nodes[NODES];
    static bool inside[NODES];
    struct heap heap = {0};
    struct prng prng = {42};
    size_t popped = 0;

    for (size_t step = 0; step < STEPS; step++) {
        size_t i = (size_t)prng_up_to(&prng, NODES - 1);
        if (!inside[i]) {
            heap_push(&heap, &nodes[i], (int64_t)prng_up_to(&prng, 50));
            inside[i] = true;
            continue;
        }
        struct heap_node *best = NULL;
        for (size_t j = 0; j < NODES; j++)
            if (inside[j] && (best == NULL || nodes[j].key < best->key ||
                              (nodes[j].key == best->key && nodes[j].order < best->order)))
                best = &nodes[j];
        assert_ptr_equal(heap_first(&heap), best);
        assert_ptr_equal(heap_pop(&heap), best);
        inside[best - nodes] = false;
        popped++;
    }
    assert_true(popped > STEPS / 4);
}

/* Joining is no recursion: a heap as wide as a run's waiting rows uses no stack. */
static void test_a_million_nodes_leave_sorted(void **state)
{
    (void)state;
    enum { NODES = 1000 * 1000 };
    struct heap_node *nodes = calloc(NODES, sizeof(*nodes));
    struct heap heap = {0};
    struct prng prng = {7};
    int64_t last = INT64_MIN;

    assert_non_null(nodes);
    for (size_t i = 0; i < NODES; i++)
        heap_push(&heap, &nodes[i], (int64_t)(prng_next(&prng) >> 1));
    for (size_t i = 0; i < NODES; i++) {
        const struct heap_node *node = heap_pop(&heap);
        assert_true(node->key >= last);
        last = node->key;
    }
    assert_null(heap_pop(&heap));
    free(nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_heap_has_nothing),
        cmocka_unit_test(test_equal_keys_leave_in_the_order_in_which_they_came),
        cmocka_unit_test(test_the_whole_range_of_keys_is_ordered),
        cmocka_unit_test(test_random_pushes_and_pops_agree_with_a_search),
        cmocka_unit_test(test_a_million_nodes_leave_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
