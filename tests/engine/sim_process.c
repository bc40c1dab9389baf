/*
 * A process: opens the input and the record, checks, and then performs what the engine asks for, in
 * virtual time. What it waits for is in one queue; of what falls on the same moment, chance says
 * what comes first.
 *
 * It dies at an effect, in a call to the disk, or at a time. From then on nothing that it does
 * counts: the disk is as it was at that moment, and requests that have left are under way.
 */
#include <assert.h>
#include <signal.h>
#include <stdlib.h>

#include "engine/check.h"
#include "fake_known.h"
#include "ledger/ledger.h"
#include "platform/command.h"
#include "send/budget.h"
#include "sim_world.h"

static const int64_t ns_of_ms = 1000000;

enum { STEPS_MAX = 400000 };

static const int64_t run_max_ns = INT64_C(3) * 24 * 3600 * 1000000000;

static struct engine_time time_of(const struct sim_world *world)
{
    return (struct engine_time){.ns = world->now_ns, .wall_ms = sim_wall_ms(world)};
}

/* The queue. */

static struct sim_event *push(struct sim_world *world, enum sim_kind kind, int64_t at_ns)
{
    struct process *process = &world->process;

    if (process->queue_length == QUEUE_MAX)
        abort();
    struct sim_event *event = &process->queue[process->queue_length++];
    *event = (struct sim_event){.kind = kind, .at_ns = at_ns, .order = prng_next(&world->dice)};
    return event;
}

static void push_soon(struct sim_world *world, enum sim_kind kind)
{
    (void)push(world, kind, world->now_ns + dice_skewed(&world->dice, 0, 2000000));
}

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static struct sim_event pop(struct process *process)
{
    size_t first = 0;

    for (size_t i = 1; i < process->queue_length; i++)
        if (is_before(&process->queue[i], &process->queue[first]))
            first = i;
    struct sim_event event = process->queue[first];
    process->queue[first] = process->queue[--process->queue_length];
    return event;
}

static bool is_waiting_for(const struct process *process, enum sim_kind kind)
{
    for (size_t i = 0; i < process->queue_length; i++)
        if (process->queue[i].kind == kind)
            return true;
    return false;
}

static void forget(struct process *process, enum sim_kind kind)
{
    size_t kept = 0;

    for (size_t i = 0; i < process->queue_length; i++)
        if (process->queue[i].kind != kind)
            process->queue[kept++] = process->queue[i];
    process->queue_length = kept;
}

/* When the next event comes that is none of those that only come now and then. */
static int64_t next_other_ns(const struct process *process)
{
    int64_t next = INT64_MAX;

    for (size_t i = 0; i < process->queue_length; i++) {
        const struct sim_event *event = &process->queue[i];
        bool is_idle = event->kind == SIM_FLUSH || event->kind == SIM_TICK;
        if (!is_idle && event->at_ns < next)
            next = event->at_ns;
    }
    return next;
}

/* Comes again after a while; where nothing happens in between, that is not played. */
static void push_again(struct sim_world *world, enum sim_kind kind, int64_t after_ms)
{
    struct process *process = &world->process;
    int64_t at_ns = world->now_ns + after_ms * ns_of_ms, next_ns = next_other_ns(process);
    bool is_idle = process->in_flight == 0 || process->store->unsynced == 0;

    if (is_idle && next_ns != INT64_MAX && next_ns > at_ns)
        at_ns = next_ns + dice_between(&world->dice, 0, after_ms) * ns_of_ms;
    (void)push(world, kind, at_ns);
}

/* Events for the engine. */

static void step(struct sim_world *world, const struct event *event)
{
    world->stats->steps++;
    engine_step(world->process.engine, event, time_of(world));
}

static void step_kind(struct sim_world *world, enum event_kind kind)
{
    step(world, &(struct event){.kind = kind});
}

static void take_row(struct sim_world *world, struct item *item)
{
    struct process *process = &world->process;
    const struct store_row *known = intake_known(process->intake);
    struct event event = {.kind = EVENT_ROW, .item = item};
    bool is_bad = process->problems.error_count > 0;

    if (sim_is_broken(BREAK_VERDICT) && item->command.target_len > 0)
        is_bad = false;
    item->operation = (enum operation)item->command.action;
    item->id = (struct row_id){.hash = item->command.hash,
                               .device = item->command.device,
                               .row = item->command.row,
                               .line = item->command.line,
                               .occurrence = known->occurrence};
    if (sim_is_broken(BREAK_ORDER))
        item->id.device = item->command.device = item->id.row;
    event.row.verdict = known->verdict == STORE_SETTLED ? ITEM_SETTLED
                        : is_bad                        ? ITEM_INVALID
                                                        : ITEM_GOOD;
    if (event.row.verdict == ITEM_INVALID)
        event.row.problems = &process->problems;
    else if (event.row.verdict == ITEM_GOOD && known->before.known) {
        event.row.sent = known->before.attempts;
        event.row.ambiguous = known->before.ambiguous;
    }
    sim_trace(world, "row %llu verdict %d", (unsigned long long)item->id.row,
              (int)event.row.verdict);
    step(world, &event);
}

