/* The settings as they would be typed, to be shown beside what came of them. Private to cli/. */
#ifndef NB_CLI_OPTION_VALUES_H
#define NB_CLI_OPTION_VALUES_H

#include "cli/options.h"

typedef void option_tell_fn(void *context, const char *name, const char *value);

/*
 * Tells of each option of the subcommand that has a value, once for each value of those that may be
 * repeated. What says nothing of how rows are sent is left out; what may hold a secret is hidden.
 */
void options_tell(enum subcommand subcommand, const struct settings *settings, option_tell_fn *tell,
                  void *context);

#endif
