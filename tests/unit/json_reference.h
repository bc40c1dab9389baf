/*
 * RFC 8259 as plainly as it can be written: what the JSON that the program accepts is compared
 * with. It shares nothing with the code under test, has none of its limits, and reports how far a
 * text goes beyond them.
 */
#ifndef NB_TESTS_JSON_REFERENCE_H
#define NB_TESTS_JSON_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_REFERENCE_DEPTH_MAX = 2000 }; /* what the stack surely holds */

struct json_reference {
    const unsigned char *at, *end;
    size_t depth;
    /* Results. They hold for a text that was accepted. */
    size_t deepest;        /* the most brackets that were open at once */
    size_t longest_number; /* in bytes */
    size_t number_count;
    bool half_surrogate; /* an escape that the grammar allows and no UTF-8 can express, section 8.2
                          */
    bool nul_escape;
    bool too_deep; /* it was refused for its depth alone */
};

static bool json_reference_value(struct json_reference *ref);

static inline bool json_reference_take(struct json_reference *ref, unsigned char c)
{
    if (ref->at == ref->end || *ref->at != c)
        return false;
    ref->at++;
    return true;
}

static inline void json_reference_space(struct json_reference *ref)
{
    while (json_reference_take(ref, ' ') || json_reference_take(ref, '\t') ||
           json_reference_take(ref, '\n') || json_reference_take(ref, '\r'))
        ;
}

static inline bool json_reference_word(struct json_reference *ref, const char *word)
{
    for (; *word != '\0'; word++)
        if (!json_reference_take(ref, (unsigned char)*word))
            return false;
    return true;
}

/* 1*DIGIT */
static inline bool json_reference_digits(struct json_reference *ref)
{
    const unsigned char *start = ref->at;

    while (ref->at < ref->end && *ref->at >= '0' && *ref->at <= '9')
        ref->at++;
    return ref->at > start;
}

/* number = [ minus ] int [ frac ] [ exp ] */
static inline bool json_reference_number(struct json_reference *ref)
{
    const unsigned char *start = ref->at;

    (void)json_reference_take(ref, '-');
    if (!json_reference_take(ref, '0') && !json_reference_digits(ref))
        return false;
    if (json_reference_take(ref, '.') && !json_reference_digits(ref))
        return false;
    if (json_reference_take(ref, 'e') || json_reference_take(ref, 'E')) {
        if (!json_reference_take(ref, '+'))
            (void)json_reference_take(ref, '-');
        if (!json_reference_digits(ref))
            return false;
    }
    if ((size_t)(ref->at - start) > ref->longest_number)
        ref->longest_number = (size_t)(ref->at - start);
    ref->number_count++;
    return true;
}

static inline bool json_reference_hex4(struct json_reference *ref, unsigned *ret_unit)
{
    unsigned unit = 0;

    for (int i = 0; i < 4; i++) {
        if (ref->at == ref->end)
            return false;
        unsigned char c = *ref->at++;
        if (c >= '0' && c <= '9')
            unit = unit * 16 + (c - '0');
        else if (c >= 'a' && c <= 'f')
            unit = unit * 16 + 10 + (c - 'a');
        else if (c >= 'A' && c <= 'F')
            unit = unit * 16 + 10 + (c - 'A');
        else
            return false;
    }
    *ret_unit = unit;
    return true;
}

/* Behind the backslash. `high` tells whether the escape before was the first half of a pair. */
static inline bool json_reference_escape(struct json_reference *ref, bool *high)
{
    unsigned unit;

    if (ref->at == ref->end)
        return false;
    switch (*ref->at++) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        ref->half_surrogate |= *high;
        *high = false;
        return true;
    case 'u':
        break;
    default:
        return false;
    }
    if (!json_reference_hex4(ref, &unit))
        return false;
    bool low = unit >= 0xdc00 && unit <= 0xdfff;
    ref->half_surrogate |= *high != low; /* a first half without a second, or the reverse */
    *high = unit >= 0xd800 && unit <= 0xdbff;
    ref->nul_escape |= unit == 0;
    return true;
}

