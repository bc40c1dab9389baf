/*
 * A run's record as a person sees it: which file it is, what an earlier run left in it, and whether
 * every row is accounted for at the end. Each step returns 0 or an exit status, after the reason
 * was said. Private to run/.
 */
#ifndef NB_RUN_RECORDING_H
#define NB_RUN_RECORDING_H

#include "ledger/ledger.h"
#include "run/person.h"
#include "run/settings.h"

struct recording {
    const struct run_settings *settings;
    const struct person *person;
    char *path;    /* of the results */
    bool copies;   /* they go to standard output as well */
    bool is_moved; /* somebody has taken them away, and they have been written anew to `path` */
    bool
        is_interrupted; /* a signal has stopped the run: nobody waits for a reader without an end */
    char *superseded;   /* where --sort puts what is not current */
    struct ledger *ledger;
    struct undelivered undelivered; /* accepted rows that are sent again */
    bool has_account;
    struct store_account account;
    struct buf message; /* the text of the last failure */
};

/* What the results' names begin with where none is given: the job's name beside the input, or the
 * input's without its extension; to be freed, NULL for standard input, or without memory. And what
 * they end with. */
char *recording_stem(const struct run_settings *settings);
const char *recording_tail(const struct run_settings *settings);

void recording_init(struct recording *recording, const struct run_settings *settings,
                    const struct person *person);

/* Closes the ledger. Takes a zeroed struct. */
void recording_deinit(struct recording *recording);

/* Names the results. */
int recording_choose(struct recording *recording);

/* Finds out what is known to go wrong before a large input is read. */
int recording_probe(struct recording *recording);

/* Opens the ledger; the names of the passed columns stay the caller's. `is_local`: what is sent to
 * is on this machine. */
int recording_open(struct recording *recording, const struct span *passed, size_t passed_count,
                   bool is_local);

/* Whether the checked input is the one that the results are of; asks where that is in doubt. */
int recording_match(struct recording *recording, uint64_t new_rows, uint64_t input_hash);

/* Whether the run that is gone on with had an input of these bytes. */
bool recording_is_of_input(const struct recording *recording, uint64_t input_hash);

/* Creates what is to be there before anything is sent, for so many rows (0: not known); `content`
 * as in struct ledger_about. */
int recording_start(struct recording *recording, const struct intake *intake, const char *target,
                    uint64_t rows, uint64_t content);

/*
 * Brings the record to its end: `rows` of the input must each have one current result where the run
 * is complete. `is_failing`: the run has said already that the results cannot be written.
 */
int recording_finish(struct recording *recording, uint64_t rows, bool is_complete, bool is_failing);

#endif
