#include "platform/key.h"

#include <openssl/evp.h>
#include <stdio.h>

#define FOR_DIALECT(dialect) (1u << (dialect))

/* Whose tokens a key signs, and which dialects take it. */
static const struct {
    enum token_owner owner;
    unsigned dialects;
} kinds[] = {
    [KEY_MASTER] = {.dialects = FOR_DIALECT(DIALECT_V1)},
    [KEY_PRODUCT] = {TOKEN_OF_PRODUCT, FOR_DIALECT(DIALECT_V1) | FOR_DIALECT(DIALECT_V2)},
    [KEY_USER] = {TOKEN_OF_USER, FOR_DIALECT(DIALECT_V2)},
};

static enum status refuse_pair(const char *one, const char *other, struct buf *message)
{
    buf_add_format(message, "%s and %s exclude each other: leave one of them out", one, other);
    return STATUS_USAGE;
}

static enum status refuse_id(const char *option, const char *id, const char *whose,
                             struct buf *message)
{
    buf_add_format(message, "%s ", option);
    buf_add_printable(message, span_string(id));
    buf_add_format(message, ": give the %s's id, letters and digits, %d at most", whose,
                   TOKEN_ID_MAX);
    return STATUS_USAGE;
}

/* A key that the dialect has no use for would be refused by the platform, after it has travelled.
 */
static enum status refuse_kind(const struct key_asked *asked, enum key_kind kind,
                               struct buf *message)
{
    const char *name = dialects[asked->dialect].name;

    if (kind == KEY_USER)
        buf_add_format(message,
                       "--user-id is for --api v2; --api %s takes the product's MasterKey, or its "
                       "access key with --product-id ID",
                       name);
    else
        buf_add_format(message,
                       "%s%s--api %s takes no MasterKey: give the account's id with --user-id ID, "
                       "and its access key in a file that only you can read with "
                       "--access-key-file FILE, or in NBATCH_ACCESS_KEY",
                       asked->master_key != NULL ? asked->master_key : "",
                       asked->master_key != NULL ? ": " : "", name);
    return STATUS_CREDENTIALS;
}

enum status key_choose(const struct key_asked *asked, struct key_form *ret_form,
                       struct buf *message)
{
    struct key_form form = {.dialect = asked->dialect};
    const char *option = asked->user_id != NULL ? "--user-id" : "--product-id";

    form.kind = asked->user_id != NULL      ? KEY_USER
                : asked->product_id != NULL ? KEY_PRODUCT
                                            : KEY_MASTER;
    form.id = asked->user_id != NULL ? asked->user_id : asked->product_id;
    if (asked->user_id != NULL && asked->product_id != NULL)
        return refuse_pair("--user-id", "--product-id", message);
    if ((kinds[form.kind].dialects & FOR_DIALECT(form.dialect)) == 0)
        return refuse_kind(asked, form.kind, message);
    if (key_is_signing(&form) && asked->master_key != NULL)
        return refuse_pair(option, asked->master_key, message);
    if (!key_is_signing(&form) && asked->access_key != NULL) {
        buf_add_format(message,
                       "%s needs --product-id ID: an access key signs tokens for one product",
                       asked->access_key);
        return STATUS_USAGE;
    }
    if (form.id != NULL && !token_is_id(span_string(form.id)))
        return refuse_id(option, form.id, form.kind == KEY_USER ? "account" : "product", message);
    *ret_form = form;
    return STATUS_OK;
}

static struct token_key token_key_of(const struct key_form *form, struct span key)
{
    return (struct token_key){kinds[form->kind].owner, span_string(form->id), key};
}

/* A finished token, which a program or the platform's tool has made. */
static bool is_token(struct span text)
{
    return span_starts_with(text, "version=") && memmem(text.ptr, text.len, "&sign=", 6) != NULL;
}

const char *key_flaw(const struct key_form *form, struct span key)
{
    if (is_token(key))
        return "it is a token, which ends at a time of its own; give the access key that signs it, "
               "with --access-key-file or NBATCH_ACCESS_KEY, and the id that it is for: the "
               "product's with --product-id, with --api v2 the account's with --user-id";
    if (!key_is_signing(form) || token_is_access_key(key))
        return NULL;
    return "it is not base64; give the access key as the platform shows it";
}

enum status key_header(const struct key_form *form, struct span key, int64_t now_s, struct buf *out,
                       int64_t *ret_renew_at_s)
{
    const struct dialect_rule *dialect = &dialects[form->dialect];

    *ret_renew_at_s = INT64_MAX;
    if (!key_is_signing(form)) {
        buf_add_format(out, "%s: ", dialect->key_header);
        buf_add(out, key);
        return out->status;
    }
    const struct token_key token_key = token_key_of(form, key);
    buf_add_format(out, "%s: ", dialect->token_header);
    enum status status = token_make(&token_key, now_s + KEY_TOKEN_LIFE_S, TOKEN_SHA256, out);
    *ret_renew_at_s = now_s + KEY_TOKEN_LIFE_S - KEY_TOKEN_LEFT_MIN_S;
    return status == STATUS_SYNTAX ? STATUS_CREDENTIALS : status;
}

struct span key_secret_of(struct span line)
{
    static const char name[] = "&sign=";
    const char *sign = memmem(line.ptr, line.len, name, sizeof(name) - 1);

    return sign != NULL ? span_skip(line, (size_t)(sign - line.ptr) + sizeof(name) - 1)
                        : span_of("", 0);
}

enum status key_fingerprint(struct span key, char out[KEY_FINGERPRINT_LENGTH + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE];

    if (EVP_Digest(key.ptr, key.len, digest, NULL, EVP_sha256(), NULL) != 1)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < KEY_FINGERPRINT_LENGTH / 2; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return STATUS_OK;
}
