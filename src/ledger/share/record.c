#include "ledger/share/worker_impl.h"

/*
 * The store, over the worker's connection. What is to be written is gathered in batches, one for
 * each kind of call; a batch that was called is kept until it is answered, and called once more
 * where the connection was lost: each statement may be carried out twice.
 *
 * A sync is the batches that are there when it begins, in this order: rows that are given back,
 * results, rows that are about to be sent. The calls are answered in their order, so that the last
 * one ends the sync.
 *
 * There is room for as many rows as may be in flight; a row takes its place until its result is
 * written. So no more can be in doubt when the worker dies.
 */

static struct worker *worker_of(struct store *store)
{
    return (struct worker *)((char *)store - offsetof(struct worker, store));
}

static const enum link_statement statement_of[BATCH_COUNT] = {
    [BATCH_GIVE_BACK] = CALL_rows_give_back,
    [BATCH_END] = CALL_rows_end,
    [BATCH_START] = CALL_rows_start,
};

static const size_t arrays_of[BATCH_COUNT] = {
    [BATCH_GIVE_BACK] = 5, [BATCH_END] = 11, [BATCH_START] = 5};

/* Batches. */

static void clear_batch(struct batch *batch)
{
    for (size_t i = 0; i < BATCH_ARRAYS; i++)
        array_open(&batch->arrays[i]);
    batch->rows = 0;
    batch->is_called = false;
}

static void init_batch(struct batch *batch, struct worker *worker)
{
    batch->worker = worker;
    for (size_t i = 0; i < BATCH_ARRAYS; i++)
        buf_init(&batch->arrays[i], BATCH_BYTES_MAX);
    clear_batch(batch);
}

static void deinit_batch(struct batch *batch)
{
    for (size_t i = 0; i < BATCH_ARRAYS; i++)
        buf_deinit(&batch->arrays[i]);
}

/* The first three arrays of each kind; and the counts of those that start or come back. */
static void add_row(struct batch *batch, const struct shard *shard, uint64_t row)
{
    array_add_int(&batch->arrays[0], shard->number);
    array_add_int(&batch->arrays[1], shard->epoch);
    array_add_int(&batch->arrays[2], (int64_t)row);
    batch->rows++;
}

static void add_counts(struct batch *batch, const struct ticket *ticket)
{
    array_add_int(&batch->arrays[3], ticket->sent);
    array_add_int(&batch->arrays[4], ticket->ambiguous);
}

static enum status batch_status(const struct batch *batch, size_t arrays)
{
    for (size_t i = 0; i < arrays; i++)
        if (batch->arrays[i].status != STATUS_OK)
            return batch->arrays[i].status;
    return STATUS_OK;
}

/* What cannot be written now. */

static void keep_batch(struct worker *worker, enum late_kind kind, const struct batch *batch,
                       bool is_open)
{
    struct buf message;

    if (batch->rows == 0)
        return;
    buf_init_text(&message, 4096);
    if (!late_add(&worker->late, kind, worker->id, worker->name, batch->arrays, is_open, &message))
        worker_tell(worker, WORKER_UNKEPT, buf_string(&message), 0);
    worker->late_due = 2; /* the one that was called, and the one that is built */
    buf_deinit(&message);
}

void record_keep(struct worker *worker)
{
    keep_batch(worker, LATE_ENDED, &worker->called[BATCH_END], false);
    keep_batch(worker, LATE_ENDED, &worker->building[BATCH_END], true);
}

/* Rows that were marked and have not left, when the worker ends: else they would be in doubt. */
static size_t keep_unsent(struct worker *worker)
{
    const struct batch *called = &worker->called[BATCH_GIVE_BACK],
                       *building = &worker->building[BATCH_GIVE_BACK];

    keep_batch(worker, LATE_UNSENT, called, false);
    keep_batch(worker, LATE_UNSENT, building, true);
    return called->rows + building->rows;
}

static void forget_kept(struct worker *worker)
{
    if (worker->late_due > 0)
        worker->late_due--;
    if (worker->building[BATCH_END].rows == 0)
        worker->late_due = 0;
    if (worker->late_due == 0)
        late_forget(&worker->late);
}

/* The database's answers. */

static struct ticket *find_ticket(struct worker *worker, uint64_t row)
{
    for (size_t i = 0; i < worker->options.stride; i++) {
        size_t at = (worker->find_hint + i) % worker->options.stride;
        struct ticket *ticket = &worker->tickets[at];
        if (ticket->row == row && ticket->state == TICKET_IN_BATCH) {
            worker->find_hint = at + 1;
            return ticket;
        }
    }
    return NULL;
}

