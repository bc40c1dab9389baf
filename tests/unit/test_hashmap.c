#include "unit.h"

#include "core/hashmap.h"

static void test_put_get_remove(void **state)
{
    (void)state;
    struct hashmap map;
    int a = 1, b = 2;

    hashmap_init(&map);
    assert_null(hashmap_get(&map, 0));
    hashmap_remove(&map, 0);
    assert_int_equal(hashmap_put(&map, 0, &a), STATUS_OK);
    assert_int_equal(hashmap_put(&map, UINT64_MAX, &b), STATUS_OK);
    assert_ptr_equal(hashmap_get(&map, 0), &a);
    assert_ptr_equal(hashmap_get(&map, UINT64_MAX), &b);
    assert_int_equal(hashmap_put(&map, 0, &b), STATUS_OK);
    assert_ptr_equal(hashmap_get(&map, 0), &b);
    assert_int_equal(map.count, 2);
    hashmap_remove(&map, 0);
    assert_null(hashmap_get(&map, 0));
    assert_ptr_equal(hashmap_get(&map, UINT64_MAX), &b);
    hashmap_deinit(&map);
}

/* Random puts and removals against a plain array. */
static void test_agrees_with_a_plain_array_over_random_changes(void **state)
{
    (void)state;
    enum { KEYS = 500, STEPS = 200000 };
    static int values[KEYS];
    bool present[KEYS] = {false};
    struct hashmap map;

    srand(7);
    hashmap_init(&map);
    for (size_t step = 0; step < STEPS; step++) {
        size_t i = (size_t)rand() % KEYS;
        uint64_t key = (uint64_t)i * 1000000007u;
        if (rand() % 2 == 0) {
            assert_int_equal(hashmap_put(&map, key, &values[i]), STATUS_OK);
            present[i] = true;
        } else {
            hashmap_remove(&map, key);
            present[i] = false;
        }
        size_t probe = (size_t)rand() % KEYS;
        void *found = hashmap_get(&map, (uint64_t)probe * 1000000007u);
        assert_ptr_equal(found, present[probe] ? &values[probe] : NULL);
    }
    hashmap_deinit(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_get_remove),
        cmocka_unit_test(test_agrees_with_a_plain_array_over_random_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
