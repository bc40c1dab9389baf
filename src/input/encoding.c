#include "input/encoding.h"

#include <errno.h>
#include <iconv.h>
#include <strings.h>

enum {
    ILLEGAL = 0xff,     /* comes before the two digits of an illegal byte */
    ILLEGAL_LEN = 3,    /* with them */
    HELD_BACK_MAX = 16, /* bytes that iconv may still owe for a character that could have grown */
    CHARACTER_MAX = 8,  /* bytes of one in any encoding */
    UNIT_MAX = 4,
};

#define NO_ICONV ((iconv_t)(intptr_t)-1)

/* No text: a NUL is no digit. */
static const char hex[16] = {'0', '1', '2', '3', '4', '5', '6', '7',
                             '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};

struct encoding {
    iconv_t decode;
    iconv_t encode;
    size_t unit; /* bytes that an illegal one takes with it: 2 for UTF-16, 4 for UTF-32, else 1 */
};

/* Longer marks first: UTF-32LE starts as UTF-16LE does. */
static const struct encoding_mark marks[] = {
    {"\xff\xfe\0\0", 4, "UTF-32LE", "UTF-32 (little-endian)"},
    {"\0\0\xfe\xff", 4, "UTF-32BE", "UTF-32 (big-endian)"},
    {"\x84\x31\x95\x33", 4, "GB18030", "GB18030"},
    {"\xef\xbb\xbf", 3, "UTF-8", "UTF-8"},
    {"\xff\xfe", 2, "UTF-16LE", "UTF-16 (little-endian)"},
    {"\xfe\xff", 2, "UTF-16BE", "UTF-16 (big-endian)"},
};

enum status encoding_find_mark(struct span start, bool is_all,
                               const struct encoding_mark **ret_mark)
{
    for (size_t i = 0; i < ARRAY_LENGTH(marks); i++) {
        size_t len = marks[i].len < start.len ? marks[i].len : start.len;
        if (len > 0 && memcmp(start.ptr, marks[i].bytes, len) != 0)
            continue;
        if (len == marks[i].len) {
            *ret_mark = &marks[i];
            return STATUS_OK;
        }
        if (!is_all)
            return STATUS_AGAIN;
    }
    *ret_mark = NULL;
    return STATUS_OK;
}

bool encoding_name_is_utf8(const char *name)
{
    return strcasecmp(name, "UTF-8") == 0 || strcasecmp(name, "UTF8") == 0;
}

/* iconv's name for it: always one that neither drops nor adds a byte order mark. */
static const char *exact_name(const char *name)
{
    static const char *const names[][2] = {
        {"UTF-16", "UTF-16LE"}, {"UTF16", "UTF-16LE"},   {"UTF-32", "UTF-32LE"},
        {"UTF32", "UTF-32LE"},  {"UNICODE", "UTF-16LE"}, {"UCS-2", "UTF-16LE"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (strcasecmp(name, names[i][0]) == 0)
            return names[i][1];
    return name;
}

bool encoding_mark_gives_order(const char *name, const struct encoding_mark *mark)
{
    const char *exact = exact_name(name);

    return exact != name && strncmp(exact, mark->encoding, strlen("UTF-16")) == 0;
}

/* How many bytes behind `text` take back what it switched to: more than 0 where there is a state
 * that outlives a row. */
static size_t count_reset_bytes(iconv_t encode, const char *text)
{
    char bytes[64];
    char *from = (char *)text, *to = bytes;
    size_t left = strlen(text), room = sizeof(bytes);

    (void)iconv(encode, NULL, NULL, NULL, NULL);
    (void)iconv(encode, &from, &left, &to, &room);
    size_t before = room;
    (void)iconv(encode, NULL, NULL, &to, &room);
    return before - room;
}

static bool has_state(iconv_t encode)
{
    /* A letter of each script that such encodings switch for; those they lack change nothing. */
    static const char *const letters[] = {"\xc3\xa9", "\xd0\xb6", "\xe4\xb8\xad", "\xe3\x81\x82",
                                          "\xea\xb0\x80"};

    for (size_t i = 0; i < ARRAY_LENGTH(letters); i++)
        if (count_reset_bytes(encode, letters[i]) > 0)
            return true;
    return false;
}

/* How many bytes a letter has: the step by which an encoding of fixed units goes on. */
static size_t unit_of(iconv_t encode)
{
    char text[] = "a", bytes[8];
    char *from = text, *to = bytes;
    size_t left = 1, room = sizeof(bytes);

    (void)iconv(encode, &from, &left, &to, &room);
    size_t unit = sizeof(bytes) - room;
    return unit >= 1 && unit <= UNIT_MAX ? unit : 1;
}

static enum status refuse(const char *name, const char *why, struct buf *message)
{
    buf_add_string(message, "encoding ");
    buf_add_printable(message, span_string(name));
    buf_add_string(message, why);
    return STATUS_USAGE;
}

enum status encoding_open(const char *name, struct buf *message, struct encoding **ret_encoding)
{
    static const char unknown[] = " is not known here: give one such as gb18030, gbk, big5, "
                                  "utf-16 or windows-1252 (iconv -l lists them)";
    struct encoding *encoding = calloc(1, sizeof(*encoding));

    if (encoding == NULL)
        return STATUS_NO_MEMORY;
    encoding->decode = encoding->encode = NO_ICONV;
    /* A slash begins iconv's own options, which may drop text; an empty name is the locale's. */
    if (name[0] != '\0' && strchr(name, '/') == NULL && strlen(name) < ENCODING_NAME_MAX) {
        encoding->decode = iconv_open("UTF-8", exact_name(name));
        encoding->encode = iconv_open(exact_name(name), "UTF-8");
    }
    if (encoding->decode == NO_ICONV || encoding->encode == NO_ICONV) {
        encoding_close(encoding);
        return refuse(name, unknown, message);
    }
    if (has_state(encoding->encode)) {
        encoding_close(encoding);
        return refuse(name,
                      " switches between alphabets, so that its rows do not stand alone: "
                      "convert the file with iconv to UTF-8 first",
                      message);
    }
    encoding_reset(encoding);
    encoding->unit = unit_of(encoding->encode);
    *ret_encoding = encoding;
    return STATUS_OK;
}

void encoding_close(struct encoding *encoding)
{
    if (encoding == NULL)
        return;
    if (encoding->decode != NO_ICONV)
        (void)iconv_close(encoding->decode);
    if (encoding->encode != NO_ICONV)
        (void)iconv_close(encoding->encode);
    free(encoding);
}

void encoding_reset(struct encoding *encoding)
{
    (void)iconv(encoding->decode, NULL, NULL, NULL, NULL);
    (void)iconv(encoding->encode, NULL, NULL, NULL, NULL);
}

bool encoding_agrees(struct encoding *encoding, const struct encoding_mark *mark)
{
    struct span in = span_of(mark->bytes, mark->len);
    char out[ENCODING_ROOM_MIN];
    size_t made = 0;

    enum status status = encoding_decode(encoding, &in, true, out, sizeof(out), &made);
    encoding_reset(encoding);
    return status == STATUS_OK && in.len == 0 && span_is(span_of(out, made), "\xef\xbb\xbf");
}

/* Where the next bytes of output go. */
struct output {
    char *to;
    size_t room;
};

/* Writes what iconv still owes, and the unit at the front of `in` as illegal bytes; false where
 * there is no room for it. */
static bool pass_illegal(struct encoding *encoding, struct span *in, struct output *out)
{
    size_t count = encoding->unit < in->len ? encoding->unit : in->len;

    if (out->room < HELD_BACK_MAX + UNIT_MAX * ILLEGAL_LEN)
        return false;
    (void)iconv(encoding->decode, NULL, NULL, &out->to, &out->room);
    for (size_t i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)in->ptr[i];
        *out->to++ = (char)ILLEGAL;
        *out->to++ = hex[byte >> 4];
        *out->to++ = hex[byte & 15];
        out->room -= ILLEGAL_LEN;
    }
    *in = span_skip(*in, count);
    return true;
}

enum status encoding_decode(struct encoding *encoding, struct span *in, bool is_last, char *out,
                            size_t room, size_t *ret_made)
{
    struct output output = {out, room};

    while (in->len > 0) {
        char *from = (char *)in->ptr;
        size_t left = in->len;
        size_t result = iconv(encoding->decode, &from, &left, &output.to, &output.room);
        int error = result == (size_t)-1 ? errno : 0;
        *in = span_of(from, left);
        if (error == 0)
            continue;
        if (error == E2BIG || (error == EINVAL && !is_last))
            break;
        if (!pass_illegal(encoding, in, &output))
            break;
    }
    if (in->len == 0 && is_last && output.room >= HELD_BACK_MAX)
        (void)iconv(encoding->decode, NULL, NULL, &output.to, &output.room);
    *ret_made = room - output.room;
    return *ret_made == 0 && in->len == 0 && is_last ? STATUS_END : STATUS_OK;
}

/* Appends `text`, which holds no illegal bytes; with NULL, what iconv still owes. */
static enum status encode_legal(struct encoding *encoding, struct span text, struct buf *out)
{
    char *from = (char *)text.ptr;
    size_t left = text.len, result = 0, wanted = CHARACTER_MAX;

    do {
        if (!buf_reserve(out, wanted))
            return out->status;
        char *to = out->ptr + out->len;
        size_t room = out->capacity - out->len;
        result = iconv(encoding->encode, text.ptr != NULL ? &from : NULL, &left, &to, &room);
        out->len = (size_t)(to - out->ptr);
        wanted = room + CHARACTER_MAX;
    } while (result == (size_t)-1 && errno == E2BIG);
    return result == (size_t)-1 ? STATUS_SYNTAX : STATUS_OK;
}

/* Appends the byte that `text` starts with the three characters of. */
static enum status encode_illegal(struct span text, struct buf *out)
{
    const char *high = text.len >= ILLEGAL_LEN ? memchr(hex, text.ptr[1], sizeof(hex)) : NULL;
    const char *low = high != NULL ? memchr(hex, text.ptr[2], sizeof(hex)) : NULL;

    if (low == NULL)
        return STATUS_SYNTAX;
    buf_add_char(out, (char)((high - hex) << 4 | (low - hex)));
    return out->status;
}

enum status encoding_encode(struct encoding *encoding, struct span text, struct buf *out)
{
    size_t before = out->len;
    enum status status = STATUS_OK;

    (void)iconv(encoding->encode, NULL, NULL, NULL, NULL);
    while (status == STATUS_OK && text.len > 0) {
        const char *illegal = memchr(text.ptr, ILLEGAL, text.len);
        size_t len = illegal != NULL ? (size_t)(illegal - text.ptr) : text.len;
        status = encode_legal(encoding, span_of(text.ptr, len), out);
        if (status == STATUS_OK)
            status = encode_legal(encoding, span_of(NULL, 0), out);
        text = span_skip(text, len);
        if (status == STATUS_OK && illegal != NULL) {
            status = encode_illegal(text, out);
            text = span_skip(text, text.len < ILLEGAL_LEN ? text.len : ILLEGAL_LEN);
        }
    }
    if (status != STATUS_OK)
        out->len = before;
    return status;
}
