#include <errno.h>
#include <time.h>

#include "engine/driver_impl.h"
#include "engine/interrupt.h"

/*
 * The engine's world: libuv's loop, the transport and the record. Each callback of the loop becomes
 * one event; `perform` does what the engine asks for, and where that brings something about at once
 * (a row that is read, a request that could not leave, a record that cannot be written), it becomes
 * the next event, behind the step.
 *
 * Answers that arrive together are told one by one, and the engine gets its turn behind them: what
 * they make room for is started in one go.
 */

enum { ANSWERS_PER_TURN = 64 }; /* of one turn of the loop are taken together, so many */

static struct engine_time now(void)
{
    struct timespec wall;

    (void)clock_gettime(CLOCK_REALTIME, &wall);
    return (struct engine_time){.ns = (int64_t)uv_hrtime(),
                                .wall_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000};
}

static void step(struct driver *driver, const struct event *event)
{
    driver->now = now();
    engine_step(driver->engine, event, driver->now);
}

/* The key's source is read, and may take its time: a command that is run. */
static void read_key(struct driver *driver, struct buf *why, struct event *event)
{
    const struct job_options *options = driver->options;

    *event = (struct event){.kind = EVENT_KEY};
    event->key.result = options->renew_key(options->renew_key_context, why);
    if (event->key.result == JOB_KEY_OTHER && transport_renew_key(driver->transport) != STATUS_OK)
        event->key.result = JOB_KEY_FAILED;
    event->key.why = buf_string(why);
}

static void on_key_look(uv_timer_t *timer);

/* Whether the key's source is looked at again a moment later. */
static bool look_later(struct driver *driver)
{
    int64_t now_ns = (int64_t)uv_hrtime();

    if (driver->key_look_ms == 0) {
        driver->key_look_ms = JOB_KEY_LOOK_MS;
        driver->key_until_ns = now_ns + (int64_t)JOB_KEY_WAIT_MS * 1000000;
    }
    if (now_ns + driver->key_look_ms * 1000000 > driver->key_until_ns ||
        engine_is_stopping(driver->engine))
        return false;
    uv_update_time(&driver->loop);
    (void)uv_timer_start(&driver->key_look, on_key_look, (uint64_t)driver->key_look_ms, 0);
    driver->key_look_ms *= 2;
    return true;
}

static void tell_unsent(struct driver *driver)
{
    const struct unsent unsent = driver->unsent[--driver->unsent_count];
    const struct answer answer = {.state = ANSWER_NOT_SENT,
                                  .is_late = unsent.is_late,
                                  .os_error = unsent.why == STATUS_NO_MEMORY ? ENOMEM : 0,
                                  .retry_after_ms = -1,
                                  .detail = span_string(status_text(unsent.why))};
    struct event event = {.kind = EVENT_ANSWER, .item = unsent.item};

    event.answer.answer = &answer;
    step(driver, &event);
}

static void tell_key(struct driver *driver)
{
    struct event event;
    struct buf why;

    buf_init(&why, 64 * 1024);
    read_key(driver, &why, &event);
    if (event.key.result != JOB_KEY_NOT_YET || !look_later(driver)) {
        if (event.key.result == JOB_KEY_NOT_YET)
            event.key.result = JOB_KEY_FAILED;
        driver->key_look_ms = 0;
        step(driver, &event);
    }
    buf_deinit(&why);
}

static void step_failed(struct driver *driver)
{
    const struct event event = {.kind = EVENT_RECORD_FAILED,
                                .failure = {STATUS_IO, driver->store->error(driver->store)}};

    step(driver, &event);
}

static void step_room(struct driver *driver)
{
    const struct event event = {.kind = EVENT_ROOM, .room = {driver->store->room, driver->held_up}};

    step(driver, &event);
}

static void step_sync(struct driver *driver, const char *failed)
{
    const struct event event = {.kind = EVENT_SYNC_DONE, .sync = {driver->sync_number, failed}};

    step(driver, &event);
}

/* There was nothing to sync, or it cannot be. */
static void step_skipped(struct driver *driver)
{
    const char *error = driver->store->error(driver->store);

    step_sync(driver, error[0] != '\0' ? error : NULL);
}

