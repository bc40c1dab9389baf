#include "run/bench_open.h"
#include "run/descriptors.h"

#include <math.h>
#include <unistd.h>

#include "core/figure.h"
#include "engine/interrupt.h"
#include "engine/open_loop.h"
#include "report/load_page.h"
#include "run/check.h"
#include "run/made_up.h"
#include "run/page_file.h"
#include "run/recording.h"
#include "run/target.h"
#include "run/use_cases.h"
#include "send/search.h"

/*
 * Rows come from a file of made-up ones, written anew for each rate, or from the operator's own
 * input, of which each rate goes on where the one before ended. The latter are on record as those
 * of a run, whose results may be gone on with.
 */

enum {
    DURATION_USUAL_MS = 10 * 1000,
    RATE_FIRST = 100,      /* of a search */
    RATE_MAX = 100 * 1000, /* likewise */
    LOADS_MAX = 64,
};

_Static_assert((int)LOADS_MAX > (int)LEVELS_MAX, "a search takes at most some forty");

struct bench {
    struct run_settings settings;
    const struct person *person;
    struct endpoint endpoint;
    struct credentials credentials;
    struct sim *sim;
    struct made_up made_up;
    struct intake *intake; /* the operator's own input; NULL: made-up rows */
    bool is_started;       /* it: its header has been read */
    uint64_t rows, valid;  /* of it */
    struct recording recording;
    bool is_recording;
    uint64_t sent, invalid; /* requests and wrong rows, of all rates */
    struct load *loads[LOADS_MAX];
    size_t load_count;
    double found;
    struct series ended;
    struct buf message;
    struct trust trust;
    struct buf why;    /* LOAD_STOPPED: in English */
    enum load_end end; /* not LOAD_WHOLE: no other rate is tried */
};

static int fail(struct bench *bench, enum status status)
{
    person_failure(bench->person, &bench->message, status);
    return status == STATUS_BAD_INPUT ? EXIT_INPUT_INVALID : EXIT_INTERNAL;
}

static int choose_endpoint(struct bench *bench)
{
    struct run_settings *settings = &bench->settings;

    if (settings->bench_endpoint == NULL)
        return target_simulate(settings, bench->person, &bench->sim, &bench->endpoint);
    int result = settings->input == NULL ? bench_check_endpoint(settings, bench->person) : 0;
    settings->endpoint = settings->bench_endpoint;
    if (result == 0)
        result = target_choose(settings, bench->person, &bench->endpoint);
    if (result == 0)
        result = target_load_key(settings, bench->person, &bench->credentials);
    return result;
}

/* The operator's rows, to somewhere else: they are really sent, and the devices really act. */
static int consent(const struct bench *bench)
{
    char question[360], otherwise[420];

    if (bench->settings.input == NULL || bench->settings.yes || bench->sim != NULL ||
        bench->endpoint.loopback)
        return 0;
    buf_copy_format(question, sizeof(question), "Really send rows of %.100s to %.120s?",
                    bench->settings.input, bench->endpoint.origin);
    buf_copy_format(otherwise, sizeof(otherwise),
                    "bench really sends the rows of %.100s to %.120s, which is not this machine: "
                    "say --yes if that is meant",
                    bench->settings.input, bench->endpoint.origin);
    return person_consents(bench->person, question, otherwise) ? 0 : EXIT_USAGE;
}

static int open_record(struct bench *bench)
{
    size_t passed_count;
    const struct span *passed = intake_passed(bench->intake, &passed_count);

    recording_init(&bench->recording, &bench->settings, bench->person);
    bench->is_recording = true;
    int result = recording_choose(&bench->recording);
    if (result == 0)
        result = recording_open(&bench->recording, passed, passed_count,
                                bench->sim != NULL || bench->endpoint.loopback);
    return result;
}

