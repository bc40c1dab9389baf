/*
 * Two engines at one job, over a store that they share: the protocol of src/ledger/share in virtual
 * time. The engines are the real ones; the store does what the .sql files say, call by call, and a
 * worker what worker.c, shards.c and record.c do with their answers. A seed is a case:
 *
 *     share_sim --seeds 1..2000
 *     share_sim --break epoch          # a guard is off: 0 when a seed notices
 *     share_sim --seeds 7..7 --trace all
 *
 * Workers die, stand still for longer than their leases, and the database goes away; calls are
 * carried out late, twice, or by nobody. What must hold:
 *  - No request leaves but under a lease that the database knows to be the worker's.
 *  - Each row ends in one result; what was processed is accepted with its uuid, or in doubt.
 *  - Under hold no row is processed twice, and the rows of a device in their order; else no more
 *    often than its result counts, but for what a worker sent once more before it died.
 *  - An accepted answer that reached the store is not in doubt.
 *  - In doubt are no more than a stride for each worker that died, stood still, or was kept from
 * the database for longer than its lease, and what the platform left so.
 *  - The job comes to its end.
 */
#include <stdio.h>
#include <stdlib.h>

#include "dice.h"
#include "engine/engine.h"
#include "ledger/share/fence.h"

#define MS      INT64_C(1000000)
#define NEVER   INT64_MAX
#define WALL_MS INT64_C(1800000000000)

enum {
    ROWS = 48,
    SHARDS = 5,
    DEVICES = 12,
    WORKERS = 2,
    STRIDE = 6,
    SLOTS = 16, /* of leases that a worker has, or had */
    CALLS = 4096,
    FLIGHTS = 1024,
    LEASE_MS = 2000,
    TRANSIT_MS = 150, /* of a request at the most: less than the fence's margin */
    END_MS = 600 * 1000,
};

enum broken { NOTHING, EPOCH, FENCE, SETTLE, EVIDENCE, ORDER };
static const char *const broken_names[] = {"nothing", "epoch",    "fence",
                                           "settle",  "evidence", "order"};
static enum broken broken;

static bool is_traced;
static int64_t now_ns;
static struct prng dice;
static uint64_t seed;

static void fail(const char *what, int row)
{
    if (broken == NOTHING)
        (void)fprintf(stderr, "seed %llu at %lld ms: %s (row %d)\n", (unsigned long long)seed,
                      (long long)(now_ns / MS), what, row);
    exit(broken == NOTHING ? 1 : 0); /* a guard that is off was noticed */
}

static void trace(const char *what, int worker, int shard, int row)
{
    if (is_traced)
        (void)printf("%6lld ms worker %d shard %d row %d: %s\n", (long long)(now_ns / MS), worker,
                     shard, row, what);
}

static int64_t soon(int64_t from_ms, int64_t to_ms)
{
    return now_ns + dice_skewed(&dice, from_ms * MS, to_ms * MS);
}

/* The platform. */

struct processed {
    int count;
    int uncounted; /* attempts behind a lost answer: the store does not know of them until the end
                    */
    char uuid[32]; /* of the last */
    bool is_known; /* an accepted answer has reached the store */
};
static struct processed processed[ROWS];
static int processed_in_all;

/* The store. */

enum result { NONE, ACCEPTED, FAILED, DOUBT };

struct stored_row {
    bool is_started, may_left;
    uint32_t sent, ambiguous;
    enum result result;
    char uuid[32], event[32]; /* "": none */
    uint32_t result_ambiguous;
};

struct stored_shard {
    int worker, epoch;
    int64_t until_ns;
    int reached; /* rows up to this one; -1: none */
    bool is_done;
};

static struct {
    struct stored_row rows[ROWS];
    struct stored_shard shards[SHARDS];
    bool resends;
    int64_t away_ns, back_ns;
} store;

static int device_of(int row)
{
    return row * 7 % DEVICES;
}

static int shard_of(int row)
{
    return device_of(row) % SHARDS;
}

static bool is_held(int worker, int shard, int epoch)
{
    const struct stored_shard *stored = &store.shards[shard];

    return (stored->worker == worker && stored->epoch == epoch) || broken == EPOCH;
}

/* Workers. */

enum ticket_state { FREE, ADMITTED, IN_BATCH, MARKED, LATE };

struct lease {
    int shard, epoch, open;
    bool is_used, is_lost, is_returned, has_rest, is_asking;
};

struct ticket {
    enum ticket_state state;
    struct lease *lease;
    struct item *item;
    int row, sends;
};

struct given {
    int row;
    uint32_t sent, ambiguous;
    struct lease *lease;
};

struct ended {
    int row, epoch; /* of the lease, which may be another's when the call is carried out */
    struct lease *lease;
    enum result result;
    char uuid[32];
    uint32_t ambiguous;
};

