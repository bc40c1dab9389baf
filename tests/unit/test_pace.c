/*
 * The pace against a platform that hides its limit, in virtual time: scheduler, retries, budget,
 * breaker and pacer are the program's own, put together as the job does; the platform is a token
 * bucket behind a round trip.
 */
#include "unit.h"

#include "send/budget.h"
#include "send/pacer.h"
#include "send/retry.h"
#include "send/scheduler.h"

#define MS      INT64_C(1000000)
#define SECOND  (1000 * MS)
#define LENGTH  60 /* seconds of a run */
#define SLOTS   4  /* of a second */
#define SETTLED 5  /* the share of the limit counts from here on */

enum refusal { BY_ERRNO_15, BY_ERRNO_7, BY_429, BY_429_RETRY_AFTER };

/* A case; what is 0 does not apply. */
struct scene {
    double limit;   /* a second; 0: none */
    double burst;   /* tokens */
    int64_t rtt_ms; /* and up to 1 ms more each way */
    size_t concurrency;
    enum refusal refusal;
    double noise; /* the share that is refused whatever the rate */
    int64_t rate; /* that the operator asked for, a second */
    bool changes; /* halved from second 20 to second 40 */
};

struct result {
    double share;   /* of what the limit allowed */
    double refused; /* of all requests */
    double found;   /* the limit, as the pace measured it */
    size_t
        too_fast; /* slots with more than twice the limit, a round trip after the first refusal */
    uint64_t outages;
};

/* A row and the request of it that is under way. */
struct row {
    struct task task;
    struct retry_row so_far;
    uint32_t ticket;
    int64_t started_ns;
    bool arrived, passed;
    struct heap_node event;
    struct row *next;
};

struct world {
    const struct scene *scene;
    struct scheduler scheduler;
    struct pacer pacer;
    struct budget budget;
    struct retry retry;
    struct prng prng;
    struct heap events;
    struct row *free_rows;
    uint64_t devices;
    double tokens;
    int64_t tokens_ns;
    int64_t now_ns, wake_ns, refused_ns;
    double passed, refused, settled; /* requests, at the platform; answers since SETTLED */
    struct outcome outcomes[2];
    double came[LENGTH * SLOTS + 1];     /* requests, at the platform, */
    double kept_out[LENGTH * SLOTS + 1]; /* … and those of them that it refused */
};

static double unit(struct world *world)
{
    return (double)(prng_next(&world->prng) >> 11) / 9007199254740992.0;
}

static double limit_at(const struct scene *scene, int64_t now_ns)
{
    bool halved = scene->changes && now_ns >= 20 * SECOND && now_ns < 40 * SECOND;
    return halved ? scene->limit / 2 : scene->limit;
}

static bool takes(struct world *world, int64_t now_ns)
{
    const struct scene *scene = world->scene;
    double limit = limit_at(scene, now_ns);
    double part = limit / scene->limit;

    if (scene->noise > 0 && unit(world) < scene->noise)
        return false;
    if (scene->limit == 0)
        return true;
    double most = scene->burst * part > 1 ? scene->burst * part : 1;
    world->tokens += limit * (double)(now_ns - world->tokens_ns) / 1e9;
    world->tokens = world->tokens < most ? world->tokens : most;
    world->tokens_ns = now_ns;
    if (world->tokens < 1)
        return false;
    world->tokens--;
    return true;
}

static int64_t half_trip(struct world *world)
{
    return world->scene->rtt_ms * MS / 2 + (int64_t)(unit(world) * 0.5e6);
}

static void start_row(struct world *world, struct row *row)
{
    row->ticket = pacer_start(&world->pacer, world->now_ns);
    row->started_ns = world->now_ns;
    row->arrived = false;
    heap_push(&world->events, &row->event, world->now_ns + half_trip(world));
}

/* As job.c's start_ready. */
static void start_ready(struct world *world)
{
    enum pacer_wait why;
    int64_t now_ms = world->now_ns / MS;

    world->wake_ns = INT64_MAX;
    (void)scheduler_due(&world->scheduler, now_ms);
    while (scheduler_can_start(&world->scheduler)) {
        int64_t next_ns = pacer_next_ns(&world->pacer, world->now_ns, &why);
        if (next_ns != 0) {
            world->wake_ns = next_ns;
            return;
        }
        struct row *row = (struct row *)scheduler_next(&world->scheduler);
        bool is_retry = row->so_far.tries > 0;
        int64_t again_ms = is_retry ? budget_next_ms(&world->budget, now_ms) : 0;
        if (again_ms != 0) {
            scheduler_retry(&world->scheduler, &row->task, again_ms);
            continue;
        }
        if (is_retry)
            budget_take(&world->budget, now_ms);
        start_row(world, row);
    }
}

