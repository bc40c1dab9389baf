#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "net/endpoint.h"
#include "platform/device.h"
#include "report/speed.h"
#include "run/use_cases.h"

/*
 * Measures runs: rows are made up, written to a file in a temporary folder, and sent by the very
 * code that nbatch run is, once in each round for each number of requests in flight.
 */

/* A run takes its key out of the environment, and the next one needs it too. */
static const char *const key_variables[] = {"NBATCH_API_KEY", "NBATCH_ACCESS_KEY"};

struct bench {
    const struct run_settings *settings;
    const struct person *person;
    char folder[4096];
    char input[4128], output[4128];
    struct speed runs[LEVELS_MAX][ROUNDS_MAX];
    char *keys[ARRAY_LENGTH(key_variables)]; /* NULL: not set */
};

/* Made-up commands are for a platform elsewhere only when somebody says so. */
static int check_endpoint(const struct run_settings *settings, const struct person *person)
{
    struct endpoint endpoint;
    struct buf message;

    if (settings->bench_endpoint == NULL)
        return 0;
    buf_init(&message, 64 * 1024);
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

/* A command for each of so many devices; their IMEIs start with 00, which is for tests alone. */
static bool write_rows(FILE *file, int64_t rows)
{
    char imei[32];

    (void)fputs("imei,obj_id,obj_inst_id,mode,expired_time,data\n", file);
    for (int64_t row = 0; row < rows; row++) {
        (void)snprintf(imei, sizeof(imei), "%014lld", (long long)row + 1);
        (void)fprintf(file,
                      "%.14s%c,3311,0,2,+7d,\"[{\"\"res_id\"\":5850,\"\"val\"\":true},"
                      "{\"\"res_id\"\":5851,\"\"val\"\":%lld}]\"\n",
                      imei, device_check_digit(imei), (long long)row);
    }
    return ferror(file) == 0;
}

static int make_input(struct bench *bench)
{
    const char *parent = getenv("TMPDIR");
    int len = snprintf(bench->folder, sizeof(bench->folder), "%s/nbatch-bench.XXXXXX",
                       parent != NULL && parent[0] != '\0' ? parent : "/tmp");

    if (len < 0 || (size_t)len >= sizeof(bench->folder) || mkdtemp(bench->folder) == NULL) {
        person_error(bench->person, "no temporary folder can be made as %s: %s", bench->folder,
                     strerror(errno));
        bench->folder[0] = '\0';
        return EXIT_INTERNAL;
    }
    (void)snprintf(bench->input, sizeof(bench->input), "%s/input.csv", bench->folder);
    (void)snprintf(bench->output, sizeof(bench->output), "%s/results.csv", bench->folder);
    FILE *file = fopen(bench->input, "wxe");
    bool written = file != NULL && write_rows(file, bench->settings->rows);
    if (file != NULL && fclose(file) != 0)
        written = false;
    if (!written)
        person_error(bench->person, "%s: %s", bench->input, strerror(errno));
    return written ? 0 : EXIT_INTERNAL;
}

/* Removes what a run has left in the folder; all of it, with the folder, when that is asked for. */
static void clear_folder(const struct bench *bench, bool wholly)
{
    DIR *folder = bench->folder[0] != '\0' ? opendir(bench->folder) : NULL;
    struct dirent *entry;

    if (folder == NULL)
        return;
    while ((entry = readdir(folder)) != NULL)
        if (wholly || strcmp(entry->d_name, "input.csv") != 0)
            (void)unlinkat(dirfd(folder), entry->d_name, 0); /* fails for . and .. */
    (void)closedir(folder);
    if (wholly)
        (void)rmdir(bench->folder);
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
    settings.input = bench->input;
    settings.output = bench->output;
    settings.concurrency = (int64_t)bench->settings->levels.items[level];
    hushed.quiet = true;
    settings.imei = IMEI_ANY; /* its own begin with 0 */
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
    clear_folder(bench, false);
    /* Rows that were not accepted are a figure; what kept a run from its end is a reason to stop.
     */
    return result == EXIT_SOME_NOT_ACCEPTED || result == EXIT_IN_DOUBT ? 0 : result;
}

static int measure_all(struct bench *bench)
{
    const struct run_settings *settings = bench->settings;
    int result = 0;

    person_note(bench->person, "sending %lld rows %lld times to %s", (long long)settings->rows,
                (long long)settings->rounds * (long long)bench->settings->levels.count,
                settings->bench_endpoint != NULL ? settings->bench_endpoint
                                                 : "a simulator in this process");
    for (size_t round = 0; round < (size_t)settings->rounds && result == 0; round++)
        for (size_t level = 0; level < bench->settings->levels.count && result == 0; level++)
            result = measure(bench, level, &bench->runs[level][round]);
    return result;
}

static int report(struct bench *bench)
{
    const struct run_settings *settings = bench->settings;
    struct speed medians[LEVELS_MAX];
    const struct speed_report report = {.endpoint = settings->bench_endpoint,
                                        .rows = settings->rows,
                                        .rounds = settings->rounds,
                                        .processors = sysconf(_SC_NPROCESSORS_ONLN),
                                        .levels = medians,
                                        .level_count = bench->settings->levels.count};
    enum status status = STATUS_OK;
    bool all = true;
    struct buf out;

    for (size_t level = 0; level < bench->settings->levels.count; level++) {
        medians[level] = speed_median(bench->runs[level], (size_t)settings->rounds);
        all = all && medians[level].accepted == medians[level].rows;
    }
    buf_init(&out, 1024 * 1024);
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

int run_bench(const struct run_settings *settings, const struct person *person)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    if (bench == NULL)
        return EXIT_INTERNAL;
    bench->settings = settings;
    bench->person = person;
    keep_keys(bench);
    int result = check_endpoint(settings, person);
    if (result == 0)
        result = make_input(bench);
    if (result == 0)
        result = measure_all(bench);
    clear_folder(bench, true);
    forget_keys(bench);
    if (result == 0)
        result = report(bench);
    free(bench);
    return result;
}
