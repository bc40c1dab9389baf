/*
 * What takes part in a run's loop beside the transport: a record and a source of rows that are
 * elsewhere, behind a connection, or the account's rate alone. The driver (engine/driver.c) knows
 * it as this; without one nothing changes.
 *
 *     peer->open(peer, loop, &hooks);      // its handles, on the run's loop
 *     … hooks are called from the loop, never from within a call of the peer …
 *     peer->close(peer);                   // its handles; store->finish writes what is left
 */
#ifndef NB_LEDGER_PEER_H
#define NB_LEDGER_PEER_H

#include "core/span.h"

struct uv_loop_s;
struct peer;

/* What the driver is told. */
struct peer_hooks {
    void (*news)(void *context);            /* a row may be there, or the end of them */
    void (*synced)(void *context, bool ok); /* the end of a sync */
    /* So many requests may start, the first at `at_ns` (the loop's clock), each `step_ns` behind
     * the one before. */
    void (*granted)(void *context, int64_t at_ns, int64_t step_ns, int64_t count);
    void *context;
};

struct peer {
    enum status (*open)(struct peer *peer, struct uv_loop_s *loop, const struct peer_hooks *hooks);
    void (*close)(struct peer *peer);

    /* Asks for more starts, which hooks->granted tells of. `covered`: those that were granted and
     * not used, and requests in flight; as many rows need none. */
    void (*want)(struct peer *peer, int64_t covered);

    /* Now and then. `is_stopping`: no row is started any more, and nobody wants to wait. */
    void (*tick)(struct peer *peer, bool is_stopping);

    /* Those that follow are NULL where the peer keeps no record. */

    /* In place of the store's: begins a sync, which ends with hooks->synced; false: there is
     * nothing to be done. */
    bool (*sync)(struct peer *peer);

    /* Whether a request of the row may leave, and until when, by CLOCK_BOOTTIME. */
    bool (*may_send)(struct peer *peer, uint32_t ticket, int64_t *ret_before_ns);
};

#endif