static void read_ahead(struct world *world)
{
    while (scheduler_has_room(&world->scheduler, world->scene->concurrency)) {
        struct row *row = world->free_rows;
        if (row != NULL)
            world->free_rows = row->next;
        else
            row = calloc(1, sizeof(*row));
        assert_non_null(row);
        *row = (struct row){.task = {.state = TASK_READ, .device = ++world->devices}};
        scheduler_admit(&world->scheduler, &row->task);
        assert_int_equal(scheduler_add(&world->scheduler), STATUS_OK);
    }
}

/* As job.c's finish_attempt. */
static void finish(struct world *world, struct row *row)
{
    const struct outcome *outcome = &world->outcomes[row->passed];
    const bool tells = world->scene->refusal == BY_429_RETRY_AFTER && !row->passed;
    const struct retry_attempt attempt = {.outcome = outcome,
                                          .idempotent = true,
                                          .has_retry_after = tells,
                                          .retry_after_ms = tells ? 1000 : -1};
    struct retry_decision decision;
    struct pacer_news news;

    retry_decide(&world->retry, &attempt, &row->so_far, &decision);
    const struct pacer_attempt end = {.outcome = outcome,
                                      .ticket = row->ticket,
                                      .started_ns = row->started_ns,
                                      .host_wait_ms = decision.host_wait_ms};
    if (breaker_kind_of(outcome) == BREAKER_OK)
        budget_return(&world->budget);
    pacer_end(&world->pacer, &end, world->now_ns, &news);
    scheduler_set_concurrency(&world->scheduler, pacer_concurrency(&world->pacer));
    if (decision.again) {
        scheduler_retry(&world->scheduler, &row->task, world->now_ns / MS + decision.delay_ms);
        return;
    }
    scheduler_finish(&world->scheduler, &row->task);
    row->next = world->free_rows;
    world->free_rows = row;
}

/* A request comes to the platform, or its answer comes back. */
static void take_event(struct world *world)
{
    struct heap_node *node = heap_pop(&world->events);
    struct row *row = (struct row *)(void *)((char *)node - offsetof(struct row, event));

    if (row->arrived) {
        if (row->passed && world->now_ns >= SETTLED * SECOND)
            world->settled++;
        if (!row->passed && world->refused_ns == 0)
            world->refused_ns = world->now_ns;
        finish(world, row);
        return;
    }
    row->arrived = true;
    row->passed = takes(world, world->now_ns);
    world->came[world->now_ns * SLOTS / SECOND]++;
    world->kept_out[world->now_ns * SLOTS / SECOND] += !row->passed;
    world->passed += row->passed;
    world->refused += !row->passed;
    heap_push(&world->events, &row->event, world->now_ns + half_trip(world));
}

/* When a timer of whole milliseconds that is set for this goes off: late. */
static int64_t timer_ns(struct world *world, int64_t at_ns)
{
    return (at_ns + MS - 1) / MS * MS + (int64_t)(unit(world) * 1e6);
}

static void run_world(struct world *world)
{
    int64_t set_for_ns = INT64_MAX, timer = INT64_MAX;

    while (world->now_ns < LENGTH * SECOND) {
        read_ahead(world);
        start_ready(world);
        int64_t due_ms = scheduler_next_due_ms(&world->scheduler);
        int64_t wake_ns =
            due_ms < INT64_MAX / MS && due_ms * MS < world->wake_ns ? due_ms * MS : world->wake_ns;
        if (wake_ns != set_for_ns || timer <= world->now_ns) {
            set_for_ns = wake_ns;
            if (wake_ns < world->now_ns)
                wake_ns = world->now_ns + 1;
            timer = wake_ns == INT64_MAX ? INT64_MAX : timer_ns(world, wake_ns);
        }
        const struct heap_node *first = heap_first(&world->events);
        int64_t next_ns = first != NULL ? first->key : INT64_MAX;
        if (timer < next_ns) {
            assert_true(timer < INT64_MAX);
            world->now_ns = timer;
        } else {
            assert_true(next_ns < INT64_MAX);
            world->now_ns = next_ns;
            take_event(world);
        }
    }
}

