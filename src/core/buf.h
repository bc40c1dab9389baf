/*
 * A byte buffer that grows up to a maximum. It remembers the first failure, so that a row of
 * appends needs one check at its end:
 *
 *     struct buf buf;
 *     buf_init(&buf, 64 * 1024);
 *     buf_add_string(&buf, "{\"data\":");
 *     buf_add(&buf, data);
 *     buf_add_char(&buf, '}');
 *     if (buf.status != STATUS_OK) …
 *     buf_deinit(&buf);
 *
 * After a failure the appends do nothing and the contents stay as they were before the failing one.
 */
#ifndef NB_CORE_BUF_H
#define NB_CORE_BUF_H

#include <stdarg.h>

#include "core/language.h"
#include "core/span.h"

struct buf {
    char *ptr;
    size_t len;
    size_t capacity;
    size_t max;
    enum status status; /* STATUS_OK, STATUS_TOO_BIG or STATUS_NO_MEMORY */
    bool is_text;       /* for people alone: translated as it is written (language.h) */
};

/* An empty buffer that never holds more than `max` bytes. Allocates nothing. */
void buf_init(struct buf *buf, size_t max);

/* The same for what is read by people and by no program: is_text. */
void buf_init_text(struct buf *buf, size_t max);

/* Whether what follows is for people alone, such as not a command among sentences; gives what it
 * was, to be set again. */
static inline bool buf_set_text(struct buf *buf, bool is_text)
{
    bool was_text = buf->is_text;

    buf->is_text = is_text;
    return was_text;
}

/* Frees the contents. Takes NULL and a zeroed struct. */
void buf_deinit(struct buf *buf);

/* Empties the buffer, keeps its memory, forgets an earlier failure. */
void buf_clear(struct buf *buf);

/* Drops the first `count` bytes; `count` is at most `buf->len`. */
void buf_drop(struct buf *buf, size_t count);

/* Makes room for `extra` more bytes; false, and the status set, where that cannot be. buf_grow is
 * for the case that there is no room. */
bool buf_grow(struct buf *buf, size_t extra);

static inline bool buf_reserve(struct buf *buf, size_t extra)
{
    return (buf->status == STATUS_OK && extra <= buf->capacity - buf->len) || buf_grow(buf, extra);
}

void buf_add_bytes(struct buf *buf, const void *bytes, size_t len);
void buf_add_uint64(struct buf *buf, uint64_t value);
void buf_add_int64(struct buf *buf, int64_t value);
/* printf; with is_text in the language that is set (language.h). */
void buf_add_format(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_add_format_list(struct buf *buf, const char *format, va_list args) PRINTF_LIKE(2, 0);

/* snprintf, in the language that is set, cut at the end of a character. */
void buf_copy_format(char *out, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);

/*
 * Appends words, broken into lines of at most `width` columns. The text begins at the column
 * `indent`, where the caller has put it, and each further line with so many spaces. A word longer
 * than a line has one to itself.
 */
void buf_add_wrapped(struct buf *buf, const char *words, size_t indent, size_t width);

/* The length of what is not broken at the text's start: up to a space, or to where a Chinese
 * character begins or ends. */
size_t wrap_piece_length(const char *text);

/* Appends text with everything that is not printable as \n, \t or \xNN (control characters, bad
 * UTF-8), and characters that nobody sees as <U+00A0>. */
void buf_add_printable(struct buf *buf, struct span text);

/* The same in quotation marks, those of the language. */
void buf_add_quoted(struct buf *buf, struct span text);

/* Copies text as buf_add_printable writes it, cut at the end of a character to `size` - 1 bytes,
 * with a NUL behind it. */
void buf_copy_printable(char *out, size_t size, struct span text);

/* Appends text as UTF-8: each byte that is none, such as in the name of a file, becomes U+FFFD. */
void buf_add_utf8(struct buf *buf, struct span text);

/* Appends text as a JSON string, with its quotes, and as UTF-8. And the same without the quotes, as
 * a part of a longer string, of what is UTF-8. */
void buf_add_json_string(struct buf *buf, struct span text);
void buf_add_json_text(struct buf *buf, struct span text);

/* Appends the number, or null where there is none. */
void buf_add_json_number(struct buf *buf, bool is_there, int64_t value);

/* Appends text with everything that is not unreserved in a URI (RFC 3986 section 2.3)
 * percent-encoded. */
void buf_add_percent_encoded(struct buf *buf, struct span text);

static inline void buf_add(struct buf *buf, struct span span)
{
    if (span.len > 0 && buf_reserve(buf, span.len)) {
        memcpy(buf->ptr + buf->len, span.ptr, span.len);
        buf->len += span.len;
    }
}

/* The translation of a text of the program's own. */
const char *buf_foreign_words(const char *text);

/* The text as the buffer is to have it. */
static inline const char *buf_words(const struct buf *buf, const char *text)
{
    return language_is_foreign && buf->is_text ? buf_foreign_words(text) : text;
}

static inline void buf_add_string(struct buf *buf, const char *text)
{
    buf_add(buf, span_string(buf_words(buf, text)));
}

static inline void buf_add_char(struct buf *buf, char c)
{
    if (buf->status == STATUS_OK && buf->len < buf->capacity)
        buf->ptr[buf->len++] = c;
    else
        buf_add_bytes(buf, &c, 1);
}

static inline struct span buf_span(const struct buf *buf)
{
    return span_of(buf->ptr, buf->len);
}

/* The contents as a C string, or "" for an empty buffer. Valid until the next append. */
const char *buf_string(struct buf *buf);

#endif
