/*
 * libcsv pushes: it calls back for every cell and row in the bytes that it is given. Fed slices
 * that end behind a CR or LF, it completes at most one row a slice, which makes a pull reader of
 * it. A slice is also bounded, so that a file without line feeds is not searched to its end for
 * each row.
 *
 * A plain row takes the short way (csv_plain.h). Whatever is not as plain goes to libcsv, which
 * knows what it is; for the blanks that libcsv drops, `typed`, the row as it is in the input, is
 * walked once more (csv_blanks.h). A row that breaks the rules of quoting is given up: the rest of
 * its line is skipped, and reading goes on behind it.
 */
#include <csv.h>
#include <inttypes.h>

#include "core/text.h"
#include "input/csv_blanks.h"
#include "input/csv_plain.h"
#include "input/reader_impl.h"

enum {
    SLICE_MAX = 1024,
    CELL_BUFFER_STEP = 4096, /* libcsv's own is 128: too many reallocations for a large cell */
};

enum fault { FAULT_STRAY_QUOTE, FAULT_TEXT_BEHIND_QUOTE, FAULT_OPEN_QUOTE, FAULT_TOO_LONG };

/* What else stands between cells often enough to be asked for. */
static const char usual_delimiters[] = {',', ';', '\t', '|'};

struct csv_reader {
    struct csv_parser parser;
    char delimiter;
    struct buf bytes;                /* the cells of the row, each with a comma behind it */
    struct buf typed;                /* the row as it is in the input, unless it is plain */
    size_t ends[READER_COLUMNS_MAX]; /* offset of that comma for each cell */
    size_t cell_count;               /* may be more than READER_COLUMNS_MAX */
    size_t raw_bytes;                /* how much of the row has been fed, its line end included */
    uint64_t row_line;               /* where the row starts */
    bool complete;                   /* the row is; the next call starts a new one */
    bool is_plain;                   /* and was split here */
    bool is_ascii;                   /* a plain one: all of it */
    bool after_cr;                   /* the byte before was a CR: an LF ends the same line */
    bool skipping;                   /* dropping what is left of a line behind a fault */
    bool has_verdict;                /* on a row that is handed on when its line has been read */
    enum status verdict;
    enum fault fault; /* what STATUS_BAD_ROW from read_row means */
    uint64_t fault_line;
    size_t fault_column;
    uint64_t fault_row, fault_row_line; /* the row that was given up last, and where it starts */
    bool header_in_quotes; /* while the header is read: how often each of these is in it */
    size_t header_delimiters[ARRAY_LENGTH(usual_delimiters)];
};

/* Spaces around cells go; a tab does not where it is the delimiter. */
static int is_space(unsigned char c)
{
    return c == ' ';
}

static bool start_parser(struct csv_reader *csv)
{
    /* Not strict, libcsv would guess at what a stray quote means. CSV_REPALL_NL makes it tell blank
     * lines too, so that every line end outside quotes is seen. */
    if (csv_init(&csv->parser, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL) != 0)
        return false;
    csv_set_blk_size(&csv->parser, CELL_BUFFER_STEP);
    csv_set_delim(&csv->parser, (unsigned char)csv->delimiter);
    if (csv->delimiter == '\t')
        csv_set_space_func(&csv->parser, is_space);
    return true;
}

static void start_row(struct csv_reader *csv)
{
    buf_clear(&csv->bytes);
    buf_clear(&csv->typed);
    csv->cell_count = 0;
    csv->raw_bytes = 0;
    csv->complete = false;
    csv->is_plain = false;
}

enum status csv_reader_new(const struct reader_options *options, struct csv_reader **ret_csv)
{
    struct csv_reader *csv = calloc(1, sizeof(*csv));

    if (csv == NULL)
        return STATUS_NO_MEMORY;
    csv->delimiter = options->delimiter != '\0' ? options->delimiter : ',';
    if (!start_parser(csv)) {
        free(csv);
        return STATUS_NO_MEMORY;
    }
    /* No more than the row itself, each cell's delimiter or the line end turned into a comma; and
     * what a plain one is written to. */
    buf_init(&csv->bytes, options->max_row_bytes + CSV_PLAIN_BYTES);
    buf_init(&csv->typed, options->max_row_bytes + 2); /* its line end, and a NUL */
    *ret_csv = csv;
    return STATUS_OK;
}

