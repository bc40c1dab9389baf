/*
 * A worker at a shared job: its connection, its leases, the rows that they bring, the record of
 * what becomes of them, and its part of the account's rate.
 *
 *     worker_new(&options, &worker);
 *     … hand worker_peer, worker_store and a source that calls worker_next to the engine …
 *     if (worker_was_stopped(worker)) …
 *     worker_free(worker);
 *
 * How it is safe, in the order in which things happen:
 *
 *  - It leases shards (shard_lease.sql). A lease that is not renewed in time is anybody's, with a
 *    higher epoch; all that is written carries worker and epoch, and is refused where another has
 *    the shard.
 *  - Rows are read from the front of a shard, and marked (rows_start.sql) in a transaction that has
 *    committed before any of them may leave. They are as many as may be in flight (`stride`).
 *  - No request leaves once the leases' time by CLOCK_BOOTTIME is over (fence.h), whatever the
 *    database says later. The row is given back where it may be.
 *  - Results are written by epoch (rows_end.sql). Where the shard has another worker by then, they
 *    are evidence.
 *  - Who leases a shard that had a worker finds the rows that were marked and have no result:
 *    in doubt, and sent again or not as the job says (shard_settle.sql, shard_rest.sql).
 *
 * While the database is away nothing new starts, results wait in memory (as many as the stride at
 * most) and in a file in case the worker dies (late.h), and all goes on when it is back.
 *
 * A worker without a job (options.job 0) only takes part in the account's rate.
 */
#ifndef NB_LEDGER_SHARE_WORKER_H
#define NB_LEDGER_SHARE_WORKER_H

#include "ledger/peer.h"
#include "ledger/store.h"
#include "platform/command.h"

enum worker_news {
    WORKER_AWAY,
    WORKER_BACK,
    WORKER_LOST,
    WORKER_PAUSED,
    WORKER_RESUMED,
    WORKER_UNKEPT
};

/* `why` of AWAY, and of UNKEPT: results cannot be kept on this machine while the database is away.
 * `count` of LOST: shards that have another worker. */
typedef void worker_tell_fn(void *context, enum worker_news news, const char *why, size_t count);

struct worker_options {
    const char *where, *account; /* stay the caller's */
    int job;
    const char *job_name; /* likewise, and … */
    int64_t loaded_us;    /* … when it was loaded: for late.h */
    int64_t lease_ms;
    double rate; /* a second; 0: the job's, if any */
    int64_t burst;
    size_t stride;
    worker_tell_fn *tell;
    void *tell_context;
};

struct worker;

enum status worker_new(const struct worker_options *options, struct worker **ret_worker) MUST_USE;

struct peer *worker_peer(struct worker *worker);
struct store *worker_store(struct worker *worker);

/* A row that is to be sent. */
struct worker_row {
    struct row_id id;
    uint32_t sent, ambiguous; /* attempts of earlier workers */
};

/* The next one, as a command. STATUS_AGAIN: not now, peer_hooks.news tells; STATUS_END: the job is
 * complete, or was stopped. STATUS_NETWORK: the database refuses a call (the store's error says
 * why); STATUS_NO_MEMORY, STATUS_TOO_BIG. */
enum status worker_next(struct worker *worker, struct command *command,
                        struct worker_row *ret_row) MUST_USE;

/* The platform has refused a request for being one too many: the account goes slower. */
void worker_throttle(struct worker *worker);

/* Whether the job was stopped or removed by somebody. */
bool worker_was_stopped(const struct worker *worker);

/* Whether the run was to end, and the database did not let it. */
bool worker_has_given_up(const struct worker *worker);

/* Takes NULL. */
void worker_free(struct worker *worker);

#endif
