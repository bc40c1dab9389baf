#include "run/results_page.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/keytable.h"
#include "ledger/current.h"
#include "ledger/index.h"
#include "ledger/result_scan.h"
#include "platform/layout.h"

struct reading {
    const char *path;
    int fd;
    uint64_t size;
    struct result_scan scan;
    struct span header; /* of a CSV, with its line end; in `first` */
    struct buf first;   /* the first line */
    size_t passed_count;
    struct keytable lines_of; /* how many lines each key has */
    struct current current;   /* which one counts, where it has several */
    uint64_t read, counted, keys;
    struct buf text; /* of the row at hand */
    results_page_filter_fn *filter;
    void *context;
    struct buf *message;
    struct results_page *result;
};

static enum status fail(struct reading *reading, enum status status, const char *why)
{
    buf_add_printable(reading->message, span_string(reading->path));
    buf_add_format(reading->message, ": %s", why);
    return status;
}

static size_t count_char(struct span text, char c)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == c;
    return count;
}

/* Reads the first line; one end of a line within quotes is none. */
static enum status read_first_line(struct reading *reading)
{
    struct buf *first = &reading->first;

    for (size_t from = 0;;) {
        const char *end =
            first->len > from ? memchr(first->ptr + from, '\n', first->len - from) : NULL;
        if (end != NULL) {
            from = (size_t)(end - first->ptr) + 1;
            if (first->ptr[0] != '{' && count_char(span_of(first->ptr, from), '"') % 2 != 0)
                continue;
            first->len = from;
            return STATUS_OK;
        }
        from = first->len;
        if (!buf_reserve(first, RESULT_SCAN_BLOCK_BYTES))
            return fail(reading, first->status, status_text(first->status));
        ssize_t count =
            pread(reading->fd, first->ptr + first->len, RESULT_SCAN_BLOCK_BYTES, (off_t)first->len);
        if (count < 0)
            return fail(reading, STATUS_IO, strerror(errno));
        if (count == 0)
            return fail(reading, STATUS_SYNTAX,
                        first->len == 0 ? "it is empty: there are no results in it"
                                        : "it has no whole line: these are no results of nbatch's");
        first->len += (size_t)count;
    }
}

/* The names behind the results' own columns. */
static enum status read_csv_header(struct reading *reading)
{
    struct span line = buf_span(&reading->first);
    struct buf own;

    buf_init(&own, 4096);
    struct result_format format;
    result_format_init(&format, false, NULL, 0);
    result_format_add_header(&format, &own);
    size_t len = own.len - 1; /* without the line end */
    bool is_ours = own.status == STATUS_OK && line.len > len &&
                   memcmp(line.ptr, own.ptr, len) == 0 &&
                   (line.ptr[len] == '\n' || line.ptr[len] == ',');
    buf_deinit(&own);
    if (!is_ours)
        return fail(reading, STATUS_SYNTAX,
                    "its first line is not the header of nbatch's results: name a results file");
    struct span names = span_of(line.ptr + len, line.len - len - 1);
    bool quoted = false;
    for (size_t i = 0; i < names.len; i++) {
        quoted = quoted != (names.ptr[i] == '"');
        reading->passed_count += names.ptr[i] == ',' && !quoted;
    }
    if (names.len > 0)
        buf_add(&reading->result->passed, span_skip(names, 1));
    reading->header = line;
    return STATUS_OK;
}

/* JSONL has no header: the first line shows how many members are passed ones. */
static enum status read_jsonl_shape(struct reading *reading)
{
    struct span line = span_of(reading->first.ptr, reading->first.len - 1);
    struct result_fields fields;
    const char *error = "";

    for (size_t count = 0; count <= LAYOUT_PASSES_MAX; count++) {
        if (result_parse_line(line, true, count, &fields, &error)) {
            reading->passed_count = count;
            return STATUS_OK;
        }
    }
    return fail(reading, STATUS_SYNTAX,
                "its first line is no result of nbatch's: name a results "
                "file");
}

static enum status open_file(struct reading *reading)
{
    struct stat about;

    reading->fd = open(reading->path, O_RDONLY | O_CLOEXEC);
    if (reading->fd < 0 || fstat(reading->fd, &about) != 0)
        return fail(reading, STATUS_IO, strerror(errno));
    if (!S_ISREG(about.st_mode))
        return fail(reading, STATUS_IO, "it must be a file, since it is read twice");
    reading->size = (uint64_t)about.st_size;
    enum status status = read_first_line(reading);
    if (status != STATUS_OK)
        return status;
    reading->result->jsonl = reading->first.ptr[0] == '{';
    return reading->result->jsonl ? read_jsonl_shape(reading) : read_csv_header(reading);
}

static int64_t to_us(struct span text)
{
    const char *point = memchr(text.ptr, '.', text.len);
    int64_t whole = 0, part = 0;

    if (point == NULL || span_to_int64(span_of(text.ptr, (size_t)(point - text.ptr)), &whole) ||
        span_to_int64(span_skip(text, (size_t)(point - text.ptr) + 1), &part))
        return -1;
    return whole * 1000 + part;
}

static struct span unquoted(struct reading *reading, struct span text)
{
    size_t from = reading->text.len;

    result_unquote(text, reading->result->jsonl, &reading->text);
    return span_of(reading->text.ptr + from, reading->text.len - from);
}