void csv_reader_free(struct csv_reader *csv)
{
    if (csv == NULL)
        return;
    csv_free(&csv->parser);
    buf_deinit(&csv->bytes);
    buf_deinit(&csv->typed);
    free(csv);
}

void csv_reader_reset(struct csv_reader *csv)
{
    csv_free(&csv->parser);
    (void)start_parser(csv); /* it fails for a NULL argument only */
    start_row(csv);
    csv->after_cr = false;
    csv->skipping = false;
    csv->has_verdict = false;
}

static void on_cell(void *bytes, size_t len, void *user)
{
    struct csv_reader *csv = user;
    struct buf *row = &csv->bytes;

    if (!buf_reserve(row, len + 1))
        return; /* its status tells read_row */
    if (len > 0)
        memcpy(row->ptr + row->len, bytes, len);
    row->len += len;
    if (csv->cell_count < READER_COLUMNS_MAX)
        csv->ends[csv->cell_count] = row->len;
    csv->cell_count++;
    row->ptr[row->len++] = ',';
}

static void on_row(int line_end, void *user)
{
    struct csv_reader *csv = user;

    (void)line_end;
    csv->complete = true;
}

static struct span cell_bytes(const struct csv_reader *csv, size_t column)
{
    size_t at = column == 0 ? 0 : csv->ends[column - 1] + 1;
    return span_of(csv->bytes.ptr + at, csv->ends[column] - at);
}

/* The start of the block up to and with the first line end, at most `max` bytes. */
static struct span next_slice(struct span block, size_t max)
{
    size_t len = max < SLICE_MAX ? max : SLICE_MAX;
    const char *end;

    if (len > block.len)
        len = block.len;
    if ((end = memchr(block.ptr, '\n', len)) != NULL)
        len = (size_t)(end - block.ptr) + 1;
    if ((end = memchr(block.ptr, '\r', len)) != NULL)
        len = (size_t)(end - block.ptr) + 1;
    return span_of(block.ptr, len);
}

/* Takes a slice from the source and counts its line end; tells whether it had one. */
static bool take_slice(struct reader *reader, struct span slice)
{
    struct csv_reader *csv = reader->csv;
    char last = slice.ptr[slice.len - 1];
    bool rest_of_crlf = csv->after_cr && slice.len == 1 && last == '\n';
    bool line_end = last == '\n' || last == '\r';

    /* Line breaks within the cells of a sheet are no new rows of it. */
    if (line_end && !rest_of_crlf && (csv->complete || reader->workbook == NULL))
        reader->line++;
    csv->after_cr = last == '\r';
    reader_take(reader, slice.len);
    return line_end;
}

/* Skips what a slice has of the row that was given up for its length. Its line end is one where no
 * quote comes before it. */
static bool skip_slice(struct reader *reader, struct span slice)
{
    const struct csv_reader *csv = reader->csv;

    if (csv->fault == FAULT_TOO_LONG && memchr(slice.ptr, '"', slice.len) != NULL)
        reader_lose(reader, csv->fault_row, csv->fault_row_line, PROBLEM_ROW_SIZE);
    return take_slice(reader, slice);
}

/* Gives the row up: what is left of the physical line is skipped, then reading starts afresh. */
static enum status give_up(struct reader *reader, enum fault fault, bool at_line_end)
{
    struct csv_reader *csv = reader->csv;

    csv->fault = fault;
    csv->fault_row = reader->row_number + 1;
    csv->fault_row_line = csv->row_line;
    if (fault != FAULT_TOO_LONG)
        reader_lose(reader, csv->fault_row, csv->row_line, PROBLEM_QUOTE);
    else if (csv->parser.quoted)
        reader_lose(reader, csv->fault_row, csv->row_line, PROBLEM_ROW_SIZE);
    csv->fault_column = csv->cell_count;
    csv->skipping = !at_line_end;
    csv_free(&csv->parser);
    (void)start_parser(csv);
    start_row(csv);
    return STATUS_BAD_ROW;
}

/* Counts the usual delimiters outside quotes, in case the one that is set is wrong. */
static void count_delimiters(struct csv_reader *csv, struct span slice)
{
    for (size_t i = 0; i < slice.len; i++) {
        const char *found = memchr(usual_delimiters, slice.ptr[i], sizeof(usual_delimiters));
        if (slice.ptr[i] == '"')
            csv->header_in_quotes = !csv->header_in_quotes;
        else if (found != NULL && *found != csv->delimiter && !csv->header_in_quotes)
            csv->header_delimiters[found - usual_delimiters]++;
    }
}