static struct worker {
    int id; /* another one for each process; 0: there is none */
    struct engine *engine;
    struct buf message;
    int64_t awake_ns; /* it stands still until then */
    int64_t until_ns, renew_ns, look_ns;
    bool is_renewing, is_leasing, is_looking, is_complete;
    struct lease leases[SLOTS];
    struct ticket tickets[ROWS];
    struct given given; /* the row that was handed out last */
    struct given queue[ROWS];
    int queued;
    struct ended ended[ROWS];
    int ended_count, unwritten;
    int room;
    struct item *reading;
    bool waits_told, turn, has_ended, has_room;
    int64_t armed_ns, flush_ns, tick_ns;
    uint64_t syncing;
    int sync_calls;
    int64_t start_ns; /* of the next process */
    int lives;
} workers[WORKERS];
static int last_id;
static unsigned disturbances, doubts_of_the_platform;

/* Calls. */

enum call_kind { LEASE, RENEW, LOOK, REST, START, END, GIVE_BACK, DONE, RELEASE };

static const char *const call_names[] = {"lease", "renew",     "look", "rest",   "start",
                                         "end",   "give back", "done", "release"};

struct call {
    enum call_kind kind;
    bool is_used, is_carried_out, is_of_sync;
    int worker, place; /* place: of the worker in `workers` */
    struct lease *lease;
    int shard, epoch;
    int64_t at_ns; /* it is carried out, then answered */
    struct ended rows[ROWS];
    int count;
    /* The answer. */
    int leased, leased_epoch;
    bool is_good, is_held[SHARDS];
    bool started[ROWS];
    struct given rest[ROWS];
    int rest_count;
};
static struct call calls[CALLS];
static int first_call, call_count;

static struct call *add_call(struct worker *worker, enum call_kind kind, struct lease *lease)
{
    if (call_count == CALLS)
        fail("more calls than are thought of", -1);
    struct call *call = &calls[call_count++];
    *call = (struct call){.kind = kind,
                          .is_used = true,
                          .worker = worker->id,
                          .place = (int)(worker - workers),
                          .lease = lease,
                          .shard = lease != NULL ? lease->shard : -1,
                          .epoch = lease != NULL ? lease->epoch : -1,
                          .at_ns = soon(0, 30)};
    return call;
}

static void settle(struct call *call)
{
    for (int i = 0; i < ROWS && is_held(call->worker, call->shard, call->epoch); i++) {
        struct stored_row *row = &store.rows[i];
        if (shard_of(i) != call->shard || !row->is_started || !row->may_left ||
            (store.resends && row->event[0] == '\0') || broken == SETTLE)
            continue;
        row->is_started = false;
        row->result_ambiguous = row->ambiguous + 1;
        row->result = row->event[0] != '\0' ? ACCEPTED : DOUBT;
        memcpy(row->uuid, row->event, sizeof(row->uuid));
    }
}

static void read_rest(struct call *call)
{
    call->rest_count = 0;
    for (int i = 0; i < ROWS; i++) {
        const struct stored_row *row = &store.rows[i];
        if (shard_of(i) != call->shard ||
            (!row->is_started && i <= store.shards[call->shard].reached))
            continue;
        bool left = row->is_started && row->may_left;
        call->rest[call->rest_count++] =
            (struct given){.row = i,
                           .sent = (row->is_started ? row->sent : 0) + left,
                           .ambiguous = (row->is_started ? row->ambiguous : 0) + left};
    }
}

static void start_row(struct call *call, const struct ended *given)
{
    struct stored_row *row = &store.rows[given->row];
    struct stored_shard *shard = &store.shards[shard_of(given->row)];

    if (!is_held(call->worker, shard_of(given->row), given->epoch))
        return;
    call->started[given->row] = true;
    row->is_started = row->may_left = true;
    row->sent = row->ambiguous = given->ambiguous;
    shard->reached = given->row > shard->reached ? given->row : shard->reached;
}

static void end_row(const struct call *call, const struct ended *given)
{
    struct stored_row *row = &store.rows[given->row];

    processed[given->row].is_known |= given->result == ACCEPTED;

    if (is_held(call->worker, shard_of(given->row), given->epoch)) {
        row->is_started = false;
        if (row->result != NONE)
            return;
        bool is_known = given->result == DOUBT && row->event[0] != '\0';
        row->result = is_known ? ACCEPTED : given->result;
        row->result_ambiguous = given->ambiguous;
        (void)snprintf(row->uuid, sizeof(row->uuid), "%s", is_known ? row->event : given->uuid);
    } else if (given->result == ACCEPTED && broken != EVIDENCE) {
        (void)snprintf(row->event, sizeof(row->event), "%s", given->uuid);
        if (row->result != DOUBT)
            return;
        row->result = ACCEPTED;
        (void)snprintf(row->uuid, sizeof(row->uuid), "%s", given->uuid);
    }
}

static void give_back(const struct call *call, const struct ended *given)
{
    struct stored_row *row = &store.rows[given->row];

    if (!is_held(call->worker, shard_of(given->row), given->epoch) || !row->is_started)
        return;
    row->may_left = false;
    row->sent = row->ambiguous = given->ambiguous;
}

