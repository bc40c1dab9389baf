/*
 * The pace against a platform that hides its limit, in virtual time: scheduler, retries, budget,
 * breaker and pacer are the program's own, put together as the engine does; the platform is a token
 * bucket or another limit behind a round trip. With an argument it prints the figures of every case
 * instead:
 *
 *     build/test/tests/test_pace table
 *     build/test/tests/test_pace bound             what an oracle reaches, beside it
 *     build/test/tests/test_pace survey [SEED]     cases that are drawn, and other kinds of limits
 */
#include "unit.h"

#include <math.h>

#include "send/budget.h"
#include "send/pacer.h"
#include "send/retry.h"
#include "send/scheduler.h"

#define MS       INT64_C(1000000)
#define SECOND   (1000 * MS)
#define LENGTH   60    /* seconds of a run, */
#define LONGEST  600   /* … and of one against a slow limit */
#define SLOTS    4     /* of a second */
#define CHANGE_S 20    /* when a limit changes, and after as long again when it changes back */
#define START_NS 20000 /* that a start takes */
#define SETTLED  5     /* the share of the limit counts from here on */

enum { TAKEN_MAX = 16384 };

enum refusal { BY_ERRNO_15, BY_ERRNO_7, BY_429, BY_429_RETRY_AFTER, REFUSALS };
enum change { STEADY, HALVED, DOUBLED, HALVED_FOR_A_WHILE, CHANGES };

/* What the platform limits: a bucket's tokens, requests in any second, requests in each second of
 * its clock, requests that it works on (each for half of the round trip). */
enum kind { BUCKET, SLIDING_SECOND, CLOCK_SECOND, AT_ONCE, KINDS };

/* A time in which all is refused, in seconds. */
struct refusing {
    double from_s, to_s;
};

enum { OUTAGES = 2 };

/* A case; what is 0 does not apply. */
struct scene {
    double limit;   /* a second; 0: none */
    double burst;   /* tokens */
    int64_t rtt_ms; /* and up to 1 ms more each way */
    size_t concurrency;
    enum kind kind;
    enum refusal refusal;
    double noise; /* the share that is refused whatever the rate */
    int64_t rate; /* that the operator asked for, a second */
    enum change change;
    int64_t seconds; /* 0: LENGTH */
    uint64_t rows;   /* of a short run; 0: without end */
    struct refusing outages[OUTAGES];
    uint64_t stubborn; /* one in so many devices is always refused */
};

struct result {
    double share;      /* of what the limit allowed */
    double refused;    /* of all requests */
    double found;      /* the limit, as the pace measured it */
    int64_t passed_ns; /* when the last row passed */
    double given_up;
    double excess_s; /* see longest_excess */
    uint64_t outages;
};

/* A row and the request of it that is under way. */
struct row {
    struct task task;
    struct retry_row so_far;
    uint32_t ticket;
    uint64_t number;
    struct pacer_row paced;
    int64_t started_ns;
    bool arrived, passed;
    struct heap_node event;
    struct row *next;
};

/*
 * Who knows the limit's form in the place of the pace, from the start on: its rate and burst. That
 * it has fallen it hears by the first refusal, and that it has risen by a probe: as many rows above
 * the rate as the bucket can have saved, and one, all of which pass. So a probe costs one refusal,
 * and all that is open is how often to probe; whoever probes does not know what is to come. The
 * price of finding the limit is added (play_oracle). What this misses, nobody reaches.
 */
struct oracle {
    double every_s; /* between two probes; 0: there is no oracle */
    struct limiter limiter;
    double limit;
    int64_t empty_ns;         /* when the bucket was */
    int64_t since_ns;         /* what was sent before tells nothing new */
    int64_t next_ns, ends_ns; /* a probe */
    bool probes;
};

struct world {
    const struct scene *scene;
    struct oracle oracle;
    struct scheduler scheduler;
    struct pacer pacer;
    struct budget budget;
    struct retry retry;
    struct prng prng;
    struct heap events;
    struct row *free_rows;
    uint64_t devices, starts;
    double tokens; /* of the bucket, or left of the clock's second */
    int64_t tokens_ns;
    int64_t taken_ns[TAKEN_MAX]; /* when the last ones were */
    size_t taken;
    int64_t now_ns, wake_ns, refused_ns;
    double passed, refused, settled; /* requests, at the platform; answers since SETTLED */
    int64_t passed_ns;
    double given_up; /* rows, after their last attempt */
    bool met;        /* the first answer has come: until then one goes alone */
    struct outcome outcomes[2];
    double came[LONGEST * SLOTS + 1];     /* requests, at the platform, */
    double kept_out[LONGEST * SLOTS + 1]; /* … and those of them that it refused */
};

static double unit(struct world *world)
{
    return (double)(prng_next(&world->prng) >> 11) / 9007199254740992.0;
}

static int64_t length_of(const struct scene *scene)
{
    return scene->seconds > 0 ? scene->seconds : LENGTH;
}

static double limit_at(const struct scene *scene, int64_t now_ns)
{
    static const double first[CHANGES] = {1, 0.5, 2, 0.5}, then[CHANGES] = {1, 0.5, 2, 1};

    if (now_ns < CHANGE_S * SECOND)
        return scene->limit;
    return scene->limit * (now_ns < 2 * CHANGE_S * SECOND ? first : then)[scene->change];
}

static bool takes_token(struct world *world, double limit, int64_t now_ns)
{
    const struct scene *scene = world->scene;
    double part = limit / scene->limit;
    double most = scene->burst * part > 1 ? scene->burst * part : 1;

    world->tokens += limit * (double)(now_ns - world->tokens_ns) / 1e9;
    world->tokens = world->tokens < most ? world->tokens : most;
    if (world->tokens < 1)
        return false;
    world->tokens--;
    return true;
}

static bool takes_of_second(struct world *world, double limit, int64_t now_ns)
{
    if (now_ns / SECOND != world->tokens_ns / SECOND || now_ns == 0)
        world->tokens = limit;
    return world->tokens-- >= 1;
}

static int64_t service_ns(const struct scene *scene)
{
    return scene->kind == AT_ONCE ? scene->rtt_ms * MS / 2 : 0;
}

/* Not more than so many in this time. */
static bool takes_few(struct world *world, double count, int64_t span_ns, int64_t now_ns)
{
    size_t few = count > 1 ? (size_t)count : 1;

    assert_true(few < TAKEN_MAX);
    if (world->taken >= few && world->taken_ns[(world->taken - few) % TAKEN_MAX] > now_ns - span_ns)
        return false;
    world->taken_ns[world->taken++ % TAKEN_MAX] = now_ns;
    return true;
}

