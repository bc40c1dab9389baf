/*
 * Who asks, and how a request proves it (README.md, "Who asks"): the kinds of keys, what each
 * dialect takes of them, and the header that comes of it. Where keys come from, and that they stay
 * secret, is the business of net/credentials.h. Pure.
 *
 *     if (key_choose(&asked, &form, &message) == STATUS_OK) …
 *     flaw = key_flaw(&form, key);                          // NULL: it can be such a key
 *     status = key_header(&form, key, now_s, &line, &renew_at_s);
 */
#ifndef NB_PLATFORM_KEY_H
#define NB_PLATFORM_KEY_H

#include "platform/dialect.h"
#include "platform/token.h"

enum key_kind {
    KEY_MASTER,  /* a product's MasterKey, which is sent as it is */
    KEY_PRODUCT, /* a product's access key, which signs tokens for that product */
    KEY_USER,    /* an account's access key, which signs tokens for all that is the account's */
};

/* Zeroed: a MasterKey of the first dialect. */
struct key_form {
    enum dialect dialect;
    enum key_kind kind;
    const char *id; /* of the product or the account; borrowed; NULL for a MasterKey */
};

enum {
    KEY_TOKEN_LIFE_S = 60 * 60,
    KEY_TOKEN_LEFT_MIN_S = 10 * 60, /* an attempt takes no token with less than this left */
    KEY_LINE_MAX = 8192,            /* bytes of the header's line, whatever the key */
};

/* What was said of the key: each NULL where it was not. */
struct key_asked {
    enum dialect dialect;
    const char *product_id, *user_id;
    const char *master_key; /* the option that names a MasterKey's place */
    const char *access_key; /* the option that names an access key's place */
};

/* The form that is meant. STATUS_USAGE where ids and places do not go together, STATUS_CREDENTIALS
 * where the dialect takes no such key, with a text in `message` that names the remedy. */
enum status key_choose(const struct key_asked *asked, struct key_form *ret_form,
                       struct buf *message) MUST_USE;

static inline bool key_is_signing(const struct key_form *form)
{
    return form->kind != KEY_MASTER;
}

/* Why a text cannot be a key of that form, as "it …; what to do"; NULL: it can. */
const char *key_flaw(const struct key_form *form, struct span key);

/* The name that people know a key by without knowing it: the first eight hexadecimal digits of its
 * SHA-256. STATUS_NO_MEMORY. */
enum { KEY_FINGERPRINT_LENGTH = 8 };
enum status key_fingerprint(struct span key, char out[KEY_FINGERPRINT_LENGTH + 1]) MUST_USE;

/*
 * Appends the header's line "name: value" that proves who asks at `now_s`; `ret_renew_at_s` is the
 * Unix time from which on another line is needed, INT64_MAX: never. STATUS_CREDENTIALS when the key
 * signs nothing; STATUS_NO_MEMORY. The line is a secret: key_secret_of is the part of it that is no
 * key and lets others ask as well (empty: none).
 */
enum status key_header(const struct key_form *form, struct span key, int64_t now_s, struct buf *out,
                       int64_t *ret_renew_at_s) MUST_USE;
struct span key_secret_of(struct span line);

#endif
