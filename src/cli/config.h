/* What nbatch config shows: each option that holds, as a configuration file would set it, and where
 * it comes from. Private to cli/. */
#ifndef NB_CLI_CONFIG_H
#define NB_CLI_CONFIG_H

#include "cli/options.h"

void config_add(const struct settings *settings, const struct option_sources *sources,
                struct buf *out);

#endif
