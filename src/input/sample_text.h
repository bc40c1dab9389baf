/*
 * The start of a table as text, taken apart without its reader, since it is not known yet how it is
 * to be read: lines, cells, and what the cells of a column look like. A guess, for a person to
 * agree to. Pure.
 *
 *     while (rest.len > 0) {
 *         struct span line = sample_take_line(&rest, is_sheet), cell;
 *         while (sample_take_cell(&line, ',', &cell)) …
 *     }
 *     sample_see(rows, ',', is_sheet, &seen);            // the lines below the header
 */
#ifndef NB_INPUT_SAMPLE_TEXT_H
#define NB_INPUT_SAMPLE_TEXT_H

#include "core/buf.h"
#include "input/reader.h"

/* What the cells of a column are that are not empty. */
struct column_seen {
    size_t cells;
    size_t devices; /* of them: 15 digits, as an IMEI has, the first one no 0 */
    size_t fitting; /* of these: the last digit is the check digit */
    size_t values;  /* numbers, true and false, and words for true and false */
    size_t words;   /* of these: such words, 开, off */
};

/* The next line, or record of a sheet, without its end. */
struct span sample_take_line(struct span *rest, bool is_sheet);

/* The next cell, without blanks and quotes around it; false behind the last. */
bool sample_take_cell(struct span *rest, char delimiter, struct span *ret_cell);

/* Whether a reader passes over the line in front of the header. */
bool sample_is_blank(struct span line, char delimiter);

/* Whether a cell holds what an IMEI looks like. */
bool sample_is_device(struct span cell);

/* Looks at all cells of some lines; `ret_seen` has a place for each column. */
void sample_see(struct span rows, char delimiter, bool is_sheet,
                struct column_seen ret_seen[READER_COLUMNS_MAX]);

/* Appends the column's words for true (`value`) or false, "开,是", each once. */
void sample_add_words(struct span rows, char delimiter, bool is_sheet, size_t column, bool value,
                      struct buf *out);

#endif
