/*
 * The simulation of the engine on its record and its policies, seed by seed.
 *
 *     engine_sim                          as many seeds as a test run has
 *     engine_sim --seeds 1..100000        these
 *     engine_sim --seed 17 --trace        what happens in one of them
 *     engine_sim --stats                  … how often each thing has happened, too
 *     engine_sim --twice                  … each seed twice, which must be the same
 *     engine_sim --break sync             a guard is switched off: 0 when a seed notices
 *
 * A seed in which a promise is broken is told with the command that plays it again. Exit status: 0
 * none was found, 1 some was, 2 usage, 3 a thing that is to happen never did (--stats).
 */
#include <stdlib.h>

#include "sim_world.h"

enum { SEEDS = 2000, TOLD_MAX = 10 };

struct arguments {
    uint64_t from, to;
    bool is_traced, has_stats, is_twice;
    struct sim_settings settings;
};

static const char *const call_names[FAKE_CALL_COUNT] = {
    [FAKE_OPEN] = "open",      [FAKE_APPEND] = "append",     [FAKE_WRITE_AT] = "write_at",
    [FAKE_READ] = "read_at",   [FAKE_SYNC] = "sync",         [FAKE_TRUNCATE] = "truncate",
    [FAKE_NAME] = "rename, …", [FAKE_ALLOCATE] = "allocate", [FAKE_MAP] = "map",
};

static const char *const death_names[DEATH_COUNT] = {
    [DEATH_OF_PROCESS] = "process",
    [DEATH_OF_CONTAINER] = "container",
    [DEATH_OF_MACHINE] = "machine",
    [DEATH_OF_ATTACHMENT] = "attachment",
};

static const char *const effect_names[EFFECT_END + 1] = {
    [EFFECT_TURN] = "TURN",
    [EFFECT_ARM] = "ARM",
    [EFFECT_READ] = "READ",
    [EFFECT_LOOK] = "LOOK",
    [EFFECT_ADMIT] = "ADMIT",
    [EFFECT_MARK] = "MARK",
    [EFFECT_UNMARK] = "UNMARK",
    [EFFECT_DROP] = "DROP",
    [EFFECT_RECORD] = "RECORD",
    [EFFECT_RECORD_INVALID] = "RECORD_INVALID",
    [EFFECT_RECORD_EXPIRED] = "RECORD_EXPIRED",
    [EFFECT_FLUSH] = "FLUSH",
    [EFFECT_SYNC] = "SYNC",
    [EFFECT_SEND] = "SEND",
    [EFFECT_DISTRUST] = "DISTRUST",
    [EFFECT_ABORT] = "ABORT",
    [EFFECT_RENEW] = "RENEW",
    [EFFECT_TELL] = "TELL",
    [EFFECT_TELL_ATTEMPT] = "TELL_ATTEMPT",
    [EFFECT_END] = "END",
};

static const char *const end_names[JOB_SHORTAGE + 1] = {
    [JOB_COMPLETE] = "complete", [JOB_FAILED] = "failed",     [JOB_HALTED] = "halted",
    [JOB_OUTAGE] = "outage",     [JOB_REFUSED] = "refused",   [JOB_INTERRUPTED] = "interrupted",
    [JOB_CHANGED] = "changed",   [JOB_UNREADABLE] = NULL, /* a file is read to its end */
    [JOB_CANARY] = "canary",     [JOB_SHORTAGE] = "shortage",
};

static const char *const told_names[JOB_EVENT_STOPPED + 1] = {
    [JOB_EVENT_TICK] = "tick",
    [JOB_EVENT_STATUS] = "status",
    [JOB_EVENT_PAUSED] = "paused",
    [JOB_EVENT_RESUMED] = "resumed",
    [JOB_EVENT_SLOWER] = "slower",
    [JOB_EVENT_RECOVERED] = "recovered",
    [JOB_EVENT_OUTAGE] = "outage",
    [JOB_EVENT_OUTAGE_OVER] = "outage over",
    [JOB_EVENT_CANARY_PAUSE] = "canary pause",
    [JOB_EVENT_CANARY] = "canary over",
    [JOB_EVENT_VALID_NOW] = "valid now",
    [JOB_EVENT_KEY] = "key",
    [JOB_EVENT_CLOCK] = "clock",
    [JOB_EVENT_SHORTAGE] = "shortage",
    [JOB_EVENT_DRAINING] = "draining",
    [JOB_EVENT_ABORTING] = "aborting",
    [JOB_EVENT_STOPPED] = "stopped",
};

