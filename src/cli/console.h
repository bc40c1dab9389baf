/*
 * Standard error as a run uses it. While rows are sent nobody may wait for a terminal that is held
 * (Ctrl-S) or for a pipe that nobody reads: what is written then waits in a queue of its own, and
 * what is told in passing is left out while that is full, which is said once it flows again.
 * Private to cli/.
 */
#ifndef NB_CLI_CONSOLE_H
#define NB_CLI_CONSOLE_H

#include "core/buf.h"

/* From now on console_write does not wait; until then it does. Once is enough. */
void console_start(void);

/* Writes a text; one that only is of use while it is new may be left out. */
enum console_kind { CONSOLE_KEPT, CONSOLE_PASSING };
void console_write(struct span text, enum console_kind kind);

/* Whether all is written, so that another state of a live line would be seen at once. */
bool console_is_idle(void);

/* Waits for the reader, for as long as it reads now and then; back to writing at once. */
void console_finish(void);

#endif