static int start_record(struct bench *bench)
{
    struct buf target;

    buf_init(&target, 4096);
    if (bench->sim != NULL)
        buf_add_string(&target, "simulator");
    else
        dialect_add_target(bench->settings.dialect, bench->endpoint.origin, &target);
    int result = recording_start(&bench->recording, bench->intake, buf_string(&target), 0, 0);
    buf_deinit(&target);
    intake_use_store(bench->intake, ledger_store(bench->recording.ledger));
    return result;
}

/* How many requests a rate takes, and how many of them are warm-up. A search takes no fewer than
 * its goal wants. */
static uint64_t requests_of(const struct run_settings *settings, double rate, uint64_t *ret_warm_up)
{
    int64_t duration_ms = settings->duration_ms > 0 ? settings->duration_ms : DURATION_USUAL_MS;
    double measured =
        settings->rows > 0 ? (double)settings->rows : rate * (double)duration_ms / 1e3;

    *ret_warm_up = (uint64_t)ceil(rate * (double)settings->warm_up_ms / 1e3);
    if (settings->find != NULL)
        measured = fmax(measured, (double)load_goal_requests(&settings->goal, rate));
    return *ret_warm_up + (uint64_t)ceil(measured);
}

/* Before anything is sent: whether the operator's rows are enough to measure something. */
static int check_rows(const struct bench *bench)
{
    const struct run_settings *settings = &bench->settings;
    const struct rates *rates = &settings->rates;
    double first = rates->count > 0 ? rates->items[0] : RATE_FIRST;
    uint64_t warm_up, all = requests_of(settings, first, &warm_up), other;
    uint64_t least = settings->find != NULL ? all : warm_up + 1;

    if (bench->valid < least) {
        person_error(bench->person,
                     "nothing could be measured at %s: the input has %s valid rows, and %s are "
                     "needed, %s of them for --warm-up; nothing was sent",
                     figure_rate(first, "").text, figure(bench->valid).text, figure(all).text,
                     figure(warm_up).text);
        return EXIT_INPUT_INVALID;
    }
    for (size_t i = 1; i < rates->count && settings->find == NULL; i++)
        all += requests_of(settings, rates->items[i], &other);
    if (bench->valid < all)
        person_note(bench->person,
                    "the input has %s valid rows, and the rates take %s: what comes last is cut "
                    "short",
                    figure(bench->valid).text, figure(all).text);
    return 0;
}

/* Opens and checks the operator's input, and begins the record. */
static int open_input(struct bench *bench)
{
    struct check_counts counts = {.rows = 0};
    int result = check_open(&bench->settings, bench->person, true, &bench->intake);

    if (result == 0 && !source_is_seekable(intake_source(bench->intake))) {
        person_error(bench->person, "bench wants an INPUT that can be read twice, not a pipe");
        result = EXIT_USAGE;
    }
    if (result == 0)
        result = check_passed(bench->intake, bench->person);
    if (result == 0)
        result = open_record(bench);
    if (result == 0)
        result = check_for_sending(bench->intake, &bench->settings, bench->person, &counts);
    bench->rows = counts.rows;
    bench->valid = counts.valid;
    if (result == 0)
        result = check_rows(bench);
    if (result == 0 && intake_rewind(bench->intake, &bench->message) != STATUS_OK)
        result = fail(bench, STATUS_BAD_INPUT);
    return result == 0 ? start_record(bench) : result;
}

static int open_rows(struct bench *bench)
{
    if (bench->settings.input != NULL)
        return open_input(bench);
    return made_up_open(&bench->made_up, bench->person);
}

static enum status on_tick(void *context, const struct intake *intake, uint64_t rows)
{
    (void)context;
    (void)intake;
    (void)rows;
    return interrupt_signal() == 0 ? STATUS_OK : STATUS_INTERRUPTED;
}

