#include "sim_world.h"

#include <stdarg.h>
#include <stdlib.h>

const char *const break_names[BREAK_COUNT] = {
#define X(name, text) [BREAK_##name] = (text),
    BREAK_MAP(X)
#undef X
};

enum { WILD_LIVES_MAX = 6 };

static const int64_t wall_start_ms = INT64_C(1800000000000);

static const struct sim_world *current;

bool sim_is_broken(enum sim_break broken)
{
    return current != NULL && current->settings->broken == broken;
}

int64_t sim_wall_ms(const struct sim_world *world)
{
    return wall_start_ms + world->now_ns / 1000000 + world->wall_off_ms;
}

void sim_trace(struct sim_world *world, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    int len = snprintf(text, sizeof(text), "%14.6f ", (double)world->now_ns / 1e9);

    va_start(args, format);
    int more = vsnprintf(text + len, sizeof(text) - (size_t)len, format, args);
    va_end(args);
    size_t size = (size_t)len + (more > 0 ? (size_t)more : 0);
    (void)XXH3_64bits_update(world->hash, text, size < sizeof(text) ? size : sizeof(text) - 1);
    if (world->settings->trace != NULL)
        (void)fprintf(world->settings->trace, "%s\n", text);
}

void sim_blame(struct sim_world *world, const char *what)
{
    if (world->violation == NULL)
        world->violation = what;
}

void sim_violate(struct sim_world *world, const char *what, uint64_t row)
{
    static char kept[TEXT_MAX]; /* what is said may be the process's */

    if (world->violation != NULL)
        return;
    (void)snprintf(kept, sizeof(kept), "%s", what);
    world->violation = kept;
    world->violation_row = row;
    sim_trace(world, "VIOLATION: row %llu: %s", (unsigned long long)row, kept);
}

static void draw_rules(struct plan *plan, struct prng *dice)
{
    static const char *const rules[] = {"failed=20%,min=10", "rejected=5", "in_doubt=3",
                                        "errno:17=10%,min=20"};

    if (dice_chance(dice, 150))
        (void)snprintf(plan->halt_rules, sizeof(plan->halt_rules), "%s",
                       rules[prng_up_to(dice, ARRAY_LENGTH(rules) - 1)]);
    if (!dice_chance(dice, 150))
        return;
    plan->canary = (struct canary){.state = CANARY_SENDING,
                                   .rows = (uint64_t)dice_skewed(dice, 1, 20),
                                   .accept = 50,
                                   .pause_ms = dice_skewed(dice, 0, 30000)};
}

static void draw_pace(struct plan *plan, struct prng *dice)
{
    plan->pacer = (struct pacer_options){.burst = 1,
                                         .adaptive = dice_chance(dice, 700),
                                         .concurrency = plan->concurrency};
    if (!dice_chance(dice, 200))
        return;
    plan->pacer.rate_count = dice_skewed(dice, 1, 500);
    plan->pacer.rate_per_ms = 1000;
    plan->pacer.burst = dice_skewed(dice, 1, 20);
    plan->pacer.rate_is_asked = true;
}

void plan_draw(struct sim_world *world, struct plan *plan, bool is_calm)
{
    struct prng *dice = &world->dice;

    *plan = (struct plan){.concurrency = (size_t)dice_skewed(dice, 1, CONCURRENCY_MAX),
                          .canary.state = CANARY_OVER,
                          .outage_wait_ms = dice_skewed(dice, 10000, 600000),
                          .sync_ms = dice_chance(dice, 100) ? 5000 : 20,
                          .can_renew = is_calm || dice_chance(dice, 700),
                          .is_calm = is_calm};
    plan->retry =
        (struct retry_policy){.on_ambiguous = world->policy,
                              .max_attempts = (uint32_t)dice_skewed(dice, 1, 10),
                              .base_ms = dice_skewed(dice, 0, dice_chance(dice, 500) ? 1000 : 10),
                              .cap_ms = 30000};
    plan->wish.orphan_idempotent =
        world->policy == ON_AMBIGUOUS_BY_ACTION || world->policy == ON_AMBIGUOUS_RESEND;
    plan->is_prompt = world->platform.history != HISTORY_LATE && dice_chance(dice, 700);
    plan->wish.orphan_other = world->policy == ON_AMBIGUOUS_RESEND;
    plan->wish.status[ROW_FAILED] = dice_chance(dice, 300);
    plan->wish.status[ROW_REJECTED] = dice_chance(dice, 200);
    draw_pace(plan, dice);
    plan->sorts = dice_chance(dice, 300);
    plan->dies_at_last = !is_calm && dice_chance(dice, 200);
    if (!is_calm)
        draw_rules(plan, dice);
}

