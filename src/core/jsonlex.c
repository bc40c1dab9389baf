/*
 * A pushdown automaton. Its stack is one bit for each open bracket (object or array), its state
 * what may come next; each call of jsonlex_next takes the white space and the commas and colons
 * before a token, and the token. A name takes its colon along, so that only these states are left:
 *
 *     VALUE            at the start, behind a colon, and behind a comma in an array
 *     VALUE_OR_CLOSE   behind [
 *     NAME             behind a comma in an object
 *     NAME_OR_CLOSE    behind {
 *     COMMA_OR_CLOSE   behind a value within brackets
 *     END              behind the outermost value
 */
#include "core/jsonlex.h"

#include <endian.h>
#include <unistr.h>

enum { VALUE, VALUE_OR_CLOSE, NAME, NAME_OR_CLOSE, COMMA_OR_CLOSE, END };

static enum jsonlex_token fail(struct jsonlex *lex, const char *at, const char *error)
{
    lex->error = error;
    lex->error_at = (size_t)(at - lex->start);
    return JSONLEX_BAD;
}

static inline char peek(const struct jsonlex *lex)
{
    /* NUL is no part of any token, so that it can stand for the end as well. */
    return lex->at < lex->end ? *lex->at : '\0';
}

static inline char peek_past_space(struct jsonlex *lex)
{
    char c = peek(lex);

    if (c > ' ') /* nearly always */
        return c;
    while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        lex->at++;
        c = peek(lex);
    }
    return c;
}

/* Ends a token that started at `start`, up to where the lexer is. */
static inline enum jsonlex_token take(struct jsonlex *lex, enum jsonlex_token token,
                                      const char *start)
{
    lex->text = span_of(start, (size_t)(lex->at - start));
    return token;
}

static inline enum jsonlex_token take_value(struct jsonlex *lex, enum jsonlex_token token,
                                            const char *start)
{
    lex->expects = lex->depth > 0 ? COMMA_OR_CLOSE : END;
    return take(lex, token, start);
}

static inline bool is_in_object(const struct jsonlex *lex)
{
    return (lex->objects & 1) != 0;
}

static enum jsonlex_token open_bracket(struct jsonlex *lex, bool is_object)
{
    if (lex->depth == JSONLEX_DEPTH_MAX)
        return fail(lex, lex->at, "it is nested too deeply");
    lex->depth++;
    lex->objects = lex->objects << 1 | (is_object ? 1 : 0);
    lex->expects = is_object ? NAME_OR_CLOSE : VALUE_OR_CLOSE;
    return take(lex, is_object ? JSONLEX_OBJECT : JSONLEX_ARRAY, lex->at++);
}

static enum jsonlex_token close_bracket(struct jsonlex *lex)
{
    const char *start = lex->at++;
    bool is_object = *start == '}';

    if (lex->depth == 0)
        return fail(lex, start, "nothing is open that this bracket could close");
    if (is_object != is_in_object(lex))
        return fail(lex, start,
                    is_object ? "a brace cannot close an array"
                              : "a bracket cannot close an object");
    lex->depth--;
    lex->objects >>= 1;
    return take_value(lex, is_object ? JSONLEX_OBJECT_END : JSONLEX_ARRAY_END, start);
}

static inline size_t count_digits(struct span text, size_t from)
{
    size_t at = from;

    while (at < text.len && is_digit(text.ptr[at]))
        at++;
    return at - from;
}

static inline bool has_char(struct span text, size_t at, char one, char other)
{
    return at < text.len && (text.ptr[at] == one || text.ptr[at] == other);
}

/* How long the number is that the text starts with, without its exponent (section 6); 0 with the
 * error for none. */
static inline size_t decimal_length(struct span text, const char **ret_error)
{
    size_t len = has_char(text, 0, '-', '-') ? 1 : 0;
    size_t digits = count_digits(text, len);

    *ret_error = "a minus sign without a digit";
    if (digits == 0)
        return 0;
    *ret_error = "a number with a leading zero";
    if (digits > 1 && text.ptr[len] == '0')
        return 0;
    len += digits;
    if (!has_char(text, len, '.', '.'))
        return len;
    digits = count_digits(text, ++len);
    *ret_error = "a decimal point without a digit behind it";
    return digits > 0 ? len + digits : 0;
}

