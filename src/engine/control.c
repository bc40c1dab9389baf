#include "core/redact.h"
#include "engine/job_impl.h"

enum { SHORTAGE_WAIT_MAX_MS = 60 * 1000 };

/* SIGQUIT is left as the hard way out. */
static const struct {
    int number;
    const char *what; /* NULL: it does not end the run */
} job_signals[JOB_SIGNALS] = {
    {SIGINT, "interrupted"},
    {SIGTERM, "terminated"},
    {SIGHUP, "hung up: the terminal is gone (SIGHUP)"},
    {SIGALRM, "out of time (SIGALRM)"},
    {SIGXCPU, "out of processor time (SIGXCPU, ulimit -t)"},
    {SIGUSR1, NULL},
    {SIGUSR2, NULL},
};

void job_tell(struct job *job, enum job_event event)
{
    int64_t wait_ms = job->wake_ns == INT64_MAX ? -1 : (job->wake_ns - job_now_ns()) / 1000000;
    int64_t canary_ms = canary_wake_ms(&job->canary);
    const struct job_status status = {
        .rows = job->store->count,
        .in_flight = job->scheduler.in_flight,
        .waiting = job->scheduler.held - job->scheduler.in_flight + job->admissions.count,
        .retries = job->result.retries,
        .wait = job->wait,
        .wait_ms = wait_ms > 0 ? wait_ms : -1,
        .rate_per_hour = pacer_rate_per_hour(&job->pacer),
        .concurrency = job->scheduler.concurrency,
        .signal_number = job->result.signal_number,
        .canary = &job->canary,
        .canary_wait_ms = canary_ms == INT64_MAX ? -1 : canary_ms - job_now_ms(),
        .shortage = job->shortage.error != 0 ? shortage_text(job->shortage.error) : "",
        .clock_off_s = job->clock_off_s,
        .why = job_is_stopping(job) ? buf_string(job->message) : "",
    };

    if (job->options->event != NULL)
        job->options->event(job->options->event_context, event, &status);
}

void job_tell_attempt(const struct job_row *row, const struct outcome *outcome,
                      const struct retry_decision *decision, int64_t latency_us)
{
    const struct job_options *options = row->job->options;
    const struct job_attempt attempt = {.row = row->command.row,
                                        .line = row->command.line,
                                        .number = row->so_far.tries,
                                        .outcome = outcome,
                                        .decision = decision,
                                        .latency_us = latency_us};

    if (options->attempt != NULL)
        options->attempt(options->attempt_context, &attempt);
}

void job_stop(struct job *job, enum job_end end, const char *text)
{
    if (job_is_stopping(job))
        return;
    job->result.end = end;
    if (text != NULL)
        buf_add_string(job->message, text);
    redact_text(job->message->ptr, &job->message->len, REDACT_MIN);
    if (end != JOB_INTERRUPTED)
        job_tell(job, JOB_EVENT_STOPPED);
}

void job_fail(struct job *job, enum status status, const char *text)
{
    if (job_is_stopping(job) && job->status != STATUS_OK)
        return;
    job->status = status;
    job->result.end = JOB_FAILED;
    buf_clear(job->message);
    if (text != NULL)
        buf_add_string(job->message, text);
    job_tell(job, JOB_EVENT_STOPPED);
}

void job_set_concurrency(struct job *job)
{
    size_t wanted = pacer_concurrency(&job->pacer);

    scheduler_set_concurrency(&job->scheduler,
                              shortage_limit(&job->shortage, wanted, job_now_ms()));
}