/* Takes a word that stands for something to be told; the order is that of its urgency. */
static bool take(bool *word)
{
    bool was = *word;

    *word = false;
    return was;
}

/* Tells the engine one thing that the last step has brought about; false when there is no other. */
static bool tell_next(struct driver *driver)
{
    struct driver_news *news = &driver->news;
    struct event event;

    if (take(&news->record_failed))
        step_failed(driver);
    else if (take(&news->room))
        step_room(driver);
    else if (take(&news->sync_skipped))
        step_skipped(driver);
    else if (driver->unsent_count > 0)
        tell_unsent(driver);
    else if (take(&news->key))
        tell_key(driver);
    else if ((take(&news->look) && driver_look(driver, &event)) || driver_read(driver, &event))
        step(driver, &event);
    else
        return false;
    return true;
}

/* Notes where whoever reads the results has fallen behind or caught up. */
static void look_at_reader(struct driver *driver)
{
    bool held_up = driver->store->is_held_up(driver->store);

    driver->news.room |= held_up != driver->held_up;
    driver->held_up = held_up;
}

static void finish_step(struct driver *driver)
{
    while (tell_next(driver))
        ;
    driver_tell_peer(driver);
}

static void on_key_look(uv_timer_t *timer)
{
    struct driver *driver = timer->data;

    if (driver->ending)
        return;
    driver->news.key = true;
    finish_step(driver);
}

void driver_step(struct driver *driver, const struct event *event)
{
    step(driver, event);
    finish_step(driver);
}

void driver_turn(struct driver *driver, enum event_kind kind)
{
    driver->answers = 0;
    driver->rows = 0;
    look_at_reader(driver);
    if (take(&driver->news.room))
        step_room(driver);
    driver_step(driver, &(struct event){.kind = kind});
}

static void shut_down(struct driver *driver)
{
    uv_close((uv_handle_t *)&driver->more, NULL);
    uv_close((uv_handle_t *)&driver->flush, NULL);
    uv_close((uv_handle_t *)&driver->wake, NULL);
    uv_close((uv_handle_t *)&driver->again, NULL);
    uv_close((uv_handle_t *)&driver->key_look, NULL);
    driver_close_signals(driver);
    driver_close_peer(driver);
    if (driver->has_input_poll)
        uv_close((uv_handle_t *)&driver->input, NULL);
    transport_close(driver->transport);
    driver->transport = NULL;
}

static void on_more(uv_idle_t *idle)
{
    struct driver *driver = idle->data;

    (void)uv_idle_stop(idle);
    if (driver->ending)
        shut_down(driver);
    else
        driver_turn(driver, EVENT_TURN);
}

void driver_turn_soon(struct driver *driver)
{
    (void)uv_idle_start(&driver->more, on_more);
}

static void on_wake(uv_timer_t *timer)
{
    driver_turn(timer->data, EVENT_TIMER);
}

static void on_flush(uv_timer_t *timer)
{
    driver_step(timer->data, &(struct event){.kind = EVENT_FLUSH});
}

static void arm(struct driver *driver, int64_t at_ns)
{
    if (at_ns == INT64_MAX) {
        (void)uv_timer_stop(&driver->wake);
        return;
    }
    int64_t delay_ms = (at_ns - (int64_t)uv_hrtime() + 999999) / 1000000;
    uv_update_time(&driver->loop);
    (void)uv_timer_start(&driver->wake, on_wake, delay_ms > 0 ? (uint64_t)delay_ms : 1, 0);
}

static void on_done(void *context, const struct answer *answer)
{
    struct item *item = context;
    struct driver *driver = item->world;
    struct event event = {.kind = EVENT_ANSWER, .item = item};

    driver->in_flight--;
    event.answer.answer = answer;
    if (engine_wants_date(driver->engine))
        event.answer.has_date = transport_date_s(answer->date, &event.answer.date_s);
    driver->body = answer->body;
    step(driver, &event);
    driver->body = span_of(NULL, 0);
    finish_step(driver);
    if (++driver->answers < ANSWERS_PER_TURN || driver->ending)
        return;
    (void)uv_idle_stop(&driver->more);
    driver_turn(driver, EVENT_TURN);
}

