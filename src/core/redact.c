#include "core/redact.h"

#include <stdlib.h>

/*
 * A text is looked through once, from its start. Most of its characters can begin nothing, which a
 * table of pairs of characters tells at once; where two can, each form of each secret is compared,
 * character by character, with what the text's characters stand for.
 */

enum { FORMS = 5, BASE64_MIN = 8, SECRET_MAX = 4096 };

static const char mask[] = "***";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* How a secret may show. */
struct form {
    char *text; /* NULL: not in this form */
    size_t len;
    bool is_base64; /* its neighbours belong to it, and -_ are as good as +/ */
    bool is_hex;    /* a and A are the same */
};

struct secret {
    struct form forms[FORMS]; /* the first one is the secret */
};

static struct secret secrets[REDACT_SECRETS_MAX];
static size_t secret_count;          /* of the places above, so many have been used */
static size_t next_place;            /* to be used again */
static uint8_t beginnings[8 * 1024]; /* a bit for each pair of characters: something that is looked
                                        for may begin with it */
static bool is_first[256] = {[':'] = true}; /* of such a pair, or of :// */

static void wipe_secret(struct secret *secret)
{
    for (size_t i = 0; i < FORMS; i++) {
        struct form *form = &secret->forms[i];
        if (form->text != NULL)
            explicit_bzero(form->text, form->len);
        free(form->text);
        *form = (struct form){.text = NULL};
    }
}

void redact_forget(void)
{
    for (size_t i = 0; i < secret_count; i++)
        wipe_secret(&secrets[i]);
    secret_count = 0;
    memset(beginnings, 0, sizeof(beginnings));
}

static bool set_form(struct form *form, const char *text, size_t len)
{
    form->text = malloc(len);
    if (form->text == NULL)
        return false;
    memcpy(form->text, text, len);
    form->len = len;
    return true;
}

static void add_hex(struct secret *secret, struct span text)
{
    static const char digits[] = "0123456789abcdef";
    struct form *form = &secret->forms[1];

    form->text = malloc(2 * text.len);
    if (form->text == NULL)
        return;
    form->len = 2 * text.len;
    form->is_hex = true;
    for (size_t i = 0; i < text.len; i++) {
        form->text[2 * i] = digits[(unsigned char)text.ptr[i] >> 4];
        form->text[2 * i + 1] = digits[(unsigned char)text.ptr[i] & 15];
    }
}

/* Base64 of something in which the secret is `offset` bytes behind a multiple of three: the digits
 * that are made of its bits alone. */
static void add_base64(struct secret *secret, struct span text, size_t offset)
{
    struct form *form = &secret->forms[2 + offset];
    size_t first = (offset * 8 + 5) / 6, end = (offset + text.len) * 8 / 6;

    if (end < first + BASE64_MIN)
        return;
    form->text = malloc(end - first);
    if (form->text == NULL)
        return;
    form->is_base64 = true;
    for (size_t digit = first; digit < end; digit++) {
        unsigned value = 0;
        for (size_t bit = digit * 6; bit < digit * 6 + 6; bit++) {
            unsigned byte = (unsigned char)text.ptr[bit / 8 - offset];
            value = value << 1 | (byte >> (7 - bit % 8) & 1u);
        }
        form->text[form->len++] = base64_digits[value];
    }
}

/* Characters by which others are written. */
static const char disguises[] = "%\\&";

static void note_pair(unsigned char first, unsigned char second)
{
    unsigned pair = (unsigned)first << 8 | second;

    beginnings[pair / 8] |= (uint8_t)(1u << pair % 8);
    is_first[first] = true;
}

static bool may_begin(const char *text)
{
    unsigned pair = (unsigned)(unsigned char)text[0] << 8 | (unsigned char)text[1];

    return ((unsigned)beginnings[pair / 8] >> pair % 8 & 1u) != 0;
}

