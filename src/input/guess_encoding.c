/*
 * Chinese text is told by its bytes: GB 2312 has the 3755 usual characters at B0–D7 with a second
 * byte of A1 on, Big5 has its 5401 at A4–C6, with half of the second bytes below 7F. Whichever sort
 * is more frequent is meant. A single byte of 80 on between letters is one of Windows' western set.
 * An encoding in which something is illegal, or a private-use character, is none.
 */
#include "input/guess_encoding.h"

#include <unistr.h>

#include "input/encoding.h"

enum { MESSAGE_MAX = 512 };

/* How well some bytes fit: pairs, and single bytes, that are usual. */
typedef long fit_fn(struct span bytes);

static unsigned byte_at(struct span bytes, size_t i)
{
    return i < bytes.len ? (unsigned char)bytes.ptr[i] : 0;
}

/* Usual pairs less the others, where a byte of 80 on takes the next one with it. */
static long count_pairs(struct span bytes, unsigned first, unsigned last, bool has_low_trails)
{
    long fit = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        unsigned lead = byte_at(bytes, i), trail = byte_at(bytes, i + 1);
        if (lead < 0x80)
            continue;
        bool is_pair = trail >= 0xa1 || (has_low_trails && trail >= 0x40 && trail < 0x7f);
        bool is_usual = (lead >= first && lead <= last) || (lead >= 0xa1 && lead <= 0xa3);
        fit += is_pair && is_usual ? 2 : -1;
        i++;
    }
    return fit;
}

static long fit_gb18030(struct span bytes)
{
    return count_pairs(bytes, 0xb0, 0xd7, false);
}

static long fit_big5(struct span bytes)
{
    return count_pairs(bytes, 0xa4, 0xc6, true);
}

static long fit_windows_1252(struct span bytes)
{
    long fit = 0;

    for (size_t i = 0; i < bytes.len; i++)
        if (byte_at(bytes, i) >= 0x80)
            fit +=
                (i == 0 || byte_at(bytes, i - 1) < 0x80) && byte_at(bytes, i + 1) < 0x80 ? 1 : -2;
    return fit;
}

/* Bytes of 0 at every second place. */
static long count_zeros(struct span bytes, size_t from)
{
    long fit = 0;

    for (size_t i = 0; i + 1 < bytes.len; i += 2)
        fit += bytes.ptr[i + from] == '\0' && bytes.ptr[i + 1 - from] != '\0' ? 2 : -1;
    return fit;
}

static long fit_utf_16le(struct span bytes)
{
    return count_zeros(bytes, 1);
}

static long fit_utf_16be(struct span bytes)
{
    return count_zeros(bytes, 0);
}

static const struct {
    const char *name;
    fit_fn *fit;
} encodings[] = {{"utf-16le", fit_utf_16le},
                 {"utf-16be", fit_utf_16be},
                 {"gb18030", fit_gb18030},
                 {"big5", fit_big5},
                 {"windows-1252", fit_windows_1252}};

enum status guess_decode(struct span bytes, const char *name, struct buf *out)
{
    struct encoding *encoding = NULL;
    struct buf message;
    size_t made = 0;

    if (name == NULL || encoding_name_is_utf8(name)) {
        buf_add(out, bytes);
        return out->status;
    }
    buf_init(&message, MESSAGE_MAX);
    enum status status = encoding_open(name, &message, &encoding);
    buf_deinit(&message);
    while (status == STATUS_OK) {
        if (!buf_reserve(out, ENCODING_ROOM_MIN + bytes.len))
            status = out->status;
        else
            status = encoding_decode(encoding, &bytes, true, out->ptr + out->len,
                                     out->capacity - out->len, &made);
        out->len += status == STATUS_OK ? made : 0;
    }
    encoding_close(encoding);
    return status == STATUS_END ? STATUS_OK : status;
}

/* Whether all characters are ordinary ones: none is illegal, for private use, or a control of
 * Latin 1, which are what another encoding looks like. */
static bool is_sound(struct span text)
{
    while (text.len > 0) {
        ucs4_t c = 0;
        int len = u8_mbtoucr(&c, (const uint8_t *)text.ptr, text.len);
        if (len <= 0 || (c >= 0xe000 && c <= 0xf8ff) || (c >= 0x80 && c < 0xa0) || c >= 0xf0000 ||
            c == 0)
            return false;
        text = span_skip(text, (size_t)len);
    }
    return true;
}

static enum status try(struct span bytes, const char *name, bool *ret_is_sound)
{
    struct buf text;

    buf_init(&text, 8 * bytes.len + 1024);
    enum status status = guess_decode(bytes, name, &text);
    *ret_is_sound = status == STATUS_OK && is_sound(buf_span(&text));
    buf_deinit(&text);
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

enum status guess_encoding(struct span bytes, const char *given, const char **ret_name)
{
    bool fits = false;
    long best = 0;
    enum status status = try(bytes, given, &fits);

    *ret_name = fits ? given : NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(encodings) && !fits && status == STATUS_OK; i++) {
        bool is_sound_text = false;
        long fit = encodings[i].fit(bytes);
        if (fit <= best)
            continue;
        status = try(bytes, encodings[i].name, &is_sound_text);
        if (!is_sound_text)
            continue;
        best = fit;
        *ret_name = encodings[i].name;
    }
    return status;
}