static void read_row(struct sim_world *world, struct item *item)
{
    struct process *process = &world->process;
    enum status status = intake_next(process->intake, &item->command, &process->problems);
    struct event event = {.item = item, .input.line = intake_line(process->intake)};

    switch (status) {
    case STATUS_OK:
        take_row(world, item);
        return;
    case STATUS_END:
        event.kind = EVENT_INPUT_ENDED;
        break;
    case STATUS_CHANGED:
        event.kind = EVENT_INPUT_CHANGED;
        event.input.is_beyond = source_is_spent(intake_source(process->intake));
        break;
    case STATUS_BAD_INPUT:
        event.kind = EVENT_INPUT_UNREADABLE;
        event.input.is_beyond = intake_is_lost(process->intake);
        break;
    default:
        sim_violate(world, "the input cannot be read", 0);
        return;
    }
    step(world, &event);
}

static void look_at_input(struct sim_world *world)
{
    struct process *process = &world->process;
    const struct event event = {.kind = EVENT_INPUT_CHANGED,
                                .input.line = intake_line(process->intake)};

    if (!sim_is_broken(BREAK_SEAL) && intake_look(process->intake) == STATUS_CHANGED)
        step(world, &event);
}

static void tell_room(struct sim_world *world)
{
    const struct process *process = &world->process;

    step(world,
         &(struct event){.kind = EVENT_ROOM, .room = {process->store->room, process->is_held_up}});
}

static void end_sync(struct sim_world *world)
{
    struct process *process = &world->process;
    struct event event = {.kind = EVENT_SYNC_DONE, .sync.number = process->sync_number};

    if (process->sync != NULL &&
        process->store->sync_end(process->store, process->sync) != STATUS_OK)
        event.sync.failed = process->store->error(process->store);
    else if (process->sync == NULL && process->store->error(process->store)[0] != '\0')
        event.sync.failed = process->store->error(process->store);
    else
        process->durable = process->sync_number;
    if (process->sync != NULL && process->durable == process->sync_number)
        check_synced(world, process->durable);
    process->sync = NULL;
    tell_room(world);
    step(world, &event);
}

static void take_answer(struct sim_world *world, size_t number)
{
    struct process *process = &world->process;
    struct flight *flight = &process->flights[number];
    struct event event = {.kind = EVENT_ANSWER, .item = flight->item};
    struct row_state *row = &world->rows[flight->row];
    bool is_question = flight->reply.is_question;

    fake_platform_answer(&world->platform, &flight->reply, world->now_ns / ns_of_ms,
                         sim_wall_ms(world) / 1000, flight->is_cut);
    struct answer *answer = &flight->reply.answer;
    if (flight->reply.kind == REPLY_THROTTLED && process->refused_ns == 0)
        process->refused_ns = world->now_ns;
    if (sim_is_broken(BREAK_RESEND) && answer->state == ANSWER_IN_DOUBT)
        answer->state = ANSWER_NOT_SENT;
    event.answer.answer = answer;
    event.answer.has_date = answer->date.len > 0 && engine_wants_date(process->engine);
    event.answer.date_s = sim_wall_ms(world) / 1000 + world->platform.clock_off_s;
    sim_trace(world, "answer to row %llu: %s%s, HTTP %d, %.*s", (unsigned long long)flight->row,
              reply_kind_names[flight->reply.kind], flight->is_cut ? " (cut)" : "",
              answer->http_status, SPAN_ARG(answer->body));
    row->in_flight = row->in_flight && is_question;
    if (!is_question)
        row->answered_ns = world->now_ns;
    flight->used = false;
    process->in_flight--;
    if (flight->reply.kind == REPLY_SHORTAGE && !flight->is_cut)
        check_put_off(world, flight->item);
    step(world, &event);
}

static void take_key(struct sim_world *world)
{
    struct process *process = &world->process;
    struct event event = {.kind = EVENT_KEY, .key = {JOB_KEY_FAILED, "its source is away"}};

    if (!dice_chance(&world->dice, 100)) {
        event.key.result = process->key == world->platform.good_key ? JOB_KEY_SAME : JOB_KEY_OTHER;
        event.key.why = "";
        process->key = world->platform.good_key;
    }
    step(world, &event);
}

