#include "engine/engine_impl.h"

#include "core/redact.h"

/*
 * What can begin, end or change a run, apart from rows: signals, outages, the canary, an input that
 * changes, a machine that is short of something. The first reason to stop is the one that is told,
 * unless something fails: that goes before. A run that stops starts no row, waits for what is in
 * flight, and ends.
 */

enum { SHORTAGE_WAIT_MAX_MS = 60 * 1000 };

/* One tick without anything in flight may be chance. */
static enum pacer_wait wait_of(const struct engine *engine)
{
    return engine->wait == PACER_GO && engine->disk_ticks >= 2 ? PACER_DISK : engine->wait;
}

void engine_tell(struct engine *engine, enum job_event event)
{
    const struct scheduler *scheduler = &engine->scheduler;
    int64_t now_ms = engine_now_ms(engine);
    int64_t wait_ms =
        engine->wake_ns == INT64_MAX ? -1 : (engine->wake_ns - engine->now.ns) / 1000000;
    int64_t canary_ms = canary_wake_ms(&engine->canary);
    const struct job_status status = {
        .rows = engine->recorded,
        .in_flight = scheduler->in_flight,
        .waiting = scheduler->held - scheduler->in_flight + scheduler->coming,
        .retries = engine->result.retries,
        .wait = wait_of(engine),
        .wait_ms = wait_ms > 0 ? wait_ms : -1,
        .rate_per_hour = pacer_rate_per_hour(&engine->pacer),
        .is_limited = pacer_is_limited(&engine->pacer),
        .concurrency = scheduler->concurrency,
        .signal_number = engine->result.signal_number,
        .canary = &engine->canary,
        .canary_wait_ms = canary_ms == INT64_MAX ? -1 : canary_ms - now_ms,
        .shortage = engine->shortage.error != 0 ? shortage_text(engine->shortage.error) : "",
        .clock_off_s = engine->clock_off_s,
        .why = engine_is_stopping(engine)   ? buf_string(engine->message)
               : engine->last_error != NULL ? engine->last_error
                                            : "",
        .was_reached = engine->left > 0,
        .outage_wait_ms = engine_outage_wait_ms(engine),
    };
    const struct effect effect = {.kind = EFFECT_TELL, .tell = {event, &status}};

    engine->options.perform(engine->options.context, &effect);
}

void engine_stop(struct engine *engine, enum job_end end, const char *text)
{
    if (engine_is_stopping(engine))
        return;
    engine->result.end = end;
    if (text != NULL)
        buf_add_string(engine->message, text);
    redact_text(engine->message->ptr, &engine->message->len, REDACT_MIN);
    if (end != JOB_INTERRUPTED)
        engine_tell(engine, JOB_EVENT_STOPPED);
}

void engine_fail(struct engine *engine, enum status status, const char *text)
{
    if (engine->status != STATUS_OK)
        return;
    engine->status = status;
    engine->result.end = JOB_FAILED;
    buf_clear(engine->message);
    buf_add_string(engine->message, text);
    engine_tell(engine, JOB_EVENT_STOPPED);
}

void engine_set_concurrency(struct engine *engine)
{
    size_t wanted = engine->options.concurrency;

    scheduler_set_concurrency(&engine->scheduler,
                              shortage_limit(&engine->shortage, wanted, engine_now_ms(engine)));
}

void engine_take_shortage(struct engine *engine, int error)
{
    int64_t now_ms = engine_now_ms(engine), wait_ms = engine->options.outage_wait_ms;
    bool is_news = shortage_add(&engine->shortage, error, engine->scheduler.in_flight, now_ms);

    engine_set_concurrency(engine);
    if (is_news)
        engine_tell(engine, JOB_EVENT_SHORTAGE);
    if (wait_ms > SHORTAGE_WAIT_MAX_MS)
        wait_ms = SHORTAGE_WAIT_MAX_MS;
    if (!shortage_lasts(&engine->shortage, wait_ms, now_ms))
        return;
    buf_add_format(engine->message,
                   "nothing could be sent for %lld s, since this machine is short of %s",
                   (long long)(wait_ms / 1000), shortage_text(error));
    engine_stop(engine, JOB_SHORTAGE, NULL);
}

