/*
 * What a run has on record: the results file, the journal beside it, and what earlier runs left in
 * them. Nothing that was processed is forgotten, whatever happens to the process, the disk or the
 * machine, and nothing is sent again that may have been processed, unless that is asked for
 * (design.md, promise 1; sending.md section 5).
 *
 *     ledger_open(&options, &message, &ledger);      // with `resume`: recovers, and loads the keys
 *     … each row of the input, in order:
 *     ledger_meet(ledger, &content, &row);           // which is it, and is there a result already?
 *     ledger_rewind(ledger);                         // before the input is read once more
 *     ledger_start(ledger, &about, &message);        // from now on there are files
 *     … per row:
 *     ledger_admit(ledger, &intent, &ticket);        // may be sent once ledger_is_durable
 *     ledger_attempt(ledger, ticket, sent, ambiguous);   // before each request
 *     ledger_end(ledger, ticket, &record);           // its result
 *     … now and then, off the loop:
 *     sync = ledger_sync_begin(ledger); ledger_sync_run(sync); ledger_sync_end(ledger, sync);
 *     … at the end:
 *     ledger_account(ledger, rows, &account);
 *     ledger_finish(ledger, is_complete, &message);
 *     ledger_close(ledger);
 *
 * Once the results cannot be written, everything that would write says STATUS_IO (ledger_error says
 * why); ledger_end still takes down what it is told, in the journal, as long as there is room
 * there.
 */
#ifndef NB_LEDGER_LEDGER_H
#define NB_LEDGER_LEDGER_H

#include "ledger/index.h"
#include "ledger/journal.h"
#include "ledger/result_line.h"

enum {
    LEDGER_FLUSH_LINES = 512, /* so many lines are written at once … */
    LEDGER_FLUSH_BYTES = 96 * 1024,
    LEDGER_SYNC_ROWS = 500, /* … and to be synced after so many … */
    LEDGER_SYNC_MS = 50,    /* … or so long */
};

/* What an operator wants to be sent although it has a result. */
struct resume_wish {
    bool status[ROW_STATUS_COUNT]; /* rows whose result this is; ROW_ACCEPTED never */
    bool orphan_idempotent;        /* rows that were under way when a run died, by their action */
    bool orphan_other;
};

struct ledger_options {
    const char *path;    /* of the results */
    bool copy_to_stdout; /* each new line goes to standard output too, as CSV */
    bool resume;         /* the file is there; otherwise it must not be */
    struct resume_wish again;
    const struct span *passed; /* names of the columns to carry; they stay the caller's */
    size_t passed_count;
    size_t concurrency;
    struct disk *disk; /* NULL: the real one */
};

/* For the journal's header; texts are cut to JOURNAL_TEXT_MAX. */
struct ledger_about {
    const char *input;
    const char *target;
    uint64_t input_size, input_hash; /* 0: not known */
    uint64_t strange;                /* keys of earlier results that no row of the input has */
};

enum ledger_verdict {
    LEDGER_NEW,     /* it has no result */
    LEDGER_AGAIN,   /* it has one, and is to be sent nevertheless */
    LEDGER_SETTLED, /* it has one, and that is that */
};

/* A row of the input, as the results know it. */
struct ledger_row {
    enum ledger_verdict verdict;
    uint32_t occurrence;
    struct key_state before;
};

/* What earlier runs left. */
struct ledger_past {
    uint64_t lines;   /* of the results */
    uint64_t keys;    /* different ones among them */
    uint64_t orphans; /* rows that were under way when the last run died: named in_doubt now */
    bool cut;         /* a line that was cut off has been removed: its row is among the orphans */
    struct span uuid; /* of the first accepted row in them; empty for none */
    bool has_journal;
    struct journal_about journal; /* of the last run, where it had not ended */
    /* Where it had ended, or the results are not there: what is known of them when they were
     * complete (ledger/complete.h). */
    bool has_completion;
    bool completion_is_damaged;
    bool is_rehearsal;         /* they were of one */
    uint64_t accepted_then;    /* rows */
    uint64_t accepted_missing; /* at least so many of them, where the results are there */
};

/* Which results are current at the end of a run. */
struct ledger_account {
    uint64_t rows;       /* of the input that have a result */
    uint64_t lines;      /* in the results: one of each row is current (ledger/current.h) … */
    uint64_t superseded; /* … these stand beside another of the same key that counts … */
    uint64_t strange;    /* … and these belong to no row of the input: it was corrected, or cut */
};

struct ledger;
struct ledger_sync;

/* No ticket: a row that is not sent. */
#define LEDGER_NO_TICKET UINT32_MAX

/*
 * Whether a run without `resume` would be refused since the results are there: STATUS_EXISTS with a
 * text in `message` that says what they are and what to do.
 */
enum status ledger_probe(struct disk *disk, const char *path, struct buf *message) MUST_USE;

/*
 * With `resume` opens the results, locks them, brings in what the journal knows, names what was
 * under way, and loads the keys; without, touches nothing yet. STATUS_EXISTS (somebody else holds
 * them, or there are none), STATUS_SYNTAX (damaged), STATUS_IO, STATUS_NO_MEMORY, each with a text.
 */
enum status ledger_open(const struct ledger_options *options, struct buf *message,
                        struct ledger **ret_ledger) MUST_USE;

/* Takes NULL. What ledger_finish did not remove stays, for a later run to go on with. */
void ledger_close(struct ledger *ledger);

const struct ledger_past *ledger_past(const struct ledger *ledger);
const char *ledger_path(const struct ledger *ledger);

/* How many of the results' keys have been met among the input's rows since the last rewind, by the
 * status of those that are settled. */
