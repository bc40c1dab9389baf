#include "input/reader.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <strings.h>

#include "input/reader_impl.h"

/* Whatever the case of its letters. */
static bool ends_with(struct span name, const char *extension)
{
    size_t len = strlen(extension);

    return name.len >= len && strncasecmp(name.ptr + name.len - len, extension, len) == 0;
}

struct span reader_plain_name(const char *path)
{
    static const char *const extensions[] = {".gz", ".zst", ".zstd"};
    struct span name = span_string(path);

    for (size_t i = 0; i < ARRAY_LENGTH(extensions); i++)
        if (ends_with(name, extensions[i]))
            return span_of(path, name.len - strlen(extensions[i]));
    return name;
}

bool reader_is_spreadsheet(const char *path)
{
    static const char *const extensions[] = {".xls", ".xlsb", ".ods", ".fods", ".et", ".numbers"};

    for (size_t i = 0; i < ARRAY_LENGTH(extensions); i++)
        if (ends_with(span_string(path), extensions[i]))
            return true;
    return false;
}

bool reader_format_of(const char *path, enum input_format *ret_format)
{
    static const struct {
        const char *extension;
        enum input_format format;
    } formats[] = {{".csv", INPUT_CSV},
                   {".jsonl", INPUT_JSONL},
                   {".ndjson", INPUT_JSONL},
                   {".xlsx", INPUT_XLSX},
                   {".xlsm", INPUT_XLSX}};
    struct span name = reader_plain_name(path);

    for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
        if (ends_with(name, formats[i].extension)) {
            *ret_format = formats[i].format;
            return true;
        }
    }
    return false;
}

bool reader_delimiter_of(const char *text, char *ret_delimiter)
{
    static const struct {
        const char *name;
        char delimiter;
    } names[] = {
        {"comma", ','}, {"semicolon", ';'}, {"tab", '\t'}, {"\\t", '\t'}, {"pipe", '|'},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcasecmp(text, names[i].name) == 0) {
            *ret_delimiter = names[i].delimiter;
            return true;
        }
    }
    bool is_sign = text[0] > ' ' && text[0] < 0x7f && !isalnum((unsigned char)text[0]);
    if (text[0] == '\0' || text[1] != '\0' || text[0] == '"' || (!is_sign && text[0] != '\t'))
        return false;
    *ret_delimiter = text[0];
    return true;
}

enum status reader_open(struct source *source, const struct reader_options *options,
                        struct reader **ret_reader)
{
    struct reader *reader = calloc(1, sizeof(*reader));

    if (reader == NULL)
        return STATUS_NO_MEMORY;
    reader->source = source;
    reader->workbook = source_workbook(source);
    reader->options = *options;
    if (reader->options.max_row_bytes > SIZE_MAX / 4) /* so that sums with it do not overflow */
        reader->options.max_row_bytes = SIZE_MAX / 4;
    reader->line = 1;
    buf_init(&reader->raw, READER_RAW_MAX);
    buf_init(&reader->raw_header, READER_RAW_MAX);
    enum status status = options->format == INPUT_CSV
                             ? csv_reader_new(&reader->options, &reader->csv)
                             : jsonl_reader_new(reader->options.max_row_bytes, &reader->jsonl);
    if (status != STATUS_OK) {
        free(reader);
        return status;
    }
    *ret_reader = reader;
    return STATUS_OK;
}

void reader_close(struct reader *reader)
{
    if (reader == NULL)
        return;
    csv_reader_free(reader->csv);
    jsonl_reader_free(reader->jsonl);
    reader_drop_columns(reader, 0);
    buf_deinit(&reader->raw);
    buf_deinit(&reader->raw_header);
    free(reader);
}

void reader_reset(struct reader *reader)
{
    if (reader->csv != NULL)
        csv_reader_reset(reader->csv);
    if (reader->jsonl != NULL)
        jsonl_reader_reset(reader->jsonl);
    reader_drop_columns(reader, 0);
    reader_drop_raw(reader);
    buf_clear(&reader->raw_header);
    reader->has_header = false;
    reader->line = 1;
    reader->row_number = 0;
    reader->lost = (struct reader_lost){.row = 0};
    reader->empty_columns = reader->empty_rows = 0;
    reader->is_open_ended = false;
}

