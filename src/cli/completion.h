/*
 * The completions of shells. The scripts are thin: they hand the words to "nbatch __complete",
 * which answers from the table of options, and so fit whatever nbatch is called. Private to cli/.
 */
#ifndef NB_CLI_COMPLETION_H
#define NB_CLI_COMPLETION_H

#include "core/buf.h"

/* Appends the script of bash, zsh or fish; false for any other shell. */
bool completion_add(const char *shell, struct buf *out);

/*
 * Appends what the last of the words, which come behind the program's name, may become: a line for
 * each, the word and its help with a tab between them; or the line ":files" where the shell is to
 * offer files. A word "=" joins its neighbours, as bash splits them: the last word is then the
 * value alone. Nothing where anything may be typed.
 */
void completion_add_candidates(int count, const char *const *words, struct buf *out);

#endif
