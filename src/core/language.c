/*
 * The catalogue is a file of msgfmt's (GNU gettext manual, "The Format of GNU MO Files"): its texts
 * are sorted, so that they are found by bisection. The program's own texts lie where the linker put
 * them and stay there: a small table in front of the search remembers by address what was found,
 * for each thread its own.
 */
#include "core/language.h"

#include <strings.h>

#include "core/catalogue.h"

enum {
    COUNT_AT = 8,
    TEXTS_AT = 12,
    TRANSLATIONS_AT = 16,
    ENTRY_BYTES = 8,
    KNOWN_MAX = 1024,
    ERRORS_MAX = 134
};

/* Of the linker: where the image begins, and where what was initialized ends. */
extern const char __executable_start[], edata[];

/* Where the C library has its texts for errno, from the first to the last. */
static uintptr_t errors_start, errors_end;

bool language_is_foreign;

void language_set(enum language language)
{
    language_is_foreign = language == LANGUAGE_CHINESE;
    errors_start = UINTPTR_MAX;
    errors_end = 0;
    for (int i = 1; i < ERRORS_MAX; i++) {
        uintptr_t at = (uintptr_t)strerrordesc_np(i);
        if (at != 0 && at < errors_start)
            errors_start = at;
        if (at != 0 && at > errors_end)
            errors_end = at;
    }
}

/* Whether the text is the program's own, or the C library's for an errno. */
static bool is_own(uintptr_t at)
{
    return (at >= (uintptr_t)__executable_start && at < (uintptr_t)edata) ||
           (at >= errors_start && at <= errors_end);
}

bool language_of_variable(const char *value, enum language *ret_language)
{
    if (value == NULL || value[0] == '\0')
        return false;
    bool is_chinese = strncasecmp(value, "zh", 2) == 0 && strchr("_-.:@", value[2]) != NULL;
    *ret_language = is_chinese ? LANGUAGE_CHINESE : LANGUAGE_ENGLISH;
    return true;
}

/* The numbers of the catalogue are little-endian. */
static size_t number_at(size_t at)
{
    const unsigned char *bytes = (const unsigned char *)zh_CN_mo + at;
    return (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 |
           (size_t)bytes[3] << 24;
}

/* The text of an entry; its NUL is behind it. */
static struct span entry(size_t table, size_t i)
{
    size_t at = number_at(table) + i * ENTRY_BYTES;
    return span_of(zh_CN_mo + number_at(at + 4), number_at(at));
}

static int compare(struct span text, struct span other)
{
    int order = memcmp(text.ptr, other.ptr, text.len < other.len ? text.len : other.len);
    return order != 0 ? order : (text.len > other.len) - (text.len < other.len);
}

const char *language_find(struct span text)
{
    size_t low = 0, high = number_at(COUNT_AT);

    while (text.len > 0 && low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(text, entry(TEXTS_AT, middle));
        if (order == 0)
            return entry(TRANSLATIONS_AT, middle).ptr;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool language_entry(size_t i, struct span *ret_text, struct span *ret_translation)
{
    if (i >= number_at(COUNT_AT))
        return false;
    *ret_text = entry(TEXTS_AT, i);
    *ret_translation = entry(TRANSLATIONS_AT, i);
    return true;
}

const char *language_look_up(const char *text)
{
    static _Thread_local struct {
        const char *text, *translation;
    } known[KNOWN_MAX];
    uintptr_t at = (uintptr_t)text;

    if (!language_is_foreign || !is_own(at))
        return text;
    size_t slot = (at ^ at >> 10) % KNOWN_MAX;
    if (known[slot].text != text) {
        const char *found = language_find(span_string(text));
        known[slot].text = text;
        known[slot].translation = found != NULL ? found : text;
    }
    return known[slot].translation;
}
