#include "unit.h"

#include "sim/delay.h"
#include "sim/store.h"

enum { NOW = 1000 };

static int64_t ms(int64_t seconds)
{
    return seconds * 1000;
}

static struct store_command command_of(uint64_t device, int64_t expires_s, const char *content)
{
    return (
        struct store_command){.device = device,
                              .action = ACTION_WRITE,
                              .created_ms = NOW * 1000,
                              .valid_s = NOW,
                              .expires_s = expires_s,
                              .ready_ms = NOW * 1000,
                              .ends_ms = expires_s * 1000,
                              .life = {.send_status = SEND_WAITING, .confirm_status = CONFIRM_NONE},
                              .content = span_string(content)};
}

static void test_the_queue_limit_is_per_device_and_ends_with_expiry(void **state)
{
    (void)state;
    struct sim_store store;
    struct store_command first = command_of(1, NOW + 10, "[]"), other = command_of(2, NOW + 99, "");

    sim_store_init(&store, 2, 100);
    assert_int_equal(sim_store_add(&store, &first, ms(NOW)), STATUS_OK);
    first.ends_ms = ms(NOW + 20);
    assert_int_equal(sim_store_add(&store, &first, ms(NOW)), STATUS_OK);
    assert_int_equal(sim_store_add(&store, &first, ms(NOW)), STATUS_RANGE);
    assert_int_equal(sim_store_add(&store, &other, ms(NOW)), STATUS_OK);
    assert_int_equal(sim_store_add(&store, &first, ms(NOW + 10)), STATUS_RANGE); /* not past yet */
    assert_int_equal(sim_store_add(&store, &first, ms(NOW + 11)), STATUS_OK);
    assert_int_equal(sim_store_add(&store, &first, ms(NOW + 11)), STATUS_RANGE);
    assert_int_equal(sim_store_count(&store, 1), 3);
    assert_int_equal(sim_store_count(&store, 2), 1);
    assert_int_equal(sim_store_count(&store, 3), 0);
    sim_store_deinit(&store);
    sim_store_deinit(&store);
}

static void test_a_refused_command_leaves_no_trace(void **state)
{
    (void)state;
    struct sim_store store;
    struct store_command command = command_of(1, NOW + 10, "[1]");

    sim_store_init(&store, 1, 100);
    assert_int_equal(sim_store_add(&store, &command, ms(NOW)), STATUS_OK);
    uint32_t newest = sim_store_newest(&store, 1);
    assert_int_equal(sim_store_add(&store, &command, ms(NOW)), STATUS_RANGE);
    assert_int_equal(sim_store_count(&store, 1), 1);
    assert_int_equal(sim_store_newest(&store, 1), newest);
    sim_store_deinit(&store);
}

static void test_no_limit_is_none(void **state)
{
    (void)state;
    struct sim_store store;
    struct store_command command = command_of(0, NOW + 10, ""); /* an IMEI of zeros is one */

    sim_store_init(&store, 0, 10);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(sim_store_add(&store, &command, ms(NOW)), STATUS_OK);
    assert_int_equal(sim_store_count(&store, 0), 5000);
    assert_int_equal(store.kept, 10);
    sim_store_deinit(&store);
}

static void test_kept_commands_come_back_as_they_were_newest_first(void **state)
{
    (void)state;
    struct sim_store store;
    struct store_command view;
    char content[2049];
    size_t seen = 0;

    memset(content, 'x', sizeof(content) - 1);
    content[sizeof(content) - 1] = '\0';
    sim_store_init(&store, 0, 3000);
    for (uint32_t i = 0; i < 4000; i++) { /* some megabytes: several blocks */
        struct store_command command = command_of(i % 2, NOW + i, content + i % 2049);
        command.uuid[0] = (uint8_t)i;
        command.uuid[15] = (uint8_t)(i >> 8);
        command.present = 1u << PARAM_OBJ_ID;
        command.values[PARAM_OBJ_ID] = (uint16_t)i;
        command.action = i % 3 == 0 ? ACTION_READ : ACTION_EXECUTE;
        assert_int_equal(sim_store_add(&store, &command, ms(NOW)), STATUS_OK);
    }
    uint32_t i = 2999;
    for (uint32_t ref = sim_store_newest(&store, 1); ref != 0; ref = view.older, i -= 2, seen++) {
        sim_store_view(&store, ref, &view);
        assert_int_equal(view.values[PARAM_OBJ_ID], i);
        assert_int_equal(view.present, 1u << PARAM_OBJ_ID);
        assert_int_equal(view.uuid[0] | view.uuid[15] << 8, i);
        assert_int_equal(view.expires_s, NOW + i);
        assert_int_equal(view.action, i % 3 == 0 ? ACTION_READ : ACTION_EXECUTE);
        assert_int_equal(view.content.len, 2048 - i % 2049);
        assert_true(view.content.len == 0 ||
                    memcmp(view.content.ptr, content, view.content.len) == 0);
    }
    assert_int_equal(seen, 1500);
    assert_int_equal(sim_store_count(&store, 1), 2000);
    sim_store_deinit(&store);
}

static void test_many_devices_cost_what_the_header_says(void **state)
{
    (void)state;
    enum { DEVICES = 300000 };
    struct sim_store store;
    size_t slots = 0;

    sim_store_init(&store, 10, 0);
    for (uint64_t i = 0; i < DEVICES; i++) {
        struct store_command command = command_of(860000000000000 + i * 10, NOW + 10, "[]");
        assert_int_equal(sim_store_add(&store, &command, ms(NOW)), STATUS_OK);
    }
    for (uint64_t i = 0; i < DEVICES; i++)
        assert_int_equal(sim_store_count(&store, 860000000000000 + i * 10), 1);
    for (size_t i = 0; i < STORE_SHARDS; i++)
        slots += store.shards[i].capacity;
    assert_int_equal(store.devices, DEVICES);
    assert_true(slots * 24 <= (size_t)DEVICES * 64);
    assert_int_equal(store.block_count, 5); /* 16 bytes each, in blocks of 1 MiB */
    sim_store_deinit(&store);
}

