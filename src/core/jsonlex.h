/*
 * The program's reader of JSON: token by token, without a tree and without memory of its own. It
 * takes exactly RFC 8259 in UTF-8, but for the maxima below and for halves of surrogate pairs,
 * which the grammar allows and no UTF-8 can express (section 8.2). Tokens are spans of the text, so
 * that numbers reach the wire as they were written.
 *
 *     jsonlex_start(&lex, text);
 *     if (jsonlex_next(&lex) == JSONLEX_OBJECT)
 *         while (jsonlex_next(&lex) == JSONLEX_NAME) {
 *             name = jsonlex_string(lex.text, &decoded);
 *             kind = jsonlex_next(&lex);
 *             (void)jsonlex_skip(&lex); // now lex.text is the whole value
 *         }
 *     if (jsonlex_next(&lex) != JSONLEX_END) … // lex.error, lex.error_at
 */
#ifndef NB_CORE_JSONLEX_H
#define NB_CORE_JSONLEX_H

#include "core/buf.h"

enum {
    JSONLEX_DEPTH_MAX = 64,
    JSONLEX_PLAIN_DEPTH = 16,
    JSONLEX_NUMBER_MAX = 63, /* bytes of a number: cJSON 1.7.15 cannot read longer ones */
};

enum jsonlex_token {
    JSONLEX_BAD, /* and so is every further token */
    JSONLEX_END, /* of the text; there was one value */
    JSONLEX_OBJECT,
    JSONLEX_OBJECT_END,
    JSONLEX_ARRAY,
    JSONLEX_ARRAY_END,
    JSONLEX_NAME, /* of a member; the next token starts its value */
    JSONLEX_STRING,
    JSONLEX_NUMBER,
    JSONLEX_TRUE,
    JSONLEX_FALSE,
    JSONLEX_NULL,
};

struct jsonlex {
    struct span text;         /* of the last token, as written: strings with their quotes */
    enum jsonlex_token token; /* the last one */
    unsigned depth;           /* of arrays and objects that are open */
    bool has_escape;          /* a string so far, name or value, has an escape */
    bool nul_escape;          /* a string so far holds \u0000, which a C string cannot */
    bool long_number;         /* of JSONLEX_BAD: JSON so far, but for JSONLEX_NUMBER_MAX */
    size_t error_at;          /* of JSONLEX_BAD: the offset, and what is wrong there */
    const char *error;
    /* The lexer's own. */
    const char *start, *at, *end;
    uint64_t objects; /* a bit for each depth, the innermost lowest: an object is open, no array */
    int expects;
};

/* The text must outlive the lexer; its pointer may be NULL where it is empty. */
void jsonlex_start(struct jsonlex *lex, struct span text);

enum jsonlex_token jsonlex_next(struct jsonlex *lex);

/* After the start of an array or object: goes on to its end, and makes the text the whole of it.
 * After any other token: does nothing. False where it was not JSON. */
bool jsonlex_skip(struct jsonlex *lex);

/* Reads all of the text. STATUS_OK, or STATUS_SYNTAX with error and error_at set. */
enum status jsonlex_check(struct jsonlex *lex, struct span text) MUST_USE;

/*
 * The value of a string or name that was read, from its text with the quotes: a part of the text
 * where it has no escapes, else a part of `decoded`, to which it is appended. Whoever uses several
 * values reserves room for all (no value is longer than its text), so that they do not move.
 */
struct span jsonlex_string(struct span quoted, struct buf *decoded);

/* How long the escape is that the text starts with, a surrogate pair as a whole; 0 for none. */
size_t jsonlex_escape_length(struct span text);

/* How long the number is that the text starts with, up to an exponent; 0 for none. */
size_t jsonlex_decimal_length(struct span text);

/* Whether all of the text is one number, of whatever length. */
bool jsonlex_is_number(struct span text);

/* Whether it is the word true or false. */
bool jsonlex_is_bool(struct span text);

/*
 * The short way through JSON as most programs write it: ASCII without escapes, numbers without an
 * exponent, no white space but for one space behind a comma or a colon, something between any two
 * brackets, and no more than JSONLEX_PLAIN_DEPTH of them open. What is taken here is JSON, and
 * jsonlex_next tells the same of it, at three times the cost; what is not may be JSON all the same.
 *
 *     do
 *         good = jsonlex_plain_name(&rest, &name) &&
 *                (token = jsonlex_plain_value(&rest, &text)) != JSONLEX_BAD;
 *     while (good && jsonlex_plain_comma(&rest));
 */
struct jsonlex_rest {
    const char *at, *end;
};

/* Takes a member's name and its colon; the name without its quotes. */
bool jsonlex_plain_name(struct jsonlex_rest *rest, struct span *ret_name);

/* Takes a value, which is all of an array or object; a string with its quotes. JSONLEX_BAD for none
 * that is plain; JSONLEX_OBJECT and JSONLEX_ARRAY for a whole one. */
enum jsonlex_token jsonlex_plain_value(struct jsonlex_rest *rest, struct span *ret_text);

/* Takes a comma. */
bool jsonlex_plain_comma(struct jsonlex_rest *rest);

#endif
