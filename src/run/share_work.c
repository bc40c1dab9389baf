#include <stdlib.h>

#include "core/retranslate.h"
#include "engine/interrupt.h"
#include "engine/job.h"
#include "ledger/share/jobs.h"
#include "ledger/share/late.h"
#include "run/check.h"
#include "run/descriptors.h"
#include "run/job_ends.h"
#include "run/listener.h"
#include "run/monotonic.h"
#include "run/outputs.h"
#include "run/privacy.h"
#include "run/sending.h"
#include "run/share.h"
#include "run/target.h"
#include "run/threads.h"
#include "run/use_cases.h"

/* A worker at a job: its rows go through the engine, as those of a file do. */

/* The account's bucket has rate and burst, and goes slower for all where the platform asks for it.
 */
void share_pace(struct job_options *options)
{
    options->pacer.rate_count = options->pacer.rate_per_ms = 0;
    options->pacer.burst = 1;
    options->pacer.rate_is_asked = true;
    options->pacer.adaptive = false;
}

bool share_is_throttled(const struct job_attempt *attempt)
{
    return breaker_kind_of(attempt->outcome) == BREAKER_REFUSED;
}

static void tell_away(const struct person *person, const char *why)
{
    struct buf said;

    buf_init_text(&said, 4096);
    retranslate_said(span_string(why), &said);
    person_error(person, "the database is away (%s): no row is started until it is back",
                 buf_string(&said));
    buf_deinit(&said);
}

void share_tell(void *context, enum worker_news news, const char *why, size_t count)
{
    const struct person *person = context;

    if (news == WORKER_AWAY)
        tell_away(person, why);
    else if (news == WORKER_BACK)
        person_error(person, "the database is back");
    else if (news == WORKER_LOST)
        person_error(person,
                     "this worker stood still for longer than its lease: %zu part%s of the job "
                     "went to another worker; what had not left is not sent from here",
                     count, count == 1 ? "" : "s");
    else if (news == WORKER_UNKEPT)
        person_error(person,
                     "%s: were this worker to die before the database is back, the rows whose "
                     "results it has would be in doubt",
                     why);
    else
        person_note(person, news == WORKER_PAUSED ? "the job is paused" : "the job goes on");
}

/* Where it goes. */

static enum status set_account(struct share_target *target)
{
    return key_fingerprint(span_of(target->credentials.key, target->credentials.key_len),
                           target->account);
}

static int share_choose_target(const struct run_settings *settings, const struct person *person,
                               struct share_target *target)
{
    int result = target_choose(settings, person, &target->endpoint);

    if (result == 0)
        result = target_load_key(settings, person, &target->credentials);
    if (result == 0 && (target->credentials.key == NULL || set_account(target) != STATUS_OK)) {
        person_error(person, "without a key there is no account to share");
        result = EXIT_REFUSED;
    }
    return result;
}

static void share_target_deinit(struct share_target *target)
{
    credentials_deinit(&target->credentials);
    endpoint_deinit(&target->endpoint);
}

/* The key goes where this machine's operator has said, not where the database does. */
static int check_job(const struct run_settings *settings, const struct person *person,
                     const struct share_job *job, const struct share_target *target)
{
    if (strcmp(job->account, target->account) != 0) {
        person_error(person, "%s is a job of the account %s, and this key is that of %s",
                     settings->job, job->account, target->account);
        return EXIT_REFUSED;
    }
    if (strcmp(job->endpoint, settings->endpoint) != 0 || job->dialect != (int)settings->dialect) {
        person_error(person,
                     "%s goes to %s (--api v%d): say so with --endpoint and --api, if that "
                     "is where the key may go",
                     settings->job, job->endpoint, job->dialect + 1);
        return EXIT_USAGE;
    }
    return 0;
}

/* Rows. */

struct shared_rows {
    struct row_source base;
    struct worker *worker;
};

static enum status next(struct row_source *source, struct source_row *row, struct engine_time now)
{
    struct shared_rows *rows = (struct shared_rows *)source;
    struct worker_row given;

    (void)now;
    problems_clear(row->problems, 0, 0);
    enum status status = worker_next(rows->worker, &row->item->command, &given);
    row->again_ns = INT64_MAX;
    if (status != STATUS_OK)
        return status;
    row->item->id = given.id;
    row->item->operation = (enum operation)row->item->command.action;
    row->verdict = ITEM_GOOD;
    row->sent = given.sent;
    row->ambiguous = given.ambiguous;
    return STATUS_OK;
}

static struct source_place place(struct row_source *source)
{
    (void)source;
    return (struct source_place){.line = 0};
}

