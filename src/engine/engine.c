#include "engine/engine_impl.h"

#include <assert.h>

/*
 * From the input to the start of an attempt.
 *
 * A row is read when there is room for it (pull, not push), admitted to the record, and waits until
 * a sync has made that durable: a machine that dies then remembers that it may have been sent. Many
 * rows wait for one sync, in the order of the file. Each row that is read ahead for that is in
 * doubt when the machine dies, so they are as few as will do: as many as start between two syncs,
 * which the results ask for from time to time. Where rows run out before that, more are read ahead.
 *
 * `pump` does all that can be done now. Reading takes it apart: each READ is answered by an event,
 * and the last one goes on with `settle`, what comes behind reading.
 */

enum {
    CACHE_LINE = 64,
    READER_LOOK_MS = 10, /* how soon to ask whether the results' reader has caught up */
    AHEAD_MAX = 640,
    AHEAD_LOW = 4, /* a sync is asked for when only a part of this is left */
    AHEAD_GROWTH = 4,
};

/*
 * The negative control of the wait for the disk: the tests build another binary in which this is
 * defined, and see what a power cut then sends twice. The product has no such switch.
 */
#ifdef NBATCH_TEST_WITHOUT_SYNC_WAIT
enum { IS_SYNC_AWAITED = false };
#else
enum { IS_SYNC_AWAITED = true };
#endif

static struct item *item_of(struct task *task)
{
    return (struct item *)task;
}

void engine_perform(struct engine *engine, enum effect_kind kind, struct item *item)
{
    const struct effect effect = {.kind = kind, .item = item};

    engine->options.perform(engine->options.context, &effect);
}

void engine_turn_soon(struct engine *engine)
{
    engine_perform(engine, EFFECT_TURN, NULL);
}

bool engine_is_stopping(const struct engine *engine)
{
    return engine->status != STATUS_OK || engine->result.end != JOB_COMPLETE;
}

bool engine_wants_date(const struct engine *engine)
{
    return !engine->has_clock;
}

/* Items. */

static struct item *make_item(struct engine *engine)
{
    struct item *item = calloc(1, sizeof(*item));

    if (item == NULL)
        return NULL;
    command_init(&item->command);
    item->next_made = engine->all_items;
    engine->all_items = item;
    return item;
}

static struct item *take_item(struct engine *engine)
{
    struct item *item = engine->free_items;

    if (item != NULL)
        engine->free_items = item->next_free;
    else
        item = make_item(engine);
    if (item == NULL)
        return NULL;
    item->task = (struct task){.state = TASK_READ};
    item->so_far = (struct retry_row){.tries = 0};
    item->paced = (struct pacer_row){.failing = 0};
    item->number = 0;
    return item;
}

static void give_back(struct engine *engine, struct item *item)
{
    engine_end_verification(item);
    item->next_free = engine->free_items;
    engine->free_items = item;
}

/* That it is refused is likely to be its device's doing, so that the device's next row begins with
 * what is known of it. */
void engine_end_item(struct engine *engine, struct item *item)
{
    if (item->paced.failing != 0 && item->task.behind != NULL)
        item_of(item->task.behind)->paced = item->paced;
    scheduler_finish(&engine->scheduler, &item->task);
    give_back(engine, item);
}

void engine_release_held(struct engine *engine)
{
    struct item *item;

    while ((item = item_of(scheduler_held(&engine->scheduler))) != NULL) {
        free(item->refusal);
        item->refusal = NULL;
        scheduler_release(&engine->scheduler);
    }
}

static void drop(struct engine *engine, struct item *item)
{
    engine_perform(engine, EFFECT_DROP, item);
    engine->room++;
}

/* The run was stopped: of the rows that have not ended, only those that may have been processed get
 * a result. */
static void engine_drop_rows(struct engine *engine)
{
    struct scheduler *scheduler = &engine->scheduler;
    struct item *item;

    while ((item = item_of(scheduler_admitted(scheduler))) != NULL) {
        scheduler_drop(scheduler);
        drop(engine, item);
        give_back(engine, item);
    }
    (void)scheduler_due(scheduler, INT64_MAX);
    engine_release_held(engine);
    while ((item = item_of(scheduler_next(scheduler))) != NULL) {
        if (item->verification != NULL) {
            engine_give_up_verification(engine, item);
            continue;
        }
        if (item->so_far.tries > 0 && item->so_far.ambiguous > 0)
            engine_record_given_up(engine, item,
                                   "an attempt may have been processed, and the run was stopped "
                                   "before the next");
        else
            drop(engine, item);
        engine_end_item(engine, item);
    }
}

