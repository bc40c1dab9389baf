#include "run/cancelled_file.h"

#include "ledger/cell.h"
#include "run/status_file.h"

enum column {
    COLUMN_ROW,
    COLUMN_KEY,
    COLUMN_DEVICE,
    COLUMN_UUID,
    COLUMN_OUTCOME,
    COLUMN_ERRNO,
    COLUMN_ERROR,
    COLUMN_FINISHED_AT,
    COLUMN_COUNT
};

static const char *const columns[COLUMN_COUNT] = {"row",     "key",   DEVICE_COLUMN, "uuid",
                                                  "outcome", "errno", "error",       "finished_at"};

static const struct table_kind table_kind = {
    .what = "file of nbatch cancel's",
    .columns = columns,
    .count = COLUMN_COUNT,
    .remedy = "restore the file, or move it away and run nbatch cancel, which asks anew",
    .may_be_cut = true};

char *cancelled_file_path(const char *results)
{
    return status_file_beside(results, "cancelled");
}

enum status cancelled_writer_open(struct outfile *file, struct disk *disk, const char *path,
                                  unsigned mode, struct buf *message)
{
    static const struct outfile_kind kind = {"the file of what is taken back", "--output"};
    bool is_there = disk->has(disk, path);
    enum status status = outfile_append(file, disk, path, &kind, message);
    uint64_t size = 0;

    if (status == STATUS_OK && ((!is_there && disk->chmod(disk, file->fd, mode) != 0) ||
                                outfile_cut_to_lines(file, &size) != STATUS_OK)) {
        buf_add_printable(message, span_string(path));
        buf_add_string(message, ": it cannot be added to");
        status = STATUS_IO;
    }
    if (status == STATUS_OK && size == 0 && !outfile_is_jsonl(path))
        for (size_t i = 0; i < COLUMN_COUNT; i++)
            buf_add_format(&file->out, "%s%s", columns[i], i + 1 < COLUMN_COUNT ? "," : "\n");
    return status;
}

static void add_csv(const struct cancelled_line *line, const char *finished, struct buf *out)
{
    buf_add_uint64(out, line->id.row);
    buf_add_char(out, ',');
    result_add_key(&line->id, out);
    buf_add_char(out, ',');
    cell_add(out, line->device);
    buf_add_char(out, ',');
    cell_add(out, line->uuid);
    buf_add_format(out, ",%s,", cancel_words[line->outcome].word);
    if (line->has_errno)
        buf_add_int64(out, line->platform_errno);
    buf_add_char(out, ',');
    cell_add(out, line->error);
    buf_add_format(out, ",%s\n", finished);
}

static void add_jsonl(const struct cancelled_line *line, const char *finished, struct buf *out)
{
    buf_add_string(out, "{\"row\":");
    buf_add_uint64(out, line->id.row);
    buf_add_string(out, ",\"key\":\"");
    result_add_key(&line->id, out);
    buf_add_string(out, "\",\"" DEVICE_COLUMN "\":");
    buf_add_json_string(out, line->device);
    buf_add_string(out, ",\"uuid\":");
    buf_add_json_string(out, line->uuid);
    buf_add_format(out, ",\"outcome\":\"%s\",\"errno\":", cancel_words[line->outcome].word);
    if (line->has_errno)
        buf_add_int64(out, line->platform_errno);
    else
        buf_add_string(out, "null");
    buf_add_string(out, ",\"error\":");
    if (line->error.len > 0)
        buf_add_json_string(out, line->error);
    else
        buf_add_string(out, "null");
    buf_add_format(out, ",\"finished_at\":\"%s\"}\n", finished);
}

enum status cancelled_writer_add(struct outfile *file, const struct cancelled_line *line)
{
    char finished[WHEN_UTC_LENGTH + 1];

    when_format_utc(line->finished_ms, finished);
    (file->name != NULL && outfile_is_jsonl(file->name) ? add_jsonl : add_csv)(line, finished,
                                                                               &file->out);
    return outfile_settle(file);
}

enum status cancelled_file_open(struct table_scan *table, struct disk *disk, const char *path,
                                struct buf *message)
{
    return table_scan_open(table, disk, path, &table_kind, message);
}

enum status cancelled_file_next(struct table_scan *table, struct cancelled_line *ret_line)
{
    const struct span *cells = table->cells;
    enum status status = table_scan_next(table);
    int64_t finished_s;
    uint64_t device;

    if (status != STATUS_OK)
        return status;
    struct cancelled_line line = {.device = cells[COLUMN_DEVICE],
                                  .uuid = cells[COLUMN_UUID],
                                  .has_errno = cells[COLUMN_ERRNO].len > 0,
                                  .error = cells[COLUMN_ERROR]};
    if (span_to_uint64(cells[COLUMN_ROW], &line.id.row) != STATUS_OK)
        return table_scan_refuse(table, COLUMN_ROW, "is no number of a row");
    if (!result_parse_key(cells[COLUMN_KEY], &line.id))
        return table_scan_refuse(table, COLUMN_KEY,
                                 "is not 16 hexadecimal digits, a minus sign and a number");
    if (!device_read(line.device, &device))
        return table_scan_refuse(table, COLUMN_DEVICE, "is no device's number");
    if (!cancel_outcome_read(cells[COLUMN_OUTCOME], &line.outcome))
        return table_scan_refuse(table, COLUMN_OUTCOME, "is no outcome that nbatch writes");
    if (line.has_errno && span_to_int64(cells[COLUMN_ERRNO], &line.platform_errno) != STATUS_OK)
        return table_scan_refuse(table, COLUMN_ERRNO, "is no number");
    if (when_parse(cells[COLUMN_FINISHED_AT], 0, &finished_s) != STATUS_OK)
        return table_scan_refuse(table, COLUMN_FINISHED_AT, "is no time");
    line.finished_ms = finished_s * 1000;
    *ret_line = line;
    return STATUS_OK;
}
