#include "ledger/table_scan.h"

#include <errno.h>

#include "core/jsonlex.h"
#include "core/text.h"
#include "ledger/outfile.h"

enum { SHOWN_MAX = 40 };

static const char byte_order_mark[] = "\xef\xbb\xbf";

static enum status fail(struct table_scan *table, enum status status, const char *why)
{
    buf_add_printable(table->message, span_string(table->path));
    if (status == STATUS_SYNTAX)
        buf_add_format(table->message, ": line %llu: %s: %s", (unsigned long long)table->line, why,
                       table->kind->remedy);
    else
        buf_add_format(table->message, ": %s", why);
    return status;
}

enum status table_scan_refuse(struct table_scan *table, size_t column, const char *why)
{
    struct span value = table->cells[column];

    buf_add_printable(table->message, span_string(table->path));
    buf_add_format(table->message, ": line %llu, column %s: ", (unsigned long long)table->line,
                   table->kind->columns[column]);
    if (value.len == 0) {
        buf_add_string(table->message, "an empty cell ");
    } else {
        size_t shown = text_cut(value, SHOWN_MAX);
        buf_add_quoted(table->message, span_of(value.ptr, shown));
        buf_add_string(table->message, shown < value.len ? "... " : " ");
    }
    buf_add_format(table->message, "%s: %s", why, table->kind->remedy);
    return STATUS_SYNTAX;
}

/* The next line without its end, empty ones included. */
static enum status next_line(struct table_scan *table, struct span *ret_line)
{
    struct result_scan *scan = &table->scan;
    enum status status = result_scan_line(scan, ret_line);

    table->line = table->lines_before + 1;
    if (status == STATUS_SYNTAX && result_scan_is_cut(scan)) {
        table->is_cut = table->kind->may_be_cut;
        *ret_line = span_of(scan->block.ptr + scan->used, scan->block.len - scan->used);
        scan->used = scan->block.len;
        scan->searched = 0;
        status = table->is_cut ? STATUS_END : STATUS_OK;
    }
    if (status == STATUS_END)
        return status;
    if (status != STATUS_OK)
        return fail(table, status,
                    status == STATUS_IO       ? strerror(errno)
                    : status == STATUS_SYNTAX ? scan->error
                                              : status_text(status));
    for (size_t i = 0; i < ret_line->len; i++)
        table->lines_before += ret_line->ptr[i] == '\n';
    while (ret_line->len > 0 &&
           (ret_line->ptr[ret_line->len - 1] == '\n' || ret_line->ptr[ret_line->len - 1] == '\r'))
        ret_line->len--;
    if (ret_line->len > 0 && memchr(ret_line->ptr, '\0', ret_line->len) != NULL)
        return fail(table, STATUS_SYNTAX, "zeros are in the place of text");
    return STATUS_OK;
}

/* A value without quotes and escapes, in `text`, which has room for the whole line. */
static struct span add_value(struct table_scan *table, struct span value)
{
    size_t from = table->text.len;

    result_unquote(value, false, &table->text);
    return span_of(table->text.ptr + from, table->text.len - from);
}

static size_t find_column(const struct table_scan *table, struct span name)
{
    size_t i = 0;

    while (i < table->kind->count && !span_is(name, table->kind->columns[i]))
        i++;
    return i;
}

static bool take_cell(struct span *line, struct span *ret_cell, bool *ret_last)
{
    *ret_last = false;
    if (result_take_cell(line, false, ret_cell))
        return true;
    *ret_last = true;
    return result_take_cell(line, true, ret_cell);
}

static enum status say_missing(struct table_scan *table, size_t column)
{
    buf_add_printable(table->message, span_string(table->path));
    buf_add_format(table->message, ": line %llu: this is no %s: it has no column %s: %s",
                   (unsigned long long)table->line, table->kind->what, table->kind->columns[column],
                   table->kind->remedy);
    return STATUS_SYNTAX;
}

static enum status read_header(struct table_scan *table)
{
    bool has[TABLE_COLUMNS_MAX] = {false}, is_last = false;
    struct span line, cell;
    enum status status = next_line(table, &line);

