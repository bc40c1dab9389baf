/*
 * CSV as plainly as it can be written, by the rules that input/reader.h states: what the reader is
 * compared with. All of the input lies in memory; rows have no maximum.
 */
#ifndef NB_TESTS_CSV_REFERENCE_H
#define NB_TESTS_CSV_REFERENCE_H

#include "core/buf.h"

enum { CSV_REFERENCE_CELLS_MAX = 1100 }; /* further ones are counted only */

enum csv_reference_status { CSV_REFERENCE_END, CSV_REFERENCE_ROW, CSV_REFERENCE_FAULT };

struct csv_reference {
    struct span rest;
    size_t line; /* of the next byte */
    char before; /* the byte before it */
    /* The last row. */
    size_t row_line;
    size_t cell_count;
    struct buf bytes;
    size_t ends[CSV_REFERENCE_CELLS_MAX];
};

/* The next byte, or -1 at the end. */
static inline int csv_reference_peek(const struct csv_reference *ref)
{
    return ref->rest.len > 0 ? (unsigned char)ref->rest.ptr[0] : -1;
}

static inline bool csv_reference_at_end_of_line(const struct csv_reference *ref)
{
    int c = csv_reference_peek(ref);
    return c == -1 || c == '\n' || c == '\r';
}

static inline void csv_reference_step(struct csv_reference *ref)
{
    char c = ref->rest.ptr[0];

    if (c == '\r' || (c == '\n' && ref->before != '\r'))
        ref->line++;
    ref->before = c;
    ref->rest = span_skip(ref->rest, 1);
}

static inline void csv_reference_end_line(struct csv_reference *ref)
{
    bool cr = csv_reference_peek(ref) == '\r';

    if (ref->rest.len > 0)
        csv_reference_step(ref);
    if (cr && csv_reference_peek(ref) == '\n')
        csv_reference_step(ref);
}

static inline void csv_reference_skip_blanks(struct csv_reference *ref)
{
    while (csv_reference_peek(ref) == ' ' || csv_reference_peek(ref) == '\t')
        csv_reference_step(ref);
}

static inline void csv_reference_add(struct csv_reference *ref)
{
    buf_add_char(&ref->bytes, ref->rest.ptr[0]);
    csv_reference_step(ref);
}

static inline bool csv_reference_quoted(struct csv_reference *ref)
{
    csv_reference_step(ref);
    for (;;) {
        if (csv_reference_peek(ref) == -1)
            return false;
        if (csv_reference_peek(ref) != '"') {
            csv_reference_add(ref);
            continue;
        }
        csv_reference_step(ref);
        if (csv_reference_peek(ref) != '"')
            break;
        csv_reference_add(ref);
    }
    csv_reference_skip_blanks(ref);
    return csv_reference_peek(ref) == ',' || csv_reference_at_end_of_line(ref);
}

static inline bool csv_reference_cell(struct csv_reference *ref)
{
    size_t start = ref->bytes.len;

    csv_reference_skip_blanks(ref);
    if (csv_reference_peek(ref) == '"') {
        if (!csv_reference_quoted(ref))
            return false;
    } else {
        while (csv_reference_peek(ref) != ',' && !csv_reference_at_end_of_line(ref)) {
            if (csv_reference_peek(ref) == '"')
                return false;
            csv_reference_add(ref);
        }
        while (ref->bytes.len > start && (ref->bytes.ptr[ref->bytes.len - 1] == ' ' ||
                                          ref->bytes.ptr[ref->bytes.len - 1] == '\t'))
            ref->bytes.len--;
    }
    if (ref->cell_count < CSV_REFERENCE_CELLS_MAX)
        ref->ends[ref->cell_count] = ref->bytes.len;
    ref->cell_count++;
    return true;
}

/* The next row that is not blank, and not of delimiters alone. Behind a fault, the rest of its
 * physical line is skipped. */
static inline enum csv_reference_status csv_reference_next(struct csv_reference *ref)
{
    buf_clear(&ref->bytes);
    ref->cell_count = 0;
    for (;;) {
        csv_reference_skip_blanks(ref);
        if (ref->rest.len == 0)
            return CSV_REFERENCE_END;
        if (!csv_reference_at_end_of_line(ref))
            break;
        csv_reference_end_line(ref);
    }
    ref->row_line = ref->line;
    for (;;) {
        if (!csv_reference_cell(ref)) {
            while (!csv_reference_at_end_of_line(ref))
                csv_reference_step(ref);
            csv_reference_end_line(ref);
            return CSV_REFERENCE_FAULT;
        }
        if (csv_reference_peek(ref) != ',')
            break;
        csv_reference_step(ref);
    }
    csv_reference_end_line(ref);
    return ref->bytes.len == 0 && ref->cell_count > 1 ? csv_reference_next(ref) : CSV_REFERENCE_ROW;
}

/* How many cells there are but for the empty ones at the right; one at least. */
static inline size_t csv_reference_width(const struct csv_reference *ref)
{
    size_t width = ref->cell_count;

    if (width > CSV_REFERENCE_CELLS_MAX)
        return width;
    while (width > 1 && ref->ends[width - 1] == ref->ends[width - 2])
        width--;
    return width;
}

static inline struct span csv_reference_text(const struct csv_reference *ref, size_t cell)
{
    size_t start = cell == 0 ? 0 : ref->ends[cell - 1];
    bool empty = ref->ends[cell] == start; /* then there may be no memory to point into */
    return empty ? span_of("", 0) : span_of(ref->bytes.ptr + start, ref->ends[cell] - start);
}

#endif
