/*
 * Which results a start of a job writes with --dated (run/dated.h), and what becomes of old ones.
 * Private to run/.
 */
#ifndef NB_RUN_NIGHTLY_H
#define NB_RUN_NIGHTLY_H

#include "run/dated.h"
#include "run/person.h"
#include "run/settings.h"

struct nightly {
    struct dated dated;
    char *stem, *path; /* what the results' names begin with, and those of this start */
};

/* Without --dated does nothing. Sets where the results go, and whether a run that was stopped is
 * gone on with. Returns 0 or an exit status, after the reason was said. */
int nightly_choose(struct nightly *nightly, struct run_settings *settings,
                   const struct person *person);

/* The results were taken away in mid-run, and are at `path` now: the next start goes on with them.
 */
void nightly_follow(const struct nightly *nightly, const char *path, const struct person *person);

/* With --keep removes what is complete and old. That something could not be removed is no matter
 * for the run. */
void nightly_prune(const struct nightly *nightly, const struct run_settings *settings,
                   const struct person *person);

/* Takes a zeroed struct. */
void nightly_deinit(struct nightly *nightly);

#endif