/* The same with its exponent. */
static size_t number_length(struct span text, const char **ret_error)
{
    size_t len = decimal_length(text, ret_error);

    if (len == 0 || !has_char(text, len, 'e', 'E'))
        return len;
    len += has_char(text, len + 1, '+', '-') ? 2 : 1;
    size_t digits = count_digits(text, len);
    *ret_error = "an exponent without a digit";
    return digits > 0 ? len + digits : 0;
}

static enum jsonlex_token number(struct jsonlex *lex)
{
    const char *start = lex->at, *error;
    size_t len = number_length(span_of(start, (size_t)(lex->end - start)), &error);

    if (len == 0)
        return fail(lex, start, error);
    lex->long_number = len > JSONLEX_NUMBER_MAX;
    if (lex->long_number)
        return fail(lex, start, "a number of more than 63 characters");
    lex->at += len;
    return take_value(lex, JSONLEX_NUMBER, start);
}

static enum jsonlex_token word(struct jsonlex *lex, enum jsonlex_token token, struct span name)
{
    const char *start = lex->at;

    if ((size_t)(lex->end - start) < name.len || memcmp(start, name.ptr, name.len) != 0)
        return fail(lex, start, "a word that is not true, false or null");
    lex->at += name.len;
    return take_value(lex, token, start);
}

/* The code unit of the \uXXXX that the text starts with, or UINT32_MAX. */
static uint32_t code_unit(struct span text)
{
    uint32_t unit = 0;

    if (text.len < 6 || text.ptr[0] != '\\' || text.ptr[1] != 'u')
        return UINT32_MAX;
    for (size_t i = 2; i < 6; i++) {
        if (!is_hex_digit(text.ptr[i]))
            return UINT32_MAX;
        unit = unit << 4 | hex_digit_value(text.ptr[i]);
    }
    return unit;
}

/* What single letters behind a backslash stand for. */
static const char letters[] = "\"\\/bfnrt", letter_values[] = "\"\\/\b\f\n\r\t";

size_t jsonlex_escape_length(struct span text)
{
    uint32_t unit = code_unit(text);

    if (text.len < 2 || text.ptr[0] != '\\')
        return 0;
    if (text.ptr[1] != 'u')
        return memchr(letters, text.ptr[1], sizeof(letters) - 1) != NULL ? 2 : 0;
    if (unit < 0xd800 || (unit > 0xdfff && unit != UINT32_MAX))
        return 6;
    uint32_t second = unit < 0xdc00 ? code_unit(span_skip(text, 6)) : 0;
    return second >= 0xdc00 && second <= 0xdfff ? 12 : 0;
}

static bool escape(struct jsonlex *lex)
{
    struct span rest = span_of(lex->at, (size_t)(lex->end - lex->at));
    size_t len = jsonlex_escape_length(rest);

    if (len == 0) {
        (void)fail(lex, lex->at,
                   rest.len < 2 || rest.ptr[1] != 'u' ? "an escape that JSON does not know"
                   : code_unit(rest) == UINT32_MAX    ? "a \\u without four hexadecimal digits"
                                                      : "half of a surrogate pair");
        return false;
    }
    lex->has_escape = true;
    lex->nul_escape |= span_starts_with(rest, "\\u0000");
    lex->at += len;
    return true;
}

/* What ends a stretch of plain text in a string: quotes, backslashes and control characters. */
static const bool needs_a_look[256] = {
    true, true, true, true, true, true, true, true, true,         true,          true, true,
    true, true, true, true, true, true, true, true, true,         true,          true, true,
    true, true, true, true, true, true, true, true, ['"'] = true, ['\\'] = true,
};

static inline bool is_plain_ascii(char c)
{
    return (unsigned char)c < 0x80 && !needs_a_look[(unsigned char)c];
}

/*
 * Where plain ASCII ends. Eight bytes at once: the top bit of a byte is set where the byte has it,
 * or where a subtraction borrows since the byte is below ' ', or is the character that it was
 * compared with by XOR. A borrow may spoil the bytes above, never those below: the lowest one
 * counts.
 */
