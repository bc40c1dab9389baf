/* What the two files of nbatch run share: run.c is its course, run_end.c what is said of it and
 * which exit status it has. Private to them. */
#ifndef NB_RUN_RUN_IMPL_H
#define NB_RUN_RUN_IMPL_H

#include "engine/job.h"
#include "report/summary.h"
#include "run/listener.h"
#include "run/nightly.h"
#include "run/observers.h"
#include "run/online.h"
#include "run/only_in.h"
#include "run/owned.h"
#include "run/problem_file.h"
#include "run/recording.h"
#include "run/rollout.h"
#include "run/share_rate.h"
#include "run/target.h"
#include "run/use_cases.h"

/* One call of nbatch run: what it opened, in the order in which it does. */
struct run {
    const struct run_settings *settings;
    const struct person *person;
    struct buf message; /* the text of the last failure */
    struct endpoint endpoint;
    struct credentials credentials;
    struct intake *intake;
    struct online online; /* with --online */
    uint64_t rows;        /* known after the check; 0 for a pipe */
    uint64_t content;     /* of the rows (struct check_counts), with --dated */
    struct sim *sim;
    struct recording recording;
    struct nightly nightly;             /* with --dated */
    uint64_t earlier[ROW_STATUS_COUNT]; /* rows that had their result before, by that */
    uint64_t earlier_twice;             /* those of them that may be held twice */
    struct tally tally;
    struct halt halt;
    struct only_in only_in;      /* with --only-in */
    struct known_commands known; /* with --on-ambiguous verify or --online */
    struct job_options options;
    struct job_result result;
    struct rollout_standing rollout; /* steps 0: there is none */
    bool is_told;                    /* what it came to */
    bool has_sent;                   /* the engine was started, and the result is its own */
    double seconds;                  /* of sending */
    struct observers observers;
    struct listener listener;
    struct series flight;              /* for the report */
    struct buf program, words;         /* the call that goes on where this one ended */
    struct buf cancel, status, verify; /* calls about what was accepted */
    struct problem_file problem_file;  /* of a pipe, which is checked while it is sent */
    struct share_rate *share;          /* the account's rate, which this run keeps; NULL: none */
    struct run_figures *figures;       /* NULL: nobody measures */
};

/* Rows that had their result before this run. */
uint64_t run_earlier_total(const struct run *run);

/* Whether all came to its end, and no request has ever left, of a part of something larger: who
 * gives the results of rows has them to say so. */
bool run_never_reached(const struct run *run);

/* For programs: that nothing was sent. Returns the exit status, which may be another one. */
int run_give_refusal(struct run *run, int exit_status);

/* The exit status, by how the rows of all runs and the job have ended. */
int run_judge(const struct run *run);

/* The page, the summary, and the one for programs. Returns the exit status, which may be another
 * one where the page could not be written. */
int run_summarize(struct run *run, int exit_status);

#endif
