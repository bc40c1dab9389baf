#include "ledger/doubt.h"

#include <errno.h>
#include <xxhash.h>

#include "core/keytable.h"
#include "ledger/results.h"

static const char magic[16] = "nbatch doubt 1\n";

enum { DOUBT_TEXTS_MAX = 1024 * 1024 };

/* A record as it is on the disk; target and body follow it. */
struct doubt_head {
    uint64_t check; /* of all that follows it */
    uint64_t hash, device, row, line;
    int64_t first_ms, last_ms, clock_off_s;
    uint32_t occurrence, operation, before, ambiguous;
    uint32_t target_len, body_len;
};

_Static_assert(sizeof(struct doubt_head) == DOUBT_HEAD_BYTES, "the form of the file");

static const char ending[] = ".doubt";

char *doubt_path(const char *results)
{
    return disk_name_with(results, ending);
}

/* The check of a record whose head is at the start of `record`, with the texts behind it. */
static uint64_t check_of(struct span record)
{
    struct span checked = span_skip(record, sizeof(uint64_t));

    return XXH3_64bits(checked.ptr, checked.len);
}

/* Reads the head at an offset, and the whole record behind what `bytes` holds. STATUS_END: there is
 * no whole one. */
static enum status read_record(struct disk *disk, int fd, uint64_t offset, struct buf *bytes,
                               struct doubt *ret_doubt)
{
    struct doubt_head head;

    if (disk_read_all(disk, fd, &head, sizeof(head), offset) != STATUS_OK)
        return errno == 0 ? STATUS_END : STATUS_IO;
    if (head.target_len > DOUBT_TEXTS_MAX || head.body_len > DOUBT_TEXTS_MAX)
        return STATUS_END;
    size_t len = sizeof(head) + head.target_len + head.body_len;
    if (!buf_reserve(bytes, len + 1))
        return bytes->status;
    char *record = bytes->ptr + bytes->len;
    if (disk_read_all(disk, fd, record, len, offset) != STATUS_OK)
        return errno == 0 ? STATUS_END : STATUS_IO;
    if (head.check != check_of(span_of(record, len)))
        return STATUS_END;
    record[len] = '\0';
    bytes->len += len + 1;
    const char *target = record + sizeof(head);
    *ret_doubt = (struct doubt){.id = {.hash = head.hash,
                                       .device = head.device,
                                       .row = head.row,
                                       .line = head.line,
                                       .occurrence = head.occurrence},
                                .operation = head.operation,
                                .before = head.before,
                                .ambiguous = head.ambiguous,
                                .first_ms = head.first_ms,
                                .last_ms = head.last_ms,
                                .clock_off_s = head.clock_off_s,
                                .target = span_of(target, head.target_len),
                                .body = span_of(target + head.target_len, head.body_len)};
    return STATUS_OK;
}

static enum status check_magic(struct disk *disk, int fd)
{
    char found[sizeof(magic)];

    if (disk_read_all(disk, fd, found, sizeof(found), 0) != STATUS_OK)
        return errno == 0 ? STATUS_SYNTAX : STATUS_IO;
    return memcmp(found, magic, sizeof(magic)) == 0 ? STATUS_OK : STATUS_SYNTAX;
}

enum status doubt_each(struct disk *disk, int fd, doubt_take_fn *take, void *context,
                       uint64_t *ret_end)
{
    enum status status = check_magic(disk, fd);
    uint64_t at = sizeof(magic);
    struct doubt doubt = {.operation = 0};
    struct buf bytes;

    buf_init(&bytes, 4 * DOUBT_TEXTS_MAX);
    while (status == STATUS_OK) {
        buf_clear(&bytes);
        status = read_record(disk, fd, at, &bytes, &doubt);
        uint64_t offset = at;
        if (status == STATUS_OK)
            at += bytes.len - 1;
        if (status == STATUS_OK && take != NULL)
            status = take(context, &doubt, offset);
    }
    buf_deinit(&bytes);
    if (status != STATUS_END)
        return status;
    if (ret_end != NULL)
        *ret_end = at;
    return STATUS_OK;
}

enum status doubt_get(struct disk *disk, int fd, uint64_t offset, struct buf *bytes,
                      struct doubt *ret_doubt)
{
    enum status status = read_record(disk, fd, offset, bytes, ret_doubt);

    return status == STATUS_END ? STATUS_SYNTAX : status;
}

