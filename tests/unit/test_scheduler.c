#include "unit.h"

#include "core/prng.h"
#include "send/scheduler.h"

static struct task *add(struct scheduler *scheduler, struct task *task, uint64_t device)
{
    *task = (struct task){.device = device, .state = TASK_READ};
    scheduler_admit(scheduler, task);
    assert_int_equal(scheduler_add(scheduler), STATUS_OK);
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

static void test_what_is_held_keeps_its_device_and_ends_or_starts_in_order(void **state)
{
    (void)state;
    struct scheduler scheduler;
    struct task tasks[4];

    scheduler_init(&scheduler, 8);
    add(&scheduler, &tasks[0], 1);
    add(&scheduler, &tasks[1], 1);
    add(&scheduler, &tasks[2], 2);
    add(&scheduler, &tasks[3], 3);
    for (int i = 0; i < 3; i++)
        assert_non_null(scheduler_next(&scheduler));
    assert_null(scheduler_held(&scheduler));
    scheduler_hold(&scheduler, &tasks[0]);
    scheduler_hold(&scheduler, &tasks[2]);
    assert_int_equal(scheduler.in_flight, 1);
    assert_null(scheduler_next(&scheduler)); /* the second one waits behind the first */
    assert_ptr_equal(scheduler_held(&scheduler), &tasks[0]);
    scheduler_finish(&scheduler, &tasks[0]);
    assert_ptr_equal(scheduler_held(&scheduler), &tasks[2]);
    scheduler_release(&scheduler);
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[2]); /* before those never sent */
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[1]);
    for (int i = 1; i < 4; i++)
        scheduler_finish(&scheduler, &tasks[i]);
    assert_true(scheduler_is_idle(&scheduler));
    scheduler_deinit(&scheduler);
}

static void test_what_is_admitted_waits_in_file_order_and_counts_as_coming(void **state)
{
    (void)state;
    struct scheduler scheduler;
    struct task tasks[2] = {{.device = 1}, {.device = 2}};

    scheduler_init(&scheduler, 8);
    scheduler_admit(&scheduler, &tasks[0]);
    scheduler_admit(&scheduler, &tasks[1]);
    assert_false(scheduler_has_room(&scheduler, 2));
    assert_true(scheduler_has_room(&scheduler, 3));
    assert_null(scheduler_next(&scheduler));
    assert_ptr_equal(scheduler_admitted(&scheduler), &tasks[0]);
    scheduler_drop(&scheduler);
    assert_int_equal(tasks[0].state, TASK_DONE);
    assert_int_equal(scheduler_add(&scheduler), STATUS_OK);
    assert_null(scheduler_admitted(&scheduler));
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[1]);
    scheduler_finish(&scheduler, &tasks[1]);
    assert_int_equal(scheduler.coming, 0);
    scheduler_deinit(&scheduler);
}

static void test_a_row_is_pulled_only_when_it_could_start_or_find_a_free_device(void **state)
{
    (void)state;
    struct scheduler scheduler;
    static struct task tasks[SCHEDULER_ROWS_MIN + 1];
    size_t count = 0;

    scheduler_init(&scheduler, 1);
    assert_true(scheduler_has_room(&scheduler, 1));
    add(&scheduler, &tasks[count++], 1);
    assert_false(scheduler_has_room(&scheduler, 1)); /* one is ready: no need to read on */
    assert_non_null(scheduler_next(&scheduler));
    while (scheduler_has_room(&scheduler, 1)) /* all for the busy device: reading on is bounded */
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
        while (added < TASKS && scheduler_has_room(&scheduler, 1)) {
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

static void test_backoff_frees_its_place_and_holds_its_device_back(void **state)
{
    (void)state;
    struct scheduler scheduler;
    struct task tasks[3];

    scheduler_init(&scheduler, 1);
    add(&scheduler, &tasks[0], 1);
    add(&scheduler, &tasks[1], 1);
    add(&scheduler, &tasks[2], 2);
    assert_int_equal(scheduler_next_due_ms(&scheduler), INT64_MAX);
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[0]);
    scheduler_retry(&scheduler, &tasks[0], 500);
    assert_int_equal(tasks[0].state, TASK_BACKOFF);
    assert_int_equal(scheduler_next_due_ms(&scheduler), 500);
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[2]); /* the place was free */
    scheduler_finish(&scheduler, &tasks[2]);
    assert_null(scheduler_next(&scheduler)); /* the device was not */
    assert_false(scheduler_is_idle(&scheduler));
    assert_int_equal(scheduler_due(&scheduler, 499), 0);
    assert_null(scheduler_next(&scheduler));
    assert_int_equal(scheduler_due(&scheduler, 500), 1);
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[0]);
    assert_int_equal(tasks[1].state, TASK_BLOCKED);
    scheduler_finish(&scheduler, &tasks[0]);
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[1]);
    scheduler_finish(&scheduler, &tasks[1]);
    assert_true(scheduler_is_idle(&scheduler));
    scheduler_deinit(&scheduler);
}

