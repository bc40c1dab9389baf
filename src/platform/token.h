/*
 * OneNET's token (onenet-api.md, "Common to every call"): the value of the Authorization header
 * that stands in place of the api key, signed with the product's access key. Pure: the time is a
 * parameter.
 *
 *     struct token_key key = {.product_id = …, .access_key = …};
 *     status = token_make(&key, now_s + 3600, TOKEN_SHA256, &out);    // version=2018-10-31&res=…
 *     flaw = token_flaw(&key, header, now_s);                         // NULL: the token is good
 */
#ifndef NB_PLATFORM_TOKEN_H
#define NB_PLATFORM_TOKEN_H

#include "core/buf.h"

enum token_method { TOKEN_MD5, TOKEN_SHA1, TOKEN_SHA256, TOKEN_METHOD_COUNT };

enum {
    TOKEN_PRODUCT_ID_MAX = 64,
    TOKEN_ACCESS_KEY_MAX = 1024, /* characters of base64 */
    TOKEN_MAX = 512,             /* characters of a token */
};

struct token_key {
    struct span product_id; /* token_is_product_id() */
    struct span access_key; /* base64, as the platform shows it; a secret */
};

/* Whether it can be a product's id: letters, digits, - and _. */
bool token_is_product_id(struct span text);

/*
 * Appends a token that is good until `expires_s` (Unix time). STATUS_SYNTAX when the product id is
 * none or the access key is no base64 of at least one byte; STATUS_NO_MEMORY.
 */
enum status token_make(const struct token_key *key, int64_t expires_s, enum token_method method,
                       struct buf *out) MUST_USE;

/* What is wrong with a token for this product at `now_s`, in words; NULL when it is good. */
const char *token_flaw(const struct token_key *key, struct span token, int64_t now_s);

#endif