static const char *const signal_names[] = {
    [ENGINE_SIGNAL_STOP] = "stop",
    [ENGINE_SIGNAL_LEAVE] = "leave",
    [ENGINE_SIGNAL_STATUS] = "status",
    [ENGINE_SIGNAL_PAUSE] = "pause",
};

static const char *const claim_names[] = {
    [CLAIM_FOUND] = "found",
    [CLAIM_NONE] = "missing",
    [CLAIM_UNCLEAR] = "unclear",
};

static const char *const sim_kind_names[] = {
#define X(name) [SIM_##name] = #name,
    SIM_MAP(X)
#undef X
};

static const char *const life_names[] = {
#define X(name) [LIFE_##name] = #name,
    LIFE_MAP(X)
#undef X
};

static bool parse_break(const char *text, enum sim_break *ret_broken)
{
    for (size_t i = 0; i < BREAK_COUNT; i++) {
        if (strcmp(text, break_names[i]) != 0)
            continue;
        *ret_broken = (enum sim_break)i;
        return true;
    }
    return false;
}

static bool parse_seeds(const char *text, struct arguments *arguments)
{
    char *end;

    arguments->from = arguments->to = strtoull(text, &end, 10);
    if (strncmp(end, "..", 2) == 0)
        arguments->to = strtoull(end + 2, &end, 10);
    return *end == '\0' && arguments->from <= arguments->to;
}

static bool parse(int argc, char **argv, struct arguments *ret_arguments)
{
    struct arguments arguments = {.from = 1, .to = SEEDS};
    bool good = true;

    for (int i = 1; i < argc && good; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--trace") == 0)
            arguments.is_traced = true;
        else if (strcmp(argv[i], "--stats") == 0)
            arguments.has_stats = true;
        else if (strcmp(argv[i], "--twice") == 0)
            arguments.is_twice = true;
        else if ((strcmp(argv[i], "--seeds") == 0 || strcmp(argv[i], "--seed") == 0) && has_value)
            good = parse_seeds(argv[++i], &arguments);
        else if (strcmp(argv[i], "--break") == 0 && has_value)
            good = parse_break(argv[++i], &arguments.settings.broken);
        else
            good = false;
    }
    arguments.settings.trace = arguments.is_traced ? stdout : NULL;
    *ret_arguments = arguments;
    return good;
}

/* How often something has happened; what never has is counted in `missing`. */
static void show(const char *what, const char *name, uint64_t count, uint64_t *missing)
{
    if (name == NULL)
        return;
    printf("%-10s %-24s %12llu\n", what, name, (unsigned long long)count);
    *missing += count == 0;
}

static void show_each(const char *what, const char *const *names, const uint64_t *counts,
                      size_t length, uint64_t *missing)
{
    for (size_t i = 0; i < length; i++)
        show(what, names[i], counts[i], missing);
}

static void show_disk(const struct fake_disk_counts *disk, uint64_t *missing)
{
    show_each("fault", call_names, disk->failed, FAKE_CALL_COUNT, missing);
    show("disk", "calls", disk->calls, missing);
    show("disk", "short writes", disk->short_writes, missing);
    show("disk", "full", disk->full, missing);
    show("disk", "lost sectors", disk->lost_sectors, missing);
    show("disk", "dropped sectors", disk->dropped_sectors, missing);
    show("disk", "torn sectors", disk->torn_sectors, missing);
    show("disk", "kept sectors", disk->kept_sectors, missing);
    show("disk", "undone names", disk->undone_names, missing);
    show("disk", "written back", disk->written_back, missing);
}

