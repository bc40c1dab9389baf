#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/interrupt.h"
#include "net/endpoint.h"
#include "report/speed.h"
#include "run/bench_open.h"
#include "run/made_up.h"
#include "run/use_cases.h"

/*
 * Measures runs: rows are made up, written to a file in a temporary folder, and sent by the very
 * code that nbatch run is, once in each round for each number of requests in flight.
 */

enum { ROWS_USUAL = 10000 };

/* A run takes its key out of the environment, and the next one needs it too. */
static const char *const key_variables[] = {"NBATCH_API_KEY", "NBATCH_ACCESS_KEY"};

struct bench {
    const struct run_settings *settings;
    const struct person *person;
    struct made_up made_up;
    struct speed runs[LEVELS_MAX][ROUNDS_MAX];
    size_t done;                             /* runs: all levels of the first round, … */
    char *keys[ARRAY_LENGTH(key_variables)]; /* NULL: not set */
};

static int64_t rows_of(const struct run_settings *settings)
{
    return settings->rows > 0 ? settings->rows : ROWS_USUAL;
}

/* Made-up commands are for a platform elsewhere only when somebody says so. */
int bench_check_endpoint(const struct run_settings *settings, const struct person *person)
{
    struct endpoint endpoint;
    struct buf message;

    if (settings->bench_endpoint == NULL)
        return 0;
    buf_init_text(&message, 64 * 1024);
    enum status status = endpoint_parse(settings->bench_endpoint, &message, &endpoint);
    if (status != STATUS_OK) {
        person_failure(person, &message, status);
        buf_deinit(&message);
        return status == STATUS_USAGE ? EXIT_USAGE : EXIT_INTERNAL;
    }
    bool here =
        endpoint.loopback && (settings->proxy == NULL || strcmp(settings->proxy, "none") == 0);
    if (!here && !settings->yes)
        person_error(
            person,
            "bench sends made-up commands, and %s is not this machine: say --yes if that is "
            "meant",
            endpoint.origin);
    endpoint_deinit(&endpoint);
    buf_deinit(&message);
    return here || settings->yes ? 0 : EXIT_USAGE;
}

static void keep_keys(struct bench *bench)
{
    for (size_t i = 0; i < ARRAY_LENGTH(key_variables); i++) {
        const char *value = getenv(key_variables[i]);
        bench->keys[i] = value != NULL ? strdup(value) : NULL;
    }
}

static void put_keys(const struct bench *bench)
{
    for (size_t i = 0; i < ARRAY_LENGTH(key_variables); i++)
        if (bench->keys[i] != NULL)
            (void)setenv(key_variables[i], bench->keys[i], 1);
}

