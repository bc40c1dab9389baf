#include "run/observers.h"

#include <time.h>
#include <unistd.h>

#include "core/original.h"
#include "core/when.h"
#include "run/exit_status.h"
#include "run/listener.h"

static const struct tally no_rows;

static int64_t wall_clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint64_t maybe_twice(const struct observed_run *run)
{
    return run->tally->twice + (run->earlier_twice != NULL ? *run->earlier_twice : 0);
}

/* What the results hold. A run that was refused has none: those of the run before it are still the
 * job's, with whatever is to be settled there. */
static void set_results(const struct observers *observers, uint64_t results[ROW_STATUS_COUNT],
                        struct metrics *metrics)
{
    const struct observed_run *run = &observers->run;
    const struct metrics_past *past = &observers->past;

    for (size_t i = 0; i < ROW_STATUS_COUNT; i++)
        results[i] = !observers->started
                         ? past->results[i]
                         : run->tally->rows[i] + (run->earlier != NULL ? run->earlier[i] : 0);
    if (observers->started ? run->has_results : past->has_results)
        metrics->results = results;
    metrics->twice = observers->started ? maybe_twice(run) : past->twice;
}

/* A rehearsal is none. */
static bool is_success(const struct observers *observers, const struct metrics *metrics)
{
    return metrics->ended && metrics->exit_status == EXIT_ALL_ACCEPTED &&
           observers->settings->simulate == NULL;
}

static enum status write_metrics(struct observers *observers, struct metrics *metrics,
                                 struct buf *message)
{
    const struct job_status *last = &observers->last;
    uint64_t results[ROW_STATUS_COUNT];
    struct buf text;

    metrics->input = observers->input;
    metrics->job = observers->settings->job;
    metrics->phase = observers->phase;
    set_results(observers, results, metrics);
    metrics->last_success_s = is_success(observers, metrics) ? (double)wall_clock_ms() / 1000
                                                             : observers->past.last_success_s;
    metrics->version = NBATCH_VERSION;
    metrics->tally = observers->run.tally;
    metrics->expected = observers->run.rows;
    metrics->concurrency = last->concurrency;
    metrics->rollout = observers->rollout;
    metrics->rate_limit_per_s = (double)last->rate_per_hour / 3600;
    metrics->start_ms = observers->start_ms;
    metrics->now_ms = wall_clock_ms();
    buf_init(&text, 1024 * 1024);
    metrics_add_text(metrics, &text);
    enum status status = text.status;
    if (status == STATUS_OK)
        status = metrics_file_write(&observers->metrics, buf_span(&text), message);
    buf_deinit(&text);
    return status;
}

/* A run goes on without its metrics; that is told once. */
static void update_metrics(struct observers *observers, struct metrics *metrics)
{
    struct buf message;

    buf_init_text(&message, 64 * 1024);
    if (write_metrics(observers, metrics, &message) != STATUS_OK && !observers->metrics.failed) {
        person_error(observers->person, "%s", buf_string(&message));
        observers->metrics.failed = true;
    }
    buf_deinit(&message);
}

/* What a person is told, which programs read as well: in English. */
static void add_why(struct event_log *log, const char *why)
{
    struct buf english;

    if (log->path == NULL)
        return;
    buf_init(&english, LISTENER_ERROR_MAX);
    original_add(span_string(why), &english);
    event_log_add_text(log, "why", buf_string(&english));
    buf_deinit(&english);
}

static void add_time(struct event_log *log, const char *name, int64_t time_s)
{
    char text[WHEN_UTC_LENGTH + 1];

    if (time_s == 0)
        return;
    when_format_utc(time_s * 1000, text);
    event_log_add_text(log, name, text);
}

static char *name_input(const char *input)
{
    if (strcmp(input, "-") == 0)
        return strdup("standard input");
    char *absolute = realpath(input, NULL);
    return absolute != NULL ? absolute : strdup(input);
}

