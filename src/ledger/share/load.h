/*
 * Loads a job: all of its commands in one transaction, so that a job that was not loaded whole does
 * not exist.
 *
 *     loading_begin(&load, database, &about, &message);
 *     … per row of the input:
 *     loading_add(&load, &command, occurrence, problem);      // "" for a good one
 *     loading_end(&load, rows, &common, &is_unknown);         // before this, nothing is there
 *     loading_deinit(&load);
 */
#ifndef NB_LEDGER_SHARE_LOAD_H
#define NB_LEDGER_SHARE_LOAD_H

#include "ledger/share/database.h"
#include "platform/command.h"

/* What all rows have in common. */
struct loading_about {
    const char *name, *account, *endpoint, *input;
    int dialect;
    uint64_t input_hash;
    double rate; /* a second; 0: none */
    bool again_idempotent, again_other;
    int on_ambiguous;
    const struct span *passed;
    size_t passed_count;
    uint64_t valid; /* rows that will be sent: they decide how many shards there are */
};

struct loading {
    struct database *database;
    struct buf *message;
    struct buf rows; /* of the COPY, that are not sent yet */
    uint32_t job;
    uint32_t shards;
};

enum { LOAD_SHARDS_MAX = 256, LOAD_SHARD_ROWS_MIN = 64 };

/* How many shards a job of so many rows has, and which of them a device is in. Pure. */
uint32_t load_shards_of(uint64_t rows);
uint32_t load_shard_of(uint64_t device, uint32_t shards);

/* STATUS_EXISTS where there is a job of that name; as database_query. */
enum status loading_begin(struct loading *load, struct database *database,
                          const struct loading_about *about, struct buf *message) MUST_USE;

/* `problem`: why it is invalid; empty for a good one. */
enum status loading_add(struct loading *load, const struct command *command, uint32_t occurrence,
                        struct span problem) MUST_USE;

/* Ends the load well. *ret_common: devices that wait in another job of the account, too.
 * *ret_is_unknown: nothing was heard of the end, so that the job may be there. */
enum status loading_end(struct loading *load, uint64_t rows, uint64_t *ret_common,
                        bool *ret_is_unknown) MUST_USE;

/* Frees what it holds; what was not ended does not exist. Takes a zeroed struct. */
void loading_deinit(struct loading *load);

#endif