static void give_to_owner(const struct doubt_file *file)
{
    char *results = strndup(file->path, strlen(file->path) - strlen(ending));
    struct stat about, own;
    bool is_new = file->disk->stat(file->disk, file->fd, &own) == 0 && own.st_size == 0;

    if (is_new && results != NULL && file->disk->lstat(file->disk, results, &about) == 0)
        disk_give_to_owner(file->disk, file->fd, &about);
    free(results);
}

/* Opens the file behind its last whole record: what is behind that, or is no such file, goes. */
static bool open_file(struct doubt_file *file)
{
    struct disk *disk = file->disk;
    uint64_t end = 0;

    file->fd = disk->open(disk, file->path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
    if (file->fd < 0)
        return false;
    give_to_owner(file);
    enum status status = doubt_each(disk, file->fd, NULL, NULL, &end);
    if (status == STATUS_OK)
        return disk->truncate(disk, file->fd, end) == 0;
    return status == STATUS_SYNTAX && disk->truncate(disk, file->fd, 0) == 0 &&
           disk_append_all(disk, file->fd, span_of(magic, sizeof(magic))) == STATUS_OK &&
           disk->sync_folder(disk, file->path) == 0;
}

static bool add(const struct doubt_file *file, const struct doubt *doubt)
{
    struct doubt_head head = {.hash = doubt->id.hash,
                              .device = doubt->id.device,
                              .row = doubt->id.row,
                              .line = doubt->id.line,
                              .first_ms = doubt->first_ms,
                              .last_ms = doubt->last_ms,
                              .clock_off_s = doubt->clock_off_s,
                              .occurrence = doubt->id.occurrence,
                              .operation = doubt->operation,
                              .before = doubt->before,
                              .ambiguous = doubt->ambiguous,
                              .target_len = (uint32_t)doubt->target.len,
                              .body_len = (uint32_t)doubt->body.len};
    struct buf record;

    buf_init(&record, 4 * DOUBT_TEXTS_MAX);
    buf_add_bytes(&record, &head, sizeof(head));
    buf_add(&record, doubt->target);
    buf_add(&record, doubt->body);
    bool good = record.status == STATUS_OK;
    if (good) {
        head.check = check_of(buf_span(&record));
        memcpy(record.ptr, &head.check, sizeof(head.check));
        good = disk_append_all(file->disk, file->fd, buf_span(&record)) == STATUS_OK;
    }
    buf_deinit(&record);
    return good;
}

void doubt_file_append(struct doubt_file *file, const struct doubt *doubt)
{
    if (file->has_failed || doubt->target.len > DOUBT_TEXTS_MAX ||
        doubt->body.len > DOUBT_TEXTS_MAX)
        return;
    file->has_failed = (file->fd < 0 && !open_file(file)) || !add(file, doubt);
    file->is_unsynced = !file->has_failed;
}

void doubt_file_close(struct doubt_file *file)
{
    if (file->fd >= 0)
        (void)file->disk->close(file->disk, file->fd);
    file->fd = -1;
}

/* The end of all doubt. */

static enum status note_key(void *context, const struct doubt *doubt, uint64_t offset)
{
    uint32_t *value;
    enum status status = keytable_slot(context, row_id_key(&doubt->id), &value);

    (void)offset;
    if (status == STATUS_OK)
        *value = 1;
    return status;
}

static bool is_noted(void *context, const struct row_id *id)
{
    return keytable_get(context, row_id_key(id)) != 0;
}

static enum status count_doubtful(void *context, const struct result_fields *fields)
{
    uint64_t *count = context;

    *count = fields == NULL ? 0 : *count + (fields->status == ROW_IN_DOUBT);
    return STATUS_OK;
}

/* Whether no row of the file is in doubt. */
static bool is_settled(struct disk *disk, int fd, const char *path)
{
    struct keytable keys;
    struct results results;
    struct buf message;
    uint64_t count = 0;

    keytable_init(&keys);
    buf_init_text(&message, 64 * 1024);
    enum status status = doubt_each(disk, fd, note_key, &keys, NULL);
    if (status == STATUS_OK) {
        status = results_open(&results, disk, path, &message);
        if (status == STATUS_OK)
            status = results_each_current(&results, is_noted, &keys, count_doubtful, &count);
        results_close(&results);
    }
    buf_deinit(&message);
    keytable_deinit(&keys);
    return status == STATUS_OK && count == 0;
}

void doubt_settle(struct disk *disk, const char *results)
{
    char *path = doubt_path(results);
    int fd = path != NULL ? disk->open(disk, path, O_RDONLY, 0) : -1;

    if (fd >= 0) {
        if (is_settled(disk, fd, results))
            (void)disk->unlink(disk, path);
        (void)disk->close(disk, fd);
    }
    free(path);
}