static void lease_one(struct call *call)
{
    call->leased = -1;
    for (int i = 0; i < SHARDS && call->leased < 0; i++) {
        struct stored_shard *shard = &store.shards[i];
        if (shard->is_done || shard->until_ns >= now_ns)
            continue;
        shard->worker = call->worker;
        shard->until_ns = now_ns + LEASE_MS * MS;
        call->leased = i;
        call->leased_epoch = ++shard->epoch;
    }
}

static void renew_all(struct call *call)
{
    for (int i = 0; i < SHARDS; i++) {
        struct stored_shard *shard = &store.shards[i];
        call->is_held[i] = !shard->is_done && shard->worker == call->worker;
        if (call->is_held[i])
            shard->until_ns = now_ns + LEASE_MS * MS;
        call->is_held[i] = call->is_held[i] || broken == EPOCH;
        call->rest[i] = (struct given){.row = shard->epoch};
    }
}

static bool is_whole(int shard)
{
    for (int i = 0; i < ROWS; i++)
        if (shard_of(i) == shard && (store.rows[i].is_started || (i > store.shards[shard].reached)))
            return false;
    return true;
}

static void look(struct call *call)
{
    call->is_good = true;
    for (int i = 0; i < SHARDS; i++)
        call->is_good = call->is_good && store.shards[i].is_done;
}

/* What the statements do; each may be carried out twice. */
static void carry_out(struct call *call)
{
    struct stored_shard *shard = call->shard >= 0 ? &store.shards[call->shard] : NULL;

    switch (call->kind) {
    case LEASE:
        lease_one(call);
        break;
    case RENEW:
        renew_all(call);
        break;
    case LOOK:
        look(call);
        break;
    case REST:
        settle(call);
        read_rest(call);
        break;
    case START:
    case END:
    case GIVE_BACK:
        for (int i = 0; i < call->count; i++) {
            struct ended *given = &call->rows[i];
            if (call->kind == START)
                start_row(call, given);
            else if (call->kind == END)
                end_row(call, given);
            else
                give_back(call, given);
        }
        break;
    case DONE:
        call->is_good = is_held(call->worker, call->shard, call->epoch) && is_whole(call->shard);
        shard->is_done = shard->is_done || call->is_good;
        break;
    case RELEASE:
        if (shard->worker == call->worker && shard->epoch == call->epoch && !shard->is_done) {
            shard->worker = 0;
            shard->until_ns = 0;
        }
        break;
    }
    trace(call_names[call->kind], call->worker, call->shard,
          call->count > 0 ? call->rows[0].row : -1);
    call->is_carried_out = true;
    call->at_ns = soon(0, 30);
}

/* A worker's engine. */

static struct engine_time engine_now(void)
{
    return (struct engine_time){.ns = now_ns, .wall_ms = WALL_MS + now_ns / MS};
}

static void step(struct worker *worker, const struct event *event)
{
    engine_step(worker->engine, event, engine_now());
}

static void tell(struct worker *worker, enum event_kind kind)
{
    step(worker, &(struct event){.kind = kind});
}

/* Requests. */

static struct flight {
    struct worker *worker;
    struct item *item;
    int id, row;
    enum { LEAVING, TRAVELLING, ANSWERED } state;
    int64_t at_ns;
    bool is_lost; /* no answer comes */
    bool is_refused;
    char uuid[32];
} flights[FLIGHTS];

static void send(struct worker *worker, struct item *item)
{
    for (int i = 0; i < FLIGHTS; i++) {
        if (flights[i].worker != NULL)
            continue;
        flights[i] = (struct flight){.worker = worker,
                                     .item = item,
                                     .id = worker->id,
                                     .row = (int)item->id.row - 1,
                                     .state = LEAVING,
                                     .at_ns = soon(0, 20)};
        return;
    }
    fail("more requests than are thought of", -1);
}

static void admit(struct worker *worker, struct item *item)
{
    int row = (int)item->id.row - 1, at = 0;

    while (worker->tickets[at].state != FREE)
        at++;
    item->ticket = (uint32_t)at;
    if (worker->given.row != row)
        fail("another row is admitted than was handed out", row);
    worker->tickets[at] =
        (struct ticket){.state = ADMITTED, .lease = worker->given.lease, .item = item, .row = row};
    worker->given.lease->open++;
    worker->room--;
    if (worker->room < 0)
        fail("more rows are admitted than there is room for", row);
}

static void drop(struct worker *worker, const struct item *item)
{
    int row = (int)item->id.row - 1;
    struct ticket *ticket = &worker->tickets[item->ticket];

    trace("drop", worker->id, -1, row);
    if (ticket->state != ADMITTED) {
        struct call *call = add_call(worker, GIVE_BACK, NULL);
        call->rows[call->count++] = (struct ended){.row = row,
                                                   .epoch = ticket->lease->epoch,
                                                   .lease = ticket->lease,
                                                   .ambiguous = item->so_far.ambiguous};
    }
    ticket->lease->open--;
    ticket->lease->is_returned = true;
    ticket->state = FREE;
    worker->room++;
}

