/*
 * A reader over any bytes. The first byte chooses how many bytes a read takes (its low four bits;
 * 500 goes with a tab as the delimiter), the maximum of a row (the next three), and whether a short
 * input also comes through a pipe in two parts, cut at every offset (the high bit); the rest is the
 * input. However it is cut, and whether raw rows are kept or not, it has to give the same rows; the
 * cells are all read, so that a sanitizer sees a span that is out of bounds. The raw rows have to
 * be the input.
 */
#ifndef NB_TESTS_FUZZ_READER_H
#define NB_TESTS_FUZZ_READER_H

#include "../unit/reader_help.h"

/* The text that the reader sees: decompressed, UTF-8, without a byte order mark; false where the
 * input is damaged. */
static inline bool fuzz_decode(struct span input, struct buf *out)
{
    struct source *source = source_of_bytes(input.ptr, input.len);
    enum status status;

    while ((status = source_fill(source)) == STATUS_OK) {
        buf_add(out, source_block(source));
        source_take(source, source_block(source).len);
    }
    source_close(source);
    return status == STATUS_END && out->status == STATUS_OK;
}

enum { FUZZ_CUT_BYTES_MAX = 100 }; /* a pipe for each offset: longer ones would take too long */

static inline void fuzz_cuts(const char *bytes, size_t len, const struct reader_options *options,
                             const struct buf *whole)
{
    struct buf cut;

    buf_init(&cut, SIZE_MAX / 2);
    for (size_t at = 0; at <= len; at++) {
        buf_clear(&cut);
        tell_cut(bytes, len, options->format, at, options->max_row_bytes, &cut);
        MUST(span_equal(buf_span(whole), buf_span(&cut)));
    }
    buf_deinit(&cut);
}

static inline int fuzz_reader(const uint8_t *data, size_t size, enum input_format format)
{
    static const size_t block_bytes[] = {1,  2,  3,  4,   5,   7,   8,    13,
                                         16, 31, 64, 100, 127, 500, 1023, 4096};
    static const size_t max_row_bytes[] = {READER_MAX_ROW_BYTES, 8, 16, 40, 100, 1000, 1024, 5000};
    struct buf whole, cut;

    if (size == 0)
        return 0;
    size_t block = block_bytes[data[0] & 15];
    struct reader_options options = {.format = format,
                                     .max_row_bytes = max_row_bytes[(data[0] >> 4) & 7],
                                     .delimiter = block == 500 ? '\t' : '\0'};
    buf_init(&whole, SIZE_MAX / 2);
    buf_init(&cut, SIZE_MAX / 2);
    tell_with(data + 1, size - 1, &options, 0, &whole);
    options.keep_raw = true;
    tell_with(data + 1, size - 1, &options, block, &cut);
    MUST(whole.status == STATUS_OK && span_equal(buf_span(&whole), buf_span(&cut)));
    buf_clear(&cut);
    tell_with(data + 1, size - 1, &options, 0, &cut);
    MUST(span_equal(buf_span(&whole), buf_span(&cut)));
    if ((data[0] & 0x80) != 0 && block != 500 && size - 1 <= FUZZ_CUT_BYTES_MAX)
        fuzz_cuts((const char *)data + 1, size - 1, &options, &whole);
    buf_deinit(&whole);
    buf_deinit(&cut);
    return 0;
}

#endif