static void add_row(struct reading *reading, const struct result_fields *fields)
{
    const struct span *columns = fields->columns;
    struct page_row row = {.row = fields->row,
                           .attempts = fields->attempts,
                           .ambiguous = fields->ambiguous,
                           .latency_us = -1,
                           .reason = {.status = fields->status}};
    int64_t number = 0;

    /* Room for all texts at once, so that the spans stay where they are. */
    buf_clear(&reading->text);
    (void)buf_reserve(&reading->text, fields->line.len + 1);
    (void)!span_to_uint64(columns[RESULT_line], &row.line);
    row.imei = unquoted(reading, columns[RESULT_imei]);
    row.reason.text = unquoted(reading, columns[RESULT_error]);
    row.finished_ms = fields->finished_ms;
    row.reason.has_errno =
        columns[RESULT_errno].len > 0 &&
        span_to_int64(columns[RESULT_errno], &row.reason.platform_errno) == STATUS_OK;
    if (columns[RESULT_http_status].len > 0 &&
        span_to_int64(columns[RESULT_http_status], &number) == STATUS_OK)
        row.reason.http_status = (int)number;
    if (columns[RESULT_latency_ms].len > 0)
        row.latency_us = to_us(columns[RESULT_latency_ms]);
    page_add_row(reading->result->page, &row);
}

/* The first time: counts the lines of each key, and takes the rows as if each had one. */
static enum status take_first(struct reading *reading, const struct result_fields *fields)
{
    uint32_t count;
    uint64_t key = index_key(fields->hash, fields->occurrence);
    enum status status = keytable_count(&reading->lines_of, key, &count);

    if (status != STATUS_OK)
        return status;
    reading->counted++;
    reading->keys += count == 1;
    if (count > 1)
        return current_watch(&reading->current, key);
    add_row(reading, fields);
    return STATUS_OK;
}

/* The second time, where some have several. */
static enum status weigh(struct reading *reading, const struct result_fields *fields)
{
    (void)current_weigh(&reading->current, index_key(fields->hash, fields->occurrence), fields);
    return STATUS_OK;
}

/* The third time: the one that counts. */
static enum status take_current(struct reading *reading, const struct result_fields *fields)
{
    if (current_has(&reading->current, index_key(fields->hash, fields->occurrence), fields))
        add_row(reading, fields);
    return STATUS_OK;
}

static bool counts(const struct reading *reading, const struct result_fields *fields)
{
    return reading->filter == NULL ||
           reading->filter(reading->context, fields->hash, fields->occurrence);
}

typedef enum status take_fn(struct reading *reading, const struct result_fields *fields);

/* A line that a crash, or a writer at work, has left unfinished. */
static bool is_cut(const struct result_scan *scan)
{
    return scan->read == scan->to && scan->searched > 0 &&
           scan->searched == scan->block.len - scan->used;
}

static enum status read_lines(struct reading *reading, take_fn *take)
{
    struct result_scan *scan = &reading->scan;
    struct result_fields fields;

    result_scan_range(scan, 0, reading->size);
    enum status status = result_scan_header(scan, reading->header);
    while (status == STATUS_OK && (status = result_scan_next(scan, &fields)) == STATUS_OK) {
        reading->read++;
        if (counts(reading, &fields))
            status = take(reading, &fields);
    }
    if (status == STATUS_END)
        return STATUS_OK;
    if (status == STATUS_SYNTAX && is_cut(scan)) {
        reading->result->is_cut = true;
        return STATUS_OK;
    }
    if (status != STATUS_SYNTAX)
        return fail(reading, status, status == STATUS_IO ? strerror(errno) : status_text(status));
    buf_add_printable(reading->message, span_string(reading->path));
    buf_add_format(reading->message, ": damaged at byte %llu: %s", (unsigned long long)scan->at,
                   scan->error);
    return STATUS_SYNTAX;
}

static enum status read_all(struct reading *reading)
{
    struct results_page *result = reading->result;
    enum status status = open_file(reading);

    if (status != STATUS_OK)
        return status;
    result_scan_init(&reading->scan, reading->fd, result->jsonl, reading->passed_count);
    status = read_lines(reading, take_first);
    result->lines = reading->read;
    result->superseded = reading->counted - reading->keys;
    result->strange = result->lines - reading->counted;
    if (status == STATUS_OK && result->superseded > 0) {
        page_clear(result->page);
        status = read_lines(reading, weigh);
        if (status == STATUS_OK)
            status = read_lines(reading, take_current);
    }
    return status;
}

enum status results_page_read(const char *path, results_page_filter_fn *filter, void *context,
                              struct buf *message, struct results_page *ret_result)
{
    struct reading reading = {.path = path,
                              .fd = -1,
                              .filter = filter,
                              .context = context,
                              .message = message,
                              .result = ret_result};

    *ret_result = (struct results_page){.page = page_new()};
    buf_init(&ret_result->passed, RESULT_LINE_MAX);
    buf_init(&reading.first, RESULT_LINE_MAX);
    buf_init(&reading.text, RESULT_LINE_MAX);
    keytable_init(&reading.lines_of);
    current_init(&reading.current);
    enum status status = ret_result->page != NULL
                             ? read_all(&reading)
                             : fail(&reading, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
    if (status == STATUS_OK && (reading.text.status != STATUS_OK))
        status = fail(&reading, reading.text.status, status_text(reading.text.status));
    keytable_deinit(&reading.lines_of);
    current_deinit(&reading.current);
    result_scan_deinit(&reading.scan);
    buf_deinit(&reading.first);
    buf_deinit(&reading.text);
    if (reading.fd >= 0)
        (void)close(reading.fd);
    return status;
}

void results_page_deinit(struct results_page *result)
{
    page_free(result->page);
    buf_deinit(&result->passed);
    result->page = NULL;
}
