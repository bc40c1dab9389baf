/* Words as a POSIX shell takes them, for commands that are shown to be copied. */
#ifndef NB_CORE_SHELL_H
#define NB_CORE_SHELL_H

#include "core/buf.h"

/*
 * Appends a word so that a shell reads exactly its bytes: as it is where that is safe, else in
 * single quotes, or as $'…' where it holds control characters, which must not reach a terminal.
 */
void shell_add_word(const char *word, struct buf *out);

/* The same for the name of a file among options: one that begins with - has ./ before it. A single
 * - stays, which is standard input. */
void shell_add_file(const char *name, struct buf *out);

#endif
