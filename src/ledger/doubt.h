/*
 * The file beside results (RESULTS.doubt) that keeps of each row that has ended in doubt what was
 * asked of the platform and when, so that the row can be looked for in the platform's history later
 * on (nbatch verify). It is there only where rows are in doubt: for all others nothing is done.
 *
 *     doubt_file_append(&file, &doubt);           // opens or creates the file where that is needed
 *     doubt_file_close(&file);
 *
 *     status = doubt_each(disk, fd, take, context);
 *     status = doubt_get(disk, fd, offset, &bytes, &doubt);
 *
 * A row that was sent again by a later run, and is in doubt once more, has several records. Each
 * has a check; the reading ends at one that is damaged or cut off. A record that is lost costs
 * nothing but the answer: its row stays in doubt.
 */
#ifndef NB_LEDGER_DOUBT_H
#define NB_LEDGER_DOUBT_H

#include "core/row_id.h"
#include "ledger/disk.h"

enum { DOUBT_HEAD_BYTES = 88 }; /* of a record, beside its texts */

struct doubt {
    struct row_id id;
    uint32_t operation;  /* as the caller numbers them */
    uint32_t before;     /* requests of earlier runs that may have been processed, … */
    uint32_t ambiguous;  /* … and all that may have been by now */
    int64_t first_ms;    /* epoch: when the run's first attempt began, … */
    int64_t last_ms;     /* … and when its last one had ended */
    int64_t clock_off_s; /* the platform's clock less this machine's, as far as that was known */
    struct span target, body;
};

struct doubt_file {
    struct disk *disk;
    const char *path; /* the caller's */
    int fd;           /* -1: not open */
    bool has_failed;  /* nothing is added any more */
    bool is_unsynced;
};

/* The name beside the results, to be freed; NULL without memory. */
char *doubt_path(const char *results);

/* Adds a record, which a process that dies leaves; once it is synced, so does a machine. Where that
 * fails, nothing is added from then on. */
void doubt_file_append(struct doubt_file *file, const struct doubt *doubt);

void doubt_file_close(struct doubt_file *file);

/* The spans are valid during the call. Anything but STATUS_OK ends the reading. */
typedef enum status doubt_take_fn(void *context, const struct doubt *doubt, uint64_t offset);

/* Hands each whole record of an open file to `take`. `ret_end`, unless it is NULL: where they end.
 * STATUS_SYNTAX: it is no such file; STATUS_IO with errno; STATUS_NO_MEMORY; and what `take` says.
 */
enum status doubt_each(struct disk *disk, int fd, doubt_take_fn *take, void *context,
                       uint64_t *ret_end) MUST_USE;

/* Reads the record at an offset that doubt_each has told; its texts are in `bytes`, behind what
 * that holds, and have a readable byte behind them. STATUS_SYNTAX, STATUS_IO, STATUS_NO_MEMORY. */
enum status doubt_get(struct disk *disk, int fd, uint64_t offset, struct buf *bytes,
                      struct doubt *ret_doubt) MUST_USE;

/* Removes the file where none of its rows is in doubt any more, by the lines of the results that
 * count. Where that cannot be told, it stays. */
void doubt_settle(struct disk *disk, const char *results);

#endif