/* How else a character of a form may be written, as one. */
static char twin_of(const struct form *form, char c)
{
    if (form->is_hex && c >= 'a')
        return (char)(c - 'a' + 'A');
    if (form->is_base64 && (c == '+' || c == '/'))
        return c == '+' ? '-' : '_';
    return c;
}

static void note_beginnings(const struct secret *secret)
{
    for (const char *c = disguises; *c != '\0'; c++)
        for (unsigned second = 0; second < 256; second++)
            note_pair((unsigned char)*c, (unsigned char)second);
    for (size_t i = 0; i < FORMS; i++) {
        const struct form *form = &secret->forms[i];
        if (form->text == NULL)
            continue;
        const char firsts[] = {form->text[0], twin_of(form, form->text[0])};
        const char seconds[] = {form->text[1], twin_of(form, form->text[1]), disguises[0],
                                disguises[1], disguises[2]};
        for (size_t a = 0; a < sizeof(firsts); a++)
            for (size_t b = 0; b < sizeof(seconds); b++)
                note_pair((unsigned char)firsts[a], (unsigned char)seconds[b]);
    }
}

static bool is_known(struct span text)
{
    for (size_t i = 0; i < secret_count; i++) {
        const struct form *form = &secrets[i].forms[0];
        if (form->text != NULL && form->len == text.len &&
            memcmp(form->text, text.ptr, text.len) == 0)
            return true;
    }
    return false;
}

void redact_add(struct span text)
{
    if (text.len < REDACT_MIN || text.len > SECRET_MAX || is_known(text))
        return;
    if (secret_count < REDACT_SECRETS_MAX) {
        next_place = secret_count++;
    } else {
        next_place = next_place + 1 < REDACT_SECRETS_MAX ? next_place + 1 : REDACT_SECRETS_MAX / 2;
        wipe_secret(&secrets[next_place]);
    }
    struct secret *secret = &secrets[next_place];
    if (!set_form(&secret->forms[0], text.ptr, text.len))
        return;
    add_hex(secret, text);
    for (size_t offset = 0; offset < 3; offset++)
        add_base64(secret, text, offset);
    note_beginnings(secret);
}

static int hex_value(char c)
{
    return is_hex_digit(c) ? (int)hex_digit_value(c) : -1;
}

