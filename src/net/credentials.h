/*
 * The key: where it comes from, and that it goes nowhere but into a request's header, as it is (the
 * MasterKey) or as the signature of a token (the access key). It is never an argument, and is in
 * no message, log or result; from then on, or from the start where one is in the
 * environment, the process leaves no core file and cannot be traced by other processes of the user.
 */
#ifndef NB_NET_CREDENTIALS_H
#define NB_NET_CREDENTIALS_H

#include "platform/key.h"

enum { CREDENTIALS_KEY_MAX = 4096 };

struct credentials {
    char *key; /* NULL when there is none */
    size_t key_len;
    struct key_form form; /* what it proves, and to whom; its id is the options' text */
    bool is_fixed;        /* it is from the environment, which is read once */
};

/* Texts of the options, each NULL where it was not given; the ids decide which key is meant. */
struct credentials_options {
    enum dialect dialect;
    const char *api_key_file;
    const char *api_key_command;
    const char *product_id;
    const char *user_id;
    const char *access_key_file;
    bool must_rest; /* a file that changed a moment ago is refused: it may be half written */
};

enum { CREDENTIALS_REST_MS = 1000 };

/* At the start of the program: a key in the environment is in its memory, asked for or not. */
void credentials_protect_environment(void);

/*
 * Takes the MasterKey from the file or the command that the options name, else from NBATCH_API_KEY,
 * else from $CREDENTIALS_DIRECTORY/api-key as systemd gives it; with the id of a product or an
 * account the access key, likewise, from NBATCH_ACCESS_KEY and …/access-key. Both variables are
 * wiped from the environment. A key file must be a regular file, owned by the user or root, without
 * permissions for group and others; one newline at its end is dropped, as at the end of a command's
 * output.
 *
 * STATUS_USAGE for options that do not go together, STATUS_CREDENTIALS when there is no key, or it
 * cannot be used or is none for the dialect, each with a text in `message` that names the place and
 * the remedy, never the key; STATUS_NO_MEMORY.
 */
enum status credentials_load(const struct credentials_options *options, struct buf *message,
                             struct credentials *ret_credentials) MUST_USE;

/* Takes the other key's place; false where both are the same. What was secret stays so
 * (core/redact.h): answers to the old key may still come. `other` is used up. */
bool credentials_replace(struct credentials *credentials, struct credentials *other);

/* Wipes and frees the key, and forgets all that is secret. Takes NULL and a zeroed struct. */
void credentials_deinit(struct credentials *credentials);

/*
 * Loading a key wipes the variables that may hold one. Whoever loads twice in one process holds
 * them before the first time, and puts them back before the second. STATUS_NO_MEMORY.
 */
enum { CREDENTIALS_VARIABLES = 2 };
struct held_variables {
    char *values[CREDENTIALS_VARIABLES];
};
enum status credentials_hold(struct held_variables *ret_held) MUST_USE;
enum status credentials_put_back(const struct held_variables *held) MUST_USE;

/* Wipes what is held. Takes a zeroed struct. */
void credentials_let_go(struct held_variables *held);

#endif
