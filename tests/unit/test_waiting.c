/* What waits at devices, and what a fleet makes of it. */
#include "unit.h"

#include "platform/fleet.h"

#define DEVICE UINT64_C(861234567890128)

static struct waiting waiting;
static struct fleet fleet;
static struct problems problems;
static struct command command;

static int set_up(void **state)
{
    (void)state;
    waiting_init(&waiting);
    fleet_init(&fleet);
    fleet.waiting = &waiting;
    problems_init(&problems);
    command_init(&command);
    buf_add_char(&command.text, '\0');
    command.object_id = 3311;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    waiting_deinit(&waiting);
    fleet_deinit(&fleet);
    problems_deinit(&problems);
    command_deinit(&command);
    return 0;
}

/* A row that writes a resource; 0: it writes none. */
static void add(uint64_t device, uint64_t line, uint16_t resource)
{
    struct footprint footprint = {.count = resource > 0};

    footprint.items[0].res_id = resource;
    command.device = device;
    command.line = line;
    command.meaning = line << 40;
    problems_clear(&problems, line - 1, line);
    assert_int_equal(fleet_add(&fleet, &command, &footprint, &problems), STATUS_OK);
}

static void assert_problem(enum problem_code code, const char *part)
{
    assert_int_equal(problems_total(&problems), 1);
    assert_int_equal(problems.items[0].code, code);
    struct span message = problem_message(&problems, &problems.items[0]);
    assert_true(memmem(message.ptr, message.len, part, strlen(part)) != NULL);
}

static struct waiting_command of(const char *uuid, uint16_t resource)
{
    struct waiting_command made = {.created_s = 1606870944,
                                   .write = {.object = 3311, .instance = 0, .count = 1}};

    (void)snprintf(made.uuid, sizeof(made.uuid), "%s", uuid);
    made.write.resources[0] = resource;
    return made;
}

static void test_rows_and_what_waits_share_ten_places(void **state)
{
    (void)state;
    assert_int_equal(waiting_add(&waiting, DEVICE, 8, NULL, 0), STATUS_OK);
    assert_int_equal(waiting_taken(&waiting, DEVICE), 8);
    assert_int_equal(waiting_taken(&waiting, DEVICE + 1), 0);
    add(DEVICE, 2, 1);
    assert_int_equal(problems_total(&problems), 0);
    add(DEVICE, 3, 2);
    assert_int_equal(problems_total(&problems), 0);
    for (int again = 0; again < 2; again++) {
        add(DEVICE, 4, 3);
        assert_problem(PROBLEM_QUEUE,
                       "8 of 10 places of the device are taken by commands that wait "
                       "already, and the others by the rows on lines 2, 3:");
    }
    /* Negative control: where nothing is known, there is room. */
    fleet.waiting = NULL;
    add(DEVICE, 5, 4);
    assert_int_equal(problems_total(&problems), 0);
}

static void test_a_device_without_a_place_takes_no_row(void **state)
{
    (void)state;
    assert_int_equal(waiting_add(&waiting, DEVICE, 700, NULL, 0), STATUS_OK);
    assert_int_equal(waiting_taken(&waiting, DEVICE), DEVICE_QUEUE_MAX);
    add(DEVICE, 2, 1);
    assert_problem(PROBLEM_QUEUE, "10 commands wait for the device already");
    add(DEVICE + 1, 3, 1);
    assert_int_equal(problems_total(&problems), 0);
    assert_int_equal(fleet.device_count, 1);
}

static void test_the_same_resource_is_a_conflict_and_others_are_not(void **state)
{
    const struct waiting_command commands[] = {of("u-1", 7), of("u-2", 8)};

    (void)state;
    assert_int_equal(waiting_add(&waiting, DEVICE, 2, commands, 2), STATUS_OK);
    add(DEVICE, 2, 8);
    assert_problem(PROBLEM_CONFLICT, "resource 8 as the command u-2 does, which waits for the "
                                     "device since 2020-12-02T09:02:24 (UTC+8)");
    add(DEVICE, 3, 9);
    assert_int_equal(problems_total(&problems), 0);
    add(DEVICE, 4, 0);
    assert_int_equal(problems_total(&problems), 0);
    add(DEVICE + 1, 5, 8);
    assert_int_equal(problems_total(&problems), 0);
    command.instance_id = 1;
    add(DEVICE, 6, 8);
    assert_int_equal(problems_total(&problems), 0);
    command.replaces = true;
    command.instance_id = 0;
    add(DEVICE, 7, 1);
    assert_int_equal(problems_total(&problems), 2); /* whatever the waiting ones write */
}