void job_take_shortage(struct job *job, int error)
{
    int64_t now_ms = job_now_ms(), wait_ms = job->options->outage_wait_ms;
    bool is_news = shortage_add(&job->shortage, error, job->scheduler.in_flight, now_ms);

    job_set_concurrency(job);
    if (is_news)
        job_tell(job, JOB_EVENT_SHORTAGE);
    if (wait_ms > SHORTAGE_WAIT_MAX_MS)
        wait_ms = SHORTAGE_WAIT_MAX_MS;
    if (!shortage_lasts(&job->shortage, wait_ms, now_ms))
        return;
    buf_add_format(job->message,
                   "nothing could be sent for %lld s, since this machine is short of %s",
                   (long long)(wait_ms / 1000), shortage_text(error));
    job_stop(job, JOB_SHORTAGE, NULL);
}

/* Whether the row that has just ended was the last one of the input. */
static bool has_no_other(const struct job *job)
{
    return job->input_ended && job->admissions.count == 0 && job->scheduler.held <= 1;
}

void job_watch_canary(struct job *job, enum row_status status)
{
    struct canary *canary = &job->canary;

    canary_end(canary, status, job_now_ms());
    if (job_is_stopping(job))
        return;
    if (canary_is_lost(canary) && !has_no_other(job)) {
        buf_add_format(job->message, "of the canary's %llu row%s, %llu %s to be accepted: ",
                       (unsigned long long)canary->rows, canary->rows == 1 ? "" : "s",
                       (unsigned long long)canary_needed(canary),
                       canary_needed(canary) == 1 ? "was" : "were");
        canary_describe(canary, job->message);
        buf_add_string(job->message, " (--canary-accept); the other rows are not sent");
        job_stop(job, JOB_CANARY, NULL);
    } else if (canary->state == CANARY_PAUSING && canary->pause_ms > 0) {
        job_tell(job, JOB_EVENT_CANARY_PAUSE);
    }
}

void job_tell_outage(struct job *job)
{
    const struct breaker *breaker = &job->pacer.breaker;

    if (breaker->openings > job->outages_told)
        job_tell(job, JOB_EVENT_OUTAGE);
    else if (breaker->state == BREAKER_CLOSED)
        job_tell(job, JOB_EVENT_OUTAGE_OVER);
    job->outages_told = breaker->openings;
}

void job_watch_outage(struct job *job)
{
    const struct breaker *breaker = &job->pacer.breaker;

    if (job_is_stopping(job) || !breaker_is_open(breaker) ||
        job_now_ms() - breaker->open_since_ms < job->options->outage_wait_ms)
        return;
    bool never = job->tally->attempts == 0;
    buf_add_format(job->message, "%s for %lld s (--outage-wait)",
                   never ? "the endpoint could not be reached at all"
                         : "the platform could not be reached, or failed,",
                   (long long)(job->options->outage_wait_ms / 1000));
    job_stop(job, never ? JOB_REFUSED : JOB_OUTAGE, NULL);
}

static void add_input(struct job *job)
{
    buf_add_string(job->message, "input changed: ");
    buf_add_printable(job->message, span_string(source_name(intake_source(job->intake))));
}

static void stop_changed(struct job *job)
{
    if (job_is_stopping(job))
        return;
    add_input(job);
    buf_add_string(job->message, " is no longer what was checked");
    if (!job->input_ended)
        buf_add_format(job->message, ", at or behind line %llu",
                       (unsigned long long)intake_line(job->intake));
    buf_add_string(job->message, ": none of the change was sent; see what writes to it, and go on "
                                 "with --resume");
    job_stop(job, JOB_CHANGED, NULL);
}

void job_tell_changed(struct job *job)
{
    if (!source_is_spent(intake_source(job->intake))) {
        stop_changed(job);
        return;
    }
    job->input_ended = true;
    job->input_end = JOB_CHANGED;
}

static const char unreadable[] = "the input cannot be read on";

void job_end_reading(struct job *job)
{
    if (intake_is_lost(job->intake)) {
        job->input_ended = true;
        job->input_end = JOB_UNREADABLE;
        return;
    }
    job_fail(job, STATUS_BAD_INPUT, unreadable);
    job->result.end = JOB_UNREADABLE;
}

