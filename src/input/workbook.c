#include "input/workbook.h"

#include <inttypes.h>

struct workbook {
    struct trouble trouble;
    struct book *book;
    struct sheet *sheet; /* NULL before the first byte */
    struct sheet_merges merges;
    struct sheet_facts facts; /* of the first reading, once it has ended */
    bool is_loaded;           /* with the merged cells */
    size_t max_row_bytes;
    uint64_t header_line;
};

enum status workbook_open(int fd, const char *sheet, uint64_t header_line, size_t max_row_bytes,
                          struct trouble *trouble, struct workbook **ret_workbook)
{
    struct workbook *workbook = calloc(1, sizeof(*workbook));

    if (workbook == NULL)
        return STATUS_NO_MEMORY;
    workbook->max_row_bytes = max_row_bytes;
    workbook->header_line = header_line;
    enum status status = book_open(fd, &workbook->trouble, &workbook->book);
    if (status == STATUS_OK)
        status = book_choose(workbook->book, sheet, &workbook->trouble);
    if (status != STATUS_OK) {
        *trouble = workbook->trouble;
        workbook_close(workbook);
        return status;
    }
    *ret_workbook = workbook;
    return STATUS_OK;
}

void workbook_close(struct workbook *workbook)
{
    if (workbook == NULL)
        return;
    sheet_close(workbook->sheet);
    sheet_merges_deinit(&workbook->merges);
    book_close(workbook->book);
    free(workbook);
}

static enum status begin(struct workbook *workbook)
{
    enum status status = STATUS_OK;

    if (!workbook->is_loaded) {
        status = book_load(workbook->book);
        if (status == STATUS_OK)
            status = sheet_find_merges(workbook->book, &workbook->merges);
        workbook->is_loaded = status == STATUS_OK;
    }
    if (status == STATUS_OK)
        status = sheet_open(workbook->book, &workbook->merges, workbook->max_row_bytes,
                            &workbook->sheet);
    if (status == STATUS_OK)
        sheet_skip_to(workbook->sheet, workbook->header_line);
    return status;
}

enum status workbook_read(struct workbook *workbook, uint64_t taken, char *out, size_t room,
                          size_t *ret_count)
{
    enum status status = workbook->sheet == NULL ? begin(workbook) : STATUS_OK;

    if (status != STATUS_OK)
        return status;
    sheet_drop_marks(workbook->sheet, taken);
    status = sheet_read(workbook->sheet, out, room, ret_count);
    if (status == STATUS_END)
        workbook->facts = *sheet_facts(workbook->sheet);
    return status;
}

const char *workbook_error(const struct workbook *workbook)
{
    return workbook->trouble.text;
}

void workbook_restart(struct workbook *workbook)
{
    sheet_close(workbook->sheet);
    workbook->sheet = NULL;
}

size_t workbook_marks(const struct workbook *workbook, uint64_t row,
                      const struct sheet_mark **ret_marks)
{
    *ret_marks = NULL;
    return workbook->sheet != NULL ? sheet_marks(workbook->sheet, row, ret_marks) : 0;
}

double workbook_share(const struct workbook *workbook)
{
    uint64_t taken = 0, size = 0;

    if (workbook->sheet != NULL)
        sheet_progress(workbook->sheet, &taken, &size);
    return size > 0 ? (double)taken / (double)size : 0;
}

size_t workbook_sheet_count(const struct workbook *workbook)
{
    return book_sheet_count(workbook->book);
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

void workbook_add_notes(const struct workbook *workbook, struct buf *out)
{
    const struct sheet_facts *facts = &workbook->facts;
    size_t sheets = book_sheet_count(workbook->book);
    struct span name = span_string(book_sheet_name(workbook->book));

    if (sheets > 1) {
        buf_add_string(out, "the sheet ");
        buf_add_quoted(out, name);
        buf_add_format(out, "%s is read, one of %zu; --sheet names another\n",
                       book_sheet_is_hidden(workbook->book) ? " (hidden)" : "", sheets);
    }
    if (facts->hidden_rows > 0)
        buf_add_format(out, "%" PRIu64 " hidden row%s%s %s read as the others are\n",
                       facts->hidden_rows, plural(facts->hidden_rows),
                       facts->has_filter ? " (the sheet has a filter)" : "",
                       facts->hidden_rows == 1 ? "is" : "are");
    if (facts->hidden_columns > 0)
        buf_add_format(out, "%" PRIu64 " hidden column%s %s read as the others are\n",
                       facts->hidden_columns, plural(facts->hidden_columns),
                       facts->hidden_columns == 1 ? "is" : "are");
    if (facts->formulas > 0)
        buf_add_format(out, "the stored result%s of %" PRIu64 " formula%s %s read\n",
                       plural(facts->formulas), facts->formulas, plural(facts->formulas),
                       facts->formulas == 1 ? "is" : "are");
}
