#include "engine/open_loop.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "engine/driver_record.h"
#include "engine/interrupt.h"
#include "platform/operation.h"
#include "send/arrivals.h"

/*
 * Shots are rows that were read: free, ready (in order, some ahead of their time, so that a sync of
 * the record has covered them by then), or under way. A shot gets its number, and with it the time
 * when it is due, as it starts; where as many are under way as may be, those that become due start
 * when a place is free, late, which their latency shows.
 *
 * libuv's timers have a resolution of a millisecond, so that a timerfd wakes the loop.
 */

enum {
    AHEAD = 256,      /* ready shots, at most */
    SYNC_LINES = 500, /* after so many results a sync is begun */
    FLUSH_MS = 50,
};

struct open_loop;

struct shot {
    struct item item;
    uint64_t number;
    bool waited;
    int64_t due_ns, started_ns;
    struct open_loop *loop;
    struct shot *next;
};

struct open_loop {
    const struct open_loop_options *options;
    struct intake *intake;
    bool is_started, rows_ended;
    struct load *load;
    struct open_loop_result *result;
    struct buf *message;
    enum status status; /* of the first thing that failed on this side */
    struct arrivals arrivals;
    uint64_t next;       /* number of the shot that starts next */
    uint64_t found_full; /* shots below this number became due while there was no place */
    size_t under_way, ready_count, shot_count;
    struct shot *shots, *free, *ready, **ready_end;
    struct problems problems;
    struct tally spare; /* the recorder's, which nobody reads */
    struct recorder recorder;
    struct store_sync *sync;
    uv_work_t sync_work;
    uv_loop_t uv;
    uv_poll_t wake;
    uv_timer_t flush;
    uv_poll_t signals; /* interrupt_fd; without it the flush looks */
    bool has_signal_poll;
    int timer_fd;
    struct transport *transport;
    double cpu_before_s;
    bool is_stopping, is_closing;
};

static int64_t wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Of this thread alone: a simulator in the process has its own. */
static double cpu_s(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_THREAD, &usage) != 0)
        return 0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Nothing is started any more; the first reason holds. */
static void fail(struct open_loop *loop, enum status status, const char *why)
{
    if (loop->status == STATUS_OK) {
        loop->status = status;
        buf_add_string(loop->message, why);
    }
    loop->is_stopping = true;
}

static void stop(struct open_loop *loop, enum load_end end)
{
    if (!loop->is_stopping)
        loop->load->end = end;
    loop->is_stopping = true;
}

static void record(struct open_loop *loop, const struct effect *effect)
{
    if (loop->options->store != NULL &&
        recorder_perform(&loop->recorder, effect, wall_ms()) != STATUS_OK)
        fail(loop, STATUS_IO, loop->options->store->error(loop->options->store));
}

static void do_sync(uv_work_t *work)
{
    struct open_loop *loop = work->data;

    loop->options->store->sync_run(loop->sync);
}

static void go_on(struct open_loop *loop);

static void after_sync(uv_work_t *work, int cancelled)
{
    struct open_loop *loop = work->data;
    struct store *store = loop->options->store;

    (void)cancelled; /* nobody does */
    if (store->sync_end(store, loop->sync) != STATUS_OK)
        fail(loop, STATUS_IO, store->error(store));
    loop->sync = NULL;
    go_on(loop);
}

static bool is_durable(const struct open_loop *loop, const struct shot *shot)
{
    const struct store *store = loop->options->store;
    return store == NULL || store->is_durable(store, shot->item.ticket);
}

/* The next shot waits for it, or there is a good deal to be made safe. */
static void sync_if_needed(struct open_loop *loop)
{
    struct store *store = loop->options->store;

    if (store == NULL || loop->sync != NULL || store->has_failed)
        return;
    bool is_needed = (loop->ready != NULL && !is_durable(loop, loop->ready)) ||
                     store->waiting >= AHEAD / 2 || store->unsynced >= SYNC_LINES ||
                     (store->room == 0 && store->unsynced > 0);
    if (!is_needed || (loop->sync = store->sync_begin(store)) == NULL)
        return;
    loop->sync_work.data = loop;
    (void)uv_queue_work(&loop->uv, &loop->sync_work, do_sync, after_sync);
}

static enum status next_row(struct open_loop *loop, struct command *command)
{
    enum status status = STATUS_OK;

    if (!loop->is_started)
        status = intake_start(loop->intake, &loop->problems);
    loop->is_started = true;
    return status == STATUS_OK ? intake_next(loop->intake, command, &loop->problems) : status;
}

