#include "unit.h"

#include "platform/fleet.h"

static struct fleet fleet;
static struct problems problems;
static struct command command;

struct item {
    uint16_t res_id;
    uint32_t value;
};

static void start(void)
{
    fleet_deinit(&fleet);
    fleet_init(&fleet);
}

static void add_items(uint64_t device, uint64_t line, uint64_t hash, const struct item *items,
                      size_t count)
{
    struct footprint footprint = {.count = count};

    for (size_t i = 0; i < count; i++) {
        footprint.items[i].res_id = items[i].res_id;
        footprint.items[i].value = items[i].value;
    }
    command.device = device;
    command.line = line;
    command.meaning = hash << 40;
    problems_clear(&problems, line - 1, line);
    assert_int_equal(fleet_add(&fleet, &command, &footprint, &problems), STATUS_OK);
}

static void add(uint64_t device, uint64_t line, uint64_t hash, uint32_t value)
{
    const struct item item = {5850, value};
    add_items(device, line, hash, &item, 1);
}

static void assert_problem(size_t index, enum problem_code code, const char *message)
{
    assert_true(index < problems.count);
    assert_int_equal(problems.items[index].code, code);
    assert_span(problem_message(&problems, &problems.items[index]), message);
}

static void test_different_devices_have_nothing_to_do_with_each_other(void **state)
{
    (void)state;
    start();
    for (uint64_t i = 0; i < 1000; i++) {
        add(860000000000000 + i, 2 + i, 1, (uint32_t)i);
        assert_int_equal(problems.count, 0);
    }
    assert_int_equal(fleet.device_count, 1000);
}

static void
test_the_eleventh_command_of_a_device_is_refused_with_the_lines_of_the_others(void **state)
{
    (void)state;
    start();
    for (uint64_t i = 0; i < 10; i++) {
        add_items(86, 2 + i * 3, i + 1, NULL, 0);
        assert_int_equal(problems.count, 0);
    }
    add_items(87, 40, 1, NULL, 0);
    for (int again = 0; again < 2; again++) {
        add_items(86, 50, 99, NULL, 0);
        assert_int_equal(problems.error_count, 1);
        assert_problem(0, PROBLEM_QUEUE,
                       "the device has 10 commands already, on lines 2, 5, 8, 11, 14, 17, 20, 23, "
                       "26, 29: no more can wait");
    }
    assert_int_equal(fleet.device_count, 2);
}

static void test_equal_commands_are_warned_of_and_not_called_a_conflict(void **state)
{
    (void)state;
    start();
    add(86, 2, 7, 1);
    add(86, 3, 7, 1);
    assert_int_equal(problems.count, 1);
    assert_int_equal(problems.error_count, 0);
    assert_problem(0, PROBLEM_TWICE, "the same command as on line 2");
    add(86, 4, 8, 1); /* the same value by another command, such as one with another retry */
    assert_int_equal(problems.count, 0);
}

static void
test_another_value_for_a_resource_is_a_conflict_with_the_last_that_wrote_it(void **state)
{
    (void)state;
    const struct item both[] = {{1, 10}, {2, 20}}, second[] = {{3, 30}, {2, 21}};
    start();
    add_items(86, 2, 1, both, 2);
    add_items(86, 3, 2, second, 2);
    assert_int_equal(problems.count, 1);
    assert_problem(0, PROBLEM_CONFLICT, "gives resource 2 another value than line 2 does");
    add_items(86, 4, 3, both, 2); /* as on line 2, but line 3 stands between them */
    assert_int_equal(problems.count, 1);
    assert_problem(0, PROBLEM_CONFLICT, "gives resource 2 another value than line 3 does");
}

static void test_another_instance_is_another_place(void **state)
{
    (void)state;
    start();
    add(86, 2, 1, 1);
    command.instance_id = 1;
    add(86, 3, 2, 2);
    command.instance_id = 0;
    command.object_id = 9;
    add(86, 4, 3, 3);
    command.object_id = 0;
    assert_int_equal(problems.count, 0);
    add(86, 5, 4, 2);
    assert_int_equal(problems.count, 1);
}

