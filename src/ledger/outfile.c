#include "ledger/outfile.h"

#include <errno.h>
#include <strings.h>
#include <unistd.h>

enum {
    OUTFILE_FLUSH_BYTES = 64 * 1024,
    OUTFILE_BUFFER_MAX = 1024 * 1024 * 1024, /* a row with all it carries; a flush is due long
                                                before */
};

static enum status refuse_existing(const char *path, const struct outfile_kind *kind,
                                   struct buf *message)
{
    buf_add_format(message, "%s ", kind->what);
    buf_add_printable(message, span_string(path));
    buf_add_format(message,
                   " exists already; nbatch overwrites nothing that may be a record: move it "
                   "away, or name another with %s",
                   kind->option);
    return STATUS_EXISTS;
}

enum status outfile_probe(struct disk *disk, const char *path, const struct outfile_kind *kind,
                          struct buf *message)
{
    bool there = strcmp(path, "-") != 0 && disk->has(disk, path);
    return there ? refuse_existing(path, kind, message) : STATUS_OK;
}

static enum status open_file(struct disk *disk, const char *path, int flags,
                             const struct outfile_kind *kind, struct buf *message, int *ret_fd)
{
    int fd = disk->open(disk, path, O_WRONLY | O_CREAT | O_APPEND | flags, 0644);

    if (fd >= 0) {
        *ret_fd = fd;
        return STATUS_OK;
    }
    if (errno == EEXIST)
        return refuse_existing(path, kind, message);
    int error = errno;
    buf_add_format(message, "%s ", kind->what);
    buf_add_printable(message, span_string(path));
    buf_add_format(message, ": %s; name another place with %s", strerror(error), kind->option);
    return STATUS_IO;
}

static enum status open_outfile(struct outfile *file, struct disk *disk, const char *path,
                                int flags, const struct outfile_kind *kind, struct buf *message)
{
    bool standard_output = strcmp(path, "-") == 0;
    int fd = STDOUT_FILENO;
    char *name = strdup(standard_output ? "standard output" : path);

    if (name == NULL) {
        buf_add_string(message, status_text(STATUS_NO_MEMORY));
        return STATUS_NO_MEMORY;
    }
    enum status status =
        standard_output ? STATUS_OK : open_file(disk, path, flags, kind, message, &fd);
    if (status != STATUS_OK) {
        free(name);
        return status;
    }
    *file = (struct outfile){.disk = disk, .name = name, .fd = fd};
    buf_init(&file->out, OUTFILE_BUFFER_MAX);
    buf_init_text(&file->error, 8192);
    return STATUS_OK;
}

enum status outfile_create(struct outfile *file, struct disk *disk, const char *path,
                           const struct outfile_kind *kind, struct buf *message)
{
    return open_outfile(file, disk, path, O_EXCL, kind, message);
}

enum status outfile_append(struct outfile *file, struct disk *disk, const char *path,
                           const struct outfile_kind *kind, struct buf *message)
{
    return open_outfile(file, disk, path, O_NOFOLLOW | O_NONBLOCK, kind, message);
}

enum status outfile_cut_to_lines(struct outfile *file, uint64_t *ret_size)
{
    struct disk *disk = file->disk;
    struct stat about;

    *ret_size = 0;
    if (file->fd == STDOUT_FILENO)
        return STATUS_OK;
    if (disk->stat(disk, file->fd, &about) != 0)
        return STATUS_IO;
    if (!S_ISREG(about.st_mode))
        return STATUS_OK;
    int fd = disk->open(disk, file->name, O_RDWR, 0);
    uint64_t size = (uint64_t)about.st_size;
    bool good = fd >= 0;
    char last = '\0';
    while (good && size > 0 && last != '\n') {
        good = disk->read_at(disk, fd, &last, 1, size - 1) == 1;
        size -= last != '\n';
    }
    good = good && (size == (uint64_t)about.st_size || disk->truncate(disk, fd, size) == 0);
    if (fd >= 0)
        (void)disk->close(disk, fd);
    *ret_size = size;
    return good ? STATUS_OK : STATUS_IO;
}

static enum status fail(struct outfile *file, int error)
{
    if (!file->failed)
        buf_add_format(&file->error, "%s: %s", file->name, strerror(error));
    file->failed = true;
    return STATUS_IO;
}

enum status outfile_flush(struct outfile *file)
{
    if (file->out.status != STATUS_OK)
        return fail(file, ENOMEM);
    while (file->out.len > 0 && !file->failed) {
        ssize_t written = file->disk->append(file->disk, file->fd, file->out.ptr, file->out.len);
        if (written < 0)
            return fail(file, errno);
        buf_drop(&file->out, (size_t)written);
    }
    return file->failed ? STATUS_IO : STATUS_OK;
}

enum status outfile_settle(struct outfile *file)
{
    if (file->failed)
        return STATUS_IO;
    if (file->out.status == STATUS_OK && file->out.len < OUTFILE_FLUSH_BYTES)
        return STATUS_OK;
    return outfile_flush(file);
}

enum status outfile_close(struct outfile *file)
{
    if (file->name == NULL)
        return STATUS_OK;
    enum status status = outfile_flush(file);
    if (file->fd != STDOUT_FILENO && file->disk->close(file->disk, file->fd) != 0 &&
        status == STATUS_OK)
        status = fail(file, errno);
    free(file->name);
    file->name = NULL;
    return status;
}

void outfile_deinit(struct outfile *file)
{
    (void)outfile_close(file);
    buf_deinit(&file->out);
    buf_deinit(&file->error);
    *file = (struct outfile){.fd = -1};
}

const char *outfile_error(struct outfile *file)
{
    return buf_string(&file->error);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcasecmp(text + len - end_len, end) == 0;
}

bool outfile_is_jsonl(const char *path)
{
    return ends_with(path, ".jsonl") || ends_with(path, ".ndjson");
}