static void end_rows(struct open_loop *loop, enum status status)
{
    loop->rows_ended = true;
    if (status == STATUS_END)
        return;
    fail(loop, status, status == STATUS_IO ? strerror(errno) : status_text(status));
}

static void record_invalid(struct open_loop *loop, struct shot *shot)
{
    record(loop, &(struct effect){.kind = EFFECT_RECORD_INVALID,
                                  .item = &shot->item,
                                  .problems = &loop->problems});
    loop->result->invalid++;
}

/* Reads a row into the shot; false where it is none that is sent, or the last one has been read. */
static bool read_row(struct open_loop *loop, struct shot *shot)
{
    struct command *command = &shot->item.command;
    enum status status = next_row(loop, command);
    bool is_wrong = status == STATUS_OK && loop->problems.error_count > 0;

    if (status != STATUS_OK)
        end_rows(loop, status);
    else if (is_wrong && !loop->options->skip_invalid)
        end_rows(loop, STATUS_BAD_INPUT);
    if (loop->rows_ended || intake_known(loop->intake)->verdict == STORE_SETTLED)
        return false;
    shot->item.id = (struct row_id){.hash = command->hash,
                                    .device = command->device,
                                    .row = command->row,
                                    .line = command->line,
                                    .occurrence = intake_known(loop->intake)->occurrence};
    shot->item.so_far = (struct retry_row){.tries = 0};
    if (is_wrong) {
        record_invalid(loop, shot);
        return false;
    }
    record(loop, &(struct effect){.kind = EFFECT_ADMIT, .item = &shot->item});
    return true;
}

static void give_back(struct open_loop *loop, struct shot *shot)
{
    shot->next = loop->free;
    loop->free = shot;
}

static bool may_read(const struct open_loop *loop)
{
    const struct store *store = loop->options->store;
    return !loop->rows_ended && !loop->is_stopping && loop->free != NULL &&
           loop->ready_count < AHEAD && loop->next + loop->ready_count < loop->options->requests &&
           (store == NULL || store->room > 0);
}

static void read_ahead(struct open_loop *loop)
{
    while (may_read(loop)) {
        struct shot *shot = loop->free;
        loop->free = shot->next;
        if (!read_row(loop, shot)) {
            give_back(loop, shot);
            continue;
        }
        shot->next = NULL;
        *loop->ready_end = shot;
        loop->ready_end = &shot->next;
        loop->ready_count++;
    }
}

static struct shot *take_ready(struct open_loop *loop)
{
    struct shot *shot = loop->ready;

    loop->ready = shot->next;
    if (loop->ready == NULL)
        loop->ready_end = &loop->ready;
    loop->ready_count--;
    return shot;
}

/* Whether to go on, by the rule of a run. */
static void watch_answer(struct open_loop *loop, const struct answer *answer,
                         const struct outcome *outcome)
{
    const struct open_loop_options *options = loop->options;

    if (loop->is_stopping)
        return;
    enum trust_verdict verdict = trust_add(options->trust, outcome);
    if (outcome->class == OUTCOME_HOPELESS)
        buf_add_format(options->why, "no request can be sent: %s", outcome->error);
    else if (verdict == TRUST_NO_KEY)
        trust_explain_key(options->trust, outcome, options->why);
    else if (verdict == TRUST_FOREIGN)
        trust_explain_foreign(options->dialect, options->transport->endpoint->path, answer, outcome,
                              options->why);
    else
        return;
    stop(loop, LOAD_STOPPED);
}

static void measure(struct open_loop *loop, const struct shot *shot, const struct outcome *outcome,
                    const struct answer *answer)
{
    const struct load_request request = {.outcome = outcome,
                                         .left = answer->state != ANSWER_NOT_SENT,
                                         .waited = shot->waited,
                                         .due_ns = shot->due_ns,
                                         .started_ns = shot->started_ns,
                                         .ended_ns = (int64_t)uv_hrtime(),
                                         .latency_us = answer->latency_us};

    if (loop->options->ended != NULL)
        series_add(loop->options->ended, wall_ms(), outcome->status, 1);
    if (shot->number < loop->options->warm_up)
        return;
    load_add(loop->load, &request);
    if (loop->ready == NULL) /* towards the end: asking costs a system call */
        loop->load->cpu_s = cpu_s() - loop->cpu_before_s;
}