static void test_replaced_instances_are_counted_once(void **state)
{
    (void)state;
    start();
    command.replaces = true;
    add(86, 2, 1, 1);
    add(86, 3, 2, 1);
    add(87, 4, 3, 1);
    command.instance_id = 1;
    add(86, 5, 4, 1);
    command.instance_id = 0;
    command.replaces = false;
    add(88, 6, 5, 1);
    assert_int_equal(fleet.replaced_count, 3);
}

/* Sets of places are numbered up to a maximum; behind it they are spelled out. */
static void test_any_number_of_sets_of_places_is_told_apart(void **state)
{
    (void)state;
    enum { SETS = FLEET_SETS_MAX + 100 };

    start();
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < SETS; i++) {
            command.instance_id = (uint16_t)i;
            add(900 + i, 2 + i, 2 * i + round / 2, round / 2);
            assert_int_equal(problems.count, round == 0 ? 0 : 1);
        }
        if (round == 0)
            continue;
        assert_problem(0, round == 1 ? PROBLEM_TWICE : PROBLEM_CONFLICT,
                       round == 1 ? "the same command as on line 8292"
                                  : "gives resource 5850 another value than line 8292 does");
    }
    command.instance_id = 0;
}

static void test_what_is_an_error_beside_the_others_takes_no_place(void **state)
{
    (void)state;
    start();
    problems.strict = true;
    add(1, 2, 77, 0);
    for (uint64_t i = 0; i < 20; i++) {
        add(1, 3 + i, 77, 0); /* the same again */
        assert_problem(0, PROBLEM_TWICE, "the same command as on line 2");
    }
    for (uint64_t i = 1; i < DEVICE_QUEUE_MAX; i++) {
        const struct item item = {(uint16_t)i, 0};
        add_items(1, 100 + i, i, &item, 1);
        assert_int_equal(problems.error_count, 0);
    }
    const struct item item = {99, 0};
    add_items(1, 200, 99, &item, 1);
    assert_int_equal(problems.items[0].code, PROBLEM_QUEUE);
    assert_int_equal(fleet.device_count, 1);
    problems.strict = false;
}

static void test_lines_may_be_far_apart(void **state)
{
    (void)state;
    start();
    add(86, 7, 1, 1);
    add(86, 5000000000, 2, 2);
    assert_problem(0, PROBLEM_CONFLICT, "gives resource 5850 another value than line 7 does");
    add(86, 5000000001 + 0xffffff, 2, 2);
    assert_problem(0, PROBLEM_TWICE, "the same command as on line 5000000000");
}

static void test_a_row_costs_what_the_header_says(void **state)
{
    (void)state;
    enum { ROWS = 300000 };
    size_t bytes = 0;
    start();
    for (uint64_t i = 0; i < ROWS; i++)
        add(860000000000000 + i * 11, i + 2, i, 1);
    for (size_t i = 0; i < KEYTABLE_SHARDS; i++)
        bytes += fleet.devices.shards[i].capacity * sizeof(struct keytable_bucket);
    bytes += (fleet.chunk_count - 1) * (size_t)FLEET_CHUNK_BYTES;
    assert_true(bytes <= (size_t)ROWS * (18 + 8 + 3 + 1));
    assert_int_equal(fleet.device_count, ROWS);
    assert_int_equal(problems.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_different_devices_have_nothing_to_do_with_each_other),
        cmocka_unit_test(
            test_the_eleventh_command_of_a_device_is_refused_with_the_lines_of_the_others),
        cmocka_unit_test(test_equal_commands_are_warned_of_and_not_called_a_conflict),
        cmocka_unit_test(
            test_another_value_for_a_resource_is_a_conflict_with_the_last_that_wrote_it),
        cmocka_unit_test(test_another_instance_is_another_place),
        cmocka_unit_test(test_replaced_instances_are_counted_once),
        cmocka_unit_test(test_any_number_of_sets_of_places_is_told_apart),
        cmocka_unit_test(test_what_is_an_error_beside_the_others_takes_no_place),
        cmocka_unit_test(test_lines_may_be_far_apart),
        cmocka_unit_test(test_a_row_costs_what_the_header_says),
    };
    fleet_init(&fleet);
    problems_init(&problems);
    command_init(&command);
    buf_add_char(&command.text, '\0');
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fleet_deinit(&fleet);
    problems_deinit(&problems);
    command_deinit(&command);
    return failed;
}