/* As it was typed, and where that is. */
static void add_input(struct observers *observers)
{
    const char *typed = observers->settings->input;
    bool is_stdin = strcmp(typed, "-") == 0;

    if (typed[0] == '\0') /* words that cannot be understood may have none */
        return;
    event_log_add_text(&observers->log, "input", is_stdin ? observers->input : typed);
    if (!is_stdin)
        event_log_add_text(&observers->log, "input_path", observers->input);
}

static void log_begin(struct observers *observers)
{
    struct event_log *log = &observers->log;

    event_log_begin(log, "begin");
    event_log_add_text(log, "version", NBATCH_VERSION);
    event_log_add_number(log, "pid", getpid());
    add_input(observers);
    event_log_end(log);
    event_log_flush(log);
}

/* Rows by status, and those of another count with them. */
static void add_rows(struct event_log *log, const char *prefix,
                     const uint64_t rows[ROW_STATUS_COUNT], const uint64_t *more)
{
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "%s%s", prefix, row_status_name((enum row_status)i));
        event_log_add_number(log, name, (int64_t)(rows[i] + (more != NULL ? more[i] : 0)));
    }
}

static void add_digest(struct event_log *log, uint64_t size, uint64_t digest)
{
    char hash[17];

    if (size == 0)
        return;
    (void)snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)digest);
    event_log_add_number(log, "input_size", (int64_t)size);
    event_log_add_text(log, "input_xxh3", hash);
}

/* Where one of them cannot be opened, the other is told of it all the same. */
static enum status open_both(struct observers *observers, struct buf *message)
{
    const struct run_settings *settings = observers->settings;
    enum status log = STATUS_OK, metrics = STATUS_OK;
    struct buf second;

    buf_init_text(&second, 64 * 1024);
    if (settings->log != NULL)
        log = event_log_open(&observers->log, settings->log, observers->person, message);
    observers->log.job = settings->job;
    if (settings->metrics_file != NULL)
        metrics = metrics_file_open(&observers->metrics, settings, observers->input,
                                    &observers->past, log == STATUS_OK ? message : &second);
    buf_deinit(&second);
    return log != STATUS_OK ? log : metrics;
}

static void add_options(struct event_log *log, const struct run_settings *settings)
{
    if (settings->shown_count > 0) /* words that cannot be understood are none */
        event_log_add_entries(log, "options", settings->shown, settings->shown_count);
}

enum status observers_open(struct observers *observers, const struct run_settings *settings,
                           const struct person *person, struct buf *message)
{
    if (settings->following != NULL)
        settings->following->is_told = true;
    observers->person = person;
    observers->settings = settings;
    observers->input = name_input(settings->input);
    observers->start_ms = wall_clock_ms();
    observers->run.tally = &no_rows;
    observers->last.concurrency = (size_t)settings->concurrency;
    if (observers->input == NULL)
        return STATUS_NO_MEMORY;
    enum status status = open_both(observers, message);
    if (observers->log.path != NULL)
        log_begin(observers);
    if (status != STATUS_OK || observers->metrics.path == NULL)
        return status;
    struct metrics metrics = {.concurrency = 0};
    status = write_metrics(observers, &metrics, message);
    return status == STATUS_IO ? STATUS_USAGE : status;
}

void observers_phase(struct observers *observers, enum phase phase)
{
    struct metrics metrics = {.concurrency = 0};

    observers->phase = phase;
    event_log_begin(&observers->log, "phase");
    event_log_add_text(&observers->log, "phase", phase_name(phase));
    event_log_end(&observers->log);
    event_log_flush(&observers->log);
    if (observers->metrics.path != NULL)
        update_metrics(observers, &metrics);
}

enum status observers_start(struct observers *observers, const struct observed_run *run,
                            struct buf *message)
{
    struct event_log *log = &observers->log;
    struct metrics metrics = {.concurrency = 0};

