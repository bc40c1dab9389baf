/*
 * What the simulated platform holds, in a file: commands with what has become of them, and what
 * devices keep, so that a rehearsal goes on where the last simulator stopped. A line of JSON each.
 * Commands beyond --max-commands are not in it.
 */
#ifndef NB_SIM_STATE_H
#define NB_SIM_STATE_H

#include "sim/platform.h"

/* Replaces the file. STATUS_IO or STATUS_NO_MEMORY with a text in `message`; then the file is what
 * it was. */
enum status state_save(struct platform *platform, const char *path, struct buf *message) MUST_USE;

/* Reads it into a platform that holds nothing; a file that is not there is an empty one.
 * STATUS_SYNTAX, STATUS_IO or STATUS_NO_MEMORY with a text in `message` that names the line. */
enum status state_load(struct platform *platform, const char *path, int64_t now_ms,
                       struct buf *message) MUST_USE;

#endif
