/*
 * Compressed bytes to plain ones, piece by piece: gzip (RFC 1952) by zlib, zstd (RFC 8878) by
 * libzstd. Which of them it is, the first bytes say, never a file's name.
 *
 *     status = decompressor_new(kind, &decompressor);
 *     do {
 *         … add to `in` what there is …
 *         status = decompressor_run(decompressor, &in, is_last, out, room, &made);
 *         … use the `made` bytes of `out` …
 *     } while (status == STATUS_OK);
 *
 * Several gzip members, or zstd frames, one behind the other are read as one, as gzip and zstd do.
 * Zeros behind the last gzip member are padding (tapes have it), all else behind it is damage.
 */
#ifndef NB_INPUT_DECOMPRESS_H
#define NB_INPUT_DECOMPRESS_H

#include "core/buf.h"

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD };

struct decompressor;

/*
 * How an input that starts like this is compressed. STATUS_AGAIN when more bytes are needed to
 * tell; not when `is_all` says that there are no more.
 */
enum status compression_of(struct span start, bool is_all, enum compression *ret_kind) MUST_USE;

/* STATUS_NO_MEMORY. */
enum status decompressor_new(enum compression kind,
                             struct decompressor **ret_decompressor) MUST_USE;

/* Takes NULL. */
void decompressor_free(struct decompressor *decompressor);

/*
 * Decompresses from the front of `in`, which is moved past what was used, into `out`. `is_last`
 * says that nothing comes behind `in`. STATUS_OK with *ret_made 0 when it needs more input;
 * STATUS_END when all of the input is used and was whole; STATUS_BAD_INPUT when it is damaged, cut
 * off, or needs more memory than it may have (decompressor_error says which); STATUS_NO_MEMORY.
 * Memory: gzip some 40 KiB, zstd the window that the file asks for, 128 MiB at most.
 */
enum status decompressor_run(struct decompressor *decompressor, struct span *in, bool is_last,
                             char *out, size_t room, size_t *ret_made) MUST_USE;

/* What STATUS_BAD_INPUT means: what, and behind how many bytes of compressed input. */
const char *decompressor_error(const struct decompressor *decompressor);

#endif