/* Says why the input ends here: what has been read of its last row is not handed on. */
static enum status explain(const struct reader *reader, enum status status,
                           struct problems *problems)
{
    if (reader->raw.status == STATUS_NO_MEMORY)
        return STATUS_NO_MEMORY;
    if (status != STATUS_BAD_INPUT)
        return status;
    if (reader->raw.status == STATUS_TOO_BIG) {
        problems_clear(problems, 0, reader->line);
        problem_add(problems, PROBLEM_ROW_SIZE, SPAN_LITERAL(""), SPAN_LITERAL(""),
                    "a row is longer than %d MiB with what is skipped behind its fault",
                    READER_RAW_MAX / (1024 * 1024));
    } else if (source_error(reader->source)[0] != '\0') {
        problems_clear(problems, 0, reader->line);
        problem_add(problems, source_error_code(reader->source), SPAN_LITERAL(""), SPAN_LITERAL(""),
                    "%s", source_error(reader->source));
    }
    return status;
}

const struct reader_lost *reader_lost(const struct reader *reader)
{
#ifdef NBATCH_TEST_WITHOUT_PLACE
    (void)reader;
    return NULL;
#else
    return reader->lost.row > 0 ? &reader->lost : NULL;
#endif
}

struct span reader_raw(const struct reader *reader)
{
    return buf_span(&reader->raw);
}

struct span reader_raw_header(const struct reader *reader)
{
    return buf_span(&reader->raw_header);
}

enum status reader_header(struct reader *reader, struct problems *problems)
{
    problems_clear(problems, 0, 1);
    enum status status = reader->csv != NULL ? csv_reader_header(reader, problems)
                                             : jsonl_reader_header(reader, problems);
    reader->has_header = status == STATUS_OK;
    if (status == STATUS_OK) {
        buf_add(&reader->raw_header, buf_span(&reader->raw));
        status = reader->raw_header.status;
        reader_drop_raw(reader);
    }
    if (status != STATUS_END)
        return explain(reader, status, problems);
    problem_add(problems, PROBLEM_EMPTY, SPAN_LITERAL(""), SPAN_LITERAL(""), "the file is empty");
    return STATUS_BAD_INPUT;
}

size_t reader_column_count(const struct reader *reader)
{
    return reader->column_count;
}

uint64_t reader_line(const struct reader *reader)
{
    return reader->line;
}

struct span reader_column_name(const struct reader *reader, size_t column)
{
    return reader->columns[column];
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

void reader_add_notes(const struct reader *reader, struct buf *out)
{
    uint64_t columns = reader->empty_columns, rows = reader->empty_rows;

    if (columns > 0)
        buf_add_format(out, "%" PRIu64 " empty column%s at the right", columns, plural(columns));
    if (rows > 0)
        buf_add_format(out, "%s%" PRIu64 " row%s without a value", columns > 0 ? " and " : "", rows,
                       plural(rows));
    if (columns + rows > 0)
        buf_add_format(out, " %s left out\n", columns + rows == 1 ? "is" : "are");
    if (reader->is_open_ended)
        buf_add_format(out,
                       "the last line, %" PRIu64 ", has no line end: where the file may have been "
                       "cut off, see whether its last value is whole\n",
                       reader->line);
}

enum status reader_next(struct reader *reader, struct row *ret_row, struct problems *problems)
{
    assert(reader->has_header);
    enum status status = reader->csv != NULL ? csv_reader_next(reader, ret_row, problems)
                                             : jsonl_reader_next(reader, ret_row, problems);
    if (status == STATUS_END)
        reader_drop_raw(reader);
    return explain(reader, status, problems);
}

size_t reader_marks(const struct reader *reader, const struct sheet_mark **ret_marks)
{
    *ret_marks = NULL;
    return reader->workbook != NULL ? workbook_marks(reader->workbook, reader->line - 1, ret_marks)
                                    : 0;
}

static void add_mark(const struct reader *reader, const struct sheet_mark *mark,
                     struct problems *problems)
{
    char name[CELL_NAME_MAX], merged[2 * CELL_NAME_MAX];
    bool has_column = mark->column < reader->column_count;
    struct span field = has_column ? reader->columns[mark->column] : SPAN_LITERAL("");
    struct span text = has_column ? reader->cells[mark->column].text : SPAN_LITERAL("");

