/*
 * A file that is put in the place of another as a whole: whoever reads it sees the old one or the
 * new one. The new one has no name until it is written, so that a death leaves nothing behind, and
 * nothing that somebody has planted under a name that can be guessed is written through. Private to
 * run/.
 */
#ifndef NB_RUN_REPLACE_H
#define NB_RUN_REPLACE_H

#include "core/span.h"

/* `mode` 0: as any new file of this process; `durable`: it is on the disk before it has its name.
 * STATUS_IO with errno set, or STATUS_NO_MEMORY; then what was there is still there. */
enum status replace_file(const char *path, struct span text, unsigned mode, bool durable) MUST_USE;

#endif
