#include <time.h>

#include "core/figure.h"
#include "run/asking.h"
#include "run/monotonic.h"
#include "run/privacy.h"
#include "run/status_pushes.h"
#include "run/status_rows.h"
#include "run/use_cases.h"

/*
 * nbatch status: what became of the commands of a results file. The steps are those of a run: what
 * can refuse cheaply comes first, and nothing is asked before the record of the answers is open.
 */

enum {
    WRITE_AGAIN_S = 30,       /* how often the status file is written anew while it goes on, … */
    WRITE_SHARE_INVERSE = 50, /* … and in how much of the time at most */
};

struct inquiry_run {
    const struct run_settings *settings;
    const struct person *person;
    struct status_rows rows;
    struct asking asking;
    struct questions questions;
    struct delivery_counts counts;
    int64_t counted_at_s;
    double write_again_s; /* monotonic */
    bool has_asked;
};

/* What is shown while it goes on. */

static void add_standing(const void *context, struct buf *out)
{
    const struct inquiry_run *run = context;

    delivery_add_devices(&run->counts, out);
}

static void add_failure(const void *context, struct buf *out)
{
    const struct inquiry_run *run = context;

    buf_add(out, buf_span(&run->rows.failure));
}

/* The status file is kept fresh for others; all is in the journal, whether that works or not. */
static void write_now_and_then(struct inquiry_run *run)
{
    double start_s = monotonic_s();

    if (start_s < run->write_again_s || run->rows.unwritten == 0 || run->rows.journal.fd < 0)
        return;
    (void)!status_rows_write(&run->rows);
    double took_s = monotonic_s() - start_s;
    run->write_again_s = monotonic_s() + WRITE_AGAIN_S + took_s * WRITE_SHARE_INVERSE;
}

static void on_event(void *context, enum job_event event, const struct job_status *status)
{
    struct inquiry_run *run = context;
    int64_t now_s = (int64_t)monotonic_s();

    run->questions.clock_off_s = status->clock_off_s;
    if (event != JOB_EVENT_TICK || now_s == run->counted_at_s)
        return;
    run->counted_at_s = now_s + (int64_t)(run->rows.table.count / 200000);
    status_rows_count(&run->rows, &run->counts);
    write_now_and_then(run);
}

/* How many calls, and how long they take. */

static int64_t per_hour(const struct rate *rate)
{
    return rate->per_ms > 0 ? rate->count * 3600000 / rate->per_ms : 0;
}

static void announce_calls(const struct inquiry_run *run, uint64_t lookups, uint64_t lists)
{
    uint64_t calls = lookups + lists;
    int64_t rate = per_hour(&run->settings->rate);
    struct buf text;

    buf_init_text(&text, 4096);
    buf_add_format(&text, "%llu call%s for %llu device%s (%llu of one command, %llu of several",
                   (unsigned long long)calls, calls == 1 ? "" : "s", (unsigned long long)calls,
                   calls == 1 ? "" : "s", (unsigned long long)lookups, (unsigned long long)lists);
    buf_add_format(&text, ", and more for each %d commands of a device)", HISTORY_PER_PAGE);
    if (rate > 0 && calls > 0) {
        buf_add_string(&text, ": ");
        when_add_duration((double)calls * 3600 / (double)rate, &text);
        buf_add_format(&text, " at %s", figure_rate((double)rate / 3600, "").text);
    }
    person_note(run->person, "%s", buf_string(&text));
    buf_deinit(&text);
}

/* The platform of a rehearsal has gone with the run, unless it is one that keeps its state. */
static int refuse_rehearsal(const struct inquiry_run *run)
{
    if (run->asking.endpoint.loopback || !run->rows.is_simulated)
        return 0;
    person_error(
        run->person,
        "%s is of a rehearsal: the platform knows nothing of its commands; ask a simulator "
        "that keeps its state (nbatch simulate --state FILE) with --endpoint",
        run->settings->input);
    return EXIT_USAGE;
}

/* Asking. */

static bool needs_asking(const struct inquiry_run *run)
{
    return run->rows.table.waiting_count > 0;
}

static void prepare(struct inquiry_run *run)
{
    const struct run_settings *settings = run->settings;
    const struct questions_options options = {.dialect = settings->dialect,
                                              .table = &run->rows.table,
                                              .watch = settings->watch_ms > 0,
                                              .interval_s = settings->watch_ms >= 1000
                                                                ? settings->watch_ms / 1000
                                                                : 1,
                                              .timeout_ms = settings->timeout_ms,
                                              .context = &run->rows,
                                              .find = status_rows_find,
                                              .keep = status_rows_keep,
                                              .wants_values = settings->values != NULL,
                                              .take_values = status_rows_take_values};

    questions_init(&run->questions, &options);
}

static int ask(struct inquiry_run *run, uint64_t calls)
{
    const struct asking_subject subject = {.doing = "asking",
                                           .input = run->rows.results.path,
                                           .output = run->rows.path,
                                           .calls = run->questions.options.watch ? 0 : calls,
                                           .add_standing = add_standing,
                                           .add_failure = add_failure,
                                           .context = run};
    int result = asking_open(&run->asking, run->settings, run->person);

    if (result == 0)
        result = refuse_rehearsal(run);
    if (result != 0)
        return result;
    run->asking.event = on_event;
    run->asking.event_context = run;
    run->write_again_s = monotonic_s() + WRITE_AGAIN_S;
    run->has_asked = true;
    status_rows_count(&run->rows, &run->counts);
    return asking_run(&run->asking, &run->questions.base, &subject);
}

