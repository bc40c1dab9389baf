/* Who may ask the simulator: with an api key, or with a token of a product or an account. */
#ifndef NB_SIM_AUTH_H
#define NB_SIM_AUTH_H

#include "core/buf.h"
#include "platform/dialect.h"
#include "platform/token.h"

struct sim_config;

/* All NULL: anybody. Owned. */
struct auth {
    enum dialect dialect;
    enum token_owner owner; /* of the tokens that are asked for */
    char *id;
    char *access_key;
    char *api_key;
};

/*
 * Reads the key files that the config names. STATUS_USAGE where an access key and an id are not
 * given together, or the dialect takes no such key, STATUS_CREDENTIALS for a file that cannot be
 * used, with a text in `message` that never holds a key; STATUS_NO_MEMORY. Fills `auth` as far as
 * it comes: auth_deinit in any case.
 */
enum status auth_load(struct auth *auth, const struct sim_config *config,
                      struct buf *message) MUST_USE;

/* Wipes and frees. Takes a zeroed struct. */
void auth_deinit(struct auth *auth);

/* Whether these headers' values, NULL for none, prove that the client may ask. */
bool auth_fits(const struct auth *auth, const char *api_key, const char *authorization,
               int64_t now_s);

#endif