static void judge_answers(struct world *world)
{
    static const char accepted[] = "{\"errno\":0,\"data\":{\"uuid\":\"u\"}}";
    static const struct {
        int http_status;
        const char *body;
    } refusals[] = {{200, "{\"errno\":15,\"error\":\"api freq out of limit\"}"},
                    {200, "{\"errno\":7,\"error\":\"internal error\"}"},
                    {429, ""},
                    {429, ""}};
    struct answer answer = {.state = ANSWER_ANSWERED,
                            .http_status = 200,
                            .body = span_string(accepted)};

    outcome_judge(DIALECT_V1, OPERATION_WRITE, &answer, &world->outcomes[1]);
    answer.http_status = refusals[world->scene->refusal].http_status;
    answer.body = span_string(refusals[world->scene->refusal].body);
    outcome_judge(DIALECT_V1, OPERATION_WRITE, &answer, &world->outcomes[0]);
    assert_int_equal(breaker_kind_of(&world->outcomes[0]), BREAKER_REFUSED);
}

/* How many rows the platform would take from SETTLED on. */
static double allowed_of(const struct scene *scene)
{
    double most = (double)scene->concurrency * 1000 / (double)scene->rtt_ms, sum = 0;

    for (int second = SETTLED; second < LENGTH; second++) {
        double limit = limit_at(scene, second * SECOND);
        double value = scene->limit == 0 || limit > most ? most : limit;
        if (scene->rate > 0 && value > (double)scene->rate)
            value = (double)scene->rate;
        sum += value;
    }
    return sum;
}

/* Slots in which far too much came, a round trip after the first refusal. In round trips that are
 * shorter than a few rows take, it is as long as these take: nothing can be known sooner. What a
 * burst lets through is not too much. */
static size_t count_too_fast(const struct world *world)
{
    const struct scene *scene = world->scene;
    const int64_t slot_ns = SECOND / SLOTS, rows_ns = (int64_t)(25e9 / (scene->limit + 1)),
                  trips_ns = (3 * scene->rtt_ms + 100) * MS;
    size_t count = 0;

    if (scene->limit == 0 || scene->noise > 0 || world->refused_ns == 0)
        return 0;
    for (int64_t slot = 0; slot < LENGTH * SLOTS; slot++) {
        int64_t from_ns = slot * slot_ns;
        bool is_new =
            scene->changes && from_ns > 20 * SECOND - slot_ns && from_ns < 20 * SECOND + trips_ns;
        if (from_ns < world->refused_ns + scene->rtt_ms * MS + rows_ns || is_new)
            continue;
        count += world->kept_out[slot] > 0 &&
                 world->came[slot] > 2 * limit_at(scene, from_ns) / SLOTS + 2;
    }
    return count;
}

static void free_rows(struct world *world)
{
    struct heap_node *node;
    struct task *task;

    while ((node = heap_pop(&world->events)) != NULL)
        free((char *)node - offsetof(struct row, event));
    (void)scheduler_due(&world->scheduler, INT64_MAX);
    scheduler_set_concurrency(&world->scheduler, SIZE_MAX / 8);
    while ((task = scheduler_next(&world->scheduler)) != NULL)
        free(task);
    while (world->free_rows != NULL) {
        struct row *row = world->free_rows;
        world->free_rows = row->next;
        free(row);
    }
    scheduler_deinit(&world->scheduler);
}

static struct world world;

static struct result play(const struct scene *scene, uint64_t seed)
{
    const struct retry_policy policy = {.max_attempts = 5, .base_ms = 200, .cap_ms = 30000};
    const struct pacer_options options = {.rate_count = scene->rate,
                                          .rate_per_ms = 1000,
                                          .rate_is_asked = scene->rate > 0,
                                          .burst = 1,
                                          .adaptive = true,
                                          .concurrency = scene->concurrency};

    world = (struct world){.scene = scene, .prng = {seed}, .tokens = scene->burst};
    judge_answers(&world);
    scheduler_init(&world.scheduler, scene->concurrency);
    pacer_init(&world.pacer, &options, 0);
    scheduler_set_concurrency(&world.scheduler, pacer_concurrency(&world.pacer));
    budget_init(&world.budget, 0);
    retry_init(&world.retry, &policy, seed + 1);
    run_world(&world);
    free_rows(&world);
    return (struct result){.share = world.settled / allowed_of(scene),
                           .refused = world.refused / (world.passed + world.refused),
                           .found = pace_allowed(&world.pacer.pace),
                           .too_fast = count_too_fast(&world),
                           .outages = world.pacer.breaker.openings};
}

