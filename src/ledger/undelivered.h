/*
 * Rows that were accepted and are to be sent again all the same, since their command has ended
 * otherwise: --resume=expired, undelivered, cancelled. What became of a command is said of its
 * uuid; it counts where that is the uuid of the row's current line. So the list gets shorter with
 * each resume: a row that was accepted once more has another uuid.
 *
 *     undelivered_init(&undelivered);
 *     undelivered_tell(&undelivered, &id, uuid, true);            // each line of a status file
 *     undelivered_match(&undelivered, &disk_real, results, &message);
 *     … undelivered.rows, .unknown … undelivered_find(&undelivered, key) …
 *     undelivered_deinit(&undelivered);
 *
 * A row that was sent again, and is in doubt since, is one in doubt: what its line says that
 * finished after the accepted one is kept.
 *
 * Memory: 14–21 bytes for each line told, and as much with 24 more for each row that is wanted;
 * while it matches, what results_each_current takes.
 */
#ifndef NB_LEDGER_UNDELIVERED_H
#define NB_LEDGER_UNDELIVERED_H

#include "core/keytable.h"
#include "core/row_id.h"
#include "ledger/disk.h"

/* A command of a row as one number, for tables. Blanks around the uuid are no part of it. */
uint64_t undelivered_key(const struct row_id *id, struct span uuid);

/* What is known of a row that is wanted. */
struct undelivered_row {
    int64_t finished_ms; /* of its accepted line, or of the one in doubt that is later */
    bool in_doubt;       /* it was sent again since, and may have been processed: … */
    bool orphan;         /* … the run died meanwhile */
    uint32_t attempts;   /* that the line in doubt counts */
    uint32_t ambiguous;  /* likewise */
};

struct undelivered {
    struct keytable told;  /* by key and uuid: 1, where it is wanted 2 */
    struct keytable found; /* by key: 1 + the place among `rows` */
    struct undelivered_row *rows;
    uint32_t count, capacity;
    /* After undelivered_match: */
    uint64_t accepted; /* rows of the results whose current line says so … */
    uint64_t unknown;  /* … of which nothing was told, or of another uuid */
};

void undelivered_init(struct undelivered *undelivered);
void undelivered_deinit(struct undelivered *undelivered);

/* What became of a row's command is known; `is_wanted`: it is to be sent again. Told twice, the
 * later one counts. STATUS_NO_MEMORY. */
enum status undelivered_tell(struct undelivered *undelivered, const struct row_id *id,
                             struct span uuid, bool is_wanted) MUST_USE;

/* Looks which of them the results still speak of. As results_open and results_each_current. */
enum status undelivered_match(struct undelivered *undelivered, struct disk *disk,
                              const char *results, struct buf *message) MUST_USE;

/* A row by its key (row_id_key); NULL where it is not wanted. */
const struct undelivered_row *undelivered_find(const struct undelivered *undelivered, uint64_t key);

#endif
