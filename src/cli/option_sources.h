/*
 * What was said about each option, and where: by flags, by NBATCH_… variables, by a configuration
 * file. Decides what holds: a flag before a variable before the file before the default.
 *
 * Options that may be repeated add up over the places; of values with the same NAME= only those of
 * the highest place hold. Of an option and its rival (option_table.h) the rival holds where it is
 * set in a higher place, this one where it is and `beats_rival`; otherwise it is an error. Private
 * to cli/.
 */
#ifndef NB_CLI_OPTION_SOURCES_H
#define NB_CLI_OPTION_SOURCES_H

#include "cli/option_table.h"

/* Takes what a flag says, or with a NULL option the input; `value` is argv's, NULL for none.
 * STATUS_NO_MEMORY. */
enum status option_sources_add_flag(struct option_sources *sources, const struct option *option,
                                    const char *value) MUST_USE;

/*
 * Reads the variables, and the configuration file that --config or NBATCH_CONFIG names, and says
 * of each assignment whether it holds. STATUS_USAGE with a text in `message` on the first thing
 * that is wrong, but what else there is is known; STATUS_NO_MEMORY.
 */
enum status option_sources_complete(struct option_sources *sources, enum subcommand subcommand,
                                    struct buf *message) MUST_USE;

/* The option's values that hold, from the lowest place to the highest: the one behind `item`, NULL
 * for the first; NULL behind the last. */
const struct assignment *option_sources_next(const struct option_sources *sources,
                                             const struct option *option,
                                             const struct assignment *item);

/* The one of them that overrides the others. */
const struct assignment *option_sources_last(const struct option_sources *sources,
                                             const struct option *option);

/* Appends the value's place: "--rate", "ops.yaml:3: rate" or "NBATCH_RATE". */
void option_sources_add_place(const struct option_sources *sources, const struct assignment *item,
                              struct buf *out);

#endif