static inline const char *skip_ascii(const char *at, const char *end)
{
    const uint64_t each = UINT64_C(0x0101010101010101);

    for (; end - at >= 8; at += 8) {
        uint64_t bytes;
        memcpy(&bytes, at, sizeof(bytes));
        bytes = le64toh(bytes);
        uint64_t stops = ((bytes ^ each * '"') - each) | ((bytes ^ each * '\\') - each) |
                         (bytes - each * ' ') | bytes;
        stops &= each * 0x80;
        if (stops != 0)
            return at + __builtin_ctzll(stops) / 8;
    }
    while (at < end && is_plain_ascii(*at))
        at++;
    return at;
}

/* Takes plain text; false where it is not UTF-8. */
static inline bool plain_text(struct jsonlex *lex)
{
    const char *start = lex->at, *at = skip_ascii(start, lex->end);

    lex->at = at;
    if (at == lex->end || (unsigned char)*at < 0x80)
        return true;
    while (at < lex->end && !needs_a_look[(unsigned char)*at])
        at++;
    lex->at = at;
    const uint8_t *bad = u8_check((const uint8_t *)start, (size_t)(at - start));
    if (bad != NULL)
        (void)fail(lex, (const char *)bad, "a byte that is not UTF-8");
    return bad == NULL;
}

/* Takes a string, which starts here; false where it is none. */
static bool string(struct jsonlex *lex)
{
    lex->at++;
    for (;;) {
        if (!plain_text(lex))
            return false;
        if (lex->at == lex->end) {
            (void)fail(lex, lex->at, "it ends inside a string");
            return false;
        }
        if (*lex->at == '"') {
            lex->at++;
            return true;
        }
        if (*lex->at != '\\') {
            (void)fail(lex, lex->at, "a control character inside a string");
            return false;
        }
        if (!escape(lex))
            return false;
    }
}

static enum jsonlex_token name(struct jsonlex *lex)
{
    const char *start = lex->at;

    if (!string(lex))
        return JSONLEX_BAD;
    (void)take(lex, JSONLEX_NAME, start);
    if (peek_past_space(lex) != ':')
        return fail(lex, lex->at,
                    lex->at < lex->end ? "a colon is missing"
                                       : "it ends before its last bracket is closed");
    lex->at++;
    lex->expects = VALUE;
    return JSONLEX_NAME;
}

/* What there is in place of a value. */
static enum jsonlex_token no_value(struct jsonlex *lex, char c)
{
    bool is_word = c >= 'a' && c <= 'z';

    if (lex->at == lex->end)
        return fail(lex, lex->at,
                    lex->depth > 0 ? "it ends before its last bracket is closed"
                                   : "there is no value");
    if (c == ',' || c == ':' || c == ']' || c == '}')
        return fail(lex, lex->at,
                    lex->depth > 0 || c == ',' || c == ':'
                        ? "a value is missing"
                        : "nothing is open that this bracket could close");
    return fail(lex, lex->at,
                is_word ? "a word that is not true, false or null"
                        : "a character that starts no JSON value");
}

static inline enum jsonlex_token value(struct jsonlex *lex, char c)
{
    const char *start = lex->at;

    switch (c) {
    case '"':
        return string(lex) ? take_value(lex, JSONLEX_STRING, start) : JSONLEX_BAD;
    case '{':
    case '[':
        return open_bracket(lex, c == '{');
    case 't':
        return word(lex, JSONLEX_TRUE, SPAN_LITERAL("true"));
    case 'f':
        return word(lex, JSONLEX_FALSE, SPAN_LITERAL("false"));
    case 'n':
        return word(lex, JSONLEX_NULL, SPAN_LITERAL("null"));
    default:
        return c == '-' || is_digit(c) ? number(lex) : no_value(lex, c);
    }
}

static enum jsonlex_token no_name(struct jsonlex *lex, char c)
{
    if (lex->at == lex->end)
        return no_value(lex, c);
    return fail(lex, lex->at, "a name in double quotes is missing");
}