/* Starting. */

/* Rows wait long enough to leave the processor's cache: the next ones are fetched from memory while
 * one is being sent, first the row and then its request. */
static void expect_next(const struct engine *engine)
{
    const struct task *next = engine->scheduler.fresh.head;

    if (next == NULL)
        return;
    const struct item *item = (const struct item *)next;
    __builtin_prefetch(item->command.text.ptr);
    __builtin_prefetch(item->command.text.ptr + CACHE_LINE);
    __builtin_prefetch(item->command.text.ptr + 2 * CACHE_LINE);
    if (next->next == NULL)
        return;
    const char *after = (const char *)next->next;
    for (size_t at = 0; at < sizeof(struct item); at += CACHE_LINE)
        __builtin_prefetch(after + at);
}

/* How soon a valid_time may come that is still sent: the platform reads it in whole seconds, when
 * the request has arrived. */
enum { VALID_TIME_AHEAD_S = 1 };

/* A valid_time that has come while the row waited would be refused; "now" is what it means then.
 * Each attempt looks again. `now_s`: by the platform's clock. */
static void drop_valid_time(struct engine *engine, struct item *item, int64_t now_s)
{
    if (item->command.valid_at_s > now_s + VALID_TIME_AHEAD_S ||
        !command_drop_valid_time(&item->command) || engine->told_valid_now)
        return;
    engine->told_valid_now = true;
    engine_tell(engine, JOB_EVENT_VALID_NOW);
}

/* What might have to be remembered goes before the row: the mark in the record. */
static void mark(struct engine *engine, struct item *item, int64_t now_s)
{
    if (item->so_far.tries == 0)
        item->first_ms = engine->now.wall_ms;
    drop_valid_time(engine, item, now_s);
    expect_next(engine);
    engine_perform(engine, EFFECT_MARK, item);
}

/* Sends a row, or a question about it. */
static void start(struct engine *engine, struct item *item, int64_t now_s)
{
    item->pacer_ticket = pacer_start(&engine->pacer, engine->now.ns);
    if (engine->options.beats != NULL)
        beats_take(engine->options.beats);
    item->started_ns = engine->now.ns;
    item->key_number = engine->key_number;
    item->start_number = ++engine->starts;
    if (item->verification == NULL)
        mark(engine, item, now_s);
    engine_perform(engine, EFFECT_SEND, item);
}

/* Ends a row that was good when it was read, and that the platform would no longer deliver. */
static void end_expired(struct engine *engine, struct item *item)
{
    if (item->so_far.sent > 0)
        engine_record_given_up(engine, item, "expired_time passed before it could be sent again");
    else
        engine_record_expired(engine, item);
    engine_end_item(engine, item);
}

/* When something may start, 0 for now, and why not earlier. */
static int64_t next_start_ns(struct engine *engine)
{
    int64_t now_ns = engine->now.ns;
    int64_t enough_ms = shortage_next_ms(&engine->shortage, now_ns / 1000000);

    if (engine->held_up) {
        engine->wait = PACER_READER;
        return now_ns + READER_LOOK_MS * 1000000;
    }
    if (enough_ms > 0) {
        engine->wait = PACER_SHORTAGE;
        return enough_ms * 1000000;
    }
    int64_t next_ns = pacer_next_ns(&engine->pacer, now_ns, &engine->wait);
    if (next_ns != 0 || engine->options.beats == NULL)
        return next_ns;
    next_ns = beats_next_ns(engine->options.beats, now_ns);
    if (next_ns != 0)
        engine->wait = PACER_RATE;
    return next_ns;
}

/* Until the platform has answered once, one request goes at a time: the scout. None goes while the
 * key's source is being read; nor in a step that has written a result, since whoever wrote it has
 * not said yet whether it could. */
static bool may_start(const struct engine *engine)
{
    return !engine_is_stopping(engine) && scheduler_can_start(&engine->scheduler) &&
           (engine->trust.met || engine->scheduler.in_flight == 0) &&
           engine->renewal == RENEWAL_NONE && !engine->is_recording;
}

