/*
 * A sheet of a workbook as the CSV (RFC 4180, commas, UTF-8, LF) that its values are, row by row in
 * memory that does not grow with it. A row of the sheet is a record, a row without values an empty
 * line, so that counting records gives the sheet's own row numbers. Records have the header's width
 * at least. Cells of a row that cannot be taken for what they seem are marked beside the text.
 *
 *     status = sheet_open(book, max_row_bytes, &sheet);
 *     while ((status = sheet_read(sheet, out, room, &count)) == STATUS_OK) …
 *
 * Values are what is stored, not what is shown: see cell_text.h. Hidden rows are read as the others
 * are, and counted.
 */
#ifndef NB_INPUT_SHEET_H
#define NB_INPUT_SHEET_H

#include "input/merges.h"

enum sheet_mark_kind {
    MARK_ERROR,   /* the cell holds an error value, such as #N/A: that is its text */
    MARK_FORMULA, /* a formula without a stored result; its text is empty */
    MARK_MERGED,  /* covered by the cell in the upper left of `merged` */
    MARK_NUMBER,  /* stored as a number, and is none */
    MARK_DATE,    /* its format made a date of a number: not wrong in itself */
    MARK_LONG,    /* the row is longer than it may be; its text is left out */
};

struct sheet_mark {
    uint64_t end; /* how many bytes of text there are up to the end of the row */
    uint32_t row, column;
    enum sheet_mark_kind kind;
    struct cell_range merged; /* MARK_MERGED */
};

enum { SHEET_MARKS_PER_ROW = 64 /* dates apart */ };

/* What is told of a sheet once it is read. */
struct sheet_facts {
    uint64_t hidden_rows, hidden_columns; /* with values; those that the header has */
    uint64_t formulas;                    /* whose stored results were read */
    bool has_filter;
};

struct sheet;

/* Book (loaded) and merges stay the caller's and live as long. STATUS_BAD_INPUT, STATUS_NO_MEMORY.
 */
enum status sheet_open(struct book *book, const struct sheet_merges *merges, size_t max_row_bytes,
                       struct sheet **ret_sheet) MUST_USE;

/* Rows before this one are empty, whatever is in them. To be called before anything is read. */
void sheet_skip_to(struct sheet *sheet, uint64_t row);

/* Takes NULL. */
void sheet_close(struct sheet *sheet);

/* The next bytes, at least one with STATUS_OK. STATUS_END; STATUS_BAD_INPUT, for which the book's
 * trouble has the reason; STATUS_NO_MEMORY. */
enum status sheet_read(struct sheet *sheet, char *out, size_t room, size_t *ret_count) MUST_USE;

/*
 * The marks of a row; it must be one whose text has been read. They are valid until the next
 * sheet_read, and kept until `taken` bytes of text, as that call is told, lie behind the row.
 */
size_t sheet_marks(const struct sheet *sheet, uint64_t row, const struct sheet_mark **ret_marks);
void sheet_drop_marks(struct sheet *sheet, uint64_t taken);

/* How much of the sheet's part has been read, of how much. */
void sheet_progress(const struct sheet *sheet, uint64_t *ret_taken, uint64_t *ret_size);

const struct sheet_facts *sheet_facts(const struct sheet *sheet);

#endif
