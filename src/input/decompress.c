#include "input/decompress.h"

#include <inttypes.h>
#include <limits.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
    GZIP_ONLY = 16, /* for inflateInit2: no zlib or raw streams */
    ERROR_MAX = 256,
};

struct decompressor {
    enum compression kind;
    z_stream inflate;
    ZSTD_DStream *zstd;
    uint64_t used;     /* bytes of input */
    bool is_between;   /* a member or frame has ended, none has begun */
    bool is_padding;   /* reading the zeros behind the last gzip member */
    bool out_was_full; /* there may be more output without more input */
    char error[ERROR_MAX];
};

enum status compression_of(struct span start, bool is_all, enum compression *ret_kind)
{
    static const struct {
        unsigned char bytes[4];
        size_t len;
        unsigned char first_mask; /* of the bits of the first byte that count */
        enum compression kind;
    } magics[] = {
        {{0x1f, 0x8b}, 2, 0xff, COMPRESSION_GZIP},
        {{0x28, 0xb5, 0x2f, 0xfd}, 4, 0xff, COMPRESSION_ZSTD},
        {{0x50, 0x2a, 0x4d, 0x18}, 4, 0xf0, COMPRESSION_ZSTD}, /* a skippable frame */
    };

    for (size_t i = 0; i < ARRAY_LENGTH(magics); i++) {
        size_t same = 0;
        while (same < magics[i].len && same < start.len &&
               ((unsigned char)start.ptr[same] & (same == 0 ? magics[i].first_mask : 0xff)) ==
                   magics[i].bytes[same])
            same++;
        if (same == magics[i].len) {
            *ret_kind = magics[i].kind;
            return STATUS_OK;
        }
        if (same == start.len && !is_all)
            return STATUS_AGAIN;
    }
    *ret_kind = COMPRESSION_NONE;
    return STATUS_OK;
}

enum status decompressor_new(enum compression kind, struct decompressor **ret_decompressor)
{
    struct decompressor *decompressor = calloc(1, sizeof(*decompressor));
    bool ready;

    if (decompressor == NULL)
        return STATUS_NO_MEMORY;
    decompressor->kind = kind;
    decompressor->is_between = true;
    if (kind == COMPRESSION_GZIP) {
        ready = inflateInit2(&decompressor->inflate, GZIP_ONLY + MAX_WBITS) == Z_OK;
    } else {
        decompressor->zstd = ZSTD_createDStream();
        ready = decompressor->zstd != NULL;
    }
    if (!ready) {
        free(decompressor);
        return STATUS_NO_MEMORY;
    }
    *ret_decompressor = decompressor;
    return STATUS_OK;
}

void decompressor_free(struct decompressor *decompressor)
{
    if (decompressor == NULL)
        return;
    if (decompressor->kind == COMPRESSION_GZIP)
        (void)inflateEnd(&decompressor->inflate); /* fails for a bad argument only */
    else
        (void)ZSTD_freeDStream(decompressor->zstd);
    free(decompressor);
}

const char *decompressor_error(const struct decompressor *decompressor)
{
    return decompressor->error;
}

static const char *kind_name(const struct decompressor *decompressor)
{
    return decompressor->kind == COMPRESSION_GZIP ? "gzip" : "zstd";
}

static enum status refuse(struct decompressor *decompressor, const char *what)
{
    (void)snprintf(decompressor->error, sizeof(decompressor->error),
                   "the %s file is damaged behind byte %" PRIu64 " of its compressed bytes: %s",
                   kind_name(decompressor), decompressor->used, what);
    return STATUS_BAD_INPUT;
}

static enum status refuse_cut_off(struct decompressor *decompressor)
{
    (void)snprintf(decompressor->error, sizeof(decompressor->error),
                   "the %s file is cut off: its %" PRIu64 " compressed bytes end in the middle",
                   kind_name(decompressor), decompressor->used);
    return STATUS_BAD_INPUT;
}

static void use(struct decompressor *decompressor, struct span *in, size_t count)
{
    *in = span_skip(*in, count);
    decompressor->used += count;
}

