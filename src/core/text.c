#include "core/text.h"

#include <unistr.h>
#include <uniwidth.h>

#define MILLIONTHS UINT64_C(1000000)

bool text_is_utf8(struct span text)
{
    size_t i = 0;

    if (text.len == 0) /* its pointer may be NULL */
        return true;
    /* Most input is ASCII: 32 bytes at a time, then eight. */
    for (uint64_t words[4]; i + sizeof(words) <= text.len; i += sizeof(words)) {
        memcpy(words, text.ptr + i, sizeof(words));
        if (((words[0] | words[1] | words[2] | words[3]) & 0x8080808080808080u) != 0)
            break;
    }
    for (uint64_t word; i + sizeof(word) <= text.len; i += sizeof(word)) {
        memcpy(&word, text.ptr + i, sizeof(word));
        if ((word & 0x8080808080808080u) != 0)
            break;
    }
    return u8_check((const uint8_t *)text.ptr + i, text.len - i) == NULL;
}

size_t text_utf8_prefix(struct span text)
{
    const uint8_t *bad = text.len > 0 ? u8_check((const uint8_t *)text.ptr, text.len) : NULL;

    return bad != NULL ? (size_t)(bad - (const uint8_t *)text.ptr) : text.len;
}

bool text_is_invisible(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0x80, 0xa0},       {0xad, 0xad},     {0x61c, 0x61c},   {0x180e, 0x180e},
                  {0x2000, 0x200f},   {0x2028, 0x202f}, {0x205f, 0x206f}, {0x3164, 0x3164},
                  {0xe000, 0xf8ff},   {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
                  {0xf0000, 0x10ffff}};

    for (size_t i = 0; i < ARRAY_LENGTH(ranges); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

size_t text_printable_prefix(struct span text)
{
    size_t i = 0;

    while (i < text.len) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c < 0x7f) {
            i++;
            continue;
        }
        if (c < 0x80)
            break;
        ucs4_t wide = 0;
        int len = u8_mbtoucr(&wide, (const uint8_t *)text.ptr + i, text.len - i);
        if (len <= 0 || text_is_invisible(wide))
            break;
        i += (size_t)len;
    }
    return i;
}

bool text_has_control(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        unsigned char second = i + 1 < text.len ? (unsigned char)text.ptr[i + 1] : 0;
        unsigned char third = i + 2 < text.len ? (unsigned char)text.ptr[i + 2] : 0;
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && second < 0xa0) ||
            (c == 0xe2 && second == 0x80 && third >= 0xa8 && third <= 0xae) ||
            (c == 0xe2 && second == 0x81 && third >= 0xa6 && third <= 0xa9))
            return true;
    }
    return false;
}

