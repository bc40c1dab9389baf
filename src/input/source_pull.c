#include "input/source_impl.h"

#include <errno.h>
#include <unistd.h>

#include "input/workbook.h"

void source_hash(struct source *source, const char *bytes, size_t count)
{
    if (source->hashing == NULL)
        return;
    if (count > 0) {
        (void)XXH3_64bits_update(source->hashing, bytes, count);
        return;
    }
    source->digest_size = source->raw_bytes;
    source->digest = XXH3_64bits_digest(source->hashing);
    (void)XXH3_freeState(source->hashing);
    source->hashing = NULL;
}

/* The next bytes as they are in the file; STATUS_END when there are none. */
enum status source_pull_raw(struct source *source, char *out, size_t room, size_t *ret_count)
{
    ssize_t count;

    if (source->raw_ended) /* a terminal would go on after its end: once is enough */
        return STATUS_END;
    do
        count = read(source->fd, out, room < source->read_max ? room : source->read_max);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? STATUS_AGAIN : STATUS_IO;
    source->raw_ended = count == 0;
    source_hash(source, out, (size_t)count);
    if (count == 0)
        return STATUS_END;
    source->raw_bytes += (uint64_t)count;
    *ret_count = (size_t)count;
    return STATUS_OK;
}

/* The next bytes, decompressed. */
enum status source_pull_plain(struct source *source, char *out, size_t room, size_t *ret_count)
{
    struct stage *raw = &source->raw;

    if (source->decompressor == NULL)
        return source_pull_raw(source, out, room, ret_count);
    for (;;) {
        struct span in = span_of(raw->bytes + raw->at, raw->end - raw->at);
        size_t made = 0;
        enum status status =
            decompressor_run(source->decompressor, &in, source->raw_ended, out, room, &made);
        raw->at = raw->end - in.len;
        if (status == STATUS_BAD_INPUT)
            return source_fail(source, PROBLEM_COMPRESSED,
                               decompressor_error(source->decompressor));
        if (status != STATUS_OK)
            return status;
        if (made > 0) {
            *ret_count = made;
            return STATUS_OK;
        }
        size_t count = 0; /* all of `raw` is used */
        status = source_pull_raw(source, raw->bytes, SOURCE_BLOCK_BYTES, &count);
        if (status != STATUS_OK && status != STATUS_END)
            return status;
        raw->at = 0;
        raw->end = count;
    }
}

/* The next bytes of the sheet's text. */
static enum status pull_sheet(struct source *source, char *out, size_t room, size_t *ret_count)
{
    uint64_t taken = source->text_bytes - (source->end - source->at);
    enum status status = workbook_read(source->workbook, taken, out, room, ret_count);

    if (status == STATUS_OK)
        source->text_bytes += *ret_count;
    return status == STATUS_BAD_INPUT
               ? source_fail(source, PROBLEM_XLSX, workbook_error(source->workbook))
               : status;
}

/* The next bytes, in UTF-8. */
enum status source_pull_text(struct source *source, char *out, size_t room, size_t *ret_count)
{
    struct stage *plain = &source->plain;

    if (source->workbook != NULL)
        return pull_sheet(source, out, room, ret_count);
    if (source_conversion(source) == NULL)
        return source_pull_plain(source, out, room, ret_count);
    for (;;) {
        struct span in = span_of(plain->bytes + plain->at, plain->end - plain->at);
        size_t made = 0, count = 0;
        enum status status =
            encoding_decode(source_conversion(source), &in, source->plain_ended, out, room, &made);
        plain->at = plain->end - in.len;
        if (status != STATUS_OK)
            return status;
        if (made > 0) {
            *ret_count = made;
            return STATUS_OK;
        }
        memmove(plain->bytes, in.ptr, in.len); /* the start of a character may be left */
        plain->at = 0;
        plain->end = in.len;
        status =
            source_pull_plain(source, plain->bytes + in.len, SOURCE_BLOCK_BYTES - in.len, &count);
        if (status != STATUS_OK && status != STATUS_END)
            return status;
        source->plain_ended = status == STATUS_END;
        plain->end += count;
    }
}