/* A call of nbatch work, or of nbatch run behind its load. */
struct work {
    const struct run_settings *settings;
    const struct person *person;
    struct database *database;
    struct share_target *target;
    struct share_job job;
    struct worker *worker;
    struct observers *observers;
    struct tally tally;
    struct halt halt;
    struct job_options options;
    struct job_result result;
    struct buf message;
    double seconds;
    bool has_sent;
    enum status status;
    /* Of the job, at the end. */
    uint64_t totals[ROW_STATUS_COUNT], twice;
};

static void on_event(void *context, enum job_event event, const struct job_status *status)
{
    struct work *work = context;

    observers_event(work->observers, event, status,
                    work->person->ops->pace(work->person, status->rows));
    work->person->ops->event(work->person, event, status);
}

static void on_attempt(void *context, const struct job_attempt *attempt)
{
    struct work *work = context;

    if (share_is_throttled(attempt))
        worker_throttle(work->worker);
    observers_attempt(work->observers, attempt);
    work->person->ops->attempt(work->person, attempt);
}

static enum job_key on_key_refused(void *context, struct buf *message)
{
    struct work *work = context;

    return target_renew_key(work->settings, &work->target->credentials, message);
}

static enum status make_worker(struct work *work)
{
    const struct run_settings *settings = work->settings;
    const struct worker_options options = {.where = settings->share,
                                           .account = work->target->account,
                                           .job = work->job.id,
                                           .job_name = settings->job,
                                           .loaded_us = work->job.loaded_us,
                                           .lease_ms = work->database->lease_ms,
                                           .rate = sending_rate_per_s(settings),
                                           .burst = settings->burst,
                                           .stride = (size_t)settings->concurrency,
                                           .tell = share_tell,
                                           .tell_context = (void *)(uintptr_t)work->person};

    return worker_new(&options, &work->worker);
}

/* Results that a worker which has died in this folder could not write. */
static int hand_in_late(struct work *work)
{
    const struct late_about about = {work->settings->job, work->job.id, work->job.loaded_us};
    struct buf others;
    uint64_t rows;

    buf_init(&others, 64 * 1024);
    enum status status = late_hand_in(work->database, &about, &rows, &others, &work->message);
    if (rows > 0)
        person_note(work->person,
                    "what became of %llu row%s, which a worker could not write: handed in",
                    (unsigned long long)rows, rows == 1 ? "" : "s");
    if (others.len > 0)
        person_error(work->person,
                     "warning: results that a worker could not write are kept in %s: of another "
                     "job %s than this one, which was removed or is in another database",
                     buf_string(&others), about.name);
    buf_deinit(&others);
    return status == STATUS_OK ? 0 : share_fail(work->person, &work->message, status);
}

static void prepare(struct work *work)
{
    const struct run_settings *settings = work->settings;
    struct job_options *options = &work->options;

    sending_options(settings, &work->halt, options);
    share_pace(options);
    options->retry.on_ambiguous = (enum on_ambiguous)work->job.on_ambiguous;
    options->transport =
        target_transport(settings, &work->target->endpoint, &work->target->credentials);
    options->peer = worker_peer(work->worker);
    options->renew_key = on_key_refused;
    options->renew_key_context = work;
    options->event = on_event;
    options->event_context = work;
    options->attempt = on_attempt;
    options->attempt_context = work;
}

static void send_rows(struct work *work)
{
    const struct person *person = work->person;
    struct shared_rows rows = {
        .base = {.name = work->settings->job, .fd = -1, .next = next, .place = place},
        .worker = work->worker};
    const struct watched watched = {.input = work->settings->job, .tally = &work->tally};
    double start_s = monotonic_s();

    person_note(person, "working at %s, %lld at a time, to %s%s", work->settings->job,
                (long long)work->settings->concurrency, work->target->endpoint.origin,
                work->target->endpoint.path);
    person->ops->begin(person, "sending", &watched);
    work->status = job_run(&rows.base, &work->options, worker_store(work->worker), &work->tally,
                           &work->result, &work->message);
    person->ops->end(person);
    struct store *store = worker_store(work->worker);
    struct buf message;
    buf_init_text(&message, 64 * 1024);
    if (store->finish(store, false, &message) != STATUS_OK) {
        person_error(person, "%s", buf_string(&message));
        work->result.end = JOB_FAILED;
    }
    buf_deinit(&message);
    if (work->status != STATUS_OK)
        work->result.end = JOB_FAILED;
    work->seconds = monotonic_s() - start_s;
}

/* The end. */

static bool is_stopped(const struct work *work)
{
    return work->result.end == JOB_COMPLETE && worker_was_stopped(work->worker);
}

