#include "ledger/share/worker_impl.h"
#include "platform/layout.h"

/*
 * Shards, and the rows that they bring. One that was leased is first settled: what its last worker
 * may have sent and what is not to be sent again gets its result. Then come the rows that this
 * worker had started or given back, and the others behind the last that was started, some at a
 * time.
 *
 *     lease ─▶ settle, rest ─▶ rows ─▶ rows … ─▶ (all have ended) done
 *                                └─▶ (a row came back, or the worker leaves) give back ─▶ lease
 */

static struct text number_text(const struct shard *shard)
{
    return text_of(shard->number);
}

/* A call about a shard: worker, job, shard and epoch. */
static bool call_shard(struct shard *shard, enum link_statement statement, link_done_fn *done)
{
    struct worker *worker = shard->worker;
    const struct text number = number_text(shard), epoch = text_of(shard->epoch);
    const char *values[] = {worker->id, worker->job, number.text, epoch.text};

    return link_call(worker->link, statement, values, false, done, shard);
}

static void drop_fetched(struct worker *worker, struct fetched **place)
{
    struct fetched *fetched = *place;

    worker->buffered -= (size_t)(PQntuples(fetched->rows) - fetched->next);
    *place = fetched->after;
    PQclear(fetched->rows);
    free(fetched);
}

static void find_last(struct worker *worker)
{
    worker->last = worker->first;
    while (worker->last != NULL && worker->last->after != NULL)
        worker->last = worker->last->after;
}

bool shards_forget_rows(struct worker *worker, const struct shard *shard)
{
    struct fetched **place = &worker->first;
    size_t before = worker->buffered;

    while (*place != NULL) {
        if ((*place)->shard == shard)
            drop_fetched(worker, place);
        else
            place = &(*place)->after;
    }
    find_last(worker);
    return worker->buffered < before;
}

static bool has_fetched(const struct worker *worker, const struct shard *shard)
{
    const struct fetched *fetched = worker->first;

    while (fetched != NULL && fetched->shard != shard)
        fetched = fetched->after;
    return fetched != NULL;
}

/* Keeps rows that have come; false: out of memory. */
static bool keep_rows(struct shard *shard, const PGresult *result)
{
    struct worker *worker = shard->worker;

    if (PQntuples(result) == 0 || shard->is_lost || shard->is_returned)
        return true;
    struct fetched *fetched = calloc(1, sizeof(*fetched));
    PGresult *rows = PQcopyResult(result, PG_COPYRES_TUPLES);
    if (fetched == NULL || rows == NULL) {
        free(fetched);
        PQclear(rows);
        return false;
    }
    *fetched = (struct fetched){.rows = rows, .shard = shard};
    if (worker->last != NULL)
        worker->last->after = fetched;
    else
        worker->first = fetched;
    worker->last = fetched;
    worker->buffered += (size_t)PQntuples(rows);
    return true;
}

static int64_t number_at(const PGresult *rows, int row, int column)
{
    const unsigned char *bytes = (const unsigned char *)PQgetvalue(rows, row, column);
    int len = PQgetlength(rows, row, column);
    uint64_t value = len > 0 && bytes[0] >= 0x80 ? UINT64_MAX : 0;

    for (int i = 0; i < len; i++)
        value = value << 8 | bytes[i];
    return (int64_t)value;
}

static void on_rows(void *context, const PGresult *result)
{
    struct shard *shard = context;
    struct worker *worker = shard->worker;

    shard->is_asking = false;
    if (result == NULL || !shard->has_rest)
        return; /* what comes before them has not come */
    int count = PQntuples(result);
    if (!keep_rows(shard, result)) {
        worker_fail(worker, status_text(STATUS_NO_MEMORY));
        return;
    }
    if (count > 0)
        shard->reached = (uint64_t)number_at(result, count - 1, 1);
    shard->is_read = count < FETCH_ROWS;
    worker->hooks.news(worker->hooks.context);
    worker_pump(worker);
}

static void ask_rows(struct shard *shard)
{
    struct worker *worker = shard->worker;
    const struct text number = number_text(shard), from = text_of((int64_t)shard->reached),
                      count = text_of(FETCH_ROWS);
    const char *values[] = {worker->job, number.text, from.text, count.text};

    shard->is_asking = link_call(worker->link, CALL_shard_rows, values, true, on_rows, shard);
}