static void record(struct worker *worker, const struct effect *effect)
{
    static const enum result results[ROW_STATUS_COUNT] = {[ROW_ACCEPTED] = ACCEPTED,
                                                          [ROW_REJECTED] = FAILED,
                                                          [ROW_FAILED] = FAILED,
                                                          [ROW_IN_DOUBT] = DOUBT,
                                                          [ROW_INVALID] = FAILED};
    const struct outcome *outcome = effect->record.outcome;
    int row = (int)effect->item->id.row - 1;
    struct ticket *ticket = &worker->tickets[effect->item->ticket];

    trace(row_status_name(outcome->status), worker->id, -1, row);
    struct ended *ended = &worker->ended[worker->ended_count++];

    *ended = (struct ended){.row = row,
                            .epoch = ticket->lease->epoch,
                            .lease = ticket->lease,
                            .result = results[outcome->status],
                            .ambiguous = effect->item->so_far.ambiguous};
    (void)snprintf(ended->uuid, sizeof(ended->uuid), "%.31s", outcome->uuid);
    doubts_of_the_platform += ended->result == DOUBT;
    ticket->state = FREE;
}

static void begin_sync(struct worker *worker, uint64_t number)
{
    struct call *call;

    worker->syncing = number;
    worker->sync_calls = 0;
    if (worker->ended_count > 0) {
        call = add_call(worker, END, NULL);
        memcpy(call->rows, worker->ended, sizeof(call->rows));
        call->count = worker->ended_count;
        call->is_of_sync = true;
        worker->ended_count = 0;
        worker->sync_calls++;
    }
    call = NULL;
    for (int i = 0; i < ROWS; i++) {
        struct ticket *ticket = &worker->tickets[i];
        if (ticket->state != ADMITTED)
            continue;
        ticket->state = IN_BATCH;
        if (call == NULL) {
            call = add_call(worker, START, NULL);
            call->is_of_sync = true;
            worker->sync_calls++;
        }
        call->rows[call->count++] = (struct ended){.row = ticket->row,
                                                   .epoch = ticket->lease->epoch,
                                                   .lease = ticket->lease,
                                                   .ambiguous = ticket->item->so_far.ambiguous};
    }
}

static void perform(void *context, const struct effect *effect)
{
    struct worker *worker = context;

    switch (effect->kind) {
    case EFFECT_TURN:
        worker->turn = true;
        break;
    case EFFECT_ARM:
        worker->armed_ns = effect->at_ns;
        break;
    case EFFECT_READ:
        worker->reading = effect->item;
        worker->waits_told = false;
        break;
    case EFFECT_ADMIT:
        admit(worker, effect->item);
        break;
    case EFFECT_DROP:
        drop(worker, effect->item);
        break;
    case EFFECT_RECORD:
        record(worker, effect);
        break;
    case EFFECT_SYNC:
        begin_sync(worker, effect->sync);
        break;
    case EFFECT_SEND:
        send(worker, effect->item);
        break;
    case EFFECT_END:
        worker->has_ended = true;
        break;
    default:
        break;
    }
}

static void tell_row(struct worker *worker)
{
    const struct given given = worker->queue[0];
    struct item *item = worker->reading;
    struct command *command = &item->command;
    struct event event = {.kind = EVENT_ROW, .item = item};

    memmove(worker->queue, worker->queue + 1, sizeof(given) * (size_t)--worker->queued);
    worker->given = given;
    worker->reading = NULL;
    buf_clear(&command->text);
    buf_add_string(&command->text, "/nbiot");
    command->target_len = command->text.len;
    buf_add_char(&command->text, '\0');
    command->row = command->hash = (uint64_t)given.row + 1;
    command->device = (uint64_t)device_of(given.row) + 1;
    command->expires_at_s = WALL_MS / 1000 + 365 * 86400;
    command->valid_at_s = WALL_MS / 1000;
    item->id = (struct row_id){.hash = command->hash,
                               .device = command->device,
                               .row = command->row,
                               .line = command->row,
                               .occurrence = 1};
    event.row.verdict = ITEM_GOOD;
    event.row.sent = given.sent;
    event.row.ambiguous = given.ambiguous;
    step(worker, &event);
}

static bool settle_one(struct worker *worker)
{
    if (worker->has_ended)
        return false;
    if (worker->has_room) {
        worker->has_room = false;
        step(worker, &(struct event){.kind = EVENT_ROOM, .room = {(size_t)worker->room, false}});
    } else if (worker->reading != NULL && worker->is_complete) {
        worker->reading = NULL;
        tell(worker, EVENT_INPUT_ENDED);
    } else if (worker->reading != NULL && worker->queued > 0 && now_ns < worker->until_ns) {
        tell_row(worker);
    } else if (worker->reading != NULL && !worker->waits_told) {
        worker->waits_told = true;
        tell(worker, EVENT_INPUT_WAITS);
    } else if (worker->syncing > 0 && worker->sync_calls == 0) {
        const struct event event = {.kind = EVENT_SYNC_DONE, .sync = {.number = worker->syncing}};
        worker->syncing = 0;
        step(worker, &event);
    } else if (worker->turn) {
        worker->turn = false;
        tell(worker, EVENT_TURN);
    } else {
        return false;
    }
    return true;
}

static void close_worker(struct worker *worker);