/* Takes the next row, whose turn has come. */
static void start_next(struct engine *engine)
{
    struct item *item = item_of(scheduler_next(&engine->scheduler));
    int64_t now_ms = engine_now_ms(engine);
    int64_t now_s = engine->now.wall_ms / 1000 + engine->clock_off_s;

    if (engine->clock_off_s != 0)
        engine_set_clock(engine, item);
    bool is_retry = item_tries(item)->tries > 0;
    bool must_pay = is_retry && scheduler_has_fresh(&engine->scheduler);
    int64_t again_ms = must_pay ? budget_next_ms(&engine->budget, now_ms) : 0;
    if (item->verification == NULL && item->command.expires_at_s <= now_s) {
        end_expired(engine, item);
    } else if (item->verification != NULL && !engine_put_question(engine, item)) {
        engine_give_up_verification(engine, item);
    } else if (again_ms != 0) {
        scheduler_retry(&engine->scheduler, &item->task, again_ms);
    } else {
        if (is_retry)
            budget_take(&engine->budget, now_ms);
        engine->result.retries += is_retry;
        start(engine, item, now_s);
    }
}

/* Starts what may start; sets when to ask again where something waits. */
static void start_ready(struct engine *engine)
{
    engine->wake_ns = INT64_MAX;
    (void)scheduler_due(&engine->scheduler, engine_now_ms(engine));
    engine->scheduler.probes = breaker_is_open(&engine->pacer.breaker);
    while (may_start(engine)) {
        int64_t next_ns = next_start_ns(engine);
        if (next_ns != 0) {
            engine->wake_ns = next_ns;
            return;
        }
        start_next(engine);
    }
    engine->wait = PACER_GO;
}

/* Reading and admission. */

/* Whether the canary lets another row in; where its pause is over now, that is told. */
static bool canary_allows(struct engine *engine)
{
    bool was_pausing = engine->canary.state == CANARY_PAUSING;
    bool allows = canary_next_ms(&engine->canary, engine_now_ms(engine)) == 0;

    if (was_pausing && engine->canary.state == CANARY_OVER)
        engine_tell(engine, JOB_EVENT_CANARY);
    return allows;
}

static bool may_read(struct engine *engine)
{
    return !engine_is_stopping(engine) && !engine->held_up && !engine->input_ended &&
           engine->room > 0 && scheduler_has_room(&engine->scheduler, engine->ahead) &&
           canary_allows(engine);
}

