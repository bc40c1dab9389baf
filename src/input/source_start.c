#include "input/source_impl.h"

#include <errno.h>
#include <unistd.h>

#include "input/file_kind.h"

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

/* All that is in the block, also what may not be handed out yet. */
static struct span held(const struct source *source)
{
    return span_of(source->block + source->at, source->end - source->at);
}

/* Reads some more into the block, to learn what the input is; STATUS_OK also at its end. */
static enum status see_more(struct source *source, bool decompressed)
{
    size_t room = SOURCE_BLOCK_BYTES - source->end, count = 0;
    enum status status =
        (decompressed ? source_pull_plain : source_pull_raw)(source, source->block + source->end,
                                                             room, &count);

    if (decompressed)
        source->plain_ended = status == STATUS_END;
    source->end += count;
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status start_decompressor(struct source *source)
{
    enum compression kind = COMPRESSION_NONE;
    enum status status;

    while ((status = compression_of(held(source), source->raw_ended, &kind)) == STATUS_AGAIN)
        if ((status = see_more(source, false)) != STATUS_OK)
            return status;
    if (status == STATUS_OK && kind != COMPRESSION_NONE)
        status = decompressor_new(kind, &source->decompressor);
    if (status == STATUS_OK && kind != COMPRESSION_NONE)
        status = fill_stage(source, &source->raw);
    source->knows_compression = status == STATUS_OK;
    return status;
}

/* Looks for a byte order mark; it stays at the start of the block. */
static enum status find_mark(struct source *source)
{
    enum status status;

    while ((status = encoding_find_mark(held(source), source->plain_ended, &source->mark)) ==
           STATUS_AGAIN)
        if ((status = see_more(source, true)) != STATUS_OK)
            return status;
    return status;
}

static enum status refuse_mark(struct source *source)
{
    char text[ERROR_MAX];

    (void)snprintf(text, sizeof(text),
                   "the file starts with the byte order mark of %s, but --encoding says %s: leave "
                   "--encoding out",
                   source->mark->shown, source->encoding_name);
    return source_fail(source, PROBLEM_ENCODING, text);
}

/* Chooses the conversion by what was given and by the mark. */
static enum status start_conversion(struct source *source)
{
    const struct encoding_mark *mark = source->mark;
    struct buf message;
    enum status status = STATUS_OK;

    if (mark != NULL && source->encoding_name[0] != '\0' &&
        !encoding_mark_gives_order(source->encoding_name, mark) &&
        (source->given != NULL ? !encoding_agrees(source->given, mark)
                               : !encoding_name_is_utf8(mark->encoding)))
        return refuse_mark(source);
    if (mark != NULL && !encoding_name_is_utf8(mark->encoding)) {
        buf_init_text(&message, ERROR_MAX);
        status = encoding_open(mark->encoding, &message, &source->marked);
        if (status == STATUS_USAGE) /* a system without this conversion */
            status = source_fail(source, PROBLEM_ENCODING, buf_string(&message));
        buf_deinit(&message);
    }
    if (status == STATUS_OK && source_conversion(source) != NULL) {
        status = fill_stage(source, &source->plain);
        source->plain.at = mark != NULL ? mark->len : 0;
    } else if (status == STATUS_OK && mark != NULL) {
        source->at = mark->len;
    }
    return status;
}

/* A workbook is not read from its first byte to its last: its digest takes a reading of its own. */
static enum status hash_file(struct source *source)
{
    off_t at = source->start;
    ssize_t count;

    while (source->hashing != NULL) {
        do
            count = pread(source->fd, source->block, SOURCE_BLOCK_BYTES, at);
        while (count < 0 && errno == EINTR);
        if (count < 0)
            return STATUS_IO;
        source->raw_bytes += (uint64_t)count;
        at += count;
        source_hash(source, source->block, (size_t)count);
    }
    return STATUS_OK;
}

/* Where a workbook, or another spreadsheet's file, comes as bytes one behind the other: from a
 * pipe, or out of a compressed file. */
static enum status refuse_workbook(struct source *source)
{
    return source_fail(
        source, PROBLEM_XLSX,
        source->decompressor != NULL
            ? "it is a spreadsheet's file, compressed once more: unpack it, and give that"
            : "it is a spreadsheet's file, which cannot be read from a pipe: give the file "
              "by its name, or with <");
}

static enum status find_workbook(struct source *source)
{
    enum status status = STATUS_OK;

    while (!source->plain_ended && file_kind_may_be(held(source)))
        if ((status = see_more(source, true)) != STATUS_OK)
            return status;
    return file_kind_of(held(source)) == FILE_OTHER ? STATUS_OK : refuse_workbook(source);
}

enum status source_start(struct source *source)
{
    enum status status = STATUS_OK;

    if (source->workbook != NULL) {
        status = hash_file(source);
        source->started = status == STATUS_OK;
        return status;
    }
    if (!source->knows_compression)
        status = start_decompressor(source);
    if (status == STATUS_OK)
        status = find_mark(source);
    if (status == STATUS_OK)
        status = find_workbook(source);
    if (status == STATUS_OK)
        status = start_conversion(source);
    source->started = status == STATUS_OK;
    source->ready = source->at;
    return status;
}
