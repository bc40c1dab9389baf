#include "memory_store.h"

static enum status meet(struct store *store, uint64_t hash, bool idempotent,
                        struct store_row *ret_row)
{
    struct memory_store *memory = (struct memory_store *)store;

    (void)idempotent;
    enum status status = index_meet(&memory->index, hash, &ret_row->occurrence, &ret_row->before);
    ret_row->verdict = ret_row->before.known ? STORE_SETTLED : STORE_NEW;
    return status;
}

static void rewind_rows(struct store *store)
{
    index_rewind(&((struct memory_store *)store)->index);
}

static uint32_t admit(struct store *store, const struct intent *intent)
{
    struct memory_store *memory = (struct memory_store *)store;
    uint32_t ticket = 0;

    while (memory->entries[ticket].state != MEMORY_FREE)
        ticket++;
    memory->entries[ticket] = (struct memory_entry){.intent = *intent,
                                                    .state = MEMORY_ADMITTED,
                                                    .sequence = memory->begun + 1};
    store->room--;
    store->waiting++;
    return ticket;
}

static bool is_durable(const struct store *store, uint32_t ticket)
{
    const struct memory_store *memory = (const struct memory_store *)store;

    return memory->entries[ticket].sequence <= memory->ended;
}

static void attempt(struct store *store, uint32_t ticket, uint32_t sent, uint32_t ambiguous)
{
    struct memory_store *memory = (struct memory_store *)store;
    struct memory_entry *entry = &memory->entries[ticket];

    entry->state = MEMORY_STARTED;
    entry->is_paused = false;
    entry->intent.sent = (uint16_t)sent;
    entry->intent.ambiguous = (uint16_t)ambiguous;
    memory->attempts++;
}

static void pause_row(struct store *store, uint32_t ticket)
{
    ((struct memory_store *)store)->entries[ticket].is_paused = true;
}

static void drop(struct store *store, uint32_t ticket)
{
    struct memory_store *memory = (struct memory_store *)store;

    if (memory->entries[ticket].sequence > memory->begun)
        store->waiting--;
    memory->entries[ticket].state = MEMORY_FREE;
    store->room++;
}

static enum status fail(struct store *store)
{
    store->has_failed = true;
    return STATUS_IO;
}

static struct memory_line *new_line(struct memory_store *memory)
{
    if (memory->line_count == memory->line_capacity) {
        size_t capacity = 2 * memory->line_capacity + 64;
        struct memory_line *lines = realloc(memory->lines, capacity * sizeof(*lines));
        if (lines == NULL)
            return NULL;
        memory->lines = lines;
        memory->line_capacity = capacity;
    }
    return &memory->lines[memory->line_count++];
}

static enum status end(struct store *store, uint32_t ticket, const struct result_record *record)
{
    struct memory_store *memory = (struct memory_store *)store;
    struct memory_line *line = memory->fails ? NULL : new_line(memory);

    if (line == NULL)
        return fail(store);
    *line = (struct memory_line){.id = record->id,
                                 .status = record->status,
                                 .has_errno = record->has_errno,
                                 .platform_errno = record->platform_errno,
                                 .http_status = record->http_status,
                                 .attempts = record->attempts,
                                 .ambiguous = record->ambiguous,
                                 .finished_ms = record->finished_ms};
    store->count++;
    store->unsynced++;
    if (ticket != STORE_NO_TICKET)
        drop(store, ticket);
    return STATUS_OK;
}

static enum status flush(struct store *store)
{
    return ((struct memory_store *)store)->fails ? fail(store) : STATUS_OK;
}

static bool is_held_up(const struct store *store)
{
    return ((const struct memory_store *)store)->is_held_up;
}

static struct store_sync *sync_begin(struct store *store)
{
    struct memory_store *memory = (struct memory_store *)store;

    if (store->is_syncing || store->has_failed || (store->waiting == 0 && store->unsynced == 0))
        return NULL;
    memory->begun++;
    store->waiting = 0;
    store->unsynced = 0;
    store->is_syncing = true;
    return (struct store_sync *)store; /* there is nothing to be known of it */
}

static void sync_run(struct store_sync *sync)
{
    (void)sync;
}

static enum status sync_end(struct store *store, struct store_sync *sync)
{
    struct memory_store *memory = (struct memory_store *)store;

    (void)sync;
    store->is_syncing = false;
    if (memory->fails)
        return fail(store);
    memory->ended = memory->begun;
    return STATUS_OK;
}

static const char *error(struct store *store)
{
    return store->has_failed ? "the record fails" : "";
}

static enum status account(struct store *store, struct store_account *ret_account,
                           struct buf *message)
{
    const struct memory_store *memory = (const struct memory_store *)store;
    struct store_account counted = {.lines = memory->line_count};

    (void)message;
    for (size_t i = 0; i < memory->line_count; i++) {
        size_t later = i + 1;
        while (later < memory->line_count &&
               (memory->lines[later].id.hash != memory->lines[i].id.hash ||
                memory->lines[later].id.occurrence != memory->lines[i].id.occurrence))
            later++;
        counted.rows += later == memory->line_count;
        counted.superseded += later < memory->line_count;
    }
    *ret_account = counted;
    return STATUS_OK;
}

static enum status finish(struct store *store, bool is_complete, struct buf *message)
{
    (void)is_complete;
    enum status status = flush(store);
    buf_add_string(message, error(store));
    return status;
}

static const struct store memory_functions = {
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
    .finish = finish,
};

enum status memory_store_init(struct memory_store *memory, size_t capacity)
{
    *memory = (struct memory_store){.store = memory_functions, .capacity = capacity};
    memory->store.room = capacity;
    memory->entries = calloc(capacity, sizeof(*memory->entries));
    index_init(&memory->index);
    return memory->entries != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

void memory_store_deinit(struct memory_store *memory)
{
    free(memory->entries);
    free(memory->lines);
    index_deinit(&memory->index);
    *memory = (struct memory_store){.capacity = 0};
}
