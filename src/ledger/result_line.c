#include "ledger/result_line.h"

#include "ledger/cell.h"

const char *const result_column_names[RESULT_COLUMN_COUNT] = {
#define X(name, text, what) text,
    RESULT_COLUMN_MAP(X)
#undef X
};

const char *const result_column_texts[RESULT_COLUMN_COUNT] = {
#define X(name, text, what) what,
    RESULT_COLUMN_MAP(X)
#undef X
};

void result_format_init(struct result_format *format, bool jsonl, const struct span *passed,
                        size_t passed_count)
{
    *format = (struct result_format){.jsonl = jsonl,
                                     .passed = passed,
                                     .passed_count = passed_count,
                                     .time_s = -1};
}

void result_format_add_header(const struct result_format *format, struct buf *out)
{
    if (format->jsonl)
        return;
    for (size_t i = 0; i < RESULT_COLUMN_COUNT; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        buf_add_string(out, result_column_names[i]);
    }
    for (size_t i = 0; i < format->passed_count; i++) {
        buf_add_char(out, ',');
        cell_add(out, format->passed[i]);
    }
    buf_add_char(out, '\n');
}

bool result_has_column(struct span name)
{
    for (size_t i = 0; i < RESULT_COLUMN_COUNT; i++)
        if (span_is(name, result_column_names[i]))
            return true;
    return false;
}

void result_add_key(const struct row_id *id, struct buf *out)
{
    static const char hex[] = "0123456789abcdef";
    char text[17];

    for (size_t i = 0; i < 16; i++)
        text[i] = hex[id->hash >> (60 - 4 * i) & 15];
    text[16] = '-';
    buf_add_bytes(out, text, sizeof(text));
    buf_add_uint64(out, id->occurrence);
}

static void add_latency(struct buf *out, int64_t latency_us)
{
    const char fraction[] = {'.', (char)('0' + latency_us / 100 % 10),
                             (char)('0' + latency_us / 10 % 10), (char)('0' + latency_us % 10)};

    buf_add_int64(out, latency_us / 1000);
    buf_add_bytes(out, fraction, sizeof(fraction));
}

static void add_time(struct result_format *format, int64_t epoch_ms, struct buf *out)
{
    if (format->time_s != epoch_ms / 1000) {
        format->time_s = epoch_ms / 1000;
        when_format_utc(epoch_ms, format->time_text);
    }
    char *ms = format->time_text + WHEN_UTC_LENGTH - 4; /* "…:00.123Z" */
    ms[0] = (char)('0' + epoch_ms / 100 % 10);
    ms[1] = (char)('0' + epoch_ms / 10 % 10);
    ms[2] = (char)('0' + epoch_ms % 10);
    buf_add_bytes(out, format->time_text, WHEN_UTC_LENGTH);
}

static void add_csv(struct result_format *format, const struct result_record *record,
                    struct buf *out)
{
    buf_add_uint64(out, record->id.row);
    buf_add_char(out, ',');
    buf_add_uint64(out, record->id.line);
    buf_add_char(out, ',');
    result_add_key(&record->id, out);
    buf_add_char(out, ',');
    cell_add(out, record->device);
    buf_add_char(out, ',');
    buf_add_string(out, row_status_name(record->status));
    buf_add_char(out, ',');
    cell_add(out, record->uuid);
    buf_add_char(out, ',');
    if (record->has_errno)
        buf_add_int64(out, record->platform_errno);
    buf_add_char(out, ',');
    cell_add(out, record->error);
    buf_add_char(out, ',');
    if (record->http_status > 0)
        buf_add_uint64(out, (uint64_t)record->http_status);
    buf_add_char(out, ',');
    buf_add_uint64(out, record->attempts);
    buf_add_char(out, ',');
    buf_add_uint64(out, record->ambiguous);
    buf_add_char(out, ',');
    if (record->latency_us >= 0)
        add_latency(out, record->latency_us);
    buf_add_char(out, ',');
    add_time(format, record->finished_ms, out);
    for (size_t i = 0; i < format->passed_count; i++) {
        buf_add_char(out, ',');
        if (i < record->passed_count && cell_is_given(&record->passed[i]))
            cell_add(out, record->passed[i].text);
    }
    buf_add_char(out, '\n');
}

static void add_json_text(struct buf *out, const char *name, struct span text)
{
    buf_add_format(out, ",\"%s\":", name);
    if (text.len > 0)
        buf_add_json_string(out, text);
    else
        buf_add_string(out, "null");
}

void result_add_json_cell(const struct cell *cell, struct buf *out)
{
    if (!cell_is_given(cell))
        buf_add_string(out, "null");
    else if (cell->kind == CELL_TEXT || cell->kind == CELL_STRING)
        buf_add_json_string(out, cell->text);
    else
        buf_add(out, cell->text);
}

static void add_json_passed(const struct result_format *format, const struct result_record *record,
                            struct buf *out)
{
    static const struct cell none = {.kind = CELL_ABSENT};

    for (size_t i = 0; i < format->passed_count; i++) {
        buf_add_char(out, ',');
        buf_add_json_string(out, format->passed[i]);
        buf_add_char(out, ':');
        result_add_json_cell(i < record->passed_count ? &record->passed[i] : &none, out);
    }
}

static void add_jsonl(struct result_format *format, const struct result_record *record,
                      struct buf *out)
{
    buf_add_string(out, "{\"row\":");
    buf_add_uint64(out, record->id.row);
    buf_add_string(out, ",\"line\":");
    buf_add_uint64(out, record->id.line);
    buf_add_string(out, ",\"key\":\"");
    result_add_key(&record->id, out);
    buf_add_char(out, '"');
    add_json_text(out, DEVICE_COLUMN, record->device);
    add_json_text(out, "status", span_string(row_status_name(record->status)));
    add_json_text(out, "uuid", record->uuid);
    buf_add_string(out, ",\"errno\":");
    buf_add_json_number(out, record->has_errno, record->platform_errno);
    add_json_text(out, "error", record->error);
    buf_add_string(out, ",\"http_status\":");
    buf_add_json_number(out, record->http_status > 0, record->http_status);
    buf_add_string(out, ",\"attempts\":");
    buf_add_uint64(out, record->attempts);
    buf_add_string(out, ",\"ambiguous\":");
    buf_add_uint64(out, record->ambiguous);
    buf_add_string(out, ",\"latency_ms\":");
    if (record->latency_us >= 0)
        add_latency(out, record->latency_us);
    else
        buf_add_string(out, "null");
    buf_add_string(out, ",\"finished_at\":\"");
    add_time(format, record->finished_ms, out);
    buf_add_char(out, '"');
    add_json_passed(format, record, out);
    buf_add_string(out, "}\n");
}

void result_format_add_line(struct result_format *format, const struct result_record *record,
                            struct buf *out)
{
    if (format->jsonl)
        add_jsonl(format, record, out);
    else
        add_csv(format, record, out);
}
