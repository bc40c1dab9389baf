/* What the targets of parsers in memory share: a copy of the input in memory of its exact size, so
 * that a sanitizer sees the first byte that is read beyond what the parser may. */
#ifndef NB_TESTS_FUZZ_HELP_H
#define NB_TESTS_FUZZ_HELP_H

#include "core/buf.h"
#include "core/text.h"

/* As assert, but in every kind of build. */
#define MUST(condition)   \
    do                    \
        if (!(condition)) \
            abort();      \
    while (0)

/* Only the bytes: for parsers that ask for none behind. To be freed. */
static inline char *exact_copy(const void *bytes, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);

    MUST(copy != NULL);
    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

/* With the one byte behind that cJSON wants to look at. What it is must change nothing. */
static inline char *copy_with_byte_behind(const void *bytes, size_t size, char behind)
{
    char *copy = malloc(size + 1);

    MUST(copy != NULL);
    if (size > 0)
        memcpy(copy, bytes, size);
    copy[size] = behind;
    return copy;
}

/* Bytes that a parser which looks at the one behind could take for a part of the text. */
static const char bytes_behind[] = {'\0', '0', ']', '}', '"', ' ', 'e'};

static inline bool is_printable(struct span text)
{
    return text_printable_prefix(text) == text.len;
}

#endif
