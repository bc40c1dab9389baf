#include "run/values_file.h"

#include <errno.h>
#include <unistd.h>

#include "core/when.h"
#include "ledger/cell.h"

static const struct outfile_kind values_kind = {"values file", "--values"};

static const char *const columns[] = {"row",         "key",         DEVICE_COLUMN,
                                      "obj_id",      "obj_inst_id", "res_id",
                                      "res_inst_id", "value",       "confirm_time"};

enum { COLUMN_ROW = 0, COLUMN_DEVICE = 2 };

static const struct table_kind table_kind = {
    .what = "values file",
    .columns = columns,
    .count = ARRAY_LENGTH(columns),
    .remedy = "restore the file, or name another one with --values",
    .may_be_cut = true};

/* The lines of a row are together: they are told of when the next row's come. */
struct row_lines {
    uint64_t row, from; /* 0: there is none; where in the file they begin */
    char device[DEVICE_TEXT_MAX + 1];
    values_row_fn *each;
    void *context;
};

static void end_row(struct row_lines *lines)
{
    if (lines->row > 0)
        lines->each(lines->context, lines->row, span_string(lines->device));
    lines->row = 0;
}

static void take_line(struct row_lines *lines, uint64_t row, struct span device, uint64_t from)
{
    if (lines->row == row && span_is(device, lines->device))
        return;
    end_row(lines);
    *lines = (struct row_lines){.row = row,
                                .from = from,
                                .each = lines->each,
                                .context = lines->context};
    if (device.len < sizeof(lines->device))
        memcpy(lines->device, device.ptr, device.len);
}

/* How far the file has been read. */
static uint64_t offset_of(const struct table_scan *table)
{
    return table->scan.read - (table->scan.block.len - table->scan.used);
}

/* Of the last row nobody knows whether it is whole. */
static enum status drop_last(const char *path, const struct row_lines *last, struct buf *message)
{
    if (last->row == 0 || truncate(path, (off_t)last->from) == 0)
        return STATUS_END;
    buf_add_format(message, "%s: its last line is cut off, and cannot be taken away: %s", path,
                   strerror(errno));
    return STATUS_IO;
}

enum status values_file_each(const char *path, values_row_fn *each, void *context,
                             struct buf *message)
{
    struct row_lines lines = {.each = each, .context = context};
    struct table_scan table;
    uint64_t row, from = 0;
    enum status status = table_scan_open(&table, &disk_real, path, &table_kind, message);

    while (status == STATUS_OK) {
        from = offset_of(&table);
        status = table_scan_next(&table);
        if (status != STATUS_OK)
            break;
        if (span_to_uint64(table.cells[COLUMN_ROW], &row) == STATUS_OK && row > 0)
            take_line(&lines, row, table.cells[COLUMN_DEVICE], from);
        else
            status = table_scan_refuse(&table, COLUMN_ROW, "is no number of a row");
    }
    if (status == STATUS_END && table.is_cut)
        status = drop_last(path, &lines, message);
    else if (status == STATUS_END)
        end_row(&lines);
    table_scan_close(&table);
    if (status == STATUS_END)
        buf_clear(message);
    return status;
}

enum status values_file_open(struct values_file *file, const char *path, struct buf *message)
{
    *file = (struct values_file){.jsonl = outfile_is_jsonl(path)};
    enum status status = outfile_append(&file->file, &disk_real, path, &values_kind, message);
    if (status == STATUS_OK && outfile_cut_to_lines(&file->file, &file->size) != STATUS_OK) {
        buf_add_format(message, "%s: %s", path, strerror(errno));
        status = STATUS_IO;
    }
    if (status != STATUS_OK || file->jsonl || file->size > 0)
        return status;
    for (size_t i = 0; i < ARRAY_LENGTH(columns); i++)
        buf_add_format(&file->file.out, "%s%s", i > 0 ? "," : "", columns[i]);
    buf_add_char(&file->file.out, '\n');
    return STATUS_OK;
}

static void add_id(struct values_file *file, size_t column, int64_t id)
{
    struct buf *out = &file->file.out;

    buf_add_char(out, ',');
    if (file->jsonl)
        buf_add_format(out, "\"%s\":", columns[column]);
    if (id != HISTORY_NONE)
        buf_add_int64(out, id);
    else if (file->jsonl)
        buf_add_string(out, "null");
}

static void add_text(struct values_file *file, size_t column, struct span text, bool is_bare)
{
    struct buf *out = &file->file.out;

    buf_add_char(out, ',');
    if (!file->jsonl) {
        cell_add(out, text);
        return;
    }
    buf_add_format(out, "\"%s\":", columns[column]);
    if (is_bare)
        buf_add(out, text);
    else
        buf_add_json_string(out, text);
}

void values_file_add(struct values_file *file, const struct values_row *row,
                     const struct history_value *value)
{
    struct buf *out = &file->file.out;
    char time[WHEN_PLATFORM_LENGTH + sizeof("+08:00")] = "";
    struct buf text;

    if (row->confirmed_s != HISTORY_NONE && when_is_writable(row->confirmed_s)) {
        when_format_platform(row->confirmed_s, time);
        memcpy(time + WHEN_PLATFORM_LENGTH, "+08:00", sizeof("+08:00"));
    }
    buf_init(&text, 64);
    result_add_key(&row->id, &text);
    buf_add_format(out, file->jsonl ? "{\"row\":%llu" : "%llu", (unsigned long long)row->id.row);
    add_text(file, 1, buf_span(&text), false);
    buf_deinit(&text);
    add_text(file, 2, row->device, false);
    add_id(file, 3, value->obj_id);
    add_id(file, 4, value->obj_inst_id);
    add_id(file, 5, value->res_id);
    add_id(file, 6, value->res_inst_id);
    add_text(file, 7, value->text, !value->is_string);
    add_text(file, 8, span_string(time), false);
    buf_add_string(out, file->jsonl ? "}\n" : "\n");
}

/* What was written in part is taken away; a pipe has it for good. */
enum status values_file_flush(struct values_file *file)
{
    struct outfile *out = &file->file;
    uint64_t size = file->size + out->out.len;
    enum status status = outfile_flush(out);
    int error = errno;

    if (status == STATUS_OK)
        file->size = size;
    else if (out->fd != STDOUT_FILENO)
        (void)!disk_real.truncate(&disk_real, out->fd, file->size);
    errno = error;
    return status;
}

void values_file_deinit(struct values_file *file)
{
    outfile_deinit(&file->file);
}
