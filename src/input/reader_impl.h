/*
 * What reader.c, csv.c and jsonl.c share; nobody else includes it. reader.c owns the struct and
 * what both formats need, each format owns its own state behind a pointer.
 */
#ifndef NB_INPUT_READER_IMPL_H
#define NB_INPUT_READER_IMPL_H

#include "input/reader.h"

struct csv_reader;
struct jsonl_reader;

enum { READER_RAW_KEPT = 1024 * 1024 };

struct reader {
    struct source *source;
    const struct workbook *workbook; /* that the source is; NULL: none */
    struct reader_options options;
    struct csv_reader *csv; /* one of the two, by options.format */
    struct jsonl_reader *jsonl;
    bool has_header;                         /* reader_header is done */
    uint64_t line;                           /* the physical line that the next byte belongs to */
    uint64_t row_number;                     /* of the last row that was handed on */
    struct reader_lost lost;                 /* its row is 0 for none */
    struct span columns[READER_COLUMNS_MAX]; /* the names, each in memory of its own */
    size_t column_count;
    struct cell cells[READER_COLUMNS_MAX]; /* of the last row */
    uint64_t empty_columns, empty_rows;    /* that were left out */
    bool is_open_ended;                    /* the last row has no line end */
    struct buf raw;                        /* the bytes of the last row; with keep_raw only */
    struct buf raw_header;
};

/* Takes `count` bytes from the source: the only way, so that nothing is missing in `raw`. */
static inline void reader_take(struct reader *reader, size_t count)
{
    if (reader->options.keep_raw)
        buf_add_bytes(&reader->raw, source_block(reader->source).ptr, count);
    source_take(reader->source, count);
}

/* What was taken belongs to no row: a row starts here, or a line was blank. */
static inline void reader_drop_raw(struct reader *reader)
{
    if (!reader->options.keep_raw)
        return;
    if (reader->raw.capacity > READER_RAW_KEPT) /* one long row does not cost its memory for good */
        buf_deinit(&reader->raw);
    buf_clear(&reader->raw);
}

/*
 * Appends a column with a copy of the name and an absent cell. STATUS_TOO_BIG when there are
 * READER_COLUMNS_MAX already or the name is longer than READER_COLUMN_NAME_MAX, STATUS_NO_MEMORY.
 */
enum status reader_add_column(struct reader *reader, struct span name) MUST_USE;

/* What comes behind this row cannot be trusted; the first one counts. */
static inline void reader_lose(struct reader *reader, uint64_t row, uint64_t line,
                               enum problem_code code)
{
    if (reader->lost.row == 0)
        reader->lost = (struct reader_lost){row, line, code};
}

/* Forgets the columns from `count` on. */
void reader_drop_columns(struct reader *reader, size_t count);

/* Counts a row and clears `problems` for it; then, by whether there are problems, sets the row and
 * gives STATUS_OK or STATUS_BAD_ROW. */
void reader_begin_row(struct reader *reader, uint64_t line, struct problems *problems);
enum status reader_end_row(const struct reader *reader, const struct problems *problems,
                           struct row *ret_row) MUST_USE;

/*
 * Adds what is wrong with the cells of the row of a sheet that was read last, beside their text;
 * whether anything is. And whether all of the row was left out, since it is longer than it may be.
 */
bool reader_add_marks(const struct reader *reader, struct problems *problems);
bool reader_row_is_long(const struct reader *reader);

/* The encoding that bad text is not in, and what to try: "" where the encoding was given, by option
 * or by mark. */
const char *reader_encoding_name(const struct reader *reader);
const char *reader_encoding_hint(const struct reader *reader);

/* As the reader_… functions of the same name. */
enum status csv_reader_new(const struct reader_options *options,
                           struct csv_reader **ret_csv) MUST_USE;
void csv_reader_free(struct csv_reader *csv);
void csv_reader_reset(struct csv_reader *csv);
enum status csv_reader_header(struct reader *reader, struct problems *problems) MUST_USE;
enum status csv_reader_next(struct reader *reader, struct row *ret_row,
                            struct problems *problems) MUST_USE;

enum status jsonl_reader_new(size_t max_row_bytes, struct jsonl_reader **ret_jsonl) MUST_USE;
void jsonl_reader_free(struct jsonl_reader *jsonl);
void jsonl_reader_reset(struct jsonl_reader *jsonl);
enum status jsonl_reader_header(struct reader *reader, struct problems *problems) MUST_USE;
enum status jsonl_reader_next(struct reader *reader, struct row *ret_row,
                              struct problems *problems) MUST_USE;

#endif
