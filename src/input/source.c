#include "input/source.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct source {
    char *name;
    int fd;
    bool owns_fd;
    bool seekable;
    bool ended;
    off_t start;
    off_t size; /* of the whole file, as it was at opening */
    struct timespec modified;
    uint64_t taken;
    size_t read_max;
    size_t at;
    size_t end;
    char block[SOURCE_BLOCK_BYTES];
};

/* Learns what kind of thing the descriptor is; false where it cannot be read. */
static bool inspect(struct source *source, struct buf *message)
{
    struct stat about;

    if (fstat(source->fd, &about) != 0) {
        buf_add_format(message, "%s: %s", source->name, strerror(errno));
        return false;
    }
    if (S_ISDIR(about.st_mode)) {
        buf_add_format(message, "%s is a directory: give a CSV or JSONL file", source->name);
        return false;
    }
    if (!S_ISREG(about.st_mode))
        return true;
    source->start = lseek(source->fd, 0, SEEK_CUR);
    source->seekable = source->start >= 0;
    source->size = about.st_size;
    source->modified = about.st_mtim;
    (void)posix_fadvise(source->fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* only a hint */
    return true;
}

enum status source_open(const char *path, struct buf *message, struct source **ret_source)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct source *source = calloc(1, sizeof(*source));

    if (source == NULL)
        return STATUS_NO_MEMORY;
    source->fd = -1;
    source->owns_fd = !is_stdin;
    source->read_max = SOURCE_BLOCK_BYTES;
    source->name = strdup(is_stdin ? "standard input" : path);
    if (source->name == NULL) {
        source_close(source);
        return STATUS_NO_MEMORY;
    }
    source->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (source->fd < 0) {
        buf_add_format(message, "%s: %s", source->name, strerror(errno));
        source_close(source);
        return STATUS_USAGE;
    }
    if (!inspect(source, message)) {
        source_close(source);
        return STATUS_USAGE;
    }
    *ret_source = source;
    return STATUS_OK;
}

void source_close(struct source *source)
{
    if (source == NULL)
        return;
    if (source->owns_fd && source->fd >= 0)
        (void)close(source->fd); /* it was only read */
    free(source->name);
    free(source);
}

const char *source_name(const struct source *source)
{
    return source->name;
}

int source_fd(const struct source *source)
{
    return source->fd;
}

bool source_is_seekable(const struct source *source)
{
    return source->seekable;
}

uint64_t source_size(const struct source *source)
{
    if (!source->seekable || source->size < source->start)
        return 0;
    return (uint64_t)(source->size - source->start);
}

uint64_t source_taken(const struct source *source)
{
    return source->taken;
}

void source_set_block_bytes(struct source *source, size_t bytes)
{
    if (bytes < 1)
        bytes = 1;
    source->read_max = bytes < SOURCE_BLOCK_BYTES ? bytes : SOURCE_BLOCK_BYTES;
}

enum status source_rewind(struct source *source, struct buf *message)
{
    struct stat about;

    if (fstat(source->fd, &about) != 0 || lseek(source->fd, source->start, SEEK_SET) < 0) {
        buf_add_format(message, "%s: %s", source->name, strerror(errno));
        return STATUS_IO;
    }
    if (about.st_size != source->size || about.st_mtim.tv_sec != source->modified.tv_sec ||
        about.st_mtim.tv_nsec != source->modified.tv_nsec) {
        buf_add_format(message, "%s was changed while it was read", source->name);
        return STATUS_CHANGED;
    }
    source->ended = false;
    source->taken = 0;
    source->at = 0;
    source->end = 0;
    return STATUS_OK;
}

struct span source_block(const struct source *source)
{
    return span_of(source->block + source->at, source->end - source->at);
}

void source_take(struct source *source, size_t count)
{
    source->at += count;
    source->taken += count;
}

enum status source_fill(struct source *source)
{
    return source_fill_to(source, 1);
}

static enum status read_more(struct source *source)
{
    size_t room = SOURCE_BLOCK_BYTES - source->end;
    ssize_t count;

    do
        count = read(source->fd, source->block + source->end,
                     room < source->read_max ? room : source->read_max);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? STATUS_AGAIN : STATUS_IO;
    source->end += (size_t)count;
    source->ended = count == 0;
    return STATUS_OK;
}

enum status source_fill_to(struct source *source, size_t count)
{
    if (source->end - source->at >= count)
        return STATUS_OK;
    if (count > SOURCE_BLOCK_BYTES)
        return STATUS_TOO_BIG;
    if (source->at > 0) {
        memmove(source->block, source->block + source->at, source->end - source->at);
        source->end -= source->at;
        source->at = 0;
    }
    while (source->end < count) {
        if (source->ended) /* a terminal would go on after its end: once is enough */
            return STATUS_END;
        enum status status = read_more(source);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}