uint64_t ledger_met_keys(const struct ledger *ledger);
const uint64_t *ledger_settled(const struct ledger *ledger);

/* How many of those that are accepted had an attempt before that may have been processed too. */
uint64_t ledger_settled_twice(const struct ledger *ledger);

/* The next row of the input. `idempotent`: its action may be sent twice. STATUS_NO_MEMORY. */
enum status ledger_meet(struct ledger *ledger, uint64_t hash, bool idempotent,
                        struct ledger_row *ret_row) MUST_USE;

void ledger_rewind(struct ledger *ledger);

/* Creates what is not there yet; what it did is durable. STATUS_EXISTS, STATUS_IO,
 * STATUS_NO_MEMORY, with a text in `message`; then nothing is left behind that was not there. */
enum status ledger_start(struct ledger *ledger, const struct ledger_about *about,
                         struct buf *message) MUST_USE;

/* How many more rows may be admitted. */
size_t ledger_room(const struct ledger *ledger);

/* Takes down that a row may be sent. There must be room. */
uint32_t ledger_admit(struct ledger *ledger, const struct intent *intent);

/* Whether a machine that dies now would remember that the row was admitted. */
bool ledger_is_durable(const struct ledger *ledger, uint32_t ticket);

/* A request is about to leave; `sent` and `ambiguous` count those before it. */
void ledger_attempt(struct ledger *ledger, uint32_t ticket, uint32_t sent, uint32_t ambiguous);

/* No request of the row is under way, and none may have been processed: it waits. */
void ledger_pause(struct ledger *ledger, uint32_t ticket);

/* The row is not sent by this run, and has no result. */
void ledger_drop(struct ledger *ledger, uint32_t ticket);

/* The row's result. The ticket is void. STATUS_IO. */
enum status ledger_end(struct ledger *ledger, uint32_t ticket,
                       const struct result_record *record) MUST_USE;

/* Lines that this run has added. */
uint64_t ledger_count(const struct ledger *ledger);

/* Writes the lines that wait; those of the copy are on their way then, and this does not wait for
 * their reader. STATUS_IO, also for an earlier line of the copy. */
enum status ledger_flush(struct ledger *ledger) MUST_USE;

/* Whether the reader of the copy is so far behind that no row should be started: each would add a
 * line. */
bool ledger_is_held_up(const struct ledger *ledger);

/* Waits for the reader of the copy, for `patience_ms` without any progress, or however long
 * (negative). STATUS_IO: it is gone; ledger_error says so. */
enum status ledger_await_copy(struct ledger *ledger, int64_t patience_ms, bool *ret_all) MUST_USE;

/* Lines that no sync has covered yet; and rows that were admitted and wait to be durable. */
uint64_t ledger_unsynced(const struct ledger *ledger);
size_t ledger_waiting(const struct ledger *ledger);

/* Begins a sync of all that is known now. NULL when there is nothing to sync, a sync is under way,
 * or one has failed. STATUS_IO, where the lines could not be written, shows at the next
 * ledger_flush. */
struct ledger_sync *ledger_sync_begin(struct ledger *ledger);

/* Does it, and waits for the disk; from any thread. */
void ledger_sync_run(struct ledger_sync *sync);

/* STATUS_IO: it failed, and is not tried again (what the disk holds is not known any more). */
enum status ledger_sync_end(struct ledger *ledger, struct ledger_sync *sync) MUST_USE;

bool ledger_is_syncing(const struct ledger *ledger);

/* Why the results cannot be written; "" while they can. */
const char *ledger_error(struct ledger *ledger);

/* Whether the results cannot be written or synced, so that the journal is a part of the record. */
bool ledger_has_failed(const struct ledger *ledger);

/* Whether somebody has moved, removed, replaced or cut the results or the journal in mid-run; and
 * whether ledger_finish has the lines nevertheless: ledger_path names them now. */
bool ledger_is_displaced(const struct ledger *ledger);
bool ledger_is_rescued(const struct ledger *ledger);

/* Whether the results have further names (hard links), under which no journal would be found. */
bool ledger_has_other_names(const struct ledger *ledger);

/* The file that a path leads to, so that whatever belongs to the results is named by their own name
 * and not by a link to them; where it leads nowhere, the path. To be freed; NULL without memory. */
char *ledger_resolve(struct disk *disk, const char *path);

/* Rows whose result found no place: they will be in doubt when the run is resumed. */
uint64_t ledger_lost(const struct ledger *ledger);

/*
 * Reads the results once more, as they stand in the file, and compares them with the rows that were
 * met: to be called when all is written. STATUS_SYNTAX where they are not what was written,
 * STATUS_IO, STATUS_NO_MEMORY, with a text in `message`.
 */
enum status ledger_account(struct ledger *ledger, struct ledger_account *ret_account,
                           struct buf *message) MUST_USE;

/* Whether a line of the results belongs to a row of the input, all of which have been met. */
bool ledger_is_of_input(struct ledger *ledger, const struct row_id *id);

/*
 * Rewrites the results in the order of the input's rows, one line for each row; lines that are not
 * current go to `superseded_path`, behind those that are there already, which is created only where
 * there are any. To be called after ledger_account. STATUS_IO, STATUS_NO_MEMORY, with a text.
 */
enum status ledger_sort(struct ledger *ledger, const char *superseded_path,
                        struct buf *message) MUST_USE;

/*
 * Writes and syncs all. Where the run is complete, writes RESULTS.complete beside the results and
 * removes the journal; and removes both files where this
 * ledger has created them and nothing was recorded. STATUS_IO with a text in `message`.
 */
enum status ledger_finish(struct ledger *ledger, bool is_complete, struct buf *message) MUST_USE;

#endif
