/* Shared jobs as a whole: found, listed, paused, removed, and their results read. */
#ifndef NB_LEDGER_SHARE_JOBS_H
#define NB_LEDGER_SHARE_JOBS_H

#include "ledger/doubt.h"
#include "ledger/result_line.h"
#include "ledger/share/database.h"
#include "platform/key.h"

enum { SHARE_NAME_MAX = 200 };

/* A job, as it was loaded. */
struct share_job {
    int id;
    char account[KEY_FINGERPRINT_LENGTH + 1];
    char state[16];
    char *endpoint, *input; /* share_job_deinit frees them */
    int dialect;
    double rate; /* a second; 0: none */
    int on_ambiguous;
    uint64_t rows;
    int64_t loaded_us;   /* by the database's clock */
    struct span *passed; /* names */
    size_t passed_count;
};

/* STATUS_USAGE with a text where there is no job of that name; as database_query. */
enum status share_job_find(struct database *database, const char *name, struct buf *message,
                           struct share_job *ret_job) MUST_USE;
void share_job_deinit(struct share_job *job);

/* What has become of its rows, and how many accepted ones may be held twice. */
enum status share_job_totals(struct database *database, int job, struct buf *message,
                             uint64_t ret_rows[ROW_STATUS_COUNT], uint64_t *ret_twice) MUST_USE;

/* Appends a table of all jobs. */
enum status share_jobs_add(struct database *database, struct buf *out,
                           struct buf *message) MUST_USE;

/* `sql` is one of job_pause, job_resume, job_stop, job_remove; *ret_done: there was such a job, of
 * which that could be done. */
enum status share_job_change(struct database *database, const char *sql, const char *name,
                             struct buf *message, bool *ret_done) MUST_USE;

/* Hands the results to `take` as they are now, in the order of the input; STATUS_IO from it ends
 * that. */
typedef enum status share_take_fn(void *context, const struct result_record *record);
enum status share_results_each(struct database *database, const struct share_job *job,
                               share_take_fn *take, void *context, struct buf *message) MUST_USE;

/* Hands its rows in doubt to `take`, by the database's clock throughout. */
typedef enum status share_doubt_fn(void *context, const struct doubt *doubt);
enum status share_doubts_each(struct database *database, int job, share_doubt_fn *take,
                              void *context, struct buf *message) MUST_USE;

/* What became of a row in doubt: ROW_ACCEPTED, or ROW_FAILED where it was not processed. */
struct share_settled {
    uint64_t row;
    enum row_status status;
    const char *uuid, *error;
    uint32_t ambiguous;
};

/* *ret_done: it was in doubt, and is settled. */
enum status share_settle(struct database *database, int job, const struct share_settled *settled,
                         struct buf *message, bool *ret_done) MUST_USE;

#endif