static void on_done(void *context, const struct answer *answer)
{
    struct shot *shot = context;
    struct open_loop *loop = shot->loop;
    struct outcome outcome;

    outcome_judge(loop->options->dialect, (enum operation)shot->item.command.action, answer,
                  &outcome);
    measure(loop, shot, &outcome, answer);
    shot->item.so_far.sent = answer->state != ANSWER_NOT_SENT;
    shot->item.so_far.ambiguous =
        outcome.class == OUTCOME_AMBIGUOUS || outcome.class == OUTCOME_UNKNOWN;
    struct effect effect = {.kind = EFFECT_RECORD, .item = &shot->item};
    effect.record.outcome = &outcome;
    effect.record.latency_us = answer->latency_us;
    record(loop, &effect);
    watch_answer(loop, answer, &outcome);
    if (loop->under_way-- == loop->options->transport->concurrency)
        loop->found_full = arrivals_count(&loop->arrivals, (int64_t)uv_hrtime());
    give_back(loop, shot);
    go_on(loop);
}

static void start(struct open_loop *loop, struct shot *shot)
{
    const struct command *command = &shot->item.command;
    const struct transport_request request = {.method = operations[command->action].method,
                                              .target = command_target(command),
                                              .body = command_body(command)};

    shot->number = loop->next++;
    shot->due_ns = arrivals_due_ns(&loop->arrivals, shot->number);
    shot->waited = shot->number < loop->found_full;
    shot->started_ns = (int64_t)uv_hrtime();
    if (shot->number == loop->options->warm_up)
        loop->cpu_before_s = cpu_s();
    if (loop->options->give_up_ns > 0 &&
        shot->started_ns - shot->due_ns > loop->options->give_up_ns)
        stop(loop, LOAD_BEHIND);
    record(loop, &(struct effect){.kind = EFFECT_MARK, .item = &shot->item});
    loop->under_way++;
    loop->result->sent++;
    enum status status = transport_start(loop->transport, &request, on_done, shot);
    if (status == STATUS_OK)
        return;
    loop->under_way--;
    loop->result->sent--;
    record(loop, &(struct effect){.kind = EFFECT_DROP, .item = &shot->item});
    give_back(loop, shot);
    fail(loop, status, status_text(status));
}

static void wake_at(struct open_loop *loop, int64_t at_ns)
{
    const struct itimerspec at = {
        .it_value = {.tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000}};

    if (timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) != 0)
        fail(loop, STATUS_IO, strerror(errno));
}

static void start_due(struct open_loop *loop)
{
    const struct open_loop_options *options = loop->options;

    while (loop->ready != NULL && !loop->is_stopping &&
           loop->under_way < options->transport->concurrency && is_durable(loop, loop->ready)) {
        int64_t due_ns = arrivals_due_ns(&loop->arrivals, loop->next);
        if (due_ns > (int64_t)uv_hrtime()) {
            wake_at(loop, due_ns);
            return;
        }
        start(loop, take_ready(loop));
        read_ahead(loop);
    }
}

static void drop_ready(struct open_loop *loop)
{
    while (loop->ready != NULL) {
        struct shot *shot = take_ready(loop);
        record(loop, &(struct effect){.kind = EFFECT_DROP, .item = &shot->item});
        give_back(loop, shot);
    }
}

static void close_all(struct open_loop *loop)
{
    loop->is_closing = true;
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->flush, NULL);
    if (loop->has_signal_poll)
        uv_close((uv_handle_t *)&loop->signals, NULL);
    transport_close(loop->transport);
}

/* Whatever has happened: starts what is due, and sees whether all has come to its end. Not from
 * within a transport's call, which on_done is: closing waits for the loop's next turn. */
static void go_on(struct open_loop *loop)
{
    read_ahead(loop);
    start_due(loop);
    if (loop->is_stopping)
        drop_ready(loop);
    sync_if_needed(loop);
    if (loop->under_way == 0 && loop->ready == NULL && loop->sync == NULL)
        wake_at(loop, 1); /* at once */
}

static void on_wake(uv_poll_t *poll, int status, int events)
{
    struct open_loop *loop = poll->data;
    uint64_t times;

    (void)status;
    (void)events;
    if (read(loop->timer_fd, &times, sizeof(times)) < 0 && errno != EAGAIN)
        fail(loop, STATUS_IO, strerror(errno));
    go_on(loop);
    bool may_end = loop->rows_ended || loop->is_stopping || loop->next == loop->options->requests;
    if (may_end && loop->under_way == 0 && loop->ready == NULL && loop->sync == NULL &&
        !loop->is_closing)
        close_all(loop);
}