static void settle_worker(struct worker *worker)
{
    while (settle_one(worker))
        ;
    if (worker->has_ended)
        close_worker(worker);
}

/* What worker.c and shards.c do now and then, and when an answer has come. */

static void forget_rows(struct worker *worker, const struct lease *lease)
{
    int kept = 0;

    for (int i = 0; i < worker->queued; i++)
        if (worker->queue[i].lease != lease)
            worker->queue[kept++] = worker->queue[i];
    worker->queued = kept;
}

static bool has_rows(const struct worker *worker, const struct lease *lease)
{
    for (int i = 0; i < worker->queued; i++)
        if (worker->queue[i].lease == lease)
            return true;
    return false;
}

static bool gives_back(const struct worker *worker)
{
    for (int i = first_call; i < call_count; i++)
        if (calls[i].is_used && calls[i].worker == worker->id && calls[i].kind == GIVE_BACK)
            return true;
    return false;
}

static void attend(struct worker *worker, struct lease *lease)
{
    bool is_over = lease->open == 0 && !lease->is_asking;

    if (lease->is_lost && is_over) {
        lease->is_used = false;
    } else if (lease->is_returned && is_over && !gives_back(worker)) {
        forget_rows(worker, lease);
        lease->is_asking = true;
        (void)add_call(worker, RELEASE, lease);
    } else if (lease->is_lost || lease->is_asking || lease->is_returned) {
        return;
    } else if (!lease->has_rest) {
        lease->is_asking = true;
        (void)add_call(worker, REST, lease);
    } else if (is_over && !has_rows(worker, lease)) {
        lease->is_asking = true;
        (void)add_call(worker, DONE, lease);
    }
}

static struct lease *free_lease(struct worker *worker)
{
    for (int i = 0; i < SLOTS; i++)
        if (!worker->leases[i].is_used)
            return &worker->leases[i];
    return NULL;
}

static void pump(struct worker *worker)
{
    if (now_ns >= worker->renew_ns && !worker->is_renewing) {
        worker->is_renewing = true;
        (void)add_call(worker, RENEW, NULL);
        worker->renew_ns = now_ns; /* when it was asked */
    }
    for (int i = 0; i < SLOTS; i++)
        if (worker->leases[i].is_used)
            attend(worker, &worker->leases[i]);
    if (worker->queued < 2 && !worker->is_leasing && free_lease(worker) != NULL &&
        now_ns >= worker->look_ns) {
        worker->is_leasing = true;
        (void)add_call(worker, LEASE, NULL);
    }
}

static struct lease *find_lease(struct worker *worker, int shard, int epoch)
{
    for (int i = 0; i < SLOTS; i++) {
        struct lease *lease = &worker->leases[i];
        if (lease->is_used && lease->shard == shard && lease->epoch == epoch)
            return lease;
    }
    return NULL;
}

static void add_lease(struct worker *worker, int shard, int epoch)
{
    struct lease *lease = free_lease(worker);

    if (lease != NULL && find_lease(worker, shard, epoch) == NULL)
        *lease = (struct lease){.shard = shard, .epoch = epoch, .is_used = true};
}

static void on_renewed(struct worker *worker, const struct call *call)
{
    worker->is_renewing = false;
    for (int i = 0; i < SLOTS; i++) {
        struct lease *lease = &worker->leases[i];
        if (!lease->is_used || lease->is_lost ||
            (call->is_held[lease->shard] &&
             (call->rest[lease->shard].row == lease->epoch || broken == EPOCH)))
            continue;
        lease->is_lost = true;
        forget_rows(worker, lease);
    }
    for (int i = 0; i < SHARDS && broken != EPOCH; i++)
        if (call->is_held[i])
            add_lease(worker, i, call->rest[i].row);
    worker->until_ns = fence_end_ns(worker->renew_ns, LEASE_MS);
    worker->renew_ns += fence_renew_ms(LEASE_MS) * MS;
}

static void on_rest(struct worker *worker, const struct call *call)
{
    call->lease->is_asking = false;
    call->lease->has_rest = true;
    for (int i = 0; i < call->rest_count && !call->lease->is_lost; i++) {
        worker->queue[worker->queued] = call->rest[i];
        worker->queue[worker->queued++].lease = call->lease;
    }
}

static void on_written(struct worker *worker, const struct call *call)
{
    for (int i = 0; i < call->count; i++)
        call->rows[i].lease->open--;
    worker->room += call->count;
    worker->has_room = true;
    worker->sync_calls--;
}

/* As take_started does: by the row, whatever its lease. */
static void on_started(struct worker *worker, const struct call *call)
{
    bool started[ROWS];

    memcpy(started, call->started, sizeof(started));
    for (int i = 0; i < ROWS; i++) {
        struct ticket *ticket = &worker->tickets[i];
        if (ticket->state != IN_BATCH)
            continue;
        ticket->state = started[ticket->row] ? MARKED : LATE;
        started[ticket->row] = false;
    }
    worker->sync_calls--;
}

