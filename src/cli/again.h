/* The command that calls a run once more, made of the words that it was called by. Private to cli/.
 */
#ifndef NB_CLI_AGAIN_H
#define NB_CLI_AGAIN_H

#include "cli/options.h"
#include "report/next.h"

/*
 * Appends program and subcommand, and the other words, each quoted for a shell and with a space
 * before it: without --resume, which comes in between.
 * `results` is the results file that goes on; `is_moved`: the words name another one. What may hold
 * a secret (the command that prints the key, the user of a proxy) is shown as '...'.
 */
void again_add_program(const struct settings *settings, struct buf *out);
void again_add_words(const struct settings *settings, const char *results, bool is_moved,
                     struct buf *out);

#endif
