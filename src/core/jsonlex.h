/*
 * What cJSON lets pass and RFC 8259 forbids, and what cJSON forgets: a lexer that runs beside it
 * over the same text.
 *
 * cJSON 1.7.15 (Debian 12) accepts numbers such as 01 and 1., control characters inside strings,
 * \uXYZW with what are no hexadecimal digits, any byte up to 0x20 as white space, a byte order mark
 * in front and text behind the value, and truncates strings at \u0000; and it keeps numbers only as
 * doubles. The lexer refuses the former and records where values stand, so that numbers reach the
 * wire as they were written. It does not check the grammar between tokens (that is cJSON's part)
 * nor UTF-8 (see text_is_utf8). UTF-8 text that passes both is RFC 8259 JSON; of that, it refuses
 * what is beyond the maxima below, and halves of surrogate pairs, which the grammar allows and no
 * UTF-8 can express (section 8.2).
 *
 * Whoever hands text to cJSON_ParseWithLength must own one readable byte behind it: before 1.7.18
 * cJSON looks at it (CVE-2023-53154).
 */
#ifndef NB_CORE_JSONLEX_H
#define NB_CORE_JSONLEX_H

#include "core/span.h"

enum {
    JSONLEX_DEPTH_MAX = 64,
    JSONLEX_NUMBER_MAX = 63, /* bytes of a number: cJSON 1.7.15 cannot read longer ones */
};

struct jsonlex {
    /* Set by the caller; either array may be NULL with a maximum of 0. */
    struct span *numbers; /* every number token, in document order */
    size_t numbers_max;
    struct span *members; /* the text of each value at depth 1 (elements or member values of the
                             outermost), in order */
    size_t members_max;
    /* Results. Counts may exceed the maxima; what is beyond them is not recorded. */
    size_t number_count;
    size_t member_count;
    bool long_number; /* on failure: it is JSON so far, but for JSONLEX_NUMBER_MAX */
    bool nul_escape;  /* a string holds \u0000, which a C string cannot */
    size_t error_at;  /* on failure: the offset, and what is wrong there */
    const char *error;
};

/* STATUS_OK, or STATUS_SYNTAX with error and error_at set. */
enum status jsonlex_scan(struct jsonlex *lex, struct span text) MUST_USE;

/* Whether all of the text is one number, of whatever length. */
bool jsonlex_is_number(struct span text);

/* Whether it is the word true or false. */
bool jsonlex_is_bool(struct span text);

#endif
