#include "world.h"

#include "core/when.h"

#define MS INT64_C(1000000)

static struct world_row *row_of(struct world *world, const struct item *item)
{
    assert_in_range(item->id.row, 1, world->row_count);
    return &world->rows[item->id.row - 1];
}

static void note(struct world *world, const char *what, const struct item *item)
{
    buf_add_format(&world->log, "%s%s", world->log.len > 0 ? " " : "", what);
    if (item != NULL)
        buf_add_format(&world->log, "%u", (unsigned)item->id.row);
}

const char *world_log(struct world *world)
{
    static char text[8192];

    (void)snprintf(text, sizeof(text), "%s", buf_string(&world->log));
    buf_clear(&world->log);
    return text;
}

/* What must hold whatever happens. */

static void check_send(struct world *world, const struct world_row *row)
{
    assert_true(row->marked);                /* first the record, … */
    assert_true(row->sync <= world->synced); /* … and that durably */
    assert_false(row->in_flight || row->ended);
    assert_false(engine_is_stopping(world->engine) || world->held_up || world->has_recorded);
    for (size_t i = 0; i < world->row_count; i++) { /* one at a time, in the order of the file */
        const struct world_row *other = &world->rows[i];
        if (other == row || other->device != row->device)
            continue;
        assert_false(other->in_flight);
        assert_true(other > row || other->ended || other->verdict != ITEM_GOOD);
    }
    assert_true(world->in_flight < world->options.concurrency);
}

static void check_record(const struct world_row *row)
{
    assert_false(row->in_flight);
    assert_false(row->ended);
    assert_int_equal(row->records, 0);
}

static void end_row(struct world *world, const struct effect *effect, enum row_status status)
{
    struct world_row *row = row_of(world, effect->item);

    check_record(row);
    world->has_recorded = true;
    row->records++;
    row->ended = true;
    row->item = NULL;
    row->status = status;
    row->sent_in_all = effect->item->so_far.sent;
    row->ambiguous_in_all = effect->item->so_far.ambiguous;
    world->record_failed = world->record_fails != NULL;
}

static void take_outcome(struct world *world, const struct effect *effect)
{
    const struct outcome *outcome = effect->record.outcome;
    struct world_row *row = row_of(world, effect->item);

    note(world, "record", effect->item);
    buf_add_format(&world->log, ":%s", row_status_name(outcome->status));
    end_row(world, effect, outcome->status);
    row->has_errno = outcome->has_errno;
    row->platform_errno = outcome->platform_errno;
    (void)snprintf(row->uuid, sizeof(row->uuid), "%s", outcome->uuid);
    (void)snprintf(row->error, sizeof(row->error), "%s", outcome->error);
}

static void take_admission(struct world *world, struct item *item)
{
    struct world_row *row = row_of(world, item);

    note(world, "admit", item);
    assert_true(world->room > 0);
    world->room--;
    assert_int_equal(row->admissions++, 0);
    row->item = item;
    row->sync = (world->syncing > 0 ? world->syncing : world->synced) + 1;
}

static void take_drop(struct world *world, const struct item *item)
{
    struct world_row *row = row_of(world, item);

    note(world, "drop", item);
    check_record(row);
    row->ended = true;
    row->item = NULL;
    world->room++;
}

static void take_send(struct world *world, struct item *item)
{
    struct world_row *row = row_of(world, item);

    note(world, "send", item);
    check_send(world, row);
    row->in_flight = true;
    row->sends++;
    row->due_ns = world->now.ns + world->rtt_ms * MS;
    if (++world->in_flight > world->most_in_flight)
        world->most_in_flight = world->in_flight;
}

static void take_mark(struct world *world, const struct item *item, bool marked)
{
    note(world, marked ? "mark" : "unmark", item);
    row_of(world, item)->marked = marked;
}

static void take_sync(struct world *world, uint64_t number)
{
    note(world, "sync", NULL);
    buf_add_format(&world->log, "%u", (unsigned)number);
    assert_int_equal(world->syncing, 0);
    assert_int_equal(number, world->synced + 1);
    world->syncing = number;
}

static void take_tell(struct world *world, const struct effect *effect)
{
    world->told[effect->tell.event]++;
    world->status = *effect->tell.status;
}