static bool is_stubborn(const struct scene *scene, uint64_t device)
{
    return scene->stubborn > 0 && device % scene->stubborn == 0;
}

static bool is_out(const struct scene *scene, int64_t now_ns)
{
    for (size_t i = 0; i < OUTAGES; i++)
        if ((double)now_ns >= scene->outages[i].from_s * 1e9 &&
            (double)now_ns < scene->outages[i].to_s * 1e9)
            return true;
    return false;
}

static bool takes(struct world *world, uint64_t device, int64_t now_ns)
{
    const struct scene *scene = world->scene;
    double limit = limit_at(scene, now_ns), at_once = limit * (double)service_ns(scene) / 1e9;

    if (is_out(scene, now_ns) || is_stubborn(scene, device))
        return false;
    if (scene->noise > 0 && unit(world) < scene->noise)
        return false;
    if (scene->limit == 0)
        return true;
    bool taken = scene->kind == BUCKET         ? takes_token(world, limit, now_ns)
                 : scene->kind == CLOCK_SECOND ? takes_of_second(world, limit, now_ns)
                 : scene->kind == SLIDING_SECOND
                     ? takes_few(world, limit, SECOND, now_ns)
                     : takes_few(world, at_once, service_ns(scene), now_ns);
    world->tokens_ns = now_ns;
    return taken;
}

static int64_t half_trip(struct world *world)
{
    return (world->scene->rtt_ms * MS - service_ns(world->scene)) / 2 +
           (int64_t)(unit(world) * 0.5e6);
}

#define ORACLE_MARGIN 0.004
#define ORACLE_LATE_S 0.0015 /* a bucket of one token refuses what comes so much early */

static double oracle_margin(const struct world *world)
{
    double limit = world->oracle.limit, tokens = world->scene->burst * limit / world->scene->limit;

    return ORACLE_MARGIN + (tokens < 1.5 ? ORACLE_LATE_S * limit : 0);
}

static void oracle_send(struct world *world, double factor)
{
    limiter_set_rate(&world->oracle.limiter, (int64_t)(world->oracle.limit * factor * 3600),
                     3600 * INT64_C(1000), world->now_ns);
}

static void oracle_hold(struct world *world, double limit)
{
    struct oracle *oracle = &world->oracle;

    oracle->limit = limit;
    oracle->probes = false;
    oracle->since_ns = world->now_ns;
    oracle->next_ns = world->now_ns + (int64_t)(oracle->every_s * 1e9);
    oracle_send(world, 1 - oracle_margin(world));
}

static void oracle_init(struct world *world, double every_s)
{
    struct oracle *oracle = &world->oracle;
    double burst = world->scene->burst;

    oracle->every_s = every_s;
    oracle->empty_ns = -(int64_t)(burst / world->scene->limit / ORACLE_MARGIN * 1e9);
    limiter_init(&oracle->limiter, 1, 3600 * INT64_C(1000), 1, 0);
    limiter_set_burst(&oracle->limiter, 1, burst > 2 ? LIMITER_SLACK_NS : MS, 0);
    oracle_hold(world, world->scene->limit);
    oracle->next_ns = (int64_t)(unit(world) * every_s * 1e9);
}

static int64_t oracle_next_ns(struct world *world)
{
    struct oracle *oracle = &world->oracle;
    const struct scene *scene = world->scene;
    int64_t now_ns = world->now_ns, trip_ns = (scene->rtt_ms + 2) * MS;
    bool is_bound = oracle->limit * (double)trip_ns / 1e9 < (double)scene->concurrency;

    if (!oracle->probes && now_ns >= oracle->next_ns && is_bound) {
        double seconds = (double)(now_ns - oracle->empty_ns) / 1e9;
        double saved = oracle_margin(world) * oracle->limit * seconds;
        double most = scene->burst * oracle->limit / scene->limit;
        oracle->probes = true;
        oracle->since_ns = now_ns;
        oracle->ends_ns = now_ns + (int64_t)((fmin(saved, most) + 1.5) / oracle->limit * 1e9);
        oracle_send(world, 2);
    }
    if (oracle->probes && now_ns >= oracle->ends_ns)
        oracle_send(world, 1 - oracle_margin(world));
    if (oracle->probes && now_ns >= oracle->ends_ns + trip_ns)
        oracle_hold(world, limit_at(scene, now_ns));
    return limiter_next_ns(&oracle->limiter, now_ns);
}

static void oracle_hear(struct world *world, const struct row *row)
{
    struct oracle *oracle = &world->oracle;
    double limit = limit_at(world->scene, world->now_ns);

    if (row->passed || row->started_ns < oracle->since_ns)
        return;
    oracle->empty_ns = row->started_ns;
    if (oracle->probes || limit < oracle->limit)
        oracle_hold(world, limit);
}

static void start_row(struct world *world, struct row *row)
{
    row->ticket = pacer_start(&world->pacer, world->now_ns);
    if (world->oracle.every_s > 0)
        limiter_take(&world->oracle.limiter, world->now_ns);
    row->number = ++world->starts;
    row->started_ns = world->now_ns;
    world->now_ns += START_NS;
    row->arrived = false;
    heap_push(&world->events, &row->event, world->now_ns + half_trip(world));
}

