#include "job/job_impl.h"

static const int job_signals[JOB_SIGNALS] = {SIGINT, SIGTERM, SIGUSR1, SIGUSR2};

void job_tell(struct job *job, enum job_event event)
{
    int64_t wait_ms = job->wake_ns == INT64_MAX ? -1 : (job->wake_ns - job_now_ns()) / 1000000;
    const struct job_status status = {
        .rows = ledger_count(job->ledger),
        .in_flight = job->scheduler.in_flight,
        .waiting = job->scheduler.held - job->scheduler.in_flight + job->admissions.count,
        .retries = job->retry.retries,
        .wait = job->wait,
        .wait_ms = wait_ms > 0 ? wait_ms : -1,
        .rate_per_hour = pacer_rate_per_hour(&job->pacer),
        .concurrency = pacer_concurrency(&job->pacer),
        .signal_number = job->result.signal_number,
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

static void on_tick(uv_timer_t *timer)
{
    job_tell(timer->data, JOB_EVENT_TICK);
}

static void interrupt(struct job *job, int signal_number)
{
    if (job->result.end == JOB_INTERRUPTED || (job_is_stopping(job) && !job->result.aborted)) {
        job->result.aborted = true;
        job_tell(job, JOB_EVENT_ABORTING);
        transport_abort(job->transport);
        return;
    }
    job->result.signal_number = signal_number;
    job_stop(job, JOB_INTERRUPTED, signal_number == SIGINT ? "interrupted" : "terminated");
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
        interrupt(job, signal_number);
    }
}

void job_watch_signals(struct job *job)
{
    for (size_t i = 0; i < JOB_SIGNALS; i++) {
        (void)uv_signal_init(&job->loop, &job->signals[i]);
        job->signals[i].data = job;
        (void)uv_signal_start(&job->signals[i], on_signal, job_signals[i]);
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
