#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "core/redact.h"
#include "core/when.h"
#include "engine/job_impl.h"
#include "platform/operation.h"

enum {
    CACHE_LINE = 64,
    JOB_ROWS_PER_TURN =
        256, /* rows read before the loop gets its turn, however many of them are invalid */
    JOB_ANSWERS_PER_PUMP = 64, /* answers of one turn of the loop are taken together, so many */
    READER_LOOK_MS = 10,       /* how soon to ask whether the results' reader has caught up */
};

static int64_t wall_clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_finished(const struct job *job)
{
    if (ledger_is_syncing(job->ledger))
        return false;
    if (job_is_stopping(job))
        return job->scheduler.in_flight == 0;
    return job->input_ended && job->admissions.count == 0 && scheduler_is_idle(&job->scheduler);
}

static struct job_row *take_free_row(struct job *job)
{
    struct job_row *row = job->free_rows;

    if (row != NULL) {
        job->free_rows = row->next;
    } else {
        row = calloc(1, sizeof(*row));
        if (row == NULL)
            return NULL;
        row->job = job;
        command_init(&row->command);
    }
    row->task = (struct task){.state = TASK_NEW};
    row->so_far = (struct retry_row){.tries = 0};
    row->in_canary = false;
    row->admission = LEDGER_NO_TICKET;
    return row;
}

static void give_back(struct job_row *row)
{
    row->next = row->job->free_rows;
    row->job->free_rows = row;
}

/* Counts a row that has come to its end for the rules that may stop the run. */
static void watch_end(struct job *job, const struct halt_fact *fact)
{
    if (job->options->halt == NULL)
        return;
    halt_add(job->options->halt, fact);
    if (!job_is_stopping(job) && halt_crossed(job->options->halt, job->message))
        job_stop(job, JOB_HALTED, NULL);
}

static void record(struct job_row *row, struct result_record *result)
{
    struct job *job = row->job;

    result->row = row->command.row;
    result->line = row->command.line;
    result->hash = row->command.hash;
    result->occurrence = row->occurrence;
    result->imei = command_imei(&row->command);
    result->finished_ms = wall_clock_ms();
    result->passed = job->passed;
    result->passed_count = command_passed(&row->command, job->passed, LAYOUT_PASSES_MAX);
    if (ledger_end(job->ledger, row->admission, result) != STATUS_OK)
        job_fail(job, STATUS_IO, ledger_error(job->ledger));
    watch_end(job, &(struct halt_fact){result->status, result->has_errno, result->platform_errno});
    if (row->in_canary)
        job_watch_canary(job, result->status);
}

void job_record_outcome(struct job_row *row, int64_t latency_us, struct outcome *outcome)
{
    outcome->status = retry_row_status(&row->so_far, outcome->status);
    struct result_record result = {
        .status = outcome->status,
        .uuid = span_string(outcome->uuid),
        .has_errno = outcome->has_errno,
        .platform_errno = outcome->platform_errno,
        .error = span_string(outcome->error),
        .http_status = outcome->http_status,
        .attempts = row->so_far.sent,
        .ambiguous = row->so_far.ambiguous,
        .latency_us = latency_us,
    };

    tally_add_outcome(row->job->tally, outcome, row->so_far.ambiguous);
    record(row, &result);
}

static void record_invalid(struct job_row *row)
{
    struct job *job = row->job;
    struct buf why;

    buf_init(&why, PROBLEMS_TEXT_MAX);
    problems_describe(&job->problems, &why);
    struct result_record result = {.status = ROW_INVALID,
                                   .error = buf_span(&why),
                                   .latency_us = -1};
    tally_add_invalid(job->tally, problems_first_error(&job->problems));
    record(row, &result);
    buf_deinit(&why);
}

/* Tells the run's pace of the end of an attempt, and acts on what follows. */
static void take_pace(struct job_row *row, const struct outcome *outcome, int64_t host_wait_ms)
{
    struct job *job = row->job;
    const struct pacer_attempt attempt = {.outcome = outcome,
                                          .ticket = row->ticket,
                                          .started_ns = row->started_ns,
                                          .host_wait_ms = host_wait_ms};
    struct pacer_news news;

    if (breaker_kind_of(outcome) == BREAKER_OK)
        budget_return(&job->budget);
    pacer_end(&job->pacer, &attempt, job_now_ns(), &news);
    job_set_concurrency(job);
    if (news.pace == PACE_LOWERED)
        job_tell(job, JOB_EVENT_SLOWER);
    else if (news.pace == PACE_FREED)
        job_tell(job, JOB_EVENT_RECOVERED);
    if (news.breaker_changed)
        job_tell_outage(job);
}

