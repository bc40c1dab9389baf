/*
 * A format fits where its fixed text is in the sentence and its conversions can have made the rest.
 * Of several the one with the most fixed text is taken. What a conversion has made may be a
 * sentence itself ("not sent: ..."), and is translated in its turn; so may the parts of a sentence
 * that no format fits, at its colons and semicolons.
 */
#include "core/retranslate.h"

#include <ctype.h>

#include "core/original.h"

enum { PARTS_MAX = 12, DEPTH_MAX = 4, SENTENCE_MAX = 4096, TRIES_MAX = 20 * 1000 };

struct fit {
    struct span parts[PARTS_MAX]; /* what the conversions made, in their order */
    size_t count, fixed;          /* fixed: bytes of fixed text */
    size_t tries;                 /* of all that was tried: many conversions can share a text */
};

/* The length of the conversion that the format begins with; its kind. "%.*s" has two arguments. */
static size_t conversion_length(struct span format, char *ret_kind)
{
    size_t len = 1;

    while (len < format.len && strchr("0123456789$-+#.*hlzj", format.ptr[len]) != NULL)
        len++;
    *ret_kind = len < format.len ? format.ptr[len] : '\0';
    return len + 1;
}

static bool can_be(char kind, struct span text)
{
    if (kind == 's')
        return true;
    for (size_t i = 0; i < text.len; i++)
        if (!is_hex_digit(text.ptr[i]) && strchr("+-.", text.ptr[i]) == NULL)
            return kind == 'c' && text.len == 1;
    return text.len > 0;
}

static bool fits(struct span format, struct span text, struct fit *fit)
{
    char kind;

    while (format.len > 0 && format.ptr[0] != '%') {
        if (text.len == 0 || text.ptr[0] != format.ptr[0])
            return false;
        format = span_skip(format, 1);
        text = span_skip(text, 1);
        fit->fixed++;
    }
    if (format.len == 0)
        return text.len == 0;
    size_t len = conversion_length(format, &kind);
    if (len > format.len || fit->count == PARTS_MAX)
        return false;
    struct span rest = span_skip(format, len);
    if (kind == '%')
        return text.len > 0 && text.ptr[0] == '%' && fits(rest, span_skip(text, 1), fit);
    struct fit before = *fit;
    for (size_t taken = rest.len == 0 ? text.len : 0; taken <= text.len; taken++) {
        size_t tries = fit->tries + 1;
        if (tries > TRIES_MAX)
            return false;
        *fit = before;
        fit->tries = tries;
        fit->parts[fit->count++] = span_of(text.ptr, taken);
        if (can_be(kind, fit->parts[before.count]) && fits(rest, span_skip(text, taken), fit))
            return true;
    }
    return false;
}

static void translate(struct span sentence, unsigned depth, struct buf *out);

/* Whether it is English of several words: what a library, a server or the database has said. */
static bool is_phrase(struct span text)
{
    bool has_space = false;

    for (size_t i = 0; i < text.len; i++) {
        if (span_starts_with(span_skip(text, i), "…")) /* something was left out */
            i += strlen("…") - 1;
        else if ((unsigned char)text.ptr[i] >= 0x80)
            return false;
        has_space |= text.ptr[i] == ' ';
    }
    return has_space && isalpha((unsigned char)text.ptr[0]) && !span_starts_with(text, "nbatch ");
}

static bool ends_with(struct span text, const char *end)
{
    size_t len = strlen(end);

    return text.len >= len && memcmp(text.ptr + (text.len - len), end, len) == 0;
}

/* What nobody translates is a quotation among words that are. */
static void add_part(struct span part, unsigned depth, struct buf *out)
{
    size_t start = out->len;
    bool is_quoted = ends_with(buf_span(out), "“") || ends_with(buf_span(out), "\"");

    translate(part, depth, out);
    if (is_quoted || !is_phrase(part) || !span_equal(span_skip(buf_span(out), start), part))
        return;
    out->len = start;
    buf_add_string(out, "“");
    buf_add(out, part);
    buf_add_string(out, "”");
}

