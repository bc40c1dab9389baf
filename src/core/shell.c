#include "core/shell.h"

static bool is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c >= 0x80 || strchr("_-./:,+=@%", c) != NULL;
}

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

static void add_escaped(const char *word, struct buf *out)
{
    buf_add_string(out, "$'");
    for (; *word != '\0'; word++) {
        unsigned char c = (unsigned char)*word;
        if (is_control(c))
            buf_add_format(out, "\\%03o", c);
        else if (c == '\'' || c == '\\')
            buf_add_format(out, "\\%c", c);
        else
            buf_add_char(out, (char)c);
    }
    buf_add_char(out, '\'');
}

static void add_quoted(const char *word, struct buf *out)
{
    buf_add_char(out, '\'');
    for (; *word != '\0'; word++) {
        if (*word == '\'')
            buf_add_string(out, "'\\''");
        else
            buf_add_char(out, *word);
    }
    buf_add_char(out, '\'');
}

void shell_add_word(const char *word, struct buf *out)
{
    bool plain = *word != '\0', control = false;

    for (const char *at = word; *at != '\0'; at++) {
        plain = plain && is_plain((unsigned char)*at);
        control = control || is_control((unsigned char)*at);
    }
    if (plain)
        buf_add(out, span_string(word));
    else if (control)
        add_escaped(word, out);
    else
        add_quoted(word, out);
}

void shell_add_file(const char *name, struct buf *out)
{
    if (name[0] == '-' && name[1] != '\0')
        buf_add_string(out, "./");
    shell_add_word(name, out);
}
