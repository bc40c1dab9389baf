/*
 * The manual pages nbatch(1), nbatch-input(5) and nbatch-results(5): prose (nbatch*.text) and the
 * tables that help and checks read as well. Private to cli/.
 */
#ifndef NB_CLI_MAN_H
#define NB_CLI_MAN_H

#include "core/buf.h"

/* Appends a page as mdoc(7): NULL for nbatch(1), or "input", "results". False where there is none
 * of that name. */
bool man_add_page(const char *name, struct buf *out);

#endif
