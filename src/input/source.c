#include "input/source.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input/decompress.h"

enum { ERROR_MAX = 512 };

/* Bytes on their way between two steps; `bytes` has SOURCE_BLOCK_BYTES, NULL where no step needs
 * it. */
struct stage {
    char *bytes;
    size_t at;
    size_t end;
};

/*
 * Each step fills its reader's memory: the descriptor the block itself where the input is plain,
 * else `raw`, out of which the decompressor fills the block.
 */
struct source {
    char *name;
    int fd;
    bool owns_fd;
    bool seekable;
    bool started; /* it is known what the first bytes say */
    bool ended;   /* there are no more bytes to be read */
    off_t start;
    off_t size; /* of the whole file, as it was at opening */
    struct timespec modified;
    uint64_t raw_bytes; /* read from the descriptor */
    size_t read_max;
    struct stage raw;
    struct decompressor *decompressor; /* NULL: not compressed */
    enum problem_code error_code;
    char error[ERROR_MAX];
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
    decompressor_free(source->decompressor);
    free(source->raw.bytes);
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
    size_t waiting =
        source->raw.bytes != NULL ? source->raw.end - source->raw.at : source->end - source->at;
    return source->raw_bytes - waiting;
}

const char *source_error(const struct source *source)
{
    return source->error;
}

enum problem_code source_error_code(const struct source *source)
{
    return source->error_code;
}

void source_set_block_bytes(struct source *source, size_t bytes)
{
    if (bytes < 1)
        bytes = 1;
    source->read_max = bytes < SOURCE_BLOCK_BYTES ? bytes : SOURCE_BLOCK_BYTES;
}

/* All but what source_open found out. */
static void start_over(struct source *source)
{
    decompressor_free(source->decompressor);
    source->decompressor = NULL;
    free(source->raw.bytes);
    source->raw = (struct stage){.bytes = NULL};
    source->error[0] = '\0';
    source->started = false;
    source->ended = false;
    source->raw_bytes = 0;
    source->at = 0;
    source->end = 0;
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
    start_over(source);
    return STATUS_OK;
}

struct span source_block(const struct source *source)
{
    return span_of(source->block + source->at, source->end - source->at);
}

void source_take(struct source *source, size_t count)
{
    source->at += count;
}

enum status source_fill(struct source *source)
{
    return source_fill_to(source, 1);
}

/* Notes why the input cannot be read on. */
static enum status fail(struct source *source, enum problem_code code, const char *text)
{
    source->error_code = code;
    (void)snprintf(source->error, sizeof(source->error), "%s", text);
    return STATUS_BAD_INPUT;
}

/* The next bytes as they stand in the file; STATUS_END when there are none. */
static enum status pull_raw(struct source *source, char *out, size_t room, size_t *ret_count)
{
    ssize_t count;

    if (source->ended) /* a terminal would go on after its end: once is enough */
        return STATUS_END;
    do
        count = read(source->fd, out, room < source->read_max ? room : source->read_max);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? STATUS_AGAIN : STATUS_IO;
    source->ended = count == 0;
    if (count == 0)
        return STATUS_END;
    source->raw_bytes += (uint64_t)count;
    *ret_count = (size_t)count;
    return STATUS_OK;
}

/* The next bytes, decompressed. */
static enum status pull_plain(struct source *source, char *out, size_t room, size_t *ret_count)
{
    struct stage *raw = &source->raw;

    if (source->decompressor == NULL)
        return pull_raw(source, out, room, ret_count);
    for (;;) {
        struct span in = span_of(raw->bytes + raw->at, raw->end - raw->at);
        size_t made = 0;
        enum status status =
            decompressor_run(source->decompressor, &in, source->ended, out, room, &made);
        raw->at = raw->end - in.len;
        if (status == STATUS_BAD_INPUT)
            return fail(source, PROBLEM_COMPRESSED, decompressor_error(source->decompressor));
        if (status != STATUS_OK)
            return status;
        if (made > 0) {
            *ret_count = made;
            return STATUS_OK;
        }
        size_t count = 0; /* all of `raw` is used */
        status = pull_raw(source, raw->bytes, SOURCE_BLOCK_BYTES, &count);
        if (status != STATUS_OK && status != STATUS_END)
            return status;
        raw->at = 0;
        raw->end = count;
    }
}

/* Moves what is in the block back to where a step reads it. */
static enum status fill_stage(struct source *source, struct stage *stage)
{
    stage->bytes = malloc(SOURCE_BLOCK_BYTES);
    if (stage->bytes == NULL)
        return STATUS_NO_MEMORY;
    memcpy(stage->bytes, source->block, source->end);
    stage->at = 0;
    stage->end = source->end;
    source->end = 0;
    return STATUS_OK;
}

/* Reads as many bytes as it takes to tell, and no more: a pipe may give its first line long before
 * its second. */
static enum status start(struct source *source)
{
    enum compression kind = COMPRESSION_NONE;
    enum status status;

    while ((status = compression_of(source_block(source), source->ended, &kind)) == STATUS_AGAIN) {
        size_t count = 0;
        status =
            pull_raw(source, source->block + source->end, SOURCE_BLOCK_BYTES - source->end, &count);
        if (status != STATUS_OK && status != STATUS_END)
            return status;
        source->end += count;
    }
    if (status == STATUS_OK && kind != COMPRESSION_NONE)
        status = decompressor_new(kind, &source->decompressor);
    if (status == STATUS_OK && kind != COMPRESSION_NONE)
        status = fill_stage(source, &source->raw);
    source->started = status == STATUS_OK;
    return status;
}

enum status source_fill_to(struct source *source, size_t count)
{
    if (source->started && source->end - source->at >= count)
        return STATUS_OK;
    if (count > SOURCE_BLOCK_BYTES)
        return STATUS_TOO_BIG;
    if (source->error[0] != '\0')
        return STATUS_BAD_INPUT;
    if (!source->started) {
        enum status status = start(source);
        if (status != STATUS_OK)
            return status;
    }
    if (source->at > 0) {
        memmove(source->block, source->block + source->at, source->end - source->at);
        source->end -= source->at;
        source->at = 0;
    }
    while (source->end < count) {
        size_t got = 0;
        enum status status =
            pull_plain(source, source->block + source->end, SOURCE_BLOCK_BYTES - source->end, &got);
        if (status != STATUS_OK)
            return status;
        source->end += got;
    }
    return STATUS_OK;
}
