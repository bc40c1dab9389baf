#include "sim/auth.h"

#include "platform/token.h"
#include "sim/config.h"
#include "sim/setup.h"

static struct token_key token_key_of(const struct auth *auth)
{
    return (struct token_key){span_string(auth->product_id), span_string(auth->access_key)};
}

/* A key that signs nothing would refuse every request. */
static enum status try_access_key(const struct auth *auth, struct buf *message)
{
    const struct token_key key = token_key_of(auth);
    struct buf token;

    buf_init(&token, TOKEN_MAX);
    enum status status = token_make(&key, 0, TOKEN_SHA256, &token);
    buf_deinit(&token);
    if (status != STATUS_SYNTAX)
        return status;
    buf_add_string(message, "access-key-file: its first line is no access key (base64), or "
                            "product-id is no product's id");
    return STATUS_CREDENTIALS;
}

enum status auth_load(struct auth *auth, const struct sim_config *config, struct buf *message)
{
    enum status status = STATUS_OK;

    if ((config->product_id == NULL) != (config->access_key_file == NULL)) {
        buf_add_string(message, "product-id and access-key-file belong together: give both, to "
                                "ask for a token");
        return STATUS_USAGE;
    }
    if (config->api_key_file != NULL)
        status = setup_read_key("api-key-file", config->api_key_file, message, &auth->api_key);
    if (status != STATUS_OK || config->product_id == NULL)
        return status;
    auth->product_id = strdup(config->product_id);
    if (auth->product_id == NULL)
        return STATUS_NO_MEMORY;
    status = setup_read_key("access-key-file", config->access_key_file, message, &auth->access_key);
    return status == STATUS_OK ? try_access_key(auth, message) : status;
}

static void wipe(char *key)
{
    if (key != NULL)
        explicit_bzero(key, strlen(key));
    free(key);
}

void auth_deinit(struct auth *auth)
{
    wipe(auth->api_key);
    wipe(auth->access_key);
    free(auth->product_id);
    *auth = (struct auth){.api_key = NULL};
}

bool auth_fits(const struct auth *auth, const char *api_key, const char *authorization,
               int64_t now_s)
{
    if (auth->api_key == NULL && auth->access_key == NULL)
        return true;
    if (auth->api_key != NULL && api_key != NULL && strcmp(api_key, auth->api_key) == 0)
        return true;
    if (auth->access_key == NULL || authorization == NULL)
        return false;
    const struct token_key key = token_key_of(auth);
    return token_flaw(&key, span_string(authorization), now_s) == NULL;
}
