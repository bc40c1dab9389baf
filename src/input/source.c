/*
 * Each step writes where the next one reads: descriptor, decompressor (out of `raw`), conversion
 * (out of `plain`), block. Steps that the input does not need are left out, so that plain UTF-8 is
 * read into the block. Which ones it needs is learnt from its first bytes: they are read into the
 * block, and moved back to the step that has to have them. A workbook's text goes straight into the
 * block.
 *
 * What a seekable input says is sealed when it is read first, behind the last of these steps. When
 * it is read again, the block hands out what its seals confirm and nothing else: a file that was
 * written to meanwhile ends there with STATUS_CHANGED. Beside that reading the file is watched
 * (watch.h), so that a change is seen before the reading gets there.
 */
#include "input/source_impl.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input/file_kind.h"

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
    source->hashing = source->seekable ? XXH3_createState() : NULL;
    if (source->hashing != NULL)
        (void)XXH3_64bits_reset(source->hashing);
    source->size = about.st_size;
    watch_init(&source->watch, source->fd, source->start, &about);
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
    workbook_close(source->workbook);
    decompressor_free(source->decompressor);
    encoding_close(source->given);
    encoding_close(source->marked);
    (void)XXH3_freeState(source->hashing);
    seals_deinit(&source->seals);
    watch_deinit(&source->watch);
    free(source->raw.bytes);
    free(source->plain.bytes);
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

void source_read_once(struct source *source)
{
    source->reads_once = true;
    (void)XXH3_freeState(source->hashing);
    source->hashing = NULL;
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
    const struct stage *first = source->raw.bytes != NULL ? &source->raw : &source->plain;
    if (source->workbook != NULL)
        return (uint64_t)(workbook_share(source->workbook) * (double)source_size(source));
    size_t waiting = first->bytes != NULL ? first->end - first->at : source->end - source->at;

    return source->raw_bytes - waiting;
}

/* Notes why the input cannot be read on. */
enum status source_fail(struct source *source, enum problem_code code, const char *text)
{
    source->error_code = code;
    (void)snprintf(source->error, sizeof(source->error), "%s", text);
    return STATUS_BAD_INPUT;
}

enum status source_find_workbook(struct source *source, const char *sheet, uint64_t header_line,
                                 size_t max_row_bytes, struct buf *message)
{
    char start[FILE_KIND_BYTES];
    struct trouble trouble = {.text = ""};
    ssize_t count = source->seekable ? pread(source->fd, start, sizeof(start), source->start) : 0;
    enum file_kind kind = file_kind_of(span_of(start, count > 0 ? (size_t)count : 0));
    enum status status = STATUS_OK;

    if (kind == FILE_OLE) {
        file_kind_describe_ole(source->fd, &trouble);
        status = STATUS_USAGE;
    } else if (kind == FILE_ZIP) {
        status = workbook_open(source->fd, sheet, header_line, max_row_bytes, &trouble,
                               &source->workbook);
        source->is_workbook = status != STATUS_USAGE;
    }
    if (status == STATUS_BAD_INPUT) { /* told with the problems of the input */
        (void)source_fail(source, PROBLEM_XLSX, trouble.text);
        return STATUS_OK;
    }
    if (status == STATUS_USAGE) {
        buf_add_printable(message, span_string(source->name));
        buf_add_format(message, ": %s", trouble.text);
    }
    return status;
}

const struct workbook *source_workbook(const struct source *source)
{
    return source->workbook;
}

bool source_is_workbook(const struct source *source)
{
    return source->is_workbook;
}

const char *source_error(const struct source *source)
{
    return source->error;
}

struct encoding *source_conversion(const struct source *source)
{
    return source->marked != NULL ? source->marked : source->given;
}