/* Whether the row that has just ended was the last one of the input. */
static bool has_no_other(const struct engine *engine)
{
    return engine->input_ended && engine->scheduler.coming == 0 && engine->scheduler.held <= 1;
}

void engine_watch_canary(struct engine *engine, enum row_status status)
{
    struct canary *canary = &engine->canary;
    unsigned long long needed = canary_needed(canary);

    canary_end(canary, status, engine_now_ms(engine));
    if (engine_is_stopping(engine))
        return;
    if (canary_is_lost(canary) && !has_no_other(engine)) {
        buf_add_format(engine->message, "of the canary's %llu row%s, %llu %s to be accepted: ",
                       (unsigned long long)canary->rows, canary->rows == 1 ? "" : "s", needed,
                       needed == 1 ? "was" : "were");
        canary_describe(canary, engine->message);
        buf_add_string(engine->message, " (--canary-accept); the other rows are not sent");
        engine_stop(engine, JOB_CANARY, NULL);
    } else if (canary->state == CANARY_PAUSING && canary->pause_ms > 0) {
        engine_tell(engine, JOB_EVENT_CANARY_PAUSE);
    }
}

void engine_tell_outage(struct engine *engine, const struct outcome *outcome)
{
    const struct breaker *breaker = &engine->pacer.breaker;

    engine->last_error = outcome->error;
    if (breaker->openings > engine->outages_told)
        engine_tell(engine, JOB_EVENT_OUTAGE);
    else if (breaker->state == BREAKER_CLOSED)
        engine_tell(engine, JOB_EVENT_OUTAGE_OVER);
    engine->outages_told = breaker->openings;
    engine->last_error = NULL;
}

/* A name that is wrong stays wrong, and a firewall closed: what was never reached is given less. */
enum { NEVER_REACHED_WAIT_MS = 60 * 1000 };

int64_t engine_outage_wait_ms(const struct engine *engine)
{
    int64_t wait_ms = engine->options.outage_wait_ms;

    return engine->left == 0 && wait_ms > NEVER_REACHED_WAIT_MS ? NEVER_REACHED_WAIT_MS : wait_ms;
}

void engine_watch_outage(struct engine *engine)
{
    const struct breaker *breaker = &engine->pacer.breaker;
    int64_t wait_ms = engine_outage_wait_ms(engine);

    if (engine_is_stopping(engine) || !breaker_is_open(breaker) ||
        engine_now_ms(engine) - breaker->open_since_ms < wait_ms)
        return;
    bool never = engine->left == 0;
    buf_add_format(engine->message, "%s for %lld s%s",
                   never ? "the endpoint could not be reached at all"
                         : "the platform could not be reached, or failed,",
                   (long long)(wait_ms / 1000),
                   wait_ms == engine->options.outage_wait_ms ? " (--outage-wait)" : "");
    engine_stop(engine, never ? JOB_REFUSED : JOB_OUTAGE, NULL);
}

bool engine_has_waiting(const struct engine *engine)
{
    return !engine->input_ended || engine->scheduler.coming > 0 ||
           engine->scheduler.fresh.head != NULL;
}

static void add_input(struct engine *engine)
{
    buf_add_string(engine->message, "input changed: ");
    buf_add_printable(engine->message, span_string(engine->options.input));
}

/* The input is no longer what was checked. Where all of that was read before, and something was
 * added behind it, the rows that were read are still sent. */
