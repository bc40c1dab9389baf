#include "unit.h"

#include <pthread.h>
#include <stdint.h>

#include "net/memory.h"

static void test_blocks_hold_what_was_written(void **state)
{
    (void)state;
    unsigned char *blocks[200];

    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < ARRAY_LENGTH(blocks); i++) {
            blocks[i] = memory_take(i * 17);
            assert_non_null(blocks[i]);
            assert_int_equal((uintptr_t)blocks[i] % 16, 0);
            memset(blocks[i], (int)i, i * 17);
        }
        for (size_t i = 0; i < ARRAY_LENGTH(blocks); i++) {
            for (size_t at = 0; at < i * 17; at++)
                assert_int_equal(blocks[i][at], i);
            memory_give(blocks[i]);
        }
    }
}

static void test_zeroed_is_zero_although_the_block_was_used(void **state)
{
    (void)state;
    void *dirty = memory_take(300);
    memset(dirty, 0xff, 300);
    memory_give(dirty);
    unsigned char *clean = memory_take_zeroed(30, 10);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(clean[i], 0);
    memory_give(clean);
}

static void test_resizing_keeps_the_content(void **state)
{
    (void)state;
    char *text = memory_resize(NULL, 3);
    (void)memcpy(text, "ab", 3);
    for (size_t size = 4; size < 100000; size = size * 3 / 2) {
        text = memory_resize(text, size);
        assert_non_null(text);
        assert_string_equal(text, "ab");
        memset(text + 3, 'x', size - 3);
    }
    text = memory_resize(text, 3);
    assert_string_equal(text, "ab");
    char *copy = memory_copy(text);
    assert_string_equal(copy, "ab");
    memory_give(copy);
    memory_give(text);
    memory_give(NULL);
}

static void test_what_is_too_large_is_refused(void **state)
{
    (void)state;
    assert_null(memory_take(SIZE_MAX - 3));
    assert_null(memory_take_zeroed(SIZE_MAX / 2, 3));
    assert_null(memory_take_zeroed(SIZE_MAX / 4 + 1, 8));
    void *block = memory_take_zeroed(0, 8);
    assert_non_null(block);
    memory_give(block);
}

static void *take_and_give(void *theirs)
{
    memory_give(theirs);
    for (size_t i = 0; i < 1000; i++)
        memory_give(memory_take(i));
    return memory_copy("from another thread");
}

/* libcurl's resolver allocates in its own thread what the loop's frees, and the other way round. */
static void test_blocks_may_change_their_thread(void **state)
{
    (void)state;
    pthread_t thread;
    void *text = NULL;

    assert_int_equal(memory_init(), STATUS_OK);
    assert_int_equal(memory_init(), STATUS_OK);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(pthread_create(&thread, NULL, take_and_give, memory_take(64)), 0);
        for (size_t j = 0; j < 1000; j++)
            memory_give(memory_take(j));
        assert_int_equal(pthread_join(thread, &text), 0);
        assert_string_equal(text, "from another thread");
        memory_give(text);
    }
}

enum { GIVEN = 400, GIVEN_BYTES = 1000 }; /* more than are cut out of one piece */

static void *give_all(void *blocks)
{
    for (size_t i = 0; i < GIVEN; i++)
        memory_give(((void **)blocks)[i]);
    return NULL;
}

/* What another thread gives back is not lost: the same blocks are taken again. */
static void test_blocks_come_back_from_another_thread(void **state)
{
    (void)state;
    void *blocks[GIVEN], *again[GIVEN];
    pthread_t thread;
    size_t same = 0;

    assert_int_equal(memory_init(), STATUS_OK);
    for (size_t i = 0; i < GIVEN; i++)
        blocks[i] = memory_take(GIVEN_BYTES);
    assert_int_equal(pthread_create(&thread, NULL, give_all, blocks), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (size_t i = 0; i < GIVEN; i++) {
        again[i] = memory_take(GIVEN_BYTES);
        for (size_t j = 0; j < GIVEN; j++)
            same += again[i] == blocks[j];
    }
    assert_true(same >= GIVEN / 2);
    for (size_t i = 0; i < GIVEN; i++)
        memory_give(again[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_may_change_their_thread), /* first: it sets up the keeping */
        cmocka_unit_test(test_blocks_come_back_from_another_thread),
        cmocka_unit_test(test_blocks_hold_what_was_written),
        cmocka_unit_test(test_zeroed_is_zero_although_the_block_was_used),
        cmocka_unit_test(test_resizing_keeps_the_content),
        cmocka_unit_test(test_what_is_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
