/*
 * A workbook as an input: the chosen sheet's values as CSV text (sheet.h), from the first byte to
 * the last and, after a restart, again. What is needed of the workbook is read when the first bytes
 * are asked for, once.
 */
#ifndef NB_INPUT_WORKBOOK_H
#define NB_INPUT_WORKBOOK_H

#include "input/sheet.h"

struct workbook;

/*
 * Opens the workbook in `fd`, which stays the caller's; `sheet` is what book_choose takes, and
 * `header_line` the row of its header (0: the first one with a value; those above are left out).
 * STATUS_USAGE where it is none that can be read, or has no such sheet; STATUS_BAD_INPUT where it
 * is damaged; both with a text in `trouble`. STATUS_NO_MEMORY.
 */
enum status workbook_open(int fd, const char *sheet, uint64_t header_line, size_t max_row_bytes,
                          struct trouble *trouble, struct workbook **ret_workbook) MUST_USE;

/* Takes NULL. */
void workbook_close(struct workbook *workbook);

/* As sheet_read; workbook_error says what STATUS_BAD_INPUT means. Marks of rows whose text lies
 * wholly in the first `taken` bytes are dropped. */
enum status workbook_read(struct workbook *workbook, uint64_t taken, char *out, size_t room,
                          size_t *ret_count) MUST_USE;
const char *workbook_error(const struct workbook *workbook);

/* Begins again with the first byte. */
void workbook_restart(struct workbook *workbook);

/* As sheet_marks. */
size_t workbook_marks(const struct workbook *workbook, uint64_t row,
                      const struct sheet_mark **ret_marks);

/* How much of the sheet has been read: 0 … 1. */
double workbook_share(const struct workbook *workbook);

size_t workbook_sheet_count(const struct workbook *workbook);

/* Appends what a person should know of what was read, a line for each: which sheet of several,
 * hidden rows and columns. Once it has been read to its end. */
void workbook_add_notes(const struct workbook *workbook, struct buf *out);

#endif
