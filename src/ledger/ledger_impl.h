/*
 * What the files of the ledger share; nobody else includes it. ledger.c is a run's record as a
 * whole, rows.c the rows that are under way, lines.c the way of a line into the results, sync.c
 * what makes both durable, lock.c whose the files are, recover.c what an earlier run left, rescue.c
 * what becomes of lines whose file is taken away, account.c and sort.c the look at the whole at the
 * end.
 */
#ifndef NB_LEDGER_LEDGER_IMPL_H
#define NB_LEDGER_LEDGER_IMPL_H

#include "ledger/complete.h"
#include "ledger/current.h"
#include "ledger/doubt.h"
#include "ledger/ledger.h"
#include "ledger/outfile.h"
#include "ledger/outlet.h"
#include "ledger/place.h"
#include "ledger/result_scan.h"

enum entry_state { ENTRY_FREE, ENTRY_ADMITTED, ENTRY_STARTED, ENTRY_DONE };

/* A row from its admission until its result is durable. Its number is the ticket, and the journal's
 * slot. */
struct entry {
    struct intent intent;
    enum entry_state state;
    uint32_t next;     /* of the free ones, or of those that are done */
    uint64_t sequence; /* of the snapshot that makes it durable */
    uint64_t end;      /* when done: where its line ends in the results */
};

struct store_sync {
    struct ledger *ledger;
    uint64_t upto; /* so many bytes of the results will be durable */
    enum status status;
    int error;
    const char *what; /* that failed */
    bool is_journal;
    int doubt_fd;     /* to be synced first; -1: none */
    enum place place; /* what has become of the files */
};

/* A row that was under way when the last run died. */
struct orphan {
    uint64_t key;
    uint32_t before;    /* requests that may have been processed, of the runs before that one … */
    uint32_t ambiguous; /* … and with it */
};

struct ledger {
    struct store store;                    /* first: a pointer to it is one to the ledger */
    const struct undelivered *undelivered; /* NULL: none */
    struct ledger_options options;
    struct disk *disk;
    char *path, *journal_path, *doubt_path;
    struct doubt_file doubts;
    int fd;      /* -1: there is no file yet */
    bool is_new; /* this ledger has created it */
    struct result_format format;
    struct buf header; /* of a CSV */
    struct buf line, again;
    struct outlet *copy; /* standard output; NULL: no copy is wanted */
    struct buf copied;   /* lines on their way there */
    struct result_format copy_format;
    struct journal *journal;
    XXH3_state_t *hash; /* of the first `base` bytes of the results */
    uint64_t base;      /* bytes that are written */
    uint64_t staged;    /* bytes that wait in the journal */
    uint32_t staged_lines;
    uint64_t lost;
    bool journal_failed; /* its sync */
    bool results_failed; /* theirs */
    enum place place;    /* not PLACE_SAME: the files are not where they were */
    bool rescued;        /* … and path names the lines again */
    struct buf error;
    /* Rows. */
    struct entry *entries;
    uint32_t capacity;
    uint32_t first_free;
    uint32_t first_done, last_done; /* in the order of their lines */
    /* Syncs. */
    struct store_sync sync;
    struct snapshot *snapshot; /* not touched while a sync is under way */
    uint64_t durable;          /* bytes of the results that are synced */
    uint64_t begun, ended;     /* sequences of snapshots */
    /* Keys. */
    struct index index;
    struct ledger_past past;
    char first_uuid[64];          /* as much of it as tells whose it is */
    struct completion completion; /* but for what is accepted */
    uint64_t settled[ROW_STATUS_COUNT];
    uint64_t settled_twice;
    uint64_t met_keys;
    struct accepted accepted; /* keys that are accepted, by earlier runs and this one */
    struct current repeated;  /* keys of more than one line: found by the account */
    struct orphan *orphans;   /* rows that were under way when the last run died, by key */
    size_t orphan_count;
    int64_t latest_ms; /* no line of earlier runs has ended later */
};

/* What a store does: see store.h. */
enum status ledger_meet(struct store *store, uint64_t hash, bool idempotent,
                        struct store_row *ret_row) MUST_USE;
void ledger_rewind(struct store *store);
void ledger_remember(struct store *store, const struct doubt *doubt);
uint32_t ledger_admit(struct store *store, const struct intent *intent);
bool ledger_is_durable(const struct store *store, uint32_t ticket);
void ledger_attempt(struct store *store, uint32_t ticket, uint32_t sent, uint32_t ambiguous);
void ledger_pause(struct store *store, uint32_t ticket);
void ledger_drop(struct store *store, uint32_t ticket);
enum status ledger_end(struct store *store, uint32_t ticket,
                       const struct result_record *record) MUST_USE;
