/* Questions about text: is it UTF-8, which part of it can be shown, which known word is nearest to
 * it. */
#ifndef NB_CORE_TEXT_H
#define NB_CORE_TEXT_H

#include "core/buf.h"

/* Whether the text is well-formed UTF-8. NUL counts as a character. */
bool text_is_utf8(struct span text);

/* How many bytes at the start of the text are UTF-8. */
size_t text_utf8_prefix(struct span text);

/* Whether a character is one that nobody sees, or that means nothing by itself: a no-break or
 * zero-width space, a byte order mark, a direction, a soft hyphen, a control of Latin 1, one for
 * private use (which text has that was read in a wrong encoding). */
bool text_is_invisible(uint32_t c);

/* How many bytes at the start of the text a terminal can show as they are (whole UTF-8 characters,
 * no controls, none that is invisible). */
size_t text_printable_prefix(struct span text);

/* Whether the text holds a control character: U+0000 … U+001F, U+007F … U+009F, or one of those
 * that end a line or turn its direction (U+2028 … U+202E, U+2066 … U+2069). */
bool text_has_control(struct span text);

/* The bytes of the blank that the text begins with, or 0: a space or control character of ASCII, or
 * one of Unicode's that shows nothing (no-break, ideographic and zero-width spaces, a byte order
 * mark, directions). */
size_t text_blank_prefix(struct span text);

/* The text without the blanks around it. */
struct span text_trim_blanks(struct span text);

/* The largest length up to `max` at which UTF-8 text can be cut without splitting a character. */
size_t text_cut(struct span text, size_t max);

/* Whether the two differ by one edit: a character that is changed, missing, too many, or two that
 * have changed places. */
bool text_is_slip(struct span text, struct span word);

/* Reads "5%" or "0.25%" as millionths: 0 to 100 %, at most four decimals. */
bool text_parse_share(struct span text, uint64_t *ret_millionths);

/* What is in front of the next comma, which is taken away with it. */
struct span text_take_piece(struct span *rest);

/*
 * The word nearest to `text` by edit distance (transpositions count as one), or NULL where none is
 * near enough to be worth suggesting. `words` has `count` C strings; NULL entries are passed over.
 */
const char *text_nearest(struct span text, const char *const *words, size_t count);

/* Appends an item to a list with commas between them, "开,是", unless it is there already. */
void text_add_item(struct span item, struct buf *list);

/* How many columns of a terminal UTF-8 text takes: a Chinese character has two. */
size_t text_columns(struct span text);

#endif