static void forget_keys(struct bench *bench)
{
    for (size_t i = 0; i < ARRAY_LENGTH(key_variables); i++) {
        if (bench->keys[i] != NULL)
            explicit_bzero(bench->keys[i], strlen(bench->keys[i]));
        free(bench->keys[i]);
    }
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double cpu_s(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

static int measure(struct bench *bench, size_t level, struct speed *ret_speed)
{
    struct run_settings settings = *bench->settings;
    struct person hushed = *bench->person;
    struct run_figures *figures = calloc(1, sizeof(*figures));

    if (figures == NULL)
        return EXIT_INTERNAL;
    made_up_choose(&bench->made_up, &settings);
    settings.output = bench->made_up.output;
    settings.concurrency = (int64_t)bench->settings->levels.items[level];
    hushed.quiet = true;
    settings.json = false;
    if (settings.bench_endpoint != NULL)
        settings.endpoint = settings.bench_endpoint;
    else if (settings.simulate == NULL)
        settings.simulate = "";
    put_keys(bench);
    double before = cpu_s();
    int result = run_send(&settings, &hushed, figures);
    double own = cpu_s() - before - figures->simulator_cpu_s;
    *ret_speed =
        speed_of(bench->settings->levels.items[level], &figures->tally, figures->seconds, own);
    free(figures);
    made_up_clear(&bench->made_up, false);
    /* Rows that were not accepted are a figure; what kept a run from its end is a reason to stop.
     */
    return result == EXIT_SOME_NOT_ACCEPTED || result == EXIT_IN_DOUBT ? 0 : result;
}

static int measure_all(struct bench *bench)
{
    const struct run_settings *settings = bench->settings;
    int result = 0;

    person_note(bench->person, "sending %lld rows %lld times to %s", (long long)rows_of(settings),
                (long long)settings->rounds * (long long)bench->settings->levels.count,
                settings->bench_endpoint != NULL ? settings->bench_endpoint
                                                 : "a simulator in this process");
    for (size_t round = 0; round < (size_t)settings->rounds && result == 0; round++)
        for (size_t level = 0; level < bench->settings->levels.count && result == 0; level++) {
            result = measure(bench, level, &bench->runs[level][round]);
            bench->done += result == 0;
        }
    if (result > EXIT_SIGNAL && bench->done > 0)
        person_error(bench->person, "%s; the figures are of what was measured until then",
                     interrupt_name(result - EXIT_SIGNAL));
    return result;
}

/* Of the rounds that are whole; of the first one, as far as it came. */
static int report(struct bench *bench)
{
    const struct run_settings *settings = bench->settings;
    const size_t rounds = bench->done / settings->levels.count;
    struct speed medians[LEVELS_MAX];
    const struct speed_report report = {.endpoint = settings->bench_endpoint,
                                        .rows = rows_of(settings),
                                        .rounds = rounds > 0 ? (int64_t)rounds : 1,
                                        .processors = sysconf(_SC_NPROCESSORS_ONLN),
                                        .levels = medians,
                                        .level_count =
                                            rounds > 0 ? settings->levels.count : bench->done};
    enum status status = STATUS_OK;
    bool all = true;
    struct buf out;

    for (size_t level = 0; level < report.level_count; level++) {
        medians[level] = speed_median(bench->runs[level], (size_t)report.rounds);
        all = all && medians[level].accepted == medians[level].rows;
    }
    buf_init(&out, 1024 * 1024);
    (void)buf_set_text(&out, !settings->json);
    if (settings->json)
        status = speed_add_json(&report, &out);
    else
        speed_add_text(&report, &out);
    bool written = status == STATUS_OK && out.status == STATUS_OK &&
                   person_give(bench->person, buf_span(&out));
    buf_deinit(&out);
    if (!written)
        return EXIT_INTERNAL;
    return all ? EXIT_ALL_ACCEPTED : EXIT_SOME_NOT_ACCEPTED;
}

/* What is for a --rate alone. */
static int check_closed(const struct run_settings *settings, const struct person *person)
{
    if (settings->input == NULL && settings->duration_ms == 0 && settings->report == NULL)
        return 0;
    person_error(person,
                 "an INPUT, --duration and --report are for --rate or --find: without one, bench "
                 "sends made-up rows as fast as it goes");
    return EXIT_USAGE;
}

static int bench_closed(const struct run_settings *settings, const struct person *person)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    if (bench == NULL)
        return EXIT_INTERNAL;
    bench->settings = settings;
    bench->person = person;
    keep_keys(bench);
    int result = bench_check_endpoint(settings, person);
    if (result == 0)
        result = made_up_open(&bench->made_up, person);
    if (result == 0)
        result = made_up_write(&bench->made_up, 0, (uint64_t)rows_of(settings), person);
    if (result == 0)
        result = measure_all(bench);
    made_up_clear(&bench->made_up, true);
    forget_keys(bench);
    if (bench->done > 0) {
        int reported = report(bench); /* what there is, however it ended */
        result = result == 0 ? reported : result;
    }
    free(bench);
    return result;
}

int run_bench(const struct run_settings *settings, const struct person *person)
{
    if (settings->rates.count > 0 || settings->find != NULL)
        return bench_open(settings, person);
    int result = check_closed(settings, person);
    return result == 0 ? bench_closed(settings, person) : result;
}
