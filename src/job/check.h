/* The dry run: every row goes the way to a command and no farther. */
#ifndef NB_JOB_CHECK_H
#define NB_JOB_CHECK_H

#include "job/intake.h"

/* Called with the problems of a row, or of the file (problems->row is 0), when there are any. */
typedef void problems_fn(void *context, const struct problems *problems);

struct check_counts {
    uint64_t rows;
    uint64_t valid;
    uint64_t invalid;
    uint64_t warnings;              /* all of them, several for one row where it has them */
    uint64_t actions[ACTION_COUNT]; /* valid rows by action */
    bool file_is_bad;               /* the header, or that there are no rows: no row counts */
};

/*
 * Reads the whole input and checks each row. STATUS_OK when it was read to its end, whatever was
 * found; STATUS_BAD_INPUT when it cannot be used at all (counted as file_is_bad, reported through
 * `report`); STATUS_IO (errno is set), STATUS_NO_MEMORY.
 */
enum status job_check(struct intake *intake, problems_fn *report, void *context,
                      struct check_counts *ret_counts) MUST_USE;

#endif
