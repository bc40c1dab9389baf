/*
 * OneNET's token (README.md, "Who asks"): what proves who asks, signed with an access key. Pure:
 * the time is a parameter.
 *
 *     struct token_key key = {.owner = TOKEN_OF_PRODUCT, .id = …, .access_key = …};
 *     status = token_make(&key, now_s + 3600, TOKEN_SHA256, &out);    // version=2018-10-31&res=…
 *     flaw = token_flaw(&key, header, now_s);                         // NULL: the token is good
 */
#ifndef NB_PLATFORM_TOKEN_H
#define NB_PLATFORM_TOKEN_H

#include "core/buf.h"

enum token_method { TOKEN_MD5, TOKEN_SHA1, TOKEN_SHA256, TOKEN_METHOD_COUNT };

/* Whose the access key is, which decides a token's version and the form of its res. */
enum token_owner {
    TOKEN_OF_PRODUCT, /* 2018-10-31, products/<id> */
    TOKEN_OF_USER,    /* 2022-05-01, userid/<id> */
};

enum {
    TOKEN_ID_MAX = 64,
    TOKEN_ACCESS_KEY_MAX = 1024, /* characters of base64 */
    TOKEN_MAX = 512,             /* characters of a token */
};

struct token_key {
    enum token_owner owner;
    struct span id;         /* token_is_id() */
    struct span access_key; /* base64, as the platform shows it; a secret */
};

/* Whether it can be an owner's id: letters, digits, - and _. */
bool token_is_id(struct span text);

/* Whether it is base64 of at least one byte. */
bool token_is_access_key(struct span text);

/*
 * Appends a token that is good until `expires_s` (Unix time). STATUS_SYNTAX when the id is none
 * or the access key is no base64 of at least one byte; STATUS_NO_MEMORY.
 */
enum status token_make(const struct token_key *key, int64_t expires_s, enum token_method method,
                       struct buf *out) MUST_USE;

/* What is wrong with a token of this owner at `now_s`, in words; NULL when it is good. */
const char *token_flaw(const struct token_key *key, struct span token, int64_t now_s);

#endif
