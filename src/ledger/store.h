/*
 * What a run has on record, whatever keeps it: how the engine, and what comes before and after it,
 * know a record. Nothing that was processed is forgotten, and nothing is sent again that may have
 * been processed, unless that is asked for; what that takes is the implementation's business. There
 * are: a results file with a journal (ledger/ledger.h), a shared job (ledger/share/worker.h), one
 * that keeps nothing (ledger/blank_store.h), and one in memory for tests
 * (tests/engine/memory_store.h).
 *
 *     … each row of the input, in order:
 *     store->meet(store, hash, idempotent, &row);        // which is it, and is there a result?
 *     store->rewind(store);                              // before the input is read once more
 *     store->remember(store, &doubt);                    // of one that a dead run had under way
 *     … per row that is to be sent, while store->room > 0:
 *     ticket = store->admit(store, &intent);
 *     … once store->is_durable(store, ticket), before each request:
 *     store->attempt(store, ticket, sent, ambiguous);
 *     … once it is durable again, which a file is at once: the request leaves
 *     store->end(store, ticket, &record);                // its result; the ticket is void
 *     … now and then, off the loop:
 *     sync = store->sync_begin(store); store->sync_run(sync); store->sync_end(store, sync);
 *     … at the end:
 *     store->flush(store); store->account(store, &account, &message);
 *     store->finish(store, is_complete, &message);
 *
 * admit, attempt and end return before what they took down is safe. A row is asked about by its
 * ticket (is_durable); of the lines, all are safe once unsynced is 0 and no sync is under way. A
 * store whose calls end later makes progress at sync_end, like any other.
 *
 * Once the record cannot be written, everything that would write says STATUS_IO (error says why);
 * end still takes down what it is told where that is possible.
 *
 * No call is made from within another one, and all but sync_run from one thread.
 */
#ifndef NB_LEDGER_STORE_H
#define NB_LEDGER_STORE_H

#include "ledger/index.h"
#include "ledger/result_line.h"

/* No ticket: a row that is not sent. */
#define STORE_NO_TICKET UINT32_MAX

/* A row that may be sent, or is under way. */
struct intent {
    struct row_id id;
    uint16_t sent;      /* requests that had left before */
    uint16_t ambiguous; /* those of them that may have been processed */
};

enum store_verdict {
    STORE_NEW,     /* it has no result */
    STORE_AGAIN,   /* it has one, and is to be sent nevertheless */
    STORE_SETTLED, /* it has one, and that is that */
};

/* A row of the input, as the record knows it. */
struct store_row {
    enum store_verdict verdict;
    uint32_t occurrence;
    struct key_state before;
};

/* Which results are current at the end of a run. */
struct store_account {
    uint64_t rows;       /* of the input that have a result */
    uint64_t lines;      /* in the results: one of each row is current (ledger/current.h) … */
    uint64_t superseded; /* … these are beside another of the same key that counts … */
    uint64_t strange;    /* … and these belong to no row of the input: it was corrected, or cut */
};

struct store_sync; /* the implementation's */

struct store {
    /* To be looked at by everybody, and changed by the implementation alone. */
    size_t room;       /* how many more rows may be admitted */
    size_t waiting;    /* rows that were admitted, and that no sync that has begun covers */
    uint64_t unsynced; /* lines that no sync that has begun covers */
    uint64_t count;    /* lines that this run has added */
    bool is_syncing;
    bool has_failed; /* the record cannot be written or synced; `error` says why */

    /* The next row of the input. `idempotent`: its action may be sent twice. STATUS_NO_MEMORY. */
    enum status (*meet)(struct store *store, uint64_t hash, bool idempotent,
                        struct store_row *ret_row);
    void (*rewind)(struct store *store);

    /* What a row asks for that was under way when a run died, which could not leave that itself;
     * met before. Of `doubt`, the id, the operation, and the texts are the caller's to fill in.
     * NULL: it is of no use. */
    void (*remember)(struct store *store, const struct doubt *doubt);

    /* Takes down that a row may be sent. There must be room. */
    uint32_t (*admit)(struct store *store, const struct intent *intent);

    /* Whether a machine that dies now would remember all that was taken down of the row. */
    bool (*is_durable)(const struct store *store, uint32_t ticket);

    /* A request is about to leave; `sent` and `ambiguous` count those before it. */
    void (*attempt)(struct store *store, uint32_t ticket, uint32_t sent, uint32_t ambiguous);

    /* No request of the row is under way, and none may have been processed: it waits. */
    void (*pause)(struct store *store, uint32_t ticket);

    /* The row is not sent by this run, and has no result. The ticket is void. */
    void (*drop)(struct store *store, uint32_t ticket);

    /* The row's result. The ticket, which may be STORE_NO_TICKET, is void. STATUS_IO. */
    enum status (*end)(struct store *store, uint32_t ticket, const struct result_record *record);

    /* Hands on the lines that wait. STATUS_IO. */
    enum status (*flush)(struct store *store);

    /* Whether a reader of the lines is so far behind that no row should be started. */
    bool (*is_held_up)(const struct store *store);

    /*
     * Begins a sync of all that is known now. NULL when there is nothing to sync, a sync is under
     * way, or one has failed; that lines could not be written shows at the next flush. sync_run
     * does it and waits for it, from any thread. sync_end takes note: STATUS_IO, it failed, and is
     * not tried again (what the disk holds is not known any more).
     */
    struct store_sync *(*sync_begin)(struct store *store);
    void (*sync_run)(struct store_sync *sync);
    enum status (*sync_end)(struct store *store, struct store_sync *sync);

    /* Why the record cannot be written; "" while it can. */
    const char *(*error)(struct store *store);

    /*
     * Reads the results once more, as they are kept, and compares them with the rows that were met:
     * to be called when all is written. STATUS_SYNTAX where they are not what was written,
     * STATUS_IO, STATUS_NO_MEMORY, with a text in `message`.
     */
    enum status (*account)(struct store *store, struct store_account *ret_account,
                           struct buf *message);

    /* Writes and syncs all; where the run is complete, nothing is left for a later run to go on
     * with. STATUS_IO with a text in `message`. */
    enum status (*finish)(struct store *store, bool is_complete, struct buf *message);
};

#endif
