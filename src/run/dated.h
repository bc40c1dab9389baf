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

/* Keeps other starts of the job away until the descriptor is closed, by a lock on STEM.lock, which
 * stays. STATUS_EXISTS: there is one; STATUS_IO; each with a text in `message`. */
enum status dated_lock(const struct dated *dated, int *ret_fd, struct buf *message) MUST_USE;

/* The latest results, to be freed, which may be gone but for their journal: by the link, or by
 * their name where it leads elsewhere and they are unfinished. NULL where there are none, or
 * without memory. `ret_is_unfinished`: their journal is there, and is not that of a copy (ledger.h,
 * ledger_goes_on_beside). */
char *dated_latest(const struct dated *dated, bool *ret_is_unfinished);

/* The name of results that begin now, to be freed; NULL without memory. */
char *dated_name(const struct dated *dated, int64_t now_s);

/* Whether nothing is there under that name, nor beside it. */
bool dated_is_free(const char *results);

/* Whether a link can be made: nothing else is at its name. Else with a text in `message`. */
bool dated_can_link(const struct dated *dated, struct buf *message);

/* Makes the link lead to `path`, durably. STATUS_IO with a text in `message`. */
enum status dated_link(const struct dated *dated, const char *path, struct buf *message) MUST_USE;

/* The results to which the link leads, to be freed; NULL: none of the job's. */
char *dated_linked(const struct dated *dated);

/* Where nothing was kept of the results to which the link leads, `path`: makes it lead to those of
 * `before` again (NULL: none), or removes it. STATUS_IO with a text in `message`. */
enum status dated_link_back(const struct dated *dated, const char *path, const char *before,
                            struct buf *message) MUST_USE;

/* Whether results of the job have such a name. */
bool dated_is_name(const struct dated *dated, const char *path);

/* Whether each row of the input has its line in these results. */
bool dated_is_complete(const char *results);

/* An input as results know it: its bytes, and its rows in any order and form; 0: not known. */
struct dated_input {
    uint64_t size, hash, content;
};

enum dated_match {
    DATED_OTHER,      /* no complete results are of that input */
    DATED_UNREADABLE, /* … as far as can be told: what is beside some cannot be read */
    DATED_SAME_ROWS,
    DATED_SAME_BYTES,
};

/* Whether there are complete results of an input, be it that only what is beside them is still
 * here. `ret_results`: their name, or that of those which cannot be judged, to be freed; NULL:
 * none. */
enum dated_match dated_same_input(const struct dated *dated, const struct dated_input *input,
                                  char **ret_results);

/* Removes complete results whose run began before `before_s`, with what belongs to them, but never
 * `latest`, nor those of an input that is there and is so named. How many that were. */
unsigned dated_prune(const struct dated *dated, int64_t before_s, const char *latest);

#endif
