#include "unit.h"

#include "send/scheduler.h"

static struct task *add(struct scheduler *scheduler, struct task *task, uint64_t device)
{
    *task = (struct task){.device = device, .state = TASK_NEW};
    assert_int_equal(scheduler_add(scheduler, task), STATUS_OK);
    return task;
}

static void test_never_more_than_concurrency_in_flight(void **state)
{
    (void)state;
    struct scheduler scheduler;
    struct task tasks[5];

    scheduler_init(&scheduler, 2);
    for (size_t i = 0; i < 5; i++)
        add(&scheduler, &tasks[i], 100 + i);
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[0]);
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[1]);
    assert_null(scheduler_next(&scheduler));
    scheduler_finish(&scheduler, &tasks[1]);
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[2]);
    assert_null(scheduler_next(&scheduler));
    scheduler_deinit(&scheduler);
}

static void test_one_device_goes_in_file_order_one_at_a_time(void **state)
{
    (void)state;
    struct scheduler scheduler;
    struct task tasks[4];

    scheduler_init(&scheduler, 8);
    add(&scheduler, &tasks[0], 1);
    add(&scheduler, &tasks[1], 1);
    add(&scheduler, &tasks[2], 1);
    add(&scheduler, &tasks[3], 2);
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[0]);
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[3]);
    assert_null(scheduler_next(&scheduler));
    assert_int_equal(tasks[1].state, TASK_BLOCKED);
    scheduler_finish(&scheduler, &tasks[0]);
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[1]);
    assert_null(scheduler_next(&scheduler));
    scheduler_finish(&scheduler, &tasks[1]);
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[2]);
    scheduler_finish(&scheduler, &tasks[2]);
    scheduler_finish(&scheduler, &tasks[3]);
    assert_true(scheduler_is_idle(&scheduler));
    assert_int_equal(scheduler.last_of_device.count, 0);
    scheduler_deinit(&scheduler);
}

static void test_a_row_is_pulled_only_when_it_could_start_or_find_a_free_device(void **state)
{
    (void)state;
    struct scheduler scheduler;
    static struct task tasks[SCHEDULER_ROWS_MIN + 1];
    size_t count = 0;

    scheduler_init(&scheduler, 1);
    assert_true(scheduler_has_room(&scheduler));
    add(&scheduler, &tasks[count++], 1);
    assert_false(scheduler_has_room(&scheduler)); /* one is ready: no need to read on */
    assert_non_null(scheduler_next(&scheduler));
    while (scheduler_has_room(&scheduler)) /* all for the busy device: reading on is bounded */
        add(&scheduler, &tasks[count++], 1);
    assert_int_equal(count, SCHEDULER_ROWS_MIN);
    scheduler_deinit(&scheduler);
}

/* Random arrivals and ends against the rules, restated plainly. */
static void test_random_schedules_hold_order_and_limit(void **state)
{
    (void)state;
    enum { TASKS = 5000, DEVICES = 40, CONCURRENCY = 16 };
    static struct task tasks[TASKS];
    static struct task *flying[CONCURRENCY];
    size_t last_finished[DEVICES];
    struct scheduler scheduler;
    size_t added = 0, finished = 0, flight_count = 0;

    srand(42);
    memset(last_finished, 0, sizeof(last_finished));
    scheduler_init(&scheduler, CONCURRENCY);
    while (finished < TASKS) {
        while (added < TASKS && scheduler_has_room(&scheduler)) {
            add(&scheduler, &tasks[added], (uint64_t)(rand() % DEVICES));
            added++;
        }
        struct task *task;
        while ((task = scheduler_next(&scheduler)) != NULL) {
            for (size_t i = 0; i < flight_count; i++)
                assert_true(flying[i]->device != task->device);
            assert_true(flight_count < CONCURRENCY);
            flying[flight_count++] = task;
        }
        assert_true(flight_count > 0);
        size_t victim = (size_t)rand() % flight_count;
        task = flying[victim];
        flying[victim] = flying[--flight_count];
        size_t number = (size_t)(task - tasks) + 1;
        assert_true(number > last_finished[task->device]);
        last_finished[task->device] = number;
        scheduler_finish(&scheduler, task);
        finished++;
    }
    assert_true(scheduler_is_idle(&scheduler));
    scheduler_deinit(&scheduler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_more_than_concurrency_in_flight),
        cmocka_unit_test(test_one_device_goes_in_file_order_one_at_a_time),
        cmocka_unit_test(test_a_row_is_pulled_only_when_it_could_start_or_find_a_free_device),
        cmocka_unit_test(test_random_schedules_hold_order_and_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