/* Rows for a rate: the operator's, or made-up ones for devices that none was for before. */
static int rows_for(struct bench *bench, uint64_t requests, struct intake **ret_intake)
{
    struct run_settings settings = bench->settings;
    struct check_counts counts;

    *ret_intake = bench->intake;
    if (bench->intake != NULL)
        return 0;
    made_up_choose(&bench->made_up, &settings);
    int result = made_up_write(&bench->made_up, bench->sent, requests, bench->person);
    if (result == 0)
        result = check_open(&settings, bench->person, true, ret_intake);
    if (result != 0)
        return result;
    enum status status = job_check(*ret_intake, &(struct check_hooks){.tick = on_tick}, &counts);
    if (status == STATUS_OK) /* an intake makes no requests the first time */
        status = intake_rewind(*ret_intake, &bench->message);
    return status == STATUS_OK || status == STATUS_INTERRUPTED ? 0 : fail(bench, status);
}

static int say_interrupted(struct bench *bench, int signal_number)
{
    bench->end = LOAD_INTERRUPTED;
    person_error(bench->person, "%s; the figures are of what was measured until then",
                 interrupt_name(signal_number));
    return EXIT_SIGNAL + signal_number;
}

/* Why a rate ended before its time. */
static int judge_end(struct bench *bench, enum load_end end, const struct open_loop_result *result)
{
    bench->sent += result->sent;
    bench->invalid += result->invalid;
    if (result->signal_number != 0) /* also while what was under way was waited for */
        return say_interrupted(bench, result->signal_number);
    if (end == LOAD_WHOLE || end == LOAD_BEHIND)
        return 0;
    bench->end = end;
    if (end == LOAD_STOPPED) {
        person_failure(bench->person, &bench->why, STATUS_OK);
        return EXIT_REFUSED;
    }
    person_note(bench->person, "the input has no other row: it ends here");
    return 0;
}

/* Another rate that has not begun; NULL where there is no memory. */
static struct load *add_load(struct bench *bench, double rate)
{
    struct load *load = bench->load_count < LOADS_MAX ? calloc(1, sizeof(*load)) : NULL;

    if (load == NULL)
        return NULL;
    *load = (struct load){.rate_per_s = rate, .concurrency = (size_t)bench->settings.concurrency};
    return bench->loads[bench->load_count++] = load;
}

/* Sends what the intake has, at the load's rate. */
static int run_loop(struct bench *bench, struct intake *intake, uint64_t requests, uint64_t warm_up,
                    struct load *load)
{
    const struct run_settings *settings = &bench->settings;
    const struct transport_options transport =
        target_transport(settings, &bench->endpoint, &bench->credentials);
    const double seconds = (double)requests / load->rate_per_s;
    const struct open_loop_options options = {
        .dialect = settings->dialect,
        .transport = &transport,
        .rate_per_s = load->rate_per_s,
        .requests = requests,
        .warm_up = warm_up,
        .store = bench->is_recording ? ledger_store(bench->recording.ledger) : NULL,
        .skip_invalid = settings->skip_invalid,
        .give_up_ns = settings->find != NULL ? (int64_t)(seconds * 1e9) : 0,
        .trust = &bench->trust,
        .why = &bench->why,
        .ended = &bench->ended};
    struct open_loop_result end;
    enum status status =
        open_loop_run(intake, bench->is_started, &options, load, &end, &bench->message);

    if (status == STATUS_OK)
        return judge_end(bench, load->end, &end);
    bench->sent += end.sent;
    bench->end = load->end = LOAD_STOPPED;
    buf_add_string(&bench->why, status_text(status));
    return fail(bench, status);
}

static int measure(struct bench *bench, double rate, struct load **ret_load)
{
    struct intake *intake = NULL;
    struct load *load = *ret_load = add_load(bench, rate);
    uint64_t warm_up, requests = requests_of(&bench->settings, rate, &warm_up);

    if (load == NULL)
        return EXIT_INTERNAL;
    load->wanted = requests - warm_up;
    int result = rows_for(bench, requests, &intake);
    if (result == 0 && interrupt_signal() != 0)
        result = say_interrupted(bench, interrupt_signal());
    if (result == 0)
        result = run_loop(bench, intake, requests, warm_up, load);
    else
        load->end = bench->end = bench->end != LOAD_WHOLE ? bench->end : LOAD_STOPPED;
    if (intake != bench->intake)
        intake_close(intake);
    else
        bench->is_started = true;
    return result;
}

