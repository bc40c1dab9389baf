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
    char *before;      /* to which the link led when it began; NULL: to none */
    int lock_fd;       /* -1: none is taken */
    bool goes_on;      /* with a run that was stopped, without being told so */
};

/* Without --dated does nothing. Keeps other starts of the job away; sets where the results go, and
 * whether a run that was stopped is gone on with. Returns 0 or an exit status, after the reason was
 * said. */
int nightly_choose(struct nightly *nightly, struct run_settings *settings,
                   const struct person *person);

/* The link leads to where the results are: to `moved_to` where they were taken away in mid-run
 * (NULL: they were not), to those before where nothing was sent. With --keep removes what is
 * complete and old, once the results of this start are complete. */
void nightly_end(const struct nightly *nightly, const struct run_settings *settings,
                 const char *moved_to, const struct person *person);

/* Takes a zeroed struct. */
void nightly_deinit(struct nightly *nightly);

#endif
