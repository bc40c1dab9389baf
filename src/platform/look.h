/*
 * What a cell looks like to a person who knows spreadsheets: an error or a formula that was
 * exported in place of a value, a spreadsheet's own true and false, characters that nobody sees.
 * Pure text; full-width forms (U+FF01 … U+FF5E) count as the ASCII characters that they stand for.
 */
#ifndef NB_PLATFORM_LOOK_H
#define NB_PLATFORM_LOOK_H

#include "core/buf.h"

enum damage {
    DAMAGE_NONE,
    DAMAGE_ERROR, /* #N/A, #REF!, #####, Err:502: what a spreadsheet shows where it has no value */
    DAMAGE_FORMULA, /* =B2*2, +B2, @SUM(A1:A9): the formula in place of what it comes to */
};

/* What has become of the cell. Blanks around it and invisible characters are looked through. */
enum damage look_damage(struct span text);

/* Whether the text is how a spreadsheet exports its booleans: TRUE, False, ＴＲＵＥ, WAHR, VRAI, …
 * but neither true nor false, which JSON knows. */
bool look_is_boolean_word(struct span text);

/* Whether a JSON number is written as hardly anybody writes a number and many write hex: 12E5. */
bool look_is_hex_number(struct span number);

/* Whether the text holds a character that cannot be seen: a no-break or zero-width space, a byte
 * order mark, a bidi mark, a soft hyphen. */
bool look_has_invisible(struct span text);

/* Writes the text as it can be shown: invisible characters and what is no character at all as
 * <U+00A0>, cut with … to `size` - 1 bytes; a NUL behind it. `size` is 16 at least. */
void look_show(struct span text, char *out, size_t size);

#endif
