/*
 * Reads a results file line by line, as nbatch wrote it: strictly, so that what has been changed or
 * cut off is never taken for a result.
 *
 *     result_scan_init(&scan, disk, fd, jsonl, passed_count);
 *     result_scan_range(&scan, from, to);
 *     while ((status = result_scan_next(&scan, &line)) == STATUS_OK) …
 *     result_scan_deinit(&scan);
 */
#ifndef NB_LEDGER_RESULT_SCAN_H
#define NB_LEDGER_RESULT_SCAN_H

#include <xxhash.h>

#include "ledger/disk.h"
#include "ledger/result_line.h"

enum {
    RESULT_SCAN_BLOCK_BYTES = 256 * 1024,
    RESULT_LINE_MAX = 512 * 1024 * 1024, /* a row of --max-row-bytes with all that it carries */
};

/* One line. The spans are as written (quotes and escapes included), valid until the next line. */
struct result_fields {
    uint64_t offset;  /* of the line in the file */
    struct span line; /* with its line end */
    struct span columns[RESULT_COLUMN_COUNT];
    struct row_id id; /* without the device, which is a text in the line */
    enum row_status status;
    bool is_again; /* result_again_error is in front of its error */
    uint32_t attempts, ambiguous;
    int64_t finished_ms; /* epoch */
};

struct result_scan {
    struct disk *disk;
    int fd;
    bool jsonl;
    size_t passed_count;
    bool keys_only;     /* for bytes that are known: of a line no more is read than the hash and
                           occurrence of its id, and nothing is checked */
    size_t block_bytes; /* so many are read at once; RESULT_SCAN_BLOCK_BYTES */
    uint64_t at;        /* where the next line starts */
    uint64_t read;      /* how far the file has been read */
    uint64_t to;
    struct buf block;
    size_t used;        /* of the block */
    size_t searched;    /* behind `used`: has no line end */
    XXH3_state_t *hash; /* of what has been read, where that is wanted; else NULL */
    const char *error;  /* of STATUS_SYNTAX: what is wrong with the line at `at` */
};

/* Allocates nothing. `passed_count`: of the columns behind the results' own. */
void result_scan_init(struct result_scan *scan, struct disk *disk, int fd, bool jsonl,
                      size_t passed_count);

/* Takes a zeroed struct. Leaves the descriptor open. */
void result_scan_deinit(struct result_scan *scan);

/* What comes next are the lines of the bytes [from, to). */
void result_scan_range(struct result_scan *scan, uint64_t from, uint64_t to);

/*
 * The next line. STATUS_END behind the last one; STATUS_SYNTAX (scan->at, scan->error) for a line
 * that is damaged or cut off; STATUS_IO (errno is set); STATUS_NO_MEMORY.
 */
enum status result_scan_next(struct result_scan *scan, struct result_fields *ret_fields) MUST_USE;

/* Likewise, the line as it is, with its line end, whatever it holds; scan->at stays where it is. */
enum status result_scan_line(struct result_scan *scan, struct span *ret_line) MUST_USE;

/*
 * Reads the header of a CSV, which must be `expected` (empty for JSONL). STATUS_SYNTAX when it is
 * another, or cut off; then as result_scan_next.
 */
enum status result_scan_header(struct result_scan *scan, struct span expected) MUST_USE;

/* How the error of a row begins that was accepted before and, since its command had ended, was sent
 * again: of a line that says something else than accepted. Such a line counts although an accepted
 * one is there (ledger/current.h). */
extern const char result_again_error[];

/* An error without that. Pure. */
struct span result_reason(struct span error);

/* How the reason of a row begins that was under way when its run died. */
extern const char result_orphan_error[];

/* Whether a line is such a row's. Pure. */
bool result_is_orphan(const struct result_fields *fields);

/* What is done with a line; anything but STATUS_OK ends the reading. */
typedef enum status result_take_fn(void *context, const struct result_fields *fields);

/*
 * Hands each line of the bytes [from, to) to `take`, from the start with the header (see
 * result_scan_header). STATUS_OK behind the last one, or as result_scan_next, or as `take`.
 */
enum status result_scan_each(struct result_scan *scan, uint64_t from, uint64_t to,
                             struct span header, result_take_fn *take, void *context) MUST_USE;

/* After STATUS_SYNTAX: the last line has no end, since a death, or a writer at work, has left it
 * unfinished. */
bool result_scan_is_cut(const struct result_scan *scan);

/* A line without its end, as nbatch wrote it: a spreadsheet that has saved the results again has
 * put a byte order mark in front of the header, and a carriage return behind each line. */
struct span result_line_text(struct span line, bool is_header);

/* Where the first line of a text ends, with its line end; one within quotes is none. False when
 * there is not enough text: `searched` says how far was looked, from 0. Pure. */
bool result_find_end(struct span text, bool jsonl, size_t *searched, size_t *ret_len);

/* How many passed columns a line of JSONL has. False where it is no result. Pure. */
bool result_count_passed(struct span text, size_t *ret_count);

/* Reads a key as result_add_key writes it. Pure. */
bool result_parse_key(struct span text, struct row_id *ret_id);

/* Reads one line without its line end. False, and `ret_error`, when nbatch did not write it. Pure.
 */
bool result_parse_line(struct span text, bool jsonl, size_t passed_count,
                       struct result_fields *ret_fields, const char **ret_error);

/* Takes the first cell of a CSV's line off the text, with the comma behind it; the last one has
 * none. False, and nothing is taken, where it is not such a cell. Pure. */
bool result_take_cell(struct span *text, bool is_last, struct span *ret_cell);

/* What is between the quotes of a value that has some, escapes included. Pure. */
struct span result_without_quotes(struct span value);

/* The value of a column as it was before it was written. Empty for none. */
void result_unquote(struct span text, bool jsonl, struct buf *out);

#endif