/* Those that are not tried any more are told as well. */
static int measure_rates(struct bench *bench)
{
    const struct rates *rates = &bench->settings.rates;
    struct load *load;
    int result = 0;

    for (size_t i = 0; i < rates->count; i++) {
        if (bench->end != LOAD_WHOLE) {
            load = add_load(bench, rates->items[i]);
            if (load != NULL)
                load->end = bench->end;
            continue;
        }
        person_note(bench->person, "%s to %s", figure_rate(rates->items[i], "").text,
                    bench->endpoint.origin);
        result = measure(bench, rates->items[i], &load);
    }
    return result;
}

static void say_verdict(const struct bench *bench, const struct load *load, bool keeps)
{
    struct figure rate = figure_rate(load->rate_per_s, "");

    if (keeps)
        person_note(bench->person, "%s: kept", rate.text);
    else if (load_has_rate(load) || load_total(load) == 0)
        person_note(bench->person, "%s: not kept", rate.text);
    else
        person_note(bench->person, "%s: not kept: no more than %s were started", rate.text,
                    figure_rate(load_started_per_s(load), "").text);
}

static int search_rate(struct bench *bench)
{
    const struct run_settings *settings = &bench->settings;
    struct search search;
    struct load *load;
    double rate;
    int result = 0;

    search_begin(&search, settings->rates.count > 0 ? settings->rates.items[0] : RATE_FIRST,
                 RATE_MAX);
    while (search_wants(&search, &rate)) {
        result = measure(bench, rate, &load);
        if (result != 0 || bench->end != LOAD_WHOLE)
            break;
        bool keeps = load->end == LOAD_WHOLE && load_keeps(load, &settings->goal);
        say_verdict(bench, load, keeps);
        search_take(&search, keeps);
    }
    bench->found = search.best;
    return result;
}

static int write_page(struct bench *bench, const struct load_report *report)
{
    struct buf page;
    int result = 0;

    buf_init_text(&page, 16 * 1024 * 1024);
    load_page_add_html(report, &bench->ended, NBATCH_VERSION, &page);
    if (page_file_write(bench->settings.report, &page, &bench->message) != STATUS_OK)
        result = fail(bench, STATUS_IO);
    buf_deinit(&page);
    return result;
}

static int give(struct bench *bench, const struct load_report *report)
{
    enum status status = STATUS_OK;
    struct buf out;

    buf_init(&out, 1024 * 1024);
    (void)buf_set_text(&out, !bench->settings.json);
    if (bench->settings.json)
        status = load_add_json(report, &out);
    else
        load_add_text(report, &out);
    bool given = status == STATUS_OK && out.status == STATUS_OK &&
                 person_give(bench->person, buf_span(&out));
    buf_deinit(&out);
    return given ? 0 : EXIT_INTERNAL;
}

/* Sorts the loads by whether anything was measured; gives how many there are of which this is so.
 */
static size_t sort_loads(struct bench *bench, struct load **sorted)
{
    size_t count = 0, end = bench->load_count;

    for (size_t i = 0; i < bench->load_count; i++)
        if (load_total(bench->loads[i]) > 0)
            sorted[count++] = bench->loads[i];
    for (size_t i = bench->load_count; i-- > 0;)
        if (load_total(bench->loads[i]) == 0)
            sorted[--end] = bench->loads[i];
    return count;
}

