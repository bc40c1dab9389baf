#include "report/fill.h"

#include "core/text.h"
#include "report/html.h"

static const struct fill_value *find(const struct fill *fill, struct span name)
{
    for (; fill != NULL; fill = fill->outer)
        for (size_t i = 0; i < fill->count; i++)
            if (span_is(name, fill->values[i].name))
                return &fill->values[i];
    return NULL;
}

static bool is_given(const struct fill_value *value)
{
    return value->count > 0 || value->real > 0 || (value->text != NULL && value->text[0] != '\0');
}

static void add_plain(const struct fill_value *value, struct buf *out)
{
    if (value->kind == FILL_SECONDS)
        buf_add_format(out, "%.3f", value->real);
    else
        buf_add_uint64(out, value->count);
}

static void add_value(const struct fill *fill, const struct fill_value *value, struct buf *out)
{
    switch (value->kind) {
    case FILL_TEXT:
        html_add_string(value->text != NULL ? value->text : "", out);
        break;
    case FILL_COUNT:
        html_add_count(value->count, out);
        break;
    case FILL_SHARE:
        html_add_share(value->count, value->whole, out);
        break;
    case FILL_BYTES:
        html_add_bytes(value->count, out);
        break;
    case FILL_LATENCY:
        html_add_latency(value->count, out);
        break;
    case FILL_SECONDS:
        html_add_duration(value->real, out);
        break;
    case FILL_RATE:
        html_add_rate(value->real, out);
        break;
    case FILL_TIME:
        html_add_time((int64_t)value->count, out);
        break;
    case FILL_LIST:
    case FILL_DRAWN:
        value->list(fill, span_of("", 0), out);
        break;
    }
}

/* A placeholder of the text: {{, a sign or none, the name, }}. */
struct tag {
    char sign;        /* '#', '^', '/', '=' or 0 */
    struct span name; /* NULL: there is no tag any more */
    size_t at, end;   /* of the tag in the text, with its line where it is alone in it */
};

static struct tag next_tag(struct span text, size_t from)
{
    const char *open = memmem(text.ptr + from, text.len - from, "{{", 2);
    struct tag tag = {.at = text.len, .end = text.len};

    if (open == NULL)
        return tag;
    tag.at = (size_t)(open - text.ptr);
    const char *close = memmem(open, text.len - tag.at, "}}", 2);
    if (close == NULL)
        return tag;
    tag.end = (size_t)(close - text.ptr) + 2;
    tag.name = span_of(open + 2, (size_t)(close - open) - 2);
    if (tag.name.len > 0 && strchr("#^/=", tag.name.ptr[0]) != NULL) {
        tag.sign = tag.name.ptr[0];
        tag.name = span_skip(tag.name, 1);
    }
    if (tag.sign != 0 && tag.sign != '=' && (tag.at == 0 || open[-1] == '\n') &&
        tag.end < text.len && text.ptr[tag.end] == '\n')
        tag.end++;
    return tag;
}

/* The tag that closes the one before `from`. */
static struct tag closing_tag(struct span text, size_t from, struct span name)
{
    struct tag tag = next_tag(text, from);

    for (size_t depth = 0; tag.name.ptr != NULL; tag = next_tag(text, tag.end)) {
        if (!span_equal(tag.name, name))
            continue;
        if (tag.sign == '/' && depth-- == 0)
            break;
        depth += tag.sign == '#' || tag.sign == '^';
    }
    return tag;
}

static void add_section(const struct fill *fill, char sign, const struct fill_value *value,
                        struct span part, struct buf *out)
{
    if (value->kind == FILL_LIST)
        value->list(fill, part, out);
    else if (is_given(value) == (sign == '#'))
        fill_add(fill, part, out);
}

void fill_add(const struct fill *fill, struct span part, struct buf *out)
{
    size_t at = 0;

    for (;;) {
        struct tag tag = next_tag(part, at);
        buf_add(out, span_of(part.ptr + at, tag.at - at));
        if (tag.name.ptr == NULL)
            return;
        const struct fill_value *value = find(fill, tag.name);
        at = tag.end;
        if (value == NULL) {
            out->status = STATUS_SYNTAX;
            return;
        }
        if (tag.sign == '#' || tag.sign == '^') {
            struct tag close = closing_tag(part, at, tag.name);
            add_section(fill, tag.sign, value, span_of(part.ptr + at, close.at - at), out);
            at = close.end;
        } else if (tag.sign == '=') {
            add_plain(value, out);
        } else {
            add_value(fill, value, out);
        }
    }
}

/* What is in front of the next tag of HTML, and the tag. */
static struct span take_words(struct span *rest)
{
    const char *open = memchr(rest->ptr, '<', rest->len);
    struct span words = span_of(rest->ptr, open != NULL ? (size_t)(open - rest->ptr) : rest->len);

    *rest = span_skip(*rest, words.len);
    return words;
}

static struct span take_html_tag(struct span *rest)
{
    const char *close = memchr(rest->ptr, '>', rest->len);
    struct span tag =
        span_of(rest->ptr, close != NULL ? (size_t)(close - rest->ptr) + 1 : rest->len);

    *rest = span_skip(*rest, tag.len);
    return tag;
}

static void add_words(struct span words, struct buf *out)
{
    struct span text = text_trim_blanks(words);
    const char *translation = language_find(text);

    if (translation == NULL) {
        buf_add(out, words);
        return;
    }
    buf_add(out, span_of(words.ptr, (size_t)(text.ptr - words.ptr)));
    buf_add_string(out, translation);
    buf_add(out, span_skip(words, (size_t)(text.ptr - words.ptr) + text.len));
}

static void add_html_tag(struct span tag, struct buf *out)
{
    static const char english[] = "<html lang=\"en\"", chinese[] = "<html lang=\"zh\"";
    size_t len = span_starts_with(tag, english) ? sizeof(english) - 1 : 0;

    buf_add(out, span_of(chinese, len));
    buf_add(out, span_skip(tag, len));
}

void fill_add_page(const struct fill *fill, struct span page, struct buf *out)
{
    struct buf translated;

    if (!language_is_foreign) {
        fill_add(fill, page, out);
        return;
    }
    buf_init(&translated, out->max);
    while (page.len > 0) {
        add_words(take_words(&page), &translated);
        add_html_tag(take_html_tag(&page), &translated);
    }
    if (translated.status != STATUS_OK)
        out->status = translated.status;
    fill_add(fill, buf_span(&translated), out);
    buf_deinit(&translated);
}