void job_end_row(struct job_row *row)
{
    scheduler_finish(&row->job->scheduler, &row->task);
    give_back(row);
}

/* It was not the platform's doing that nothing left: the row waits, and no attempt is counted. */
static void put_off(struct job_row *row, int shortage)
{
    struct job *job = row->job;

    pacer_cancel(&job->pacer, row->ticket, job_now_ms());
    if (row->so_far.tries > 0)
        budget_refund(&job->budget);
    if (row->so_far.ambiguous == 0)
        ledger_pause(job->ledger, row->admission);
    scheduler_retry(&job->scheduler, &row->task, job_now_ms() + SHORTAGE_PAUSE_MS);
    job_take_shortage(job, shortage);
}

/* What an attempt tells of the platform. One that was ended from here tells nothing. */
static void take_facts(struct job_row *row, const struct answer *answer,
                       const struct outcome *outcome, const struct retry_decision *decision)
{
    struct job *job = row->job;

    if (answer->state != ANSWER_NOT_SENT) {
        tally_add_attempt(job->tally, answer->latency_us);
        shortage_sent(&job->shortage, job_now_ms());
    }
    job_tell_attempt(row, outcome, decision, answer->latency_us);
    if (!job->result.aborted)
        take_pace(row, outcome, decision->host_wait_ms);
    else if (answer->state == ANSWER_IN_DOUBT)
        job->result.cut_off++;
}

/* A uuid that another command was given before tells that one of the two answers was not its row's.
 * What else comes over that connection would be a row late, too. */
static bool disbelieve(struct job_row *row, struct outcome *outcome)
{
    struct job *job = row->job;

    if (outcome->class != OUTCOME_ACCEPTED || outcome->uuid[0] == '\0')
        return false;
    uint64_t request =
        uuid_memory_request(command_target(&row->command), command_body(&row->command));
    if (uuid_memory_add(job->uuids, span_string(outcome->uuid), request) != UUID_FOREIGN)
        return false;
    outcome_disbelieve(outcome);
    transport_distrust(job->transport);
    return true;
}

/* The end of an attempt: the row goes on to the next one, or ends. */
static void finish_attempt(struct job_row *row, const struct answer *answer)
{
    struct job *job = row->job;
    struct outcome outcome;
    struct retry_decision decision;

    if (shortage_is(answer->os_error) && !job_is_stopping(job)) {
        put_off(row, answer->os_error);
        return;
    }
    outcome_judge(job->options->dialect, (enum operation)row->command.action, answer, &outcome);
    bool disbelieved = disbelieve(row, &outcome);
    redact_string(outcome.error, REDACT_MIN);
    redact_string(outcome.uuid, REDACT_ID_MIN);
    const struct retry_attempt attempt = {
        .outcome = &outcome,
        .idempotent = action_rules[row->command.action].idempotent,
        .held = disbelieved,
        .has_retry_after = answer->has_retry_after,
        .retry_after_ms = answer->retry_after_ms,
    };
    retry_decide(&job->retry, &attempt, &row->so_far, &decision);
    if (job_is_stopping(job))
        decision.again = false;
    take_facts(row, answer, &outcome, &decision);
    if (job_watch_answer(row, answer, &outcome))
        return;
    if (decision.again) {
        if (row->so_far.ambiguous == 0)
            ledger_pause(job->ledger, row->admission);
        scheduler_retry(&job->scheduler, &row->task, job_now_ms() + decision.delay_ms);
        return;
    }
    if (decision.end == RETRY_END_STOP)
        job_stop(job, JOB_REFUSED, outcome.error);
    /* A row that is certain not to have been processed, and that the run's end keeps from another
     * attempt, has no result: it was not sent. */
    bool may_go_later = decision.end == RETRY_END_NONE || decision.end == RETRY_END_STOP ||
                        (outcome_refuses_key(&outcome) && job_is_stopping(job));
    if (!may_go_later || row->so_far.ambiguous > 0) {
        job_record_outcome(row, answer->latency_us, &outcome);
    } else {
        ledger_drop(job->ledger, row->admission);
    }
    job_end_row(row);
}

static void on_more(uv_idle_t *idle);

void job_pump_soon(struct job *job)
{
    (void)uv_idle_start(&job->more, on_more);
}