static void test_what_replaces_or_is_not_told_is_a_conflict_with_all_of_its_instance(void **state)
{
    struct waiting_command commands[] = {of("u-1", 7)};

    (void)state;
    commands[0].write.replaces = true;
    assert_int_equal(waiting_add(&waiting, 1, 1, commands, 1), STATUS_OK);
    commands[0].write.replaces = false;
    commands[0].write.is_unclear = true;
    assert_int_equal(waiting_add(&waiting, 2, 1, commands, 1), STATUS_OK);
    commands[0].write.object = HISTORY_NONE;
    assert_int_equal(waiting_add(&waiting, 3, 1, commands, 1), STATUS_OK);
    add(1, 2, 1);
    assert_problem(PROBLEM_CONFLICT, "replaces the instance");
    add(2, 3, 1);
    assert_problem(PROBLEM_CONFLICT, "does not tell what it writes");
    command.instance_id = 1;
    add(1, 4, 1);
    assert_int_equal(problems_total(&problems), 0);
    add(2, 5, 1);
    assert_int_equal(problems_total(&problems), 0);
    add(3, 6, 1);
    assert_problem(PROBLEM_CONFLICT, "does not tell what it writes");
}

static void test_a_gap_is_an_error_of_each_row_and_says_why(void **state)
{
    (void)state;
    assert_int_equal(waiting_refuse(&waiting, 1, GAP_REFUSED, "not found (errno 8)"), STATUS_OK);
    size_t len = waiting.notes.len;
    assert_int_equal(waiting_refuse(&waiting, 2, GAP_REFUSED, "not found (errno 8)"), STATUS_OK);
    assert_int_equal(waiting.notes.len, len); /* the same words are kept once */
    assert_int_equal(waiting_refuse(&waiting, 3, GAP_NO_ANSWER, "not found (errno 8)"), STATUS_OK);
    assert_int_equal(waiting_refuse(&waiting, 4, GAP_COMMAND, "u-4"), STATUS_OK);
    for (uint64_t device = 1; device <= 2; device++)
        for (uint64_t line = 2; line <= 3; line++) {
            add(device, line, 1);
            assert_problem(PROBLEM_DEVICE, "not found (errno 8)");
        }
    add(3, 4, 1);
    assert_problem(PROBLEM_UNASKED, "not found (errno 8)");
    add(4, 5, 1);
    assert_problem(PROBLEM_UNASKED, "u-4");
    assert_int_equal(fleet.device_count, 0);
    add(5, 6, 1);
    assert_int_equal(problems_total(&problems), 0);
}

static void test_a_fleet_tells_its_devices_and_where_they_write(void **state)
{
    enum { DEVICES = 5000 };
    static bool seen[DEVICES];
    struct fleet_device device;
    uint64_t cursor = 0;
    struct history_write write = {.object = 3311, .instance = 0, .count = 1, .resources = {7}};

    (void)state;
    for (uint64_t i = 0; i < DEVICES; i++) {
        add(DEVICE + i, 2 + i, 0);
        if (i % 2 == 0)
            add(DEVICE + i, 2 + i, 7);
    }
    for (size_t i = 0; i < DEVICES; i++) {
        assert_true(fleet_next(&fleet, &cursor, &device));
        uint64_t number = device.device - DEVICE;
        assert_true(number < DEVICES && !seen[number]);
        seen[number] = true;
        assert_int_equal(device.writes, number % 2 == 0);
    }
    assert_false(fleet_next(&fleet, &cursor, &device));
    assert_false(fleet_next(&fleet, &cursor, &device));
    assert_true(fleet_meets(&fleet, DEVICE, &write));
    assert_false(fleet_meets(&fleet, DEVICE + 1, &write));
    assert_false(fleet_meets(&fleet, DEVICE + DEVICES, &write));
    write.resources[0] = 8;
    assert_false(fleet_meets(&fleet, DEVICE, &write));
    write.replaces = true;
    assert_true(fleet_meets(&fleet, DEVICE, &write));
    write.instance = 1;
    assert_false(fleet_meets(&fleet, DEVICE, &write));
    write.instance = HISTORY_NONE;
    assert_true(fleet_meets(&fleet, DEVICE, &write));
    /* A row with mode 1 writes all of its instance. */
    write = (struct history_write){.object = 3311, .instance = 0, .count = 1, .resources = {99}};
    command.replaces = true;
    add(DEVICE + 1, 9000, 1);
    assert_true(fleet_meets(&fleet, DEVICE + 1, &write));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows_and_what_waits_share_ten_places, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_device_without_a_place_takes_no_row, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_same_resource_is_a_conflict_and_others_are_not,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_what_replaces_or_is_not_told_is_a_conflict_with_all_of_its_instance, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(test_a_gap_is_an_error_of_each_row_and_says_why, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_fleet_tells_its_devices_and_where_they_write, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