/* Asks for a row where there is room; whether one is under way. */
static bool read_next(struct engine *engine)
{
    if (engine->reading != NULL || !may_read(engine))
        return false;
    engine->reading = take_item(engine);
    if (engine->reading == NULL) {
        engine_fail(engine, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
        return false;
    }
    engine_perform(engine, EFFECT_READ, engine->reading);
    return true;
}

/* Hands the scheduler the rows that the disk knows of; `durable` is the last sync that ended. */
static void add_durable(struct engine *engine, uint64_t durable)
{
    struct item *item;

    while (!engine_is_stopping(engine) &&
           (item = item_of(scheduler_admitted(&engine->scheduler))) != NULL &&
           (!IS_SYNC_AWAITED || item->sync <= durable)) {
        const struct task *next = item->task.next;
        if (scheduler_add(&engine->scheduler) != STATUS_OK) {
            engine_fail(engine, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
            return;
        }
        if (next != NULL)
            __builtin_prefetch(next);
    }
}

/* From now on the row may be sent, as soon as that is durable. */
static void admit(struct engine *engine, struct item *item, const struct event *event)
{
    item->task.device = item->id.device;
    item->so_far.sent = event->row.sent;
    item->so_far.ambiguous = item->doubts_before = event->row.ambiguous;
    item->number = ++engine->admitted;
    item->sync = engine->syncs + 1;
    if (engine->canary.state == CANARY_SENDING)
        canary_add(&engine->canary);
    engine_perform(engine, EFFECT_ADMIT, item);
    engine->room--;
    engine->waiting++;
    scheduler_admit(&engine->scheduler, &item->task);
    if (!IS_SYNC_AWAITED)
        add_durable(engine, 0);
}

static void begin_sync(struct engine *engine)
{
    const struct effect effect = {.kind = EFFECT_SYNC, .sync = engine->syncs + 1};

    if (engine->is_syncing || (engine->waiting == 0 && engine->unsynced == 0))
        return;
    engine->syncs++;
    engine->is_syncing = true;
    engine->waiting = engine->unsynced = 0;
    engine->options.perform(engine->options.context, &effect);
}

static void sync_if_due(struct engine *engine)
{
    bool is_low = engine->waiting > 0 &&
                  engine->scheduler.ready < (engine->ahead + AHEAD_LOW - 1) / AHEAD_LOW;

    if (engine_is_stopping(engine) || engine->is_syncing)
        return;
    if (is_low && !engine->input_ended && engine->ahead < AHEAD_MAX)
        engine->ahead += (engine->ahead + AHEAD_GROWTH - 1) / AHEAD_GROWTH;
    if (is_low || engine->unsynced >= ENGINE_SYNC_ROWS || engine->room == 0)
        begin_sync(engine);
}

/* The turn of a run. */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t to_ns(int64_t ms)
{
    return ms < INT64_MAX / 1000000 ? ms * 1000000 : INT64_MAX;
}

/* Sets the timer for the next thing that time alone brings about. */
static void arm(struct engine *engine)
{
    const struct breaker *breaker = &engine->pacer.breaker;
    int64_t canary_ns = to_ns(canary_wake_ms(&engine->canary)), at_ns = INT64_MAX;

    if (!engine_is_stopping(engine)) {
        at_ns = earlier(engine->wake_ns, to_ns(scheduler_next_due_ms(&engine->scheduler)));
        if (canary_ns > engine->now.ns) /* else something but time keeps rows from being read */
            at_ns = earlier(at_ns, canary_ns);
        if (breaker_is_open(breaker))
            at_ns = earlier(at_ns, to_ns(breaker->open_since_ms + engine_outage_wait_ms(engine)));
    }
    if (at_ns == engine->armed_ns)
        return;
    engine->armed_ns = at_ns;
    engine->options.perform(engine->options.context,
                            &(struct effect){.kind = EFFECT_ARM, .at_ns = at_ns});
}

static bool is_finished(const struct engine *engine)
{
    if (engine->is_syncing)
        return false;
    if (engine_is_stopping(engine))
        return engine->scheduler.in_flight == 0;
    return engine->input_ended && engine->scheduler.coming == 0 &&
           scheduler_is_idle(&engine->scheduler);
}

/* What comes behind reading. */
static void settle(struct engine *engine)
{
    start_ready(engine); /* rows that did not have to wait for the disk, if any */
    if (engine->held_up) /* also where no row is ready, and none may be read */
        engine->wake_ns = earlier(engine->wake_ns, engine->now.ns + READER_LOOK_MS * 1000000);
    engine_settle_idle(engine);
    sync_if_due(engine);
    arm(engine);
    if (!is_finished(engine))
        return;
    engine_drop_rows(engine);
    engine->has_ended = true;
    engine_perform(engine, EFFECT_END, NULL);
}

static void pump(struct engine *engine)
{
    engine_watch_outage(engine);
    start_ready(engine);
    if (!read_next(engine))
        settle(engine);
}

/* Reading is over for now. */
static void end_reading(struct engine *engine)
{
    if (engine->reading != NULL)
        give_back(engine, engine->reading);
    engine->reading = NULL;
}

static void take_row(struct engine *engine, const struct event *event)
{
    struct item *item = event->item;

    if (item != engine->reading || engine_is_stopping(engine)) {
        end_reading(engine); /* it comes too late: it was not read */
        return;
    }
    engine->reading = NULL;
    engine->result.rows++;
    if (event->row.verdict == ITEM_GOOD) {
        admit(engine, item, event);
    } else {
        if (event->row.verdict == ITEM_INVALID)
            engine_record_invalid(engine, item, event->row.problems);
        else
            engine->result.settled++;
        give_back(engine, item);
    }
    if (!read_next(engine))
        settle(engine);
}

/* Whatever ends the input. */
static void take_input(struct engine *engine, const struct event *event)
{
    end_reading(engine);
    if (event->kind == EVENT_INPUT_ENDED)
        engine->input_ended = true;
    else if (event->kind == EVENT_INPUT_CHANGED)
        engine_take_change(engine, event);
    else if (event->kind == EVENT_INPUT_UNREADABLE)
        engine_take_unreadable(engine, event);
    else
        engine_fail(engine, event->failure.status, event->failure.why);
    settle(engine);
}

static void take_sync(struct engine *engine, const struct event *event)
{
    assert(engine->is_syncing && event->sync.number == engine->syncs);
    engine->is_syncing = false;
    if (event->sync.failed != NULL)
        engine_fail(engine, STATUS_IO, event->sync.failed);
    else
        add_durable(engine, event->sync.number);
    pump(engine);
}

/* Notes how far the run has come, and whether it waits for the disk. */
static void take_sample(struct engine *engine)
{
    bool waits =
        engine->is_syncing && engine->scheduler.in_flight == 0 && engine->scheduler.coming > 0;

    engine->disk_ticks = waits ? engine->disk_ticks + 1 : 0;
    engine->samples[engine->sampled++ % ENGINE_SAMPLES] =
        (struct engine_sample){engine->now.ns, engine->recorded};
}

/* An input that is known to go on behind what was checked would be found changed: what was checked
 * has been read. */
static void tick(struct engine *engine)
{
    if (!engine_is_stopping(engine) && engine_has_waiting(engine) &&
        engine->input_end == JOB_COMPLETE)
        engine_perform(engine, EFFECT_LOOK, NULL);
    take_sample(engine);
    engine_tell(engine, JOB_EVENT_TICK);
}

static void flush(struct engine *engine)
{
    if (engine->status == STATUS_OK)
        engine_perform(engine, EFFECT_FLUSH, NULL);
    begin_sync(engine);
}

static void take(struct engine *engine, const struct event *event)
{
    switch (event->kind) {
    case EVENT_TIMER:
        engine->armed_ns = INT64_MAX;
        pump(engine);
        break;
    case EVENT_TURN:
        pump(engine);
        break;
    case EVENT_INPUT_WAITS:
        settle(engine);
        break;
    case EVENT_FLUSH:
        flush(engine);
        break;
    case EVENT_TICK:
        tick(engine);
        break;
    case EVENT_ROW:
        take_row(engine, event);
        break;
    case EVENT_INPUT_ENDED:
    case EVENT_INPUT_CHANGED:
    case EVENT_INPUT_UNREADABLE:
    case EVENT_INPUT_FAILED:
        take_input(engine, event);
        break;
    case EVENT_SYNC_DONE:
        take_sync(engine, event);
        break;
    case EVENT_ROOM:
        engine->room = event->room.rows;
        engine->held_up = event->room.held_up;
        break;
    case EVENT_RECORD_FAILED:
        engine_fail(engine, event->failure.status, event->failure.why);
        engine_turn_soon(engine);
        break;
    case EVENT_ANSWER:
        engine_take_answer(engine, event);
        engine_turn_soon(engine);
        break;
    case EVENT_KEY:
        engine_take_key(engine, event);
        engine_turn_soon(engine);
        break;
    case EVENT_SIGNAL:
        engine_take_signal(engine, event);
        pump(engine);
        break;
    case EVENT_CLOSED:
        engine_take_closed(engine, event);
        break;
    }
}

void engine_step(struct engine *engine, const struct event *event, struct engine_time now)
{
    bool is_late = engine->has_ended && event->kind != EVENT_CLOSED;

    engine->now = now;
    engine->is_recording = false;
    if (is_late && event->kind == EVENT_RECORD_FAILED)
        engine_fail(engine, event->failure.status, event->failure.why);
    else if (!is_late)
        take(engine, event);
}

enum status engine_new(const struct engine_options *options, struct engine_time now,
                       struct engine **ret_engine)
{
    struct engine *engine = calloc(1, sizeof(*engine));

    if (engine == NULL)
        return STATUS_NO_MEMORY;
    engine->options = *options;
    engine->message = options->message;
    engine->now = now;
    engine->canary = options->canary;
    engine->room = options->room;
    engine->ahead = options->concurrency;
    engine->wake_ns = engine->armed_ns = INT64_MAX;
    scheduler_init(&engine->scheduler, options->concurrency);
    pacer_init(&engine->pacer, &options->pacer, now.ns);
    budget_init(&engine->budget, engine_now_ms(engine));
    retry_init(&engine->retry, &options->retry, options->seed);
    if (uuid_memory_new(&engine->uuids) != STATUS_OK) {
        engine_free(engine);
        return STATUS_NO_MEMORY;
    }
    *ret_engine = engine;
    return STATUS_OK;
}

void engine_free(struct engine *engine)
{
    struct item *next;

    if (engine == NULL)
        return;
    for (struct item *item = engine->all_items; item != NULL; item = next) {
        next = item->next_made;
        command_deinit(&item->command);
        engine_end_verification(item);
        free(item->refusal);
        free(item);
    }
    scheduler_deinit(&engine->scheduler);
    uuid_memory_free(engine->uuids);
    free(engine);
}

/* Rows a second by the samples, which must be of ten seconds. */
static double late_per_s(const struct engine *engine)
{
    const struct engine_sample *samples = engine->samples;

    if (engine->sampled < ENGINE_SAMPLES)
        return 0;
    const struct engine_sample *first = &samples[engine->sampled % ENGINE_SAMPLES];
    const struct engine_sample *last = &samples[(engine->sampled - 1) % ENGINE_SAMPLES];
    int64_t ns = last->at_ns - first->at_ns;
    return ns > 0 ? (double)(last->rows - first->rows) * 1e9 / (double)ns : 0;
}

enum status engine_result(const struct engine *engine, struct job_result *ret_result)
{
    *ret_result = engine->result;
    ret_result->canary = engine->canary;
    ret_result->late_per_s = late_per_s(engine);
    ret_result->allowed = pacer_allowed(&engine->pacer);
    return engine->status;
}