static bool is_blank(ucs4_t c)
{
    static const struct {
        ucs4_t first, last;
    } ranges[] = {
        {0x0000, 0x0020}, {0x007f, 0x00a0}, {0x00ad, 0x00ad}, {0x061c, 0x061c},
        {0x1680, 0x1680}, {0x180e, 0x180e}, {0x2000, 0x200f}, {0x2028, 0x202f},
        {0x205f, 0x206f}, {0x3000, 0x3000}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(ranges); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

size_t text_blank_prefix(struct span text)
{
    ucs4_t c = 0;

    if (text.len == 0)
        return 0;
    if ((unsigned char)text.ptr[0] < 0x80)
        return is_blank((unsigned char)text.ptr[0]) ? 1 : 0;
    int len = u8_mbtoucr(&c, (const uint8_t *)text.ptr, text.len);
    return len > 0 && is_blank(c) ? (size_t)len : 0;
}

/* The same at the end of the text. */
static size_t blank_suffix(struct span text)
{
    size_t at = text.len;

    if (at == 0)
        return 0;
    do
        at--;
    while (at > 0 && ((unsigned char)text.ptr[at] & 0xc0) == 0x80 && text.len - at < 4);
    size_t len = text_blank_prefix(span_skip(text, at));
    return len == text.len - at ? len : 0;
}

struct span text_trim_blanks(struct span text)
{
    size_t len;

    while ((len = text_blank_prefix(text)) > 0)
        text = span_skip(text, len);
    while ((len = blank_suffix(text)) > 0)
        text.len -= len;
    return text;
}

size_t text_cut(struct span text, size_t max)
{
    size_t len = max;

    if (text.len <= max)
        return text.len;
    while (len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
        len--;
    return len;
}

enum { NEAREST_MAX_LENGTH = 40 };

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The Damerau–Levenshtein distance (optimal string alignment); both at most NEAREST_MAX_LENGTH
 * long. */
static size_t edit_distance(struct span a, struct span b)
{
    size_t rows[3][NEAREST_MAX_LENGTH + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];

    for (size_t j = 0; j <= b.len; j++)
        last[j] = before[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = last[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);
            now[j] = min_size(change, min_size(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
                now[j] = min_size(now[j], before[j - 2] + 1);
        }
        size_t *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[b.len];
}

bool text_is_slip(struct span text, struct span word)
{
    return text.len <= NEAREST_MAX_LENGTH && word.len + 1 >= text.len && word.len <= text.len + 1 &&
           edit_distance(text, word) == 1;
}

/* The decimals of a share as millionths; the point stands before them. */
static bool parse_decimals(struct span decimals, uint64_t *millionths)
{
    uint64_t unit = MILLIONTHS / 100;

    if (decimals.len == 0 || decimals.len > 4)
        return false;
    for (size_t i = 0; i < decimals.len; i++) {
        if (!is_digit(decimals.ptr[i]))
            return false;
        unit /= 10;
        *millionths += (uint64_t)(decimals.ptr[i] - '0') * unit;
    }
    return true;
}

bool text_parse_share(struct span text, uint64_t *ret_millionths)
{
    uint64_t value;

    if (text.len == 0 || text.ptr[text.len - 1] != '%')
        return false;
    text.len--;
    const char *point = text.len > 0 ? memchr(text.ptr, '.', text.len) : NULL;
    size_t whole = point != NULL ? (size_t)(point - text.ptr) : text.len;
    if (span_to_uint64(span_of(text.ptr, whole), &value) != STATUS_OK || value > 100)
        return false;
    value *= MILLIONTHS / 100;
    if (point != NULL && !parse_decimals(span_skip(text, whole + 1), &value))
        return false;
    if (value > MILLIONTHS)
        return false;
    *ret_millionths = value;
    return true;
}

struct span text_take_piece(struct span *rest)
{
    const char *comma = rest->len > 0 ? memchr(rest->ptr, ',', rest->len) : NULL;
    size_t len = comma != NULL ? (size_t)(comma - rest->ptr) : rest->len;
    struct span piece = span_of(rest->ptr, len);

    *rest = span_skip(*rest, len + (comma != NULL ? 1 : 0));
    return piece;
}

const char *text_nearest(struct span text, const char *const *words, size_t count)
{
    const char *best = NULL;
    size_t best_distance = text.len / 3 + 2; /* farther than this is no suggestion */

    if (text.len > NEAREST_MAX_LENGTH)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (words[i] == NULL || strlen(words[i]) > NEAREST_MAX_LENGTH)
            continue;
        size_t distance = edit_distance(text, span_string(words[i]));
        if (distance < best_distance && distance < strlen(words[i])) {
            best = words[i];
            best_distance = distance;
        }
    }
    return best;
}

void text_add_item(struct span item, struct buf *list)
{
    struct span rest = buf_span(list);

    while (rest.len > 0)
        if (span_equal(text_take_piece(&rest), item))
            return;
    buf_add_string(list, list->len > 0 ? "," : "");
    buf_add(list, item);
}

size_t text_columns(struct span text)
{
    int width = u8_width((const uint8_t *)text.ptr, text.len, "UTF-8");

    return width > 0 ? (size_t)width : 0;
}