    cell_name_write(mark->column, mark->row, name);
    switch (mark->kind) {
    case MARK_ERROR:
        problem_add(problems, PROBLEM_CELL, field, text, "%s holds an error%s%.*s", name,
                    text.len > 0 ? ": " : "", SPAN_ARG(text));
        break;
    case MARK_FORMULA:
        problem_add(problems, PROBLEM_CELL, field, SPAN_LITERAL(""),
                    "%s holds a formula without its result: open the file in the spreadsheet "
                    "program, and save it",
                    name);
        break;
    case MARK_MERGED:
        cell_range_write(&mark->merged, merged);
        problem_add(problems, PROBLEM_CELL, field, SPAN_LITERAL(""),
                    "%s is one of the merged cells %s: %s", name, merged,
                    problems->row == 0 ? "the first row that is not empty must be the header, "
                                         "without a title above it"
                                       : "unmerge them, and fill in each");
        break;
    case MARK_NUMBER:
        problem_add(problems, PROBLEM_CELL, field, text,
                    "%s is stored as a number and is none: %.*s", name, SPAN_ARG(text));
        break;
    case MARK_LONG:
        problem_add(problems, PROBLEM_ROW_SIZE, SPAN_LITERAL(""), SPAN_LITERAL(""),
                    "the row is longer than %zu bytes", reader->options.max_row_bytes);
        break;
    case MARK_DATE:
        break;
    }
}

bool reader_add_marks(const struct reader *reader, struct problems *problems)
{
    const struct sheet_mark *marks = NULL;
    size_t before = problems->error_count, count = reader_marks(reader, &marks);

    for (size_t i = 0; i < count; i++)
        add_mark(reader, &marks[i], problems);
    return problems->error_count > before;
}

bool reader_row_is_long(const struct reader *reader)
{
    const struct sheet_mark *marks = NULL;
    size_t count = reader_marks(reader, &marks);

    return count > 0 && marks[0].kind == MARK_LONG;
}

enum status reader_add_column(struct reader *reader, struct span name)
{
    if (reader->column_count == READER_COLUMNS_MAX || name.len > READER_COLUMN_NAME_MAX)
        return STATUS_TOO_BIG;
    char *copy = malloc(name.len + 1);
    if (copy == NULL)
        return STATUS_NO_MEMORY;
    if (name.len > 0)
        memcpy(copy, name.ptr, name.len);
    copy[name.len] = '\0';
    reader->columns[reader->column_count] = span_of(copy, name.len);
    reader->cells[reader->column_count] = (struct cell){.kind = CELL_ABSENT};
    reader->column_count++;
    return STATUS_OK;
}

void reader_drop_columns(struct reader *reader, size_t count)
{
    while (reader->column_count > count)
        free((char *)reader->columns[--reader->column_count].ptr);
}

const char *reader_encoding_name(const struct reader *reader)
{
    const char *name = source_encoding(reader->source);

    return name != NULL ? name : "UTF-8";
}

const char *reader_encoding_hint(const struct reader *reader)
{
    return source_encoding(reader->source) != NULL
               ? ""
               : "if it comes from Excel in China, try --encoding gb18030";
}

void reader_begin_row(struct reader *reader, uint64_t line, struct problems *problems)
{
    reader->row_number++;
    problems_clear(problems, reader->row_number, line);
}

enum status reader_end_row(const struct reader *reader, const struct problems *problems,
                           struct row *ret_row)
{
    *ret_row = (struct row){.number = reader->row_number, .line = problems->line};
    if (problems->error_count > 0)
        return STATUS_BAD_ROW;
    ret_row->cells = reader->cells;
    ret_row->cell_count = reader->column_count;
    return STATUS_OK;
}