static void send_item(struct driver *driver, struct item *item)
{
    const struct command *command = item_request(item);
    struct transport_request request = {
        .method = operations[item_operation(item)].method,
        .target = command_target(command),
        .body = command_body(command),
    };
    bool may_send = driver_may_send(driver, item, &request.before_ns);
    enum status status = STATUS_CHANGED;

    if (may_send)
        status = transport_start(driver->transport, &request, on_done, item);
    if (status == STATUS_OK)
        driver->in_flight++;
    else
        driver->unsent[driver->unsent_count++] = (struct unsent){item, status, !may_send};
}

/* In a thread of libuv's pool. */
static void do_sync(uv_work_t *work)
{
    struct driver *driver = work->data;

    driver->store->sync_run(driver->sync);
}

void driver_end_sync(struct driver *driver, bool ok)
{
    driver->rows = 0;
    step_room(driver);
    step_sync(driver, ok ? NULL : driver->store->error(driver->store));
    finish_step(driver);
}

static void after_sync(uv_work_t *work, int cancelled)
{
    struct driver *driver = work->data;

    (void)cancelled; /* nobody does */
    driver_end_sync(driver, driver->store->sync_end(driver->store, driver->sync) == STATUS_OK);
}

static void begin_sync(struct driver *driver, uint64_t number)
{
    driver->sync_number = number;
    if (driver_sync_peer(driver))
        return;
    driver->sync = driver->store->sync_begin(driver->store);
    driver->news.sync_skipped = driver->sync == NULL;
    if (driver->sync != NULL) /* EINVAL alone */
        (void)uv_queue_work(&driver->loop, &driver->sync_work, do_sync, after_sync);
}

static void perform_record(struct driver *driver, const struct effect *effect)
{
    if (recorder_perform(&driver->recorder, effect, driver->now.wall_ms) != STATUS_OK)
        driver->news.record_failed = true;
    if (effect->kind == EFFECT_RECORD)
        driver_tell_source(driver, effect);
    look_at_reader(driver);
}

static void tell(const struct driver *driver, const struct effect *effect)
{
    const struct job_options *options = driver->options;

    if (options->event != NULL)
        options->event(options->event_context, effect->tell.event, effect->tell.status);
}

static void tell_attempt(struct driver *driver, const struct job_attempt *attempt)
{
    const struct job_options *options = driver->options;

    if (attempt->left)
        tally_add_attempt(driver->recorder.tally, attempt->latency_us);
    if (options->attempt != NULL)
        options->attempt(options->attempt_context, attempt);
}

static void perform(void *context, const struct effect *effect)
{
    struct driver *driver = context;

    switch (effect->kind) {
    case EFFECT_TURN:
        driver_turn_soon(driver);
        break;
    case EFFECT_ARM:
        arm(driver, effect->at_ns);
        break;
    case EFFECT_READ:
        driver->wanted = effect->item;
        effect->item->world = driver;
        break;
    case EFFECT_LOOK:
        driver->news.look = true;
        break;
    case EFFECT_ADMIT:
    case EFFECT_MARK:
    case EFFECT_UNMARK:
    case EFFECT_DROP:
    case EFFECT_RECORD:
    case EFFECT_RECORD_INVALID:
    case EFFECT_RECORD_EXPIRED:
    case EFFECT_FLUSH:
        perform_record(driver, effect);
        break;
    case EFFECT_SYNC:
        begin_sync(driver, effect->sync);
        break;
    case EFFECT_SEND:
        send_item(driver, effect->item);
        break;
    case EFFECT_DISTRUST:
        transport_distrust(driver->transport);
        break;
    case EFFECT_ABORT:
        transport_abort(driver->transport);
        break;
    case EFFECT_RENEW:
        driver->news.key = true;
        break;
    case EFFECT_TELL:
        tell(driver, effect);
        break;
    case EFFECT_TELL_ATTEMPT:
        tell_attempt(driver, effect->attempt);
        break;
    case EFFECT_END: /* closing is left to the loop's next turn: this may be the transport's */
        driver->ending = true;
        driver_turn_soon(driver);
        break;
    }
}

