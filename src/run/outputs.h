/* The files that a run writes, looked at together before the first is opened. Private to run/. */
#ifndef NB_RUN_OUTPUTS_H
#define NB_RUN_OUTPUTS_H

#include "run/person.h"
#include "run/settings.h"

/* Whether each has a name of its own, beside the input and the results at `results`. Returns 0, or
 * an exit status after saying which two options name the same file. */
int outputs_check(const struct run_settings *settings, const char *results,
                  const struct person *person);

#endif
