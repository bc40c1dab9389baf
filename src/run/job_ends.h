/* How a job ended, as a word and as an exit status. Private to run/. */
#ifndef NB_RUN_JOB_ENDS_H
#define NB_RUN_JOB_ENDS_H

#include "engine/job.h"
#include "run/person.h"

/* The word in summaries, log and page: "complete", "interrupted" … */
const char *job_end_name(enum job_end end);

struct ending {
    enum job_end end;
    int signal_number;  /* of JOB_INTERRUPTED */
    bool in_doubt;      /* some row is, of this run or an earlier one */
    bool all_accepted;  /* every row is */
    bool never_reached; /* no request has left, however few rows there were to find out by */
};

/* The exit status of a run: the highest of 1, 5 and 6 that applies, unless something else ended it.
 */
int job_exit_status(const struct ending *ending);

/* Says that no request has left. */
void job_tell_never_reached(const struct person *person);

#endif