static void take_signal(struct sim_world *world, int number)
{
    struct event event = {.kind = EVENT_SIGNAL,
                          .signal = {number, ENGINE_SIGNAL_LEAVE, "a signal"}};

    if (number == SIGINT || number == SIGTERM)
        event.signal.meaning = ENGINE_SIGNAL_STOP;
    else if (number == SIGUSR1)
        event.signal.meaning = ENGINE_SIGNAL_STATUS;
    else if (number == SIGUSR2)
        event.signal.meaning = ENGINE_SIGNAL_PAUSE;
    world->stats->signals[event.signal.meaning]++;
    step(world, &event);
}

static void tell_failure(struct sim_world *world)
{
    const struct event event = {.kind = EVENT_RECORD_FAILED,
                                .failure = {STATUS_IO,
                                            world->process.store->error(world->process.store)}};

    step(world, &event);
}

static void close_run(struct sim_world *world)
{
    struct process *process = &world->process;
    struct event event = {.kind = EVENT_CLOSED, .closed.line = intake_line(process->intake)};

    if (process->store->flush(process->store) != STATUS_OK)
        tell_failure(world);
    event.closed.has_grown = source_has_grown(intake_source(process->intake));
    step(world, &event);
    process->is_closed = true;
}

/* The clock of this machine is set, as far as clocks are wrong. */
static void set_clock(struct sim_world *world)
{
    world->wall_off_ms += dice_between(&world->dice, -7200, 7200) * 1000;
    world->process.clock_was_set = true;
}

/* What the engine is not told of. */
static void take_outside(struct sim_world *world, const struct sim_event *event)
{
    switch (event->kind) {
    case SIM_READER:
        world->process.is_held_up = !world->process.is_held_up;
        tell_room(world);
        break;
    case SIM_CLOCK:
        set_clock(world);
        break;
    case SIM_CHANGE:
    case SIM_GROWTH:
        fake_input_change(&world->input, &world->dice, event->kind == SIM_GROWTH);
        world->input_is_changed = true;
        break;
    case SIM_WRITE_BACK:
        fake_disk_write_back();
        break;
    case SIM_DEATH:
        fake_disk_die();
        break;
    default:
        break;
    }
}

static void take_event(struct sim_world *world, const struct sim_event *event)
{
    struct process *process = &world->process;

    switch (event->kind) {
    case SIM_TURN:
        step_kind(world, EVENT_TURN);
        break;
    case SIM_TIMER:
        step_kind(world, EVENT_TIMER);
        break;
    case SIM_FLUSH:
        step_kind(world, EVENT_FLUSH);
        push_again(world, SIM_FLUSH, ENGINE_FLUSH_MS);
        break;
    case SIM_TICK:
        step_kind(world, EVENT_TICK);
        push_again(world, SIM_TICK, JOB_TICK_MS);
        break;
    case SIM_READ:
        read_row(world, event->item);
        break;
    case SIM_LOOK:
        look_at_input(world);
        break;
    case SIM_SYNC_RUN:
        process->store->sync_run(process->sync);
        break;
    case SIM_SYNC_END:
        end_sync(world);
        break;
    case SIM_ANSWER:
        take_answer(world, event->flight);
        break;
    case SIM_KEY:
        take_key(world);
        break;
    case SIM_RECORD_FAILED:
        tell_failure(world);
        break;
    case SIM_CLOSED:
        close_run(world);
        break;
    case SIM_SIGNAL:
        take_signal(world, event->signal_number);
        break;
    default:
        take_outside(world, event);
        break;
    }
}

/* Effects of the engine. */

/* The world's own book, beside the record. */
static void note_record(struct sim_world *world, const struct effect *effect)
{
    struct row_state *row = &world->rows[effect->item->id.row];

    switch (effect->kind) {
    case EFFECT_ADMIT:
        row->sync = world->process.sync_number + 1;
        break;
    case EFFECT_MARK:
        row->is_marked = true;
        break;
    case EFFECT_UNMARK:
        row->is_marked = false;
        break;
    case EFFECT_DROP:
        row->is_ended = true;
        break;
    case EFFECT_RECORD:
        check_end(world, effect->item->id.row, effect->record.outcome->status);
        break;
    default:
        check_end(world, effect->item->id.row, ROW_INVALID);
        break;
    }
}

