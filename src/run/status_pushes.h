/* What the platform has pushed about the commands of a results file. Private to run/. */
#ifndef NB_RUN_STATUS_PUSHES_H
#define NB_RUN_STATUS_PUSHES_H

#include "run/status_rows.h"

/* Takes what the platform pushed, a message a line, "-": standard input. *ret_count: of the
 * messages that are about commands of the results. `now_s`: this machine's clock.
 * EXIT_INPUT_INVALID: some lines are no messages, and the others were taken. */
int status_pushes_take(struct status_rows *rows, const char *path, int64_t now_s,
                       uint64_t *ret_count) MUST_USE;

#endif