    observers->run = *run;
    observers->started = true;
    observers->phase = PHASE_SEND;
    event_log_begin(log, "start");
    event_log_add_text(log, "version", NBATCH_VERSION);
    add_input(observers);
    add_digest(log, run->input_size, run->input_hash);
    event_log_add_text(log, "results", run->results);
    event_log_add_bool(log, "resumed", observers->settings->resume.on);
    event_log_add_text(log, "endpoint", run->endpoint);
    if (run->has_rows)
        event_log_add_number(log, "rows", (int64_t)run->rows);
    event_log_add_number(log, "concurrency", observers->settings->concurrency);
    if (run->earlier != NULL)
        add_rows(log, "earlier_", run->earlier, NULL);
    add_options(log, observers->settings);
    add_time(log, "embargo_until", run->embargo_s);
    event_log_end(log);
    event_log_flush(log);
    return observers->metrics.path != NULL ? write_metrics(observers, &metrics, message)
                                           : STATUS_OK;
}

/* What it waits for; NULL: nothing. */
static const char *wait_of(const struct job_status *status)
{
    static const char *const names[] = {
        [PACER_GO] = NULL,         [PACER_RATE] = "rate",    [PACER_HOST] = "retry_after",
        [PACER_OUTAGE] = "outage", [PACER_PAUSED] = "pause", [PACER_SHORTAGE] = "shortage",
        [PACER_READER] = "reader", [PACER_DISK] = "disk",
    };

    if (status->wait == PACER_RATE && status->is_limited)
        return "platform_limit";
    if (status->wait == PACER_GO &&
        (status->canary->state == CANARY_WAITING || status->canary->state == CANARY_PAUSING))
        return "canary";
    return names[status->wait];
}

/* How far the run has come, in the log. */
static void add_status(struct event_log *log, const struct job_status *status)
{
    event_log_add_number(log, "rows", (int64_t)status->rows);
    event_log_add_number(log, "in_flight", (int64_t)status->in_flight);
    event_log_add_number(log, "retries", (int64_t)status->retries);
    event_log_add_number(log, "concurrency", (int64_t)status->concurrency);
    if (status->rate_per_hour > 0)
        event_log_add_number(log, "rate_per_hour", status->rate_per_hour);
    if (wait_of(status) != NULL)
        event_log_add_text(log, "waits_for", wait_of(status));
}

/* How its rows have ended, in the log. */
static void add_canary(struct event_log *log, const struct canary *canary)
{
    event_log_add_number(log, "canary_rows", (int64_t)canary->rows);
    event_log_add_number(log, "canary_needed", (int64_t)canary_needed(canary));
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "canary_%s", row_status_name((enum row_status)i));
        if (canary->by_status[i] > 0 || i == ROW_ACCEPTED)
            event_log_add_number(log, name, (int64_t)canary->by_status[i]);
    }
}

static void log_event(struct observers *observers, enum job_event event,
                      const struct job_status *status)
{
    static const char *const names[] = {
        [JOB_EVENT_STATUS] = "status",
        [JOB_EVENT_PAUSED] = "paused",
        [JOB_EVENT_RESUMED] = "resumed",
        [JOB_EVENT_SLOWER] = "slower",
        [JOB_EVENT_RECOVERED] = "recovered",
        [JOB_EVENT_OUTAGE] = "outage",
        [JOB_EVENT_OUTAGE_OVER] = "outage_over",
        [JOB_EVENT_CANARY] = "canary_done",
        [JOB_EVENT_CANARY_PAUSE] = "canary_pause",
        [JOB_EVENT_SHORTAGE] = "shortage",
        [JOB_EVENT_DRAINING] = "interrupted",
        [JOB_EVENT_ABORTING] = "aborted",
        [JOB_EVENT_STOPPED] = "stopped",
        [JOB_EVENT_VALID_NOW] = "valid_now",
        [JOB_EVENT_KEY] = "key_renewed",
        [JOB_EVENT_CLOCK] = "clock",
    };
    struct event_log *log = &observers->log;

    event_log_begin(log, names[event]);
    if (event == JOB_EVENT_DRAINING)
        event_log_add_number(log, "signal", status->signal_number);
    if (event == JOB_EVENT_CLOCK)
        event_log_add_number(log, "off_s", status->clock_off_s);
    if (event == JOB_EVENT_STOPPED || event == JOB_EVENT_OUTAGE)
        add_why(log, status->why);
    if (event == JOB_EVENT_SHORTAGE)
        event_log_add_text(log, "what", status->shortage);
    if (event == JOB_EVENT_CANARY || event == JOB_EVENT_CANARY_PAUSE ||
        (event == JOB_EVENT_STOPPED && canary_is_lost(status->canary)))
        add_canary(log, status->canary);
    add_status(log, status);
    event_log_end(log);
    event_log_flush(log);
}

