/*
 * Results to be read by whoever comes later, by their name alone: CSV or JSONL is told by the first
 * byte, the passed columns by the first line. The file may be under way: as much of it is read as
 * is there when it is opened.
 *
 *     results_open(&results, &disk_real, path, &message);
 *     results_each_current(&results, NULL, NULL, take, context);
 *     results_close(&results);
 *
 * One line of each key counts (ledger/current.h). The keys are kept in memory meanwhile (14–18
 * bytes for each row, and 30–37 for each that has several lines), nothing else is.
 */
#ifndef NB_LEDGER_RESULTS_H
#define NB_LEDGER_RESULTS_H

#include "ledger/result_scan.h"

struct results {
    const char *path;
    struct disk *disk;
    int fd; /* -1: not open */
    uint64_t size;
    bool jsonl;
    struct buf first;   /* the first line with its end: the header of a CSV */
    struct span passed; /* of a CSV: the names of the passed columns, as they are in the header */
    size_t passed_count;
    struct buf *message;
    /* After results_each_current: */
    uint64_t lines;      /* all that were read */
    uint64_t superseded; /* … which are beside another of the same key that counts */
    uint64_t strange;    /* … which the filter has left out */
    bool is_cut;         /* the last line is not whole, and was not counted */
};

/* The path and `message` stay the caller's, and in use until results_close. STATUS_SYNTAX for a
 * file that is none of nbatch's results, or whose record goes on in another file (journal.h,
 * journal_set_moved), STATUS_IO, STATUS_NO_MEMORY; each with a text. */
enum status results_open(struct results *results, struct disk *disk, const char *path,
                         struct buf *message) MUST_USE;

/* Takes one that could not be opened. */
void results_close(struct results *results);

/* Whether the lines of a key are looked at. */
typedef bool results_filter_fn(void *context, const struct row_id *id);

/*
 * Hands each current line to `take`, in the order of the file. Where some key turns out to have
 * several lines, `take` is called with NULL: what it was given is to be forgotten, and all comes
 * once more. `filter` may be NULL. STATUS_SYNTAX for a line that is damaged, STATUS_IO,
 * STATUS_NO_MEMORY, and what `take` says; each with a text in the message.
 */
enum status results_each_current(struct results *results, results_filter_fn *filter,
                                 void *filter_context, result_take_fn *take,
                                 void *context) MUST_USE;

/* Hands every line to `take`, whether it counts or not. Else as results_each_current. */
enum status results_each_line(struct results *results, result_take_fn *take,
                              void *context) MUST_USE;

#endif
