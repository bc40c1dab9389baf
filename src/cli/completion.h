/* Completions for shells, made of the option table. Private to cli/. */
#ifndef NB_CLI_COMPLETION_H
#define NB_CLI_COMPLETION_H

#include "core/buf.h"

/* Appends the script for "bash", "zsh" or "fish"; false for another shell. */
bool completion_add(const char *shell, struct buf *out);

#endif
