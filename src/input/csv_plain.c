#include "input/csv_plain.h"

#include <endian.h>

#include "input/source.h"

enum { WORD_BYTES = 8 };

_Static_assert((int)SOURCE_BEHIND_BYTES >= WORD_BYTES &&
                   (int)CSV_PLAIN_BYTES >= CSV_PLAIN_MAX + 2 * WORD_BYTES,
               "room");

/* On the way through a plain row. Both pointers may be read and written a few bytes beyond what is
 * theirs. */
struct walk {
    const char *at, *end;
    char *to;
    uint64_t seen; /* all bits that were met */
};

/* Copies up to the next quote, delimiter or control character, or to the end. A byte's top bit in
 * `stops` is set as in skip_ascii of core/jsonlex.c, but not by the top bit of the byte itself. */
static inline void copy_text(struct walk *walk, char delimiter)
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    const uint64_t delimiters = each * (unsigned char)delimiter;
    uint64_t word, stops;

    do {
        memcpy(&word, walk->at, WORD_BYTES);
        memcpy(walk->to, &word, WORD_BYTES);
        word = le64toh(word);
        walk->seen |= word;
        stops = ((word ^ each * '"') - each) | ((word ^ delimiters) - each) | (word - each * ' ');
        stops &= ~word & each * 0x80;
        size_t len = stops != 0 ? (size_t)__builtin_ctzll(stops) / 8 : WORD_BYTES;
        walk->at += len;
        walk->to += len;
    } while (stops == 0 && walk->at < walk->end);
}

/* Copies a cell that starts with a quote, up to what is behind it; false where a control character
 * or the end comes first. */
static inline bool copy_quoted(struct walk *walk)
{
    for (walk->at++;; walk->at++, walk->to++) {
        copy_text(walk, '"');
        if (walk->at >= walk->end || *walk->at != '"')
            return false;
        if (*++walk->at != '"')
            return true;
    }
}

/* The same for one that does not; false where there is a blank at its edge. */
static inline bool copy_bare(struct walk *walk, char delimiter)
{
    const char *start = walk->at;

    copy_text(walk, delimiter);
    return walk->at == start || (*start != ' ' && walk->at[-1] != ' ');
}

size_t csv_plain_split(struct span block, size_t max, char delimiter, char *to,
                       size_t ends[READER_COLUMNS_MAX], struct csv_plain *ret_plain)
{
    struct walk walk = {.at = block.ptr, .to = to};
    size_t count = 0;

    max = max < block.len ? max : block.len;
    walk.end = block.ptr + (max < CSV_PLAIN_MAX ? max : CSV_PLAIN_MAX);
    do {
        bool is_good = *walk.at == '"' ? copy_quoted(&walk) : copy_bare(&walk, delimiter);
        if (!is_good || walk.at >= walk.end)
            return 0;
        if (count < READER_COLUMNS_MAX)
            ends[count] = (size_t)(walk.to - to);
        count++;
        *walk.to++ = ',';
    } while (*walk.at++ == delimiter);
    size_t len = (size_t)(walk.at - block.ptr);
    if (len < 2 || (walk.at[-1] != '\n' && walk.at[-1] != '\r'))
        return 0;
    *ret_plain = (struct csv_plain){count, (size_t)(walk.to - to),
                                    (walk.seen & UINT64_C(0x8080808080808080)) == 0};
    return len;
}
