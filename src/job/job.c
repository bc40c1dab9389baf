#include "job/job.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "core/keytable.h"
#include "core/when.h"
#include "send/scheduler.h"

enum {
    JOB_ROWS_PER_TURN =
        256, /* rows read before the loop gets its turn, however many of them are invalid */
    JOB_FLUSH_MS = 100, /* results are written at the latest after this time */
};

/* A row between intake and result. */
struct job_row {
    struct task task; /* first: the scheduler hands it back */
    struct job *job;
    struct command command;
    uint32_t occurrence;
    struct job_row *next_free;
};

struct job {
    const struct job_options *options;
    struct intake *intake;
    struct results *results;
    struct tally *tally;
    struct buf *message;
    uv_loop_t loop;
    uv_idle_t more; /* goes on with the work in the loop's next turn */
    uv_timer_t flush;
    uv_poll_t input; /* waits for a pipe */
    bool has_input_poll;
    int input_flags; /* of the descriptor, to be restored */
    struct transport *transport;
    struct scheduler scheduler;
    struct keytable keys;
    struct problems problems;
    struct cell passed[LAYOUT_PASSES_MAX]; /* of the row that is recorded */
    struct job_row *free_rows;
    bool started; /* the header has been read */
    bool input_ended;
    enum status status; /* not STATUS_OK: no row is started any more */
};

static void pump(struct job *job);

/* Stops starting rows; the first reason is the one that is told. */
static void stop(struct job *job, enum status status, const char *text)
{
    if (job->status != STATUS_OK)
        return;
    job->status = status;
    if (text != NULL)
        buf_add_string(job->message, text);
}

static bool is_finished(const struct job *job)
{
    if (job->status != STATUS_OK)
        return job->scheduler.in_flight == 0;
    return job->input_ended && scheduler_is_idle(&job->scheduler);
}

static int64_t wall_clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct job_row *take_free_row(struct job *job)
{
    struct job_row *row = job->free_rows;

    if (row != NULL) {
        job->free_rows = row->next_free;
    } else {
        row = calloc(1, sizeof(*row));
        if (row == NULL)
            return NULL;
        row->job = job;
        command_init(&row->command);
    }
    row->task = (struct task){.state = TASK_NEW};
    return row;
}

static void give_back(struct job_row *row)
{
    row->next_free = row->job->free_rows;
    row->job->free_rows = row;
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
    if (results_add(job->results, result) != STATUS_OK)
        stop(job, STATUS_IO, results_error(job->results));
}