static void test_retries_go_before_new_rows_in_the_order_of_their_times(void **state)
{
    (void)state;
    struct scheduler scheduler;
    struct task tasks[6];

    scheduler_init(&scheduler, 3);
    for (size_t i = 0; i < 6; i++)
        add(&scheduler, &tasks[i], 10 + i);
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(scheduler_next(&scheduler), &tasks[i]);
    scheduler_retry(&scheduler, &tasks[0], 30);
    scheduler_retry(&scheduler, &tasks[1], 20);
    scheduler_retry(&scheduler, &tasks[2], 30);
    assert_int_equal(scheduler_next_due_ms(&scheduler), 20);
    assert_false(scheduler_has_room(&scheduler, 1)); /* new rows wait already */
    assert_int_equal(scheduler_due(&scheduler, INT64_MAX), 3);
    assert_int_equal(scheduler_next_due_ms(&scheduler), INT64_MAX);
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[1]);
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[0]); /* equal times: first come */
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[2]);
    for (size_t i = 0; i < 3; i++)
        scheduler_finish(&scheduler, &tasks[i]);
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[3]);
    scheduler_deinit(&scheduler);
}

static void test_a_due_retry_is_started_before_more_rows_are_read(void **state)
{
    (void)state;
    struct scheduler scheduler;
    struct task task;

    scheduler_init(&scheduler, 1);
    add(&scheduler, &task, 1);
    assert_ptr_equal(scheduler_next(&scheduler), &task);
    scheduler_retry(&scheduler, &task, 5);
    assert_true(scheduler_has_room(&scheduler, 1));
    (void)scheduler_due(&scheduler, 5);
    assert_false(scheduler_has_room(&scheduler, 1));
    scheduler_deinit(&scheduler);
}

static void test_fewer_places_than_in_flight_drain_and_more_fill(void **state)
{
    (void)state;
    struct scheduler scheduler;
    struct task tasks[8];

    scheduler_init(&scheduler, 4);
    for (size_t i = 0; i < 8; i++)
        add(&scheduler, &tasks[i], 10 + i);
    for (size_t i = 0; i < 4; i++)
        assert_non_null(scheduler_next(&scheduler));
    scheduler_set_concurrency(&scheduler, 2);
    for (size_t i = 0; i < 2; i++) {
        scheduler_finish(&scheduler, &tasks[i]);
        assert_null(scheduler_next(&scheduler));
    }
    scheduler_finish(&scheduler, &tasks[2]);
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[4]);
    assert_null(scheduler_next(&scheduler));
    scheduler_set_concurrency(&scheduler, 4);
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[5]);
    assert_ptr_equal(scheduler_next(&scheduler), &tasks[6]);
    assert_null(scheduler_next(&scheduler));
    scheduler_deinit(&scheduler);
}

static void test_the_rows_ahead_follow_the_number_of_places(void **state)
{
    (void)state;
    enum { PLACES = 700, ROWS = PLACES * SCHEDULER_ROWS_PER_PLACE };
    struct scheduler scheduler;
    static struct task tasks[ROWS];
    size_t count = 0;

    scheduler_init(&scheduler, 1);
    scheduler_set_concurrency(&scheduler, PLACES);
    add(&scheduler, &tasks[count++], 1);
    assert_non_null(scheduler_next(&scheduler));
    while (scheduler_has_room(&scheduler, 1)) {
        assert_true(count < ROWS);
        add(&scheduler, &tasks[count++], 1);
    }
    assert_int_equal(count, ROWS);
    scheduler_set_concurrency(&scheduler, 1); /* holding more than that from now on is fine */
    scheduler_finish(&scheduler, &tasks[0]);
    assert_false(scheduler_has_room(&scheduler, 1));
    scheduler_deinit(&scheduler);
}

