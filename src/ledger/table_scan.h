/*
 * Reads a file of nbatch's that people open, filter and save again, by the names of its columns:
 * CSV or JSONL, told by the first byte. What a spreadsheet does to such a file on the way (a byte
 * order mark, CRLF, quotes, no line end at the end, empty lines, columns in another order, more
 * columns) makes no difference; what damages it is an error with file, line, column and a remedy.
 *
 *     static const char *const columns[] = {"row", "key"};
 *     static const struct table_kind kind = {"status file", columns, 2, "run nbatch status again"};
 *     status = table_scan_open(&table, &disk_real, path, &kind, &message);
 *     while (status == STATUS_OK && (status = table_scan_next(&table)) == STATUS_OK)
 *         if (!is_good(table.cells[0]))
 *             status = table_scan_refuse(&table, 0, "is no number");
 *     table_scan_close(&table);
 */
#ifndef NB_LEDGER_TABLE_SCAN_H
#define NB_LEDGER_TABLE_SCAN_H

#include "ledger/result_scan.h"

enum { TABLE_COLUMNS_MAX = 24, TABLE_CELLS_MAX = 4096 };

struct table_kind {
    const char *what;           /* "status file" */
    const char *const *columns; /* the names that it must have; TABLE_COLUMNS_MAX at most */
    size_t count;
    const char *remedy; /* what to do with a damaged one: an instruction without an end */
    bool may_be_cut;    /* lines are added at its end: a last one without a line end is none */
};

struct table_scan {
    const struct table_kind *kind;
    const char *path;
    struct buf *message;
    struct span cells[TABLE_COLUMNS_MAX]; /* of the line, by the kind's columns: values without
                                             quotes and escapes; empty: none, or null */
    uint64_t line;                        /* the physical line on which it starts, from 1 */
    bool is_cut;                          /* the last line had no end, and was left out */
    /* Its own. */
    struct result_scan scan;
    uint64_t lines_before;
    size_t cell_count;                        /* of a CSV's header */
    unsigned char column_of[TABLE_CELLS_MAX]; /* by a cell's place: 1 + the column, 0: another's */
    struct buf text;
};

/*
 * Opens the file and reads the header. `path`, `kind` and `message` stay the caller's, and in use
 * until the close. STATUS_END: there is no such file. STATUS_SYNTAX: it is none of its kind;
 * STATUS_IO, STATUS_NO_MEMORY; each of these with a text in the message.
 */
enum status table_scan_open(struct table_scan *table, struct disk *disk, const char *path,
                            const struct table_kind *kind, struct buf *message) MUST_USE;

/* Takes one that could not be opened. */
void table_scan_close(struct table_scan *table);

/* The next line, empty ones left out. STATUS_END behind the last one; else as table_scan_open. */
enum status table_scan_next(struct table_scan *table) MUST_USE;

/* Says that a cell of the line is not what it should be, and gives STATUS_SYNTAX. `why` goes on
 * after the value: "is no number". */
enum status table_scan_refuse(struct table_scan *table, size_t column, const char *why);

#endif
