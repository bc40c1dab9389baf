#include "ledger/results.h"
#include "core/when.h"
#include "ledger/outfile.h"

static const struct outfile_kind kind = {"results file", "--output"};

struct results {
    struct outfile file;
    bool jsonl;
    const struct span *passed;
    size_t passed_count;
    uint64_t count;
    int64_t time_s; /* what time_text stands for: rows of one second share it */
    char time_text[WHEN_UTC_LENGTH + 1];
};

static const char header[] = "row,line,key,imei,status,uuid,errno,error,http_status,attempts,"
                             "ambiguous,latency_ms,finished_at";

enum status results_probe(const char *path, struct buf *message)
{
    return outfile_probe(path, &kind, message);
}

static void add_header(struct results *results)
{
    buf_add_string(&results->file.out, header);
    for (size_t i = 0; i < results->passed_count; i++) {
        buf_add_char(&results->file.out, ',');
        outfile_add_cell(&results->file, results->passed[i]);
    }
    buf_add_char(&results->file.out, '\n');
}

bool results_has_column(struct span name)
{
    for (const char *at = header; *at != '\0'; at += *at == ',') {
        size_t len = strcspn(at, ",");
        if (span_equal(span_of(at, len), name))
            return true;
        at += len;
    }
    return false;
}

enum status results_open(const char *path, const struct span *passed, size_t passed_count,
                         struct buf *message, struct results **ret_results)
{
    struct results *results = calloc(1, sizeof(*results));

    if (results == NULL) {
        buf_add_string(message, status_text(STATUS_NO_MEMORY));
        return STATUS_NO_MEMORY;
    }
    results->jsonl = outfile_is_jsonl(path);
    results->time_s = -1;
    results->passed = passed;
    results->passed_count = passed_count;
    enum status status = outfile_create(&results->file, path, &kind, message);
    if (status != STATUS_OK) {
        free(results);
        return status;
    }
    if (!results->jsonl)
        add_header(results);
    status = outfile_flush(&results->file);
    if (status != STATUS_OK) {
        buf_add_string(message, outfile_error(&results->file));
        (void)results_close(results);
        return status;
    }
    *ret_results = results;
    return STATUS_OK;
}

enum status results_flush(struct results *results)
{
    return outfile_flush(&results->file);
}

enum status results_close(struct results *results)
{
    if (results == NULL)
        return STATUS_OK;
    enum status status = outfile_close(&results->file);
    outfile_deinit(&results->file);
    free(results);
    return status;
}

static void add_key(struct buf *out, const struct result_record *record)
{
    static const char hex[] = "0123456789abcdef";
    char text[17];

    for (size_t i = 0; i < 16; i++)
        text[i] = hex[record->hash >> (60 - 4 * i) & 15];
    text[16] = '-';
    buf_add_bytes(out, text, sizeof(text));
    buf_add_uint64(out, record->occurrence);
}

static void add_latency(struct buf *out, int64_t latency_us)
{
    char fraction[4];
    (void)snprintf(fraction, sizeof(fraction), "%03u", (unsigned)(latency_us % 1000));
    buf_add_int64(out, latency_us / 1000);
    buf_add_char(out, '.');
    buf_add_bytes(out, fraction, 3);
}

static void add_time(struct results *results, int64_t epoch_ms)
{
    if (results->time_s != epoch_ms / 1000) {
        results->time_s = epoch_ms / 1000;
        when_format_utc(epoch_ms, results->time_text);
    }
    char *ms = results->time_text + WHEN_UTC_LENGTH - 4; /* "…:00.123Z" */
    ms[0] = (char)('0' + epoch_ms / 100 % 10);
    ms[1] = (char)('0' + epoch_ms / 10 % 10);
    ms[2] = (char)('0' + epoch_ms % 10);
    buf_add_bytes(&results->file.out, results->time_text, WHEN_UTC_LENGTH);
}

static void add_csv(struct results *results, const struct result_record *record)
{
    struct buf *out = &results->file.out;

    buf_add_uint64(out, record->row);
    buf_add_char(out, ',');
    buf_add_uint64(out, record->line);
    buf_add_char(out, ',');
    add_key(out, record);
    buf_add_char(out, ',');
    outfile_add_cell(&results->file, record->imei);
    buf_add_char(out, ',');
    buf_add_string(out, row_status_name(record->status));
    buf_add_char(out, ',');
    outfile_add_cell(&results->file, record->uuid);
    buf_add_char(out, ',');
    if (record->has_errno)
        buf_add_int64(out, record->platform_errno);
    buf_add_char(out, ',');
    outfile_add_cell(&results->file, record->error);
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
    add_time(results, record->finished_ms);
    for (size_t i = 0; i < results->passed_count; i++) {
        buf_add_char(out, ',');
        if (i < record->passed_count && cell_is_given(&record->passed[i]))
            outfile_add_cell(&results->file, record->passed[i].text);
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

/* A number, a boolean, an array or an object goes in as it was written. */
static void add_json_cell(struct buf *out, const struct cell *cell)
{
    if (!cell_is_given(cell))
        buf_add_string(out, "null");
    else if (cell->kind == CELL_TEXT || cell->kind == CELL_STRING)
        buf_add_json_string(out, cell->text);
    else
        buf_add(out, cell->text);
}

static void add_json_passed(struct results *results, const struct result_record *record)
{
    static const struct cell none = {.kind = CELL_ABSENT};

    for (size_t i = 0; i < results->passed_count; i++) {
        buf_add_char(&results->file.out, ',');
        buf_add_json_string(&results->file.out, results->passed[i]);
        buf_add_char(&results->file.out, ':');
        add_json_cell(&results->file.out, i < record->passed_count ? &record->passed[i] : &none);
    }
}

static void add_jsonl(struct results *results, const struct result_record *record)
{
    struct buf *out = &results->file.out;

    buf_add_string(out, "{\"row\":");
    buf_add_uint64(out, record->row);
    buf_add_string(out, ",\"line\":");
    buf_add_uint64(out, record->line);
    buf_add_string(out, ",\"key\":\"");
    add_key(out, record);
    buf_add_char(out, '"');
    add_json_text(out, "imei", record->imei);
    add_json_text(out, "status", span_string(row_status_name(record->status)));
    add_json_text(out, "uuid", record->uuid);
    buf_add_string(out, ",\"errno\":");
    if (record->has_errno)
        buf_add_int64(out, record->platform_errno);
    else
        buf_add_string(out, "null");
    add_json_text(out, "error", record->error);
    buf_add_string(out, ",\"http_status\":");
    if (record->http_status > 0)
        buf_add_uint64(out, (uint64_t)record->http_status);
    else
        buf_add_string(out, "null");
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
    add_time(results, record->finished_ms);
    buf_add_char(out, '"');
    add_json_passed(results, record);
    buf_add_string(out, "}\n");
}

enum status results_add(struct results *results, const struct result_record *record)
{
    if (results->file.failed)
        return STATUS_IO;
    if (results->jsonl)
        add_jsonl(results, record);
    else
        add_csv(results, record);
    results->count++;
    return outfile_settle(&results->file);
}

uint64_t results_count(const struct results *results)
{
    return results->count;
}

const char *results_error(struct results *results)
{
    return outfile_error(&results->file);
}
