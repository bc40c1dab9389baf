#include "run/status_file.h"

#include "ledger/cell.h"

enum { PATH_BYTES_MAX = 64 * 1024 };

const char *const status_column_names[STATUS_COLUMN_COUNT] = {
#define X(name, text) text,
    STATUS_COLUMN_MAP(X)
#undef X
};

static const struct outfile_kind status_kind = {"status file", "--output"};

static const struct table_kind table_kind = {
    .what = "status file",
    .columns = status_column_names,
    .count = STATUS_COLUMN_COUNT,
    .remedy = "restore the file, or move it away and run nbatch status, which asks anew"};

struct delivery_facts status_line_facts(const struct status_line *line, int64_t accepted_s)
{
    return (struct delivery_facts){.state = line->state,
                                   .remain = line->remain,
                                   .expires_s = line->expires_s,
                                   .created_s = line->created_s != HISTORY_NONE ? line->created_s
                                                                                : accepted_s,
                                   .asked_s = line->checked_s,
                                   .reason = line->reason};
}

static bool ends_with(struct span text, const char *end)
{
    size_t len = strlen(end);

    return text.len > len && memcmp(text.ptr + text.len - len, end, len) == 0;
}

char *status_file_beside(const char *results, const char *word)
{
    const char *slash = strrchr(results, '/'), *name = slash != NULL ? slash + 1 : results;
    const char *point = strrchr(name, '.');
    struct span stem = span_string(results);
    struct buf path;

    if (point == NULL || point == name)
        point = results + stem.len;
    stem.len = (size_t)(point - results);
    if (ends_with(stem, ".results") && stem.len > (size_t)(name - results) + strlen(".results"))
        stem.len -= strlen(".results");
    buf_init(&path, PATH_BYTES_MAX);
    buf_add(&path, stem);
    buf_add_format(&path, ".%s%s", word, point);
    char *text = path.status == STATUS_OK ? strdup(buf_string(&path)) : NULL;
    buf_deinit(&path);
    return text;
}

char *status_file_path(const char *results)
{
    return status_file_beside(results, "status");
}

/* Nothing that is no status file is replaced; a damaged one may be. */
static enum status probe(struct disk *disk, const char *path, struct buf *message)
{
    struct status_file file;
    struct buf why;

    if (strcmp(path, "-") == 0)
        return STATUS_OK;
    buf_init(&why, PATH_BYTES_MAX);
    enum status status = status_file_open(&file, disk, path, &why);
    struct status_line line;
    if (status == STATUS_OK && file.table.scan.jsonl)
        status = status_file_next(&file, &line);
    status_file_close(&file);
    buf_deinit(&why);
    if (status == STATUS_SYNTAX)
        return outfile_probe(disk, path, &status_kind, message);
    return STATUS_OK; /* what cannot be read or opened is told when it is written */
}

static void add_header(struct status_writer *writer)
{
    struct buf *out = &writer->file.file.out;

    for (size_t i = 0; i < STATUS_COLUMN_COUNT; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        buf_add_string(out, status_column_names[i]);
    }
    for (size_t i = 0; i < writer->passed_count; i++) {
        buf_add_char(out, ',');
        cell_add(out, writer->passed[i]);
    }
    buf_add_char(out, '\n');
}

enum status status_writer_open(struct status_writer *writer, struct disk *disk, const char *path,
                               unsigned mode, const struct span *passed, size_t passed_count,
                               struct buf *message)
{
    *writer = (struct status_writer){.jsonl = outfile_is_jsonl(path),
                                     .passed = passed,
                                     .passed_count = passed_count};
    enum status status = probe(disk, path, message);
    if (status == STATUS_OK)
        status = replacement_open(&writer->file, disk, path, mode, &status_kind, message);
    if (status == STATUS_OK && !writer->jsonl)
        add_header(writer);
    return status;
}

