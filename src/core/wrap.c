/*
 * Text in lines. Words are kept whole, except that a line may end at any Chinese character, which
 * have no spaces between them; but punctuation does not begin a line, nor an opening bracket end
 * it.
 */
#include <unistr.h>
#include <uniwidth.h>

#include "core/buf.h"

/* A character that is two columns wide; 0 at the end of the text. */
static size_t wide_length(const char *text)
{
    ucs4_t c = 0;
    int len = (unsigned char)*text >= 0x80 ? u8_strmbtouc(&c, (const uint8_t *)text) : 0;

    return len > 0 && uc_width(c, "UTF-8") == 2 ? (size_t)len : 0;
}

static bool is_any_of(const char *text, size_t len, const char *characters)
{
    return len > 0 && memmem(characters, strlen(characters), text, len) != NULL;
}

size_t wrap_piece_length(const char *text)
{
    bool was_wide = false, was_opening = true;
    size_t len = 0;

    while (text[len] != '\0' && text[len] != ' ') {
        size_t wide = wide_length(text + len), size = wide > 0 ? wide : 1;
        bool closes = is_any_of(text + len, size, "，。；：？！、）》」』】”’,.;:?!)]");
        if (!was_opening && !closes && (wide > 0 || was_wide))
            break;
        was_opening = is_any_of(text + len, size, "（《「『【“‘([");
        was_wide = wide > 0;
        len += size;
    }
    return len;
}

void buf_add_wrapped(struct buf *buf, const char *words, size_t indent, size_t width)
{
    size_t column = indent;

    for (words = buf_words(buf, words); *words != '\0';) {
        bool has_space = *words == ' ';
        words += has_space;
        size_t len = wrap_piece_length(words);
        int columns = language_is_foreign ? u8_width((const uint8_t *)words, len, "UTF-8") : 0;
        size_t needed = (columns > 0 ? (size_t)columns : len) + has_space;
        if (column > indent && column + needed > width) {
            buf_add_format(buf, "\n%*s", (int)indent, "");
            column = indent;
        }
        if (has_space && column == indent)
            needed--;
        else if (has_space)
            buf_add_char(buf, ' ');
        buf_add_bytes(buf, words, len);
        column += needed;
        words += len;
    }
}
