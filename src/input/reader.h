/*
 * Rows out of bytes: one pull reader over CSV (libcsv) and JSONL (cJSON), in memory that does not
 * grow with the input.
 *
 *     status = reader_open(source, &options, &reader);
 *     status = reader_header(reader, &problems);
 *     while ((status = reader_next(reader, &row, &problems)) != STATUS_END) {
 *         if (status == STATUS_OK)
 *             … the row can be read; whether it makes sense is judged elsewhere …
 *         else if (status == STATUS_BAD_ROW)
 *             … `problems` says why; row.number and row.line are set, there are no cells …
 *         else if (status == STATUS_AGAIN)
 *             … wait for source_fd() and call again …
 *         else
 *             … stop …
 *     }
 *
 * CSV is RFC 4180's. Where that leaves a choice, or files in the field differ from it, these rules
 * hold; everything else is refused with its line, nothing is guessed:
 * - The delimiter is a comma or the one that is set. The first row that is not blank, or the one on
 *   the line that is set, is the header: names that are not empty, each of them once. Every row
 *   has as many cells as the header.
 * - Columns at the right without a name and without a value, and rows without any value, are left
 *   out: spreadsheets save them where a table was larger once. They are counted (reader_add_notes).
 * - A line ends with CRLF, LF or CR, also mixed; the last one may lack its end. Within quotes, line
 *   ends belong to the cell and are kept as they are.
 * - Lines of nothing but spaces and tabs are skipped. Spaces and tabs around an unquoted cell, and
 *   around the quotes of a quoted one, are dropped (a tab not where it is the delimiter); inside of
 *   the quotes they stay.
 * - A quote inside a quoted cell is doubled; a backslash is a backslash. An unquoted cell holds no
 *   quote, and nothing comes between the closing quote and the delimiter.
 * - An empty cell is an absent one, with and without quotes.
 * - NUL bytes and bytes that are illegal in the encoding make the row bad.
 * - Behind a fault that leaves open where a quoted cell ends, text inside such a cell may pass for
 *   rows: see reader_lost.
 *
 * JSONL: one object a line (LF or CRLF), blank lines skipped; members become columns in the order
 * in which they are first seen.
 */
#ifndef NB_INPUT_READER_H
#define NB_INPUT_READER_H

#include "core/row.h"
#include "input/source.h"
#include "platform/problem.h"

/* A workbook is read as the CSV that its source makes of it. */
enum input_format { INPUT_CSV, INPUT_JSONL, INPUT_XLSX };

enum {
    READER_COLUMNS_MAX = 1024,
    READER_COLUMN_NAME_MAX = 1024,      /* bytes */
    READER_MAX_ROW_BYTES = 64 * 1024,   /* default of reader_options.max_row_bytes */
    READER_RAW_MAX = 256 * 1024 * 1024, /* bytes of a row for reader_raw */
};

struct reader_options {
    enum input_format format; /* of the text: INPUT_CSV for a workbook */
    size_t max_row_bytes;     /* a longer row is a bad row (PROBLEM_ROW_SIZE); the ones after it are
                                 read */
    char delimiter;           /* of CSV: what reader_delimiter_of gives; 0 for a comma */
    uint64_t header_line;     /* of CSV: lines above it are no part of it; 0: none are */
    bool keep_raw;            /* for reader_raw */
};

struct reader;

/* The name of a file without what tells that it is compressed: .gz, .zst, .zstd, in any case. */
struct span reader_plain_name(const char *path);

/* Whether the name is that of a spreadsheet's own format which cannot be read: all but .xlsx. */
bool reader_is_spreadsheet(const char *path);

/* The format that the name of a file tells (.csv, .jsonl, .ndjson, any case, also with .gz and the
 * like behind it, .xlsx, .xlsm); false when it tells none. */
bool reader_format_of(const char *path, enum input_format *ret_format);

/* The delimiter that a person means by a character that is no letter, digit, space or double quote,
 * or by comma, semicolon, tab, \t or pipe; false for all else. */
bool reader_delimiter_of(const char *text, char *ret_delimiter);

/*
 * A reader over `source`, which it does not own. STATUS_NO_MEMORY only: nothing is read yet.
 */
enum status reader_open(struct source *source, const struct reader_options *options,
                        struct reader **ret_reader) MUST_USE;

