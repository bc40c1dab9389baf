/*
 * Where the bytes of an input come from: a file or standard input, block by block in fixed memory.
 * What is compressed (gzip, zstd, told by its first bytes) comes out decompressed. The text comes
 * out as UTF-8 without a byte order mark: from UTF-16, UTF-32 and GB18030 with their byte order
 * mark, and from any encoding that source_set_encoding names. Plain UTF-8 is read where it is
 * needed and not copied, and not judged either.
 *
 *     while ((status = source_fill(source)) == STATUS_OK) {
 *         struct span block = source_block(source);
 *         … use some of it …
 *         source_take(source, used);
 *     }
 *
 * A workbook (.xlsx, told by its first bytes too) comes out as the CSV text of one of its sheets:
 * see source_find_workbook.
 *
 * A source never blocks on a descriptor that has been made non-blocking: it says STATUS_AGAIN, and
 * the caller waits for source_fd() to become readable.
 */
#ifndef NB_INPUT_SOURCE_H
#define NB_INPUT_SOURCE_H

#include "core/buf.h"
#include "input/workbook.h"
#include "platform/problem.h"

enum {
    SOURCE_BLOCK_BYTES = 128 * 1024,
    SOURCE_BEHIND_BYTES = 16, /* behind a block: may be read, and mean nothing */
};

struct source;

/*
 * Opens `path`, or standard input for "-". The name is copied; it is what messages call the input
 * ("standard input" for "-"). STATUS_USAGE with a text in `message` when it cannot be read
 * (missing, not permitted, a directory); STATUS_NO_MEMORY.
 */
enum status source_open(const char *path, struct buf *message, struct source **ret_source) MUST_USE;

/*
 * Says which encoding the input has, by one of iconv's names; to be called before anything is read.
 * STATUS_USAGE with a text in `message` where the name is unknown or the encoding cannot be used;
 * STATUS_NO_MEMORY. A byte order mark that says something else makes the input unusable
 * (PROBLEM_ENCODING).
 *
 * A byte that is illegal in the encoding comes out as the byte 0xFF and two lower-case hexadecimal
 * digits, which is never UTF-8: what holds it can be told apart, and be restored.
 */
enum status source_set_encoding(struct source *source, const char *name,
                                struct buf *message) MUST_USE;

/* Says that there will be no source_rewind, before anything is read: nothing is kept to know the
 * input by again, and source_digest knows nothing. */
void source_read_once(struct source *source);

/*
 * Looks whether the input is a spreadsheet's file, and opens a workbook: `sheet` names the sheet,
 * by name or number, NULL for the first visible one; `header_line` is the row of its header, 0 for
 * the first one with a value; `max_row_bytes` is what a row of its text may have. To be called
 * before anything is read; where it is not, and where the input cannot be read at any place (a
 * pipe), a workbook is PROBLEM_XLSX when it is met. STATUS_USAGE with a text in `message` for what
 * cannot be read (.xls, .ods, …) and says how to save it, or where there is no such sheet;
 * STATUS_NO_MEMORY. A workbook that is damaged is so when it is read (PROBLEM_XLSX).
 */
enum status source_find_workbook(struct source *source, const char *sheet, uint64_t header_line,
                                 size_t max_row_bytes, struct buf *message) MUST_USE;

/* Whether the input is a workbook, also one that is damaged. */
bool source_is_workbook(const struct source *source);

/* The workbook, NULL for none. Its rows are the records of the text, counted from 1, blank lines
 * included; line breaks may be in them. */
const struct workbook *source_workbook(const struct source *source);

/* Closes and frees. Standard input stays open. Takes NULL. */
void source_close(struct source *source);

const char *source_name(const struct source *source);
int source_fd(const struct source *source);

/* Whether the input can be read twice (a regular file, also as redirected standard input). */
bool source_is_seekable(const struct source *source);

/*
 * For progress: the size of a seekable input, else 0, and how much of that has been taken. Both are
 * raw bytes, as they are in the file; where it is compressed, what has been decompressed counts
 * as taken.
 */
