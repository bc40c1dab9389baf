/*
 * A record that keeps nothing, for what may be asked again at any time: questions. Whoever asks
 * them keeps the answers.
 *
 *     struct store store;
 *     blank_store_init(&store);
 *     job_run(source, &options, &store, …);
 */
#ifndef NB_LEDGER_BLANK_STORE_H
#define NB_LEDGER_BLANK_STORE_H

#include "ledger/store.h"

void blank_store_init(struct store *store);

#endif