/* Behind a member: another one begins, or there are zeros to the end. */
static enum status begin_member(struct decompressor *decompressor, struct span *in)
{
    if (!decompressor->is_padding && in->ptr[0] != '\0') {
        if (decompressor->used > 0 && in->ptr[0] != '\x1f')
            return refuse(decompressor, "something that is not gzip follows its end");
        decompressor->is_between = false;
        (void)inflateReset(&decompressor->inflate); /* fails for a bad argument only */
        return STATUS_OK;
    }
    decompressor->is_padding = true;
    while (in->len > 0 && in->ptr[0] == '\0')
        use(decompressor, in, 1);
    return in->len == 0 ? STATUS_OK : refuse(decompressor, "something follows its zero padding");
}

static uInt to_uint(size_t count)
{
    return count < UINT_MAX ? (uInt)count : UINT_MAX;
}

static enum status run_gzip(struct decompressor *decompressor, struct span *in, char *out,
                            size_t room, size_t *made)
{
    z_stream *stream = &decompressor->inflate;
    uInt given = to_uint(in->len), space = to_uint(room);

    stream->next_in = (z_const Bytef *)in->ptr;
    stream->avail_in = given;
    stream->next_out = (Bytef *)out;
    stream->avail_out = space;
    int result = inflate(stream, Z_NO_FLUSH);
    use(decompressor, in, given - stream->avail_in);
    *made = space - stream->avail_out;
    decompressor->out_was_full = stream->avail_out == 0;
    if (result == Z_MEM_ERROR)
        return STATUS_NO_MEMORY;
    if (result == Z_STREAM_END) {
        decompressor->is_between = true;
        decompressor->out_was_full = false;
    } else if (result != Z_OK && result != Z_BUF_ERROR) { /* which is only a want of bytes */
        return refuse(decompressor, stream->msg != NULL ? stream->msg : "it is no gzip data");
    }
    return STATUS_OK;
}

static enum status refuse_zstd(struct decompressor *decompressor, size_t result)
{
    switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_memory_allocation:
        return STATUS_NO_MEMORY;
    case ZSTD_error_frameParameter_windowTooLarge:
        (void)snprintf(decompressor->error, sizeof(decompressor->error),
                       "the zstd file needs more than 128 MiB of memory to decompress (it was made "
                       "with --long or --ultra): give what zstd -dc --long=31 makes of it");
        return STATUS_BAD_INPUT;
    case ZSTD_error_prefix_unknown:
        return refuse(decompressor, "something that is not zstd is there");
    default:
        return refuse(decompressor, ZSTD_getErrorName(result));
    }
}

static enum status run_zstd(struct decompressor *decompressor, struct span *in, char *out,
                            size_t room, size_t *made)
{
    ZSTD_inBuffer input = {.src = in->ptr, .size = in->len};
    ZSTD_outBuffer output = {.dst = out, .size = room};
    size_t result = ZSTD_decompressStream(decompressor->zstd, &output, &input);

    use(decompressor, in, input.pos);
    *made = output.pos;
    if (ZSTD_isError(result))
        return refuse_zstd(decompressor, result);
    decompressor->is_between = result == 0;
    decompressor->out_was_full = result != 0 && output.pos == room;
    return STATUS_OK;
}

enum status decompressor_run(struct decompressor *decompressor, struct span *in, bool is_last,
                             char *out, size_t room, size_t *ret_made)
{
    size_t made = 0;

    /* Empty members and frames make nothing: only the end of input or room ends the loop. */
    while (made == 0 && (in->len > 0 || decompressor->out_was_full)) {
        enum status status = STATUS_OK;
        if (decompressor->kind == COMPRESSION_ZSTD)
            status = run_zstd(decompressor, in, out, room, &made);
        else if (decompressor->is_between)
            status = begin_member(decompressor, in);
        else
            status = run_gzip(decompressor, in, out, room, &made);
        if (status != STATUS_OK && made == 0) /* else zlib says it again when it is asked again */
            return status;
    }
    *ret_made = made;
    if (made > 0 || !is_last)
        return STATUS_OK;
    return decompressor->is_between ? STATUS_END : refuse_cut_off(decompressor);
}