/* As the engine's start_ready. */
static void start_ready(struct world *world)
{
    enum pacer_wait why;
    int64_t now_ms = world->now_ns / MS;

    world->wake_ns = INT64_MAX;
    (void)scheduler_due(&world->scheduler, now_ms);
    world->scheduler.probes = breaker_is_open(&world->pacer.breaker);
    while (scheduler_can_start(&world->scheduler) &&
           (world->met || world->scheduler.in_flight == 0)) {
        int64_t next_ns = world->oracle.every_s > 0
                              ? oracle_next_ns(world)
                              : pacer_next_ns(&world->pacer, world->now_ns, &why);
        if (next_ns != 0) {
            world->wake_ns = next_ns;
            return;
        }
        struct row *row = (struct row *)scheduler_next(&world->scheduler);
        bool is_retry = row->so_far.tries > 0;
        bool must_pay = is_retry && scheduler_has_fresh(&world->scheduler);
        int64_t again_ms = must_pay ? budget_next_ms(&world->budget, now_ms) : 0;
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
    uint64_t rows = world->scene->rows > 0 ? world->scene->rows : UINT64_MAX;

    while (world->devices < rows &&
           scheduler_has_room(&world->scheduler, world->scene->concurrency)) {
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

/* As the engine's end_attempt. */
static void finish(struct world *world, struct row *row)
{
    const struct outcome *outcome = &world->outcomes[row->passed];
    const bool tells = world->scene->refusal == BY_429_RETRY_AFTER && !row->passed;
    const struct retry_attempt attempt = {.outcome = outcome,
                                          .idempotent = true,
                                          .all_refused =
                                              pacer_refuses_all(&world->pacer, &row->paced),
                                          .has_retry_after = tells,
                                          .retry_after_ms = tells ? 1000 : -1};
    struct retry_decision decision;
    struct pacer_news news;

    retry_decide(&world->retry, &attempt, &row->so_far, &decision);
    const struct pacer_attempt end = {.outcome = outcome,
                                      .ticket = row->ticket,
                                      .number = row->number,
                                      .row = &row->paced,
                                      .started_ns = row->started_ns,
                                      .host_wait_ms = decision.host_wait_ms};
    if (row->passed)
        budget_return(&world->budget);
    world->met = true;
    if (world->oracle.every_s > 0)
        oracle_hear(world, row);
    pacer_end(&world->pacer, &end, world->now_ns, &news);
    if (decision.again) {
        scheduler_retry(&world->scheduler, &row->task, world->now_ns / MS + decision.delay_ms);
        return;
    }
    world->given_up += !row->passed;
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
        if (row->passed) {
            world->settled += world->now_ns >= SETTLED * SECOND;
            world->passed_ns = world->now_ns;
        }
        if (!row->passed && world->refused_ns == 0)
            world->refused_ns = world->now_ns;

        finish(world, row);
        return;
    }
    row->arrived = true;
    row->passed = takes(world, row->task.device, world->now_ns);
    world->came[world->now_ns * SLOTS / SECOND]++;
    world->kept_out[world->now_ns * SLOTS / SECOND] += !row->passed;
    world->passed += row->passed;
    world->refused += !row->passed;
    int64_t service = row->passed ? service_ns(world->scene) : 0;
    heap_push(&world->events, &row->event, world->now_ns + service + half_trip(world));
}

/* When a timer of whole milliseconds that is set for this goes off: late. */
static int64_t timer_ns(struct world *world, int64_t at_ns)
{
    return (at_ns + MS - 1) / MS * MS + (int64_t)(unit(world) * 1e6);
}

static void run_world(struct world *world)
{
    int64_t set_for_ns = INT64_MAX, timer = INT64_MAX;

    while (world->now_ns < length_of(world->scene) * SECOND) {
        read_ahead(world);
        if (scheduler_is_idle(&world->scheduler))
            return;
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
    double trip_s = ((double)scene->rtt_ms + 0.5) / 1000 + START_NS / 1e9;
    double most = (double)scene->concurrency / trip_s, sum = 0;

    for (int second = SETTLED; second < length_of(scene); second++) {
        double limit = limit_at(scene, second * SECOND);
        double value = scene->limit == 0 || limit > most ? most : limit;
        if (scene->rate > 0 && value > (double)scene->rate)
            value = (double)scene->rate;
        sum += value;
    }
    return sum;
}

/*
 * For how long at a stretch far too much came, in seconds, from a round trip after the first
 * refusal on, and from two after a limit has fallen. In round trips that are shorter than a few
 * rows take, it is as long as these take: nothing can be known sooner. What a burst lets through is
 * not too much.
 */
static double longest_excess(const struct world *world)
{
    const struct scene *scene = world->scene;
    const int64_t slot_ns = SECOND / SLOTS, rows_ns = (int64_t)(25e9 / (scene->limit + 1)),
                  fall_ns = CHANGE_S * SECOND, trip_ns = scene->rtt_ms * MS;
    size_t count = 0, longest = 0;

    if (scene->limit == 0 || scene->noise > 0 || world->refused_ns == 0)
        return 0;
    for (int64_t slot = 0; slot < length_of(scene) * SLOTS; slot++) {
        int64_t from_ns = slot * slot_ns;
        bool is_new = scene->change != STEADY && from_ns > fall_ns - slot_ns &&
                      from_ns < fall_ns + 2 * trip_ns + rows_ns;
        bool is_much = from_ns >= world->refused_ns + trip_ns + rows_ns && !is_new &&
                       world->kept_out[slot] > 0 &&
                       world->came[slot] > 2 * limit_at(scene, from_ns) / SLOTS + 2;
        count = is_much ? count + 1 : 0;
        longest = count > longest ? count : longest;
    }
    double slack_s = (double)scene->rtt_ms / 1000 + 1.0 / SLOTS, excess_s = (double)longest / SLOTS;
    return excess_s > slack_s ? excess_s : 0;
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

static struct result play_by(double every_s, const struct scene *scene, uint64_t seed)
{
    const struct retry_policy policy = {.max_attempts = 5, .base_ms = 200, .cap_ms = 30000};
    const struct pacer_options options = {.rate_count = scene->rate,
                                          .rate_per_ms = 1000,
                                          .rate_is_asked = scene->rate > 0,
                                          .burst = 1,
                                          .adaptive = every_s == 0,
                                          .concurrency = scene->concurrency,
                                          .rows = scene->rows};

    world = (struct world){.scene = scene, .prng = {seed}, .tokens = scene->burst};
    if (scene->kind == CLOCK_SECOND)
        world.tokens = scene->limit;
    judge_answers(&world);
    scheduler_init(&world.scheduler, scene->concurrency);
    pacer_init(&world.pacer, &options, 0);
    budget_init(&world.budget, 0);
    retry_init(&world.retry, &policy, seed + 1);
    if (every_s > 0)
        oracle_init(&world, every_s);
    run_world(&world);
    free_rows(&world);
    return (struct result){.share = world.settled / allowed_of(scene),
                           .refused = world.refused / (world.passed + world.refused),
                           .found = pace_allowed(&world.pacer.pace),
                           .passed_ns = world.passed_ns,
                           .given_up = world.given_up,
                           .excess_s = longest_excess(&world),
                           .outages = world.pacer.breaker.openings};
}

static struct result play(const struct scene *scene, uint64_t seed)
{
    return play_by(0, scene, seed);
}

static const double limits[] = {20, 100, 300, 2000};
static const double bursts_s[] = {0.02, 0.1, 1}; /* what comes in this time */
static const int64_t rtts_ms[] = {5, 50, 200, 500};

static const size_t places[] = {1, 8, 64, 1024};

enum { CASES = 4 * 3 * 4 * 4 };

/* The cases of a number of places and a change, by limit, burst, round trip and refusal. */
static struct scene scene_of(size_t at, size_t concurrency, enum change change)
{
    double limit = limits[at / 48], burst = limit * bursts_s[at / 16 % 3];

    return (struct scene){.limit = limit,
                          .burst = burst > 1 ? burst : 1,
                          .rtt_ms = rtts_ms[at / 4 % 4],
                          .concurrency = concurrency,
                          .refusal = (enum refusal)(at % 4),
                          .change = change};
}

/* What a case must reach. */
struct bar {
    double share, refused;
    double given_up; /* rows */
};

/*
 * The aim is 95 % of the limit with 1 % refused. Each case of the table is held to it, but for what
 * arithmetic takes away. What is refused in a minute, in requests (`price_of`):
 *
 *   - To find a limit. A bucket does not show until it is empty: one of s seconds' worth is empty
 * at x times the limit, where x - 1 - ln x = g·s (pace_limit.c), and what leaves until the first
 * refusal is back is (x · (e^(g·RTT) - 1) / g - RTT) · limit, or as much as is in flight. With g =
 * 0.6 and RTT = 0.5 s it is 0.9 s of the limit, 1.5 % of a minute. A smaller g does not help: from
 * 30/s to 2000/s in seven seconds g is 0.6. Then the rate comes down by quarters, three at each.
 *   - To know whether it has risen. Only sending more than it lets through tells, which it refuses:
 *     each test costs one at least, and tests are 3, 6, 12 … rows apart, up to 200 rows or eight
 *     seconds. At 20/s these are eleven tests in a minute of 1200 requests: with what it takes to
 *     find the limit, the 1 % of twelve is out of reach; and since a test each five seconds is what
 *     95 % of a limit that doubles takes, so are both aims at once. A bucket of one token, which is
 *     full again after each interval, refuses every other row in flight.
 *   - A limit that falls refuses the difference until the answer is back, and what is in flight
 * when the rate comes down; one that rises is found as at the first.
 *
 * What cannot be sent (`loss_of`), as a part of what was allowed:
 *
 *   - A rise shows at the next test, and then the rate has to double: ln 2 / g, and four steps in
 *     which the test gains speed.
 *   - A bucket of a token or two gives away what comes late, and it is late by up to 1.5 ms (the
 *     tick of a timer, the way); and it passes every other row at a rate that is a hair above, so
 *     that it measures half. At 20/s and RTT = 0.5 s a limit is found in the twelfth second.
 *   - 2000/s at 500 ms is nearly 1024 in flight: the rate gets there in the seventh second.
 */
static double empty_at(double gs)
{
    double low = 1, high = 1e6;

    for (int i = 0; i < 80; i++) {
        double x = (low + high) / 2;
        *(x - 1 - log(x) < gs ? &low : &high) = x;
    }
    return low;
}

static double trip_of(const struct scene *scene)
{
    return (double)scene->rtt_ms / 1000 + 0.0005;
}

static double growth_of(const struct scene *scene)
{
    return 0.3 + 0.15 / trip_of(scene);
}

/* What is refused before the first refusal is back, where the rate grows by `gain`. */
static double overshoot(const struct scene *scene, double limit, double gain, double x)
{
    double trip_s = trip_of(scene);
    double rows = limit * (x * (exp(gain * trip_s) - 1) / gain - trip_s);

    return fmin((double)scene->concurrency, fmax(0, rows));
}

/* At so many times the limit. */
static double found_at(const struct scene *scene)
{
    double start = fmin(fmax(2 / trip_of(scene), 30), 100);

    return fmax(empty_at(growth_of(scene) * scene->burst / scene->limit), start / scene->limit);
}

static double price_of_finding(const struct scene *scene, double most)
{
    double x = found_at(scene), steps = 1 + log(fmin(x, most / scene->limit)) / log(4);

    return 2 + 1.4 * overshoot(scene, scene->limit, growth_of(scene), x) + 3 * fmax(1, steps);
}

static double price_of_tests(const struct scene *scene, double limit, double seconds)
{
    double price = 0, rows = 3, at = rows / limit;
    double in_flight = fmin(16, limit * trip_of(scene));
    double longest = fmax(16, fmin(fmax(200, 3 * limit), 8 * limit));
    bool is_token = scene->burst * limit / scene->limit <= 1;

    while (at <= seconds) {
        price += fmax(1.15, 0.0035 * rows) * (is_token ? 1 + in_flight / 8 : 1);
        rows = fmin(2 * rows, longest);
        at += rows / limit;
    }
    return price;
}

static double price_of_change(const struct scene *scene, double before, double limit, double most)
{
    double trip_s = trip_of(scene), gain = fmin(0.75 * growth_of(scene), 1);

    if (limit < before)
        return 10 + 2 * fmin((double)scene->concurrency, (fmin(before, most) - limit) * trip_s);
    if (most <= before)
        return 0;
    return 4 + (most > limit
                    ? overshoot(scene, limit, gain, empty_at(gain * scene->burst / scene->limit))
                    : 0);
}

/* Of the minute, by the twenty seconds that a limit lasts. */
static double price_of(const struct scene *scene, double *ret_rows)
{
    double most = (double)scene->concurrency / trip_of(scene), before = 0, price = 0, since = 0;

    *ret_rows = 0;
    for (int64_t second = 0; second <= LENGTH; second += CHANGE_S) {
        double limit = second < LENGTH ? limit_at(scene, second * SECOND) : 0;
        if (limit != before && before > 0 && most > before)
            price += price_of_tests(scene, before, (double)second - since);
        if (limit != before)
            since = (double)second;
        *ret_rows += CHANGE_S * fmin(limit, most);
        if (limit != before && limit > 0 && before > 0 && most > limit / 2)
            price += price_of_change(scene, before, limit, most);
        before = limit;
    }
    return price + (most > scene->limit ? price_of_finding(scene, most) : 0);
}

static double loss_of(const struct scene *scene)
{
    double trip_s = trip_of(scene), loss = 0;
    double most = (double)scene->concurrency / trip_s;

    for (int64_t second = CHANGE_S; second < LENGTH; second += CHANGE_S) {
        double before = limit_at(scene, (second - 1) * SECOND),
               now = limit_at(scene, second * SECOND);
        double step_s = fmax(fmax(0.25, 2 * trip_s), 15 / before);
        double wait_s =
            fmin(fmax(200 / before, 3), 8) + 4 * step_s + log(2) / fmin(0.75 * growth_of(scene), 1);
        if (now > before && most > before)
            loss += fmin(wait_s, LENGTH - (double)second) * (fmin(now, most) - before);
    }
    loss /= allowed_of(scene);
    if (fmin(scene->burst, scene->burst * limit_at(scene, CHANGE_S * SECOND) / scene->limit) <= 2)
        loss += scene->limit <= 20 || trip_s > 0.4 ? 0.19 : 0.1;
    if (scene->limit <= 20 && trip_s > 0.4)
        loss += 0.1;
    if (scene->limit >= 2000 && trip_s > 0.4)
        loss += 0.08;
    return loss;
}

/* What is refused is a matter of chance, too. */
#define CHANCE 1.35

static struct bar bar_of(const struct scene *scene)
{
    double rows, price = price_of(scene, &rows);

    return (struct bar){.share = fmin(0.95, 0.98 - loss_of(scene)),
                        .refused = fmax(0.01, CHANCE * price / rows)};
}

static const char *const kind_names[KINDS] = {"bucket", "sliding", "clock", "at once"};
static const char *const change_names[CHANGES] = {"steady", "halved", "doubled",
                                                  "halved for a while"};

static void expect(const struct scene *scene, const struct result *result, const struct bar *bar)
{
    bool good = result->share >= bar->share && result->refused <= bar->refused &&
                result->outages == 0 && result->given_up <= bar->given_up &&
                result->excess_s <= (scene->change != STEADY);

    if (!good)
        fail_msg(
            "%s, %.0f/s, burst %.0f, %d ms, %zu at a time, refusal %d, %s: %.2f %% (of %.0f), "
            "%.2f %% refused (of %.2f), found %.1f/s, %.2f s too fast, %d outages, %.0f given up",
            kind_names[scene->kind], scene->limit, scene->burst, (int)scene->rtt_ms,
            scene->concurrency, (int)scene->refusal, change_names[scene->change],
            result->share * 100, bar->share * 100, result->refused * 100, bar->refused * 100,
            result->found, result->excess_s, (int)result->outages, result->given_up);
}

static void try_all(enum change change)
{
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
        for (size_t at = 0; at < CASES; at++) {
            const struct scene scene = scene_of(at, places[i], change);
            const struct bar bar = bar_of(&scene);
            const struct result result = play(&scene, at + 1);
            expect(&scene, &result, &bar);
        }
}

static void test_a_hidden_limit_is_found_and_kept(void **state)
{
    (void)state;
    try_all(STEADY);
}

static void test_a_limit_that_changes_is_followed(void **state)
{
    (void)state;
    for (size_t change = STEADY + 1; change < CHANGES; change++)
        try_all((enum change)change);
}

/* Once an hour, once a minute: a dozen refusals find it, and then all waits are in whole intervals.
 */
static void test_a_slow_limit_is_found_at_the_price_of_some_refusals(void **state)
{
    (void)state;
    static const double slow[] = {0.05, 0.1, 0.5, 1, 2, 5};

    for (size_t i = 0; i < ARRAY_LENGTH(slow); i++)
        for (int64_t rtt_ms = 50; rtt_ms <= 500; rtt_ms *= 10) {
            const struct scene scene = {.limit = slow[i],
                                        .burst = 3,
                                        .rtt_ms = rtt_ms,
                                        .concurrency = 64,
                                        .seconds = LONGEST};
            struct result result = play(&scene, 1);
            if (result.share < (slow[i] < 0.5 ? 0.3 : 0.9) || world.refused > 75)
                fail_msg("%.2f/s, %d ms: %.1f %%, %.0f refused", slow[i], (int)rtt_ms,
                         result.share * 100, world.refused);
        }
}

/* Few rows are sent at once, as they are without a pace. */
static void test_a_short_run_takes_no_longer_than_its_round_trips(void **state)
{
    (void)state;
    static const uint64_t rows[] = {1, 24, 64, 256};

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct scene scene = {.rtt_ms = 50, .concurrency = 64, .rows = rows[i]};
        int64_t trips = 1 + (int64_t)(rows[i] - 1 + 63) / 64; /* the first goes alone */
        assert_true(play(&scene, 1).passed_ns <= trips * 53 * MS);
        assert_true(world.passed == (double)rows[i]);
    }
}

/* They are in flight before the first refusal is back; then the rate is the limit's, and no row
 * runs out of attempts. */
static void test_a_short_run_is_slowed_down_by_its_first_refusals(void **state)
{
    (void)state;
    static const struct scene scenes[] = {
        {.limit = 20, .burst = 20, .rows = 256},
        {.limit = 20, .burst = 1, .rows = 64},
        {.limit = 2, .burst = 3, .rows = 24},
        {.limit = 0.5, .burst = 3, .rows = 20},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(scenes); i++)
        for (int64_t rtt_ms = 5; rtt_ms <= 500; rtt_ms *= 10) {
            struct scene scene = scenes[i];
            scene.rtt_ms = rtt_ms;
            scene.concurrency = 64;
            scene.seconds = LONGEST;
            struct result result = play(&scene, 1);
            double rows = (double)scene.rows, seconds = (double)result.passed_ns / 1e9;
            if (world.passed != rows || seconds > 30 + 2 * rows / scene.limit ||
                world.refused > 100)
                fail_msg("%.1f/s, %d ms: %.0f of %.0f rows in %.1f s, %.0f refused", scene.limit,
                         (int)rtt_ms, world.passed, rows, seconds, world.refused);
        }
}

static void test_the_limit_that_was_found_is_told(void **state)
{
    (void)state;
    for (size_t at = 0; at < CASES; at++) {
        struct scene scene = scene_of(at, 64, STEADY);
        if (scene.rtt_ms != 50 || scene.burst <= 1 || scene.refusal != BY_ERRNO_15)
            continue;
        scene.concurrency = 256;
        double found = play(&scene, 1).found;
        if (found < 0.95 * scene.limit || found > 1.05 * scene.limit)
            fail_msg("%.0f/s, burst %.0f: %.1f", scene.limit, scene.burst, found);
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

/*
 * They cost themselves, and no more, on average; and no run by itself collapses. Of 200 other seeds
 * of each scene (50 where more than 4000 a second are sent) none fell below 64 %, so that with a
 * confidence of 95 % fewer than 1.5 % do (6 % there); the means are 92.9 % and more. What took two
 * refusals by chance among the first rows for a limit fell to 0.3 % in such a run, and to 24 % with
 * 8 at a time. Beside a limit each test of it costs the refusals by which it is told from noise.
 */
static void test_refusals_that_do_not_depend_on_the_rate_cost_only_themselves(void **state)
{
    (void)state;
    enum { SEEDS = 16 };
    static const struct scene scenes[] = {
        {.rtt_ms = 5, .concurrency = 64, .noise = 0.02, .rate = 200},
        {.rtt_ms = 50, .concurrency = 64, .noise = 0.02, .rate = 200},
        {.rtt_ms = 200, .concurrency = 64, .noise = 0.02, .rate = 200},
        {.rtt_ms = 5, .concurrency = 64, .noise = 0.02, .seconds = 20},
        {.rtt_ms = 50, .concurrency = 64, .noise = 0.02},
        {.rtt_ms = 200, .concurrency = 64, .noise = 0.02},
        {.rtt_ms = 500, .concurrency = 64, .noise = 0.02},
        {.rtt_ms = 50, .concurrency = 8, .noise = 0.02},
        {.rtt_ms = 500, .concurrency = 8, .noise = 0.02},
        {.rtt_ms = 50, .concurrency = 1024, .noise = 0.02, .seconds = 20},
        {.rtt_ms = 500, .concurrency = 1024, .noise = 0.02},
        {.rtt_ms = 50, .concurrency = 64, .noise = 0.005},
        {.rtt_ms = 50, .concurrency = 64, .noise = 0.05},
        {.rtt_ms = 200, .concurrency = 8, .noise = 0.05},
        {.rtt_ms = 50, .concurrency = 64, .noise = 0.02, .limit = 300, .burst = 30},
        {.rtt_ms = 50, .concurrency = 64, .noise = 0.05, .limit = 300, .burst = 30},
        {.rtt_ms = 50, .concurrency = 64, .noise = 0.02, .limit = 100, .burst = 10},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(scenes); i++) {
        bool is_limited = scenes[i].limit > 0;
        struct result mean = {0};
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            const struct bar least = {.share = 0.6,
                                      .refused = scenes[i].noise + (is_limited ? 0.07 : 0.02),
                                      .given_up = is_limited || scenes[i].noise > 0.02};
            struct result result = play(&scenes[i], seed);
            expect(&scenes[i], &result, &least);
            mean.share += result.share / SEEDS;
            mean.refused += result.refused / SEEDS;
        }
        const struct bar bar = {.share = 0.9,
                                .refused = scenes[i].noise + (is_limited ? 0.022 : 0.003)};
        expect(&scenes[i], &mean, &bar);
    }
}

/*
 * Platforms count by the second of a clock, or in the last second: what is too much is refused to
 * the end of it, whatever comes. So a window of n rows is known to one or two of them, at 20/s to
 * one in ten; a test costs the rest of a second, and is made each five seconds; a limit that falls
 * costs half of a second and of a round trip, some times over until the windows are even again, and
 * one that rises shows after five to ten seconds of twenty. Without what knows of windows, the pace
 * kept 44 % and 88 % of these on average, and a tenth of some.
 */
static struct bar bar_of_window(const struct scene *scene)
{
    struct bar bar = {.share = 0.84, .refused = 0.045};

    if (scene->change != STEADY)
        bar = (struct bar){.share = 0.7, .refused = 0.075, .given_up = 2};
    if (scene->limit <= 20) {
        bar.share -= 0.06;
        bar.refused += 0.06;
    }
    return bar;
}

static void test_a_limit_that_counts_by_the_second_is_found(void **state)
{
    enum { WINDOWS = CASES / ARRAY_LENGTH(bursts_s) };

    (void)state;
    for (size_t kind = SLIDING_SECOND; kind <= CLOCK_SECOND; kind++)
        for (size_t i = 0; i < WINDOWS * ARRAY_LENGTH(places) * CHANGES; i++) {
            size_t at = i % WINDOWS;
            struct scene scene = scene_of(at / 16 * 48 + at % 16, places[i / WINDOWS % 4],
                                          (enum change)(i / WINDOWS / 4));
            scene.kind = (enum kind)kind;
            const struct bar bar = bar_of_window(&scene);
            const struct result result = play(&scene, i + 1);
            expect(&scene, &result, &bar);
        }
}

/* What the platform took in ten seconds, a second. */
static double taken_from(double from_s)
{
    double sum = 0;

    for (size_t slot = (size_t)from_s * SLOTS; slot < ((size_t)from_s + 10) * SLOTS; slot++)
        sum += world.came[slot] - world.kept_out[slot];
    return sum / 10;
}

/*
 * That everything was refused for a while says nothing of the rate: when it is over, that is back
 * within seconds. A probe is under way at the latest after as long again as it took, and five
 * seconds are for the rate. What took the probes' rate for the platform's limit sent 0.3 rows a
 * second in these.
 */
static void test_an_outage_that_refuses_everything_says_nothing_of_the_rate(void **state)
{
    (void)state;
    static const struct scene scenes[] = {
        {.rate = 200, .outages = {{1, 6}}},
        {.rate = 50, .outages = {{1, 6}}},
        {.outages = {{1, 6}}},
        {.outages = {{1, 4}}},
        {.outages = {{0, 5}}},
        {.outages = {{0.2, 5}}}, /* while the rate goes up */
        {.outages = {{10, 14}, {20, 25}}},
        {.limit = 300, .burst = 30, .outages = {{10, 15}}},
        {.limit = 300, .burst = 30, .rate = 200, .outages = {{10, 15}}},
        {.limit = 20, .burst = 20, .outages = {{10, 15}}},
        {.limit = 20, .burst = 20, .outages = {{14, 18}, {34, 39}}},
        {.limit = 300, .burst = 30, .change = HALVED, .outages = {{18, 24}}},
        {.limit = 300, .kind = SLIDING_SECOND, .outages = {{10, 15}}},
        {.limit = 300, .kind = CLOCK_SECOND, .outages = {{10, 15}}},
        {.noise = 0.02, .outages = {{10, 15}}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(scenes); i++)
        for (size_t at = 0; at < 4 * REFUSALS * 2; at++) {
            struct scene scene = scenes[i];
            const struct refusing *last = &scene.outages[scene.outages[1].to_s > 0];
            scene.rtt_ms = rtts_ms[at % 4];
            scene.refusal = (enum refusal)(at / 4 % REFUSALS);
            scene.concurrency = at / 4 / REFUSALS > 0 ? 64 : 8;
            scene.seconds = LENGTH + 10;
            (void)play(&scene, at + 1);
            double from_s = 2 * last->to_s - last->from_s + 5, taken = taken_from(from_s);
            double most = (double)scene.concurrency / trip_of(&scene);
            double rate = scene.rate > 0 ? fmin(most, (double)scene.rate) : most;
            double limit = limit_at(&scene, (int64_t)from_s * SECOND);
            rate = limit > 0 ? fmin(rate, limit) : rate;
            if (taken < 0.6 * rate)
                fail_msg("%zu: %.0f/s, %d ms, %zu at a time, refusal %d: %.1f/s of %.1f", i,
                         scene.limit, (int)scene.rtt_ms, scene.concurrency, (int)scene.refusal,
                         taken, rate);
        }
}

/* They end after their attempts, and are no outage where they are all that is left. */
static void test_devices_that_are_always_refused_are_no_outage(void **state)
{
    (void)state;
    static const struct scene scenes[] = {
        {.rows = 2000, .stubborn = 100},
        {.rows = 2000, .stubborn = 20},
        {.rows = 2000, .stubborn = 10},
        {.rows = 40, .stubborn = 11},
        {.rows = 2000, .stubborn = 50, .rate = 50},
        {.rows = 2000, .stubborn = 1000},
        {.rows = 4000, .stubborn = 50, .limit = 300, .burst = 30},
        {.rows = 4000, .stubborn = 5},
        {.rows = 4000, .stubborn = 4, .rate = 200},
        {.rows = 4000, .stubborn = 10},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(scenes); i++)
        for (size_t at = 0; at < 3 * REFUSALS * 2; at++) {
            struct scene scene = scenes[i];
            scene.rtt_ms = rtts_ms[at % 3];
            scene.refusal = (enum refusal)(at / 3 % REFUSALS);
            scene.concurrency = at / 3 / REFUSALS > 0 ? 64 : 8;
            scene.seconds = LONGEST;
            struct result result = play(&scene, at + 1);
            double stubborn = (double)(scene.rows / scene.stubborn);
            if (result.outages > 0 || result.given_up != stubborn ||
                world.passed != (double)scene.rows - stubborn || world.now_ns > 300 * SECOND)
                fail_msg("%zu: %d ms, %zu at a time, refusal %d: %.0f passed, %.0f given up, "
                         "%d outages, %.0f s",
                         i, (int)scene.rtt_ms, scene.concurrency, (int)scene.refusal, world.passed,
                         result.given_up, (int)result.outages, (double)world.now_ns / 1e9);
        }
}

/* The negative control: what else refuses the last rows again and again is one, and none of them
 * is given up, though there are devices that are always refused. */
static void test_an_outage_at_the_end_of_a_run_gives_up_no_row(void **state)
{
    (void)state;
    for (size_t at = 0; at < 3 * REFUSALS * 2; at++) {
        struct scene scene = {.rows = 1000, .rate = 200, .outages = {{4, 100}}};
        scene.stubborn = at % 2 * 100;
        scene.rtt_ms = rtts_ms[at % 3];
        scene.refusal = (enum refusal)(at / 3 % REFUSALS);
        scene.concurrency = at / 3 / REFUSALS > 0 ? 64 : 8;
        scene.seconds = LONGEST;
        struct result result = play(&scene, at + 1);
        double stubborn = scene.stubborn > 0 ? (double)(scene.rows / scene.stubborn) : 0;
        if (result.outages == 0 || result.given_up != stubborn)
            fail_msg("%d ms, %zu at a time, refusal %d: %.0f given up, %d outages",
                     (int)scene.rtt_ms, scene.concurrency, (int)scene.refusal, result.given_up,
                     (int)result.outages);
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
        const struct bar bar = {.share = 0.95, .refused = 0.02};
        struct result result = play(&scene, 1);
        expect(&scene, &result, &bar);
    }
}

/* ---- The whole table ---- */

struct totals {
    size_t cases, shares, refusals, excesses;
};

static void print_case(const struct scene *scene, struct totals *totals)
{
    const struct result result = play(scene, (uint64_t)scene->rtt_ms + scene->refusal);

    totals->cases++;
    totals->shares += result.share >= 0.95;
    totals->refusals += result.refused <= 0.01;
    totals->excesses += result.excess_s == 0;
    printf("  %5.1f %5.2f%s%s", result.share * 100, result.refused * 100,
           result.excess_s > 0 ? "!" : " ", result.outages > 0 || result.given_up > 0 ? "x" : " ");
}

static void print_cases(size_t concurrency, enum change change, struct totals *totals)
{
    printf("\n%s, %zu at a time\n limit  burst    trip   errno 15       errno 7        429      "
           "      429, Retry-After\n",
           change_names[change], concurrency);
    for (size_t at = 0; at < CASES; at++) {
        const struct scene scene = scene_of(at, concurrency, change);
        if (scene.refusal == BY_ERRNO_15)
            printf("%4.0f/s  %5.0f  %3d ms", scene.limit, scene.burst, (int)scene.rtt_ms);
        print_case(&scene, totals);
        if (scene.refusal == REFUSALS - 1)
            printf("\n");
    }
}

/* Per case the share of what was allowed and the share that was refused, in per cent; ! where more
 * than twice as much was sent after the first refusal, x where rows were given up or an outage was
 * seen. */
static void print_table(void)
{
    struct totals all = {0};

    for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
        for (size_t change = STEADY; change < CHANGES; change++) {
            struct totals totals = {0};
            print_cases(places[i], (enum change)change, &totals);
            printf("of %zu: %zu reach 95 %%, %zu have 1 %% refused, %zu never too much\n",
                   totals.cases, totals.shares, totals.refusals, totals.excesses);
            all.cases += totals.cases;
            all.shares += totals.shares;
            all.refusals += totals.refusals;
            all.excesses += totals.excesses;
        }
    printf("\nall %zu: %zu reach 95 %%, %zu have 1 %% refused, %zu never too much\n", all.cases,
           all.shares, all.refusals, all.excesses);
}

/* ---- The bound ---- */

static const double probes_s[] = {2, 3, 3.5, 4, 5, 6, 8};

/* The oracle that has found the limit as the pace does: one refusal tells, and what left until it
 * came is refused as well. */
static struct result play_oracle(double every_s, const struct scene *scene, uint64_t seed)
{
    struct result result = play_by(every_s, scene, seed);
    double over = overshoot(scene, scene->limit, growth_of(scene), found_at(scene));

    if ((double)scene->concurrency / trip_of(scene) > scene->limit)
        result.refused += (1 + over) / (world.passed + world.refused);
    return result;
}

static bool reaches_both(const struct result *result)
{
    return result->share >= 0.95 && result->refused <= 0.01 && result->given_up == 0;
}

/* The cases of a limit: what the oracle reaches that probes each so many seconds, and the pace. */
static size_t count_possible(double limit, double every_s, size_t *ret_missed, size_t *ret_beyond)
{
    size_t possible = 0;

    *ret_missed = *ret_beyond = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(places) * CHANGES * CASES; i++) {
        const struct scene scene =
            scene_of(i % CASES, places[i / CASES / CHANGES], (enum change)(i / CASES % CHANGES));
        if (scene.limit != limit)
            continue;
        uint64_t seed = (uint64_t)scene.rtt_ms + scene.refusal;
        const struct result oracle = play_oracle(every_s, &scene, seed);
        const struct result ours = play(&scene, seed);
        possible += reaches_both(&oracle);
        *ret_missed += reaches_both(&oracle) && !reaches_both(&ours);
        *ret_beyond += !reaches_both(&oracle) && reaches_both(&ours);
    }
    return possible;
}

/* Of each limit, with the time between two probes by which the oracle reaches the most. */
static void print_bound(void)
{
    size_t all_possible = 0, all_missed = 0, all_beyond = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(limits); i++) {
        size_t best = 0, best_missed = 0, best_beyond = 0, missed, beyond;
        double every_s = 0;
        for (size_t probe = 0; probe < ARRAY_LENGTH(probes_s); probe++) {
            size_t possible = count_possible(limits[i], probes_s[probe], &missed, &beyond);
            if (possible <= best)
                continue;
            best = possible;
            best_missed = missed;
            best_beyond = beyond;
            every_s = probes_s[probe];
        }
        printf("%4.0f/s: %zu of 768 are possible (a probe each %.1f s), %zu of them missed; %zu "
               "others reached\n",
               limits[i], best, every_s, best_missed, best_beyond);
        all_possible += best;
        all_missed += best_missed;
        all_beyond += best_beyond;
    }
    printf("all 3072: %zu possible, %zu missed; %zu others reached\n", all_possible, all_missed,
           all_beyond);
}

/* ---- Cases that are drawn ---- */

enum { SURVEYED = 400 };

static double draw(struct prng *prng, double low, double high)
{
    double part = (double)(prng_next(prng) >> 11) / 9007199254740992.0;

    return low * pow(high / low, part);
}

static struct scene draw_scene(struct prng *prng, enum kind kind, enum change change)
{
    struct scene scene = {.kind = kind, .change = change, .limit = draw(prng, 15, 3000)};

    scene.burst = fmax(1, scene.limit * draw(prng, 0.02, 1));
    scene.rtt_ms = (int64_t)draw(prng, 4, 500);
    scene.concurrency = (size_t)draw(prng, 8, 1024);
    scene.refusal = (enum refusal)(prng_next(prng) % REFUSALS);
    if (kind == AT_ONCE) { /* a whole number of places, two at least */
        double count = scene.limit * (double)scene.rtt_ms / 2000;
        scene.limit = fmax(2, floor(count)) * 2000 / (double)scene.rtt_ms;
    }
    return scene;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void survey(enum kind kind, enum change change, uint64_t seed)
{
    double shares[SURVEYED], refusals[SURVEYED], share = 0, refused = 0;
    int good = 0, few = 0, bad = 0;

    for (uint64_t i = 0; i < SURVEYED; i++) {
        struct prng prng = {seed * 1000 + i};
        (void)prng_next(&prng);
        const struct scene scene = draw_scene(&prng, kind, change);
        const struct result result = play(&scene, seed + i);
        shares[i] = result.share * 100;
        refusals[i] = result.refused * 100;
        share += shares[i] / SURVEYED;
        refused += refusals[i] / SURVEYED;
        good += result.share >= 0.95;
        few += result.refused <= 0.01;
        bad += result.excess_s > 0 || result.outages > 0 || result.given_up > 0;
    }
    qsort(shares, SURVEYED, sizeof(double), by_value);
    qsort(refusals, SURVEYED, sizeof(double), by_value);
    printf("%-8s %-19s %6.1f %6.1f %6.1f  %6.2f %6.2f %6.2f  %4d %4d %3d\n", kind_names[kind],
           change_names[change], share, shares[SURVEYED / 20], shares[0], refused,
           refusals[SURVEYED - SURVEYED / 20], refusals[SURVEYED - 1], good, few, bad);
}

/* Of each kind of limit and each change: share and refusals in per cent, the mean, what one in
 * twenty is worse than, and the worst; how many reach 95 %, have 1 % refused, and were much too
 * fast or lost rows. */
static void print_survey(uint64_t seed)
{
    printf(
        "limit    change               share    5 %%  least refused   5 %%   most  good  few bad "
        "of %d\n",
        SURVEYED);
    for (size_t kind = 0; kind < KINDS; kind++)
        for (size_t change = 0; change < CHANGES; change++)
            survey((enum kind)kind, (enum change)change, seed);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "survey") == 0) {
        print_survey(argc > 2 ? strtoull(argv[2], NULL, 10) : 1);
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "bound") == 0) {
        print_bound();
        return 0;
    }
    if (argc > 1) {
        print_table();
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_hidden_limit_is_found_and_kept),
        cmocka_unit_test(test_a_limit_that_changes_is_followed),
        cmocka_unit_test(test_a_slow_limit_is_found_at_the_price_of_some_refusals),
        cmocka_unit_test(test_a_short_run_takes_no_longer_than_its_round_trips),
        cmocka_unit_test(test_a_short_run_is_slowed_down_by_its_first_refusals),
        cmocka_unit_test(test_the_limit_that_was_found_is_told),
        cmocka_unit_test(test_without_a_limit_the_concurrency_is_used),
        cmocka_unit_test(test_refusals_that_do_not_depend_on_the_rate_cost_only_themselves),
        cmocka_unit_test(test_a_limit_that_counts_by_the_second_is_found),
        cmocka_unit_test(test_an_outage_that_refuses_everything_says_nothing_of_the_rate),
        cmocka_unit_test(test_devices_that_are_always_refused_are_no_outage),
        cmocka_unit_test(test_an_outage_at_the_end_of_a_run_gives_up_no_row),
        cmocka_unit_test(test_an_asked_rate_above_the_limit_is_lowered_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