/* Splits the row that the block starts with where it is a plain one; as csv_plain_split. */
static size_t split_plain(struct csv_reader *csv, struct span block, size_t max)
{
    struct csv_plain plain;

    if (csv->raw_bytes > 0 || !buf_reserve(&csv->bytes, CSV_PLAIN_BYTES))
        return 0;
    size_t len = csv_plain_split(block, max, csv->delimiter, csv->bytes.ptr, csv->ends, &plain);
    if (len == 0)
        return 0;
    csv->bytes.len = plain.bytes;
    csv->cell_count = plain.cell_count;
    csv->is_ascii = plain.is_ascii;
    csv->complete = csv->is_plain = true;
    return len;
}

static enum status feed(struct reader *reader)
{
    struct csv_reader *csv = reader->csv;
    size_t max = reader->options.max_row_bytes;
    struct span block = source_block(reader->source);

    if (csv->raw_bytes == 0) {
        reader_drop_raw(reader);
        if (csv->after_cr && block.ptr[0] == '\n') {
            (void)take_slice(reader, span_of(block.ptr, 1));
            return STATUS_OK;
        }
        csv->row_line = reader->line;
    }
    if (csv->raw_bytes == 0 && !reader->has_header) {
        csv->header_in_quotes = false;
        memset(csv->header_delimiters, 0, sizeof(csv->header_delimiters));
    }
    /* One byte more than the row may have: its line end. */
    size_t parsed = split_plain(csv, block, max + 1);
    struct span slice =
        parsed > 0 ? span_of(block.ptr, parsed) : next_slice(block, max - csv->raw_bytes + 1);
    csv->fault_line = reader->line;
    if (parsed == 0)
        parsed = csv_parse(&csv->parser, slice.ptr, slice.len, on_cell, on_row, csv);
    if (!reader->has_header) /* up to and with the byte that is at fault: it may be a delimiter */
        count_delimiters(csv, span_of(slice.ptr, parsed < slice.len ? parsed + 1 : parsed));
    if (parsed < slice.len) {
        if (csv_error(&csv->parser) != CSV_EPARSE)
            return STATUS_NO_MEMORY;
        reader_take(reader, parsed);
        return give_up(reader, csv->parser.quoted ? FAULT_TEXT_BEHIND_QUOTE : FAULT_STRAY_QUOTE,
                       false);
    }
    if (!csv->is_plain && csv->raw_bytes + slice.len <= max + 1)
        buf_add(&csv->typed, slice);
    bool line_end = take_slice(reader, slice);
    csv->raw_bytes += slice.len;
    if (csv->bytes.status != STATUS_OK || csv->typed.status != STATUS_OK)
        return STATUS_NO_MEMORY;
    if (!csv->complete && csv->raw_bytes > max)
        return give_up(reader, FAULT_TOO_LONG, line_end);
    return STATUS_OK;
}

/* The end of the input ends its last row as a line end would. */
static enum status finish(struct reader *reader)
{
    struct csv_reader *csv = reader->csv;

    if (csv->raw_bytes > 0)
        reader->is_open_ended = reader->workbook == NULL;
    csv->fault_line = csv->row_line;
    if (csv_fini(&csv->parser, on_cell, on_row, csv) != 0)
        return give_up(reader, FAULT_OPEN_QUOTE, true);
    if (csv->bytes.status != STATUS_OK)
        return STATUS_NO_MEMORY;
    return csv->cell_count > 0 ? STATUS_OK : STATUS_END;
}

/*
 * Reads on until a row is complete. STATUS_BAD_ROW where it cannot be split into cells: `fault`
 * says why. After STATUS_AGAIN the next call goes on in the middle of the row.
 */
static enum status split_row(struct reader *reader)
{
    struct csv_reader *csv = reader->csv;

    if (csv->complete)
        start_row(csv);
    for (;;) {
        enum status status = source_fill(reader->source);
        if (status == STATUS_END)
            return finish(reader);
        if (status != STATUS_OK)
            return status;
        if (csv->skipping) {
            struct span slice = next_slice(source_block(reader->source), SIZE_MAX);
            csv->skipping = !skip_slice(reader, slice);
            continue;
        }
        status = feed(reader);
        if (reader->raw.status != STATUS_OK)
            return STATUS_BAD_INPUT;
        if (status != STATUS_OK)
            return status;
        if (csv->complete && csv->cell_count > 0)
            return STATUS_OK;
        if (csv->complete)
            start_row(csv); /* the line was blank */
    }
}

