/* A source's insides: what it is (source_start.c), how its bytes become text (source_pull.c), and
 * in which blocks they are handed out (source.c). Private to them. */
#ifndef NB_INPUT_SOURCE_IMPL_H
#define NB_INPUT_SOURCE_IMPL_H

#include "input/source.h"

#include <sys/types.h>
#include <xxhash.h>

#include "input/decompress.h"
#include "input/encoding.h"
#include "input/seal.h"
#include "input/watch.h"

enum { ERROR_MAX = 512, BLOCK_ROOM = SOURCE_BLOCK_BYTES + SEAL_BYTES + ENCODING_ROOM_MIN };

/* Bytes on their way between two steps; `bytes` has SOURCE_BLOCK_BYTES, NULL where no step needs
 * it. */
struct stage {
    char *bytes;
    size_t at;
    size_t end;
};

struct source {
    char *name;
    int fd;
    bool owns_fd;
    bool seekable;
    bool reads_once;        /* it is not sealed */
    bool knows_compression; /* the first bytes have told it */
    bool started;           /* and the mark too */
    bool raw_ended;         /* there are no more bytes to be read */
    bool plain_ended;       /* nor to be decompressed */
    off_t start;
    off_t size;         /* of the whole file, as it was at opening */
    uint64_t raw_bytes; /* read from the descriptor */
    XXH3_state_t
        *hashing; /* of them; NULL once the digest is known, and where there will be none */
    uint64_t digest_size, digest;
    size_t read_max;
    struct workbook *workbook; /* NULL: it is none. Its text goes into the block */
    bool is_workbook;          /* and is so where it could not be opened */
    uint64_t text_bytes;       /* of it, that went into the block */
    struct stage raw;
    struct decompressor *decompressor; /* NULL: not compressed */
    struct stage plain;
    char encoding_name[ENCODING_NAME_MAX]; /* that was given; "" for none */
    struct encoding *given;                /* NULL for none and for UTF-8 */
    const struct encoding_mark *mark;      /* NULL: none */
    struct encoding *marked;               /* that the mark tells; NULL for none and for UTF-8 */
    enum problem_code error_code;
    char error[ERROR_MAX];
    struct seals seals;
    bool is_again;    /* it is read again: what it says is held against the seals */
    bool is_changed;  /* and was not the same */
    bool is_spent;    /* all of it has been handed out again */
    size_t next_seal; /* the block of text that comes behind what is ready */
    struct watch watch;
    size_t at;
    size_t ready; /* up to here bytes may be handed out */
    size_t end;
    char block[BLOCK_ROOM + SOURCE_BEHIND_BYTES];
};

/* Notes why the input cannot be read on. */
enum status source_fail(struct source *source, enum problem_code code, const char *text);

/* The encoding that is converted from; NULL: none. */
struct encoding *source_conversion(const struct source *source);

/* Takes read bytes into the digest; none: they are all. */
void source_hash(struct source *source, const char *bytes, size_t count);

/* The next bytes into `out`. STATUS_END when there are none; STATUS_AGAIN, STATUS_IO with errno,
 * STATUS_BAD_INPUT by source_fail. As they are in the file, … */
enum status source_pull_raw(struct source *source, char *out, size_t room,
                            size_t *ret_count) MUST_USE;
/* … decompressed, … */
enum status source_pull_plain(struct source *source, char *out, size_t room,
                              size_t *ret_count) MUST_USE;
/* … and in UTF-8, the text of a workbook's sheet as well. */
enum status source_pull_text(struct source *source, char *out, size_t room,
                             size_t *ret_count) MUST_USE;

/* Reads as many bytes into the block as it takes to know what the input is, and no more: a pipe may
 * give its first line long before its second. Likewise. */
enum status source_start(struct source *source) MUST_USE;

#endif
