/* A key that a command prints: `sh -c COMMAND`, its standard output read and bounded. */
#ifndef NB_NET_KEY_COMMAND_H
#define NB_NET_KEY_COMMAND_H

#include "core/buf.h"

enum { KEY_COMMAND_TIMEOUT_MS = 10 * 1000 };

/*
 * Runs the command in a process group of its own, with nothing on its standard input, and puts what
 * it wrote, at most `size` bytes, into `out`. STATUS_CREDENTIALS with the reason in `message` when
 * it cannot be started, takes longer than `timeout_ms`, writes more, or does not end with status
 * 0; one that is not waited for any longer is killed with its group. The message never holds what
 * it wrote; nor does `out` hold it after a failure.
 */
enum status key_command_run(const char *command, int64_t timeout_ms, char *out, size_t size,
                            size_t *ret_len, struct buf *message) MUST_USE;

#endif
