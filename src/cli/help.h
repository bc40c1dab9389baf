/* What nbatch says of itself. Private to cli/. */
#ifndef NB_CLI_HELP_H
#define NB_CLI_HELP_H

#include "cli/options.h"

/* Appends the help of a subcommand: examples first, then its options. */
void help_add_subcommand(enum subcommand subcommand, struct buf *out);

/* Appends the help of the program. */
void help_add_overview(struct buf *out);

#endif