static void on_answer(struct worker *worker, struct call *call)
{
    call->is_used = false;
    switch (call->kind) {
    case LEASE:
        worker->is_leasing = false;
        trace("has leased", worker->id, call->leased, call->leased_epoch);
        if (call->leased >= 0)
            add_lease(worker, call->leased, call->leased_epoch);
        else
            worker->look_ns = now_ns + 100 * MS;
        if (call->leased < 0 && !worker->is_looking) {
            worker->is_looking = true;
            (void)add_call(worker, LOOK, NULL);
        }
        break;
    case RENEW:
        on_renewed(worker, call);
        break;
    case LOOK:
        worker->is_looking = false;
        worker->is_complete = call->is_good;
        break;
    case REST:
        on_rest(worker, call);
        break;
    case END:
        on_written(worker, call);
        break;
    case START:
        on_started(worker, call);
        break;
    case GIVE_BACK:
        break;
    case DONE:
        call->lease->is_asking = false;
        call->lease->is_returned = !call->is_good && !call->lease->is_lost;
        call->lease->is_used = call->lease->is_returned;
        break;
    case RELEASE:
        call->lease->is_asking = call->lease->is_used = false;
        break;
    }
    pump(worker);
    settle_worker(worker);
}

/* A request's way. */

static void answer(struct flight *flight, struct answer answer)
{
    struct worker *worker = flight->worker;
    struct event event = {.kind = EVENT_ANSWER,
                          .item = flight->item,
                          .answer = {&answer, false, 0}};

    flight->worker = NULL;
    step(worker, &event);
    pump(worker);
    settle_worker(worker);
}

/* What leaves does so under a lease, by the database's own time. */
static void check_leaving(const struct flight *flight)
{
    const struct ticket *ticket = &flight->worker->tickets[flight->item->ticket];
    const struct stored_shard *shard = &store.shards[shard_of(flight->row)];

    if (shard->worker != flight->worker->id || shard->epoch != ticket->lease->epoch ||
        now_ns >= shard->until_ns)
        fail("a request leaves without a lease", flight->row);
    if (!store.rows[flight->row].is_started)
        fail("a request leaves whose row is not marked", flight->row);
}

static void leave(struct flight *flight)
{
    struct worker *worker = flight->worker;
    struct ticket *ticket = &worker->tickets[flight->item->ticket];
    bool is_own = ticket->state == MARKED && !ticket->lease->is_lost &&
                  (!ticket->lease->is_returned || broken == ORDER);
    bool may = is_own && now_ns < worker->until_ns;

    if (!may && broken != FENCE) {
        answer(flight,
               (struct answer){.state = ANSWER_NOT_SENT, .is_late = true, .retry_after_ms = -1});
        return;
    }
    check_leaving(flight);
    trace("leaves", worker->id, ticket->lease->shard, flight->row);
    processed[flight->row].uncounted += ticket->sends++ > 0;
    flight->state = TRAVELLING;
    flight->at_ns = soon(1, TRANSIT_MS);
    flight->is_refused = dice_chance(&dice, 30);
    flight->is_lost = dice_chance(&dice, 30);
}

static void check_order(int row)
{
    for (int i = row + 1; i < ROWS; i++)
        if (device_of(i) == device_of(row) && processed[i].count > 0)
            fail("a device's rows are out of order", row);
}

static void process(struct flight *flight)
{
    struct processed *it = &processed[flight->row];

    flight->state = ANSWERED;
    flight->at_ns = soon(1, 400);
    if (flight->is_refused)
        return;
    if (!store.resends)
        check_order(flight->row);
    if (!store.resends && it->count > 0)
        fail("a row is processed twice under hold", flight->row);
    trace("processed", flight->id, -1, flight->row);
    it->count++;
    processed_in_all++;
    (void)snprintf(it->uuid, sizeof(it->uuid), "u-%d-%d", flight->row, processed_in_all);
    memcpy(flight->uuid, it->uuid, sizeof(flight->uuid));
}

static void arrive(struct flight *flight)
{
    char body[128];
    struct answer it = {.state = ANSWER_IN_DOUBT,
                        .retry_after_ms = -1,
                        .latency_us = 1000,
                        .detail = SPAN_LITERAL("reset")};

    (void)snprintf(body, sizeof(body), "{\"errno\":%d,\"error\":\"e\",\"data\":{\"uuid\":\"%s\"}}",
                   flight->is_refused ? 2001 : 0, flight->uuid);
    if (!flight->is_lost)
        it = (struct answer){.state = ANSWER_ANSWERED,
                             .is_whole = true,
                             .http_status = 200,
                             .retry_after_ms = -1,
                             .body = span_string(body),
                             .latency_us = 1000};
    answer(flight, it);
}

/* Processes. */

