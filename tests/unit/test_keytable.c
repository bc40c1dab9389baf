#include "unit.h"

#include <xxhash.h>

#include "core/keytable.h"

static void test_counts_each_hash_by_itself(void **state)
{
    (void)state;
    struct keytable set;
    uint32_t count = 0;

    keytable_init(&set);
    assert_int_equal(keytable_count(&set, 0, &count), STATUS_OK);
    assert_int_equal(count, 1);
    assert_int_equal(keytable_count(&set, 0, &count), STATUS_OK);
    assert_int_equal(count, 2);
    assert_int_equal(keytable_count(&set, 256, &count), STATUS_OK); /* same shard, other key */
    assert_int_equal(count, 1);
    assert_int_equal(keytable_count(&set, 0, &count), STATUS_OK);
    assert_int_equal(count, 3);
    keytable_deinit(&set);
    keytable_deinit(&set);
}

static void test_many_hashes_cost_at_most_21_bytes_each(void **state)
{
    (void)state;
    enum { HASHES = 300000 };
    struct keytable set;
    uint32_t count = 0;
    size_t bytes = 0;

    keytable_init(&set);
    for (uint32_t round = 1; round <= 2; round++) {
        for (uint64_t i = 0; i < HASHES; i++) {
            assert_int_equal(keytable_count(&set, XXH3_64bits(&i, sizeof(i)), &count), STATUS_OK);
            assert_int_equal(count, round);
        }
    }
    for (size_t i = 0; i < KEYTABLE_SHARDS; i++)
        bytes += set.shards[i].capacity * sizeof(struct keytable_bucket);
    assert_true(bytes <= (size_t)HASHES * 18);
    keytable_deinit(&set);
}

/* Keys that all belong into one bucket, and a few that belong into the last one: those go on at the
 * start. */
static void test_keys_that_begin_alike_are_told_apart(void **state)
{
    (void)state;
    enum { KEYS = 1000 };
    struct keytable table;
    uint32_t *value;

    keytable_init(&table);
    for (uint32_t i = 1; i <= KEYS; i++) {
        uint64_t key = (uint64_t)i << 40 | (i % 2 == 0 ? 0xffffffff00u : 0);
        assert_null(keytable_find(&table, key));
        assert_int_equal(keytable_slot(&table, key, &value), STATUS_OK);
        assert_int_equal(*value, 0);
        *value = i;
    }
    for (uint32_t i = 1; i <= KEYS; i++) {
        uint64_t key = (uint64_t)i << 40 | (i % 2 == 0 ? 0xffffffff00u : 0);
        assert_int_equal(keytable_get(&table, key), i);
        assert_int_equal(keytable_slot(&table, key, &value), STATUS_OK);
        assert_int_equal(*value, i);
        assert_int_equal(keytable_get(&table, key ^ 256), 0);
    }
    assert_int_equal(table.shards[0].used, KEYS);
    keytable_deinit(&table);
}

static void test_a_slot_that_gets_no_value_takes_no_room(void **state)
{
    (void)state;
    struct keytable table;
    uint32_t *slot;

    keytable_init(&table);
    for (uint64_t i = 0; i < 100000; i++) { /* all of one shard */
        assert_int_equal(keytable_slot(&table, i << 8, &slot), STATUS_OK);
        assert_int_equal(*slot, 0);
        keytable_give_back(&table, i << 8);
    }
    assert_int_equal(table.shards[0].used, 0);
    assert_true(table.shards[0].capacity < 100);
    keytable_deinit(&table);
}

static void test_all_entries_can_be_gone_through(void **state)
{
    (void)state;
    enum { KEYS = 10000 };
    struct keytable table;
    uint64_t cursor = 0, key, sum = 0, wanted = 0;
    uint32_t value, *slot, count = 0;

    keytable_init(&table);
    assert_false(keytable_next(&table, &cursor, &key, &value));
    for (uint32_t i = 1; i <= KEYS; i++) {
        uint64_t made = XXH3_64bits(&i, sizeof(i));
        assert_int_equal(keytable_slot(&table, made, &slot), STATUS_OK);
        *slot = i;
        wanted += made * i;
    }
    cursor = 0;
    while (keytable_next(&table, &cursor, &key, &value)) {
        sum += key * value;
        count++;
    }
    assert_int_equal(count, KEYS);
    assert_true(sum == wanted);
    assert_false(keytable_next(&table, &cursor, &key, &value));
    keytable_deinit(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_each_hash_by_itself),
        cmocka_unit_test(test_many_hashes_cost_at_most_21_bytes_each),
        cmocka_unit_test(test_keys_that_begin_alike_are_told_apart),
        cmocka_unit_test(test_a_slot_that_gets_no_value_takes_no_room),
        cmocka_unit_test(test_all_entries_can_be_gone_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
