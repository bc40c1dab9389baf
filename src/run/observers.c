#include "run/observers.h"

#include <time.h>

static int64_t wall_clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum status observers_open(struct observers *observers, const struct run_settings *settings,
                           const struct person *person, struct buf *message)
{
    enum status status = STATUS_OK;

    observers->person = person;
    if (settings->log != NULL)
        status = event_log_open(&observers->log, settings->log, person, message);
    if (status == STATUS_OK && settings->metrics_file != NULL)
        status = metrics_file_open(&observers->metrics, settings->metrics_file, message);
    return status;
}

static uint64_t maybe_twice(const struct observed_run *run)
{
    return run->tally->twice + (run->earlier_twice != NULL ? *run->earlier_twice : 0);
}

static enum status write_metrics(struct observers *observers, struct metrics *metrics,
                                 struct buf *message)
{
    const struct job_status *last = &observers->last;
    struct buf text;

    metrics->input = observers->run.input;
    metrics->version = NBATCH_VERSION;
    metrics->tally = observers->run.tally;
    metrics->twice = maybe_twice(&observers->run);
    metrics->expected = observers->run.rows;
    metrics->concurrency = last->concurrency;
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

    buf_init(&message, 64 * 1024);
    if (write_metrics(observers, metrics, &message) != STATUS_OK && !observers->metrics.failed) {
        person_error(observers->person, "%s", buf_string(&message));
        observers->metrics.failed = true;
    }
    buf_deinit(&message);
}

enum status observers_start(struct observers *observers, const struct observed_run *run,
                            struct buf *message)
{
    struct event_log *log = &observers->log;
    struct metrics metrics = {.input = run->input};

    observers->run = *run;
    observers->started = true;
    observers->start_ms = wall_clock_ms();
    observers->last.concurrency = (size_t)run->settings->concurrency;
    event_log_begin(log, "start");
    event_log_add_text(log, "version", NBATCH_VERSION);
    event_log_add_text(log, "input", run->input);
    event_log_add_text(log, "results", run->results);
    event_log_add_text(log, "endpoint", run->endpoint);
    if (run->rows > 0)
        event_log_add_number(log, "rows", (int64_t)run->rows);
    event_log_add_number(log, "concurrency", run->settings->concurrency);
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

/* How the run stands, in the log. */
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
    if (event == JOB_EVENT_STOPPED)
        event_log_add_text(log, "why", status->why);
    if (event == JOB_EVENT_SHORTAGE)
        event_log_add_text(log, "what", status->shortage);
    if (event == JOB_EVENT_CANARY || event == JOB_EVENT_CANARY_PAUSE ||
        (event == JOB_EVENT_STOPPED && canary_is_lost(status->canary)))
        add_canary(log, status->canary);
    add_status(log, status);
    event_log_end(log);
    event_log_flush(log);
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
    char class[RETRY_CASE_NAME_MAX + 1];

    if (!observers->person->verbose)
        return;
    retry_case_name(attempt->decision->rule, outcome, class);
    event_log_begin(log, "attempt");
    event_log_add_number(log, "row", (int64_t)attempt->row);
    event_log_add_number(log, "line", (int64_t)attempt->line);
    event_log_add_number(log, "attempt", attempt->number);
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

void observers_end(struct observers *observers, const struct observed_end *end)
{
    const struct tally *tally = observers->run.tally;
    struct event_log *log = &observers->log;
    struct metrics metrics = {.retries = end->retries,
                              .ended = true,
                              .exit_status = end->exit_status};

    event_log_begin(log, "end");
    event_log_add_text(log, "end", end->end);
    if (end->message[0] != '\0')
        event_log_add_text(log, "why", end->message);
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++)
        event_log_add_number(log, row_status_name((enum row_status)i), (int64_t)tally->rows[i]);
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

void observers_refused(struct observers *observers, const struct observed_run *run, int exit_status)
{
    struct event_log *log = &observers->log;
    struct metrics metrics = {.ended = true, .exit_status = exit_status};

    observers->run = *run;
    observers->start_ms = wall_clock_ms();
    event_log_begin(log, "refused");
    event_log_add_text(log, "version", NBATCH_VERSION);
    event_log_add_text(log, "input", run->input);
    event_log_add_number(log, "exit_status", exit_status);
    event_log_end(log);
    if (observers->metrics.path != NULL)
        update_metrics(observers, &metrics);
}

void observers_close(struct observers *observers)
{
    event_log_close(&observers->log);
    metrics_file_close(&observers->metrics);
}
