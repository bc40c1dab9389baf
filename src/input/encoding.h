/*
 * Text in any encoding that iconv knows to UTF-8 and back, piece by piece, without a loss.
 *
 *     status = encoding_open("gb18030", &message, &encoding);
 *     do {
 *         … add to `in` what there is …
 *         status = encoding_decode(encoding, &in, is_last, out, room, &made);
 *         … use the `made` bytes of `out` …
 *     } while (status == STATUS_OK);
 *
 * A byte that is illegal in the encoding does not end the reading: it becomes the byte 0xFF, which
 * is never part of UTF-8, and two lower-case hexadecimal digits. So exactly the row that holds it
 * is bad, and encoding_encode gives the byte back.
 *
 * The way there and back is exact for encodings that have one form for each character: GB18030,
 * GBK, UTF-16 and UTF-32 are tested for it. Where an encoding has several (Shift_JIS with its
 * vendors' doubles), the way back gives one of them: the same text, not always the same bytes.
 */
#ifndef NB_INPUT_ENCODING_H
#define NB_INPUT_ENCODING_H

#include "core/buf.h"

enum {
    ENCODING_NAME_MAX = 64, /* with its NUL */
    ENCODING_ROOM_MIN = 32, /* what encoding_decode needs to get on */
};

/* What a text may start with to say how it is encoded. */
struct encoding_mark {
    const char *bytes;
    size_t len;
    const char *encoding; /* iconv's name */
    const char *shown;    /* what messages call it */
};

/*
 * The byte order mark that a text which starts like this has; NULL for none. STATUS_AGAIN when more
 * bytes are needed to tell; not when `is_all` says that there are no more.
 */
enum status encoding_find_mark(struct span start, bool is_all,
                               const struct encoding_mark **ret_mark) MUST_USE;

/* Whether the name means UTF-8, which needs no conversion. */
bool encoding_name_is_utf8(const char *name);

/* Whether the name leaves open what the mark says: UTF-16, and the mark is that of UTF-16BE. */
bool encoding_mark_gives_order(const char *name, const struct encoding_mark *mark);

struct encoding;

/*
 * STATUS_USAGE with a text in `message` where the name is unknown, or means an encoding in which
 * the bytes of a row depend on the rows before it (ISO-2022-JP, UTF-7): it could not be written
 * back row by row. UTF-16 and UTF-32 without an order are little-endian, as Windows writes them;
 * for iconv, they would also drop or add a byte order mark. STATUS_NO_MEMORY.
 */
enum status encoding_open(const char *name, struct buf *message,
                          struct encoding **ret_encoding) MUST_USE;

/* Takes NULL. */
void encoding_close(struct encoding *encoding);

/* Forgets what encoding_decode has seen, to start over. */
void encoding_reset(struct encoding *encoding);

/* Whether the mark says the same as the encoding: it is U+FEFF there. */
bool encoding_agrees(struct encoding *encoding, const struct encoding_mark *mark);

/*
 * Converts from the front of `in`, which is moved past what was used, into `out`, which has at
 * least ENCODING_ROOM_MIN bytes. A character that `in` holds only the start of is left there,
 * unless `is_last` says that nothing comes behind it: then its bytes are illegal. STATUS_OK with
 * *ret_made 0 when it needs more input, STATUS_END when all of it is used.
 */
enum status encoding_decode(struct encoding *encoding, struct span *in, bool is_last, char *out,
                            size_t room, size_t *ret_made) MUST_USE;

/*
 * Appends the bytes that `text` was made of. Each call is for itself. STATUS_SYNTAX, with `out` as
 * it was, for a text that the encoding has no bytes for; STATUS_NO_MEMORY, STATUS_TOO_BIG.
 */
enum status encoding_encode(struct encoding *encoding, struct span text, struct buf *out) MUST_USE;

#endif