static const double limits[] = {20, 100, 300, 2000};
static const double bursts_s[] = {0.02, 0.1, 1}; /* what comes in this time */
static const int64_t rtts_ms[] = {5, 50, 200, 500};

static struct scene scene_of(size_t limit, size_t burst, size_t rtt, size_t concurrency)
{
    struct scene scene = {.limit = limits[limit],
                          .burst = limits[limit] * bursts_s[burst],
                          .rtt_ms = rtts_ms[rtt],
                          .concurrency = concurrency,
                          .refusal = (enum refusal)((limit + burst + rtt) % 4)};

    scene.burst = scene.burst < 1 ? 1 : scene.burst;
    return scene;
}

/* What a case must reach. */
struct bar {
    double share, refused;
};

/*
 * The aim is 95 % of the limit with 1 % refused. Where arithmetic keeps a case from it:
 *
 *   - Each refusal tells one thing, and to know a limit to one in n takes about 15 of them
 * (pace.h). A minute at 20/s has 1200 requests: 15 are 1.2 % of them already.
 *   - A bucket does not show until it is empty. Slow start grows from 16/s; to be at 2000/s in five
 *     seconds it must double about every second, and so sends, when a burst of a second's worth is
 *     used up, two to three times the limit. Whatever is sent in the round trip until the first
 *     refusal is back comes to (2 … 4 - 1) · limit · RTT, RTT/60 of a minute each.
 *   - A bucket of one token passes every other request where the rate is a hair above its limit, so
 *     that each approach to it costs half of what is in flight: at 20/s and 500 ms 5 of 1200.
 *   - 2000/s at 500 ms is nearly 1024 in flight: slow start gets there in the seventh second.
 */
static struct bar bar_of(const struct scene *scene)
{
    struct bar bar = {.share = 0.95, .refused = 0.01};
    double trip_s = (double)scene->rtt_ms / 1000;

    if (scene->limit >= 300 && scene->rtt_ms <= 50)
        return bar;
    if (scene->limit == 100 && scene->rtt_ms <= 50 && scene->burst <= 10)
        return bar;
    bar.refused += 15 / (scene->limit * LENGTH);
    bar.refused += trip_s * (scene->concurrency > 64 ? 4 : 2) / LENGTH;
    if (scene->limit >= 2000 && scene->rtt_ms >= 500)
        bar.share = 0.93;
    if (scene->burst <= 1) {
        bar.share = scene->rtt_ms >= 500 ? 0.84 : 0.94;
        bar.refused += trip_s * scene->limit / 2 * 6 / (scene->limit * LENGTH);
    }
    return bar;
}

static void expect(const struct scene *scene, const struct result *result, const struct bar *bar)
{
    bool good = result->share >= bar->share && result->refused <= bar->refused &&
                result->outages == 0 && result->too_fast <= (scene->changes ? SLOTS : 0);

    if (!good)
        fail_msg("%.0f/s, burst %.0f, %d ms, %zu at a time, refusal %d%s: %.2f %% (of %.0f), "
                 "%.2f %% refused (of %.2f), found %.1f/s, %d slots too fast, %d outages",
                 scene->limit, scene->burst, (int)scene->rtt_ms, scene->concurrency,
                 (int)scene->refusal, scene->changes ? ", changes" : "", result->share * 100,
                 bar->share * 100, result->refused * 100, bar->refused * 100, result->found,
                 (int)result->too_fast, (int)result->outages);
}

static void try_all(bool changes, struct bar (*bar_for)(const struct scene *scene))
{
    static const size_t places[] = {64, 1024};

    for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
        for (size_t at = 0; at < 4 * 3 * 4; at++) {
            struct scene scene = scene_of(at / 12, at / 4 % 3, at % 4, places[i]);
            scene.changes = changes;
            if (i > 0 && scene.rtt_ms < 200)
                continue; /* it makes no difference */
            struct bar bar = bar_for(&scene);
            struct result result = play(&scene, at + 1);
            expect(&scene, &result, &bar);
        }
}

static void test_a_hidden_limit_is_found_and_kept(void **state)
{
    (void)state;
    try_all(false, bar_of);
}

/* A limit is regained at the price of a refusal for each time that it is tried. At 10/s a second
 * has ten rows, and a hundred without a refusal are ten seconds; at 2000/s nothing is lost. */
static struct bar bar_of_changes(const struct scene *scene)
{
    struct bar bar = bar_of(scene);
    double share = scene->limit <= 20 ? 0.6 : scene->limit <= 100 ? 0.68 : 0.92;

