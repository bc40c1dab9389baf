/*
 * What the engine asks of the record, done on a store: the part of the driver that needs no loop.
 *
 *     struct recorder recorder = {.store = store, .tally = tally, .problems = &problems};
 *     … for each effect: if (recorder_perform(&recorder, &effect, wall_ms) != STATUS_OK)
 *         … RECORD_FAILED with store->error, after the step …
 *
 * SYNC is the caller's, since it waits: store->sync_begin, and so on.
 */
#ifndef NB_ENGINE_DRIVER_RECORD_H
#define NB_ENGINE_DRIVER_RECORD_H

#include "engine/check.h"
#include "engine/engine.h"
#include "ledger/store.h"
#include "report/tally.h"

struct recorder {
    struct store *store;
    struct tally *tally;
    struct problems *problems; /* to describe a row by that expires */
    problems_fn *report;       /* told of it; may be NULL */
    void *report_context;
    struct cell passed[LAYOUT_PASSES_MAX]; /* of the row that is recorded */
};

/* Takes an effect of the record, ADMIT to FLUSH, or leaves any other alone. `wall_ms`: when a row
 * ends. STATUS_IO: the results cannot be written. */
enum status recorder_perform(struct recorder *recorder, const struct effect *effect,
                             int64_t wall_ms) MUST_USE;

#endif
