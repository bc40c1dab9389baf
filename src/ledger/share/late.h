/*
 * A worker's own journal: results that came while the database was away, and rows that were marked
 * and not sent. They wait in the worker's memory to be written; so that they are not lost where the
 * worker dies meanwhile, they are kept in a file, JOB.HOST:PID.late in the working directory, until
 * they are written. A worker that is started there later on finds the file of one that has died,
 * and hands them in.
 *
 *     struct late late = {.about = about};
 *     late_add(&late, LATE_ENDED, …);           // a batch, as its statement takes it
 *     late_forget(&late);                       // they have been written
 *     late_deinit(&late);                       // a file that is there stays
 *
 *     late_hand_in(database, &about, &rows, &others, &message);
 *
 * The file begins with a line that says which job and which worker; of each batch its kind and its
 * arrays follow, one a line, then the time and a full stop. What is cut off is left out.
 */
#ifndef NB_LEDGER_SHARE_LATE_H
#define NB_LEDGER_SHARE_LATE_H

#include "ledger/share/database.h"

enum { LATE_ARRAYS = 11 };

enum late_kind {
    LATE_ENDED,  /* results: rows_end.sql */
    LATE_UNSENT, /* rows that are certain not to have been processed: rows_give_back.sql */
};

struct late_about {
    const char *name; /* of the job; these stay the caller's */
    int job;
    int64_t loaded_us; /* when it was loaded, by its database */
};

struct late {
    struct late_about about;
    char *path; /* NULL: there is no file */
    int fd;
    bool has_failed; /* nothing is kept any more */
};

/* Keeps a batch, and sees that the disk has it. `is_open`: the arrays' closing braces are not
 * there yet. False where that fails, the first time, with a text in `message`. */
bool late_add(struct late *late, enum late_kind kind, const char *worker, const char *worker_name,
              const struct buf *arrays, bool is_open, struct buf *message);

/* Removes the file. */
void late_forget(struct late *late);

void late_deinit(struct late *late);

/* Hands in what workers that have died in this folder have kept of a job, and removes their files.
 * *ret_rows: of so many rows. Appends to `ret_others` the files of another job of that name, which
 * may be of another database, and those that cannot be read: they stay. As database_query. */
enum status late_hand_in(struct database *database, const struct late_about *about,
                         uint64_t *ret_rows, struct buf *ret_others, struct buf *message) MUST_USE;

/* Appends the names of what they have kept of that job. */
void late_list(const struct late_about *about, struct buf *ret_paths);

#endif