static void on_done(void *context, const struct answer *answer)
{
    struct job_row *row = context;
    struct job *job = row->job;

    finish_attempt(row, answer);
    if (++job->answers >= JOB_ANSWERS_PER_PUMP)
        job_pump(job);
    else
        job_pump_soon(job);
}

static void start_row(struct job_row *row)
{
    struct transport_request request = {
        .method = operations[row->command.action].method,
        .target = command_target(&row->command),
        .body = command_body(&row->command),
    };

    row->key_number = row->job->key_number;
    row->start_number = ++row->job->starts;
    ledger_attempt(row->job->ledger, row->admission, row->so_far.sent, row->so_far.ambiguous);
    enum status status = transport_start(row->job->transport, &request, on_done, row);

    if (status != STATUS_OK) {
        struct answer answer = {.state = ANSWER_NOT_SENT,
                                .os_error = status == STATUS_NO_MEMORY ? ENOMEM : 0,
                                .retry_after_ms = -1,
                                .detail = span_string(status_text(status))};
        struct job *job = row->job;
        finish_attempt(row, &answer);
        job_pump_soon(job);
    }
}

/* How soon a valid_time may come that is still sent: the platform reads it in whole seconds, when
 * the request has arrived. */
enum { VALID_TIME_AHEAD_S = 1 };

/* A valid_time that has come while the row waited would be refused; "now" is what it means then.
 * Each attempt looks again. `now_s`: by the platform's clock. */
static void drop_valid_time(struct job_row *row, int64_t now_s)
{
    struct job *job = row->job;

    if (row->command.valid_at_s > now_s + VALID_TIME_AHEAD_S ||
        !command_drop_valid_time(&row->command) || job->told_valid_now)
        return;
    job->told_valid_now = true;
    job_tell(job, JOB_EVENT_VALID_NOW);
}

/* Records a row that was sent, and that will not be sent again although it could have been. */
static void record_given_up(struct job_row *row, const char *why)
{
    struct outcome outcome = {.status = row->so_far.ambiguous > 0 ? ROW_IN_DOUBT : ROW_FAILED};

    (void)snprintf(outcome.error, sizeof(outcome.error), "%s", why);
    job_record_outcome(row, -1, &outcome);
}

/* Ends a row that was good when it was read, and that the platform would no longer deliver. */
static void end_expired(struct job_row *row)
{
    struct job *job = row->job;
    struct problems *problems = &job->problems;
    char expired[WHEN_PLATFORM_LENGTH + 1];

    job_pump_soon(job);
    if (row->so_far.sent > 0) {
        record_given_up(row, "expired_time passed before it could be sent again");
        job_end_row(row);
        return;
    }
    when_format_platform(row->command.expires_at_s, expired);
    problems_clear(problems, row->command.row, row->command.line);
    problem_add(problems, PROBLEM_EXPIRED, SPAN_LITERAL("expired_time"), span_string(expired),
                "%s (UTC+8) had passed when it was the row's turn", expired);
    if (job->options->report != NULL)
        job->options->report(job->options->report_context, problems);
    record_invalid(row);
    job_end_row(row);
}

/* Rows wait long enough to leave the processor's cache: the next ones are fetched from memory while
 * one is being sent, first the row and then its request. */
static void expect_next(const struct job *job)
{
    const struct task *next = job->scheduler.fresh.head;

    if (next == NULL)
        return;
    const struct job_row *row = (const struct job_row *)next;
    __builtin_prefetch(row->command.text.ptr);
    __builtin_prefetch(row->command.text.ptr + CACHE_LINE);
    __builtin_prefetch(row->command.text.ptr + 2 * CACHE_LINE);
    if (next->next == NULL)
        return;
    const char *after = (const char *)next->next;
    for (size_t at = 0; at < sizeof(struct job_row); at += CACHE_LINE)
        __builtin_prefetch(after + at);
}

/* When something may start, 0 for now, and why not earlier. */
static int64_t next_start_ns(struct job *job, int64_t now_ns)
{
    int64_t now_ms = now_ns / 1000000;
    int64_t enough_ms = shortage_next_ms(&job->shortage, now_ms);

    if (ledger_is_held_up(job->ledger)) {
        job->wait = PACER_READER;
        return now_ns + READER_LOOK_MS * 1000000;
    }
    if (enough_ms > 0) {
        job->wait = PACER_SHORTAGE;
        return enough_ms * 1000000;
    }
    return pacer_next_ns(&job->pacer, now_ns, &job->wait);
}