static void open_worker(struct worker *worker)
{
    int lives = worker->lives + 1;
    static struct halt halt;

    *worker = (struct worker){.id = ++last_id,
                              .lives = lives,
                              .room = STRIDE,
                              .armed_ns = NEVER,
                              .flush_ns = now_ns,
                              .tick_ns = now_ns,
                              .start_ns = NEVER};
    halt = (struct halt){0};
    buf_init(&worker->message, 65536);
    const struct engine_options options = {.concurrency = STRIDE,
                                           .room = STRIDE,
                                           .retry = {.max_attempts = 3,
                                                     .base_ms = 50,
                                                     .cap_ms = 200,
                                                     .on_ambiguous = store.resends
                                                                         ? ON_AMBIGUOUS_RESEND
                                                                         : ON_AMBIGUOUS_HOLD},
                                           .seed = prng_next(&dice) | 1,
                                           .pacer = {.burst = 1, .concurrency = STRIDE},
                                           .canary = {.state = CANARY_OVER},
                                           .halt = &halt,
                                           .outage_wait_ms = END_MS,
                                           .input = "job",
                                           .target_path = "",
                                           .perform = perform,
                                           .context = worker,
                                           .message = &worker->message};
    if (engine_new(&options, engine_now(), &worker->engine) != STATUS_OK)
        fail("no memory", -1);
    worker->turn = true;
    pump(worker);
    settle_worker(worker);
}

static void forget_worker(struct worker *worker)
{
    engine_free(worker->engine);
    buf_deinit(&worker->message);
    worker->engine = NULL;
}

static void kill_worker(struct worker *worker)
{
    for (int i = first_call; i < call_count; i++) /* some have left it before */
        if (calls[i].is_used && calls[i].worker == worker->id && !calls[i].is_carried_out &&
            dice_chance(&dice, 500))
            calls[i].is_used = false;
    for (int i = 0; i < FLIGHTS; i++)
        if (flights[i].worker == worker && flights[i].state == LEAVING)
            flights[i].worker = NULL;
    disturbances++;
    forget_worker(worker);
    worker->start_ns = soon(10, 3000);
}

static void close_worker(struct worker *worker)
{
    const struct event closed = {.kind = EVENT_CLOSED};
    struct job_result result;

    for (int i = 0; i < worker->ended_count; i++) /* what is left is written at the end */
        end_row(&(struct call){.worker = worker->id}, &worker->ended[i]);
    step(worker, &closed);
    if (engine_result(worker->engine, &result) != STATUS_OK || result.end != JOB_COMPLETE)
        fail("a worker ends otherwise", -1);
    forget_worker(worker);
}

/* Time. */

static bool is_away(void)
{
    return now_ns >= store.away_ns && now_ns < store.back_ns;
}

/* The calls of one process are carried out, and answered, in their order. */
static struct call *next_call(void)
{
    struct call *next = NULL;

    while (first_call < call_count && !calls[first_call].is_used)
        first_call++;
    for (int i = first_call; i < call_count; i++) {
        bool is_first = calls[i].is_used;
        for (int j = first_call; j < i && is_first; j++)
            is_first = !calls[j].is_used || calls[j].worker != calls[i].worker;
        if (is_first && (next == NULL || calls[i].at_ns < next->at_ns))
            next = &calls[i];
    }
    return next;
}

static void go_on(struct call *call)
{
    struct worker *worker = &workers[call->place];
    bool is_there = worker->engine != NULL && worker->id == call->worker;

    if (is_away()) { /* what was not answered is called again: it may have been carried out */
        call->is_carried_out = false;
        call->at_ns = store.back_ns + dice_between(&dice, 0, 200) * MS;
        call->is_used = is_there;
    } else if (!call->is_carried_out) {
        carry_out(call);
    } else if (!is_there) {
        call->is_used = false;
    } else if (now_ns < worker->awake_ns) {
        call->at_ns = worker->awake_ns;
    } else {
        on_answer(worker, call);
    }
}

static void fly(struct flight *flight)
{
    struct worker *worker = flight->worker;
    bool is_there = worker->engine != NULL && worker->id == flight->id;

    if (flight->state == TRAVELLING)
        process(flight);
    else if (!is_there)
        flight->worker = NULL;
    else if (now_ns < worker->awake_ns)
        flight->at_ns = worker->awake_ns;
    else if (flight->state == LEAVING)
        leave(flight);
    else
        arrive(flight);
}

static int64_t due_of(const struct worker *worker)
{
    if (worker->engine == NULL)
        return worker->start_ns;
    int64_t at_ns = worker->armed_ns < worker->flush_ns ? worker->armed_ns : worker->flush_ns;

    at_ns = worker->tick_ns < at_ns ? worker->tick_ns : at_ns;
    return at_ns > worker->awake_ns ? at_ns : worker->awake_ns;
}

/* Now and then something happens to a worker, as long as it has lives. */
static bool disturb(struct worker *worker)
{
    if (worker->lives > 3 || !dice_chance(&dice, 15))
        return false;
    if (dice_chance(&dice, 400)) {
        kill_worker(worker);
        return true;
    }
    worker->awake_ns = soon(100, 3 * LEASE_MS);
    worker->lives++;
    disturbances++;
    return true;
}

static void run_worker(struct worker *worker)
{
    if (worker->engine == NULL) {
        open_worker(worker);
    } else if (worker->armed_ns <= now_ns) {
        worker->armed_ns = NEVER;
        tell(worker, EVENT_TIMER);
        settle_worker(worker);
    } else if (worker->flush_ns <= now_ns) {
        worker->flush_ns = now_ns + ENGINE_FLUSH_MS * MS;
        if (disturb(worker))
            return;
        tell(worker, EVENT_FLUSH);
        pump(worker);
        settle_worker(worker);
    } else {
        worker->tick_ns = now_ns + JOB_TICK_MS * MS;
        tell(worker, EVENT_TICK);
        settle_worker(worker);
    }
}

