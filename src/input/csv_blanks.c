#include "input/csv_blanks.h"

static bool is_blank(char c, char delimiter)
{
    return (c == ' ' || c == '\t') && c != delimiter;
}

static bool ends_cell(char c, char delimiter)
{
    return c == delimiter || c == '\r' || c == '\n';
}

/* Whether a blank is at the edge of a cell, or may be: most rows have none, and need no second
 * look.
 */
static bool has_blank_at_edge(struct span typed, char delimiter, char blank)
{
    const char *end = typed.ptr + typed.len, *at = typed.ptr;

    if (blank == delimiter)
        return false;
    while ((at = memchr(at, blank, (size_t)(end - at))) != NULL) {
        const char *next = at + 1;
        while (next < end && is_blank(*next, delimiter))
            next++;
        if (at == typed.ptr || ends_cell(at[-1], delimiter) || next == end ||
            ends_cell(*next, delimiter))
            return true;
        at = next;
    }
    return false;
}

/* The offset behind the quoted cell that starts at `at`, or the end. */
static size_t skip_quoted(struct span typed, size_t at)
{
    for (at++; at < typed.len; at++) {
        if (typed.ptr[at] != '"')
            continue;
        if (at + 1 == typed.len || typed.ptr[at + 1] != '"')
            return at + 1;
        at++;
    }
    return at;
}

/*
 * The blanks around a cell without quotes are part of it (RFC 4180, section 2, 4), and libcsv drops
 * them. The row is split once more, to find where its cells begin and end.
 */
static void find_blanks(struct span typed, char delimiter, struct cell *cells, size_t count)
{
    size_t at = 0;

    for (size_t i = 0; i < count && at < typed.len; i++, at++) {
        size_t start = at;
        while (at < typed.len && is_blank(typed.ptr[at], delimiter))
            at++;
        bool is_quoted = at < typed.len && typed.ptr[at] == '"';
        if (is_quoted)
            at = skip_quoted(typed, at);
        while (at < typed.len && !ends_cell(typed.ptr[at], delimiter))
            at++;
        if (!is_quoted && cells[i].text.len > 0 && cells[i].text.len < at - start)
            cells[i].given = span_of(typed.ptr + start, at - start);
    }
}

/* Whether libcsv may have dropped blanks: the cells, with a delimiter or the line end behind each,
 * are shorter than what it was given, and there are some. */
static bool may_have_dropped(struct span typed, size_t bytes)
{
    char last = typed.len > 0 ? typed.ptr[typed.len - 1] : '\0';
    size_t line_end = last == '\n' || last == '\r' ? 1 : 0;

    typed.len -= line_end;
    return typed.len > 0 && bytes != typed.len + 1 &&
           (memchr(typed.ptr, ' ', typed.len) != NULL ||
            memchr(typed.ptr, '\t', typed.len) != NULL);
}

void csv_blanks_find(struct span typed, char delimiter, size_t bytes, struct cell *cells,
                     size_t count)
{
    if (may_have_dropped(typed, bytes) &&
        (has_blank_at_edge(typed, delimiter, ' ') || has_blank_at_edge(typed, delimiter, '\t')))
        find_blanks(typed, delimiter, cells, count);
}
