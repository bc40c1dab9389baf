/* Made-up rows, as bench sends them, in a temporary folder. Private to run/. */
#ifndef NB_RUN_MADE_UP_H
#define NB_RUN_MADE_UP_H

#include "run/person.h"
#include "run/settings.h"

struct made_up {
    char folder[4096];
    char input[4128];  /* the rows */
    char output[4128]; /* where results may go */
};

/* Makes the folder. Returns 0 or an exit status, after the reason was said. */
int made_up_open(struct made_up *made_up, const struct person *person) MUST_USE;

/* Writes so many rows, a command for a device each, from that device on. As above. */
int made_up_write(const struct made_up *made_up, uint64_t first, uint64_t rows,
                  const struct person *person) MUST_USE;

/* Has the settings read the rows as they are written, whatever is said of an operator's input. */
void made_up_choose(const struct made_up *made_up, struct run_settings *settings);

/* Removes what a run has left in the folder; all of it, with the folder, when that is asked for.
 * Takes a zeroed struct. */
void made_up_clear(const struct made_up *made_up, bool wholly);

#endif