static void on_settled(void *context, const PGresult *result)
{
    struct shard *shard = context;

    shard->is_settled = result != NULL;
}

/* The rest of a shard that is not settled has rows which are not to be sent. */
static void on_rest(void *context, const PGresult *result)
{
    struct shard *shard = context;

    if (result == NULL || !shard->is_settled)
        return;
    shard->has_rest = true;
    if (!keep_rows(shard, result)) {
        worker_fail(shard->worker, status_text(STATUS_NO_MEMORY));
        return;
    }
}

/* All in one go: their order is that of the calls. */
static void ask_rest(struct shard *shard)
{
    struct worker *worker = shard->worker;
    const struct text number = number_text(shard);
    const char *values[] = {worker->job, number.text};

    shard->is_settled = false;
    if (call_shard(shard, CALL_shard_settle, on_settled) &&
        link_call(worker->link, CALL_shard_rest, values, true, on_rest, shard))
        ask_rows(shard);
}

void shards_add(struct worker *worker, int number, int epoch, uint64_t reached)
{
    for (size_t i = 0; i < SHARDS_MAX; i++) {
        struct shard *shard = &worker->shards[i];
        if (shard->is_used)
            continue;
        *shard = (struct shard){.worker = worker,
                                .number = number,
                                .epoch = epoch,
                                .reached = reached,
                                .is_used = true};
        return;
    }
}

static void on_leased(void *context, const PGresult *result)
{
    struct worker *worker = context;

    worker->is_leasing = false;
    if (result == NULL)
        return;
    for (int i = 0; i < PQntuples(result); i++)
        shards_add(worker, (int)int_at(result, i, 0), (int)int_at(result, i, 1),
                   (uint64_t)int_at(result, i, 2));
    if (PQntuples(result) == 0) {
        worker->lease_after_ns = clock_loop_ns() + LEASE_PAUSE_MS * INT64_C(1000000);
        worker_look(worker);
    }
    worker_pump(worker);
}

static void lease(struct worker *worker, size_t count)
{
    const struct text number = text_of((int64_t)count);
    const char *values[] = {worker->id, worker->job, number.text};

    worker->is_leasing =
        link_call(worker->link, CALL_shard_lease, values, false, on_leased, worker);
}

static void on_over(void *context, const PGresult *result)
{
    struct shard *shard = context;

    shard->is_asking = false;
    if (result == NULL)
        return;
    shard->is_used = false;
    shard->worker->lease_after_ns = 0;
    worker_pump(shard->worker);
}

/* No row is left; or one is after all, and it is read anew by whoever leases the shard. */
static void on_done(void *context, const PGresult *result)
{
    struct shard *shard = context;

    if (result != NULL && PQntuples(result) == 0 && !shard->is_lost) {
        shard->is_asking = false;
        shard->is_returned = true;
        return;
    }
    on_over(context, result);
}

/* What a shard needs next, apart from rows. */
static void attend(struct shard *shard)
{
    struct worker *worker = shard->worker;
    bool is_over = shard->open == 0 && !shard->is_asking;

    if (shard->is_lost && is_over) {
        shard->is_used = false;
    } else if (shard->is_returned && is_over && !record_is_pending(worker)) {
        (void)shards_forget_rows(worker, shard);
        shard->is_asking = call_shard(shard, CALL_shard_give_back, on_over);
    } else if (shard->is_lost || shard->is_asking || shard->is_returned) {
        return;
    } else if (!shard->has_rest) {
        ask_rest(shard);
    } else if (shard->is_read && is_over && !has_fetched(worker, shard)) {
        shard->is_asking = call_shard(shard, CALL_shard_done, on_done);
    }
}

static size_t count_used(const struct worker *worker)
{
    size_t used = 0;

    for (size_t i = 0; i < SHARDS_MAX; i++)
        used += worker->shards[i].is_used;
    return used;
}

size_t shards_rows(const struct worker *worker)
{
    size_t rows = worker->buffered;

    for (size_t i = 0; i < SHARDS_MAX; i++) {
        const struct shard *shard = &worker->shards[i];
        if (shard->is_used)
            rows += shard->open - shard->ended - shard->ending;
    }
    return rows;
}