/* States that the platform pushed, without asking. */
static int take_pushes(struct inquiry_run *run)
{
    uint64_t count = 0;
    int result =
        status_pushes_take(&run->rows, run->settings->from_push, (int64_t)time(NULL), &count);

    if (result == 0 || result == EXIT_INPUT_INVALID)
        person_note(run->person, "%llu message%s about commands of %s", (unsigned long long)count,
                    count == 1 ? "" : "s", run->rows.results.path);
    return result;
}

/* Standard output takes one thing. */
static int check_output(const struct inquiry_run *run)
{
    const struct run_settings *settings = run->settings;
    int users = settings->json + (settings->output != NULL && strcmp(settings->output, "-") == 0) +
                (settings->values != NULL && strcmp(settings->values, "-") == 0);

    if (users <= 1)
        return 0;
    person_error(run->person, "standard output can take one of --json, --output and --values");
    return EXIT_USAGE;
}

/* The end. */

static int judge(const struct delivery_counts *counts)
{
    if (counts->open > 0)
        return EXIT_OPEN;
    return counts->states[COMMAND_DELIVERED] == counts->commands ? EXIT_ALL_ACCEPTED
                                                                 : EXIT_SOME_NOT_ACCEPTED;
}

static void add_resume(const struct inquiry_run *run, struct buf *out)
{
    const struct delivery_counts *counts = &run->counts;
    bool only_expired = counts->resendable == counts->states[COMMAND_EXPIRED];

    asking_add_resume(run->person, run->settings,
                      delivery_group_names[only_expired ? DELIVERY_EXPIRED : DELIVERY_UNDELIVERED],
                      run->settings->output, out);
}

static void add_watch(const struct inquiry_run *run, struct buf *out)
{
    person_add_call(run->person, "status", asking_subject(run->settings), out);
    buf_add_string(out, " --watch");
}

static int show(struct inquiry_run *run, const struct delivery_summary *summary, struct buf *text)
{
    if (!run->person->quiet && !run->settings->is_part) {
        delivery_summary_add_text(summary, text);
        run->person->ops->tell(run->person, TELL_SUMMARY, buf_string(text));
    }
    buf_clear(text);
    (void)buf_set_text(text, false);
    if (!run->settings->json)
        return summary->exit_status;
    bool given = delivery_summary_add_json(summary, text) == STATUS_OK &&
                 person_give(run->person, buf_span(text));
    return given ? summary->exit_status : EXIT_INTERNAL;
}

static int summarize(struct inquiry_run *run, int exit_status)
{
    const struct questions *questions = &run->questions;
    struct buf resume, watch, text;

    buf_init(&resume, 64 * 1024);
    buf_init(&watch, 64 * 1024);
    buf_init_text(&text, 1024 * 1024);
    add_resume(run, &resume);
    add_watch(run, &watch);
    const struct delivery_summary summary = {
        .results = run->rows.results.path,
        .output = run->rows.path,
        .counts = &run->counts,
        .calls = run->has_asked ? &run->asking.tally : NULL,
        .lookups = questions->lookups,
        .lists = questions->lists,
        .unanswered = questions->unanswered,
        .unreadable = questions->unreadable,
        .of_another = questions->of_another,
        .retries = run->asking.job.retries,
        .seconds = run->asking.seconds,
        .end = run->has_asked ? asking_end_name(&run->asking) : "complete",
        .resume =
            run->counts.resendable > 0 && !run->settings->job_is_open ? buf_string(&resume) : NULL,
        .watch = run->counts.open > 0 ? buf_string(&watch) : NULL,
        .exit_status = exit_status};
    exit_status = show(run, &summary, &text);
    buf_deinit(&resume);
    buf_deinit(&watch);
    buf_deinit(&text);
    return exit_status;
}

/* What was found out is written, whatever ended the asking. */
static int conclude(struct inquiry_run *run, int result)
{
    int written = status_rows_write(&run->rows);

    status_rows_count(&run->rows, &run->counts);
    if (written != 0)
        return written;
    return summarize(run, result != 0 ? result : judge(&run->counts));
}

static int run_steps(struct inquiry_run *run)
{
    uint64_t lookups, lists;
    int result = check_output(run);

    if (result == 0)
        result = status_rows_open(&run->rows, run->settings, run->person);
    if (result == 0 && !run->settings->dry_run)
        result = status_rows_begin(&run->rows);
    if (result != 0)
        return result;
    questions_count(&run->rows.table, &lookups, &lists);
    if (run->settings->dry_run || (lookups + lists > 0 && run->settings->from_push == NULL))
        announce_calls(run, lookups, lists);
    if (run->settings->dry_run)
        return EXIT_ALL_ACCEPTED;
    prepare(run);
    if (run->settings->from_push != NULL) {
        result = take_pushes(run);
    } else if (needs_asking(run)) {
        result = ask(run, lookups + lists);
    }
    if (result != 0 && result != EXIT_INPUT_INVALID && !run->has_asked)
        return result;
    return conclude(run, result);
}

int run_status(const struct run_settings *settings, const struct person *person)
{
    struct inquiry_run *run = calloc(1, sizeof(*run));

    if (run == NULL)
        return EXIT_INTERNAL;
    run->settings = settings;
    run->person = person;
    privacy_follow(settings->input);
    int result = run_steps(run);
    questions_deinit(&run->questions);
    asking_close(&run->asking, result);
    status_rows_close(&run->rows);
    free(run);
    return result;
}
