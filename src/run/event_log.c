#include "run/event_log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/when.h"

enum { FLUSH_BYTES = 64 * 1024, PATIENCE_MS = 30 * 1000 };

static const char line_start[] = "{\"time\":\"";

static enum status refuse(const char *path, const char *why, struct buf *message)
{
    buf_add_string(message, "the log ");
    buf_add_printable(message, span_string(path));
    buf_add_format(message, ": %s; name another with --log", why);
    return STATUS_USAGE;
}

/* Whether the file is empty, or begins as a log does: lines must not be added to results. */
static bool is_log(int fd)
{
    char start[sizeof(line_start) - 1];
    struct stat info;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0)
        return true;
    return pread(fd, start, sizeof(start), 0) == (ssize_t)sizeof(start) &&
           memcmp(start, line_start, sizeof(start)) == 0;
}

static void name_run(struct event_log *log)
{
    uint64_t number = 0;

    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
        number = (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
    (void)snprintf(log->run, sizeof(log->run), "%016llx", (unsigned long long)number);
}

/* Whether its last line was cut: the disk was full, or somebody has shortened it. */
static bool is_cut(int fd)
{
    struct stat info;
    char last = '\n';

    return fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 &&
           pread(fd, &last, 1, info.st_size - 1) == 1 && last != '\n';
}

enum status event_log_open(struct event_log *log, const char *path, const struct person *person,
                           struct buf *message)
{
    struct stat info;
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    if (fd < 0 && errno != EISDIR) /* a pipe, or a terminal that may only be written */
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return refuse(path, strerror(errno), message);
    if (!is_log(fd)) {
        (void)close(fd);
        return refuse(path, "it holds something other than a log", message);
    }
    *log = (struct event_log){.path = strdup(path), .person = person, .fd = fd};
    name_run(log);
    buf_init(&log->out, 16 * 1024 * 1024);
    if (is_cut(fd)) /* the next line is one of its own */
        buf_add_char(&log->out, '\n');
    bool may_block = fstat(fd, &info) == 0 && !S_ISREG(info.st_mode);
    if (log->path != NULL && (!may_block || outlet_open(fd, &log->outlet) == STATUS_OK))
        return STATUS_OK;
    free(log->path);
    log->path = NULL;
    (void)close(fd);
    return STATUS_NO_MEMORY;
}

void event_log_begin(struct event_log *log, const char *event)
{
    char text[WHEN_UTC_LENGTH + 1];
    struct timespec now;

    if (log->path == NULL)
        return;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    when_format_utc((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, text);
    buf_add_format(&log->out, "%s%s\",\"event\":\"%s\",\"run\":\"%s\"", line_start, text, event,
                   log->run);
    if (log->job != NULL)
        event_log_add_text(log, "job", log->job);
}

void event_log_add_text(struct event_log *log, const char *name, const char *value)
{
    if (log->path == NULL)
        return;
    buf_add_format(&log->out, ",\"%s\":", name);
    buf_add_json_string(&log->out, span_string(value));
}

void event_log_add_number(struct event_log *log, const char *name, int64_t value)
{
    if (log->path != NULL)
        buf_add_format(&log->out, ",\"%s\":%lld", name, (long long)value);
}

void event_log_add_bool(struct event_log *log, const char *name, bool value)
{
    if (log->path != NULL)
        buf_add_format(&log->out, ",\"%s\":%s", name, value ? "true" : "false");
}

void event_log_add_entries(struct event_log *log, const char *name,
                           const struct page_entry *entries, size_t count)
{
    if (log->path == NULL)
        return;
    buf_add_format(&log->out, ",\"%s\":{", name);
    for (size_t i = 0; i < count; i++) {
        buf_add_string(&log->out, i > 0 ? "," : "");
        buf_add_json_string(&log->out, span_string(entries[i].name));
        buf_add_char(&log->out, ':');
        buf_add_json_string(&log->out, span_string(entries[i].value));
    }
    buf_add_char(&log->out, '}');
}

void event_log_add_thousandths(struct event_log *log, const char *name, int64_t thousandths)
{
    if (log->path != NULL)
        buf_add_format(&log->out, ",\"%s\":%lld.%03d", name, (long long)(thousandths / 1000),
                       (int)(thousandths % 1000));
}

void event_log_end(struct event_log *log)
{
    if (log->path == NULL)
        return;
    buf_add_string(&log->out, "}\n");
    if (log->out.len >= FLUSH_BYTES)
        event_log_flush(log);
}

static void tell_failure(struct event_log *log, int error)
{
    person_error(log->person, "%s: the log cannot be written: %s; the run goes on without",
                 log->path, strerror(error));
    log->failed = true;
}

static uint64_t count_lines(struct span text)
{
    uint64_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == '\n';
    return count;
}

/* A line of its own ahead of those that wait. */
static void tell_left_out(struct event_log *log)
{
    struct buf waiting = log->out;

    buf_init(&log->out, 4096);
    event_log_begin(log, "left_out");
    event_log_add_number(log, "lines", (int64_t)log->left_out);
    event_log_end(log);
    (void)outlet_add(log->outlet, buf_span(&log->out));
    buf_deinit(&log->out);
    log->out = waiting;
    log->left_out = 0;
}

static void flush_outlet(struct event_log *log)
{
    int error = outlet_error(log->outlet);

    if (error != 0 && !log->failed)
        tell_failure(log, error);
    if (log->out.len > 0 && outlet_is_full(log->outlet)) {
        log->left_out += count_lines(buf_span(&log->out));
    } else if (log->out.len > 0 && !log->failed) {
        if (log->left_out > 0)
            tell_left_out(log);
        (void)outlet_add(log->outlet, buf_span(&log->out)); /* a failure shows the next time */
    }
    buf_clear(&log->out);
}

void event_log_flush(struct event_log *log)
{
    size_t at = 0;

    if (log->path == NULL)
        return;
    if (log->outlet != NULL) {
        flush_outlet(log);
        return;
    }
    while (at < log->out.len && !log->failed) {
        ssize_t written = write(log->fd, log->out.ptr + at, log->out.len - at);
        if (written < 0 && errno != EINTR)
            tell_failure(log, errno);
        at += written > 0 ? (size_t)written : 0;
    }
    buf_clear(&log->out);
}

void event_log_close(struct event_log *log)
{
    if (log->path == NULL)
        return;
    /* First what waits, so that the end finds room. */
    bool all = log->outlet == NULL || outlet_wait(log->outlet, PATIENCE_MS);
    event_log_flush(log);
    if (log->outlet != NULL)
        all = outlet_wait(log->outlet, all ? PATIENCE_MS : 0);
    outlet_close(log->outlet);
    /* A write that hangs still needs the descriptor. */
    if (all && close(log->fd) != 0 && !log->failed)
        person_error(log->person, "%s: the log could not be written to its end: %s", log->path,
                     strerror(errno));
    buf_deinit(&log->out);
    free(log->path);
    *log = (struct event_log){.path = NULL};
}