/* One character of UTF-8 that is none of ASCII, by the table in RFC 3629 section 4. */
static inline bool json_reference_utf8(struct json_reference *ref)
{
    static const struct {
        unsigned char first_min, first_max, second_min, second_max;
        int tails;
    } rows[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 0}, {0xe0, 0xe0, 0xa0, 0xbf, 1}, {0xe1, 0xec, 0x80, 0xbf, 1},
        {0xed, 0xed, 0x80, 0x9f, 1}, {0xee, 0xef, 0x80, 0xbf, 1}, {0xf0, 0xf0, 0x90, 0xbf, 2},
        {0xf1, 0xf3, 0x80, 0xbf, 2}, {0xf4, 0xf4, 0x80, 0x8f, 2},
    };
    unsigned char first = *ref->at++;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (first < rows[i].first_min || first > rows[i].first_max)
            continue;
        if (ref->end - ref->at < 1 + rows[i].tails || *ref->at < rows[i].second_min ||
            *ref->at > rows[i].second_max)
            return false;
        ref->at++;
        for (int tail = 0; tail < rows[i].tails; tail++, ref->at++)
            if (*ref->at < 0x80 || *ref->at > 0xbf)
                return false;
        return true;
    }
    return false;
}

static inline bool json_reference_string(struct json_reference *ref)
{
    bool high = false;

    if (!json_reference_take(ref, '"'))
        return false;
    while (ref->at < ref->end) {
        unsigned char c = *ref->at;
        if (c == '\\') {
            ref->at++;
            if (!json_reference_escape(ref, &high))
                return false;
            continue;
        }
        ref->half_surrogate |= high;
        high = false;
        if (c == '"') {
            ref->at++;
            return true;
        }
        if (c < 0x20)
            return false;
        if (c < 0x80)
            ref->at++;
        else if (!json_reference_utf8(ref))
            return false;
    }
    return false;
}

/* What stands between two brackets; `names` for an object. */
static inline bool json_reference_list(struct json_reference *ref, unsigned char close, bool names)
{
    json_reference_space(ref);
    if (json_reference_take(ref, close))
        return true;
    for (;;) {
        json_reference_space(ref);
        if (names) {
            if (!json_reference_string(ref))
                return false;
            json_reference_space(ref);
            if (!json_reference_take(ref, ':'))
                return false;
        }
        if (!json_reference_value(ref))
            return false;
        if (json_reference_take(ref, close))
            return true;
        if (!json_reference_take(ref, ','))
            return false;
    }
}

static inline bool json_reference_container(struct json_reference *ref)
{
    bool object = *ref->at++ == '{';

    if (ref->depth == JSON_REFERENCE_DEPTH_MAX) {
        ref->too_deep = true;
        return false;
    }
    ref->depth++;
    if (ref->depth > ref->deepest)
        ref->deepest = ref->depth;
    bool good = json_reference_list(ref, object ? '}' : ']', object);
    ref->depth--;
    return good;
}

/* ws value ws */
static inline bool json_reference_value(struct json_reference *ref)
{
    bool good = false;

    json_reference_space(ref);
    if (ref->at == ref->end)
        return false;
    switch (*ref->at) {
    case '{':
    case '[':
        good = json_reference_container(ref);
        break;
    case '"':
        good = json_reference_string(ref);
        break;
    case 't':
        good = json_reference_word(ref, "true");
        break;
    case 'f':
        good = json_reference_word(ref, "false");
        break;
    case 'n':
        good = json_reference_word(ref, "null");
        break;
    default:
        good = json_reference_number(ref);
        break;
    }
    json_reference_space(ref);
    return good;
}

/* Whether the bytes are one JSON text in UTF-8, and nothing besides. */
static inline bool json_reference_accepts(struct json_reference *ref, const void *bytes, size_t len)
{
    *ref = (struct json_reference){.at = bytes, .end = (const unsigned char *)bytes + len};
    return json_reference_value(ref) && ref->at == ref->end;
}

#endif