static void take_signals(struct open_loop *loop)
{
    int number;

    while (interrupt_next(&number)) {
        if (interrupt_name(number)[0] == '\0')
            continue; /* it ends nothing */
        if (loop->result->signal_number != 0)
            transport_abort(loop->transport);
        loop->result->signal_number = number;
        stop(loop, LOAD_INTERRUPTED);
        go_on(loop);
    }
}

static void on_flush(uv_timer_t *timer)
{
    struct open_loop *loop = timer->data;

    record(loop, &(struct effect){.kind = EFFECT_FLUSH});
    if (!loop->has_signal_poll)
        take_signals(loop);
}

static void on_signal(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    take_signals(poll->data);
}

static enum status open_handles(struct open_loop *loop)
{
    enum status status =
        transport_open(&loop->uv, loop->options->transport, loop->message, &loop->transport);
    if (status != STATUS_OK)
        return status;
    (void)uv_timer_init(&loop->uv, &loop->flush);
    loop->wake.data = loop->flush.data = loop;
    (void)uv_timer_start(&loop->flush, on_flush, FLUSH_MS, FLUSH_MS);
    loop->signals.data = loop;
    loop->has_signal_poll =
        interrupt_fd() >= 0 && uv_poll_init(&loop->uv, &loop->signals, interrupt_fd()) == 0;
    if (loop->has_signal_poll)
        (void)uv_poll_start(&loop->signals, UV_READABLE, on_signal);
    (void)uv_poll_init(&loop->uv, &loop->wake, loop->timer_fd);
    (void)uv_poll_start(&loop->wake, UV_READABLE, on_wake);
    return STATUS_OK;
}

static enum status run(struct open_loop *loop)
{
    if (uv_loop_init(&loop->uv) != 0)
        return STATUS_NETWORK;
    enum status status = open_handles(loop);
    if (status == STATUS_OK) {
        read_ahead(loop);
        loop->arrivals =
            (struct arrivals){(int64_t)uv_hrtime() + 1000000, loop->options->rate_per_s};
        loop->cpu_before_s = cpu_s();
        go_on(loop);
    }
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    if (uv_loop_close(&loop->uv) != 0 && status == STATUS_OK)
        status = STATUS_NETWORK;
    record(loop, &(struct effect){.kind = EFFECT_FLUSH});
    return status == STATUS_OK ? loop->status : status;
}

static void make_shots(struct open_loop *loop)
{
    for (size_t i = 0; i < loop->shot_count; i++) {
        command_init(&loop->shots[i].item.command);
        loop->shots[i].loop = loop;
        give_back(loop, &loop->shots[i]);
    }
}

static void free_shots(struct open_loop *loop)
{
    for (size_t i = 0; i < loop->shot_count; i++)
        command_deinit(&loop->shots[i].item.command);
    free(loop->shots);
}

enum status open_loop_run(struct intake *intake, bool is_started,
                          const struct open_loop_options *options, struct load *ret_load,
                          struct open_loop_result *ret_result, struct buf *message)
{
    struct open_loop *loop = calloc(1, sizeof(*loop));

    *ret_result = (struct open_loop_result){.sent = 0};
    if (loop == NULL)
        return STATUS_NO_MEMORY;
    loop->options = options;
    loop->intake = intake;
    loop->is_started = is_started;
    loop->load = ret_load;
    loop->result = ret_result;
    loop->message = message;
    loop->ready_end = &loop->ready;
    loop->shot_count = options->transport->concurrency + AHEAD;
    loop->shots = calloc(loop->shot_count, sizeof(*loop->shots));
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    problems_init(&loop->problems);
    loop->recorder = (struct recorder){.store = options->store,
                                       .tally = &loop->spare,
                                       .problems = &loop->problems};
    enum status status = loop->shots != NULL && loop->timer_fd >= 0 ? STATUS_OK : STATUS_NO_MEMORY;
    if (status == STATUS_OK) {
        make_shots(loop);
        interrupt_take(true);
        status = run(loop);
        interrupt_take(false);
        free_shots(loop);
    }
    if (loop->timer_fd >= 0)
        (void)close(loop->timer_fd);
    if (status == STATUS_OK && ret_load->end == LOAD_WHOLE && loop->rows_ended &&
        loop->next < options->requests)
        ret_load->end = LOAD_NO_ROWS;
    problems_deinit(&loop->problems);
    free(loop);
    return status;
}
