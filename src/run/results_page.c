#include "run/results_page.h"

#include "sim/uuid.h"

struct reading {
    struct results results;
    struct buf text; /* of the row at hand */
    struct results_page *result;
};

/* Milliseconds with up to three decimals. */
static int64_t to_us(struct span text)
{
    int64_t us = 0;
    size_t decimals = 0;
    bool has_point = false;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '.') {
            has_point = true;
            continue;
        }
        us = us * 10 + (text.ptr[i] - '0');
        decimals += has_point;
    }
    for (; decimals < 3; decimals++)
        us *= 10;
    return us;
}

static struct span unquoted(struct reading *reading, struct span text)
{
    size_t from = reading->text.len;

    result_unquote(text, reading->results.jsonl, &reading->text);
    return span_of(reading->text.ptr + from, reading->text.len - from);
}

static enum status add_row(void *context, const struct result_fields *fields)
{
    struct reading *reading = context;

    if (fields == NULL) { /* some keys have several lines: all comes once more */
        page_clear(reading->result->page);
        return STATUS_OK;
    }
    const struct span *columns = fields->columns;
    struct page_row row = {.row = fields->id.row,
                           .line = fields->id.line,
                           .attempts = fields->attempts,
                           .ambiguous = fields->ambiguous,
                           .latency_us = -1,
                           .reason = {.status = fields->status}};
    int64_t number = 0;

    /* Room for all texts at once, so that the spans stay where they are. */
    buf_clear(&reading->text);
    (void)buf_reserve(&reading->text, fields->line.len + 1);
    row.imei = unquoted(reading, columns[RESULT_device]);
    row.reason.text = result_reason(unquoted(reading, columns[RESULT_error]));
    if (uuid_is_simulated(unquoted(reading, columns[RESULT_uuid])))
        reading->result->is_rehearsal = true;
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
    return reading->text.status;
}

static enum status read_all(struct reading *reading, results_filter_fn *filter, void *context)
{
    struct results *results = &reading->results;
    struct results_page *result = reading->result;
    enum status status = results_each_current(results, filter, context, add_row, reading);

    result->jsonl = results->jsonl;
    result->lines = results->lines;
    result->superseded = results->superseded;
    result->strange = results->strange;
    result->is_cut = results->is_cut;
    buf_add(&result->passed, results->passed);
    return status;
}

enum status results_page_read(const char *path, results_filter_fn *filter, void *context,
                              struct buf *message, struct results_page *ret_result)
{
    struct reading reading = {.result = ret_result};

    *ret_result = (struct results_page){.page = page_new()};
    buf_init(&ret_result->passed, RESULT_LINE_MAX);
    buf_init(&reading.text, RESULT_LINE_MAX);
    enum status status = results_open(&reading.results, &disk_real, path, message);
    if (status == STATUS_OK && ret_result->page == NULL) {
        buf_add_string(message, status_text(STATUS_NO_MEMORY));
        status = STATUS_NO_MEMORY;
    }
    if (status == STATUS_OK)
        status = read_all(&reading, filter, context);
    results_close(&reading.results);
    buf_deinit(&reading.text);
    return status;
}

void results_page_deinit(struct results_page *result)
{
    page_free(result->page);
    buf_deinit(&result->passed);
    result->page = NULL;
}