/* Reads what is left of the row's last line: what is skipped of it, and the LF of a CRLF. */
static enum status read_line_end(struct reader *reader)
{
    struct csv_reader *csv = reader->csv;

    while (csv->skipping || csv->after_cr) {
        enum status status = source_fill(reader->source);
        if (status == STATUS_END)
            return STATUS_OK;
        if (status != STATUS_OK)
            return status;
        struct span block = source_block(reader->source);
        if (!csv->skipping && block.ptr[0] != '\n')
            return STATUS_OK;
        struct span slice = next_slice(block, csv->skipping ? SIZE_MAX : 1);
        if (csv->skipping)
            csv->skipping = !skip_slice(reader, slice);
        else
            (void)take_slice(reader, slice);
        if (reader->raw.status != STATUS_OK)
            return STATUS_BAD_INPUT;
    }
    return STATUS_OK;
}

/* As split_row; with keep_raw, the verdict on a row waits for the end of its line. */
static enum status read_row(struct reader *reader)
{
    struct csv_reader *csv = reader->csv;

    if (!reader->options.keep_raw)
        return split_row(reader);
    if (!csv->has_verdict) {
        csv->verdict = split_row(reader);
        if (csv->verdict != STATUS_OK && csv->verdict != STATUS_BAD_ROW)
            return csv->verdict;
        csv->has_verdict = true;
    }
    enum status status = read_line_end(reader);
    if (status != STATUS_OK)
        return status;
    csv->has_verdict = false;
    return csv->verdict;
}

/* Adds a problem of one cell: by the column's name, or by its position where it has none (yet). */
static void add_cell_problem(const struct reader *reader, struct problems *problems,
                             enum problem_code code, size_t column, struct span value,
                             const char *what)
{
    if (column < reader->column_count)
        problem_add(problems, code, reader->columns[column], value, "%s", what);
    else
        problem_add(problems, code, SPAN_LITERAL(""), value, "column %zu %s", column + 1, what);
}

static void add_fault(const struct reader *reader, struct problems *problems)
{
    static const char *const texts[] = {
        [FAULT_STRAY_QUOTE] = "has a quote inside, but does not start with one",
        [FAULT_TEXT_BEHIND_QUOTE] = "goes on behind its closing quote",
        [FAULT_OPEN_QUOTE] = "has a quote that is never closed",
    };
    const struct csv_reader *csv = reader->csv;

    if (csv->fault == FAULT_TOO_LONG) {
        problem_add(problems, PROBLEM_ROW_SIZE, SPAN_LITERAL(""), SPAN_LITERAL(""),
                    "the row that starts on line %" PRIu64 " is longer than %zu bytes: is there a "
                    "quote that is never closed?",
                    csv->row_line, reader->options.max_row_bytes);
        return;
    }
    char text[128];
    if (csv->fault == FAULT_OPEN_QUOTE || csv->fault_line != csv->row_line)
        (void)snprintf(text, sizeof(text), "%s; the row starts on line %" PRIu64, texts[csv->fault],
                       csv->row_line);
    else
        (void)snprintf(text, sizeof(text), "%s", texts[csv->fault]);
    add_cell_problem(reader, problems, PROBLEM_QUOTE, csv->fault_column, SPAN_LITERAL(""), text);
    if (problems->count > 0)
        problems->items[problems->count - 1].line = csv->fault_line;
}

/* Checks what is true of any cell's bytes. The commas between the cells keep them apart here. */
static void check_bytes(const struct reader *reader, struct problems *problems)
{
    const struct csv_reader *csv = reader->csv;
    struct span all = buf_span(&csv->bytes);
    if (csv->is_plain && csv->is_ascii)
        return;
    bool has_nul = memchr(all.ptr, '\0', all.len) != NULL;
    bool is_utf8 = text_is_utf8(all);

    if (!has_nul && is_utf8)
        return;
    const char *hint = reader_encoding_hint(reader);
    for (size_t i = 0; i < csv->cell_count && i < READER_COLUMNS_MAX; i++) {
        struct span cell = cell_bytes(csv, i);
        if (memchr(cell.ptr, '\0', cell.len) != NULL)
            add_cell_problem(reader, problems, PROBLEM_NUL, i, cell, "holds a NUL byte");
        if (!text_is_utf8(cell)) {
            char text[128];
            const char *name = reader_encoding_name(reader);
            if (hint[0] == '\0')
                (void)snprintf(text, sizeof(text), "is not valid %s", name);
            else
                (void)snprintf(text, sizeof(text), "is not valid %s; %s", name, hint);
            add_cell_problem(reader, problems, PROBLEM_UTF8, i, cell, text);
            hint = ""; /* once a row is enough */
        }
    }
}

