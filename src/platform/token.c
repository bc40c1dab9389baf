#include "platform/token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static const struct {
    const char *version;
    const char *path; /* of res, which is path/id */
    const char *of_another;
} owners[] = {
    [TOKEN_OF_PRODUCT] = {"2018-10-31", "products", "its res is not this product"},
    [TOKEN_OF_USER] = {"2022-05-01", "userid", "its res is not this account"},
};

enum {
    SIGNATURE_MAX = (EVP_MAX_MD_SIZE + 2) / 3 * 4, /* base64 */
    SIGNED_TEXT_MAX = 256,
};

static const struct {
    const char *name;
    const EVP_MD *(*digest)(void);
} methods[TOKEN_METHOD_COUNT] = {
    [TOKEN_MD5] = {"md5", EVP_md5},
    [TOKEN_SHA1] = {"sha1", EVP_sha1},
    [TOKEN_SHA256] = {"sha256", EVP_sha256},
};

bool token_is_id(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '-' &&
            c != '_')
            return false;
    }
    return text.len > 0 && text.len <= TOKEN_ID_MAX;
}

bool token_is_access_key(struct span text)
{
    size_t len = text.len;

    if (len == 0 || len > TOKEN_ACCESS_KEY_MAX || len % 4 != 0)
        return false;
    for (int i = 0; i < 2 && text.ptr[len - 1] == '='; i++)
        len--;
    for (size_t i = 0; i < len; i++) {
        char c = text.ptr[i];
        if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '+' &&
            c != '/')
            return false;
    }
    return true;
}

/* EVP_DecodeBlock counts the padding as bytes, and passes over white space: see
 * token_is_access_key. */
static enum status decode_key(struct span text, unsigned char secret[TOKEN_ACCESS_KEY_MAX],
                              int *ret_len)
{
    if (!token_is_access_key(text))
        return STATUS_SYNTAX;
    int len = EVP_DecodeBlock(secret, (const unsigned char *)text.ptr, (int)text.len);
    if (len < 0)
        return STATUS_SYNTAX;
    for (size_t i = text.len; text.ptr[i - 1] == '='; i--)
        len--;
    *ret_len = len;
    return STATUS_OK;
}

/* base64(hmac(key, et "\n" method "\n" res "\n" version)), over the un-encoded values. */
static enum status sign(const struct token_key *key, int64_t expires_s, enum token_method method,
                        char signature[SIGNATURE_MAX + 1])
{
    unsigned char secret[TOKEN_ACCESS_KEY_MAX], mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    char text[SIGNED_TEXT_MAX];
    int secret_len = 0;

    enum status status = decode_key(key->access_key, secret, &secret_len);
    if (status != STATUS_OK || !token_is_id(key->id))
        return STATUS_SYNTAX;
    int len = snprintf(text, sizeof(text), "%lld\n%s\n%s/%.*s\n%s", (long long)expires_s,
                       methods[method].name, owners[key->owner].path, SPAN_ARG(key->id),
                       owners[key->owner].version);
    if (HMAC(methods[method].digest(), secret, secret_len, (const unsigned char *)text, (size_t)len,
             mac, &mac_len) == NULL)
        status = STATUS_NO_MEMORY;
    else
        (void)EVP_EncodeBlock((unsigned char *)signature, mac, (int)mac_len);
    OPENSSL_cleanse(secret, sizeof(secret));
    return status;
}

enum status token_make(const struct token_key *key, int64_t expires_s, enum token_method method,
                       struct buf *out)
{
    char signature[SIGNATURE_MAX + 1];
    enum status status = sign(key, expires_s, method, signature);

    if (status != STATUS_OK)
        return status;
    buf_add_format(out,
                   "version=%s&res=%s%%2F%.*s&et=%lld&method=%s&sign=", owners[key->owner].version,
                   owners[key->owner].path, SPAN_ARG(key->id), (long long)expires_s,
                   methods[method].name);
    buf_add_percent_encoded(out, span_string(signature));
    return out->status;
}

/* The value of a field of the token, percent-decoded; false where there is none that fits. */
static bool find_field(struct span token, const char *name, char out[SIGNED_TEXT_MAX])
{
    size_t name_len = strlen(name), len = 0;

    while (token.len > 0 &&
           !(span_starts_with(token, name) && token.len > name_len && token.ptr[name_len] == '=')) {
        const char *next = memchr(token.ptr, '&', token.len);
        token = next != NULL ? span_skip(token, (size_t)(next - token.ptr) + 1) : span_of("", 0);
    }
    if (token.len == 0)
        return false;
    token = span_skip(token, name_len + 1);
    for (size_t i = 0; i < token.len && token.ptr[i] != '&'; i++) {
        char hex[3] = "", c = token.ptr[i];
        if (c == '%') {
            if (i + 2 >= token.len || !is_hex_digit(token.ptr[i + 1]) ||
                !is_hex_digit(token.ptr[i + 2]))
                return false;
            memcpy(hex, token.ptr + i + 1, 2);
            c = (char)strtoul(hex, NULL, 16);
            i += 2;
        }
        if (len == SIGNED_TEXT_MAX - 1 || c == '\0')
            return false;
        out[len++] = c;
    }
    out[len] = '\0';
    return true;
}

static bool find_method(const char *name, enum token_method *ret_method)
{
    for (size_t i = 0; i < TOKEN_METHOD_COUNT; i++) {
        if (strcmp(name, methods[i].name) == 0) {
            *ret_method = (enum token_method)i;
            return true;
        }
    }
    return false;
}

const char *token_flaw(const struct token_key *key, struct span token, int64_t now_s)
{
    char text[SIGNED_TEXT_MAX], wanted[SIGNED_TEXT_MAX], signature[SIGNATURE_MAX + 1];
    enum token_method method;
    int64_t expires_s;

    if (token.len > TOKEN_MAX)
        return "it is too long";
    if (!find_field(token, "version", text) || strcmp(text, owners[key->owner].version) != 0)
        return "its version is another one";
    (void)snprintf(wanted, sizeof(wanted), "%s/%.*s", owners[key->owner].path, SPAN_ARG(key->id));
    if (!find_field(token, "res", text) || strcmp(text, wanted) != 0)
        return owners[key->owner].of_another;
    if (!find_field(token, "et", text) || span_to_int64(span_string(text), &expires_s) != STATUS_OK)
        return "its et is no time";
    if (expires_s <= now_s)
        return "it has expired";
    if (!find_field(token, "method", text) || !find_method(text, &method))
        return "its method is none of md5, sha1 and sha256";
    if (!find_field(token, "sign", text) || sign(key, expires_s, method, signature) != STATUS_OK ||
        strlen(text) != strlen(signature) || CRYPTO_memcmp(text, signature, strlen(signature)) != 0)
        return "its signature is wrong";
    return NULL;
}