static void begin_sync(struct sim_world *world, uint64_t number)
{
    struct process *process = &world->process;
    int64_t took_ns = dice_skewed(&world->dice, 0, process->plan.sync_ms * ns_of_ms);
    bool is_waited_for = !sim_is_broken(BREAK_WAIT);

    process->sync_number = number;
    process->sync = is_waited_for ? process->store->sync_begin(process->store) : NULL;
    if (process->sync != NULL)
        (void)push(world, SIM_SYNC_RUN, world->now_ns + dice_between(&world->dice, 0, took_ns));
    else
        took_ns = 0;
    (void)push(world, SIM_SYNC_END, world->now_ns + took_ns + 1);
}

static struct flight *begin_flight(struct sim_world *world, struct item *item)
{
    struct process *process = &world->process;
    size_t free = 0;

    while (free < CONCURRENCY_MAX && process->flights[free].used)
        free++;
    if (world->violation != NULL || free == CONCURRENCY_MAX)
        return NULL;
    process->flights[free] = (struct flight){.used = true, .item = item, .row = item->id.row};
    process->in_flight++;
    return &process->flights[free];
}

static void end_flight(struct sim_world *world, struct flight *flight)
{
    if (world->platform.violation != NULL)
        sim_violate(world, world->platform.violation, flight->row);
    push(world, SIM_ANSWER, flight->reply.due_ms * ns_of_ms + dice_between(&world->dice, 0, 999999))
        ->flight = (size_t)(flight - world->process.flights);
}

static void send_question(struct sim_world *world, struct item *item)
{
    const struct sending sending = {.row = item->id.row,
                                    .target = command_target(item_request(item)),
                                    .key = world->process.key};

    check_question(world, item);
    struct flight *flight = begin_flight(world, item);
    if (flight == NULL)
        return;
    fake_platform_ask(&world->platform, &sending, world->now_ns / ns_of_ms, &flight->reply);
    sim_trace(world, "row %llu asks: %s, %s", (unsigned long long)item->id.row,
              reply_kind_names[flight->reply.kind], flight->reply.target);
    world->stats->questions++;
    end_flight(world, flight);
}

static void send_row(struct sim_world *world, struct item *item)
{
    assert(item != NULL);
    const uint64_t row = item->id.row;
    check_send(world, item);
    struct flight *flight = begin_flight(world, item);
    if (flight == NULL)
        return;
    const struct sending sending = {.row = row,
                                    .content = world->input.rows[row - 1].content,
                                    .target = command_target(&item->command),
                                    .body = command_body(&item->command),
                                    .key = world->process.key,
                                    .wall_s = sim_wall_ms(world) / 1000};
    fake_platform_take(&world->platform, &sending, world->now_ns / ns_of_ms, &flight->reply);
    sim_trace(world, "row %llu leaves: %s%s", (unsigned long long)row,
              reply_kind_names[flight->reply.kind],
              flight->reply.is_processed ? ", processed" : "");
    struct row_state *state = &world->rows[row];
    state->in_flight = true;
    state->attempts++;
    world->stats->sends++;
    end_flight(world, flight);
}

/* What is under way ends from here, each in its time. */
static void abort_all(struct sim_world *world)
{
    struct process *process = &world->process;

    for (size_t i = 0; i < process->queue_length; i++) {
        struct sim_event *event = &process->queue[i];
        if (event->kind != SIM_ANSWER)
            continue;
        event->at_ns = world->now_ns + dice_between(&world->dice, 1, 1000000);
        process->flights[event->flight].is_cut = true;
    }
}

static void tell(struct sim_world *world, enum job_event event)
{
    struct process *process = &world->process;

    world->stats->told[event]++;
    process->is_stopped = process->is_stopped || event == JOB_EVENT_DRAINING ||
                          event == JOB_EVENT_ABORTING || event == JOB_EVENT_STOPPED;
    if (event == JOB_EVENT_PAUSED || event == JOB_EVENT_RESUMED)
        process->is_paused = event == JOB_EVENT_PAUSED;
}

/* What goes into the record. */
static void perform_record(struct sim_world *world, const struct effect *effect)
{
    struct process *process = &world->process;
    struct retry_row *so_far = effect->item != NULL ? &effect->item->so_far : NULL;
    bool is_left_out = (sim_is_broken(BREAK_MARK) && effect->kind == EFFECT_MARK) ||
                       (sim_is_broken(BREAK_UNMARK) && effect->kind == EFFECT_UNMARK);

    if (effect->item != NULL)
        note_record(world, effect);
    if (is_left_out)
        return;
    uint32_t ambiguous = so_far != NULL ? so_far->ambiguous : 0;
    if (sim_is_broken(BREAK_AMBIGUOUS) && so_far != NULL)
        so_far->ambiguous = 0;
    enum status status = recorder_perform(&process->recorder, effect, sim_wall_ms(world));
    if (so_far != NULL)
        so_far->ambiguous = ambiguous;
    if (status == STATUS_OK && !fake_disk_is_dead() && effect->kind == EFFECT_RECORD &&
        effect->record.outcome->status == ROW_ACCEPTED) {
        struct row_state *row = &world->rows[effect->item->id.row];
        row->is_accepted = true;
        row->end_sync = process->sync_number + 1;
    }
    if (status == STATUS_OK && !fake_disk_is_dead() && effect->kind == EFFECT_RECORD) {
        struct row_state *row = &world->rows[effect->item->id.row];
        row->is_doubtful =
            effect->record.outcome->status == ROW_IN_DOUBT && ambiguous > row->ambiguous_before;
    }
    if (status == STATUS_OK || process->record_failed)
        return;
    process->record_failed = true;
    (void)push(world, SIM_RECORD_FAILED, world->now_ns);
}

