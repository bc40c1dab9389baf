/*
 * A file that is put in the place of another as a whole: whoever reads it sees the old one or the
 * new one. The new one has no name until it is written, so that a death leaves nothing behind, and
 * nothing that somebody has planted under a name that can be guessed is written through. A link is
 * followed: the file that it leads to is replaced, in its own folder. What is there and is no file
 * (a device, a pipe) is not replaced. Private to run/.
 */
#ifndef NB_RUN_REPLACE_H
#define NB_RUN_REPLACE_H

#include "core/span.h"

/* `mode` 0: as any new file of this process; `durable`: it is on the disk before it has its name.
 * STATUS_IO with errno set, EEXIST where something else than a file is there, or STATUS_NO_MEMORY;
 * then what was there is still there. */
enum status replace_file(const char *path, struct span text, unsigned mode, bool durable) MUST_USE;

#endif
