#include "ledger/replacement.h"

#include <errno.h>
#include <stdlib.h>

enum { PATH_BYTES_MAX = 64 * 1024 };

static char *temporary_name(struct disk *disk, const char *path)
{
    struct buf name;

    buf_init(&name, PATH_BYTES_MAX);
    buf_add_format(&name, "%s.%08llx", path, (unsigned long long)(disk->random(disk) & 0xffffffff));
    char *text = name.status == STATUS_OK ? strdup(buf_string(&name)) : NULL;
    buf_deinit(&name);
    return text;
}

enum status replacement_open(struct replacement *replacement, struct disk *disk, const char *path,
                             unsigned mode, const struct outfile_kind *kind, struct buf *message)
{
    *replacement = (struct replacement){.mode = mode};
    if (strcmp(path, "-") == 0)
        return outfile_create(&replacement->file, disk, path, kind, message);
    replacement->path = disk->follow(disk, path);
    replacement->temporary =
        replacement->path != NULL ? temporary_name(disk, replacement->path) : NULL;
    if (replacement->temporary == NULL) {
        buf_add_string(message, status_text(STATUS_NO_MEMORY));
        return STATUS_NO_MEMORY;
    }
    enum status status =
        outfile_create(&replacement->file, disk, replacement->temporary, kind, message);
    if (status != STATUS_OK) {
        free(replacement->temporary); /* not ours to remove */
        replacement->temporary = NULL;
    }
    return status;
}

enum status replacement_commit(struct replacement *replacement, struct buf *message)
{
    struct outfile *file = &replacement->file;
    struct disk *disk = file->disk;

    enum status status = outfile_flush(file);
    if (status == STATUS_OK && replacement->path == NULL)
        return STATUS_OK;
    if (status == STATUS_OK && disk->chmod(disk, file->fd, replacement->mode) == 0 &&
        disk->sync(disk, file->fd) == 0 && outfile_close(file) == STATUS_OK &&
        disk->rename(disk, replacement->temporary, replacement->path) == 0) {
        free(replacement->temporary);
        replacement->temporary = NULL;
        if (disk->sync_folder(disk, replacement->path) == 0)
            return STATUS_OK;
    }
    if (file->failed) {
        buf_add_string(message, outfile_error(file));
    } else {
        int error = errno;
        buf_add_printable(message, span_string(replacement->path));
        buf_add_format(message, " cannot be written: %s", strerror(error));
    }
    return STATUS_IO;
}

void replacement_deinit(struct replacement *replacement)
{
    struct disk *disk = replacement->file.disk;

    outfile_deinit(&replacement->file);
    if (replacement->temporary != NULL && disk != NULL)
        (void)disk->unlink(disk, replacement->temporary);
    free(replacement->temporary);
    free(replacement->path);
    *replacement = (struct replacement){.path = NULL};
}