/* The number of `digits` hexadecimal digits at the start; -1 for none. */
static int hex_number(struct span text, size_t digits)
{
    int value = 0;

    if (text.len < digits)
        return -1;
    for (size_t i = 0; i < digits; i++) {
        int digit = hex_value(text.ptr[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* &#61; &#x3d; &amp; … */
static size_t read_entity(struct span text, int *ret_value)
{
    static const struct {
        const char *name;
        int value;
    } names[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    size_t at = 2;
    int value = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (span_starts_with(text, names[i].name)) {
            *ret_value = names[i].value;
            return strlen(names[i].name);
        }
    }
    if (!span_starts_with(text, "&#") || text.len < 4)
        return 0;
    bool is_hex = text.ptr[2] == 'x' || text.ptr[2] == 'X';
    for (at += is_hex; at < text.len && text.ptr[at] != ';' && value < 0x110000; at++) {
        int digit = hex_value(text.ptr[at]);
        if (digit < 0 || (!is_hex && digit > 9))
            return 0;
        value = value * (is_hex ? 16 : 10) + digit;
    }
    *ret_value = value;
    return at < text.len && text.ptr[at] == ';' ? at + 1 : 0;
}

/* %3D, and %253D for what was encoded twice. */
static size_t read_percent(struct span text, int *ret_value)
{
    size_t at = 1;

    while (span_starts_with(span_skip(text, at), "25") &&
           hex_number(span_skip(text, at + 2), 2) >= 0)
        at += 2;
    *ret_value = hex_number(span_skip(text, at), 2);
    return *ret_value >= 0 ? at + 2 : 0;
}

/* \u003d \/ \" \\ */
static size_t read_escape(struct span text, int *ret_value)
{
    if (text.len < 2)
        return 0;
    if (text.ptr[1] == 'u') {
        *ret_value = hex_number(span_skip(text, 2), 4);
        return *ret_value >= 0 ? 6 : 0;
    }
    *ret_value = (unsigned char)text.ptr[1];
    return text.ptr[1] == '/' || text.ptr[1] == '"' || text.ptr[1] == '\\' ? 2 : 0;
}

/* What the text's first characters stand for, where that is something else than the first; the
 * result is how many they are, 0 for none. */
static size_t read_disguised(struct span text, int *ret_value)
{
    switch (text.ptr[0]) {
    case '%':
        return read_percent(text, ret_value);
    case '\\':
        return read_escape(text, ret_value);
    case '&':
        return read_entity(text, ret_value);
    default:
        return 0;
    }
}

static bool is_same(const struct form *form, char wanted, int found)
{
    return (unsigned char)wanted == found || (unsigned char)twin_of(form, wanted) == found;
}

/* So much of a form's beginning is taken for it, since the rest may have been cut off: half of it,
 * but not so little that it is there by chance. */
static size_t beginning_of(const struct form *form, size_t least)
{
    size_t half = form->len / 2;

    if (half < least)
        return least;
    if (half < REDACT_BEGINNING_MIN)
        return half;
    return least > REDACT_BEGINNING_MIN ? least : REDACT_BEGINNING_MIN;
}

/* How many characters of the text's beginning are this form, or its beginning; 0: it is not. */
static size_t match(const struct form *form, struct span text, size_t least)
{
    size_t at = 0, count = 0;

    while (count < form->len && at < text.len) {
        int value = (unsigned char)text.ptr[at];
        size_t len = 1;
        if (!is_same(form, form->text[count], value)) {
            len = read_disguised(span_skip(text, at), &value);
            if (len == 0 || !is_same(form, form->text[count], value))
                break;
        }
        at += len;
        count++;
    }
    return count == form->len || count >= beginning_of(form, least) ? at : 0;
}

static bool is_base64_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '-' || c == '_' || c == '=';
}

/* How much of the text at `at` is a secret of `least` characters, the longest one; where it is in
 * base64, *ret_start is moved back to the beginning of all that is, but not before `from`. */
static size_t find_secret(struct span text, size_t from, size_t at, size_t least, size_t *ret_start)
{
    size_t start = at, end = at;
    unsigned char first = (unsigned char)text.ptr[at];
    bool is_disguise = first == '%' || first == '\\' || first == '&', is_base64 = false;

    for (size_t i = 0; i < secret_count; i++) {
        const struct form *forms = secrets[i].forms;
        if (forms[0].text == NULL || forms[0].len < least)
            continue;
        for (const struct form *form = forms; form < forms + FORMS; form++) {
            if (form->text == NULL || !(is_disguise || is_same(form, form->text[0], first)))
                continue;
            size_t len = match(form, span_skip(text, at), least);
            if (at + len <= end)
                continue;
            end = at + len;
            is_base64 = form->is_base64;
        }
    }
    while (is_base64 && start > from && is_base64_char(text.ptr[start - 1]))
        start--;
    while (is_base64 && end < text.len && is_base64_char(text.ptr[end]))
        end++;
    *ret_start = start;
    return end - start;
}

static bool ends_url(char c)
{
    return (unsigned char)c <= ' ' || c == '"' || c == '\'' || c == '<' || c == '>' || c == '`';
}

/* How much of what follows :// is user and password. A password may hold any character; where
 * an @ comes behind a slash, it is one if there is no port in front of that. */
static size_t userinfo_length(struct span text)
{
    size_t end = 0, slash, last = 0, colon = 0;

    while (end < text.len && !ends_url(text.ptr[end]))
        end++;
    for (slash = 0; slash < end && strchr("/?#", text.ptr[slash]) == NULL; slash++)
        if (text.ptr[slash] == ':')
            colon = slash;
    bool has_port = colon == 0;
    for (size_t i = colon + 1; colon > 0 && i < slash; i++)
        has_port = text.ptr[i] >= '0' && text.ptr[i] <= '9' && (i == colon + 1 || has_port);
    for (size_t i = 0; i < (has_port ? slash : end); i++)
        if (text.ptr[i] == '@')
            last = i;
    /* What a message shows as an example is no secret. */
    return span_is(span_of(text.ptr, last), "USER:PASSWORD") ? 0 : last;
}

/* Where the next secret may begin, at the earliest: most texts have none, and each row has one. */
static size_t next_suspect(struct span all, size_t at)
{
    for (; at + 1 < all.len; at++)
        if (is_first[(unsigned char)all.ptr[at]] && (all.ptr[at] == ':' || may_begin(all.ptr + at)))
            break;
    return at;
}

void redact_text(char *text, size_t *len, size_t least)
{
    struct span all = span_of(text, *len);
    size_t at = 0, out = 0, from = 0; /* read, written, and where the copied part begins */

    while ((at = next_suspect(all, at)) + 1 < all.len) {
        size_t start = at, secret = 0;
        if (text[at] == ':' && span_starts_with(span_skip(all, at), "://")) {
            start = at + 3;
            secret = userinfo_length(span_skip(all, start));
        }
        if (secret == 0 && may_begin(text + at))
            secret = find_secret(all, from, at, least, &start);
        if (secret < sizeof(mask) - 1) {
            at++;
            continue;
        }
        memmove(text + out, text + from, start - from);
        out += start - from;
        memcpy(text + out, mask, sizeof(mask) - 1);
        out += sizeof(mask) - 1;
        at = from = start + secret;
    }
    if (from == 0)
        return;
    memmove(text + out, text + from, all.len - from);
    *len = out + all.len - from;
}

void redact_string(char *text, size_t least)
{
    size_t len = strlen(text);

    redact_text(text, &len, least);
    text[len] = '\0';
}

void redact_add_encoded(struct span text)
{
    char plain[SECRET_MAX];
    size_t len = 0;

    redact_add(text);
    for (size_t at = 0; at < text.len && len < sizeof(plain);) {
        int value = hex_number(span_skip(text, at + 1 < text.len ? at + 1 : text.len), 2);
        bool is_encoded = text.ptr[at] == '%' && value >= 0;
        plain[len++] = is_encoded ? (char)value : text.ptr[at];
        at += is_encoded ? 3 : 1;
    }
    redact_add(span_of(plain, len));
    explicit_bzero(plain, sizeof(plain));
}

/* What may be user and password in an address, up to the last @ or what stands for one; empty for
 * none. */
static struct span userinfo_of(struct span url)
{
    const char *scheme = memmem(url.ptr, url.len, "://", 3);
    size_t start = scheme != NULL ? (size_t)(scheme - url.ptr) + 3 : 0;

    for (size_t end = url.len; end > start; end--) {
        struct span rest = span_skip(url, end - 1);
        if (rest.ptr[0] == '@' || span_starts_with(rest, "%40"))
            return span_of(url.ptr + start, end - 1 - start);
    }
    return span_of(url.ptr, 0);
}

void redact_add_url(struct buf *out, struct span url)
{
    struct span user = userinfo_of(url);

    if (user.len == 0) {
        buf_add_printable(out, url);
        return;
    }
    buf_add_printable(out, span_of(url.ptr, (size_t)(user.ptr - url.ptr)));
    buf_add_string(out, mask);
    buf_add_printable(out, span_skip(url, (size_t)(user.ptr + user.len - url.ptr)));
}

void redact_add_userinfo(struct span url)
{
    struct span user = userinfo_of(url);

    redact_add_encoded(user);
    const char *colon = memchr(user.ptr, ':', user.len);
    if (colon != NULL)
        redact_add_encoded(span_skip(user, (size_t)(colon - user.ptr) + 1));
}