    if (status == STATUS_END && table->kind->may_be_cut)
        return STATUS_OK; /* whoever made it died at once */
    if (status == STATUS_END)
        return fail(table, STATUS_SYNTAX, "the file is empty");
    if (status != STATUS_OK)
        return status;
    if (!buf_reserve(&table->text, line.len + 1))
        return fail(table, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
    while (!is_last && table->cell_count < TABLE_CELLS_MAX && take_cell(&line, &cell, &is_last)) {
        size_t column = find_column(table, add_value(table, cell));
        if (column < table->kind->count && !has[column]) {
            has[column] = true;
            table->column_of[table->cell_count] = (unsigned char)(column + 1);
        }
        table->cell_count++;
    }
    if (!is_last)
        return fail(table, STATUS_SYNTAX, "the header cannot be read");
    for (size_t i = 0; i < table->kind->count; i++)
        if (!has[i])
            return table->cell_count == 1
                       ? fail(table, STATUS_SYNTAX,
                              "there is no comma in the header; a spreadsheet may have put another "
                              "character between the cells")
                       : say_missing(table, i);
    return STATUS_OK;
}

static enum status read_csv(struct table_scan *table, struct span line)
{
    for (size_t i = 0; i < table->cell_count; i++) {
        struct span cell;
        if (!result_take_cell(&line, i + 1 == table->cell_count, &cell))
            return fail(table, STATUS_SYNTAX, "it has not as many cells as the header");
        if (table->column_of[i] > 0)
            table->cells[table->column_of[i] - 1] = add_value(table, cell);
    }
    return STATUS_OK;
}

/* Room for the texts was reserved, so that they do not move. */
static enum status read_json(struct table_scan *table, struct span line)
{
    bool has[TABLE_COLUMNS_MAX] = {false};
    struct jsonlex lex;

    jsonlex_start(&lex, line);
    if (jsonlex_next(&lex) == JSONLEX_OBJECT) {
        while (jsonlex_next(&lex) == JSONLEX_NAME) {
            size_t column = find_column(table, jsonlex_string(lex.text, &table->text));
            enum jsonlex_token kind = jsonlex_next(&lex);
            (void)jsonlex_skip(&lex);
            if (column >= table->kind->count)
                continue;
            has[column] = true;
            table->cells[column] = kind == JSONLEX_STRING ? jsonlex_string(lex.text, &table->text)
                                   : kind == JSONLEX_NULL ? span_of(NULL, 0)
                                                          : lex.text;
        }
    }
    if (jsonlex_next(&lex) != JSONLEX_END)
        return fail(table, STATUS_SYNTAX, "it is no JSON object");
    for (size_t i = 0; i < table->kind->count; i++)
        if (!has[i])
            return say_missing(table, i);
    return STATUS_OK;
}

static bool is_empty(const struct table_scan *table)
{
    for (size_t i = 0; i < table->kind->count; i++)
        if (table->cells[i].len > 0)
            return false;
    return true;
}

enum status table_scan_next(struct table_scan *table)
{
    for (;;) {
        struct span line;
        enum status status = next_line(table, &line);
        if (status != STATUS_OK)
            return status;
        if (line.len == 0)
            continue;
        memset(table->cells, 0, sizeof(table->cells));
        buf_clear(&table->text);
        if (!buf_reserve(&table->text, line.len + 1))
            return fail(table, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
        status = table->scan.jsonl ? read_json(table, line) : read_csv(table, line);
        if (status != STATUS_OK || !is_empty(table))
            return status;
    }
}

/* Looks at how the file begins. */
static enum status start(struct table_scan *table, uint64_t size)
{
    char first[4] = "";
    struct result_scan *scan = &table->scan;
    ssize_t count = scan->disk->read_at(scan->disk, scan->fd, first, sizeof(first), 0);

    if (count < 0)
        return fail(table, STATUS_IO, strerror(errno));
    size_t from = memcmp(first, byte_order_mark, 3) == 0 ? 3 : 0;
    scan->jsonl = first[from] == '{';
    result_scan_range(scan, from, size);
    if (size == 0 && outfile_is_jsonl(table->path))
        return STATUS_OK;
    return scan->jsonl ? STATUS_OK : read_header(table);
}

enum status table_scan_open(struct table_scan *table, struct disk *disk, const char *path,
                            const struct table_kind *kind, struct buf *message)
{
    struct stat about;
    int fd = disk->open(disk, path, O_RDONLY | O_NONBLOCK, 0);

    *table =
        (struct table_scan){.kind = kind, .path = path, .message = message, .scan = {.fd = fd}};
    if (fd < 0 && errno == ENOENT)
        return STATUS_END;
    if (fd < 0 || disk->stat(disk, fd, &about) != 0)
        return fail(table, STATUS_IO, strerror(errno));
    result_scan_init(&table->scan, disk, fd, false, 0);
    buf_init(&table->text, RESULT_LINE_MAX);
    if (!S_ISREG(about.st_mode))
        return fail(table, STATUS_IO, "it is no regular file");
    return start(table, (uint64_t)about.st_size);
}

void table_scan_close(struct table_scan *table)
{
    if (table->scan.disk == NULL)
        return;
    if (table->scan.fd >= 0)
        (void)table->scan.disk->close(table->scan.disk, table->scan.fd);
    result_scan_deinit(&table->scan);
    buf_deinit(&table->text);
    table->scan.disk = NULL;
}