/* How a value is written: `name` before it in JSONL, a comma in CSV. */
static void add_name(const struct status_writer *writer, enum status_column column, struct buf *out)
{
    if (column > 0)
        buf_add_char(out, ',');
    if (writer->jsonl)
        buf_add_format(out, "\"%s\":", status_column_names[column]);
}

static void add_nothing(const struct status_writer *writer, struct buf *out)
{
    if (writer->jsonl)
        buf_add_string(out, "null");
}

static void add_text(const struct status_writer *writer, enum status_column column,
                     struct span text, struct buf *out)
{
    add_name(writer, column, out);
    if (text.len == 0)
        add_nothing(writer, out);
    else if (writer->jsonl)
        buf_add_json_string(out, text);
    else
        cell_add(out, text);
}

static void add_number(const struct status_writer *writer, enum status_column column,
                       int64_t number, struct buf *out)
{
    add_name(writer, column, out);
    if (number == HISTORY_NONE)
        add_nothing(writer, out);
    else
        buf_add_int64(out, number);
}

static void add_time(const struct status_writer *writer, enum status_column column, int64_t time_s,
                     struct buf *out)
{
    char text[WHEN_PLATFORM_LENGTH + sizeof("+08:00")];

    if (time_s == HISTORY_NONE || !when_is_writable(time_s)) {
        add_text(writer, column, span_of(NULL, 0), out);
        return;
    }
    when_format_platform(time_s, text);
    memcpy(text + WHEN_PLATFORM_LENGTH, "+08:00", sizeof("+08:00"));
    add_text(writer, column, span_string(text), out);
}

static void add_key(const struct status_writer *writer, const struct row_id *id, struct buf *out)
{
    add_name(writer, STATUS_COLUMN_key, out);
    if (writer->jsonl)
        buf_add_char(out, '"');
    result_add_key(id, out);
    if (writer->jsonl)
        buf_add_char(out, '"');
}

static void add_passed(const struct status_writer *writer, const struct status_line *line,
                       struct buf *out)
{
    static const struct cell none = {.kind = CELL_ABSENT};

    for (size_t i = 0; i < writer->passed_count; i++) {
        const struct cell *cell = i < line->passed_count ? &line->passed[i] : &none;
        buf_add_char(out, ',');
        if (writer->jsonl) {
            buf_add_json_string(out, writer->passed[i]);
            buf_add_char(out, ':');
            result_add_json_cell(cell, out);
        } else if (cell_is_given(cell)) {
            cell_add(out, cell->text);
        }
    }
}

enum status status_writer_add(struct status_writer *writer, const struct status_line *line)
{
    struct buf *out = &writer->file.file.out;

    if (writer->jsonl)
        buf_add_char(out, '{');
    add_number(writer, STATUS_COLUMN_row, (int64_t)line->id.row, out);
    add_key(writer, &line->id, out);
    add_text(writer, STATUS_COLUMN_device, line->device, out);
    add_text(writer, STATUS_COLUMN_uuid, line->uuid, out);
    add_text(writer, STATUS_COLUMN_state, span_string(deliveries[line->state].word), out);
    add_number(writer, STATUS_COLUMN_send_status, line->send_status, out);
    add_text(writer, STATUS_COLUMN_confirm_status, span_string(history_confirm_name(line->confirm)),
             out);
    add_text(writer, STATUS_COLUMN_reason, line->reason, out);
    add_number(writer, STATUS_COLUMN_remain, line->remain, out);
    add_time(writer, STATUS_COLUMN_create_time, line->created_s, out);
    add_time(writer, STATUS_COLUMN_send_time, line->sent_s, out);
    add_time(writer, STATUS_COLUMN_confirm_time, line->confirmed_s, out);
    add_time(writer, STATUS_COLUMN_expired_time, line->expires_s, out);
    add_time(writer, STATUS_COLUMN_checked_at, line->checked_s, out);
    add_passed(writer, line, out);
    buf_add_string(out, writer->jsonl ? "}\n" : "\n");
    return outfile_settle(&writer->file.file);
}