enum status source_set_encoding(struct source *source, const char *name, struct buf *message)
{
    if (!encoding_name_is_utf8(name)) {
        enum status status = encoding_open(name, message, &source->given);
        if (status != STATUS_OK)
            return status;
    }
    (void)snprintf(source->encoding_name, sizeof(source->encoding_name), "%s", name);
    for (char *c = source->encoding_name; *c != '\0'; c++)
        *c = (char)toupper((unsigned char)*c);
    return STATUS_OK;
}

const char *source_encoding(const struct source *source)
{
    if (source->mark != NULL)
        return source->mark->shown;
    return source->encoding_name[0] != '\0' ? source->encoding_name : NULL;
}

struct span source_mark(const struct source *source)
{
    return source->mark != NULL ? span_of(source->mark->bytes, source->mark->len)
                                : span_of(NULL, 0);
}

enum status source_encode_back(struct source *source, struct span text, struct buf *out)
{
    if (source_conversion(source) != NULL)
        return encoding_encode(source_conversion(source), text, out);
    buf_add(out, text);
    return out->status;
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

void source_digest(const struct source *source, uint64_t *ret_size, uint64_t *ret_hash)
{
    *ret_size = source->digest_size;
    *ret_hash = source->digest;
}

/* Forgets all but what source_open and source_set_encoding were told. */
static void start_over(struct source *source)
{
    decompressor_free(source->decompressor);
    source->decompressor = NULL;
    free(source->raw.bytes);
    source->raw = (struct stage){.bytes = NULL};
    encoding_close(source->marked);
    source->marked = NULL;
    source->mark = NULL;
    if (source->given != NULL)
        encoding_reset(source->given);
    free(source->plain.bytes);
    source->plain = (struct stage){.bytes = NULL};
    if (!source->is_workbook || source->workbook != NULL) /* else it could not be opened at all */
        source->error[0] = '\0';
    source->knows_compression = false;
    source->started = false;
    source->raw_ended = false;
    source->plain_ended = false;
    source->raw_bytes = 0;
    source->text_bytes = 0;
    if (source->workbook != NULL)
        workbook_restart(source->workbook);
    (void)XXH3_freeState(source->hashing); /* of a reading that stopped early */
    source->hashing = NULL;
    source->at = 0;
    source->ready = 0;
    source->end = 0;
    source->next_seal = 0;
    watch_stop(&source->watch);
    source->is_changed = false;
    source->is_spent = false;
    source->is_again = source->seals.is_whole;
    if (!source->is_again)
        seals_restart(&source->seals);
}

static enum status go_back(struct source *source, struct buf *message)
{
    if (lseek(source->fd, source->start, SEEK_SET) < 0) {
        buf_add_format(message, "%s: %s", source->name, strerror(errno));
        return STATUS_IO;
    }
    start_over(source);
    return STATUS_OK;
}

/* Reads all of it once more, and nobody gets it. STATUS_END where it is what it was. */
static enum status read_again(struct source *source)
{
    enum status status;

    while ((status = source_fill(source)) == STATUS_OK)
        source_take(source, source_block(source).len);
    return status;
}

enum status source_rewind(struct source *source, struct buf *message)
{
    assert(!source->reads_once);
    enum status status = go_back(source, message);

    if (status != STATUS_OK || !source->is_again || !watch_sees_touch(&source->watch))
        return status;
    status = read_again(source);
    if (status == STATUS_END)
        return go_back(source, message);
    buf_add_format(message, "%s%s: %s", status == STATUS_CHANGED ? "input changed: " : "",
                   source->name,
                   status == STATUS_IO        ? strerror(errno)
                   : status == STATUS_CHANGED ? "it is not what was checked: see what writes to "
                                                "it, and call the run once more"
                                              : status_text(status));
    return status;
}

bool source_is_spent(const struct source *source)
{
    return source->is_spent;
}

bool source_has_grown(const struct source *source)
{
    struct stat about;

    return source->is_again && fstat(source->fd, &about) == 0 &&
           about.st_size > source->start + (off_t)source->digest_size;
}

enum status source_look(struct source *source)
{
    if (source->is_again && !source->is_changed)
        source->is_changed = !watch_look(&source->watch, source->digest_size, source->digest);
    return source->is_changed ? STATUS_CHANGED : STATUS_OK;
}

struct span source_block(const struct source *source)
{
    return span_of(source->block + source->at, source->ready - source->at);
}

void source_take(struct source *source, size_t count)
{
    source->at += count;
}

enum status source_fill(struct source *source)
{
    return source_fill_to(source, 1);
}

/* What was read first may be handed out at once; it is sealed for the next time. */
static enum status pass_on(struct source *source)
{
    enum status status = STATUS_OK;

