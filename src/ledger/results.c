#include <csv.h>
#include <errno.h>
#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

#include "core/when.h"
#include "ledger/results.h"

enum {
    RESULTS_FLUSH_BYTES = 64 * 1024,
    RESULTS_BUFFER_MAX = 512 * 1024 * 1024, /* one row with passed cells; usually a flush is due
                                               long before */
};

struct results {
    int fd;
    bool jsonl;
    char *name;
    struct buf out;
    struct buf error;
    bool failed;
    const struct span *passed;
    size_t passed_count;
    uint64_t count;
    int64_t time_s; /* what time_text stands for: rows of one second share it */
    char time_text[WHEN_UTC_LENGTH + 1];
};

static const char header[] = "row,line,key,imei,status,uuid,errno,error,http_status,attempts,"
                             "ambiguous,latency_ms,finished_at";

static enum status fail(struct results *results, int error)
{
    if (!results->failed)
        buf_add_format(&results->error, "%s: %s", results->name, strerror(error));
    results->failed = true;
    return STATUS_IO;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcasecmp(text + len - end_len, end) == 0;
}

static enum status refuse_existing(const char *path, struct buf *message)
{
    buf_add_string(message, "results file ");
    buf_add_printable(message, span_string(path));
    buf_add_string(message,
                   " exists already; it may be the record of an earlier run, so it is left alone: "
                   "move it away, or name another with --output");
    return STATUS_EXISTS;
}

enum status results_probe(const char *path, struct buf *message)
{
    bool there = strcmp(path, "-") != 0 && access(path, F_OK) == 0;
    return there ? refuse_existing(path, message) : STATUS_OK;
}

static enum status open_file(const char *path, struct buf *message, int *ret_fd)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);

    if (fd >= 0) {
        *ret_fd = fd;
        return STATUS_OK;
    }
    if (errno == EEXIST)
        return refuse_existing(path, message);
    int error = errno;
    buf_add_string(message, "results file ");
    buf_add_printable(message, span_string(path));
    buf_add_format(message, ": %s; name another place with --output", strerror(error));
    return STATUS_IO;
}

/* A CSV cell. Only what needs quotes gets them; libcsv writes those. */
static void add_cell(struct buf *out, struct span text)
{
    bool plain = true;

    for (size_t i = 0; i < text.len && plain; i++) {
        char c = text.ptr[i];
        plain = c != ',' && c != '"' && c != '\n' && c != '\r';
    }
    if (text.len > 0 && plain)
        plain = text.ptr[0] != ' ' && text.ptr[0] != '\t' && text.ptr[text.len - 1] != ' ' &&
                text.ptr[text.len - 1] != '\t';
    if (plain) {
        buf_add(out, text);
        return;
    }
    size_t max = 2 * text.len + 2; /* every character a quote */
    if (buf_reserve(out, max))
        out->len += csv_write(out->ptr + out->len, max, text.ptr, text.len);
}

static void add_header(struct results *results)
{
    buf_add_string(&results->out, header);
    for (size_t i = 0; i < results->passed_count; i++) {
        buf_add_char(&results->out, ',');
        add_cell(&results->out, results->passed[i]);
    }
    buf_add_char(&results->out, '\n');
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
    bool standard_output = strcmp(path, "-") == 0;
    int fd = STDOUT_FILENO;
    enum status status = standard_output ? STATUS_OK : open_file(path, message, &fd);

    if (status != STATUS_OK)
        return status;
    struct results *results = calloc(1, sizeof(*results));
    char *name = strdup(standard_output ? "standard output" : path);
    if (results == NULL || name == NULL) {
        free(results);
        free(name);
        if (!standard_output)
            (void)close(fd);
        buf_add_string(message, status_text(STATUS_NO_MEMORY));
        return STATUS_NO_MEMORY;
    }
    results->fd = fd;
    results->name = name;
    results->jsonl = ends_with(path, ".jsonl") || ends_with(path, ".ndjson");
    results->time_s = -1;
    results->passed = passed;
    results->passed_count = passed_count;
    buf_init(&results->out, RESULTS_BUFFER_MAX);
    buf_init(&results->error, 8192);
    if (!results->jsonl)
        add_header(results);
    status = results_flush(results);
    if (status != STATUS_OK) {
        buf_add(message, buf_span(&results->error));
        (void)results_close(results);
        return status;
    }
    *ret_results = results;
    return STATUS_OK;
}

enum status results_flush(struct results *results)
{
    struct buf *out = &results->out;

    while (out->len > 0 && !results->failed) {
        ssize_t written = write(results->fd, out->ptr, out->len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return fail(results, errno);
        buf_drop(out, (size_t)written);
    }
    return results->failed ? STATUS_IO : STATUS_OK;
}

enum status results_close(struct results *results)
{
    if (results == NULL)
        return STATUS_OK;
    enum status status = results_flush(results);
    if (results->fd != STDOUT_FILENO && close(results->fd) != 0 && status == STATUS_OK)
        status = fail(results, errno);
    free(results->name);
    buf_deinit(&results->out);
    buf_deinit(&results->error);
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
    buf_add_bytes(&results->out, results->time_text, WHEN_UTC_LENGTH);
}

static void add_csv(struct results *results, const struct result_record *record)
{
    struct buf *out = &results->out;

    buf_add_uint64(out, record->row);
    buf_add_char(out, ',');
    buf_add_uint64(out, record->line);
    buf_add_char(out, ',');
    add_key(out, record);
    buf_add_char(out, ',');
    add_cell(out, record->imei);
    buf_add_char(out, ',');
    buf_add_string(out, row_status_name(record->status));
    buf_add_char(out, ',');
    add_cell(out, record->uuid);
    buf_add_char(out, ',');
    if (record->has_errno)
        buf_add_int64(out, record->platform_errno);
    buf_add_char(out, ',');
    add_cell(out, record->error);
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
            add_cell(out, record->passed[i].text);
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
        buf_add_char(&results->out, ',');
        buf_add_json_string(&results->out, results->passed[i]);
        buf_add_char(&results->out, ':');
        add_json_cell(&results->out, i < record->passed_count ? &record->passed[i] : &none);
    }
}

static void add_jsonl(struct results *results, const struct result_record *record)
{
    struct buf *out = &results->out;

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
    if (results->failed)
        return STATUS_IO;
    if (results->jsonl)
        add_jsonl(results, record);
    else
        add_csv(results, record);
    if (results->out.status != STATUS_OK)
        return fail(results, ENOMEM);
    results->count++;
    return results->out.len >= RESULTS_FLUSH_BYTES ? results_flush(results) : STATUS_OK;
}

uint64_t results_count(const struct results *results)
{
    return results->count;
}

const char *results_error(struct results *results)
{
    return buf_string(&results->error);
}
