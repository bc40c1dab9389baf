/*
 * Lines of the results. The first byte chooses the format, what is done, and the number of passed
 * columns. Either the rest is a line that anybody may have written: it is refused, or its columns
 * make it up. Or the rest are the texts of a record: what is written of them is read back.
 */
#include "fuzz_help.h"
#include "ledger/result_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { JSONL = 1, WRITE = 2, PASSED_SHIFT = 2, PASSED_MAX = 3 };

static const struct span names[PASSED_MAX] = {{"a", 1}, {"b,\"c\"", 5}, {"d", 1}};

/* The part of the text up to a NUL, which is taken off. */
static struct span take_text(struct span *text)
{
    const char *end = text->len > 0 ? memchr(text->ptr, '\0', text->len) : NULL;
    struct span part = span_of(text->ptr, end != NULL ? (size_t)(end - text->ptr) : text->len);

    *text = span_skip(*text, end != NULL ? part.len + 1 : part.len);
    return part;
}

static void check_text(struct span column, bool jsonl, struct span wanted)
{
    struct buf value;

    buf_init(&value, 1024 * 1024);
    result_unquote(column, jsonl, &value);
    MUST(span_equal(buf_span(&value), wanted));
    buf_deinit(&value);
}

static void write_and_read(struct span rest, bool jsonl, size_t passed)
{
    struct cell cells[PASSED_MAX];
    struct result_format format;
    struct result_fields fields;
    struct buf line;
    const char *why = NULL;

    if (!text_is_utf8(rest))
        return;
    struct result_record record = {
        .id = {.row = rest.len, .hash = XXH3_64bits(rest.ptr, rest.len)}};
    record.id.occurrence = (uint32_t)record.id.hash | 1;
    record.device = take_text(&rest);
    record.error = take_text(&rest);
    record.uuid = take_text(&rest);
    record.status = record.uuid.len > 0 ? ROW_ACCEPTED : ROW_REJECTED;
    record.has_errno = record.id.hash % 2 == 0;
    record.platform_errno = (int64_t)record.id.hash;
    record.latency_us = (int64_t)(record.id.hash >> 20) - 1;
    record.http_status = record.id.hash % 3 == 0 ? 200 : 0;
    record.finished_ms = (int64_t)(record.id.hash >> 22);
    for (size_t i = 0; i < passed; i++)
        cells[i] = (struct cell){.kind = CELL_STRING, .text = take_text(&rest)};
    record.passed = cells;
    record.passed_count = passed;
    buf_init(&line, 16 * 1024 * 1024);
    result_format_init(&format, jsonl, names, passed);
    result_format_add_line(&format, &record, &line);
    MUST(line.status == STATUS_OK && line.ptr[line.len - 1] == '\n');
    MUST(result_parse_line(span_of(line.ptr, line.len - 1), jsonl, passed, &fields, &why));
    MUST(fields.id.row == record.id.row && fields.id.hash == record.id.hash &&
         fields.id.occurrence == record.id.occurrence && fields.status == record.status);
    check_text(fields.columns[RESULT_device], jsonl, record.device);
    check_text(fields.columns[RESULT_error], jsonl, record.error);
    check_text(fields.columns[RESULT_uuid], jsonl, record.uuid);
    buf_deinit(&line);
}

static void read_any(struct span line, bool jsonl, size_t passed)
{
    struct result_fields fields;
    const char *why = NULL;

    if (!result_parse_line(line, jsonl, passed, &fields, &why)) {
        MUST(why != NULL);
        return;
    }
    const char *at = line.ptr;
    for (size_t i = 0; i < RESULT_COLUMN_COUNT; i++) {
        struct span column = fields.columns[i];
        struct buf value;
        if (column.len == 0)
            continue;
        MUST(column.ptr >= at && column.ptr + column.len <= line.ptr + line.len);
        at = column.ptr + column.len;
        buf_init(&value, 1024 * 1024);
        result_unquote(column, jsonl, &value);
        MUST(value.len <= column.len);
        buf_deinit(&value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct span rest = span_of((const char *)data + 1, size - 1);
    size_t passed = data[0] >> PASSED_SHIFT & 3;
    bool jsonl = (data[0] & JSONL) != 0;

    if ((data[0] & WRITE) != 0)
        write_and_read(rest, jsonl, passed);
    else
        read_any(rest, jsonl, passed);
    return 0;
}