/* Until the platform has answered once, one request goes at a time: the scout. */
static bool may_start(const struct job *job)
{
    return !job_is_stopping(job) && scheduler_can_start(&job->scheduler) &&
           (job->trust.met || job->scheduler.in_flight == 0);
}

/* Starts what may start; sets when to ask again where something waits. */
static void start_ready(struct job *job)
{
    int64_t wall_s = wall_clock_ms() / 1000;

    job->wake_ns = INT64_MAX;
    (void)scheduler_due(&job->scheduler, job_now_ms());
    while (may_start(job)) {
        int64_t now = job_now_ns();
        int64_t next_ns = next_start_ns(job, now);
        if (next_ns != 0) {
            job->wake_ns = next_ns;
            return;
        }
        struct job_row *row = (struct job_row *)scheduler_next(&job->scheduler);
        if (job->clock_off_s != 0)
            job_set_clock(row);
        bool is_retry = row->so_far.tries > 0;
        int64_t again_ms = is_retry ? budget_next_ms(&job->budget, now / 1000000) : 0;
        if (row->command.expires_at_s <= wall_s + job->clock_off_s) {
            end_expired(row);
        } else if (again_ms != 0) {
            scheduler_retry(&job->scheduler, &row->task, again_ms);
        } else {
            if (is_retry)
                budget_take(&job->budget, now / 1000000);
            job->result.retries += is_retry;
            row->ticket = pacer_start(&job->pacer, now);
            row->started_ns = now;
            drop_valid_time(row, wall_s + job->clock_off_s);
            expect_next(job);
            start_row(row);
        }
    }
    job->wait = PACER_GO;
}

/* The reader's verdicts that are no row. */
static void end_intake(struct job *job, enum status status)
{
    if (status == STATUS_END) {
        job->input_ended = true;
    } else if (status == STATUS_CHANGED) {
        job_tell_changed(job);
    } else if (status == STATUS_BAD_INPUT) {
        job_end_reading(job);
        if (job->options->report != NULL)
            job->options->report(job->options->report_context, &job->problems);
    } else {
        job_fail(job, status,
                 status == STATUS_IO ? "the input cannot be read: " : status_text(status));
        if (status == STATUS_IO)
            buf_add_string(job->message, strerror(errno));
    }
}

/* From now on the row may be sent, as soon as that is on record. */
static void admit_row(struct job_row *row, const struct key_state *before)
{
    const struct command *command = &row->command;
    const struct intent intent = {.hash = command->hash,
                                  .device = command->device,
                                  .row = command->row,
                                  .line = command->line,
                                  .occurrence = row->occurrence};

    if (before->known) {
        row->so_far.sent = before->attempts;
        row->so_far.ambiguous = before->ambiguous;
    }
    row->admission = ledger_admit(row->job->ledger, &intent);
    job_await_disk(row->job, row);
}

