/*
 * Which accepted rows --resume=expired, undelivered and cancelled send again: by what the status
 * file and the file of what was taken back say of them. Private to run/.
 */
#ifndef NB_RUN_RESUME_H
#define NB_RUN_RESUME_H

#include "ledger/undelivered.h"
#include "run/person.h"
#include "run/settings.h"

/* Whether the settings ask for any. */
bool resume_asks(const struct run_settings *settings);

/*
 * Finds them. `results` is the name of the results, which an earlier run has left and no other
 * writes to. 0, or an exit status after the reason was said: there is no such file, it is damaged,
 * or says nothing about these results. `ret_rows` is to be deinited in either case.
 */
int resume_find(const struct run_settings *settings, const struct person *person,
                const char *results, struct undelivered *ret_rows);

#endif