/* The rules, restated as plainly as they can be: every question is a walk over all tasks. */
enum { MODEL_TASKS = 400, MODEL_DEVICES = 25 };

enum model_place {
    MODEL_WAITING,
    MODEL_FRESH,
    MODEL_AGAIN,
    MODEL_FLYING,
    MODEL_ASLEEP,
    MODEL_GONE
};

struct model {
    struct {
        uint64_t device;
        enum model_place place;
        int64_t due_ms;
        size_t since; /* when it came to its place, by the count of moves */
    } tasks[MODEL_TASKS];
    size_t added, moves, concurrency;
};

static void model_move(struct model *model, size_t i, enum model_place place)
{
    model->tasks[i].place = place;
    model->tasks[i].since = model->moves++;
}

static size_t model_count(const struct model *model, enum model_place place)
{
    size_t count = 0;
    for (size_t i = 0; i < model->added; i++)
        count += model->tasks[i].place == place;
    return count;
}

/* The one that has been longest at a place; MODEL_TASKS for none. */
static size_t model_oldest(const struct model *model, enum model_place place)
{
    size_t best = MODEL_TASKS;
    for (size_t i = 0; i < model->added; i++)
        if (model->tasks[i].place == place &&
            (best == MODEL_TASKS || model->tasks[i].since < model->tasks[best].since))
            best = i;
    return best;
}

static size_t model_next(struct model *model)
{
    if (model_count(model, MODEL_FLYING) >= model->concurrency)
        return MODEL_TASKS;
    size_t i = model_oldest(model, MODEL_AGAIN);
    if (i == MODEL_TASKS)
        i = model_oldest(model, MODEL_FRESH);
    if (i == MODEL_TASKS)
        return i;
    for (size_t j = 0; j < i; j++) /* order and solitude of each device */
        assert_true(model->tasks[j].device != model->tasks[i].device ||
                    model->tasks[j].place == MODEL_GONE);
    model_move(model, i, MODEL_FLYING);
    return i;
}

static void model_add(struct model *model, uint64_t device)
{
    size_t self = model->added++;
    bool busy = false;

    model->tasks[self].device = device;
    for (size_t i = 0; i < self; i++)
        busy = busy || (model->tasks[i].device == device && model->tasks[i].place != MODEL_GONE);
    model_move(model, self, busy ? MODEL_WAITING : MODEL_FRESH);
}

static void model_finish(struct model *model, size_t self)
{
    model_move(model, self, MODEL_GONE);
    for (size_t i = self + 1; i < model->added; i++) {
        if (model->tasks[i].device == model->tasks[self].device) {
            model_move(model, i, MODEL_FRESH);
            return;
        }
    }
}

static int64_t model_next_due_ms(const struct model *model)
{
    int64_t due_ms = INT64_MAX;
    for (size_t i = 0; i < model->added; i++)
        if (model->tasks[i].place == MODEL_ASLEEP && model->tasks[i].due_ms < due_ms)
            due_ms = model->tasks[i].due_ms;
    return due_ms;
}

static size_t model_due(struct model *model, int64_t now_ms)
{
    size_t count = 0;
    int64_t due_ms;
    while ((due_ms = model_next_due_ms(model)) <= now_ms && due_ms < INT64_MAX) {
        size_t first = MODEL_TASKS;
        for (size_t i = 0; i < model->added; i++)
            if (model->tasks[i].place == MODEL_ASLEEP && model->tasks[i].due_ms == due_ms &&
                (first == MODEL_TASKS || model->tasks[i].since < model->tasks[first].since))
                first = i;
        model_move(model, first, MODEL_AGAIN);
        count++;
    }
    return count;
}

struct model_run {
    struct model model;
    struct scheduler scheduler;
    struct task tasks[MODEL_TASKS];
    struct prng prng;
    int64_t now_ms;
};