enum status ledger_flush(struct store *store) MUST_USE;
bool ledger_is_held_up(const struct store *store);
struct store_sync *ledger_sync_begin(struct store *store);
void ledger_sync_run(struct store_sync *sync);
enum status ledger_sync_end(struct store *store, struct store_sync *sync) MUST_USE;
const char *ledger_error(struct store *store);
enum status ledger_account(struct store *store, struct store_account *ret_account,
                           struct buf *message) MUST_USE;
enum status ledger_finish(struct store *store, bool is_complete, struct buf *message) MUST_USE;

/* Takes a line down. STATUS_IO with *ret_kept false: nothing remembers it. */
enum status ledger_keep_line(struct ledger *ledger, struct span line, bool *ret_kept) MUST_USE;

/* Opens the copy on standard output, where one is wanted; and adds a line to it. */
enum status ledger_open_copy(struct ledger *ledger, struct buf *message) MUST_USE;
enum status ledger_copy_line(struct ledger *ledger, const struct result_record *record) MUST_USE;

/* Makes room for the rows of that many slots, all free. STATUS_NO_MEMORY. */
enum status ledger_make_entries(struct ledger *ledger, uint32_t slots) MUST_USE;

/* Makes a journal with a first snapshot, for results that are durable as far as they are written;
 * these rows are under way from the start. As journal_create. */
enum status ledger_make_journal(struct ledger *ledger, const struct journal_about *about,
                                const struct journal_shape *shape, const struct intent *started,
                                size_t count, struct buf *message,
                                struct journal **ret_journal) MUST_USE;

/* Gives a row's place back. */
void ledger_free_entry(struct ledger *ledger, uint32_t ticket);

/* Notes why the results cannot be written; the first reason is the one that is told. Returns
 * STATUS_IO. */
enum status ledger_fail(struct ledger *ledger, const char *what, int error);

/* As ledger_flush, without the copy on standard output. */
enum status ledger_flush_results(struct ledger *ledger) MUST_USE;

/* The name of the journal beside the results, to be freed; NULL without memory. */
char *ledger_journal_path(const char *path);

/* Says that the results have several names, and what to do. */
void ledger_say_linked(const char *path, struct buf *message);

/* Opens the results that are there, locks them, and finds out all about them. As ledger_open. */
enum status ledger_recover(struct ledger *ledger, struct buf *message) MUST_USE;

/* Locks the results, whose descriptor is open; STATUS_EXISTS with a text that names the holder. */
enum status ledger_lock(const struct ledger *ledger, struct buf *message) MUST_USE;

/* Makes the results' lines durable that were written, with a snapshot, at once. STATUS_IO. */
enum status ledger_sync_now(struct ledger *ledger) MUST_USE;

/* Puts the file that says what is complete beside the results; `accepted` are the keys in them that
 * are. STATUS_IO, STATUS_NO_MEMORY, with a text in `message`. */
enum status ledger_write_completion(const struct ledger *ledger, const struct accepted *accepted,
                                    struct buf *message) MUST_USE;

/* Finds out what that file says of results that are there, or (no descriptor) are not. */
enum status ledger_compare_completion(struct ledger *ledger, struct buf *message) MUST_USE;

/* What has become of the files, of which `size` bytes are the results (all: is_all). From any
 * thread. */
enum place ledger_look(const struct ledger *ledger, uint64_t size, bool is_all);

/* The files are not where they were: nothing more is sent. Returns STATUS_IO. */
enum status ledger_displace(struct ledger *ledger, enum place place);

/* Writes the lines anew where that is needed, with a journal beside them; path and journal_path
 * name them then. STATUS_IO, STATUS_NO_MEMORY, with a text in `message`. */
enum status ledger_rescue(struct ledger *ledger, struct buf *message) MUST_USE;

/* Appends "PATH: WHAT: why" to the message. Returns STATUS_IO. */
enum status ledger_say(const struct ledger *ledger, const char *what, int error,
                       struct buf *message);

/* Whether a line is the one of a row of the input that counts: after ledger_account, and after each
 * line was weighed (`repeated`). */
bool ledger_is_current(struct ledger *ledger, const struct result_fields *fields);

#endif