static void perform_other(struct sim_world *world, const struct effect *effect)
{
    struct process *process = &world->process;

    switch (effect->kind) {
    case EFFECT_TURN:
        if (!is_waiting_for(process, SIM_TURN))
            push_soon(world, SIM_TURN);
        break;
    case EFFECT_ARM:
        forget(process, SIM_TIMER);
        if (effect->at_ns != INT64_MAX)
            (void)push(world, SIM_TIMER,
                       effect->at_ns > world->now_ns ? effect->at_ns : world->now_ns);
        break;
    case EFFECT_READ:
        push(world, SIM_READ, world->now_ns + dice_skewed(&world->dice, 0, 1000000))->item =
            effect->item;
        break;
    case EFFECT_LOOK:
        push_soon(world, SIM_LOOK);
        break;
    case EFFECT_SYNC:
        begin_sync(world, effect->sync);
        break;
    case EFFECT_SEND:
        if (effect->item->verification != NULL)
            send_question(world, effect->item);
        else
            send_row(world, effect->item);
        break;
    case EFFECT_ABORT:
        abort_all(world);
        break;
    case EFFECT_RENEW:
        (void)push(world, SIM_KEY, world->now_ns + dice_skewed(&world->dice, 0, 3000) * ns_of_ms);
        break;
    case EFFECT_TELL:
        tell(world, effect->tell.event);
        break;
    case EFFECT_END:
        process->has_ended = true;
        push_soon(world, SIM_CLOSED);
        break;
    case EFFECT_TELL_ATTEMPT:
        check_attempt(world, effect->attempt->outcome);
        break;
    default: /* DISTRUST is the transport's */
        break;
    }
}

static void perform(void *context, const struct effect *effect)
{
    struct sim_world *world = context;
    struct process *process = &world->process;

    if (fake_disk_is_dead() || world->violation != NULL)
        return;
    if (process->effects_left > 0 && --process->effects_left == 0) {
        fake_disk_die();
        return;
    }
    world->stats->effects[effect->kind]++;
    sim_trace(world, "effect %d row %llu", (int)effect->kind,
              effect->item != NULL ? (unsigned long long)effect->item->id.row : 0ULL);
    switch (effect->kind) {
    case EFFECT_ADMIT:
    case EFFECT_MARK:
    case EFFECT_UNMARK:
    case EFFECT_DROP:
    case EFFECT_RECORD:
    case EFFECT_RECORD_INVALID:
    case EFFECT_RECORD_EXPIRED:
    case EFFECT_FLUSH:
        perform_record(world, effect);
        break;
    default:
        perform_other(world, effect);
        break;
    }
}

/* The course of a life. */

static enum status note_checked(void *context, struct intake *intake, bool is_valid)
{
    struct sim_world *world = context;
    uint64_t number = ++world->process.checked;
    bool is_settled = intake_known(intake)->verdict == STORE_SETTLED;

    if (number > world->input.row_count)
        return STATUS_OK;
    world->rows[number].is_todo = is_valid && !is_settled;
    if (is_valid && !is_settled && !world->input.rows[number - 1].is_good)
        sim_violate(world, "an invalid row is called valid", number);
    return STATUS_OK;
}

static bool open_input(struct sim_world *world)
{
    struct process *process = &world->process;
    static const struct word_list passes = {.items = {"note"}, .count = 1};
    const struct intake_options options = {.path = world->input.path,
                                           .has_format = true,
                                           .format = INPUT_CSV,
                                           .max_row_bytes = 1024 * 1024,
                                           .passes = &passes,
                                           .for_sending = true,
                                           .now_s = sim_wall_ms(world) / 1000};

    if (intake_open(&options, &process->message, &process->intake) == STATUS_OK)
        return true;
    sim_violate(world, buf_string(&process->message), 0);
    return false;
}