static enum status make_engine(struct driver *driver)
{
    const struct job_options *options = driver->options;
    const struct engine_options engine_options = {
        .dialect = options->dialect,
        .concurrency = options->transport.concurrency,
        .room = driver->store->room,
        .retry = options->retry,
        .seed = options->seed,
        .pacer = options->pacer,
        .canary = options->canary,
        .halt = options->halt,
        .outage_wait_ms = options->outage_wait_ms,
        .verify = options->verify,
        .can_renew = options->renew_key != NULL,
        .beats = options->peer != NULL ? &driver->beats : NULL,
        .input = driver->source->name,
        .target_path = options->transport.endpoint->path,
        .perform = perform,
        .context = driver,
        .message = driver->message,
    };

    driver->unsent = malloc(options->transport.concurrency * sizeof(*driver->unsent));
    return driver->unsent == NULL ? STATUS_NO_MEMORY
                                  : engine_new(&engine_options, now(), &driver->engine);
}

static enum status open_loop(struct driver *driver)
{
    if (uv_loop_init(&driver->loop) != 0) {
        buf_add_string(driver->message, "the event loop could not be set up");
        return STATUS_NETWORK;
    }
    enum status status = transport_open(&driver->loop, &driver->options->transport, driver->message,
                                        &driver->transport);
    if (status != STATUS_OK) {
        (void)uv_run(&driver->loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&driver->loop);
        return status;
    }
    (void)uv_idle_init(&driver->loop, &driver->more);
    (void)uv_timer_init(&driver->loop, &driver->flush);
    (void)uv_timer_init(&driver->loop, &driver->wake);
    (void)uv_timer_init(&driver->loop, &driver->again);
    (void)uv_timer_init(&driver->loop, &driver->key_look);
    driver->more.data = driver->flush.data = driver->wake.data = driver->again.data =
        driver->key_look.data = driver->sync_work.data = driver;
    (void)uv_timer_start(&driver->flush, on_flush, ENGINE_FLUSH_MS, ENGINE_FLUSH_MS);
    uv_unref((uv_handle_t *)&driver->flush);
    driver_watch_signals(driver);
    driver_open_input(driver);
    return driver_open_peer(driver);
}

/* Everything has come to its end: writes what is left, and has the engine judge the run. */
static void close_run(struct driver *driver)
{
    struct event event = {.kind = EVENT_RECORD_FAILED,
                          .failure = {STATUS_NETWORK, "the event loop ended with work left"}};

    driver_close_input(driver);
    if (uv_loop_close(&driver->loop) != 0)
        step(driver, &event);
    if (driver->store->flush(driver->store) != STATUS_OK)
        step_failed(driver);
    const struct source_place place = driver->source->place(driver->source);
    event = (struct event){.kind = EVENT_CLOSED, .closed = {place.line, place.has_grown}};
    step(driver, &event);
}

static enum status run(struct driver *driver, struct job_result *ret_result)
{
    enum status status = make_engine(driver);

    if (status == STATUS_OK)
        status = open_loop(driver);
    if (status != STATUS_OK)
        return status;
    driver_turn_soon(driver);
    (void)uv_run(&driver->loop, UV_RUN_DEFAULT);
    close_run(driver);
    return engine_result(driver->engine, ret_result);
}

enum status job_run(struct row_source *source, const struct job_options *options,
                    struct store *store, struct tally *tally, struct job_result *ret_result,
                    struct buf *message)
{
    struct driver *driver = calloc(1, sizeof(*driver));

    *ret_result = (struct job_result){.canary = options->canary};
    if (driver == NULL)
        return STATUS_NO_MEMORY;
    bool was_text = buf_set_text(message, false); /* the log has it too */
    driver->options = options;
    driver->source = source;
    driver->store = store;
    driver->message = message;
    driver->recorder = (struct recorder){.store = store,
                                         .tally = tally,
                                         .problems = &driver->problems,
                                         .report = options->report,
                                         .report_context = options->report_context};
    problems_init(&driver->problems);
    interrupt_take(true);
    enum status status = run(driver, ret_result);
    interrupt_take(false);
    (void)buf_set_text(message, was_text);
    problems_deinit(&driver->problems);
    engine_free(driver->engine);
    free(driver->unsent);
    free(driver);
    return status;
}
