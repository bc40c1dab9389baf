/*
 * The uuids that the rows of a results file own: those of its accepted lines, whether they count or
 * not, and their surplus (platform/surplus.h). Private to run/.
 */
#ifndef NB_RUN_OWNED_H
#define NB_RUN_OWNED_H

#include "ledger/results.h"
#include "platform/history_search.h"

typedef bool owned_filter_fn(void *context, uint64_t device);

/* Adds those of the devices that `filter` names; NULL: of all. As results_each_line. */
enum status owned_read(struct results *results, owned_filter_fn *filter, void *context,
                       struct known_commands *known) MUST_USE;

#endif
