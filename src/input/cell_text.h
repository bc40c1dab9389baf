/*
 * What is in the cells of a workbook, as text: numbers digit for digit, days and times in the
 * platform's form. Decides and does nothing else. The file format is ECMA-376, part 1, section 18.
 */
#ifndef NB_INPUT_CELL_TEXT_H
#define NB_INPUT_CELL_TEXT_H

#include "core/buf.h"

enum {
    CELL_COLUMNS_MAX = 16384, /* A … XFD */
    CELL_ROWS_MAX = 1048576,
    CELL_NAME_MAX = 16,    /* "XFD1048576" and its NUL */
    CELL_NUMBER_MAX = 400, /* bytes of a number, as it is stored and as it is written, and a NUL */
    CELL_DATE_MAX = 32,
};

/* A rectangle of cells, both corners included; columns from 0, rows from 1. */
struct cell_range {
    uint32_t first_column, first_row, last_column, last_row;
};

/* "C17": column 2, row 17. False for what names no cell of a sheet. */
bool cell_name_parse(struct span name, uint32_t *ret_column, uint32_t *ret_row);

/* "A1:C3", or "A1" alone. */
bool cell_range_parse(struct span text, struct cell_range *ret_range);

void cell_name_write(uint32_t column, uint32_t row, char out[CELL_NAME_MAX]);

/* "A1:C3". */
void cell_range_write(const struct cell_range *range, char out[2 * CELL_NAME_MAX]);

/*
 * The text of a number as it is stored: digit for digit. Two things are not a number's digits but
 * the way in which a program writes a double, and are undone: seventeen significant digits with a
 * point or an exponent become the shortest ones that name the same double (1.1000000000000001 is
 * 1.1), and an exponent is carried out (8.6582003131E+14, 1E-4) where that takes no more than 18
 * digits of a whole number, which a 64-bit integer holds, or 21 places of a fraction. False for
 * what is no number.
 */
bool cell_number_text(struct span stored, char out[CELL_NUMBER_MAX]);

/*
 * The text of a date's number, rounded to a second: YYYY-MM-DDThh:mm:ss, or hh:mm:ss where it is
 * less than a day and so names no day. Days count from 1900-01-01 = 1, with the 29 February 1900
 * that Excel has (60), or from 1904-01-01 = 0. False for what lies outside the years 1900–9999:
 * that is a number, whatever its format.
 */
bool cell_date_text(double days, bool is_1904, char out[CELL_DATE_MAX]);

/*
 * The same for a date that is stored as ISO 8601 text: "2030-01-31", "2030-01-31T08:00:00.4". A Z
 * behind it is dropped: a sheet has no zone. False for what is none.
 */
bool cell_iso_date_text(struct span stored, char out[CELL_DATE_MAX]);

/* Whether a number format shows a date or a time: by its number (section 18.8.30), by its code. */
bool cell_format_id_is_date(uint32_t id);
bool cell_format_is_date(const char *code);

/* Carries out the _xHHHH_ of a string (section 22.9.2.19), in place. */
void cell_unescape(struct buf *text);

/* Drops the blanks around what is in `text` from `start` on: without xml:space="preserve" they are
 * layout, to Excel and LibreOffice. */
void cell_trim_from(struct buf *text, size_t start);

#endif