    if (scene->limit >= 2000 && scene->rtt_ms >= 500)
        share = 0.86;
    bar.share = bar.share < share ? bar.share : share;
    bar.refused = 3 * bar.refused;
    return bar;
}

static void test_a_limit_that_is_halved_and_doubled_is_followed(void **state)
{
    (void)state;
    try_all(true, bar_of_changes);
}

static void test_the_limit_that_was_found_is_told(void **state)
{
    (void)state;
    for (size_t i = 1; i < ARRAY_LENGTH(limits); i++) {
        struct scene scene = scene_of(i, 1, 1, i == 3 ? 1024 : 64);
        double found = play(&scene, 1).found;
        assert_true(found > 0.95 * scene.limit && found < 1.05 * scene.limit);
    }
    const struct scene none = {.rtt_ms = 50, .concurrency = 64};
    assert_true(play(&none, 1).found == 0);
}

static void test_without_a_limit_the_concurrency_is_used(void **state)
{
    (void)state;
    static const struct scene scenes[] = {{.rtt_ms = 5, .concurrency = 64},
                                          {.rtt_ms = 50, .concurrency = 64},
                                          {.rtt_ms = 500, .concurrency = 64},
                                          {.rtt_ms = 200, .concurrency = 1024},
                                          {.rtt_ms = 5, .concurrency = 1}};
    for (size_t i = 0; i < ARRAY_LENGTH(scenes); i++) {
        struct result result = play(&scenes[i], 1);
        assert_true(result.share > 0.9);
        assert_true(result.refused == 0 && result.found == 0);
        assert_int_equal(world.pacer.pace.mode, PACE_OPEN);
    }
}

/* Slow start opens places by the round trip, but never more than there are. */
static void test_no_more_are_under_way_than_asked_for(void **state)
{
    (void)state;
    for (size_t concurrency = 1; concurrency <= 12; concurrency++) {
        struct pace pace;
        int64_t now_ns = 0;
        pace_init(&pace, concurrency, true, true);
        for (int i = 0; i < 40; i++) {
            size_t window = pace_window(&pace);
            assert_in_range(window, 1, concurrency);
            for (size_t j = 0; j < window; j++)
                pace_start(&pace);
            now_ns += 2 * SECOND;
            for (size_t j = 0; j < window; j++)
                (void)pace_end(&pace, PACE_PASSED, now_ns - 2 * SECOND, now_ns);
        }
        assert_int_equal(pace_window(&pace), concurrency);
    }
}

/* They cost themselves, and no more. */
static void test_refusals_that_do_not_depend_on_the_rate_cost_only_themselves(void **state)
{
    (void)state;
    static const struct scene scenes[] = {
        {.rtt_ms = 5, .concurrency = 64, .noise = 0.02, .rate = 200},
        {.rtt_ms = 50, .concurrency = 64, .noise = 0.02, .rate = 200},
        {.rtt_ms = 200, .concurrency = 64, .noise = 0.02, .rate = 200},
        {.rtt_ms = 50, .concurrency = 64, .noise = 0.02},
        {.rtt_ms = 50, .concurrency = 64, .noise = 0.02, .limit = 300, .burst = 30},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(scenes); i++)
        for (uint64_t seed = 1; seed <= 4; seed++) {
            struct bar bar = {0.9, scenes[i].limit > 0 ? 0.08 : 0.03};
            struct result result = play(&scenes[i], seed);
            expect(&scenes[i], &result, &bar);
        }
}

/* A rate that was asked for and is above the limit. */
static void test_an_asked_rate_above_the_limit_is_lowered_to_it(void **state)
{
    (void)state;
    static const int64_t rates[] = {310, 400, 1000};

    for (size_t i = 0; i < ARRAY_LENGTH(rates); i++) {
        const struct scene scene = {
            .limit = 300, .burst = 30, .rtt_ms = 50, .concurrency = 64, .rate = rates[i]};
        const struct bar bar = {0.95, 0.02};
        struct result result = play(&scene, 1);
        expect(&scene, &result, &bar);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_hidden_limit_is_found_and_kept),
        cmocka_unit_test(test_a_limit_that_is_halved_and_doubled_is_followed),
        cmocka_unit_test(test_the_limit_that_was_found_is_told),
        cmocka_unit_test(test_without_a_limit_the_concurrency_is_used),
        cmocka_unit_test(test_no_more_are_under_way_than_asked_for),
        cmocka_unit_test(test_refusals_that_do_not_depend_on_the_rate_cost_only_themselves),
        cmocka_unit_test(test_an_asked_rate_above_the_limit_is_lowered_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