/* Rows that are not among those that were marked are another worker's by now. */
static void take_started(struct worker *worker, const PGresult *result)
{
    for (int i = 0; i < PQntuples(result); i++) {
        struct ticket *ticket = find_ticket(worker, (uint64_t)int_at(result, i, 0));
        if (ticket != NULL)
            ticket->state = TICKET_MARKED;
    }
    for (size_t i = 0; i < worker->options.stride; i++)
        if (worker->tickets[i].state == TICKET_IN_BATCH)
            worker->tickets[i].state = TICKET_LATE;
}

/* Whether a batch of the sync that is under way is not answered yet. */
static bool is_calling(const struct worker *worker)
{
    return worker->called[BATCH_END].rows > 0 || worker->called[BATCH_START].rows > 0;
}

static void end_sync(struct worker *worker)
{
    if (!worker->is_syncing || is_calling(worker))
        return;
    worker->is_syncing = worker->store.is_syncing = false;
    worker->hooks.synced(worker->hooks.context, true);
}

static void on_batch(void *context, const PGresult *result)
{
    struct batch *batch = context;
    struct worker *worker = batch->worker;

    batch->is_called = false;
    if (result == NULL)
        return; /* it is called again when the connection is back, or the tick comes */
    if (batch == &worker->called[BATCH_START])
        take_started(worker, result);
    if (batch == &worker->called[BATCH_END]) {
        worker->store.room += batch->rows;
        for (size_t i = 0; i < SHARDS_MAX; i++) {
            worker->shards[i].open -= worker->shards[i].ending;
            worker->shards[i].ending = 0;
        }
    }
    clear_batch(batch);
    if (batch == &worker->called[BATCH_END])
        forget_kept(worker);
    end_sync(worker);
    worker_pump(worker);
}

static void call_batch(struct worker *worker, enum batch_kind kind)
{
    struct batch *batch = &worker->called[kind];
    const char *values[2 + BATCH_ARRAYS + 1] = {worker->id, worker->job};
    const struct text ago = text_of((clock_loop_ns() - batch->built_ns) / 1000000);

    if (batch->rows == 0 || batch->is_called || !link_is_up(worker->link))
        return;
    for (size_t i = 0; i < arrays_of[kind]; i++)
        values[2 + i] = buf_string(&batch->arrays[i]);
    values[2 + BATCH_ARRAYS] = ago.text;
    batch->is_called = true;
    if (!link_call(worker->link, statement_of[kind], values, false, on_batch, batch))
        worker_fail(worker, status_text(STATUS_NO_MEMORY));
}

/* What was gathered is called from now on. */
static void close_batch(struct worker *worker, enum batch_kind kind)
{
    struct batch empty = worker->called[kind], *built = &worker->building[kind];

    if (built->rows == 0 || empty.rows > 0)
        return;
    for (size_t i = 0; i < arrays_of[kind]; i++)
        array_close(&built->arrays[i]);
    if (batch_status(built, arrays_of[kind]) != STATUS_OK) {
        worker_fail(worker, status_text(STATUS_NO_MEMORY));
        return;
    }
    built->built_ns = clock_loop_ns();
    worker->called[kind] = *built;
    *built = empty;
    call_batch(worker, kind);
}

void record_call_again(struct worker *worker)
{
    for (int kind = 0; kind < BATCH_COUNT; kind++)
        call_batch(worker, (enum batch_kind)kind);
}

void record_pump(struct worker *worker)
{
    close_batch(worker, BATCH_GIVE_BACK);
    record_call_again(worker);
}

bool record_is_pending(const struct worker *worker)
{
    return worker->building[BATCH_GIVE_BACK].rows > 0 || worker->called[BATCH_GIVE_BACK].rows > 0;
}

static void close_results(struct worker *worker)
{
    if (worker->building[BATCH_END].rows == 0)
        return;
    for (size_t i = 0; i < SHARDS_MAX; i++) {
        worker->shards[i].ending = worker->shards[i].ended;
        worker->shards[i].ended = 0;
    }
    close_batch(worker, BATCH_END);
}

static void close_starts(struct worker *worker)
{
    struct batch *batch = &worker->building[BATCH_START];

    for (size_t i = 0; i < worker->options.stride; i++) {
        struct ticket *ticket = &worker->tickets[i];
        if (ticket->state != TICKET_ADMITTED)
            continue;
        ticket->state = TICKET_IN_BATCH;
        add_row(batch, ticket->shard, ticket->row);
        add_counts(batch, ticket);
    }
    worker->find_hint = 0;
    close_batch(worker, BATCH_START);
}

