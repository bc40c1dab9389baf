#include "core/buf.h"

#include <unistr.h>

#include "core/text.h"

enum { BUF_FIRST_CAPACITY = 128 };

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void buf_init_text(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max, .is_text = true};
}

void buf_deinit(struct buf *buf)
{
    if (buf == NULL)
        return;
    free(buf->ptr);
    *buf = (struct buf){.max = buf->max, .is_text = buf->is_text};
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->status = STATUS_OK;
}

void buf_drop(struct buf *buf, size_t count)
{
    if (count == 0)
        return;
    memmove(buf->ptr, buf->ptr + count, buf->len - count);
    buf->len -= count;
}

bool buf_grow(struct buf *buf, size_t extra)
{
    if (buf->status != STATUS_OK)
        return false;
    if (extra > buf->max - buf->len) {
        buf->status = STATUS_TOO_BIG;
        return false;
    }
    size_t needed = buf->len + extra;
    size_t capacity = buf->capacity > 0 ? buf->capacity : BUF_FIRST_CAPACITY;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    if (capacity > buf->max)
        capacity = buf->max;
    char *ptr = realloc(buf->ptr, capacity);
    if (ptr == NULL) {
        buf->status = STATUS_NO_MEMORY;
        return false;
    }
    buf->ptr = ptr;
    buf->capacity = capacity;
    return true;
}

void buf_add_bytes(struct buf *buf, const void *bytes, size_t len)
{
    if (len == 0 || !buf_reserve(buf, len))
        return;
    memcpy(buf->ptr + buf->len, bytes, len);
    buf->len += len;
}

void buf_add_uint64(struct buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buf_add(buf, span_of(digits + at, sizeof(digits) - at));
}

void buf_add_int64(struct buf *buf, int64_t value)
{
    if (value < 0) {
        buf_add_char(buf, '-');
        buf_add_uint64(buf, 0 - (uint64_t)value);
    } else {
        buf_add_uint64(buf, (uint64_t)value);
    }
}

void buf_add_printable(struct buf *buf, struct span text)
{
    while (text.len > 0) {
        size_t len = text_printable_prefix(text);
        buf_add_bytes(buf, text.ptr, len);
        text = span_skip(text, len);
        if (text.len == 0)
            break;
        unsigned char c = (unsigned char)text.ptr[0];
        ucs4_t wide = 0;
        int wide_len = u8_mbtoucr(&wide, (const uint8_t *)text.ptr, text.len);
        if (wide_len > 1) { /* a character, and invisible */
            buf_add_format(buf, "<U+%04X>", (unsigned)wide);
            text = span_skip(text, (size_t)wide_len);
            continue;
        }
        if (c == '\n')
            buf_add_string(buf, "\\n");
        else if (c == '\t')
            buf_add_string(buf, "\\t");
        else if (c == '\r')
            buf_add_string(buf, "\\r");
        else
            buf_add_format(buf, "\\x%02x", c);
        text = span_skip(text, 1);
    }
}

void buf_copy_printable(char *out, size_t size, struct span text)
{
    struct buf shown;

    buf_init(&shown, text.len * 4 + 1);
    buf_add_printable(&shown, text);
    size_t len = text_cut(buf_span(&shown), size - 1);
    if (shown.ptr != NULL)
        memcpy(out, shown.ptr, len);
    out[len] = '\0';
    buf_deinit(&shown);
}

void buf_add_json_text(struct buf *buf, struct span text)
{
    while (text.len > 0) {
        size_t len = 0;
        while (len < text.len && (unsigned char)text.ptr[len] >= 0x20 && text.ptr[len] != '"' &&
               text.ptr[len] != '\\')
            len++;
        buf_add_bytes(buf, text.ptr, len);
        text = span_skip(text, len);
        if (text.len == 0)
            break;
        char c = text.ptr[0];
        if (c == '"' || c == '\\')
            buf_add_format(buf, "\\%c", c);
        else if (c == '\n')
            buf_add_string(buf, "\\n");
        else if (c == '\r')
            buf_add_string(buf, "\\r");
        else if (c == '\t')
            buf_add_string(buf, "\\t");
        else
            buf_add_format(buf, "\\u%04x", (unsigned char)c);
        text = span_skip(text, 1);
    }
}

void buf_add_utf8(struct buf *buf, struct span text)
{
    for (;;) {
        size_t len = text_utf8_prefix(text);
        buf_add(buf, span_of(text.ptr, len));
        if (len == text.len)
            return;
        buf_add_string(buf, "\xef\xbf\xbd");
        text = span_skip(text, len + 1);
    }
}

void buf_add_json_string(struct buf *buf, struct span text)
{
    struct buf clean;

    buf_init(&clean, 3 * text.len + 1);
    if (!text_is_utf8(text)) {
        buf_add_utf8(&clean, text);
        text = buf_span(&clean);
        buf->status = clean.status != STATUS_OK ? clean.status : buf->status;
    }
    buf_add_char(buf, '"');
    buf_add_json_text(buf, text);
    buf_add_char(buf, '"');
    buf_deinit(&clean);
}

void buf_add_json_number(struct buf *buf, bool is_there, int64_t value)
{
    if (is_there)
        buf_add_int64(buf, value);
    else
        buf_add_string(buf, "null");
}

void buf_add_percent_encoded(struct buf *buf, struct span text)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool unreserved = is_digit((char)c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          c == '-' || c == '.' || c == '_' || c == '~';
        if (unreserved) {
            buf_add_char(buf, (char)c);
        } else {
            char encoded[3] = {'%', hex[c >> 4], hex[c & 15]};
            buf_add_bytes(buf, encoded, sizeof(encoded));
        }
    }
}

const char *buf_string(struct buf *buf)
{
    if (buf->len == 0)
        return "";
    if (buf->len == buf->capacity) {
        char *ptr = realloc(buf->ptr, buf->capacity + 1);
        if (ptr == NULL)
            return "";
        buf->ptr = ptr;
        buf->capacity++;
    }
    buf->ptr[buf->len] = '\0';
    return buf->ptr;
}
