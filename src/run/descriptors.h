/* How many files this process may have open, and what that allows for. Private to run/. */
#ifndef NB_RUN_DESCRIPTORS_H
#define NB_RUN_DESCRIPTORS_H

#include "core/buf.h"
#include "run/person.h"
#include "run/settings.h"

/* Makes room for the settings' concurrency, or lowers that, and says so. Returns 0 or an exit
 * status. */
int descriptors_settle(struct run_settings *settings, const struct person *person) MUST_USE;

#endif