/* Takes NULL. */
void reader_close(struct reader *reader);

/* Starts over after source_rewind: the same reader, from the first byte; columns are forgotten. */
void reader_reset(struct reader *reader);

/*
 * Reads the CSV header; to be called before the rows of either format (JSONL has no header, but may
 * be empty or damaged too). STATUS_AGAIN as in reader_next. STATUS_BAD_INPUT, with all reasons in
 * `problems` (row 0; cleared first), when the input cannot be used: empty or only blank lines,
 * bad UTF-8, NUL, a quote that is not closed, a header that is too long, a duplicate, empty
 * or too long column name, too many columns; one column whose name holds a delimiter that is not
 * the one that was set (PROBLEM_DELIMITER). Names of columns are not judged beyond that.
 */
enum status reader_header(struct reader *reader, struct problems *problems) MUST_USE;

/* The columns known so far: all of them for CSV; for JSONL they grow as good rows bring new members
 * (up to the maximum). A name stays where it is until reader_reset. */
size_t reader_column_count(const struct reader *reader);
struct span reader_column_name(const struct reader *reader, size_t column);

/* The physical line that is read next, counted from 1. */
uint64_t reader_line(const struct reader *reader);

/* Appends what a person should know of what was read, a line for each; at the end. */
void reader_add_notes(const struct reader *reader, struct buf *out);

/*
 * The next row. `row` is set for STATUS_OK and STATUS_BAD_ROW (then without cells: cell_count 0)
 * and is valid until the next call; `problems` is cleared for the row first. STATUS_END after the
 * last row, STATUS_AGAIN when a pipe has nothing yet, STATUS_IO (errno set) and STATUS_NO_MEMORY;
 * STATUS_CHANGED as source_fill; STATUS_BAD_INPUT, with the reason in `problems` (row 0), when the
 * input is damaged from here on.
 *
 * Bad rows: too long (PROBLEM_ROW_SIZE), bad UTF-8, NUL bytes, bad quoting, a number of cells that
 * is not the header's (says both numbers), for JSONL what RFC 8259 forbids and what is not an
 * object, duplicate or nameless members, more different members than there can be columns. Reading
 * goes on with the next physical line.
 */
enum status reader_next(struct reader *reader, struct row *ret_row,
                        struct problems *problems) MUST_USE;

/* The row behind which lines may be text inside a quoted cell, and what is wrong with it. */
struct reader_lost {
    uint64_t row;
    uint64_t line; /* on which it starts */
    enum problem_code code;
};

/*
 * The first such row that was met; NULL for none. It is one with a fault in its quotes, one of CSV
 * that is too long and has a quote open where it is given up, or one in what is left of its line,
 * and one with a wrong number of cells whose quotes show nothing of being doubled. Rows that were
 * handed out behind it are for reporting only.
 *
 * Any other bad row ends where it seems to end: without a quote, a line end is one, and in JSONL it
 * always is.
 */
const struct reader_lost *reader_lost(const struct reader *reader);

/*
 * A row of a sheet (source_workbook) has the sheet's own number as its line. With STATUS_OK there
 * may be errors in `problems` already, of cells whose text is not what they hold: an error value, a
 * formula without a result, a merged cell (PROBLEM_CELL). These are all marks of the row, also of
 * dates, which are none; valid until the next row.
 */
size_t reader_marks(const struct reader *reader, const struct sheet_mark **ret_marks);

/*
 * With reader_options.keep_raw, the bytes of the last row, good or bad, as the source
 * gave them (decompressed, UTF-8; source_encode_back gives the original ones), with the line end
 * unless the input ended there. Valid until the next call of reader_next. The header has none for
 * JSONL. Header and rows in turn are the whole input but for its byte order mark, what is above the
 * header, and the lines that are blank or without any value.
 *
 * The option does not change which rows there are, but a bad row comes when what is skipped behind
 * it has been read, and a row that ends with CR when it is known whether an LF follows. A row of
 * more than READER_RAW_MAX bytes ends the reading with STATUS_BAD_INPUT (PROBLEM_ROW_SIZE).
 */
struct span reader_raw(const struct reader *reader);
struct span reader_raw_header(const struct reader *reader);

#endif