void observers_rollout(struct observers *observers, const char *event,
                       const struct rollout_standing *rollout)
{
    struct event_log *log = &observers->log;

    observers->rollout = rollout;
    event_log_begin(log, event);
    event_log_add_number(log, "step", (int64_t)rollout->step);
    event_log_add_number(log, "steps", (int64_t)rollout->steps);
    event_log_add_number(log, "first_row", (int64_t)rollout->first_row);
    event_log_add_number(log, "until_row", (int64_t)rollout->until_row);
    add_time(log, "began_at", rollout->began_s);
    add_time(log, "waits_until", rollout->deadline_s);
    if (rollout->commands > 0) {
        event_log_add_number(log, "commands", (int64_t)rollout->commands);
        event_log_add_number(log, "needed", (int64_t)rollout->needed);
        event_log_add_number(log, "delivered", (int64_t)rollout->delivered);
        event_log_add_number(log, "lost", (int64_t)rollout->lost);
    }
    event_log_end(log);
    event_log_flush(log);
}

static void log_refusals(struct observers *observers, const char *event,
                         const struct refusal_kind *kind)
{
    struct event_log *log = &observers->log;

    event_log_begin(log, event);
    event_log_add_text(log, "kind", kind->name);
    event_log_add_number(log, "count", (int64_t)kind->count);
    if (kind->error[0] != '\0')
        event_log_add_text(log, "error", kind->error);
    event_log_end(log);
    event_log_flush(log);
}

static void look_at_refusals(struct observers *observers)
{
    const struct refusal_kind *ended;

    while ((ended = refusals_ended(&observers->refusals, wall_clock_ms())) != NULL)
        log_refusals(observers, "refusals_end", ended);
}

void observers_event(struct observers *observers, enum job_event event,
                     const struct job_status *status, double rows_per_s)
{
    observers->last = *status;
    observers->last.why = observers->last.shortage = NULL;
    observers->last.canary = NULL;
    if (event != JOB_EVENT_TICK)
        log_event(observers, event, status);
    else
        event_log_flush(&observers->log);
    look_at_refusals(observers);
    if (!metrics_file_is_due(&observers->metrics))
        return;
    struct metrics metrics = {.retries = status->retries,
                              .in_flight = status->in_flight,
                              .waiting = status->waiting,
                              .rows_per_s = rows_per_s,
                              .paused = status->wait != PACER_GO && status->wait != PACER_RATE};
    update_metrics(observers, &metrics);
}