static void record_outcome(struct job_row *row, const struct answer *answer,
                           const struct outcome *outcome)
{
    struct result_record result = {
        .status = outcome->status,
        .uuid = span_string(outcome->uuid),
        .has_errno = outcome->has_errno,
        .platform_errno = outcome->platform_errno,
        .error = span_string(outcome->error),
        .http_status = outcome->http_status,
        .attempts = answer->state == ANSWER_NOT_SENT ? 0 : 1,
        .ambiguous = outcome->class == OUTCOME_AMBIGUOUS ? 1 : 0,
        .latency_us = answer->latency_us,
    };

    tally_add_outcome(row->job->tally, outcome);
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

static void finish_row(struct job_row *row, const struct answer *answer)
{
    struct job *job = row->job;
    struct outcome outcome;

    outcome_judge(answer, &outcome);
    if (answer->state != ANSWER_NOT_SENT)
        tally_add_attempt(job->tally, answer->latency_us);
    record_outcome(row, answer, &outcome);
    scheduler_finish(&job->scheduler, &row->task);
    give_back(row);
}

static void on_done(void *context, const struct answer *answer)
{
    struct job_row *row = context;
    struct job *job = row->job;

    finish_row(row, answer);
    pump(job);
}

/* Ends a row that was good when it was read, and that the platform would no longer deliver. */
static void end_expired(struct job_row *row)
{
    struct job *job = row->job;
    struct problems *problems = &job->problems;
    char expired[WHEN_PLATFORM_LENGTH + 1];

    when_format_platform(row->command.expires_at_s, expired);
    problems_clear(problems, row->command.row, row->command.line);
    problem_add(problems, PROBLEM_EXPIRED, SPAN_LITERAL("expired_time"), span_string(expired),
                "%s (UTC+8) had passed when it was the row's turn", expired);
    if (job->options->report != NULL)
        job->options->report(job->options->report_context, problems);
    record_invalid(row);
    scheduler_finish(&job->scheduler, &row->task);
    give_back(row);
}

static void start_row(struct job_row *row)
{
    struct transport_request request = {
        .method = action_rules[row->command.action].method,
        .target = command_target(&row->command),
        .body = command_body(&row->command),
    };
    enum status status = transport_start(row->job->transport, &request, on_done, row);

    if (status != STATUS_OK) {
        struct answer answer = {.state = ANSWER_NOT_SENT,
                                .detail = span_string(status_text(status))};
        finish_row(row, &answer);
    }
}

static void start_ready(struct job *job)
{
    struct task *task;

    while (job->status == STATUS_OK && (task = scheduler_next(&job->scheduler)) != NULL) {
        struct job_row *row = (struct job_row *)task;
        if (row->command.expires_at_s <= wall_clock_ms() / 1000)
            end_expired(row);
        else
            start_row(row);
    }
}

/* The reader's verdicts that are no row. */
static void end_intake(struct job *job, enum status status)
{
    if (status == STATUS_END) {
        job->input_ended = true;
    } else if (status == STATUS_BAD_INPUT) {
        stop(job, status, NULL);
        if (job->options->report != NULL)
            job->options->report(job->options->report_context, &job->problems);
    } else {
        stop(job, status, status == STATUS_IO ? "the input cannot be read: " : status_text(status));
        if (status == STATUS_IO)
            buf_add_string(job->message, strerror(errno));
    }
}

/* Reads one row and gives it its place; false when there is none to be had now. */
static bool take_row(struct job *job)
{
    struct job_row *row = take_free_row(job);

    if (row == NULL) {
        stop(job, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
        return false;
    }
    enum status status = intake_next(job->intake, &row->command, &job->problems);
    if (status == STATUS_OK)
        status = keytable_count(&job->keys, row->command.hash, &row->occurrence);
    if (status != STATUS_OK) {
        give_back(row);
        if (status == STATUS_AGAIN)
            return false;
        end_intake(job, status);
        return false;
    }
    if (job->problems.count > 0 && job->options->report != NULL)
        job->options->report(job->options->report_context, &job->problems);
    if (job->problems.error_count > 0) {
        record_invalid(row);
        give_back(row);
        return true;
    }
    row->task.device = row->command.device;
    if (scheduler_add(&job->scheduler, &row->task) != STATUS_OK) {
        give_back(row);
        stop(job, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
        return false;
    }
    return true;
}

static void on_input(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    (void)uv_poll_stop(poll);
    pump(poll->data);
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

static void on_more(uv_idle_t *idle);

/* Does all that can be done now: starts what may start, reads what there is room for. */
static void pump(struct job *job)
{
    int budget = JOB_ROWS_PER_TURN;

    for (;;) {
        start_ready(job);
        if (job->status != STATUS_OK || job->input_ended || !scheduler_has_room(&job->scheduler))
            break;
        if (budget-- == 0) {
            (void)uv_idle_start(&job->more, on_more);
            return;
        }
        if (!start_intake(job) || !take_row(job)) {
            if (job->status == STATUS_OK && !job->input_ended && job->has_input_poll)
                (void)uv_poll_start(&job->input, UV_READABLE, on_input);
            break;
        }
    }
    /* Closing is left to the loop's next turn: this may be a callback of the transport's. */
    if (is_finished(job))
        (void)uv_idle_start(&job->more, on_more);
}

static void shut_down(struct job *job)
{
    uv_close((uv_handle_t *)&job->more, NULL);
    uv_close((uv_handle_t *)&job->flush, NULL);
    if (job->has_input_poll)
        uv_close((uv_handle_t *)&job->input, NULL);
    transport_close(job->transport);
    job->transport = NULL;
}

static void on_more(uv_idle_t *idle)
{
    struct job *job = idle->data;

    (void)uv_idle_stop(idle);
    pump(job);
    if (is_finished(job)) {
        (void)uv_idle_stop(idle);
        shut_down(job);
    }
}

static void on_flush(uv_timer_t *timer)
{
    struct job *job = timer->data;

    if (job->status == STATUS_OK && results_flush(job->results) != STATUS_OK) {
        stop(job, STATUS_IO, results_error(job->results));
        pump(job);
    }
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
        job->free_rows = row->next_free;
        command_deinit(&row->command);
        free(row);
    }
}

/* Rows that were read and never started, since the run was stopped. */
static void drop_waiting(struct job *job)
{
    struct task *task;

    while ((task = scheduler_next(&job->scheduler)) != NULL) {
        scheduler_finish(&job->scheduler, task);
        give_back((struct job_row *)task);
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
    job->more.data = job->flush.data = job;
    (void)uv_timer_start(&job->flush, on_flush, JOB_FLUSH_MS, JOB_FLUSH_MS);
    uv_unref((uv_handle_t *)&job->flush);
    watch_input(job);
    scheduler_init(&job->scheduler, job->options->transport.concurrency);
    keytable_init(&job->keys);
    problems_init(&job->problems);
    return STATUS_OK;
}

static enum status close_job(struct job *job)
{
    if (job->has_input_poll)
        (void)fcntl(source_fd(intake_source(job->intake)), F_SETFL, job->input_flags);
    if (uv_loop_close(&job->loop) != 0)
        stop(job, STATUS_NETWORK, "the event loop ended with work left");
    drop_waiting(job);
    free_rows(job);
    scheduler_deinit(&job->scheduler);
    keytable_deinit(&job->keys);
    problems_deinit(&job->problems);
    if (results_flush(job->results) != STATUS_OK)
        stop(job, STATUS_IO, results_error(job->results));
    return job->status;
}

enum status job_run(struct intake *intake, const struct job_options *options,
                    struct results *results, struct tally *tally, struct buf *message)
{
    struct job *job = calloc(1, sizeof(*job));

    if (job == NULL)
        return STATUS_NO_MEMORY;
    job->options = options;
    job->intake = intake;
    job->results = results;
    job->tally = tally;
    job->message = message;
    enum status status = open_job(job);
    if (status == STATUS_OK) {
        (void)uv_idle_start(&job->more, on_more);
        (void)uv_run(&job->loop, UV_RUN_DEFAULT);
        status = close_job(job);
    }
    free(job);
    return status;
}