bool record_sync(struct peer *peer)
{
    struct worker *worker = (struct worker *)peer;
    struct store *store = &worker->store;

    if (worker->is_syncing || store->has_failed || (store->waiting == 0 && store->unsynced == 0))
        return false;
    store->waiting = store->unsynced = 0;
    worker->is_syncing = store->is_syncing = true;
    close_batch(worker, BATCH_GIVE_BACK);
    close_results(worker);
    close_starts(worker);
    if (is_calling(worker))
        return true;
    worker->is_syncing = store->is_syncing = false; /* all were dropped meanwhile */
    return false;
}

/* The negative control is that of net/exchange.c. */
#ifdef NBATCH_TEST_WITHOUT_FENCE
enum { HAS_FENCE = false };
#else
enum { HAS_FENCE = true };
#endif

bool record_may_send(struct peer *peer, uint32_t number, int64_t *ret_before_ns)
{
    const struct worker *worker = (struct worker *)peer;
    const struct ticket *ticket = &worker->tickets[number];

    *ret_before_ns = worker->until_ns;
    /* Of a shard that gives a row back nothing else is sent: it could be one behind that row. */
    bool is_own = ticket->state == TICKET_MARKED && !ticket->shard->is_lost &&
                  !ticket->shard->is_returned && !worker->is_stopped;
    return is_own || !HAS_FENCE;
}

/* The store. */

static enum status meet(struct store *store, uint64_t hash, bool idempotent,
                        struct store_row *ret_row)
{
    (void)store;
    (void)hash;
    (void)idempotent;
    *ret_row = (struct store_row){.occurrence = 1};
    return STATUS_OK;
}

static void rewind_rows(struct store *store)
{
    (void)store;
}

static uint32_t admit(struct store *store, const struct intent *intent)
{
    struct worker *worker = worker_of(store);
    size_t at = worker->free_hint;

    while (worker->tickets[at].state != TICKET_FREE)
        at = (at + 1) % worker->options.stride;
    worker->free_hint = (at + 1) % worker->options.stride;
    worker->tickets[at] = (struct ticket){.state = TICKET_ADMITTED,
                                          .shard = worker->given,
                                          .row = intent->id.row,
                                          .sent = intent->sent,
                                          .ambiguous = intent->ambiguous};
    worker->given->open++;
    store->room--;
    store->waiting++;
    return (uint32_t)at;
}

static bool is_durable(const struct store *store, uint32_t ticket)
{
    const struct worker *worker = worker_of((struct store *)(uintptr_t)store);

    return worker->tickets[ticket].state >= TICKET_MARKED;
}

static void attempt(struct store *store, uint32_t ticket, uint32_t sent, uint32_t ambiguous)
{
    struct ticket *row = &worker_of(store)->tickets[ticket];

    row->sent = sent;
    row->ambiguous = ambiguous;
}

static void pause_row(struct store *store, uint32_t ticket)
{
    (void)store;
    (void)ticket;
}

/* It may be sent by whoever has its shard next. */
static void drop(struct store *store, uint32_t number)
{
    struct worker *worker = worker_of(store);
    struct ticket *ticket = &worker->tickets[number];
    struct batch *batch = &worker->building[BATCH_GIVE_BACK];

    if (ticket->state == TICKET_ADMITTED && store->waiting > 0)
        store->waiting--;
    if (ticket->state != TICKET_ADMITTED) {
        add_row(batch, ticket->shard, ticket->row);
        add_counts(batch, ticket);
    }
    ticket->shard->open--;
    ticket->shard->is_returned = true;
    ticket->state = TICKET_FREE;
    store->room++;
}

static void add_result(struct batch *batch, const struct result_record *record)
{
    struct buf *arrays = batch->arrays + 3;

    array_add_int(&arrays[0], record->status);
    array_add_text(&arrays[1], record->uuid);
    if (record->has_errno)
        array_add_int(&arrays[2], record->platform_errno);
    else
        array_add_null(&arrays[2]);
    array_add_text(&arrays[3], record->error);
    array_add_int(&arrays[4], record->http_status);
    array_add_int(&arrays[5], record->attempts);
    array_add_int(&arrays[6], record->ambiguous);
    array_add_int(&arrays[7], record->latency_us);
}

/* A result that has come while the database is away. */
static void keep_result(struct worker *worker, const struct ticket *ticket,
                        const struct result_record *record)
{
    struct batch batch;

    init_batch(&batch, worker);
    add_row(&batch, ticket->shard, ticket->row);
    add_result(&batch, record);
    if (batch_status(&batch, arrays_of[BATCH_END]) == STATUS_OK)
        keep_batch(worker, LATE_ENDED, &batch, true);
    deinit_batch(&batch);
}

