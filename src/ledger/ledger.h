/*
 * The store that keeps its record in a results file, with a journal beside it (store.h says what a
 * store does; README.md in this folder what is in which file, and why it may be believed).
 *
 *     ledger_open(&options, &message, &ledger);      // with `resume`: recovers, and loads the keys
 *     store = ledger_store(ledger);
 *     … each row of the input is met …
 *     ledger_start(ledger, &about, &message);        // from now on there are files
 *     … the run …
 *     store->finish(store, is_complete, &message);   // RESULTS.complete in place of the journal
 *     ledger_close(ledger);
 */
#ifndef NB_LEDGER_LEDGER_H
#define NB_LEDGER_LEDGER_H

#include "ledger/journal.h"
#include "ledger/store.h"
#include "ledger/undelivered.h"

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
    bool needs_input;    /* rows that were under way when a run died are not named without it:
                            STATUS_EXISTS */
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
    uint8_t with; /* whom the run speaks with, as the caller tells them apart; 0: it is not known.
                     What was complete for one says nothing about another */
    uint64_t input_size, input_hash; /* 0: not known */
    uint64_t input_content;          /* of its rows in any order and form; 0: not known */
    uint64_t rows;                   /* that the input has; 0: not known */
    uint64_t strange;                /* keys of earlier results that no row of the input has */
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
    uint64_t with; /* as in ledger_about */
    uint64_t input_size, input_hash;
    uint64_t accepted_then;    /* rows */
    uint64_t accepted_missing; /* at least so many of them, where the results are there */
};

struct ledger;

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

/* Takes NULL. What `finish` did not remove stays, for a later run to go on with. */
void ledger_close(struct ledger *ledger);

/* The ledger itself, as a store. */
struct store *ledger_store(struct ledger *ledger);

const struct ledger_past *ledger_past(const struct ledger *ledger);
const char *ledger_path(const struct ledger *ledger);

/*
 * Rows that were accepted, and are sent again all the same: from the next row that is met on. NULL:
 * none. Where one is in doubt since it was sent again, it is treated as any row in doubt. It stays
 * the caller's until ledger_close.
 */
void ledger_send_again(struct ledger *ledger, const struct undelivered *undelivered);

/* How many of the results' keys have been met among the input's rows since the last rewind, by the
 * status of those that are settled. */
uint64_t ledger_met_keys(const struct ledger *ledger);
const uint64_t *ledger_settled(const struct ledger *ledger);

/* How many of those that are accepted had an attempt before that may have been processed too. */
uint64_t ledger_settled_twice(const struct ledger *ledger);

/* Creates what is not there yet; what it did is durable. STATUS_EXISTS, STATUS_IO,
 * STATUS_NO_MEMORY, with a text in `message`; then nothing is left behind that was not there. */
enum status ledger_start(struct ledger *ledger, const struct ledger_about *about,
                         struct buf *message) MUST_USE;

/* Waits for the reader of the copy, for `patience_ms` without any progress, or however long
 * (negative). STATUS_IO: it is gone; `error` says so. */
enum status ledger_await_copy(struct ledger *ledger, int64_t patience_ms, bool *ret_all) MUST_USE;

/* Whether somebody has moved, removed, replaced or cut the results or the journal in mid-run, and
 * `finish` has the lines nevertheless: ledger_path names them now. */
bool ledger_is_rescued(const struct ledger *ledger);

/* Whether the lines of results go on in a file beside them that is there: these are a copy, which
 * somebody has put in their place in mid-run. */
bool ledger_goes_on_beside(struct disk *disk, const char *path);

/* How many bytes at `text` are the mark of a name under which they were written anew:
 * ".recovered-0123abcd", before the extension; 0: none are. */
size_t ledger_recovered_mark(const char *text);

/* Whether the results have further names (hard links), under which no journal would be found. */
bool ledger_has_other_names(const struct ledger *ledger);

/* The file that a path leads to, so that whatever belongs to the results is named by their own name
 * and not by a link to them; where it leads nowhere, the path. To be freed; NULL without memory. */
char *ledger_resolve(struct disk *disk, const char *path);

/* Rows whose result found no place: they will be in doubt when the run is resumed. */
uint64_t ledger_lost(const struct ledger *ledger);

/* Whether a line of the results belongs to a row of the input, all of which have been met. */
bool ledger_is_of_input(struct ledger *ledger, const struct row_id *id);

/*
 * Rewrites the results in the order of the input's rows, one line for each row; lines that are not
 * current go to `superseded_path`, behind those that are there already, which is created only where
 * there are any. To be called after `account`. STATUS_IO, STATUS_NO_MEMORY, with a text.
 */
enum status ledger_sort(struct ledger *ledger, const char *superseded_path,
                        struct buf *message) MUST_USE;

#endif