static size_t any_in_flight(struct model_run *run)
{
    size_t count = model_count(&run->model, MODEL_FLYING);
    size_t skip = count > 0 ? (size_t)prng_up_to(&run->prng, count - 1) : 0;

    for (size_t i = 0; i < run->model.added && count > 0; i++)
        if (run->model.tasks[i].place == MODEL_FLYING && skip-- == 0)
            return i;
    return MODEL_TASKS;
}

static void end_any(struct model_run *run, bool again)
{
    size_t i = any_in_flight(run);

    if (i == MODEL_TASKS)
        return;
    if (again) {
        run->model.tasks[i].due_ms = run->now_ms + (int64_t)prng_up_to(&run->prng, 40);
        model_move(&run->model, i, MODEL_ASLEEP);
        scheduler_retry(&run->scheduler, &run->tasks[i], run->model.tasks[i].due_ms);
    } else {
        model_finish(&run->model, i);
        scheduler_finish(&run->scheduler, &run->tasks[i]);
    }
}

static void one_random_operation(struct model_run *run)
{
    size_t i;

    switch (prng_up_to(&run->prng, 9)) {
    case 0:
    case 1:
        if (run->model.added == MODEL_TASKS)
            break;
        i = run->model.added;
        model_add(&run->model, prng_up_to(&run->prng, MODEL_DEVICES - 1));
        add(&run->scheduler, &run->tasks[i], run->model.tasks[i].device);
        break;
    case 2:
        run->now_ms += (int64_t)prng_up_to(&run->prng, 20);
        assert_int_equal(scheduler_due(&run->scheduler, run->now_ms),
                         model_due(&run->model, run->now_ms));
        break;
    case 3:
    case 4:
        end_any(run, false);
        break;
    case 5:
        end_any(run, true);
        break;
    case 6:
        if (prng_up_to(&run->prng, 9) > 0)
            break;
        run->model.concurrency = 1 + (size_t)prng_up_to(&run->prng, 15);
        scheduler_set_concurrency(&run->scheduler, run->model.concurrency);
        break;
    default:
        i = model_next(&run->model);
        assert_ptr_equal(scheduler_next(&run->scheduler), i < MODEL_TASKS ? &run->tasks[i] : NULL);
    }
    assert_int_equal(run->scheduler.in_flight, model_count(&run->model, MODEL_FLYING));
    assert_int_equal(scheduler_next_due_ms(&run->scheduler), model_next_due_ms(&run->model));
}

static void test_random_operations_agree_with_the_plain_rules(void **state)
{
    (void)state;
    static struct model_run run;

    for (uint64_t seed = 1; seed <= 20; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        memset(&run, 0, sizeof(run));
        run.prng.state = seed;
        run.model.concurrency = 6;
        scheduler_init(&run.scheduler, 6);
        size_t operations = 0;
        while (run.model.added < MODEL_TASKS || !scheduler_is_idle(&run.scheduler)) {
            one_random_operation(&run);
            assert_true(operations++ < 1000 * 1000);
        }
        assert_int_equal(model_count(&run.model, MODEL_GONE), MODEL_TASKS);
        assert_int_equal(run.scheduler.last_of_device.count, 0);
        scheduler_deinit(&run.scheduler);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_more_than_concurrency_in_flight),
        cmocka_unit_test(test_one_device_goes_in_file_order_one_at_a_time),
        cmocka_unit_test(test_a_row_is_pulled_only_when_it_could_start_or_find_a_free_device),
        cmocka_unit_test(test_what_is_held_keeps_its_device_and_ends_or_starts_in_order),
        cmocka_unit_test(test_what_is_admitted_waits_in_file_order_and_counts_as_coming),
        cmocka_unit_test(test_random_schedules_hold_order_and_limit),
        cmocka_unit_test(test_backoff_frees_its_place_and_holds_its_device_back),
        cmocka_unit_test(test_retries_go_before_new_rows_in_the_order_of_their_times),
        cmocka_unit_test(test_a_due_retry_is_started_before_more_rows_are_read),
        cmocka_unit_test(test_fewer_places_than_in_flight_drain_and_more_fill),
        cmocka_unit_test(test_the_rows_ahead_follow_the_number_of_places),
        cmocka_unit_test(test_random_operations_agree_with_the_plain_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