static void test_expired_places_are_used_again(void **state)
{
    (void)state;
    struct sim_store store;

    sim_store_init(&store, 10, 0);
    for (int64_t i = 0; i < 1000000; i++) {
        struct store_command command = command_of(7, NOW + i, "");
        assert_int_equal(sim_store_add(&store, &command, ms(NOW + i * 2)), STATUS_OK);
    }
    assert_int_equal(store.block_count, 1);
    sim_store_deinit(&store);
}

static void test_far_expiries_do_not_wrap(void **state)
{
    (void)state;
    struct sim_store store;
    struct store_command command = command_of(7, 253402271999, ""); /* the year 9999 */

    sim_store_init(&store, 1, 0);
    assert_int_equal(sim_store_add(&store, &command, ms(NOW)), STATUS_OK);
    assert_int_equal(sim_store_add(&store, &command, ms(4000000000)), STATUS_RANGE);
    sim_store_deinit(&store);
}

static void test_a_full_queue_can_forget_its_oldest(void **state)
{
    (void)state;
    struct sim_store store;
    uint32_t refs[4], oldest;
    struct store_command view;

    sim_store_init(&store, 2, 100);
    store.overwrites = true;
    for (uint8_t i = 0; i < 3; i++) {
        struct store_command command = command_of(7, NOW + 10, "");
        command.uuid[3] = i;
        assert_int_equal(sim_store_add(&store, &command, ms(NOW)), STATUS_OK);
    }
    assert_int_equal(sim_store_list_waiting(&store, 7, ms(NOW), refs, 4), 2);
    sim_store_view(&store, refs[0], &view);
    assert_int_equal(view.uuid[3], 1);
    sim_store_view(&store, view.older, &view);
    assert_true(view.life.is_gone);
    assert_int_equal(sim_store_find(&store, 7, view.uuid), 0);
    view.uuid[3] = 2;
    assert_int_equal(sim_store_find(&store, 7, view.uuid), refs[1]);
    assert_int_equal(sim_store_list_waiting(&store, 7, ms(NOW), &oldest, 1), 1);
    assert_int_equal(oldest, refs[0]);
    assert_int_equal(sim_store_list_waiting(&store, 8, ms(NOW), &oldest, 1), 0);
    sim_store_deinit(&store);
}

static void test_a_command_that_has_ended_waits_no_more(void **state)
{
    (void)state;
    struct sim_store store;
    struct store_command command = command_of(7, NOW + 10, "[1]"), view;
    struct command_life life = command.life;
    uint32_t ref;

    sim_store_init(&store, 1, 100);
    assert_int_equal(sim_store_add(&store, &command, ms(NOW)), STATUS_OK);
    ref = sim_store_newest(&store, 7);
    life.send_status = SEND_FAILED;
    life.remain = 1; /* it is tried again */
    sim_store_set_life(&store, 7, ref, &life);
    assert_int_equal(sim_store_add(&store, &command, ms(NOW)), STATUS_RANGE);
    life.remain = 0;
    sim_store_set_life(&store, 7, ref, &life);
    assert_int_equal(sim_store_set_result(&store, ref, SPAN_LITERAL("[true]")), STATUS_OK);
    assert_int_equal(sim_store_add(&store, &command, ms(NOW)), STATUS_OK);
    sim_store_view(&store, ref, &view);
    assert_int_equal(view.life.send_status, SEND_FAILED);
    assert_true(span_is(view.result, "[true]"));
    assert_true(span_is(view.content, "[1]"));
    sim_store_deinit(&store);
}

static void test_delays_come_in_the_order_of_their_time(void **state)
{
    (void)state;
    enum { ITEMS = 1000 };
    static struct delay items[ITEMS];
    struct delay_queue queue;
    struct delay *item;
    int64_t before = -1;
    int count = 0;

    delay_queue_init(&queue);
    assert_true(delay_next(&queue) == INT64_MAX);
    for (int64_t i = 0; i < ITEMS; i++)
        assert_int_equal(delay_add(&queue, &items[i], i * 7919 % ITEMS), STATUS_OK);
    for (size_t i = 0; i < ITEMS; i += 3)
        delay_remove(&queue, &items[i]);
    delay_remove(&queue, &items[0]); /* once more: nothing */
    assert_null(delay_take(&queue, -1));
    while ((item = delay_take(&queue, ITEMS)) != NULL) {
        assert_true(item->due_ns >= before && (item - items) % 3 != 0 && item->at == 0);
        before = item->due_ns;
        count++;
    }
    assert_int_equal(count, ITEMS - (ITEMS + 2) / 3);
    delay_queue_deinit(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_queue_limit_is_per_device_and_ends_with_expiry),
        cmocka_unit_test(test_a_refused_command_leaves_no_trace),
        cmocka_unit_test(test_no_limit_is_none),
        cmocka_unit_test(test_kept_commands_come_back_as_they_were_newest_first),
        cmocka_unit_test(test_many_devices_cost_what_the_header_says),
        cmocka_unit_test(test_expired_places_are_used_again),
        cmocka_unit_test(test_far_expiries_do_not_wrap),
        cmocka_unit_test(test_a_full_queue_can_forget_its_oldest),
        cmocka_unit_test(test_a_command_that_has_ended_waits_no_more),
        cmocka_unit_test(test_delays_come_in_the_order_of_their_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