void engine_take_change(struct engine *engine, const struct event *event)
{
    if (event->input.is_beyond) {
        engine->input_ended = true;
        engine->input_end = JOB_CHANGED;
        return;
    }
    if (engine_is_stopping(engine))
        return;
    add_input(engine);
    buf_add_string(engine->message, " is no longer what was checked");
    if (!engine->input_ended)
        buf_add_format(engine->message, ", at or behind line %llu",
                       (unsigned long long)event->input.line);
    buf_add_string(engine->message, ": none of the change was sent; see what writes to it, and go "
                                    "on with --resume");
    engine_stop(engine, JOB_CHANGED, NULL);
}

static const char unreadable[] = "the input cannot be read on";

/* Where what was read is beyond doubt, it is still sent. */
void engine_take_unreadable(struct engine *engine, const struct event *event)
{
    if (event->input.is_beyond) {
        engine->input_ended = true;
        engine->input_end = JOB_UNREADABLE;
        return;
    }
    engine_fail(engine, STATUS_BAD_INPUT, unreadable);
    engine->result.end = JOB_UNREADABLE;
}

/* A signal that came when the last rows were under way, which were waited for, stopped nothing. */
static void forgive_interruption(struct engine *engine)
{
    struct job_result *result = &engine->result;
    bool has_all = engine->input_ended && engine->recorded + result->settled == result->rows;

    if (result->end != JOB_INTERRUPTED || result->aborted || !has_all)
        return;
    result->end = JOB_COMPLETE;
    buf_clear(engine->message);
}

/* Gives a run that was not stopped the end that its input had. */
static void judge_input(struct engine *engine, const struct event *event)
{
    if (engine_is_stopping(engine))
        return;
    if (engine->input_end == JOB_COMPLETE && event->closed.has_grown)
        engine->input_end = JOB_CHANGED;
    if (engine->input_end == JOB_COMPLETE)
        return;
    engine->result.end = engine->input_end;
    if (engine->input_end == JOB_UNREADABLE) {
        buf_add_string(engine->message, unreadable);
        return;
    }
    add_input(engine);
    buf_add_format(engine->message,
                   " has more at its end than was checked, from line %llu on: that was not sent; "
                   "see what writes to it, and go on with --resume",
                   (unsigned long long)event->closed.line);
}

void engine_take_closed(struct engine *engine, const struct event *event)
{
    forgive_interruption(engine);
    judge_input(engine, event);
}

static void stop_at_once(struct engine *engine)
{
    if (engine->result.aborted)
        return;
    engine->result.aborted = true;
    engine_tell(engine, JOB_EVENT_ABORTING);
    engine_perform(engine, EFFECT_ABORT, NULL);
}

static void interrupt(struct engine *engine, const struct event *event)
{
    /* A terminal that goes away sends more than one SIGHUP (the kernel's, then the shell's), and
     * who ends a session or a service sends SIGTERM and SIGHUP at once: nobody is impatient then.
     */
    bool is_asked = event->signal.meaning == ENGINE_SIGNAL_STOP;
    bool is_impatient = is_asked && (engine->result.end != JOB_INTERRUPTED || engine->was_asked);

    engine->was_asked = engine->was_asked || is_asked;
    if (engine_is_stopping(engine)) {
        if (is_impatient)
            stop_at_once(engine);
        return;
    }
    engine->result.signal_number = event->signal.number;
    engine_stop(engine, JOB_INTERRUPTED, event->signal.what);
    engine_tell(engine, JOB_EVENT_DRAINING);
}

void engine_take_signal(struct engine *engine, const struct event *event)
{
    switch (event->signal.meaning) {
    case ENGINE_SIGNAL_STATUS:
        engine_tell(engine, JOB_EVENT_STATUS);
        break;
    case ENGINE_SIGNAL_PAUSE:
        engine->pacer.paused = !engine->pacer.paused;
        engine_tell(engine, engine->pacer.paused ? JOB_EVENT_PAUSED : JOB_EVENT_RESUMED);
        break;
    case ENGINE_SIGNAL_STOP:
    case ENGINE_SIGNAL_LEAVE:
        interrupt(engine, event);
        break;
    }
}
