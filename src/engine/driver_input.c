#include "engine/driver_impl.h"

#include <errno.h>
#include <fcntl.h>

enum { ROWS_PER_TURN = 256 }; /* before the loop gets its turn, however many of them are invalid */

static void on_input(uv_poll_t *poll, int status, int events)
{
    struct driver *driver = poll->data;

    (void)status;
    (void)events;
    (void)uv_poll_stop(poll);
    driver->input_waits = false;
    driver_turn(driver, EVENT_TURN);
}

/*
 * A pipe is waited for in the loop, and so must not block. Its flags are those of everybody who has
 * it open: they are restored at the end. What cannot be polled (/dev/null) never blocks for long.
 */
void driver_open_input(struct driver *driver)
{
    const struct source *source = intake_source(driver->intake);
    int fd = source_fd(source);

    if (source_is_seekable(source))
        return;
    driver->input_flags = fcntl(fd, F_GETFL);
    driver->input.data = driver;
    driver->has_input_poll =
        driver->input_flags >= 0 && uv_poll_init(&driver->loop, &driver->input, fd) == 0;
}

void driver_close_input(struct driver *driver)
{
    if (driver->has_input_poll)
        (void)fcntl(source_fd(intake_source(driver->intake)), F_SETFL, driver->input_flags);
}

static void report(const struct driver *driver)
{
    if (driver->problems.count > 0 && driver->options->report != NULL)
        driver->options->report(driver->options->report_context, &driver->problems);
}

static void take_row(struct driver *driver, struct event *event)
{
    const struct store_row *known = intake_known(driver->intake);
    struct item *item = event->item;
    const struct command *command = &item->command;

    item->id = (struct row_id){.hash = command->hash,
                               .device = command->device,
                               .row = command->row,
                               .line = command->line,
                               .occurrence = known->occurrence};
    event->kind = EVENT_ROW;
    event->row.verdict = ITEM_GOOD;
    if (known->verdict == STORE_SETTLED) {
        event->row.verdict = ITEM_SETTLED;
        return;
    }
    report(driver);
    if (driver->problems.error_count > 0) {
        event->row.verdict = ITEM_INVALID;
        event->row.problems = &driver->problems;
    } else if (known->before.known) {
        event->row.sent = known->before.attempts;
        event->row.ambiguous = known->before.ambiguous;
    }
}

/* What the engine is told in place of a row. */
static void take_end(struct driver *driver, enum status status, struct event *event)
{
    event->input.line = intake_line(driver->intake);
    if (status == STATUS_END) {
        event->kind = EVENT_INPUT_ENDED;
    } else if (status == STATUS_CHANGED) {
        event->kind = EVENT_INPUT_CHANGED;
        event->input.is_beyond = source_is_spent(intake_source(driver->intake));
    } else if (status == STATUS_BAD_INPUT) {
        event->kind = EVENT_INPUT_UNREADABLE;
        event->input.is_beyond = intake_is_lost(driver->intake);
        report(driver);
    } else {
        (void)snprintf(driver->why, sizeof(driver->why), "%s%s",
                       status == STATUS_IO ? "the input cannot be read: " : status_text(status),
                       status == STATUS_IO ? strerror(errno) : "");
        event->kind = EVENT_INPUT_FAILED;
        event->failure.status = status;
        event->failure.why = driver->why;
    }
}

static enum status next_row(struct driver *driver)
{
    if (!driver->started) {
        enum status status = intake_start(driver->intake, &driver->problems);
        if (status != STATUS_OK)
            return status;
        driver->started = true;
    }
    return intake_next(driver->intake, &driver->wanted->command, &driver->problems);
}

bool driver_read(struct driver *driver, struct event *ret_event)
{
    if (driver->wanted == NULL || driver->input_waits || engine_is_stopping(driver->engine))
        return false;
    if (driver->rows++ >= ROWS_PER_TURN) {
        driver_turn_soon(driver);
        return false;
    }
    *ret_event = (struct event){.item = driver->wanted};
    enum status status = next_row(driver);
    if (status == STATUS_AGAIN) {
        driver->input_waits = true;
        if (driver->has_input_poll)
            (void)uv_poll_start(&driver->input, UV_READABLE, on_input);
        ret_event->kind = EVENT_INPUT_WAITS;
        return true;
    }
    driver->wanted = NULL;
    if (status == STATUS_OK)
        take_row(driver, ret_event);
    else
        take_end(driver, status, ret_event);
    return true;
}

bool driver_look(struct driver *driver, struct event *ret_event)
{
    *ret_event =
        (struct event){.kind = EVENT_INPUT_CHANGED, .input = {.line = intake_line(driver->intake)}};
    return intake_look(driver->intake) == STATUS_CHANGED;
}
