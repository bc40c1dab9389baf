#include "core/original.h"

struct original {
    char *translated, *english;
    size_t len; /* of the translation; 0: the place is free */
};

static _Thread_local struct original known[ORIGINALS_MAX];
static _Thread_local size_t next; /* the oldest, which gives its place */
static _Thread_local bool is_on;

void original_keep(bool on)
{
    for (size_t i = 0; i < ORIGINALS_MAX; i++) {
        free(known[i].translated);
        free(known[i].english);
        known[i] = (struct original){.translated = NULL};
    }
    is_on = on && language_is_foreign;
}

bool original_is_kept(void)
{
    return is_on;
}

/* The longest that the text begins with; NULL: none. */
static const struct original *find(struct span text, size_t *ret_len)
{
    const struct original *found = NULL;

    *ret_len = 0;
    for (size_t i = 0; i < ORIGINALS_MAX; i++) {
        size_t len = known[i].len;
        if (len > *ret_len && len <= text.len && known[i].translated[0] == text.ptr[0] &&
            memcmp(text.ptr, known[i].translated, len) == 0) {
            found = &known[i];
            *ret_len = len;
        }
    }
    return found;
}

void original_note(struct span translated, struct span english)
{
    size_t len;

    if (!is_on || translated.len == 0 || translated.len > ORIGINAL_BYTES_MAX ||
        english.len > ORIGINAL_BYTES_MAX || span_equal(translated, english))
        return;
    /* A text that is said again and again does not push out others; singular and plural may be one.
     */
    const struct original *same = find(translated, &len);
    bool is_known = len == translated.len;
    struct original *place = is_known ? &known[same - known] : &known[next];
    char *copies[] = {strndup(translated.ptr, translated.len), strndup(english.ptr, english.len)};
    if (copies[0] == NULL || copies[1] == NULL) {
        free(copies[0]);
        free(copies[1]);
        return;
    }
    free(place->translated);
    free(place->english);
    *place =
        (struct original){.translated = copies[0], .english = copies[1], .len = translated.len};
    next = is_known ? next : (next + 1) % ORIGINALS_MAX;
}

void original_add(struct span text, struct buf *out)
{
    while (text.len > 0) {
        size_t len;
        const struct original *found = is_on ? find(text, &len) : NULL;
        if (found != NULL)
            buf_add(out, span_string(found->english));
        else
            buf_add_char(out, text.ptr[0]);
        text = span_skip(text, found != NULL ? len : 1);
    }
}