/* What rows of earlier lives own. */
static void read_known(struct sim_world *world)
{
    struct process *process = &world->process;

    process->has_known = fake_known_read(&fake_disk, FAKE_FOLDER "/out.csv", &process->known,
                                         &process->message) == STATUS_OK;
    for (size_t i = 1; i <= world->input.row_count; i++) {
        const struct result *result = world->results.of_row[i];
        world->rows[i].ambiguous_before = result != NULL ? result->ambiguous : 0;
        world->was_in_doubt[i] = world->was_in_doubt[i] || world->rows[i].ambiguous_before > 0;
    }
}

static bool open_record(struct sim_world *world)
{
    struct process *process = &world->process;
    size_t count, size;
    const struct span *passed = intake_passed(process->intake, &count);
    const struct ledger_options options = {.path = FAKE_FOLDER "/out.csv",
                                           .disk = &fake_disk,
                                           .resume = fake_disk_read(FAKE_FOLDER "/out.csv",
                                                                    &size) != NULL,
                                           .again = process->plan.wish,
                                           .passed = passed,
                                           .passed_count = count,
                                           .concurrency = process->plan.concurrency};

    enum status status = ledger_open(&options, &process->message, &process->ledger);
    if (status == STATUS_OK)
        process->store = ledger_store(process->ledger);
    if (fake_disk_is_dead())
        return false;
    if (status != STATUS_OK)
        sim_trace(world, "record refused: %s", buf_string(&process->message));
    world->is_refused =
        status == STATUS_SYNTAX && world->stats->disk.dropped_sectors != world->dropped_before;
    if (status != STATUS_OK && process->plan.is_calm && !world->is_refused)
        sim_violate(world, buf_string(&process->message), 0);
    if (status != STATUS_OK)
        return false;
    world->stats->resumed += options.resume;
    world->stats->orphans += ledger_past(process->ledger)->orphans;
    if (options.resume) {
        intake_use_store(process->intake, process->store);
        check_recovered(world);
        check_results(world, false);
        check_doubts(world);
        check_found(world, ledger_past(process->ledger)->orphans);
        read_known(world);
        if (!process->has_known)
            return false;
    }
    return world->violation == NULL;
}

static bool check_input(struct sim_world *world)
{
    struct process *process = &world->process;
    const struct check_hooks hooks = {.row = note_checked, .context = world};
    struct check_counts counts;

    if (job_check(process->intake, &hooks, &counts) != STATUS_OK)
        sim_violate(world, "the input cannot be checked", 0);
    if (world->violation == NULL && intake_rewind(process->intake, &process->message) != STATUS_OK)
        sim_violate(world, "the input cannot be read again", 0);
    return world->violation == NULL;
}

static bool start_record(struct sim_world *world)
{
    struct process *process = &world->process;
    struct ledger_about about = {.input = "in.csv", .target = "http://platform"};

    intake_digest(process->intake, &about.input_size, &about.input_hash);
    enum status status = ledger_start(process->ledger, &about, &process->message);
    intake_use_store(process->intake, process->store);
    if (status != STATUS_OK)
        sim_trace(world, "record not started: %s", buf_string(&process->message));
    if (status != STATUS_OK && process->plan.is_calm)
        sim_violate(world, buf_string(&process->message), 0);
    return status == STATUS_OK && !fake_disk_is_dead();
}

static bool start_engine(struct sim_world *world)
{
    struct process *process = &world->process;
    const struct plan *plan = &process->plan;

    struct verify_options verify = {.settle_ms = {SETTLE_MS, SETTLE_AGAIN_MS}};

    if (world->policy == ON_AMBIGUOUS_VERIFY)
        verify.known = &process->known;
    process->known.is_prompt = plan->is_prompt;
    halt_init(&process->halt);
    if (plan->halt_rules[0] != '\0' &&
        halt_parse(&process->halt, span_string(plan->halt_rules), &process->message) != STATUS_OK)
        abort();
    struct engine_options options = {.concurrency = plan->concurrency,
                                     .room = process->store->room,
                                     .retry = plan->retry,
                                     .seed = prng_next(&world->dice),
                                     .pacer = plan->pacer,
                                     .canary = plan->canary,
                                     .halt = &process->halt,
                                     .outage_wait_ms = plan->outage_wait_ms,
                                     .verify = verify,
                                     .can_renew = plan->can_renew,
                                     .input = "in.csv",
                                     .target_path = "",
                                     .perform = perform,
                                     .context = world,
                                     .message = &process->message};
    if (sim_is_broken(BREAK_PACE))
        options.pacer.adaptive = false;
    if (engine_new(&options, time_of(world), &process->engine) != STATUS_OK)
        abort();
    process->started_ns = world->now_ns;
    process->has_begun = true;
    process->recorder.store = process->store;
    process->recorder.tally = &process->tally;
    process->recorder.problems = &process->expired;
    (void)push(world, SIM_TURN, world->now_ns);
    (void)push(world, SIM_FLUSH, world->now_ns + ENGINE_FLUSH_MS * ns_of_ms);
    (void)push(world, SIM_TICK, world->now_ns + JOB_TICK_MS * ns_of_ms);
    return intake_start(process->intake, &process->problems) == STATUS_OK;
}

