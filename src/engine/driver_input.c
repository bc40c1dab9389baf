#include "engine/driver_impl.h"

#include <errno.h>
#include <fcntl.h>

enum { ROWS_PER_TURN = 256 }; /* before the loop gets its turn, however many of them are invalid */

static void ask_again(struct driver *driver)
{
    driver->input_waits = false;
    driver_turn(driver, EVENT_TURN);
}

static void on_input(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    (void)uv_poll_stop(poll);
    ask_again(poll->data);
}

static void on_again(uv_timer_t *timer)
{
    ask_again(timer->data);
}

/*
 * A pipe is waited for in the loop, and so must not block. Its flags are those of everybody who has
 * it open: they are restored at the end. What cannot be polled (/dev/null) never blocks for long.
 */
void driver_open_input(struct driver *driver)
{
    int fd = driver->source->fd;

    if (fd < 0)
        return;
    driver->input_flags = fcntl(fd, F_GETFL);
    driver->input.data = driver;
    driver->has_input_poll =
        driver->input_flags >= 0 && uv_poll_init(&driver->loop, &driver->input, fd) == 0;
}

void driver_close_input(struct driver *driver)
{
    if (driver->has_input_poll)
        (void)fcntl(driver->source->fd, F_SETFL, driver->input_flags);
}

static void report(const struct driver *driver)
{
    if (driver->problems.count > 0 && driver->options->report != NULL)
        driver->options->report(driver->options->report_context, &driver->problems);
}

static void take_row(const struct driver *driver, const struct source_row *row, struct event *event)
{
    event->kind = EVENT_ROW;
    event->row.verdict = row->verdict;
    if (row->verdict == ITEM_SETTLED)
        return;
    report(driver);
    if (row->verdict == ITEM_INVALID) {
        event->row.problems = &driver->problems;
    } else {
        event->row.sent = row->sent;
        event->row.ambiguous = row->ambiguous;
    }
}

/* What the engine is told in place of a row. */
static void take_end(struct driver *driver, enum status status, bool is_beyond, struct event *event)
{
    int error = errno;

    event->input.line = driver->source->place(driver->source).line;
    event->input.is_beyond = is_beyond;
    if (status == STATUS_END) {
        event->kind = EVENT_INPUT_ENDED;
    } else if (status == STATUS_CHANGED) {
        event->kind = EVENT_INPUT_CHANGED;
    } else if (status == STATUS_BAD_INPUT) {
        event->kind = EVENT_INPUT_UNREADABLE;
        report(driver);
    } else {
        (void)snprintf(driver->why, sizeof(driver->why), "%s%s",
                       status == STATUS_IO ? "the input cannot be read: " : status_text(status),
                       status == STATUS_IO ? strerror(error) : "");
        event->kind = EVENT_INPUT_FAILED;
        event->failure.status = status;
        event->failure.why = driver->why;
    }
}

/* There is no row now: waits for what the source waits for. An answer may bring one, too. */
static void wait_for_row(struct driver *driver, int64_t again_ns)
{
    int64_t now_ns = (int64_t)uv_hrtime();
    int64_t delay_ms = again_ns > now_ns ? (again_ns - now_ns + 999999) / 1000000 : 1;

    driver->input_waits = true;
    if (driver->has_input_poll)
        (void)uv_poll_start(&driver->input, UV_READABLE, on_input);
    if (again_ns == INT64_MAX)
        return;
    uv_update_time(&driver->loop);
    (void)uv_timer_start(&driver->again, on_again, (uint64_t)delay_ms, 0);
}

bool driver_read(struct driver *driver, struct event *ret_event)
{
    if (driver->wanted == NULL || driver->input_waits || engine_is_stopping(driver->engine))
        return false;
    if (driver->rows++ >= ROWS_PER_TURN) {
        driver_turn_soon(driver);
        return false;
    }
    struct source_row row = {.item = driver->wanted, .problems = &driver->problems};
    *ret_event = (struct event){.item = driver->wanted};
    enum status status = driver->source->next(driver->source, &row, driver->now);
    if (status == STATUS_AGAIN) {
        wait_for_row(driver, row.again_ns);
        ret_event->kind = EVENT_INPUT_WAITS;
        return true;
    }
    driver->wanted = NULL;
    if (status == STATUS_OK)
        take_row(driver, &row, ret_event);
    else
        take_end(driver, status, row.is_beyond, ret_event);
    return true;
}

bool driver_look(struct driver *driver, struct event *ret_event)
{
    struct row_source *source = driver->source;

    if (source->look == NULL || source->look(source) != STATUS_CHANGED)
        return false;
    *ret_event =
        (struct event){.kind = EVENT_INPUT_CHANGED, .input = {source->place(source).line, false}};
    return true;
}

void driver_tell_source(struct driver *driver, const struct effect *effect)
{
    struct row_source *source = driver->source;
    const struct source_end end = {.item = effect->item,
                                   .outcome = effect->record.outcome,
                                   .body = driver->body,
                                   .now = driver->now};

    if (source->ended == NULL)
        return;
    source->ended(source, &end);
    driver->input_waits = false;
}
