/*
 * printf into a buffer, in the language that is set. In English vsnprintf does it. In another, the
 * arguments are first taken by the types that the English format gives them, since a translation
 * may name them in another order (%2$s); then each is written by itself, and a string that is the
 * program's own is translated too. Padding counts columns: a Chinese character has two.
 */
#include <stdarg.h>
#include <stdio.h>

#include "core/original.h"
#include "core/text.h"

enum { ARGUMENTS_MAX = 32, WRITTEN_MAX = 512 };

/* A conversion: %[n$][flags][width][.precision][length]kind. */
struct conversion {
    const char *flags;
    size_t flag_count;
    int argument;                           /* from 0 on */
    int width_argument, precision_argument; /* -1: none */
    int width, precision;                   /* -1: none */
    char length;                            /* 'l', 'L' for ll, 'z', 'j'; 0: none */
    char kind;
};

struct argument {
    char length, kind; /* as of the conversion; kind 0: none */
    union {
        long long whole;
        double real;
        const char *text;
    } value;
};

static int read_number(const char **at)
{
    int number = 0;

    while (is_digit(**at) && number < 10000)
        number = number * 10 + *(*at)++ - '0';
    return number;
}

/* "n$" names an argument; else it is the next one. */
static int read_argument(const char **at, int *next)
{
    const char *from = *at;
    int number = read_number(at);

    if (number > 0 && **at == '$') {
        (*at)++;
        return number - 1;
    }
    *at = from;
    return (*next)++;
}

/* A width or precision; -1 where it is in an argument, or not there. */
static int read_size(const char **at, int *next, int *ret_argument)
{
    *ret_argument = -1;
    if (**at == '*') {
        (*at)++;
        *ret_argument = read_argument(at, next);
        return -1;
    }
    return is_digit(**at) ? read_number(at) : -1;
}

static char read_length(const char **at)
{
    char length = strchr("hlzj", **at) != NULL && **at != '\0' ? *(*at)++ : 0;

    if (length != 0 && **at == length) {
        (*at)++;
        return length == 'l' ? 'L' : length;
    }
    return length;
}

/* Reads the conversion behind a '%', which is not "%%". `next` is the argument that comes next. */
static struct conversion read_conversion(const char **at, int *next)
{
    struct conversion found = {.precision = -1, .precision_argument = -1};
    const char *from = *at;
    int named = read_number(at);
    bool is_named = named > 0 && **at == '$';

    *at = is_named ? *at + 1 : from;
    found.flags = *at;
    found.flag_count = strspn(*at, "-+ #0");
    *at += found.flag_count;
    found.width = read_size(at, next, &found.width_argument);
    if (**at == '.') {
        (*at)++;
        found.precision = **at == '*' || is_digit(**at) ? -1 : 0;
        if (found.precision < 0)
            found.precision = read_size(at, next, &found.precision_argument);
    }
    found.length = read_length(at);
    found.argument = is_named ? named - 1 : (*next)++;
    found.kind = **at != '\0' ? *(*at)++ : 0;
    return found;
}

static void note(struct argument arguments[ARGUMENTS_MAX], int i, char length, char kind)
{
    if (i >= 0 && i < ARGUMENTS_MAX) {
        arguments[i].length = length;
        arguments[i].kind = kind;
    }
}

/* What types the arguments have. */
static void note_arguments(const char *format, struct argument arguments[ARGUMENTS_MAX])
{
    int next = 0;

    while ((format = strchr(format, '%')) != NULL) {
        if (*++format == '%') {
            format++;
            continue;
        }
        struct conversion found = read_conversion(&format, &next);
        note(arguments, found.width_argument, 0, 'd');
        note(arguments, found.precision_argument, 0, 'd');
        note(arguments, found.argument, found.length, found.kind);
    }
}

static bool is_unsigned(char kind)
{
    return kind == 'u' || kind == 'x' || kind == 'X' || kind == 'o';
}

static long long whole_of(struct argument argument, va_list *args)
{
    switch (argument.length) {
    case 'L':
        return va_arg(*args, long long);
    case 'l':
        return is_unsigned(argument.kind) ? (long long)va_arg(*args, unsigned long)
                                          : va_arg(*args, long);
    case 'z':
        return (long long)va_arg(*args, size_t);
    case 'j':
        return va_arg(*args, intmax_t);
    default:
        return is_unsigned(argument.kind) ? (long long)va_arg(*args, unsigned) : va_arg(*args, int);
    }
}

static void take_arguments(struct argument arguments[ARGUMENTS_MAX], va_list *args)
{
    for (int i = 0; i < ARGUMENTS_MAX && arguments[i].kind != 0; i++) {
        char kind = arguments[i].kind;
        if (kind == 's')
            arguments[i].value.text = va_arg(*args, const char *);
        else if (strchr("fFeEgG", kind) != NULL)
            arguments[i].value.real = va_arg(*args, double);
        else
            arguments[i].value.whole = whole_of(arguments[i], args);
    }
}

/* An option's name stays what it is, also where a word of the program is the same ("yes"). */
static bool is_name_next(const struct buf *out)
{
    struct span so_far = buf_span(out);

    return so_far.len >= 2 && memcmp(so_far.ptr + (so_far.len - 2), "--", 2) == 0;
}