/* Until the engine says that it is over, or the process dies. */
static void run_engine(struct sim_world *world)
{
    struct process *process = &world->process;

    for (uint64_t steps = 0; !process->is_closed; steps++) {
        struct sim_event event = pop(process);
        bool is_late = process->has_ended && event.kind != SIM_CLOSED;
        if (event.at_ns > world->now_ns)
            world->now_ns = event.at_ns;
        world->disk_ms = sim_wall_ms(world);
        if (is_late && event.kind != SIM_DEATH && event.kind != SIM_WRITE_BACK)
            continue;
        world->stats->events[event.kind]++;
        sim_trace(world, "event %d", (int)event.kind);
        take_event(world, &event);
        if (fake_disk_is_dead() || world->violation != NULL)
            return;
        if (steps > STEPS_MAX || world->now_ns - process->started_ns > run_max_ns)
            sim_violate(world, "the run does not come to an end", 0);
    }
}

static enum life_end sort_results(struct sim_world *world)
{
    struct process *process = &world->process;
    enum status status =
        ledger_sort(process->ledger, FAKE_FOLDER "/out.superseded.csv", &process->message);

    if (fake_disk_is_dead())
        return LIFE_DEAD;
    sim_trace(world, "sorted: %d", (int)status);
    if (status != STATUS_OK && process->plan.is_calm)
        sim_violate(world, buf_string(&process->message), 0);
    check_results(world, true);
    world->stats->sorted += status == STATUS_OK;
    return status == STATUS_OK ? LIFE_COMPLETE : LIFE_NOT_CLOSED;
}

static enum life_end finish_record(struct sim_world *world)
{
    struct process *process = &world->process;
    struct job_result result;
    struct store_account account = {.rows = 0};
    uint64_t rows = world->input.row_count;

    enum status status = engine_result(process->engine, &result);
    world->stats->runs_by_end[result.end]++;
    world->stats->verified[CLAIM_FOUND] += result.verified.found;
    world->stats->verified[CLAIM_NONE] += result.verified.missing;
    world->stats->verified[CLAIM_UNCLEAR] += result.verified.unclear;
    sim_trace(world, "run ended: %d, status %d: %s", (int)result.end, (int)status,
              buf_string(&process->message));
    bool is_complete = status == STATUS_OK && result.end == JOB_COMPLETE;
    if (process->plan.dies_at_last) /* while all is written, accounted for and sorted */
        fake_disk_set_faults(
            &(struct fake_faults){.die_at = (uint64_t)dice_skewed(&world->dice, 1, 30)});
    if (is_complete && process->store->flush(process->store) == STATUS_OK &&
        process->store->account(process->store, &account, &process->message) != STATUS_OK &&
        process->plan.is_calm)
        sim_violate(world, buf_string(&process->message), 0);
    bool is_whole = is_complete && account.rows == rows;
    if (is_complete && !is_whole && process->plan.is_calm)
        sim_violate(world, "a run is complete, and not all rows are accounted for", 0);
    status = process->store->finish(process->store, is_whole, &process->message);
    if (fake_disk_is_dead())
        return LIFE_DEAD;
    sim_trace(world, "record finished: %d", (int)status);
    if (status != STATUS_OK && process->plan.is_calm)
        sim_violate(world, buf_string(&process->message), 0);
    if (status != STATUS_OK)
        return LIFE_NOT_CLOSED;
    if (is_whole && process->plan.sorts)
        return sort_results(world);
    check_results(world, is_whole);
    return is_whole ? LIFE_COMPLETE : LIFE_STOPPED;
}

static enum life_end live(struct sim_world *world)
{
    if (!open_input(world) || !open_record(world) || !check_input(world) || !start_record(world))
        return fake_disk_is_dead() ? LIFE_DEAD : world->is_refused ? LIFE_REFUSED : LIFE_NOT_BEGUN;
    if (!start_engine(world))
        return LIFE_NOT_BEGUN;
    run_engine(world);
    if (fake_disk_is_dead() || world->violation != NULL)
        return LIFE_DEAD;
    return finish_record(world);
}

