/*
 * A span is bytes that somebody else owns: pointer and length, not NUL-terminated. Spans travel
 * through the program; C strings stop at the borders of libraries.
 */
#ifndef NB_CORE_SPAN_H
#define NB_CORE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/status.h"

struct span {
    const char *ptr;
    size_t len;
};

/* For printf: printf("%.*s", SPAN_ARG(span)). */
#define SPAN_ARG(span)     (int)(span).len, ((span).len > 0 ? (span).ptr : "")
#define SPAN_LITERAL(text) ((struct span){(text), sizeof(text) - 1})

static inline struct span span_of(const char *ptr, size_t len)
{
    return (struct span){ptr, len};
}

static inline struct span span_string(const char *text)
{
    return (struct span){text, strlen(text)};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_is(struct span span, const char *text)
{
    return span_equal(span, span_string(text));
}

static inline bool span_starts_with(struct span span, const char *prefix)
{
    size_t len = strlen(prefix);
    return span.len >= len && memcmp(span.ptr, prefix, len) == 0;
}

static inline struct span span_skip(struct span span, size_t count)
{
    return (struct span){span.ptr + count, span.len - count};
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool is_hex_digit(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Of a hexadecimal digit. */
static inline unsigned hex_digit_value(char c)
{
    return is_digit(c) ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
}

/*
 * Reads a whole span as a decimal integer: an optional minus sign and digits, nothing else (no plus
 * sign, no space). STATUS_SYNTAX when it is not one, STATUS_RANGE when it does not fit into 64
 * bits.
 */
enum status span_to_int64(struct span span, int64_t *ret_value) MUST_USE;

/* The same for an unsigned number: digits only. */
enum status span_to_uint64(struct span span, uint64_t *ret_value) MUST_USE;

#endif