void observers_attempt(struct observers *observers, const struct job_attempt *attempt)
{
    const struct outcome *outcome = attempt->outcome;
    struct event_log *log = &observers->log;
    char class[RETRY_CASE_NAME_MAX + 1], kind[32];

    if (log->path == NULL || (!observers->person->verbose && outcome->class == OUTCOME_ACCEPTED))
        return;
    retry_case_name(attempt->decision->rule, outcome, class);
    if (outcome->has_errno) /* each number is a kind of its own */
        (void)snprintf(kind, sizeof(kind), "errno %lld", (long long)outcome->platform_errno);
    const struct refusal_kind *begun =
        outcome->class != OUTCOME_ACCEPTED
            ? refusals_add(&observers->refusals, outcome->has_errno ? kind : class, outcome->error,
                           wall_clock_ms())
            : NULL;
    if (begun != NULL)
        log_refusals(observers, "refusals_begin", begun);
    if (!observers->person->verbose)
        return;
    event_log_begin(log, "attempt");
    if (attempt->row > 0)
        event_log_add_number(log, "row", (int64_t)attempt->row);
    event_log_add_number(log, "line", (int64_t)attempt->line);
    event_log_add_number(log, "attempt", attempt->number);
    if (!operation_is_submit(attempt->operation))
        event_log_add_text(log, "asked", operations[attempt->operation].name);
    event_log_add_text(log, "class", class);
    if (outcome->http_status != 0)
        event_log_add_number(log, "http_status", outcome->http_status);
    if (outcome->has_errno)
        event_log_add_number(log, "errno", outcome->platform_errno);
    if (outcome->error[0] != '\0')
        event_log_add_text(log, "error", outcome->error);
    event_log_add_thousandths(log, "latency_ms", attempt->latency_us);
    if (attempt->decision->again)
        event_log_add_number(log, "again_in_ms", attempt->decision->delay_ms);
    event_log_end(log);
}

static void tell_end(struct observers *observers, const struct observed_end *end)
{
    const struct tally *tally = observers->run.tally;
    struct event_log *log = &observers->log;
    struct metrics metrics = {.retries = end->retries,
                              .ended = true,
                              .exit_status = end->exit_status};

    event_log_begin(log, "end");
    event_log_add_text(log, "end", end->end);
    if (end->message[0] != '\0')
        add_why(log, end->message);
    add_rows(log, "", tally->rows, NULL);
    if (observers->run.earlier != NULL)
        add_rows(log, "total_", tally->rows, observers->run.earlier);
    event_log_add_number(log, "maybe_twice", (int64_t)maybe_twice(&observers->run));
    event_log_add_number(log, "attempts", (int64_t)tally->attempts);
    event_log_add_number(log, "retries", (int64_t)end->retries);
    event_log_add_thousandths(log, "seconds", (int64_t)(end->seconds * 1000));
    if (end->allowed > 0)
        event_log_add_thousandths(log, "allowed_per_second", (int64_t)(end->allowed * 1000));
    if (end->late_per_s > 0)
        event_log_add_thousandths(log, "rows_per_second_last_10s",
                                  (int64_t)(end->late_per_s * 1000));
    event_log_add_number(log, "exit_status", end->exit_status);
    event_log_end(log);
    if (observers->metrics.path != NULL)
        update_metrics(observers, &metrics);
}

/* Nothing was sent. */
static void tell_refusal(struct observers *observers, const struct observed_end *end)
{
    struct event_log *log = &observers->log;
    struct metrics metrics = {.ended = true, .exit_status = end->exit_status};
    bool is_signal = end->exit_status > EXIT_SIGNAL;

    event_log_begin(log, is_signal ? "end" : "refused");
    if (is_signal)
        event_log_add_text(log, "end", "interrupted");
    event_log_add_text(log, "version", NBATCH_VERSION);
    add_input(observers);
    add_digest(log, end->input_size, end->input_hash);
    event_log_add_text(log, "phase", phase_name(observers->phase));
    add_why(log, end->message);
    event_log_add_number(log, "exit_status", end->exit_status);
    add_options(log, observers->settings);
    event_log_end(log);
    if (observers->metrics.path != NULL)
        update_metrics(observers, &metrics);
}

void observers_close(struct observers *observers, const struct observed_end *end)
{
    if (observers->input != NULL && observers->started)
        tell_end(observers, end);
    else if (observers->input != NULL)
        tell_refusal(observers, end);
    event_log_close(&observers->log);
    metrics_file_close(&observers->metrics);
    free(observers->input);
    *observers = (struct observers){.input = NULL};
}
