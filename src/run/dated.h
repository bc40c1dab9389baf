/*
 * Results of a job that is started again and again (--dated): each start has a file of its own,
 * named by its time, and a link leads to the latest.
 *
 *     meters-20261128-020000.results.csv    in UTC, so that names sort by time
 *     meters.latest.results.csv             a link to it
 *
 * Where somebody has taken them away in mid-run, the lines are in a file beside them (ledger.h,
 * ledger_is_rescued), which is the latest then.
 *
 * An input that was sent whole before is not sent once more unless that is said, a run that was
 * stopped is gone on with, and what is complete and old is removed. Private to run/.
 */
#ifndef NB_RUN_DATED_H
#define NB_RUN_DATED_H

#include "core/buf.h"
#include "core/status.h"

struct dated {
    const char *stem; /* what the names begin with, a folder included; the caller's */
    const char *tail; /* ".results.csv", likewise */
};

/* The latest results, to be freed; NULL where there are none, the link leads elsewhere, or without
 * memory. `ret_is_unfinished`: their journal is there. */
char *dated_latest(const struct dated *dated, bool *ret_is_unfinished);

/* The name of results that begin now, to be freed; NULL without memory. */
char *dated_name(const struct dated *dated, int64_t now_s);

/* Makes the link lead to `path`. STATUS_IO with a text in `message`. */
enum status dated_link(const struct dated *dated, const char *path, struct buf *message) MUST_USE;

/* Whether results of the job have such a name. */
bool dated_is_name(const struct dated *dated, const char *path);

/* An input as results know it: its bytes, and its rows in any order and form; 0: not known. */
struct dated_input {
    uint64_t size, hash, content;
};

/* Complete results of the same input, to be freed; NULL: none. `ret_same_bytes`: else the rows are
 * the same, and the file is not. */
char *dated_same_input(const struct dated *dated, const struct dated_input *input,
                       bool *ret_same_bytes);

/* Removes complete results whose run began before `before_s`, with what belongs to them, but never
 * `latest`. How many that were. */
unsigned dated_prune(const struct dated *dated, int64_t before_s, const char *latest);

#endif
