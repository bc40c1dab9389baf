/*
 * A run in steps by what devices did (send/rollout.h): the rows of a step are sent, then the
 * platform is asked what became of all that was sent so far, as nbatch status asks, until enough is
 * delivered for the next step. Private to run/.
 *
 *     result = rollout_check(settings, person, &counts, earlier, results);
 *     … nothing has left so far …
 *     rolling = (struct rolling){…};
 *     status = rollout_run(&rolling);               // in place of job_run
 *
 * How far it has come is recorded nowhere but in the results and in the status file beside them,
 * with its journal: which rows have ended, when, and what became of them. A run that was stopped,
 * in whatever way, goes through the steps again, sends what has no result, asks where the answer is
 * not known, and so comes to where it was. The wait counts from the end of the step's last row.
 */
#ifndef NB_RUN_ROLLOUT_H
#define NB_RUN_ROLLOUT_H

#include "engine/job.h"
#include "run/observers.h"
#include "run/person.h"
#include "run/settings.h"

/* Whether the settings ask for one. */
bool rollout_is_asked(const struct run_settings *settings);

/*
 * Whether the roll-out can be: the input is a file that was checked, no absolute expired_time comes
 * before the last step may begin, no wait ends before the valid_time of what is waited for, and no
 * status file of another run is in the way. `earlier`: rows that have their result. 0 or an exit
 * status, after the reason was said.
 */
int rollout_check(const struct run_settings *settings, const struct person *person,
                  const struct check_counts *counts, uint64_t earlier,
                  const char *results) MUST_USE;

struct rolling {
    /* Given; job_run's beside what a step needs. */
    const struct run_settings *settings;
    const struct person *person;
    struct observers *observers;
    struct intake *intake;
    struct row_source *source; /* of its rows */
    const struct job_options *options;
    struct store *store;
    struct tally *tally;
    struct buf *message;
    const char *results; /* their path */
    uint64_t rows;       /* of the input */
    uint64_t to_send;    /* those of them without a result */
    /* Told: while it goes on, and at the end. */
    struct rollout_standing standing;
    struct job_result result;
};

/* As job_run. JOB_UNDELIVERED: too little was delivered, and `message` says so. */
enum status rollout_run(struct rolling *rolling) MUST_USE;

#endif