static void perform_other(struct world *world, const struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_LOOK:
        world->looked++;
        world->looks = true;
        break;
    case EFFECT_FLUSH:
        world->record_failed = world->record_fails != NULL;
        break;
    case EFFECT_DISTRUST:
        note(world, "distrust", NULL);
        break;
    case EFFECT_ABORT:
        note(world, "abort", NULL);
        world->aborted = true;
        break;
    case EFFECT_RENEW:
        note(world, "renew", NULL);
        assert_false(world->renewing);
        world->renewing = true;
        break;
    case EFFECT_TELL:
        take_tell(world, effect);
        break;
    case EFFECT_TELL_ATTEMPT:
        world->attempts += effect->attempt->left;
        break;
    case EFFECT_END:
        note(world, "end", NULL);
        assert_int_equal(world->in_flight + world->syncing, 0);
        world->has_ended = true;
        break;
    default:
        fail();
    }
}

static void perform(void *context, const struct effect *effect)
{
    struct world *world = context;

    assert_false(world->has_ended && effect->kind != EFFECT_TELL);
    switch (effect->kind) {
    case EFFECT_TURN:
        world->turn = true;
        break;
    case EFFECT_ARM:
        world->armed_ns = effect->at_ns;
        break;
    case EFFECT_READ:
        assert_null(world->reading);
        world->reading = effect->item;
        break;
    case EFFECT_ADMIT:
        take_admission(world, effect->item);
        break;
    case EFFECT_MARK:
    case EFFECT_UNMARK:
        take_mark(world, effect->item, effect->kind == EFFECT_MARK);
        break;
    case EFFECT_DROP:
        take_drop(world, effect->item);
        break;
    case EFFECT_RECORD:
        take_outcome(world, effect);
        break;
    case EFFECT_RECORD_INVALID:
    case EFFECT_RECORD_EXPIRED:
        note(world, effect->kind == EFFECT_RECORD_INVALID ? "invalid" : "expired", effect->item);
        end_row(world, effect, ROW_INVALID);
        break;
    case EFFECT_SYNC:
        take_sync(world, effect->sync);
        break;
    case EFFECT_SEND:
        take_send(world, effect->item);
        break;
    default:
        perform_other(world, effect);
        break;
    }
}

/* Time and events. */

static void step(struct world *world, const struct event *event)
{
    world->has_recorded = false;
    engine_step(world->engine, event, world->now);
}

void world_event(struct world *world, const struct event *event)
{
    step(world, event);
    world_settle(world);
}

static void tell(struct world *world, enum event_kind kind)
{
    step(world, &(struct event){.kind = kind});
}

static void add_time(struct command *command, const char *name, int64_t time_s, bool is_given)
{
    char text[WHEN_PLATFORM_LENGTH + 1];

    if (!is_given)
        return;
    when_format_platform(time_s, text);
    buf_add_format(&command->text, "&%s=%s", name, text);
}

/* As command_build would, as far as the engine looks at it. */
static void build(const struct world *world, const struct world_row *row, struct command *command)
{
    struct buf text = command->text;
    uint64_t number = (uint64_t)(row - world->rows) + 1;
    int64_t expires_in_s = row->expires_in_s != 0 ? row->expires_in_s : WORLD_YEAR_S;

    buf_clear(&text);
    *command = (struct command){.row = number,
                                .line = number + 1,
                                .hash = number,
                                .device = row->device,
                                .action = row->action,
                                .valid_is_given = row->valid_in_s != 0,
                                .valid_is_relative = row->is_relative && row->valid_in_s != 0,
                                .expires_is_relative = row->is_relative,
                                .valid_at_s = WORLD_START_S + row->valid_in_s,
                                .expires_at_s = WORLD_START_S + expires_in_s,
                                .text = text};
    buf_add_format(&command->text, "/nbiot?obj_id=3311&obj_inst_id=0&res_id=%u", (unsigned)number);
    size_t at = command->text.len;
    add_time(command, "valid_time", command->valid_at_s, command->valid_is_given);
    command->valid_time_at = row->valid_in_s != 0 ? (uint32_t)at : 0;
    command->valid_time_len = (uint32_t)(command->text.len - at);
    add_time(command, "expired_time", command->expires_at_s, true);
    command->target_len = command->text.len;
    buf_add_char(&command->text, '\0');
}

static void tell_row(struct world *world)
{
    struct world_row *row = &world->rows[world->next];
    struct item *item = world->reading;
    struct event event = {.kind = EVENT_ROW, .item = item};

    world->reading = NULL;
    world->next++;
    build(world, row, &item->command);
    item->operation = (enum operation)item->command.action;
    item->id = (struct row_id){.hash = item->command.hash,
                               .device = row->device,
                               .row = item->command.row,
                               .line = item->command.line,
                               .occurrence = 1};
    event.row.verdict = row->verdict;
    event.row.sent = row->sent;
    event.row.ambiguous = row->ambiguous;
    step(world, &event);
}