/* Reads one row and gives it its place; false when there is none to be had now. */
static bool take_row(struct job *job)
{
    struct job_row *row = take_free_row(job);

    if (row == NULL) {
        job_fail(job, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
        return false;
    }
    enum status status = intake_next(job->intake, &row->command, &job->problems);
    if (status != STATUS_OK) {
        give_back(row);
        if (status == STATUS_AGAIN)
            return false;
        end_intake(job, status);
        return false;
    }
    const struct ledger_row *known = intake_known(job->intake);
    job->result.rows++;
    row->occurrence = known->occurrence;
    if (known->verdict == LEDGER_SETTLED) {
        job->result.settled++;
        give_back(row);
        return true;
    }
    if (job->problems.count > 0 && job->options->report != NULL)
        job->options->report(job->options->report_context, &job->problems);
    if (job->problems.error_count > 0) {
        record_invalid(row);
        give_back(row);
        return true;
    }
    row->in_canary = job->canary.state == CANARY_SENDING;
    if (row->in_canary)
        canary_add(&job->canary);
    row->task.device = row->command.device;
    admit_row(row, &known->before);
    return true;
}

static void on_input(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    (void)uv_poll_stop(poll);
    job_pump(poll->data);
}

static bool start_intake(struct job *job)
{
    enum status status = job->started ? STATUS_OK : intake_start(job->intake, &job->problems);

    if (status == STATUS_OK)
        job->started = true;
    else if (status != STATUS_AGAIN)
        end_intake(job, status);
    return job->started;
}

static void on_wake(uv_timer_t *timer);

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Sets the timer for the next thing that time alone brings about. */
static void arm_wake(struct job *job)
{
    int64_t due_ms = scheduler_next_due_ms(&job->scheduler);
    int64_t now = job_now_ns();
    int64_t wake_ms = job->wake_ns == INT64_MAX ? INT64_MAX : (job->wake_ns + 999999) / 1000000;

    if (!job_is_stopping(job)) {
        wake_ms = earlier(wake_ms, due_ms);
        wake_ms = earlier(wake_ms, canary_wake_ms(&job->canary));
        if (breaker_is_open(&job->pacer.breaker))
            wake_ms =
                earlier(wake_ms, job->pacer.breaker.open_since_ms + job->options->outage_wait_ms);
    }
    if (job_is_stopping(job) || wake_ms == INT64_MAX) {
        (void)uv_timer_stop(&job->wake);
        return;
    }
    int64_t delay_ms = wake_ms - now / 1000000;
    uv_update_time(&job->loop);
    (void)uv_timer_start(&job->wake, on_wake, delay_ms > 0 ? (uint64_t)delay_ms : 1, 0);
}

static bool may_read(struct job *job)
{
    return !job_is_stopping(job) && !ledger_is_held_up(job->ledger) && !job->input_ended &&
           ledger_room(job->ledger) > 0 &&
           scheduler_has_room(&job->scheduler, job->admissions.ahead, job->admissions.count) &&
           canary_next_ms(&job->canary, job_now_ms()) == 0;
}

/* Reads as many rows as there is room for; whether there is room for more than a turn may read. */
static bool read_ahead(struct job *job)
{
    for (int budget = JOB_ROWS_PER_TURN; may_read(job); budget--) {
        if (budget == 0)
            return true;
        if (!start_intake(job) || !take_row(job)) {
            if (!job_is_stopping(job) && !job->input_ended && job->has_input_poll)
                (void)uv_poll_start(&job->input, UV_READABLE, on_input);
            break;
        }
    }
    return false;
}

static void pump(struct job *job)
{
    job->answers = 0;
    job_watch_outage(job);
    start_ready(job);
    if (read_ahead(job)) {
        job_pump_soon(job);
        return;
    }
    start_ready(job);                   /* rows that did not have to wait for the disk, if any */
    if (ledger_is_held_up(job->ledger)) /* also where no row is ready, and none may be read */
        job->wake_ns = earlier(job->wake_ns, job_now_ns() + READER_LOOK_MS * 1000000);
    job_settle_idle(job);
    job_sync_if_due(job);
    arm_wake(job);
    /* Closing is left to the loop's next turn: this may be a callback of the transport's. */
    if (is_finished(job))
        job_pump_soon(job);
}

void job_pump(struct job *job)
{
    bool was_pausing = job->canary.state == CANARY_PAUSING;

    pump(job);
    if (was_pausing && job->canary.state == CANARY_OVER)
        job_tell(job, JOB_EVENT_CANARY);
}

static void on_wake(uv_timer_t *timer)
{
    job_pump(timer->data);
}

static void shut_down(struct job *job)
{
    uv_close((uv_handle_t *)&job->more, NULL);
    uv_close((uv_handle_t *)&job->flush, NULL);
    uv_close((uv_handle_t *)&job->wake, NULL);
    job_close_signals(job);
    if (job->has_input_poll)
        uv_close((uv_handle_t *)&job->input, NULL);
    transport_close(job->transport);
    job->transport = NULL;
}

static void on_more(uv_idle_t *idle)
{
    struct job *job = idle->data;

    (void)uv_idle_stop(idle);
    job_pump(job);
    if (is_finished(job)) {
        (void)uv_idle_stop(idle);
        shut_down(job);
    }
}

static void on_flush(uv_timer_t *timer)
{
    struct job *job = timer->data;

    if (job->status == STATUS_OK && ledger_flush(job->ledger) != STATUS_OK) {
        job_fail(job, STATUS_IO, ledger_error(job->ledger));
        job_pump(job);
    }
    job_sync(job);
}

/*
 * A pipe is waited for in the loop, and so must not block. Its flags are those of everybody who has
 * it open: they are restored at the end. What cannot be polled (/dev/null) never blocks for long.
 */
static void watch_input(struct job *job)
{
    const struct source *source = intake_source(job->intake);
    int fd = source_fd(source);

    if (source_is_seekable(source))
        return;
    job->input_flags = fcntl(fd, F_GETFL);
    job->input.data = job;
    job->has_input_poll = job->input_flags >= 0 && uv_poll_init(&job->loop, &job->input, fd) == 0;
}

static void free_rows(struct job *job)
{
    while (job->free_rows != NULL) {
        struct job_row *row = job->free_rows;
        job->free_rows = row->next;
        command_deinit(&row->command);
        free(row);
    }
}

/* Rows that were read and have not ended, since the run was stopped: only those that may have been
 * processed get a result. */
static void drop_waiting(struct job *job)
{
    struct job_row *row;
    struct task *task;

    while ((row = job->admissions.head) != NULL) {
        job->admissions.head = row->next;
        ledger_drop(job->ledger, row->admission);
        give_back(row);
    }
    (void)scheduler_due(&job->scheduler, INT64_MAX);
    job_release_suspects(job);
    while ((task = scheduler_next(&job->scheduler)) != NULL) {
        row = (struct job_row *)task;
        if (row->so_far.tries > 0 && row->so_far.ambiguous > 0)
            record_given_up(row,
                            "an attempt may have been processed, and the run was stopped before "
                            "the next");
        else
            ledger_drop(job->ledger, row->admission);
        job_end_row(row);
    }
}

static enum status open_job(struct job *job)
{
    if (uv_loop_init(&job->loop) != 0) {
        buf_add_string(job->message, "the event loop could not be set up");
        return STATUS_NETWORK;
    }
    enum status status =
        transport_open(&job->loop, &job->options->transport, job->message, &job->transport);
    if (status != STATUS_OK) {
        (void)uv_run(&job->loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&job->loop);
        return status;
    }
    (void)uv_idle_init(&job->loop, &job->more);
    (void)uv_timer_init(&job->loop, &job->flush);
    (void)uv_timer_init(&job->loop, &job->wake);
    job->more.data = job->flush.data = job->wake.data = job;
    (void)uv_timer_start(&job->flush, on_flush, LEDGER_SYNC_MS, LEDGER_SYNC_MS);
    uv_unref((uv_handle_t *)&job->flush);
    job_watch_signals(job);
    watch_input(job);
    scheduler_init(&job->scheduler, job->options->transport.concurrency);
    pacer_init(&job->pacer, &job->options->pacer, job_now_ns());
    scheduler_set_concurrency(&job->scheduler, pacer_concurrency(&job->pacer));
    budget_init(&job->budget, job_now_ms());
    retry_init(&job->retry, &job->options->retry, job->options->seed);
    job->canary = job->options->canary;
    job->admissions.ahead = job->options->transport.concurrency;
    problems_init(&job->problems);
    return STATUS_OK;
}

/* A signal that came when the last rows were under way, which were waited for, stopped nothing. */
static void forgive_interruption(struct job *job)
{
    struct job_result *result = &job->result;
    bool has_all = job->input_ended && tally_total(job->tally) + result->settled == result->rows;

    if (result->end != JOB_INTERRUPTED || result->aborted || !has_all)
        return;
    result->end = JOB_COMPLETE;
    buf_clear(job->message);
}

static enum status close_job(struct job *job)
{
    if (job->has_input_poll)
        (void)fcntl(source_fd(intake_source(job->intake)), F_SETFL, job->input_flags);
    if (uv_loop_close(&job->loop) != 0)
        job_fail(job, STATUS_NETWORK, "the event loop ended with work left");
    drop_waiting(job);
    free_rows(job);
    free(job->suspects);
    scheduler_deinit(&job->scheduler);
    problems_deinit(&job->problems);
    if (ledger_flush(job->ledger) != STATUS_OK)
        job_fail(job, STATUS_IO, ledger_error(job->ledger));
    forgive_interruption(job);
    job_judge_input(job);
    return job->status;
}

enum status job_run(struct intake *intake, const struct job_options *options, struct ledger *ledger,
                    struct tally *tally, struct job_result *ret_result, struct buf *message)
{
    struct job *job = calloc(1, sizeof(*job));

    if (job == NULL)
        return STATUS_NO_MEMORY;
    job->options = options;
    job->intake = intake;
    job->ledger = ledger;
    job->tally = tally;
    job->message = message;
    job->wake_ns = INT64_MAX;
    enum status status = uuid_memory_new(&job->uuids);
    if (status == STATUS_OK)
        status = open_job(job);
    if (status == STATUS_OK) {
        (void)uv_idle_start(&job->more, on_more);
        (void)uv_run(&job->loop, UV_RUN_DEFAULT);
        status = close_job(job);
    }
    *ret_result = job->result;
    ret_result->canary = job->canary;
    uuid_memory_free(job->uuids);
    ret_result->allowed = pace_allowed(&job->pacer.pace);
    free(job);
    return status;
}
