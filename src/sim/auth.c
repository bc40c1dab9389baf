#include "sim/auth.h"

#include "sim/config.h"
#include "sim/setup.h"

static struct token_key token_key_of(const struct auth *auth)
{
    return (struct token_key){auth->owner, span_string(auth->id), span_string(auth->access_key)};
}

static enum status check_config(const struct sim_config *config, struct buf *message)
{
    const char *id = config->user_id != NULL ? "user-id" : "product-id";
    bool has_id = config->user_id != NULL || config->product_id != NULL;

    if (config->user_id != NULL && config->product_id != NULL)
        buf_add_string(message, "user-id and product-id exclude each other");
    else if (config->user_id != NULL && config->dialect == DIALECT_V1)
        buf_add_string(message, "user-id is for api=v2: v1 takes tokens of products");
    else if (config->api_key_file != NULL && dialects[config->dialect].key_header == NULL)
        buf_add_format(message,
                       "api-key-file: %s takes no MasterKey; ask for a token with user-id "
                       "and access-key-file",
                       dialects[config->dialect].name);
    else if (has_id != (config->access_key_file != NULL))
        buf_add_format(message,
                       "%s and access-key-file belong together: give both, to ask for a "
                       "token",
                       id);
    else
        return STATUS_OK;
    return STATUS_USAGE;
}

/* A key that signs nothing would refuse every request. */
static enum status load_access_key(struct auth *auth, const char *path, struct buf *message)
{
    enum status status = setup_read_key("access-key-file", path, message, &auth->access_key);

    if (status != STATUS_OK || token_is_access_key(span_string(auth->access_key)))
        return status;
    buf_add_string(message, "access-key-file: its first line is no access key (base64)");
    return STATUS_CREDENTIALS;
}

enum status auth_load(struct auth *auth, const struct sim_config *config, struct buf *message)
{
    const char *id = config->user_id != NULL ? config->user_id : config->product_id;
    enum status status = check_config(config, message);

    auth->dialect = config->dialect;
    auth->owner = config->user_id != NULL ? TOKEN_OF_USER : TOKEN_OF_PRODUCT;
    if (status == STATUS_OK && config->api_key_file != NULL)
        status = setup_read_key("api-key-file", config->api_key_file, message, &auth->api_key);
    if (status != STATUS_OK || id == NULL)
        return status;
    auth->id = strdup(id);
    return auth->id != NULL ? load_access_key(auth, config->access_key_file, message)
                            : STATUS_NO_MEMORY;
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
    free(auth->id);
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