/* Answers READ; false where that has to wait. */
static bool read_row(struct world *world)
{
    size_t end = world->ends_at < world->row_count ? world->ends_at : world->row_count;

    if (world->reading == NULL || (world->waits_told && world->next == world->waits_at))
        return false;
    if (engine_is_stopping(world->engine)) {
        world->reading = NULL;
        return false;
    }
    if (world->next == world->waits_at) {
        world->waits_told = true;
        tell(world, EVENT_INPUT_WAITS);
    } else if (world->next == end) {
        world->reading = NULL;
        step(world, &world->input_end);
    } else {
        tell_row(world);
    }
    return true;
}

void world_sync(struct world *world)
{
    const struct event event = {.kind = EVENT_SYNC_DONE,
                                .sync = {.number = world->syncing, .failed = world->sync_fails}};

    assert_true(world->syncing > 0);
    if (world->sync_fails == NULL)
        world->synced = world->syncing;
    world->syncing = 0;
    step(world, &event);
    world_settle(world);
}

void world_key(struct world *world)
{
    const struct event event = {.kind = EVENT_KEY, .key = {world->key, world->key_why}};

    world->renewing = false;
    world_event(world, &event);
}

void world_room(struct world *world, size_t room, bool held_up)
{
    world->room = room;
    world->held_up = held_up;
    step(world, &(struct event){.kind = EVENT_ROOM, .room = {room, held_up}});
}

void world_signal(struct world *world, enum engine_signal meaning)
{
    const struct event event = {.kind = EVENT_SIGNAL,
                                .signal = {.number = 2, .meaning = meaning, .what = "interrupted"}};

    world_event(world, &event);
}

static bool take(bool *word)
{
    bool was = *word;

    *word = false;
    return was;
}

static bool settle_one(struct world *world)
{
    const struct event failed = {.kind = EVENT_RECORD_FAILED,
                                 .failure = {STATUS_IO, world->record_fails}};

    if (take(&world->record_failed))
        step(world, &failed);
    else if (take(&world->looks) && world->has_changed)
        step(world, &(struct event){.kind = EVENT_INPUT_CHANGED});
    else if (world->renewing && !world->keys_by_hand)
        world_key(world);
    else if (read_row(world))
        return true;
    else if (world->syncing > 0 && !world->syncs_by_hand)
        world_sync(world);
    else if (take(&world->turn))
        tell(world, EVENT_TURN);
    else
        return false;
    return true;
}

void world_settle(struct world *world)
{
    while (settle_one(world))
        ;
}

static void end_attempt(struct world *world, struct world_row *row, const struct answer *answer)
{
    struct event event = {.kind = EVENT_ANSWER, .item = row->item, .answer = {.answer = answer}};

    assert_true(row->in_flight);
    row->in_flight = false;
    world->in_flight--;
    if (engine_wants_date(world->engine)) {
        event.answer.has_date = true;
        event.answer.date_s = world->now.wall_ms / 1000 + world->date_off_s;
    }
    world_event(world, &event);
}

void world_answer(struct world *world, size_t row, struct answer answer)
{
    end_attempt(world, &world->rows[row - 1], &answer);
}

/* The row whose answer is due next; NULL for none. */
static struct world_row *next_answer(struct world *world)
{
    struct world_row *next = NULL;