/* By the rows of the whole job. */
static int judge(const struct work *work)
{
    const struct ending ending = {.end = is_stopped(work) ? JOB_HALTED : work->result.end,
                                  .signal_number = work->result.signal_number,
                                  .in_doubt = work->totals[ROW_IN_DOUBT] > 0,
                                  .all_accepted = work->totals[ROW_ACCEPTED] == work->job.rows};

    return job_exit_status(&ending);
}

static void add_totals(const struct work *work, const char *form, struct buf *out)
{
    for (int i = 0; i < ROW_STATUS_COUNT; i++)
        if (work->totals[i] > 0 || form[0] == ',')
            buf_add_format(out, form, row_status_name((enum row_status)i),
                           (unsigned long long)work->totals[i]);
}

static bool print_json(const struct work *work, int exit_status)
{
    struct buf out;

    buf_init(&out, 64 * 1024);
    buf_add_string(&out, "{\"command\":\"work\",\"job\":");
    buf_add_json_string(&out, span_string(work->settings->job));
    buf_add_format(&out, ",\"end\":\"%s\",\"rows\":%llu",
                   is_stopped(work) ? "stopped" : job_end_name(work->result.end),
                   (unsigned long long)work->job.rows);
    add_totals(work, ",\"%s\":%llu", &out);
    buf_add_format(&out,
                   ",\"twice\":%llu,\"worker\":{\"rows\":%llu,\"attempts\":%llu,"
                   "\"seconds\":%.3f},\"exit_status\":%d}\n",
                   (unsigned long long)work->twice, (unsigned long long)tally_total(&work->tally),
                   (unsigned long long)work->tally.attempts, work->seconds, exit_status);
    bool given = out.status == STATUS_OK && person_give(work->person, buf_span(&out));
    buf_deinit(&out);
    return given;
}

static int summarize(const struct work *work, int exit_status)
{
    unsigned long long mine = tally_total(&work->tally);
    uint64_t done = 0;
    struct buf text;

    for (size_t i = 0; i < ROW_STATUS_COUNT; i++)
        done += work->totals[i];
    buf_init_text(&text, 64 * 1024);
    buf_add_format(&text, "%s: %llu of %llu rows have their result", work->settings->job,
                   (unsigned long long)done, (unsigned long long)work->job.rows);
    add_totals(work, "; %s %llu", &text);
    person_note(work->person, "%s", buf_string(&text));
    buf_deinit(&text);
    person_note(work->person,
                "%llu of them are this worker's, in %.2f s; nbatch results --job %s "
                "gives them all",
                mine, work->seconds, work->settings->job);
    if (work->settings->json && !print_json(work, exit_status))
        return EXIT_INTERNAL;
    return exit_status;
}

static enum status read_totals(struct work *work, struct buf *message)
{
    struct database database = {.connection = NULL};

    buf_clear(message);
    enum status status = share_connect(work->settings, work->person, message, &database);
    if (status == STATUS_OK)
        status = share_job_totals(&database, work->job.id, message, work->totals, &work->twice);
    database_close(&database);
    return status;
}

static int conclude(struct work *work)
{
    struct buf message;

    if (work->message.len > 0 && !worker_store(work->worker)->has_failed) /* else it was said why */
        person_error(work->person, "%s", buf_string(&work->message));
    if (is_stopped(work))
        person_error(work->person, "the job was stopped");
    if (worker_has_given_up(work->worker)) {
        person_note(work->person, "nbatch jobs tells how far %s is, once the database answers",
                    work->settings->job);
        return EXIT_INTERNAL;
    }
    buf_init_text(&message, 64 * 1024);
    enum status status = read_totals(work, &message);
    if (status == STATUS_NETWORK) /* this connection was cut; another one need not be */
        status = read_totals(work, &message);
    if (status != STATUS_OK)
        person_failure(work->person, &message, status);
    buf_deinit(&message);
    return status == STATUS_OK ? summarize(work, judge(work)) : EXIT_INTERNAL;
}

/* The log and the metrics of a worker; which rows will be its own is not known. */
static int start_observers(struct work *work)
{
    const struct observed_run observed = {.results = work->settings->job,
                                          .endpoint = work->target->endpoint.origin,
                                          .tally = &work->tally,
                                          .has_results = true};
    enum status status = observers_start(work->observers, &observed, &work->message);

    if (status != STATUS_OK)
        person_failure(work->person, &work->message, status);
    return status == STATUS_OK ? 0 : EXIT_USAGE;
}

