/* What the simulator needs of the system before it can serve. */
#ifndef NB_SIM_SETUP_H
#define NB_SIM_SETUP_H

#include <sys/socket.h>

#include "core/buf.h"

/* A key is a line; more than this is none. */
enum { SETUP_KEY_MAX = 4096 };

/*
 * Opens a listening socket (non-blocking, close-on-exec) and tells the address it got. STATUS_IO
 * with a text in `message`.
 */
enum status setup_listen(const struct sockaddr_storage *address, struct buf *message, int *ret_fd,
                         struct sockaddr_storage *ret_bound) MUST_USE;

/* Appends "127.0.0.1:8080" or "[::1]:8080". */
void setup_add_address(const struct sockaddr_storage *address, struct buf *out);

/*
 * Reads the first line of the file that a setting names, without its end. The caller frees it.
 * STATUS_CREDENTIALS with a text in `message` that never holds the key; STATUS_NO_MEMORY.
 */
enum status setup_read_key(const char *setting, const char *path, struct buf *message,
                           char **ret_key) MUST_USE;

/* Writes all of the text. STATUS_IO. */
enum status setup_write(int fd, struct span text) MUST_USE;

/* How many of `wanted` connections the process can have: raises its soft limit of open files to the
 * hard one where that is needed. At least 16. */
unsigned setup_connection_limit(unsigned wanted);

#endif