static void number_devices(struct sim_world *world)
{
    const struct fake_input *input = &world->input;

    for (size_t i = 0; i < input->row_count; i++) {
        size_t first = 0;
        while (strcmp(input->contents[input->rows[first].content].imei,
                      input->contents[input->rows[i].content].imei) != 0)
            first++;
        world->rows[i + 1].device = (uint32_t)first;
    }
}

static void open_world(struct sim_world *world, uint64_t seed, const struct sim_settings *settings,
                       struct sim_stats *stats)
{
    *world = (struct sim_world){.seed = seed,
                                .doubts_max = -1,
                                .settings = settings,
                                .stats = stats,
                                .dice = {seed},
                                .hash = NULL};
    world->hash = XXH3_createState();
    if (world->hash == NULL)
        abort();
    (void)XXH3_64bits_reset(world->hash);
    current = world;
    (void)prng_next(&world->dice);
    world->policy = (enum on_ambiguous)prng_up_to(&world->dice, ON_AMBIGUOUS_VERIFY);
    fake_input_draw(&world->input, &world->dice);
    number_devices(world);
    fake_platform_init(&world->platform, &world->dice, world->input.contents,
                       world->input.content_count, stats->replies);
    world->platform.is_uneven = settings->broken == BREAK_CONTROL;
    world->lost_before = stats->disk.lost_sectors;
    world->dropped_before = stats->disk.dropped_sectors;
    world->disk_ms = sim_wall_ms(world);
    fake_disk_start(&world->dice, &world->disk_ms, &stats->disk);
    fake_disk_set_lying(settings->broken == BREAK_SYNC);
}

static void close_world(struct sim_world *world)
{
    world->trace_hash = XXH3_64bits_digest(world->hash);
    (void)XXH3_freeState(world->hash);
    world->hash = NULL;
    fake_disk_stop();
    fake_platform_deinit(&world->platform);
    fake_input_close(&world->input);
    current = NULL;
}

/*
 * A snapshot says how many attempts of a row had ended when it was taken. Where the live record is
 * lost, those that came later are not known: that the row is in doubt is, and that it may have been
 * processed once more. A limit of the record, which is allowed for here, and no more than that.
 */
static void note_uncounted(struct sim_world *world)
{
    for (size_t i = 1; i <= world->input.row_count; i++)
        if (world->rows[i].attempts > 1)
            world->unrecovered[i] += world->rows[i].attempts - 1;
    world->is_live_lost = world->is_live_lost || world->process.death != DEATH_OF_PROCESS ||
                          world->stats->disk.lost_sectors != world->lost_before;
}

/* What happens between two processes: time goes by, clocks are set, machines are started. */
static void pass_time(struct sim_world *world, enum life_end end)
{
    struct prng *dice = &world->dice;
    enum fake_death death = world->process.death;

    if (fake_disk_is_dead())
        world->stats->deaths[death]++;
    sim_trace(world, "life ended: %d, death %d", (int)end, (int)death);
    check_left(world);
    note_uncounted(world);
    fake_disk_restart(death, dice_chance(dice, 300));
    world->now_ns += dice_skewed(dice, 0, 3600) * 1000000000;
    if (dice_chance(dice, 150))
        world->wall_off_ms += dice_between(dice, -7200, 7200) * 1000;
    if (world->input_is_changed) {
        fake_input_restore(&world->input);
        world->input_is_changed = false;
    }
}

static void count_results(struct sim_world *world)
{
    struct sim_stats *stats = world->stats;

    stats->rows += world->input.row_count;
    for (size_t i = 1; i <= world->input.row_count; i++) {
        if (world->results.of_row[i] != NULL)
            stats->results[world->results.of_row[i]->status]++;
        stats->twice += fake_platform_count(&world->platform, i) > 1;
    }
}

/* One process after another, until the job is done; at last nothing goes wrong any more. */
static void run_job(struct sim_world *world)
{
    uint64_t wild = prng_up_to(&world->dice, WILD_LIVES_MAX);

    for (uint64_t i = 0; i <= wild && world->violation == NULL; i++) {
        bool is_calm = i == wild;
        if (is_calm)
            fake_platform_calm(&world->platform);
        else
            fake_platform_draw(&world->platform, world->now_ns / 1000000);
        world->stats->lives++;
        enum life_end end = process_live(world, is_calm);
        world->stats->lives_by_end[end]++;
        if (end == LIFE_COMPLETE || end == LIFE_REFUSED)
            break;
        if (world->violation == NULL && is_calm)
            sim_violate(world, "an undisturbed run does not complete the job", 0);
        pass_time(world, end);
    }
}

void sim_run(struct sim_world *world, uint64_t seed, const struct sim_settings *settings,
             struct sim_stats *stats)
{
    open_world(world, seed, settings, stats);
    stats->seeds++;
    run_job(world);
    count_results(world);
    close_world(world);
}