static enum status end(struct store *store, uint32_t number, const struct result_record *record)
{
    struct worker *worker = worker_of(store);

    store->count++;
    store->unsynced++;
    if (number == STORE_NO_TICKET)
        return STATUS_OK; /* rows that are invalid were recorded when the job was loaded */
    struct ticket *ticket = &worker->tickets[number];
    struct batch *batch = &worker->building[BATCH_END];
    add_row(batch, ticket->shard, ticket->row);
    add_result(batch, record);
    if (worker->is_away)
        keep_result(worker, ticket, record);
    ticket->shard->ended++;
    if (ticket->state == TICKET_ADMITTED && store->waiting > 0)
        store->waiting--;
    ticket->state = TICKET_FREE;
    return store->has_failed ? STATUS_IO : batch_status(batch, arrays_of[BATCH_END]);
}

static enum status flush(struct store *store)
{
    return store->has_failed ? STATUS_IO : STATUS_OK;
}

static bool is_held_up(const struct store *store)
{
    (void)store;
    return false;
}

static struct store_sync *sync_begin(struct store *store)
{
    (void)store;
    return NULL; /* it is the peer's */
}

static void sync_run(struct store_sync *sync)
{
    (void)sync;
}

static enum status sync_end(struct store *store, struct store_sync *sync)
{
    (void)store;
    (void)sync;
    return STATUS_OK;
}

static const char *error(struct store *store)
{
    return buf_string(&worker_of(store)->error);
}

static enum status account(struct store *store, struct store_account *ret_account,
                           struct buf *message)
{
    (void)store;
    (void)message;
    *ret_account = (struct store_account){.rows = 0};
    return STATUS_OK;
}

/* Writes what is left; the loop is gone by now. */
static enum status finish(struct store *store, bool is_complete, struct buf *message)
{
    struct worker *worker = worker_of(store);

    (void)is_complete;
    for (int round = 0; round < 2; round++) { /* what waits behind a batch that was called */
        close_batch(worker, BATCH_GIVE_BACK);
        close_results(worker);
        record_call_again(worker);
        if (!link_drain(worker->link, LEAVE_MAX_MS)) {
            link_give_up(worker->link); /* it does not answer what comes behind, either */
            break;
        }
    }
    size_t left = worker->building[BATCH_END].rows + worker->called[BATCH_END].rows;
    if (left > 0 && !worker->is_away)
        record_keep(worker);
    left += keep_unsent(worker);
    if (left == 0 && !store->has_failed)
        return STATUS_OK;
    buf_add(message, buf_span(&worker->error));
    if (left == 0)
        return STATUS_IO;
    buf_add_format(message, "%swhat became of %zu row%s could not be written to the database: ",
                   worker->error.len > 0 ? "; " : "", left, left == 1 ? "" : "s");
    if (worker->late.path != NULL && !worker->late.has_failed)
        buf_add_format(message, "they are kept in %s, for the next worker in this folder",
                       worker->late.path);
    else
        buf_add_format(message, "whoever goes on with the job finds %s in doubt",
                       left == 1 ? "it" : "them");
    return STATUS_IO;
}

enum status record_init(struct worker *worker)
{
    worker->store = (struct store){.room = worker->options.stride,
                                   .meet = meet,
                                   .rewind = rewind_rows,
                                   .admit = admit,
                                   .is_durable = is_durable,
                                   .attempt = attempt,
                                   .pause = pause_row,
                                   .drop = drop,
                                   .end = end,
                                   .flush = flush,
                                   .is_held_up = is_held_up,
                                   .sync_begin = sync_begin,
                                   .sync_run = sync_run,
                                   .sync_end = sync_end,
                                   .error = error,
                                   .account = account,
                                   .finish = finish};
    worker->late.about = (struct late_about){worker->options.job_name, worker->options.job,
                                             worker->options.loaded_us};
    buf_init_text(&worker->error, 4096);
    for (size_t i = 0; i < BATCH_COUNT; i++) {
        init_batch(&worker->building[i], worker);
        init_batch(&worker->called[i], worker);
    }
    worker->tickets = calloc(worker->options.stride, sizeof(*worker->tickets));
    return worker->tickets != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

void record_deinit(struct worker *worker)
{
    for (size_t i = 0; i < BATCH_COUNT; i++) {
        deinit_batch(&worker->building[i]);
        deinit_batch(&worker->called[i]);
    }
    late_deinit(&worker->late);
    buf_deinit(&worker->error);
    free(worker->tickets);
}
