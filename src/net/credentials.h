/*
 * The MasterKey: where it comes from, and that it goes nowhere but into the request's header. It is
 * never an argument, and stands in no message, log or result; once one is loaded the process leaves
 * no core file and cannot be traced by other processes of the user.
 */
#ifndef NB_NET_CREDENTIALS_H
#define NB_NET_CREDENTIALS_H

#include "core/buf.h"

enum { CREDENTIALS_KEY_MAX = 4096 };

struct credentials {
    char *key; /* NULL when there is none */
    size_t key_len;
};

/*
 * Takes the key from `path` if that is not NULL, else from NBATCH_API_KEY (which is wiped from the
 * environment), else from $CREDENTIALS_DIRECTORY/api-key as systemd gives it. A key file must be a
 * regular file, owned by the user or root, without permissions for group and others; one newline at
 * its end is dropped. STATUS_CREDENTIALS with a text in `message` when there is no key or it cannot
 * be used; the text names the place and the remedy, never the key.
 */
enum status credentials_load(const char *path, struct buf *message,
                             struct credentials *ret_credentials) MUST_USE;

/* Wipes and frees the key. Takes NULL and a zeroed struct. */
void credentials_deinit(struct credentials *credentials);

#endif