enum status status_writer_commit(struct status_writer *writer, struct buf *message)
{
    return replacement_commit(&writer->file, message);
}

void status_writer_deinit(struct status_writer *writer)
{
    replacement_deinit(&writer->file);
}

enum status status_file_open(struct status_file *file, struct disk *disk, const char *path,
                             struct buf *message)
{
    return table_scan_open(&file->table, disk, path, &table_kind, message);
}

void status_file_close(struct status_file *file)
{
    table_scan_close(&file->table);
}

/* The columns that are numbers: empty is HISTORY_NONE. */
static bool read_number(struct span text, int64_t *ret_number)
{
    *ret_number = HISTORY_NONE;
    return text.len == 0 || (span_to_int64(text, ret_number) == STATUS_OK && *ret_number >= 0);
}

static enum status read_numbers(struct table_scan *table, struct status_line *line)
{
    int64_t send_status;

    if (!read_number(table->cells[STATUS_COLUMN_send_status], &send_status) ||
        send_status > INT32_MAX)
        return table_scan_refuse(table, STATUS_COLUMN_send_status, "is no whole number");
    line->send_status = (int)send_status;
    if (!read_number(table->cells[STATUS_COLUMN_remain], &line->remain))
        return table_scan_refuse(table, STATUS_COLUMN_remain, "is no whole number");
    return STATUS_OK;
}

static enum status read_times(struct table_scan *table, struct status_line *line)
{
    int64_t *const times[] = {&line->created_s, &line->sent_s, &line->confirmed_s, &line->expires_s,
                              &line->checked_s};

    for (size_t i = 0; i < ARRAY_LENGTH(times); i++) {
        size_t column = STATUS_COLUMN_create_time + i;
        struct span text = table->cells[column];
        *times[i] = HISTORY_NONE;
        if (text.len > 0 && (text.len == WHEN_PLATFORM_LENGTH || when_is_relative(text) ||
                             when_parse(text, 0, times[i]) != STATUS_OK))
            return table_scan_refuse(table, column, "is no time of RFC 3339 with an offset");
    }
    return STATUS_OK;
}

static enum status read_line(struct table_scan *table, struct status_line *line)
{
    const struct span *cells = table->cells;
    uint64_t device;

    line->device = cells[STATUS_COLUMN_device];
    line->uuid = cells[STATUS_COLUMN_uuid];
    line->reason = cells[STATUS_COLUMN_reason];
    if (span_to_uint64(cells[STATUS_COLUMN_row], &line->id.row) != STATUS_OK || line->id.row == 0)
        return table_scan_refuse(table, STATUS_COLUMN_row, "is no number of a row");
    if (!result_parse_key(cells[STATUS_COLUMN_key], &line->id))
        return table_scan_refuse(table, STATUS_COLUMN_key,
                                 "is not 16 hexadecimal digits, a minus sign and a number");
    if (!device_read(line->device, &device))
        return table_scan_refuse(
            table, STATUS_COLUMN_device,
            "is no device's number; a spreadsheet shortens it where the column "
            "is not text");
    if (!delivery_read(cells[STATUS_COLUMN_state], &line->state))
        return table_scan_refuse(table, STATUS_COLUMN_state, "is no state that nbatch writes");
    if (!delivery_read_answer(cells[STATUS_COLUMN_confirm_status], &line->confirm))
        return table_scan_refuse(table, STATUS_COLUMN_confirm_status,
                                 "is no answer that nbatch writes");
    enum status status = read_numbers(table, line);
    return status == STATUS_OK ? read_times(table, line) : status;
}

enum status status_file_next(struct status_file *file, struct status_line *ret_line)
{
    struct status_line line = {.passed_count = 0};
    enum status status = table_scan_next(&file->table);

    if (status == STATUS_OK)
        status = read_line(&file->table, &line);
    if (status == STATUS_OK)
        *ret_line = line;
    return status;
}
