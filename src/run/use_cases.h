/*
 * What nbatch does, apart from words: which things are opened in which order, what a person is
 * asked, and how the end is judged. Each takes settings (run/settings.h) and a person
 * (run/person.h), to whom the reason of any failure was said when it returns the exit status. No
 * option is parsed here, and nothing is written to a terminal but through the person.
 */
#ifndef NB_RUN_USE_CASES_H
#define NB_RUN_USE_CASES_H

#include "run/exit_status.h"
#include "run/person.h"
#include "run/settings.h"
#include "sim/config.h"

/* What a run came to, for who measures it. All zero where nothing was sent. */
struct run_figures {
    struct tally tally;
    double seconds;         /* of sending, as in the summary */
    double simulator_cpu_s; /* of the simulator in the process */
};

/* Checks the whole input, then sends every row. `ret_figures` may be NULL. */
int run_send(const struct run_settings *settings, const struct person *person,
             struct run_figures *ret_figures);

/* Gives the table of what is sent again. */
int run_explain_retries(const struct run_settings *settings, const struct person *person);

/* Checks the whole input. */
int run_check(const struct run_settings *settings, const struct person *person);

/* Asks what became of the commands of results. */
int run_status(const struct run_settings *settings, const struct person *person);

/* Measures how fast made-up rows are sent. */
int run_bench(const struct run_settings *settings, const struct person *person);

/* Makes an HTML page of results. */
int run_report(const struct run_settings *settings, const struct person *person);

/* Jobs that several machines share (ledger/share/README.md); a build without that says so. */

/* Makes the schema. */
int run_share_init(const struct run_settings *settings, const struct person *person);

/* Checks the whole input, loads it as a job, and works at it until it is complete. */
int run_share_send(const struct run_settings *settings, const struct person *person);

/* Works at a job that is there. */
int run_work(const struct run_settings *settings, const struct person *person);

/* Lists the jobs, or does something with one. */
int run_jobs(const struct run_settings *settings, const struct person *person);

/* Writes the results of a job as they are now. */
int run_share_results(const struct run_settings *settings, const struct person *person);

/* Does one of run_status, run_cancel, run_verify and run_report with the results of a job. */
typedef int use_case_fn(const struct run_settings *settings, const struct person *person);
int run_share_borrowed(const struct run_settings *settings, const struct person *person,
                       use_case_fn *use_case);

/* Takes back the commands of results that still wait. */
int run_cancel(const struct run_settings *settings, const struct person *person);

/* Reads what an input is about to change, and writes the way back. */
int run_snapshot(const struct run_settings *settings, const struct person *person);

/* Looks for the rows in doubt of results in the platform's history. */
int run_verify(const struct run_settings *settings, const struct person *person);

/* Gives the lines of results that count, all or those of some statuses. */
int run_results(const struct run_settings *settings, const struct person *person);

/* Serves the simulator until SIGINT or SIGTERM. */
int run_simulate(const struct sim_config *config, const struct person *person);

#endif