    for (size_t i = 0; world->platform != NULL && i < world->row_count; i++) {
        struct world_row *row = &world->rows[i];
        if (row->in_flight && (next == NULL || row->due_ns < next->due_ns))
            next = row;
    }
    return next;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void advance(struct world *world, int64_t to_ns)
{
    if (to_ns <= world->now.ns)
        return;
    world->now.wall_ms += (to_ns - world->now.ns) / MS;
    world->now.ns = to_ns;
}

/* The next thing that is due by then; false when there is nothing any more. */
static bool pass_one(struct world *world, int64_t until_ns)
{
    struct world_row *row = next_answer(world);
    int64_t at_ns = earlier(world->armed_ns, earlier(world->flush_ns, world->tick_ns));

    at_ns = row != NULL ? earlier(at_ns, row->due_ns) : at_ns;
    if (at_ns > until_ns || world->has_ended)
        return false;
    advance(world, at_ns);
    if (row != NULL && at_ns == row->due_ns) {
        const struct answer answer = world->platform(world, row);
        end_attempt(world, row, &answer);
    } else if (at_ns == world->armed_ns) {
        world->armed_ns = INT64_MAX;
        tell(world, EVENT_TIMER);
    } else if (at_ns == world->flush_ns) {
        world->flush_ns += ENGINE_FLUSH_MS * MS;
        tell(world, EVENT_FLUSH);
    } else {
        world->tick_ns += JOB_TICK_MS * MS;
        tell(world, EVENT_TICK);
    }
    world_settle(world);
    return true;
}

void world_pass(struct world *world, int64_t ms)
{
    int64_t until_ns = world->now.ns + ms * MS;

    while (pass_one(world, until_ns))
        ;
    if (!world->has_ended)
        advance(world, until_ns);
}

void world_finish(struct world *world)
{
    const struct event closed = {.kind = EVENT_CLOSED,
                                 .closed = {.line = world->next + 2,
                                            .has_grown = world->has_grown}};

    world_pass(world, 3600 * 1000);
    assert_true(world->has_ended);
    if (take(&world->record_failed)) /* at the very end */
        world_event(world, &(struct event){.kind = EVENT_RECORD_FAILED,
                                           .failure = {STATUS_IO, world->record_fails}});
    world_event(world, &closed);
    world->is_closed = true;
    world->end = engine_result(world->engine, &world->result);
}

void world_open(struct world *world, struct world_row *rows, size_t count)
{
    *world = (struct world){.rows = rows,
                            .row_count = count,
                            .waits_at = SIZE_MAX,
                            .ends_at = SIZE_MAX,
                            .input_end = {.kind = EVENT_INPUT_ENDED},
                            .now = {.ns = 1000 * MS, .wall_ms = WORLD_START_S * 1000},
                            .room = 2048,
                            .armed_ns = INT64_MAX};
    buf_init(&world->message, 65536);
    buf_init(&world->log, 1 << 20);
    world->options =
        (struct engine_options){.concurrency = 4,
                                .retry = {.max_attempts = 3, .base_ms = 100, .cap_ms = 1000},
                                .pacer = {.burst = 1, .concurrency = 4},
                                .canary = {.state = CANARY_OVER},
                                .outage_wait_ms = 600 * 1000,
                                .input = "fleet.csv",
                                .target_path = "",
                                .perform = perform,
                                .context = world,
                                .message = &world->message};
    for (size_t i = 0; i < count; i++)
        if (rows[i].device == 0)
            rows[i].device = 1000 + i;
}

void world_begin(struct world *world)
{
    world->options.room = world->room;
    world->flush_ns = world->now.ns + ENGINE_FLUSH_MS * MS;
    world->tick_ns = world->now.ns + JOB_TICK_MS * MS;
    assert_int_equal(engine_new(&world->options, world->now, &world->engine), STATUS_OK);
    world->turn = true;
    world_settle(world);
}

void world_close(struct world *world)
{
    engine_free(world->engine);
    buf_deinit(&world->message);
    buf_deinit(&world->log);
}

/* Answers. */

static struct answer answered(int status, struct span body)
{
    return (struct answer){.state = ANSWER_ANSWERED,
                           .is_whole = true,
                           .http_status = status,
                           .retry_after_ms = -1,
                           .body = body,
                           .latency_us = 1000};
}

struct answer world_accepts(const char *uuid)
{
    static char body[256];

    (void)snprintf(body, sizeof(body),
                   "{\"errno\":0,\"error\":\"succ\",\"data\":{\"uuid\":\"%s\"}}", uuid);
    return answered(200, span_string(body));
}

struct answer world_refuses(int64_t number, const char *text)
{
    static char body[256];

    (void)snprintf(body, sizeof(body), "{\"errno\":%lld,\"error\":\"%s\"}", (long long)number,
                   text);
    return answered(200, span_string(body));
}

struct answer world_http(int status, const char *body)
{
    return answered(status, span_string(body));
}

struct answer world_in_doubt(void)
{
    return (struct answer){.state = ANSWER_IN_DOUBT,
                           .retry_after_ms = -1,
                           .detail = SPAN_LITERAL("connection reset"),
                           .latency_us = 1000};
}

struct answer world_not_sent(int os_error)
{
    return (struct answer){.state = ANSWER_NOT_SENT,
                           .os_error = os_error,
                           .retry_after_ms = -1,
                           .detail = SPAN_LITERAL("connection refused")};
}
