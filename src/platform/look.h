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

enum look_word {
    WORD_NONE,     /* also true and false, which JSON knows */
    WORD_EXPORTED, /* how a spreadsheet exports its booleans: TRUE, False, ＴＲＵＥ, WAHR, VRAI, …
                    */
    WORD_WRITTEN, /* how people write them: 开, 关, 是, 否, on, Off, yes, N, √, × */
};

/* Whether the text is a word for true or false, and for which: only then is `ret_value` set. Case,
 * width, blanks around it and invisible characters are looked through. */
enum look_word look_word(struct span text, bool *ret_value);

/* Whether the text is a number as people and spreadsheets write it, and no JSON number: 1,234.50,
 * 12%, ¥80, (80), −80, ８０, '80, and 0,5. A code such as 0042 is none. */
bool look_is_numeral(struct span text);

/* Whether a JSON number is written as hardly anybody writes a number and many write hex: 12E5. */
bool look_is_hex_number(struct span number);

/* Whether the text holds a character that cannot be seen: a no-break or zero-width space, a byte
 * order mark, a bidi mark, a soft hyphen. */
bool look_has_invisible(struct span text);

/* Writes the text as it can be shown: invisible characters and what is no character at all as
 * <U+00A0>, cut with … to `size` - 1 bytes; a NUL behind it. `size` is 16 at least. */
void look_show(struct span text, char *out, size_t size);

#endif