void job_judge_input(struct job *job)
{
    if (job_is_stopping(job))
        return;
    if (job->input_end == JOB_COMPLETE && source_has_grown(intake_source(job->intake)))
        job->input_end = JOB_CHANGED;
    if (job->input_end == JOB_COMPLETE)
        return;
    job->result.end = job->input_end;
    if (job->input_end == JOB_UNREADABLE) {
        buf_add_string(job->message, unreadable);
        return;
    }
    add_input(job);
    buf_add_format(job->message,
                   " has more at its end than was checked, from line %llu on: that was not sent; "
                   "see what writes to it, and go on with --resume",
                   (unsigned long long)intake_line(job->intake));
}

void job_watch_file(struct job *job)
{
    bool some_wait =
        !job->input_ended || job->admissions.count > 0 || job->scheduler.fresh.head != NULL;

    if (job_is_stopping(job) || !some_wait || intake_look(job->intake) != STATUS_CHANGED)
        return;
    stop_changed(job);
    job_pump(job);
}

static void on_tick(uv_timer_t *timer)
{
    job_watch_file(timer->data);
    job_tell(timer->data, JOB_EVENT_TICK);
}

static void stop_at_once(struct job *job)
{
    if (job->result.aborted)
        return;
    job->result.aborted = true;
    job_tell(job, JOB_EVENT_ABORTING);
    transport_abort(job->transport);
}

static void interrupt(struct job *job, int signal_number, const char *what)
{
    /* A terminal that goes away sends more than one SIGHUP (the kernel's, then the shell's), and
     * who ends a session or a service sends SIGTERM and SIGHUP at once: nobody is impatient then.
     */
    bool is_asked = signal_number == SIGINT || signal_number == SIGTERM;
    bool is_impatient = is_asked && (job->result.end != JOB_INTERRUPTED || job->was_asked);

    job->was_asked = job->was_asked || is_asked;
    if (job_is_stopping(job)) {
        if (is_impatient)
            stop_at_once(job);
        return;
    }
    job->result.signal_number = signal_number;
    job_stop(job, JOB_INTERRUPTED, what);
    job_tell(job, JOB_EVENT_DRAINING);
    job_pump(job);
}

static void on_signal(uv_signal_t *handle, int signal_number)
{
    struct job *job = handle->data;

    if (signal_number == SIGUSR1) {
        job_tell(job, JOB_EVENT_STATUS);
    } else if (signal_number == SIGUSR2) {
        job->pacer.paused = !job->pacer.paused;
        job_tell(job, job->pacer.paused ? JOB_EVENT_PAUSED : JOB_EVENT_RESUMED);
        job_pump(job);
    } else {
        for (size_t i = 0; i < JOB_SIGNALS; i++)
            if (job_signals[i].number == signal_number)
                interrupt(job, signal_number, job_signals[i].what);
    }
}

static bool is_ignored(int signal_number)
{
    struct sigaction action;

    return sigaction(signal_number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void job_watch_signals(struct job *job)
{
    for (size_t i = 0; i < JOB_SIGNALS; i++) {
        (void)uv_signal_init(&job->loop, &job->signals[i]);
        job->signals[i].data = job;
        if (!is_ignored(job_signals[i].number))
            (void)uv_signal_start(&job->signals[i], on_signal, job_signals[i].number);
        uv_unref((uv_handle_t *)&job->signals[i]);
    }
    (void)uv_timer_init(&job->loop, &job->tick);
    job->tick.data = job;
    (void)uv_timer_start(&job->tick, on_tick, JOB_TICK_MS, JOB_TICK_MS);
    /* The tick keeps the loop going while a run is paused and nothing is in flight. */
}

void job_close_signals(struct job *job)
{
    uv_close((uv_handle_t *)&job->tick, NULL);
    for (size_t i = 0; i < JOB_SIGNALS; i++)
        uv_close((uv_handle_t *)&job->signals[i], NULL);
}
