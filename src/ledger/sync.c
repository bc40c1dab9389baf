/*
 * What makes the record durable, beside the loop: what is known of rows in doubt, the results'
 * lines, then a snapshot of the rows that have none. Only ledger_sync_run waits for the disk, and
 * may run in another thread.
 */
#include <errno.h>

#include "ledger/ledger_impl.h"

/* Puts into the snapshot what is to be remembered when the results are durable up to `upto`. */
static void take_snapshot(struct ledger *ledger, uint64_t upto)
{
    struct snapshot *snapshot = ledger->snapshot;

    snapshot->intent_count = 0;
    for (uint32_t i = 0; i < ledger->capacity; i++) {
        const struct entry *entry = &ledger->entries[i];
        if (entry->state != ENTRY_FREE && !(entry->state == ENTRY_DONE && entry->end <= upto))
            snapshot_put(snapshot, &entry->intent);
    }
    snapshot->durable = upto;
    snapshot->sequence = ++ledger->begun;
    snapshot_add_checkpoint(snapshot, upto, XXH3_64bits_digest(ledger->hash));
}

struct store_sync *ledger_sync_begin(struct store *store)
{
    struct ledger *ledger = (struct ledger *)store;

    if (ledger->store.is_syncing || ledger->store.has_failed ||
        (ledger->store.unsynced == 0 && ledger->store.waiting == 0) ||
        ledger_flush_results(ledger) != STATUS_OK)
        return NULL;
    take_snapshot(ledger, ledger->base);
    journal_stamp(ledger->journal, ledger->begun); /* before: never older than what is written */
    ledger->sync =
        (struct store_sync){.ledger = ledger,
                            .upto = ledger->base,
                            .status = STATUS_OK,
                            .doubt_fd = ledger->doubts.is_unsynced ? ledger->doubts.fd : -1};
    ledger->doubts.is_unsynced = false;
    ledger->store.unsynced = 0;
    ledger->store.waiting = 0;
    ledger->store.is_syncing = true;
    return &ledger->sync;
}

void ledger_sync_run(struct store_sync *sync)
{
    const struct ledger *ledger = sync->ledger;

    sync->place = ledger_look(ledger, sync->upto, false);
    sync->what = "the results cannot be synced to the disk";
    sync->is_journal = false;
    if (sync->doubt_fd >= 0) /* before the lines; without it their rows just stay in doubt */
        (void)!ledger->disk->sync_data(ledger->disk, sync->doubt_fd);
    if (sync->upto > ledger->durable && ledger->disk->sync_data(ledger->disk, ledger->fd) != 0)
        sync->status = STATUS_IO;
    if (sync->status == STATUS_OK) {
        sync->what = "their journal cannot be synced to the disk";
        sync->is_journal = true;
        sync->status = journal_write_snapshot(ledger->journal, ledger->snapshot);
    }
    sync->error = errno;
}

static void free_done(struct ledger *ledger)
{
    while (ledger->first_done != STORE_NO_TICKET &&
           ledger->entries[ledger->first_done].end <= ledger->durable) {
        uint32_t ticket = ledger->first_done;
        ledger->first_done = ledger->entries[ticket].next;
        if (ledger->first_done == STORE_NO_TICKET)
            ledger->last_done = STORE_NO_TICKET;
        ledger_free_entry(ledger, ticket);
    }
}

enum status ledger_sync_end(struct store *store, struct store_sync *sync)
{
    struct ledger *ledger = (struct ledger *)store;

    ledger->store.is_syncing = false;
    if (sync->status != STATUS_OK) {
        ledger->journal_failed = sync->is_journal;
        ledger->results_failed = !sync->is_journal;
        return ledger_fail(ledger, sync->what, sync->error);
    }
    ledger->durable = sync->upto;
    ledger->ended = ledger->begun;
    free_done(ledger);
    return sync->place == PLACE_SAME ? STATUS_OK : ledger_displace(ledger, sync->place);
}

enum status ledger_sync_now(struct ledger *ledger)
{
    struct store_sync *sync = ledger_sync_begin(&ledger->store);

    if (sync == NULL)
        return ledger->store.has_failed ? STATUS_IO : STATUS_OK;
    ledger_sync_run(sync);
    return ledger_sync_end(&ledger->store, sync);
}