static void go_away(void)
{
    if (now_ns < store.back_ns || now_ns >= 20000 * MS)
        return;
    store.away_ns = soon(500, 8000);
    store.back_ns = store.away_ns + dice_skewed(&dice, 50 * MS, 3 * LEASE_MS * MS);
    if (store.back_ns - store.away_ns > LEASE_MS / 2 * MS)
        disturbances += WORKERS; /* their leases may end meanwhile */
}

/* One thing, the next that is due; false: nothing is any more. */
static bool play_one(void)
{
    struct call *call = next_call();
    struct flight *flight = NULL;
    struct worker *worker = NULL;
    int64_t at_ns = call != NULL ? call->at_ns : NEVER;

    for (int i = 0; i < FLIGHTS; i++)
        if (flights[i].worker != NULL && flights[i].at_ns < at_ns) {
            flight = &flights[i];
            at_ns = flight->at_ns;
        }
    for (int i = 0; i < WORKERS; i++)
        if (due_of(&workers[i]) < at_ns) {
            worker = &workers[i];
            at_ns = due_of(worker);
        }
    if (at_ns == NEVER)
        return false;
    now_ns = at_ns > now_ns ? at_ns : now_ns;
    go_away();
    if (worker != NULL)
        run_worker(worker);
    else if (flight != NULL)
        fly(flight);
    else
        go_on(call);
    return now_ns < END_MS * MS;
}

static void judge(void)
{
    unsigned in_doubt = 0;

    for (int i = 0; i < ROWS; i++) {
        const struct stored_row *row = &store.rows[i];
        in_doubt += row->result == DOUBT;
        if (row->result == NONE || row->is_started)
            fail("a row has no result", i);
        if (processed[i].count > 0 && row->result == FAILED)
            fail("a row was processed and is failed", i);
        if (row->result == ACCEPTED && processed[i].count == 0)
            fail("a row is accepted and was not processed", i);
        if (row->result == ACCEPTED && !store.resends && strcmp(row->uuid, processed[i].uuid) != 0)
            fail("a row has another uuid", i);
        if (processed[i].count > (int)row->result_ambiguous + 1 + processed[i].uncounted)
            fail("a row was processed more often than its result counts", i);
        if (row->result == DOUBT && processed[i].is_known)
            fail("a row is in doubt whose answer is known", i);
    }
    if (in_doubt > disturbances * STRIDE + doubts_of_the_platform)
        fail("more rows are in doubt than were under way", -1);
}

static unsigned long long in_doubt_in_all, disturbances_in_all, late_in_all;

static void play(void)
{
    dice.state = seed;
    now_ns = 1000 * MS;
    last_id = first_call = call_count = processed_in_all = 0;
    disturbances = doubts_of_the_platform = 0;
    memset(processed, 0, sizeof(processed));
    memset(&store, 0, sizeof(store));
    memset(flights, 0, sizeof(flights));
    memset(workers, 0, sizeof(workers));
    store.resends = dice_chance(&dice, 500);
    for (int i = 0; i < SHARDS; i++)
        store.shards[i].reached = -1;
    for (int i = 0; i < WORKERS; i++)
        workers[i].start_ns = soon(0, 500);
    while (play_one())
        ;
    for (int i = 0; i < WORKERS; i++)
        if (workers[i].engine != NULL)
            fail("the job does not come to its end", -1);
    judge();
    for (int i = 0; i < ROWS; i++) {
        in_doubt_in_all += store.rows[i].result == DOUBT;
        late_in_all += store.rows[i].event[0] != '\0';
    }
    disturbances_in_all += disturbances;
}

int main(int count, char **words)
{
    uint64_t from = 1, to = 2000;

    for (int i = 1; i + 1 < count; i += 2) {
        if (strcmp(words[i], "--seeds") == 0 &&
            sscanf(words[i + 1], "%llu..%llu", (unsigned long long *)&from,
                   (unsigned long long *)&to) == 2)
            continue;
        for (size_t j = 0; j < ARRAY_LENGTH(broken_names); j++)
            if (strcmp(words[i], "--break") == 0 && strcmp(words[i + 1], broken_names[j]) == 0)
                broken = (enum broken)j;
        is_traced = is_traced || strcmp(words[i], "--trace") == 0;
    }
    for (seed = from; seed <= to; seed++)
        play();
    if (broken != NOTHING) {
        (void)fprintf(stderr, "no seed notices that %s is broken\n", broken_names[broken]);
        return 1;
    }
    (void)printf("%llu seeds: %llu deaths and pauses, %llu rows in doubt, %llu late answers\n",
                 (unsigned long long)(to - from + 1), disturbances_in_all, in_doubt_in_all,
                 late_in_all);
    return disturbances_in_all == 0 || in_doubt_in_all == 0 || late_in_all == 0;
}