/*
 * A header of one column that holds another delimiter was made with that one. `cell` is all that is
 * known of the column: a delimiter that was trimmed off does not count.
 */
static void check_delimiter(const struct csv_reader *csv, struct span cell,
                            struct problems *problems)
{
    size_t best = 0;

    for (size_t i = 1; i < sizeof(usual_delimiters); i++)
        if (csv->header_delimiters[i] > csv->header_delimiters[best])
            best = i;
    char other = usual_delimiters[best];
    if (csv->header_delimiters[best] == 0 || memchr(cell.ptr, other, cell.len) == NULL)
        return;
    if (other == '\t')
        problem_add(problems, PROBLEM_DELIMITER, SPAN_LITERAL(""), cell,
                    "the header has one column, with a tab in it: try --delimiter tab");
    else
        problem_add(problems, PROBLEM_DELIMITER, SPAN_LITERAL(""), cell,
                    "the header has one column, with %c in it: try --delimiter '%c'", other, other);
}

static void check_names(const struct reader *reader, struct problems *problems)
{
    const struct csv_reader *csv = reader->csv;

    if (csv->cell_count > READER_COLUMNS_MAX) {
        problem_add(problems, PROBLEM_COLUMN, SPAN_LITERAL(""), SPAN_LITERAL(""),
                    "the header has %zu columns, more than %d", csv->cell_count,
                    READER_COLUMNS_MAX);
        return;
    }
    for (size_t i = 0; i < csv->cell_count; i++) {
        struct span name = cell_bytes(csv, i);
        if (name.len == 0) {
            add_cell_problem(reader, problems, PROBLEM_COLUMN, i, name, "has no name");
            continue;
        }
        if (name.len > READER_COLUMN_NAME_MAX)
            problem_add(problems, PROBLEM_COLUMN, SPAN_LITERAL(""), name,
                        "the name of column %zu is longer than %d bytes", i + 1,
                        READER_COLUMN_NAME_MAX);
        size_t first = 0;
        while (!span_equal(cell_bytes(csv, first), name))
            first++;
        if (first < i)
            problem_add(problems, PROBLEM_DUPLICATE, name, SPAN_LITERAL(""),
                        "columns %zu and %zu have the same name", first + 1, i + 1);
    }
}

/* Goes to the line that the header is on. */
static enum status skip_to_header(struct reader *reader)
{
    while (reader->workbook == NULL && reader->line < reader->options.header_line) {
        enum status status = source_fill(reader->source);
        if (status != STATUS_OK)
            return status;
        (void)take_slice(reader, next_slice(source_block(reader->source), SIZE_MAX));
    }
    return STATUS_OK;
}

/* Whether the row is nothing but delimiters. One of a sheet has something to be said of it. */
static bool is_without_value(const struct reader *reader, enum status status)
{
    const struct csv_reader *csv = reader->csv;

    return status == STATUS_OK && csv->bytes.len == csv->cell_count && csv->cell_count > 1 &&
           reader->workbook == NULL;
}

/* Columns at the right that have no name, as a spreadsheet saves them beside a table. */
static void leave_out_nameless(struct reader *reader)
{
    struct csv_reader *csv = reader->csv;

    while (csv->cell_count > 1 && csv->cell_count <= READER_COLUMNS_MAX &&
           cell_bytes(csv, csv->cell_count - 1).len == 0) {
        csv->cell_count--;
        reader->empty_columns++;
    }
}

enum status csv_reader_header(struct reader *reader, struct problems *problems)
{
    struct csv_reader *csv = reader->csv;
    enum status status = skip_to_header(reader);

