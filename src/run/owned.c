#include "run/owned.h"

#include "platform/device.h"
#include "platform/surplus.h"

struct reading {
    const struct results *results;
    owned_filter_fn *filter;
    void *context;
    struct known_commands *known;
    struct buf text, error;
};

static struct span column(struct reading *reading, const struct result_fields *fields,
                          enum result_column column, struct buf *text)
{
    buf_clear(text);
    result_unquote(fields->columns[column], reading->results->jsonl, text);
    return buf_span(text);
}

static enum status take(void *context, const struct result_fields *fields)
{
    struct reading *reading = context;
    struct known_commands *known = reading->known;
    uint64_t device = 0;

    if (fields == NULL || fields->status != ROW_ACCEPTED ||
        !device_read(column(reading, fields, RESULT_device, &reading->text), &device))
        return STATUS_OK;
    struct span uuid = column(reading, fields, RESULT_uuid, &reading->text);
    struct span error = column(reading, fields, RESULT_error, &reading->error);
    if (!surplus_is_found(error)) /* which may have been accepted long before it ended */
        known_commands_note(known, device, uuid, fields->finished_ms);
    if (reading->filter != NULL && !reading->filter(reading->context, device))
        return STATUS_OK;
    enum status status = STATUS_OK;
    do
        status = known_commands_own(known, uuid);
    while (status == STATUS_OK && surplus_take(&error, &uuid));
    return status;
}

enum status owned_read(struct results *results, owned_filter_fn *filter, void *context,
                       struct known_commands *known)
{
    struct reading reading = {.results = results,
                              .filter = filter,
                              .context = context,
                              .known = known};

    buf_init(&reading.text, RESULT_LINE_MAX);
    buf_init(&reading.error, RESULT_LINE_MAX);
    enum status status = results_each_line(results, take, &reading);
    buf_deinit(&reading.text);
    buf_deinit(&reading.error);
    return status;
}