/* What comes where there is a value before it. */
static inline enum jsonlex_token behind_value(struct jsonlex *lex, char c)
{
    if (c == ',') {
        lex->at++;
        bool is_object = is_in_object(lex);
        c = peek_past_space(lex);
        if (!is_object)
            return value(lex, c);
        return c == '"' ? name(lex) : no_name(lex, c);
    }
    if (c == '}' || c == ']')
        return close_bracket(lex);
    return lex->at == lex->end ? no_value(lex, c) : fail(lex, lex->at, "a comma is missing");
}

static enum jsonlex_token at_end(struct jsonlex *lex, char c)
{
    if (lex->at == lex->end)
        return take(lex, JSONLEX_END, lex->at);
    return c == '}' || c == ']' ? close_bracket(lex) : fail(lex, lex->at, "text behind the value");
}

static inline enum jsonlex_token next(struct jsonlex *lex)
{
    char c = peek_past_space(lex);

    switch (lex->expects) {
    case VALUE:
        return value(lex, c);
    case VALUE_OR_CLOSE:
        return c == ']' ? close_bracket(lex) : value(lex, c);
    case NAME_OR_CLOSE:
        if (c == '}' || c == ']')
            return close_bracket(lex);
        return c == '"' ? name(lex) : no_name(lex, c);
    case COMMA_OR_CLOSE:
        return behind_value(lex, c);
    default:
        return at_end(lex, c);
    }
}

void jsonlex_start(struct jsonlex *lex, struct span text)
{
    if (text.len == 0) /* its pointer may be NULL */
        text = SPAN_LITERAL("");
    *lex = (struct jsonlex){.token = JSONLEX_END,
                            .start = text.ptr,
                            .at = text.ptr,
                            .end = text.ptr + text.len,
                            .expects = VALUE};
}

enum jsonlex_token jsonlex_next(struct jsonlex *lex)
{
    if (lex->token != JSONLEX_BAD)
        lex->token = next(lex);
    return lex->token;
}

bool jsonlex_skip(struct jsonlex *lex)
{
    const char *start = lex->text.ptr;
    unsigned depth = lex->depth;

    if (lex->token == JSONLEX_OBJECT || lex->token == JSONLEX_ARRAY) {
        while (lex->depth >= depth && jsonlex_next(lex) != JSONLEX_BAD)
            continue;
        lex->text = span_of(start, (size_t)(lex->at - start));
    }
    return lex->token != JSONLEX_BAD;
}

enum status jsonlex_check(struct jsonlex *lex, struct span text)
{
    jsonlex_start(lex, text);
    while (jsonlex_next(lex) > JSONLEX_END)
        continue;
    return lex->token == JSONLEX_END ? STATUS_OK : STATUS_SYNTAX;
}

static size_t add_escape(struct span text, struct buf *out)
{
    size_t len = jsonlex_escape_length(text);
    uint8_t utf8[6];

    if (len == 2) {
        const char *letter = memchr(letters, text.ptr[1], sizeof(letters) - 1);
        buf_add_char(out, letter_values[letter - letters]);
        return len;
    }
    ucs4_t c = code_unit(text);
    if (len == 12)
        c = 0x10000 + ((c - 0xd800) << 10) + (code_unit(span_skip(text, 6)) - 0xdc00);
    buf_add_bytes(out, utf8, (size_t)u8_uctomb(utf8, c, sizeof(utf8)));
    return len;
}

struct span jsonlex_string(struct span quoted, struct buf *decoded)
{
    struct span text = span_of(quoted.ptr + 1, quoted.len - 2);
    size_t from = decoded->len;

    if (memchr(text.ptr, '\\', text.len) == NULL)
        return text;
    while (text.len > 0) {
        const char *backslash = memchr(text.ptr, '\\', text.len);
        size_t plain = backslash != NULL ? (size_t)(backslash - text.ptr) : text.len;
        buf_add(decoded, span_of(text.ptr, plain));
        text = span_skip(text, plain);
        if (text.len > 0)
            text = span_skip(text, add_escape(text, decoded));
    }
    return decoded->len > from ? span_of(decoded->ptr + from, decoded->len - from) : span_of("", 0);
}

size_t jsonlex_decimal_length(struct span text)
{
    const char *error;

    return decimal_length(text, &error);
}

bool jsonlex_is_number(struct span text)
{
    const char *error;

    if (text.len == 0 || (text.ptr[0] != '-' && !is_digit(text.ptr[0])))
        return false; /* most texts: without a look at the rest */
    return number_length(text, &error) == text.len;
}

