#include "run/values_file.h"

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
    .remedy = "restore the file, or name another one with --values"};

enum status values_file_each(const char *path, values_row_fn *each, void *context,
                             struct buf *message)
{
    struct table_scan table;
    uint64_t row;
    enum status status = table_scan_open(&table, &disk_real, path, &table_kind, message);

    if (status == STATUS_SYNTAX && disk_real.has(&disk_real, path)) {
        struct stat about;
        if (disk_real.lstat(&disk_real, path, &about) == 0 && about.st_size == 0)
            status = STATUS_END; /* it was made, and nothing came */
    }
    while (status == STATUS_OK && (status = table_scan_next(&table)) == STATUS_OK) {
        if (span_to_uint64(table.cells[COLUMN_ROW], &row) == STATUS_OK)
            each(context, row, table.cells[COLUMN_DEVICE]);
        else
            status = table_scan_refuse(&table, COLUMN_ROW, "is no number of a row");
    }
    table_scan_close(&table);
    if (status == STATUS_END)
        buf_clear(message);
    return status;
}

enum status values_file_open(struct values_file *file, const char *path, struct buf *message)
{
    struct stat about;

    *file = (struct values_file){.jsonl = outfile_is_jsonl(path)};
    enum status status = outfile_append(&file->file, &disk_real, path, &values_kind, message);
    if (status != STATUS_OK || file->jsonl ||
        (disk_real.stat(&disk_real, file->file.fd, &about) == 0 && S_ISREG(about.st_mode) &&
         about.st_size > 0))
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
    buf_init_data(&text, 64);
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

enum status values_file_flush(struct values_file *file)
{
    return outfile_flush(&file->file);
}

enum status values_file_close(struct values_file *file)
{
    return outfile_close(&file->file);
}

void values_file_deinit(struct values_file *file)
{
    outfile_deinit(&file->file);
}