/* What may happen to it besides. */
static void draw_events(struct sim_world *world)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
    struct prng *dice = &world->dice;

    for (int i = 0; i < 3 && dice_chance(dice, 150); i++) {
        int number = signals[prng_up_to(dice, ARRAY_LENGTH(signals) - 1)];
        int64_t at_ns = world->now_ns + dice_skewed(dice, 0, 60000) * ns_of_ms;
        push(world, SIM_SIGNAL, at_ns)->signal_number = number;
        if (number == SIGUSR2) /* whoever pauses goes on */
            push(world, SIM_SIGNAL, at_ns + dice_skewed(dice, 1, 600000) * ns_of_ms)
                ->signal_number = number;
    }
    if (dice_chance(dice, 60)) {
        int64_t at_ns = world->now_ns + dice_skewed(dice, 0, 20000) * ns_of_ms;
        (void)push(world, SIM_READER, at_ns);
        (void)push(world, SIM_READER, at_ns + dice_skewed(dice, 1, 60000) * ns_of_ms);
    }
    while (dice_chance(dice, 100))
        (void)push(world, SIM_CLOCK, world->now_ns + dice_skewed(dice, 0, 60000) * ns_of_ms);
    for (int i = 0; i < 8 && dice_chance(dice, 700); i++)
        (void)push(world, SIM_WRITE_BACK, world->now_ns + dice_skewed(dice, 0, 60000) * ns_of_ms);
    if (dice_chance(dice, 150))
        (void)push(world, dice_chance(dice, 800) ? SIM_CHANGE : SIM_GROWTH,
                   world->now_ns + dice_skewed(dice, 0, 5000) * ns_of_ms);
}

static void draw_death(struct sim_world *world, struct fake_faults *faults)
{
    struct prng *dice = &world->dice;

    world->process.death = (enum fake_death)prng_up_to(dice, DEATH_COUNT - 1);
    switch (prng_up_to(dice, 5)) {
    case 0:
        faults->die_at = (uint64_t)dice_skewed(dice, 1, 200);
        break;
    case 1:
    case 2:
        world->process.effects_left = (uint64_t)dice_skewed(dice, 1, 3000);
        break;
    case 3:
        (void)push(world, SIM_DEATH, world->now_ns + dice_skewed(dice, 0, 60000) * ns_of_ms);
        break;
    default:
        break;
    }
}

static void draw_faults(struct sim_world *world, struct fake_faults *faults)
{
    struct prng *dice = &world->dice;

    if (!dice_chance(dice, 250))
        return;
    for (int i = 0; i < 2; i++)
        faults->per_mille[prng_up_to(dice, FAKE_CALL_COUNT - 1)] =
            (uint32_t)dice_skewed(dice, 1, 300);
    faults->is_lasting = dice_chance(dice, 300);
    faults->short_per_mille = (uint32_t)dice_skewed(dice, 0, 300);
    if (dice_chance(dice, 200))
        faults->space = (uint64_t)dice_between(dice, 700000, 3000000);
}

static void end_process(struct process *process)
{
    engine_free(process->engine);
    ledger_close(process->ledger);
    intake_close(process->intake);
    problems_deinit(&process->problems);
    problems_deinit(&process->expired);
    known_commands_deinit(&process->known);
    buf_deinit(&process->message);
}

enum life_end process_live(struct sim_world *world, bool is_calm)
{
    struct process *process = &world->process;
    struct fake_faults faults = {.die_at = 0};

    *process = (struct process){.death = DEATH_OF_PROCESS,
                                .tokens = BUDGET_TOKENS_MAX,
                                .retried_ms = INT64_MIN / 2};
    for (size_t i = 1; i <= world->input.row_count; i++)
        world->rows[i] = (struct row_state){.device = world->rows[i].device};
    plan_draw(world, &process->plan, is_calm);
    problems_init(&process->problems);
    problems_init(&process->expired);
    known_commands_init(&process->known);
    buf_init(&process->message, 64 * 1024);
    process->key = world->platform.good_key;
    if (!is_calm) {
        draw_events(world);
        draw_faults(world, &faults);
        draw_death(world, &faults);
        if (process->key > 0 && dice_chance(&world->dice, 200))
            process->key--;
    }
    world->failed_before = count_failed(world);
    fake_disk_set_faults(&faults);
    fake_platform_forget(&world->platform);
    enum life_end end = live(world);
    fake_disk_set_faults(&(struct fake_faults){.die_at = 0});
    if (!fake_disk_is_dead())
        process->death = dice_chance(&world->dice, 800) ? DEATH_OF_PROCESS : process->death;
    end_process(process);
    return end;
}