bool jsonlex_is_bool(struct span text)
{
    return span_equal(text, SPAN_LITERAL("true")) || span_equal(text, SPAN_LITERAL("false"));
}

/* Takes what is expected to be next. */
static inline bool plain_char(struct jsonlex_rest *rest, char c)
{
    bool is_there = rest->at < rest->end && *rest->at == c;

    rest->at += is_there ? 1 : 0;
    return is_there;
}

static inline bool plain_string(struct jsonlex_rest *rest)
{
    if (!plain_char(rest, '"'))
        return false;
    rest->at = skip_ascii(rest->at, rest->end);
    return plain_char(rest, '"');
}

bool jsonlex_plain_name(struct jsonlex_rest *rest, struct span *ret_name)
{
    const char *start = rest->at;

    if (!plain_string(rest))
        return false;
    *ret_name = span_of(start + 1, (size_t)(rest->at - start) - 2);
    if (!plain_char(rest, ':'))
        return false;
    (void)plain_char(rest, ' ');
    return true;
}

bool jsonlex_plain_comma(struct jsonlex_rest *rest)
{
    bool is_there = plain_char(rest, ',');

    (void)plain_char(rest, ' ');
    return is_there;
}

static inline bool plain_word(struct jsonlex_rest *rest, struct span word)
{
    bool is_there =
        (size_t)(rest->end - rest->at) >= word.len && memcmp(rest->at, word.ptr, word.len) == 0;

    rest->at += is_there ? word.len : 0;
    return is_there;
}

static inline enum jsonlex_token plain_number(struct jsonlex_rest *rest)
{
    const char *error;
    size_t len = decimal_length(span_of(rest->at, (size_t)(rest->end - rest->at)), &error);

    rest->at += len;
    return len > 0 && len <= JSONLEX_NUMBER_MAX ? JSONLEX_NUMBER : JSONLEX_BAD;
}

static inline enum jsonlex_token plain_scalar(struct jsonlex_rest *rest)
{
    switch (rest->at < rest->end ? *rest->at : '\0') {
    case '"':
        return plain_string(rest) ? JSONLEX_STRING : JSONLEX_BAD;
    case 't':
        return plain_word(rest, SPAN_LITERAL("true")) ? JSONLEX_TRUE : JSONLEX_BAD;
    case 'f':
        return plain_word(rest, SPAN_LITERAL("false")) ? JSONLEX_FALSE : JSONLEX_BAD;
    case 'n':
        return plain_word(rest, SPAN_LITERAL("null")) ? JSONLEX_NULL : JSONLEX_BAD;
    default:
        return plain_number(rest);
    }
}

/* Takes all of an array or object. `objects` is as in the lexer. */
static bool plain_brackets(struct jsonlex_rest *rest)
{
    unsigned objects = 0, depth = 0;
    struct span name;

    for (;;) {
        while (rest->at < rest->end && (*rest->at == '{' || *rest->at == '[')) {
            objects = objects << 1 | (*rest->at++ == '{' ? 1 : 0);
            if (++depth > JSONLEX_PLAIN_DEPTH ||
                ((objects & 1) != 0 && !jsonlex_plain_name(rest, &name)))
                return false;
        }
        if (plain_scalar(rest) == JSONLEX_BAD)
            return false;
        while (plain_char(rest, (objects & 1) != 0 ? '}' : ']')) {
            objects >>= 1;
            if (--depth == 0)
                return true;
        }
        if (!jsonlex_plain_comma(rest) || ((objects & 1) != 0 && !jsonlex_plain_name(rest, &name)))
            return false;
    }
}

enum jsonlex_token jsonlex_plain_value(struct jsonlex_rest *rest, struct span *ret_text)
{
    const char *start = rest->at;
    bool is_open = start < rest->end && (*start == '{' || *start == '[');
    enum jsonlex_token token = JSONLEX_BAD;

    if (!is_open)
        token = plain_scalar(rest);
    else if (plain_brackets(rest))
        token = *start == '{' ? JSONLEX_OBJECT : JSONLEX_ARRAY;
    *ret_text = span_of(start, (size_t)(rest->at - start));
    return token;
}