/* A shard that has more rows, and is not being asked. */
static struct shard *find_source(struct worker *worker, bool *ret_waits)
{
    *ret_waits = false;
    for (size_t i = 0; i < SHARDS_MAX; i++) {
        struct shard *shard = &worker->shards[i];
        if (!shard->is_used || shard->is_lost || shard->is_returned || shard->is_read)
            continue;
        if (shard->has_rest && !shard->is_asking)
            return shard;
        *ret_waits = true;
    }
    return NULL;
}

void shards_pump(struct worker *worker)
{
    bool waits;

    for (size_t i = 0; i < SHARDS_MAX; i++)
        if (worker->shards[i].is_used)
            attend(&worker->shards[i]);
    if (worker->buffered >= 2 * worker->options.stride || worker->is_paused || worker->is_stopped)
        return;
    struct shard *shard = find_source(worker, &waits);
    if (shard != NULL)
        ask_rows(shard);
    else if (!waits && !worker->is_leasing && count_used(worker) + LEASE_SHARDS <= SHARDS_MAX &&
             clock_loop_ns() >= worker->lease_after_ns)
        lease(worker, worker->buffered == 0 ? LEASE_SHARDS : 1);
}

/* Handing out. */

static struct span bytes_at(const PGresult *rows, int row, int column)
{
    return span_of(PQgetvalue(rows, row, column), (size_t)PQgetlength(rows, row, column));
}

static size_t count_cells(struct span passed)
{
    struct cell cells[LAYOUT_PASSES_MAX];

    return command_cells(passed, cells, LAYOUT_PASSES_MAX);
}

/* Its relative times were resolved by the clock of whoever loaded the job, and stay so. */
static enum status restore(const PGresult *rows, int row, struct command *command)
{
    const struct command_texts texts = {.target = bytes_at(rows, row, 12),
                                        .body = bytes_at(rows, row, 13),
                                        .device = bytes_at(rows, row, 14),
                                        .passed = bytes_at(rows, row, 15)};
    const struct command facts = {.row = (uint64_t)number_at(rows, row, 1),
                                  .line = (uint64_t)number_at(rows, row, 2),
                                  .device = (uint64_t)number_at(rows, row, 3),
                                  .hash = (uint64_t)number_at(rows, row, 4),
                                  .action = (enum action)number_at(rows, row, 6),
                                  .valid_at_s = number_at(rows, row, 7),
                                  .expires_at_s = number_at(rows, row, 8),
                                  .valid_is_given = number_at(rows, row, 9) != 0,
                                  .valid_time_at = (uint32_t)number_at(rows, row, 10),
                                  .valid_time_len = (uint32_t)number_at(rows, row, 11),
                                  .passed_count = count_cells(texts.passed)};

    return command_restore(command, &facts, &texts);
}

enum status worker_next(struct worker *worker, struct command *command, struct worker_row *ret_row)
{
    struct fetched *fetched = worker->first;

    if (worker->store.has_failed)
        return STATUS_NETWORK;
    if (worker->is_stopped || worker->is_complete)
        return STATUS_END;
    if (fetched == NULL || worker->is_paused || clock_boot_ns() >= worker->until_ns)
        return STATUS_AGAIN;
    int row = fetched->next;
    enum status status = restore(fetched->rows, row, command);
    if (status != STATUS_OK)
        return status;
    *ret_row = (struct worker_row){.id = {.hash = command->hash,
                                          .device = command->device,
                                          .row = command->row,
                                          .line = command->line,
                                          .occurrence = (uint32_t)number_at(fetched->rows, row, 5)},
                                   .sent = (uint32_t)number_at(fetched->rows, row, 16),
                                   .ambiguous = (uint32_t)number_at(fetched->rows, row, 17)};
    worker->given = fetched->shard;
    fetched->next++;
    worker->buffered--;
    if (fetched->next == PQntuples(fetched->rows)) {
        drop_fetched(worker, &worker->first);
        find_last(worker);
    }
    return STATUS_OK;
}

void shards_free(struct worker *worker)
{
    while (worker->first != NULL)
        drop_fetched(worker, &worker->first);
}