uint64_t source_size(const struct source *source);
uint64_t source_taken(const struct source *source);

/* Size and hash (XXH3, 64 bits) of the bytes as they are in the file, once a seekable input has
 * been read to its end the first time; before, and for others, both are 0. */
void source_digest(const struct source *source, uint64_t *ret_size, uint64_t *ret_hash);

/*
 * Goes back to the start of a seekable input (the position that it had when it was opened). What
 * has been read to its end is sealed (seal.h): from now on no byte is handed out before its block
 * of 64 KiB has been compared, behind decompression and conversion. source_fill says STATUS_CHANGED
 * where the text is another one, is shorter, or goes on behind its end; what it says again is all
 * that the operator can have meant, whatever the file's times, owner or name are now.
 *
 * Where size or modification time are no longer what they were, all of it is compared at once:
 * STATUS_CHANGED, or STATUS_IO when it cannot be read, both with a text in `message`.
 */
enum status source_rewind(struct source *source, struct buf *message) MUST_USE;

/* Whether all that was checked has been handed out again: STATUS_CHANGED means then that there is
 * more behind it. */
bool source_is_spent(const struct source *source);

/* Whether the file of an input that is read again has more bytes now than it was checked with. */
bool source_has_grown(const struct source *source);

/*
 * A look at an input that is read again, to tell a change sooner than the reading comes to it: to
 * be called now and then. STATUS_CHANGED where it is shorter than what was checked. Where it looks
 * as if it was written to, its bytes are hashed once more, 4 MiB a call, and STATUS_CHANGED told
 * where source_digest has another hash. What was added at its end is left to the reading. Otherwise
 * STATUS_OK. It does not move the reading.
 */
enum status source_look(struct source *source) MUST_USE;

/* The bytes at hand; empty until source_fill. Bytes stay valid, also taken ones, until the next
 * source_fill. SOURCE_BEHIND_BYTES more may be read, for the sake of who reads whole words. */
struct span source_block(const struct source *source);

/* Drops the first `count` bytes of the block. */
void source_take(struct source *source, size_t count);

/*
 * Makes sure that the block is not empty: reads when it is. STATUS_END at the end, STATUS_AGAIN
 * when nothing is there yet, STATUS_IO (errno is set) on an error, STATUS_BAD_INPUT (see
 * source_error) where the input is damaged: damage never passes for the end. STATUS_CHANGED, see
 * source_rewind. STATUS_NO_MEMORY. EINTR is tried again.
 */
enum status source_fill(struct source *source) MUST_USE;

/*
 * The same for at least `count` bytes: reads on behind what is at hand. With STATUS_END and
 * STATUS_AGAIN there may be bytes, only fewer. STATUS_TOO_BIG for more than SOURCE_BLOCK_BYTES.
 */
enum status source_fill_to(struct source *source, size_t count) MUST_USE;

/* What STATUS_BAD_INPUT means, and the kind of problem that it is; "" while there was none. */
const char *source_error(const struct source *source);
enum problem_code source_error_code(const struct source *source);

/* The encoding of the input, for messages; NULL while it is taken as UTF-8 because nothing says
 * otherwise. Known when source_fill has given bytes. */
const char *source_encoding(const struct source *source);

/* The byte order mark that the input starts with, as it stands there; it is no part of any block.
 * Empty for none. Known when source_fill has given bytes. */
struct span source_mark(const struct source *source);

/*
 * Appends the bytes that `text`, some of what the blocks held, was in the (decompressed) input. It
 * must not start or end within a character; a row does not. No byte order mark is added.
 * STATUS_SYNTAX for a text that the encoding has no bytes for, STATUS_TOO_BIG, STATUS_NO_MEMORY;
 * `out` is then as it was. encoding.h says for which encodings this is exact.
 */
enum status source_encode_back(struct source *source, struct span text, struct buf *out) MUST_USE;

/* For tests: how many bytes one read takes at most. */
void source_set_block_bytes(struct source *source, size_t bytes);

#endif