/* Returns how many things never happened. */
static uint64_t show_stats(const struct sim_stats *stats)
{
    uint64_t missing = 0;

    show("all", "seeds", stats->seeds, &missing);
    show("all", "rows", stats->rows, &missing);
    show("all", "lives", stats->lives, &missing);
    show("all", "resumed", stats->resumed, &missing);
    show("all", "steps", stats->steps, &missing);
    show("all", "sends", stats->sends, &missing);
    show("all", "sends to a limit", stats->limited, &missing);
    show("all", "sorted", stats->sorted, &missing);
    show("all", "orphans", stats->orphans, &missing);
    show("all", "processed twice", stats->twice, &missing);
    show("all", "questions", stats->questions, &missing);
    show_each("verified", claim_names, stats->verified, ARRAY_LENGTH(claim_names), &missing);
    show_each("event", sim_kind_names, stats->events, SIM_KIND_COUNT, &missing);
    show_each("effect", effect_names, stats->effects, ARRAY_LENGTH(effect_names), &missing);
    show_each("reply", reply_kind_names, stats->replies, REPLY_KIND_COUNT, &missing);
    show_each("life", life_names, stats->lives_by_end, LIFE_REFUSED, &missing);
    show_each("run end", end_names, stats->runs_by_end, ARRAY_LENGTH(end_names), &missing);
    show_each("death", death_names, stats->deaths, DEATH_COUNT, &missing);
    show_each("signal", signal_names, stats->signals, ARRAY_LENGTH(signal_names), &missing);
    show_each("told", told_names, stats->told, ARRAY_LENGTH(told_names), &missing);
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++)
        show("result", row_status_name((enum row_status)i), stats->results[i], &missing);
    show_disk(&stats->disk, &missing);
    return missing;
}

static void tell_violation(const struct sim_world *world, const struct arguments *arguments)
{
    bool is_broken = arguments->settings.broken != BREAK_NOTHING;

    printf("seed %llu: row %llu: %s\n    engine_sim --seed %llu --trace%s%s\n",
           (unsigned long long)world->seed, (unsigned long long)world->violation_row,
           world->violation, (unsigned long long)world->seed, is_broken ? " --break " : "",
           is_broken ? break_names[arguments->settings.broken] : "");
}

/* Whether a seed that was played goes the same way again, to the last bit. */
static bool is_same_again(struct sim_world *world, const struct arguments *arguments,
                          struct sim_stats *stats)
{
    uint64_t hash = world->trace_hash;

    sim_run(world, world->seed, &arguments->settings, stats);
    return hash == world->trace_hash;
}

/* Returns how many seeds show something. */
static uint64_t play(const struct arguments *arguments, struct sim_world *world,
                     struct sim_stats *stats)
{
    uint64_t found = 0;
    bool is_broken = arguments->settings.broken != BREAK_NOTHING;

    for (uint64_t seed = arguments->from; seed <= arguments->to; seed++) {
        sim_run(world, seed, &arguments->settings, stats);
        if (arguments->is_twice && !is_same_again(world, arguments, stats))
            sim_blame(world, "a seed does not replay as it was played");
        if (world->violation == NULL)
            continue;
        if (found++ < TOLD_MAX)
            tell_violation(world, arguments);
        if (is_broken)
            break;
    }
    return found;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct sim_stats *stats = calloc(1, sizeof(*stats));
    struct sim_world *world = calloc(1, sizeof(*world));
    uint64_t missing = 0;

    if (stats == NULL || world == NULL || !parse(argc, argv, &arguments)) {
        (void)fprintf(stderr, "engine_sim [--seeds FROM..TO | --seed N] [--trace] [--stats] "
                              "[--twice] [--break GUARD]\n");
        free(stats);
        free(world);
        return 2;
    }
    uint64_t found = play(&arguments, world, stats);
    if (arguments.has_stats)
        missing = show_stats(stats);
    printf("%llu seeds, %llu in which a promise is broken\n", (unsigned long long)stats->seeds,
           (unsigned long long)found);
    free(stats);
    free(world);
    if (arguments.settings.broken != BREAK_NOTHING)
        return found > 0 ? 0 : 1;
    return found > 0 ? 1 : missing > 0 ? 3 : 0;
}