    if (status == STATUS_OK)
        do
            status = read_row(reader);
        while (is_without_value(reader, status));
    if (status != STATUS_OK && status != STATUS_BAD_ROW)
        return status;
    problems_clear(problems, 0, csv->row_line);
    if (reader->workbook != NULL && reader_add_marks(reader, problems))
        return STATUS_BAD_INPUT;
    if (status == STATUS_BAD_ROW) {
        if (csv->fault_column == 0) /* "a";"b" is one cell that goes on behind its quote */
            check_delimiter(csv, span_of(usual_delimiters, sizeof(usual_delimiters)), problems);
        add_fault(reader, problems);
        return STATUS_BAD_INPUT;
    }
    leave_out_nameless(reader);
    if (csv->cell_count == 1 && reader->workbook == NULL)
        check_delimiter(csv, cell_bytes(csv, 0), problems);
    check_bytes(reader, problems);
    check_names(reader, problems);
    if (problems->error_count > 0)
        return STATUS_BAD_INPUT;
    for (size_t i = 0; i < csv->cell_count; i++) {
        status = reader_add_column(reader, cell_bytes(csv, i));
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/*
 * A quote inside a cell that was not doubled may have ended the cell early, and what comes then is
 * text. Where the number of cells is right nobody could tell; where it is wrong, this may be why,
 * unless the row shows that its quotes are doubled.
 */
static bool may_be_torn(const struct csv_reader *csv)
{
    bool has_quote = csv->is_plain
                         ? csv->raw_bytes > csv->bytes.len /* a delimiter is as long as its comma */
                         : memchr(csv->typed.ptr, '"', csv->typed.len) != NULL;

    return has_quote && memchr(csv->bytes.ptr, '"', csv->bytes.len) == NULL;
}

/* Whether what the row has beside the header's columns is empty, as the header is there. */
static bool is_only_wider(const struct reader *reader)
{
    const struct csv_reader *csv = reader->csv;
    size_t count = csv->cell_count, known = reader->column_count;

    return count > known && count <= known + reader->empty_columns &&
           csv->ends[count - 1] - csv->ends[known - 1] == count - known;
}

static void add_count_problem(struct reader *reader, struct problems *problems)
{
    const struct csv_reader *csv = reader->csv;

    problem_add(problems, PROBLEM_CELLS, SPAN_LITERAL(""), SPAN_LITERAL(""),
                "has %zu cell%s, the header has %zu", csv->cell_count,
                csv->cell_count == 1 ? "" : "s", reader->column_count);
    if (reader->workbook == NULL && may_be_torn(csv))
        reader_lose(reader, reader->row_number, csv->row_line, PROBLEM_CELLS);
}

static void set_cells(struct reader *reader)
{
    for (size_t i = 0; i < reader->column_count; i++) {
        struct span text = cell_bytes(reader->csv, i);
        reader->cells[i] =
            (struct cell){.kind = text.len > 0 ? CELL_TEXT : CELL_ABSENT, .text = text};
    }
    const struct csv_reader *csv = reader->csv;
    if (!csv->is_plain)
        csv_blanks_find(buf_span(&csv->typed), csv->delimiter, csv->bytes.len, reader->cells,
                        reader->column_count);
}

/* Holds the row's cells against the header, and hands it on. */
static enum status end_row(struct reader *reader, struct row *ret_row, struct problems *problems)
{
    const struct csv_reader *csv = reader->csv;

    check_bytes(reader, problems);
    if (csv->cell_count != reader->column_count && !is_only_wider(reader))
        add_count_problem(reader, problems);
    else
        set_cells(reader);
    return reader_end_row(reader, problems, ret_row);
}

/* The same for a row of a sheet, whose cells may have something wrong with them that does not show
 * in their text. */
static enum status end_sheet_row(struct reader *reader, struct row *ret_row,
                                 struct problems *problems)
{
    if (reader_row_is_long(reader)) {
        (void)reader_add_marks(reader, problems);
        return reader_end_row(reader, problems, ret_row);
    }
    enum status status = end_row(reader, ret_row, problems);
    (void)reader_add_marks(reader, problems);
    return status;
}

enum status csv_reader_next(struct reader *reader, struct row *ret_row, struct problems *problems)
{
    struct csv_reader *csv = reader->csv;
    enum status status = read_row(reader);

    for (; is_without_value(reader, status); status = read_row(reader))
        reader->empty_rows++;
    if (status != STATUS_OK && status != STATUS_BAD_ROW)
        return status;
    reader_begin_row(reader, csv->row_line, problems);
    if (status == STATUS_BAD_ROW) {
        add_fault(reader, problems);
        return reader_end_row(reader, problems, ret_row);
    }
    if (reader->workbook != NULL)
        return end_sheet_row(reader, ret_row, problems);
    return end_row(reader, ret_row, problems);
}
