#include "ledger/blank_store.h"

static uint32_t admit(struct store *store, const struct intent *intent)
{
    (void)store;
    (void)intent;
    return 0;
}

static bool is_durable(const struct store *store, uint32_t ticket)
{
    (void)store;
    (void)ticket;
    return true;
}

static void attempt(struct store *store, uint32_t ticket, uint32_t sent, uint32_t ambiguous)
{
    (void)store;
    (void)ticket;
    (void)sent;
    (void)ambiguous;
}

static void forget(struct store *store, uint32_t ticket)
{
    (void)store;
    (void)ticket;
}

static enum status end(struct store *store, uint32_t ticket, const struct result_record *record)
{
    (void)ticket;
    (void)record;
    store->count++;
    return STATUS_OK;
}

static enum status flush(struct store *store)
{
    (void)store;
    return STATUS_OK;
}

static bool is_held_up(const struct store *store)
{
    (void)store;
    return false;
}

/* There is never anything to be synced. */
static struct store_sync *sync_begin(struct store *store)
{
    (void)store;
    return NULL;
}

static const char *error(struct store *store)
{
    (void)store;
    return "";
}

void blank_store_init(struct store *store)
{
    *store = (struct store){.room = SIZE_MAX,
                            .admit = admit,
                            .is_durable = is_durable,
                            .attempt = attempt,
                            .pause = forget,
                            .drop = forget,
                            .end = end,
                            .flush = flush,
                            .is_held_up = is_held_up,
                            .sync_begin = sync_begin,
                            .error = error};
}
