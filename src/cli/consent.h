/*
 * Questions that only the operator can answer, asked where somebody is there to answer them.
 *
 *     if (!settings->yes && !consent_ask(settings, "Delete it?", "it would be deleted: add --yes"))
 *         return EXIT_INPUT_INVALID;
 */
#ifndef NB_CLI_CONSENT_H
#define NB_CLI_CONSENT_H

#include "cli/options.h"

/*
 * Asks `question` on a terminal and takes "yes" for consent; anything else is told as "nothing was
 * sent". Where nobody can be asked (standard input or error is no terminal, or the input itself
 * comes from standard input) it prints `otherwise`, which says which option gives consent, and
 * returns false. Whether that option was given is the caller's to look at first.
 */
bool consent_ask(const struct settings *settings, const char *question, const char *otherwise);

#endif