static int show(struct bench *bench)
{
    const struct run_settings *settings = &bench->settings;
    struct load *sorted[LOADS_MAX];
    size_t count = sort_loads(bench, sorted);
    const struct load_report report = {.target = bench->sim != NULL ? "a simulator in this process"
                                                                    : bench->endpoint.origin,
                                       .input = settings->input,
                                       .warm_up_ms = settings->warm_up_ms,
                                       .processors = sysconf(_SC_NPROCESSORS_ONLN),
                                       .loads = (const struct load *const *)sorted,
                                       .count = count,
                                       .unmeasured = (const struct load *const *)sorted + count,
                                       .unmeasured_count = bench->load_count - count,
                                       .end = bench->end,
                                       .why = buf_string(&bench->why),
                                       .goal = settings->find,
                                       .found = bench->found,
                                       .max = RATE_MAX};
    bool all = count == bench->load_count;

    for (size_t i = 0; i < bench->load_count; i++)
        all = all && bench->loads[i]->refused + bench->loads[i]->failed == 0;
    int result = give(bench, &report);
    if (result == 0 && settings->report != NULL)
        result = write_page(bench, &report);
    if (result != 0)
        return result;
    bool is_good = settings->find != NULL ? bench->found > 0 : all;
    return is_good ? EXIT_ALL_ACCEPTED : EXIT_SOME_NOT_ACCEPTED;
}

static int check_report(struct bench *bench)
{
    const struct run_settings *settings = &bench->settings;

    if (settings->report == NULL)
        return 0;
    if (strcmp(settings->report, "-") == 0) {
        person_error(bench->person, "--report wants a file: standard output has the figures");
        return EXIT_USAGE;
    }
    return page_file_probe(settings->report, &bench->message) == STATUS_OK
               ? 0
               : (fail(bench, STATUS_IO), EXIT_USAGE);
}

/* Where the operator's rows are, and how the others would be sent. */
static int end_record(struct bench *bench, int result)
{
    if (!bench->is_recording || bench->recording.ledger == NULL)
        return result;
    int recorded =
        recording_finish(&bench->recording, bench->rows,
                         bench->sent + bench->invalid == bench->rows, result == EXIT_INTERNAL);
    person_note(bench->person, "%llu of %llu rows were sent; their results are in %s%s",
                (unsigned long long)bench->sent, (unsigned long long)bench->valid,
                bench->recording.path,
                bench->sent < bench->valid ? ", and nbatch run --resume sends the others" : "");
    return recorded != 0 ? recorded : result;
}

static int run_steps(struct bench *bench)
{
    static int (*const steps[])(struct bench *) = {check_report, choose_endpoint};
    int result = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(steps) && result == 0; i++)
        result = steps[i](bench);
    if (result == 0)
        result = consent(bench);
    if (result == 0)
        result = open_rows(bench);
    if (result == 0)
        result = bench->settings.find != NULL ? search_rate(bench) : measure_rates(bench);
    if (bench->sent > 0 || result == 0)
        result = end_record(bench, result);
    if (bench->load_count == 0)
        return result;
    int shown = show(bench); /* what there is, however it ended */
    return result == 0 ? shown : result;
}

/* As many under way as the largest of --concurrency: at a rate it only bounds. */
static void choose_concurrency(struct run_settings *settings)
{
    settings->concurrency = 1;
    for (size_t i = 0; i < settings->levels.count; i++)
        if ((int64_t)settings->levels.items[i] > settings->concurrency)
            settings->concurrency = (int64_t)settings->levels.items[i];
}

int bench_open(const struct run_settings *settings, const struct person *person)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    if (bench == NULL)
        return EXIT_INTERNAL;
    bench->settings = *settings;
    bench->person = person;
    buf_init_text(&bench->message, 64 * 1024);
    buf_init(&bench->why, 64 * 1024);
    if (settings->bench_endpoint == NULL && settings->simulate == NULL)
        bench->settings.simulate = "";
    choose_concurrency(&bench->settings);
    interrupt_watch();
    int result = descriptors_settle(&bench->settings, person);
    if (result == 0)
        result = run_steps(bench);
    if (bench->is_recording)
        recording_deinit(&bench->recording);
    made_up_clear(&bench->made_up, true);
    sim_stop(bench->sim);
    intake_close(bench->intake);
    credentials_deinit(&bench->credentials);
    endpoint_deinit(&bench->endpoint);
    buf_deinit(&bench->message);
    buf_deinit(&bench->why);
    for (size_t i = 0; i < bench->load_count; i++)
        free(bench->loads[i]);
    free(bench);
    return result;
}
