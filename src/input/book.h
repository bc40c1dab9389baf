/*
 * A workbook (.xlsx, .xlsm: ECMA-376 and ISO 29500, transitional or strict): which sheets it has,
 * and what their cells refer to: shared strings, and which formats are dates.
 *
 *     status = book_open(fd, &book, &trouble);
 *     status = book_choose(book, "Fleet", &trouble);
 *     status = book_load(book);               // once, before its cells are read
 *
 * Parts go by the relations between them, not by the names that they usually have.
 */
#ifndef NB_INPUT_BOOK_H
#define NB_INPUT_BOOK_H

#include "core/buf.h"
#include "input/archive.h"

enum {
    BOOK_SHEETS_MAX = 4096,
    BOOK_STRINGS_MAX = 256 * 1024 * 1024, /* bytes of shared strings, four for each one included */
};

struct book;

/*
 * Opens the workbook that `fd` is open on; `fd` stays the caller's. STATUS_USAGE where it is an
 * archive, but no workbook that is read here (.ods, .numbers, .xlsb, …), with what to do;
 * STATUS_BAD_INPUT where it is damaged; STATUS_NO_MEMORY.
 */
enum status book_open(int fd, struct trouble *trouble, struct book **ret_book) MUST_USE;

/* Takes NULL. */
void book_close(struct book *book);

/*
 * Chooses the sheet of that name, else the one of that number, from 1 on in the order of the tabs;
 * NULL: the first that is visible. STATUS_USAGE, with the sheets that there are, where there is
 * none.
 */
enum status book_choose(struct book *book, const char *wanted, struct trouble *trouble) MUST_USE;

/* Reads formats and shared strings. STATUS_BAD_INPUT, STATUS_NO_MEMORY. May be called again. */
enum status book_load(struct book *book) MUST_USE;

struct archive *book_archive(struct book *book);
struct trouble *book_trouble(struct book *book);

/* Of the chosen sheet. */
const char *book_sheet_part(const struct book *book);
const char *book_sheet_name(const struct book *book);

/* How many sheets can be read; whether the chosen one is hidden. */
size_t book_sheet_count(const struct book *book);
bool book_sheet_is_hidden(const struct book *book);

/* Whether days count from 1904. */
bool book_is_1904(const struct book *book);

/* A shared string; false where there is none of that number. */
bool book_string(const struct book *book, uint32_t index, struct span *ret_text);

/* Whether cells of that style show a date. */
bool book_style_is_date(const struct book *book, uint32_t style);

#endif
