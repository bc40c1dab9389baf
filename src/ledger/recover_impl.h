/*
 * What the files of a recovery share; nobody else includes it. recover.c is the order of the steps,
 * learn.c what the lines say, verify.c whether they are what was written.
 */
#ifndef NB_LEDGER_RECOVER_IMPL_H
#define NB_LEDGER_RECOVER_IMPL_H

#include "ledger/ledger_impl.h"

/* What is found out about an earlier run. */
struct recovery {
    struct ledger *ledger;
    struct buf *message;
    struct result_scan scan;
    uint64_t size;             /* of the results */
    struct journal *journal;   /* NULL: there is none */
    struct snapshot *snapshot; /* its newest; NULL where none can be read and none is needed */
    bool by_snapshot;          /* it counts, not the live record */
    struct journal_live live;  /* where the live record counts */
    struct intent *pending;    /* rows that may have been under way */
    size_t pending_count;
    struct index answers; /* of those: known once a line of `since` or later has their key */
    uint64_t since;
    struct current unsure; /* keys whose lines are not in the order of their times */
};

/* All of these return STATUS_IO, STATUS_SYNTAX or STATUS_NO_MEMORY with a text, but for
 * recovery_load, whose status is for recovery_say. */

/* Learns the lines of [from, to). `hash` is of the bytes, where it is not NULL. */
enum status recovery_load(struct recovery *recovery, uint64_t from, uint64_t to,
                          XXH3_state_t *hash) MUST_USE;

/* Learns the first `end` bytes, which must have that hash. */
enum status recovery_load_verified(struct recovery *recovery, uint64_t end, uint64_t hash) MUST_USE;

/* Learns the lines behind that, as far as they are whole. */
enum status recovery_load_tail(struct recovery *recovery, uint64_t from, uint64_t to) MUST_USE;

/* Learns all, where there is no journal: the last run was complete, or had not begun to send. */
enum status recovery_load_complete(struct recovery *recovery) MUST_USE;

/* Looks once more at the keys whose lines are not in the order of their times. */
enum status recovery_weigh(struct recovery *recovery) MUST_USE;

/* Whether the results begin with `end` bytes of that hash. */
bool recovery_begins_with(const struct recovery *recovery, uint64_t end, uint64_t wanted);

/* What is behind the last written byte must be the beginning of what was to follow. */
enum status recovery_verify_tail(struct recovery *recovery) MUST_USE;

/* Finds out between which checkpoints the results are not what was written, and says so. */
enum status recovery_locate_damage(struct recovery *recovery, uint64_t end) MUST_USE;

/* Writes the bytes of [from, to) once more. */
enum status recovery_write_again(struct recovery *recovery, uint64_t from, uint64_t to) MUST_USE;

/* Says that the results are damaged, and what to do. Returns STATUS_SYNTAX. */
enum status recovery_refuse(struct recovery *recovery, uint64_t from, uint64_t to,
                            const char *what);

/* Says that the record of these results goes on elsewhere, and where. Returns STATUS_SYNTAX. */
enum status recovery_refuse_moved(struct recovery *recovery);

/* Says that the results go on behind `end`, and their journal knows nothing of it. Returns
 * STATUS_SYNTAX. */
enum status recovery_refuse_older(struct recovery *recovery, uint64_t end);

/* Says how the reading ended, where it did not end well. Returns the status. */
enum status recovery_say(struct recovery *recovery, enum status status);

#endif