static void add_text(const char *text, const struct conversion *how, struct buf *out)
{
    const char *shown = how->precision < 0 && !is_name_next(out) ? buf_words(out, text) : text;
    struct span span =
        span_of(shown, how->precision < 0 ? strlen(shown) : strnlen(shown, (size_t)how->precision));
    size_t columns = how->width > 0 ? text_columns(span) : 0;
    bool is_left = memchr(how->flags, '-', how->flag_count) != NULL;
    size_t padding =
        how->width > 0 && (size_t)how->width > columns ? (size_t)how->width - columns : 0;

    for (size_t i = 0; !is_left && i < padding; i++)
        buf_add_char(out, ' ');
    if (out->is_text)
        buf_add(out, span);
    else /* what a translation was put together of may be translated itself */
        original_add(span, out);
    for (size_t i = 0; is_left && i < padding; i++)
        buf_add_char(out, ' ');
}

/* One argument by the conversion that is its own, with its size as it is here. */
static void add_argument(const struct argument *argument, const struct conversion *how,
                         struct buf *out)
{
    char format[32], written[WRITTEN_MAX];
    bool is_real = strchr("fFeEgG", how->kind) != NULL;

    if (how->kind == 's') {
        add_text(argument->value.text, how, out);
        return;
    }
    int width = how->width > 0 ? how->width : 0;
    (void)snprintf(format, sizeof(format), "%%%.*s*.*%s%c", (int)how->flag_count, how->flags,
                   is_real || how->kind == 'c' ? "" : "ll", how->kind);
    int len = is_real ? snprintf(written, sizeof(written), format, width, how->precision,
                                 argument->value.real)
              : how->kind == 'c'
                  ? snprintf(written, sizeof(written), "%*c", width, (int)argument->value.whole)
                  : snprintf(written, sizeof(written), format, width, how->precision,
                             argument->value.whole);
    if (len > 0)
        buf_add_bytes(out, written, len < WRITTEN_MAX ? (size_t)len : WRITTEN_MAX - 1);
}

static int size_of(int size, int argument, const struct argument arguments[ARGUMENTS_MAX])
{
    return argument >= 0 && argument < ARGUMENTS_MAX ? (int)arguments[argument].value.whole : size;
}

static void add_translated(const char *format, const struct argument arguments[ARGUMENTS_MAX],
                           struct buf *out)
{
    int next = 0;

    for (;;) {
        size_t len = strcspn(format, "%");
        buf_add_bytes(out, format, len);
        format += len;
        if (*format == '\0')
            return;
        if (*++format == '%') {
            buf_add_char(out, *format++);
            continue;
        }
        struct conversion how = read_conversion(&format, &next);
        if (how.argument >= ARGUMENTS_MAX || arguments[how.argument].kind == 0)
            return; /* a translation that does not fit: tests/e2e/test_language.py finds it */
        how.width = size_of(how.width, how.width_argument, arguments);
        how.precision = size_of(how.precision, how.precision_argument, arguments);
        add_argument(&arguments[how.argument], &how, out);
    }
}

static void add_english(struct buf *buf, const char *format, va_list args) PRINTF_LIKE(2, 0);

static void add_english(struct buf *buf, const char *format, va_list args)
{
    va_list again;

    va_copy(again, args);
    int needed = vsnprintf(NULL, 0, format, args);
    if (needed > 0 && buf_reserve(buf, (size_t)needed + 1)) {
        (void)vsnprintf(buf->ptr + buf->len, (size_t)needed + 1, format, again);
        buf->len += (size_t)needed;
    }
    va_end(again);
}

static void keep_original(struct span translated, const char *format,
                          const struct argument arguments[ARGUMENTS_MAX])
{
    struct buf english;

    buf_init(&english, ORIGINAL_BYTES_MAX);
    add_translated(format, arguments, &english);
    if (english.status == STATUS_OK)
        original_note(translated, buf_span(&english));
    buf_deinit(&english);
}

const char *buf_foreign_words(const char *text)
{
    const char *words = language_look_up(text);

    if (words != text && original_is_kept())
        original_note(span_string(words), span_string(text));
    return words;
}

void buf_add_quoted(struct buf *buf, struct span text)
{
    struct buf shown;

    buf_init(&shown, 4 * text.len + 1);
    buf_add_printable(&shown, text);
    buf_add_format(buf, "\"%s\"", buf_string(&shown));
    buf_deinit(&shown);
}

void buf_add_format_list(struct buf *buf, const char *format, va_list args)
{
    struct argument arguments[ARGUMENTS_MAX];
    size_t start = buf->len;
    va_list taken;

    if (!language_is_foreign || !buf->is_text) {
        add_english(buf, format, args);
        return;
    }
    for (size_t i = 0; i < ARGUMENTS_MAX; i++)
        arguments[i].kind = 0;
    va_copy(taken, args);
    note_arguments(format, arguments);
    take_arguments(arguments, &taken);
    va_end(taken);
    add_translated(language_of(format), arguments, buf);
    if (original_is_kept())
        keep_original(span_skip(buf_span(buf), start), format, arguments);
}

void buf_add_format(struct buf *buf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_add_format_list(buf, format, args);
    va_end(args);
}

void buf_copy_format(char *out, size_t size, const char *format, ...)
{
    struct buf text;
    va_list args;

    buf_init_text(&text, 64 * 1024);
    va_start(args, format);
    buf_add_format_list(&text, format, args);
    va_end(args);
    size_t len = text_cut(buf_span(&text), size - 1);
    if (len > 0)
        memcpy(out, text.ptr, len);
    out[len] = '\0';
    buf_deinit(&text);
}
