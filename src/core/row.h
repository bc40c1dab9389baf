/*
 * A row as a reader hands it on: one cell for each column that the reader knows of so far, by
 * position. Cells are spans into the reader's memory and are valid until the next row is read.
 */
#ifndef NB_CORE_ROW_H
#define NB_CORE_ROW_H

#include "core/span.h"

enum cell_kind {
    CELL_ABSENT, /* an empty CSV cell, or no such member in this JSONL row */
    CELL_TEXT,   /* CSV: untyped text, never empty */
    CELL_STRING, /* JSON string; the span is its value, escapes resolved */
    CELL_NUMBER, /* JSON number; the span is its digits as written */
    CELL_BOOL,   /* true or false */
    CELL_NULL,   /* null */
    CELL_JSON,   /* array or object; the span is its text as written */
};

struct cell {
    enum cell_kind kind;
    struct span text;
    struct span given; /* with the blanks around it, where an unquoted CSV cell has any; else NULL.
                          Numbers, times and names, and a row's key, go by `text`; what is sent or
                          carried as a text is this */
};

/* What is sent where the cell is a text. */
static inline struct span cell_as_given(const struct cell *cell)
{
    return cell->given.ptr != NULL ? cell->given : cell->text;
}

/* Whether there is a value: an empty cell and null are none. */
static inline bool cell_is_given(const struct cell *cell)
{
    return cell->kind != CELL_ABSENT && cell->kind != CELL_NULL;
}

struct row {
    uint64_t number; /* counts data rows from 1 */
    uint64_t line;   /* the physical line on which it starts, from 1 */
    const struct cell *cells;
    size_t cell_count; /* equals the reader's column count */
};

#endif
