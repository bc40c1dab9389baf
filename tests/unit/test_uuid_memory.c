#include "unit.h"

#include <stdio.h>

#include "platform/uuid_memory.h"

static struct uuid_memory *memory;

static int set_up(void **state)
{
    (void)state;
    return uuid_memory_new(&memory) == STATUS_OK ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    uuid_memory_free(memory);
    return 0;
}

static enum uuid_seen add(unsigned uuid, uint64_t request)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "%08x-adc3-54ca-83a1-5aaaf71482f8", uuid);
    return uuid_memory_add(memory, span_string(text), request);
}

static void test_a_uuid_is_one_commands(void **state)
{
    (void)state;
    assert_int_equal(add(1, 100), UUID_NEW);
    assert_int_equal(add(2, 200), UUID_NEW);
    assert_int_equal(add(1, 200), UUID_FOREIGN);
    assert_int_equal(add(1, 100), UUID_AGAIN); /* it stays with the one that had it first */
    assert_int_equal(add(2, 200), UUID_AGAIN);
    assert_int_equal(add(2, 100), UUID_FOREIGN);
}

static void test_no_uuid_is_nobodys(void **state)
{
    (void)state;
    assert_int_equal(uuid_memory_add(memory, SPAN_LITERAL(""), 1), UUID_NEW);
    assert_int_equal(uuid_memory_add(memory, SPAN_LITERAL(""), 2), UUID_NEW);
}

static void test_the_last_65536_are_known_and_no_more(void **state)
{
    (void)state;
    for (unsigned i = 0; i < UUID_MEMORY_MAX; i++)
        assert_int_equal(add(i, i), UUID_NEW);
    for (unsigned i = 0; i < UUID_MEMORY_MAX; i++)
        assert_int_equal(add(i, i + 1), UUID_FOREIGN);
    assert_int_equal(add(UUID_MEMORY_MAX, 7), UUID_NEW); /* takes the place of the oldest */
    assert_int_equal(add(1, 9), UUID_FOREIGN);
    assert_int_equal(add(0, 9), UUID_NEW);
    assert_int_equal(add(1, 9), UUID_NEW);
    assert_int_equal(add(3, 9), UUID_FOREIGN);
}

/* Against a plain list, over some turns of the ring. */
static void test_it_agrees_with_a_list(void **state)
{
    (void)state;
    enum { ROWS = 5 * UUID_MEMORY_MAX, BEHIND = 70000 };
    uint32_t seed = 1;

    for (unsigned i = 0; i < ROWS; i++) {
        assert_int_equal(add(i, i), UUID_NEW);
        seed = seed * 1664525 + 1013904223;
        unsigned back = (seed >> 8) % BEHIND;
        if (back <= i && back < UUID_MEMORY_MAX)
            assert_int_equal(add(i - back, i + 1), UUID_FOREIGN);
    }
}

static void test_a_request_is_its_target_and_its_body(void **state)
{
    (void)state;
    uint64_t one = uuid_memory_request(SPAN_LITERAL("/a?imei=1"), SPAN_LITERAL("{}"));
    assert_int_equal(one, uuid_memory_request(SPAN_LITERAL("/a?imei=1"), SPAN_LITERAL("{}")));
    assert_int_not_equal(one, uuid_memory_request(SPAN_LITERAL("/a?imei=2"), SPAN_LITERAL("{}")));
    assert_int_not_equal(one, uuid_memory_request(SPAN_LITERAL("/a?imei=1"), SPAN_LITERAL("{1}")));
    assert_int_not_equal(one, uuid_memory_request(SPAN_LITERAL("/a?imei=1{}"), SPAN_LITERAL("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_uuid_is_one_commands, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_uuid_is_nobodys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_last_65536_are_known_and_no_more, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_it_agrees_with_a_list, set_up, tear_down),
        cmocka_unit_test(test_a_request_is_its_target_and_its_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