/* Writes the translation with the parts in place of its conversions. */
static void fill(struct span format, const struct fit *fit, unsigned depth, struct buf *out)
{
    size_t next = 0;
    char kind;

    while (format.len > 0) {
        const char *at = memchr(format.ptr, '%', format.len);
        buf_add(out, span_of(format.ptr, at != NULL ? (size_t)(at - format.ptr) : format.len));
        format = span_skip(format, at != NULL ? (size_t)(at - format.ptr) : format.len);
        if (format.len == 0)
            return;
        size_t len = conversion_length(format, &kind);
        bool is_named = format.len > 2 && is_digit(format.ptr[1]) && format.ptr[2] == '$';
        size_t part = is_named ? (size_t)(format.ptr[1] - '1') : next++;
        bool is_left_out = memmem(format.ptr, len, ".0s", 3) != NULL;
        format = span_skip(format, len);
        if (kind == '%') {
            next--;
            buf_add_char(out, '%');
        } else if (part < fit->count && !is_left_out) {
            add_part(fit->parts[part], depth + 1, out);
        }
    }
}

/* "not sent: …", "…; …": each part by itself. */
static void translate_parts(struct span sentence, unsigned depth, struct buf *out)
{
    static const char *const ends[] = {": ", "; "};
    static const char *const marks[] = {"：", "；"};

    for (size_t i = 0; i < ARRAY_LENGTH(ends); i++) {
        const char *end = memmem(sentence.ptr, sentence.len, ends[i], 2);
        struct span first = span_of(sentence.ptr, end != NULL ? (size_t)(end - sentence.ptr) : 0);
        if (end == NULL || language_find(first) == NULL)
            continue;
        buf_add_string(out, language_find(first));
        buf_add_string(out, marks[i]);
        translate(span_skip(sentence, first.len + 2), depth + 1, out);
        return;
    }
    /* "fleet.xlsx: the sheet …": the name stays. */
    const char *colon = memmem(sentence.ptr, sentence.len, ": ", 2);
    size_t name = colon != NULL ? (size_t)(colon - sentence.ptr) + 2 : sentence.len;
    buf_add(out, span_of(sentence.ptr, name));
    if (colon != NULL)
        translate(span_skip(sentence, name), depth + 1, out);
}

static void translate(struct span sentence, unsigned depth, struct buf *out)
{
    struct span format, translation, best = {NULL, 0};
    struct fit fit, best_fit = {.fixed = 0};

    if (depth > DEPTH_MAX || sentence.len > SENTENCE_MAX || sentence.len < 3) {
        buf_add(out, sentence);
        return;
    }
    for (size_t i = 0; language_entry(i, &format, &translation); i++) {
        fit = (struct fit){.count = 0};
        if (fits(format, sentence, &fit) && fit.fixed > best_fit.fixed) {
            best_fit = fit;
            best = translation;
        }
    }
    /* A format of little but conversions fits anything. */
    if (best.ptr != NULL && (best_fit.fixed >= 8 || best_fit.count == 0))
        fill(best, &best_fit, depth, out);
    else
        translate_parts(sentence, depth, out);
}

/* Pieces of the sentence may have been translated before. */
static void keep_original(struct span translated, struct span sentence)
{
    struct buf english;

    buf_init(&english, ORIGINAL_BYTES_MAX);
    original_add(sentence, &english);
    if (english.status == STATUS_OK)
        original_note(translated, buf_span(&english));
    buf_deinit(&english);
}

void retranslate(struct span sentence, struct buf *out)
{
    size_t start = out->len;

    if (!language_is_foreign || !out->is_text) {
        buf_add(out, sentence);
        return;
    }
    translate(sentence, 0, out);
    if (original_is_kept())
        keep_original(span_skip(buf_span(out), start), sentence);
}

void retranslate_said(struct span text, struct buf *out)
{
    size_t start = out->len;

    if (!language_is_foreign || !out->is_text) {
        buf_add(out, text);
        return;
    }
    add_part(text, 0, out);
    if (original_is_kept())
        keep_original(span_skip(buf_span(out), start), text);
}
