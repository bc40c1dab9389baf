/* The command that calls a run once more, made of the flags that it was called by. Private to cli/.
 */
#ifndef NB_CLI_NEXT_COMMAND_H
#define NB_CLI_NEXT_COMMAND_H

#include "cli/options.h"
#include "run/person.h"

/* Appends what is typed before --resume, quoted for a shell: "nbatch run". */
void next_command_add_program(const char *program, struct buf *out);

/*
 * Appends what is typed behind it, each word with a space before it: the flags and the input of
 * nbatch run, in their order, as the table of options carries them over. `results` is the results
 * file that goes on; `is_moved`: the flags name another one. What may hold a secret (the command
 * that prints the key, the user of a proxy) is shown as '...'.
 */
void next_command_add_words(const struct option_sources *sources, const char *results,
                            bool is_moved, struct buf *out);

/*
 * Appends a call of `to` with its argument: where it is `from` once more with the flags as they
 * were typed, else with those of them that it takes too and that say where to, with which key, and
 * by which configuration.
 */
void next_command_add_call(const char *program, enum subcommand from, enum subcommand to,
                           const struct option_sources *sources, const char *argument,
                           struct buf *out);

/* Appends the whole call as it was typed, with the options that the input asks for in place of
 * those that they contradict; `diagnosis` NULL: none. */
void next_command_add_fixed(const char *program, enum subcommand subcommand,
                            const struct option_sources *sources, const struct diagnosis *diagnosis,
                            struct buf *out);

#endif