    if (source->is_again)
        return STATUS_OK;
    if (source->seekable && !source->reads_once)
        status = seals_add(&source->seals,
                           span_of(source->block + source->ready, source->end - source->ready));
    source->ready = source->end;
    return status;
}

/* Reads on behind what is in the block. */
static enum status extend_block(struct source *source)
{
    size_t room = BLOCK_ROOM - source->end, count = 0;

    if (source->read_max < SOURCE_BLOCK_BYTES && room > source->read_max) /* a test's wish */
        room = source->read_max > ENCODING_ROOM_MIN ? source->read_max : ENCODING_ROOM_MIN;
    enum status status = source_pull_text(source, source->block + source->end, room, &count);
    source->end += count;
    return status;
}

/* The first reading: bytes are sealed and handed out as they come. */
static enum status fill_first(struct source *source)
{
    enum status status = extend_block(source);

    if (status == STATUS_END && source->seekable && seals_close(&source->seals) != STATUS_OK)
        return STATUS_NO_MEMORY;
    return status == STATUS_OK ? pass_on(source) : status;
}

/* A further reading: the next block of text is read whole, and handed out when its seal is good. */
static enum status fill_again(struct source *source)
{
    size_t wanted = seals_block_size(&source->seals, source->next_seal);
    enum status status = STATUS_OK;

    if (wanted == 0) { /* is there more? */
        source->is_spent = true;
        if (source->end == source->ready)
            status = extend_block(source);
        return status == STATUS_OK ? STATUS_CHANGED : status;
    }
    while (status == STATUS_OK && source->end - source->ready < wanted)
        status = extend_block(source);
    if (status != STATUS_OK)
        return status == STATUS_END ? STATUS_CHANGED : status;
    if (!seals_match(&source->seals, source->next_seal,
                     span_of(source->block + source->ready, wanted)))
        return STATUS_CHANGED;
    source->next_seal++;
    source->ready += wanted;
    return STATUS_OK;
}

static enum status fill(struct source *source, size_t count)
{
    enum status status = STATUS_OK;

    if (!source->started) {
        status = source_start(source);
        if (status == STATUS_OK && source->workbook == NULL)
            status = pass_on(source);
    }
    if (status != STATUS_OK)
        return status;
    if (source->at > 0) {
        memmove(source->block, source->block + source->at, source->end - source->at);
        source->ready -= source->at;
        source->end -= source->at;
        source->at = 0;
    }
    while (status == STATUS_OK && source->ready < count)
        status = source->is_again ? fill_again(source) : fill_first(source);
    return status;
}

enum status source_fill_to(struct source *source, size_t count)
{
    if (source->started && source->ready - source->at >= count)
        return STATUS_OK;
    if (count > SOURCE_BLOCK_BYTES)
        return STATUS_TOO_BIG;
    if (source->is_changed)
        return STATUS_CHANGED;
    if (source->error[0] != '\0')
        return STATUS_BAD_INPUT;
    enum status status = fill(source, count);
    /* It was good: what is damaged now was written to. */
    if (source->is_again && (status == STATUS_BAD_INPUT || status == STATUS_CHANGED)) {
        source->is_changed = true;
        return STATUS_CHANGED;
    }
    return status;
}