static void end_observers(struct work *work, int exit_status)
{
    bool is_over = work->has_sent;

    if (!work->observers->started) /* the caller knows why */
        return;
    observers_close(work->observers,
                    &(struct observed_end){.end = !is_over ? job_end_name(JOB_FAILED)
                                                  : is_stopped(work)
                                                      ? "stopped"
                                                      : job_end_name(work->result.end),
                                           .message = buf_string(&work->message),
                                           .retries = work->result.retries,
                                           .allowed = work->result.allowed,
                                           .late_per_s = work->result.late_per_s,
                                           .seconds = work->seconds,
                                           .exit_status = exit_status});
}

/* Works at the job that --job names until it is complete; the database is closed. */
static int share_work(const struct run_settings *given, const struct person *person,
                      struct database *database, struct share_target *target,
                      struct observers *observers)
{
    struct run_settings settings = *given;
    struct work *work = calloc(1, sizeof(*work));

    if (work == NULL)
        return EXIT_INTERNAL;
    work->settings = &settings;
    work->person = person;
    work->database = database;
    work->target = target;
    work->observers = observers;
    buf_init_text(&work->message, 64 * 1024);
    int result = descriptors_settle(&settings, person);
    if (result == 0)
        result = threads_check(person);
    if (result == 0)
        result = share_find(&settings, person, database, &work->job);
    if (result == 0)
        result = check_job(&settings, person, &work->job, target);
    if (result == 0)
        result = hand_in_late(work);
    if (result == 0 && make_worker(work) != STATUS_OK)
        result = EXIT_INTERNAL;
    database_close(database);
    if (result == 0)
        result = start_observers(work);
    if (result == 0) {
        prepare(work);
        send_rows(work);
        work->has_sent = true;
        result = conclude(work);
    }
    end_observers(work, result);
    worker_free(work->worker);
    share_job_deinit(&work->job);
    buf_deinit(&work->message);
    free(work);
    return result;
}

static int open_observers(const struct run_settings *settings, const struct person *person,
                          struct observers *observers)
{
    struct buf message;

    buf_init_text(&message, 64 * 1024);
    enum status status = observers_open(observers, settings, person, &message);
    if (status != STATUS_OK)
        person_failure(person, &message, status);
    buf_deinit(&message);
    if (status == STATUS_OK)
        return 0;
    return status == STATUS_USAGE ? EXIT_USAGE : EXIT_INTERNAL;
}

/* The end of what began with open_observers. */
static int close_observers(struct observers *observers, struct listener *listener, int result)
{
    observers_close(observers, &(struct observed_end){.message = listener_error(listener),
                                                      .exit_status = result});
    listener_deinit(listener);
    return result;
}

int run_work(const struct run_settings *given, const struct person *real)
{
    struct run_settings settings = *given;
    struct database database = {.connection = NULL};
    struct share_target target = {.account = ""};
    struct observers observers = {.input = NULL};
    struct listener listener;

    if (settings.job == NULL) {
        person_error(real, "which job? --job NAME; nbatch jobs lists them");
        return EXIT_USAGE;
    }
    const struct person *person = listener_init(&listener, real);
    int result = outputs_check(&settings, NULL, person);
    settings.input = settings.job; /* as log and metrics name it */
    if (result == 0)
        result = open_observers(&settings, person, &observers);
    if (result == 0)
        result = share_open(&settings, person, &database);
    if (result == 0)
        result = share_choose_target(&settings, person, &target);
    if (result == 0)
        result = share_work(&settings, person, &database, &target, &observers);
    share_target_deinit(&target);
    database_close(&database);
    return close_observers(&observers, &listener, result);
}

int run_share_send(const struct run_settings *given, const struct person *real)
{
    struct run_settings settings = *given;
    struct database database = {.connection = NULL};
    struct share_target target = {.account = ""};
    struct observers observers = {.input = NULL};
    struct listener listener;
    char *name = NULL;
    const struct person *person = listener_init(&listener, real);
    int result = share_check_options(&settings, person);

    privacy_follow(settings.input);
    interrupt_watch();
    if (result == 0)
        result = outputs_check(&settings, NULL, person);
    if (result == 0)
        result = check_problem_path(&settings, person);
    if (result == 0)
        result = open_observers(&settings, person, &observers);
    if (result == 0)
        result = share_open(&settings, person, &database);
    if (result == 0)
        result = share_choose_target(&settings, person, &target);
    if (result == 0) {
        observers_phase(&observers, PHASE_CHECK);
        result = share_load(&settings, person, &database, &target, &name);
    }
    if (result == 0) {
        settings.job = observers.log.job = name;
        result = share_work(&settings, person, &database, &target, &observers);
    }
    result = close_observers(&observers, &listener, result);
    free(name);
    share_target_deinit(&target);
    database_close(&database);
    return result;
}
