#include "ledger/record_log.h"

#include <errno.h>
#include <xxhash.h>

struct record_log_head {
    char name[RECORD_LOG_NAME_MAX + 1];
    uint64_t size;
};

enum { RECORDS_PER_READ = 1024 };

static uint64_t check_of(const struct record_log *log, const void *record)
{
    return XXH3_64bits(record, log->size);
}

static size_t slot_size(const struct record_log *log)
{
    return log->size + sizeof(uint64_t);
}

static enum status say(const struct record_log *log, enum status status, const char *why,
                       struct buf *message)
{
    buf_add_printable(message, span_string(log->path));
    buf_add_format(message, ": %s", why);
    return status;
}

/* Empties a file that another version has left, or whose head a death has cut off. One that
 * somebody else has there is left alone: STATUS_EXISTS. */
static enum status prepare(struct record_log *log, const char *name)
{
    struct record_log_head head = {.size = log->size}, found;

    (void)snprintf(head.name, sizeof(head.name), "%s", name);
    ssize_t len = log->disk->read_at(log->disk, log->fd, (char *)&found, sizeof(found), 0);
    if (len < 0)
        return STATUS_IO;
    if ((size_t)len == sizeof(found) && memcmp(&found, &head, sizeof(head)) == 0)
        return STATUS_OK;
    size_t same = strlen(head.name) - 1; /* without the version */
    same = (size_t)len < same ? (size_t)len : same;
    if (memcmp(found.name, head.name, same) != 0)
        return STATUS_EXISTS;
    if (log->disk->truncate(log->disk, log->fd, 0) != 0)
        return STATUS_IO;
    return disk_append_all(log->disk, log->fd, span_of((const char *)&head, sizeof(head)));
}

static enum status take_hold(struct record_log *log, const char *name, struct buf *message)
{
    if (log->disk->lock(log->disk, log->fd) != 0)
        return errno == EWOULDBLOCK
                   ? say(log, STATUS_EXISTS, "another nbatch is at work with it", message)
                   : say(log, STATUS_IO, strerror(errno), message);
    enum status status = prepare(log, name);
    return status == STATUS_OK ? STATUS_OK
           : status == STATUS_EXISTS
               ? say(log, status, "it is no journal of nbatch status: move it away", message)
               : say(log, status, strerror(errno), message);
}

enum status record_log_open(struct record_log *log, struct disk *disk, const char *path,
                            const char *name, size_t size, struct buf *message)
{
    *log = (struct record_log){.disk = disk, .path = path, .size = size};
    log->fd = disk->open(disk, path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (log->fd < 0)
        return say(log, STATUS_IO, strerror(errno), message);
    enum status status = take_hold(log, name, message);
    if (status != STATUS_OK) {
        (void)disk->close(disk, log->fd); /* it is not ours: record_log_end must not remove it */
        log->fd = -1;
    }
    return status;
}

/* Takes the whole records of what was read; how many bytes these were. A damaged one ends it. */
static size_t take_slots(const struct record_log *log, const char *bytes, size_t len,
                         record_log_fn *take, void *context)
{
    size_t at = 0;

    for (; at + slot_size(log) <= len; at += slot_size(log)) {
        _Alignas(uint64_t) char record[RECORD_LOG_SIZE_MAX];
        uint64_t check;
        memcpy(record, bytes + at, log->size);
        memcpy(&check, bytes + at + log->size, sizeof(check));
        if (check != check_of(log, record))
            break;
        take(context, record);
    }
    return at;
}

enum status record_log_each(struct record_log *log, record_log_fn *take, void *context)
{
    uint64_t at = sizeof(struct record_log_head);
    size_t len = RECORDS_PER_READ * slot_size(log), taken = 1;
    char *bytes = malloc(len);
    ssize_t count = 0;

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    while (taken > 0 && (count = log->disk->read_at(log->disk, log->fd, bytes, len, at)) > 0) {
        taken = take_slots(log, bytes, (size_t)count, take, context);
        at += taken;
    }
    free(bytes);
    /* What is behind the last whole record goes, or what is added would be out of step. */
    return count < 0 || log->disk->truncate(log->disk, log->fd, at) != 0 ? STATUS_IO : STATUS_OK;
}

enum status record_log_add(struct record_log *log, const void *record)
{
    char slot[RECORD_LOG_SIZE_MAX + sizeof(uint64_t)];
    uint64_t check = check_of(log, record);

    memcpy(slot, record, log->size);
    memcpy(slot + log->size, &check, sizeof(check));
    return disk_append_all(log->disk, log->fd, span_of(slot, slot_size(log)));
}

void record_log_end(struct record_log *log, bool is_done)
{
    if (log->disk == NULL || log->fd < 0)
        return;
    if (is_done)
        (void)log->disk->unlink(log->disk, log->path);
    (void)log->disk->close(log->disk, log->fd);
    log->fd = -1;
}
