#include "core/jsonlex.h"

struct scan {
    struct jsonlex *lex;
    const char *start, *at, *end;
    size_t depth;
    const char *member_at; /* where the value at depth 1 that is being read starts */
    bool outer_array;
    bool value_due;   /* the next token at depth 1 starts a value, not a name */
    bool member_open; /* inside an array or object that is a value at depth 1 */
};

static enum status fail(struct scan *scan, const char *at, const char *error)
{
    scan->lex->error = error;
    scan->lex->error_at = (size_t)(at - scan->start);
    return STATUS_SYNTAX;
}

static char peek(const struct scan *scan, size_t ahead)
{
    /* NUL is no part of any token, so that it can stand for the end as well. */
    return ahead < (size_t)(scan->end - scan->at) ? scan->at[ahead] : '\0';
}

static void record_member(struct scan *scan)
{
    struct jsonlex *lex = scan->lex;

    if (lex->member_count < lex->members_max)
        lex->members[lex->member_count] =
            span_of(scan->member_at, (size_t)(scan->at - scan->member_at));
    lex->member_count++;
}

/* To be called behind a scalar token that started at `start`. */
static inline void end_scalar(struct scan *scan, const char *start)
{
    if (scan->depth != 1 || !scan->value_due)
        return;
    scan->value_due = false;
    scan->member_at = start;
    record_member(scan);
}

static enum status open_bracket(struct scan *scan)
{
    if (scan->depth == JSONLEX_DEPTH_MAX)
        return fail(scan, scan->at, "it is nested too deeply");
    if (scan->depth == 0) {
        scan->outer_array = peek(scan, 0) == '[';
        scan->value_due = scan->outer_array;
    } else if (scan->depth == 1 && scan->value_due) {
        scan->value_due = false;
        scan->member_open = true;
        scan->member_at = scan->at;
    }
    scan->depth++;
    scan->at++;
    return STATUS_OK;
}

static enum status close_bracket(struct scan *scan)
{
    if (scan->depth == 0)
        return fail(scan, scan->at, "nothing is open that this bracket could close");
    scan->depth--;
    scan->at++;
    if (scan->depth == 1 && scan->member_open) {
        scan->member_open = false;
        record_member(scan);
    }
    return STATUS_OK;
}

static size_t count_digits(const struct scan *scan, size_t ahead)
{
    size_t count = 0;

    while (is_digit(peek(scan, ahead + count)))
        count++;
    return count;
}

/* How long the number here is, by RFC 8259 section 6; 0 with the error where it is none. */
static size_t measure_number(const struct scan *scan, const char **ret_error)
{
    size_t len = peek(scan, 0) == '-' ? 1 : 0;
    size_t digits = count_digits(scan, len);

    *ret_error = "a minus sign without a digit";
    if (digits == 0)
        return 0;
    *ret_error = "a number with a leading zero";
    if (digits > 1 && peek(scan, len) == '0')
        return 0;
    len += digits;
    if (peek(scan, len) == '.') {
        digits = count_digits(scan, ++len);
        *ret_error = "a decimal point without a digit behind it";
        if (digits == 0)
            return 0;
        len += digits;
    }
    if (peek(scan, len) == 'e' || peek(scan, len) == 'E') {
        len++;
        if (peek(scan, len) == '+' || peek(scan, len) == '-')
            len++;
        digits = count_digits(scan, len);
        *ret_error = "an exponent without a digit";
        if (digits == 0)
            return 0;
        len += digits;
    }
    return len;
}

static enum status number(struct scan *scan)
{
    struct jsonlex *lex = scan->lex;
    const char *start = scan->at;
    const char *error;
    size_t len = measure_number(scan, &error);

    if (len == 0)
        return fail(scan, start, error);
    if (len > JSONLEX_NUMBER_MAX) {
        lex->long_number = true;
        return fail(scan, start, "a number of more than 63 characters");
    }
    if (lex->number_count < lex->numbers_max)
        lex->numbers[lex->number_count] = span_of(start, len);
    lex->number_count++;
    scan->at += len;
    end_scalar(scan, start);
    return STATUS_OK;
}

bool jsonlex_is_number(struct span text)
{
    const char *error;

    if (text.len == 0 || (text.ptr[0] != '-' && !is_digit(text.ptr[0])))
        return false; /* most texts: without a look at the rest */
    struct scan scan = {.start = text.ptr, .at = text.ptr, .end = text.ptr + text.len};
    return measure_number(&scan, &error) == text.len;
}

static enum status literal(struct scan *scan)
{
    static const char *const names[] = {"true", "false", "null"};
    struct span rest = span_of(scan->at, (size_t)(scan->end - scan->at));

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (!span_starts_with(rest, names[i]))
            continue;
        const char *start = scan->at;
        scan->at += strlen(names[i]);
        end_scalar(scan, start);
        return STATUS_OK;
    }
    return fail(scan, scan->at, "a word that is not true, false or null");
}

static unsigned hex_value(char c)
{
    if (is_digit(c))
        return (unsigned)(c - '0');
    return (unsigned)((c | 0x20) - 'a') + 10;
}

/* The code unit of a \uXXXX that starts `ahead` bytes from here, or UINT32_MAX. */
static uint32_t code_unit(const struct scan *scan, size_t ahead)
{
    uint32_t unit = 0;

    if (peek(scan, ahead) != '\\' || peek(scan, ahead + 1) != 'u')
        return UINT32_MAX;
    for (size_t i = ahead + 2; i < ahead + 6; i++) {
        if (!is_hex_digit(peek(scan, i)))
            return UINT32_MAX;
        unit = unit << 4 | hex_value(peek(scan, i));
    }
    return unit;
}

static enum status unicode_escape(struct scan *scan)
{
    uint32_t unit = code_unit(scan, 0);

    if (unit == UINT32_MAX)
        return fail(scan, scan->at, "a \\u without four hexadecimal digits");
    if (unit == 0)
        scan->lex->nul_escape = true;
    if (unit < 0xd800 || unit > 0xdfff) {
        scan->at += 6;
        return STATUS_OK;
    }
    uint32_t second = code_unit(scan, 6);
    if (unit > 0xdbff || second < 0xdc00 || second > 0xdfff)
        return fail(scan, scan->at, "half of a surrogate pair");
    scan->at += 12;
    return STATUS_OK;
}

static enum status escape(struct scan *scan)
{
    switch (peek(scan, 1)) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        scan->at += 2;
        return STATUS_OK;
    case 'u':
        return unicode_escape(scan);
    default:
        return fail(scan, scan->at, "an escape that JSON does not know");
    }
}

/* What ends a stretch of plain text in a string: quotes, backslashes and control characters. */
static const bool needs_a_look[256] = {
    true, true, true, true, true, true, true, true, true,         true,          true, true,
    true, true, true, true, true, true, true, true, true,         true,          true, true,
    true, true, true, true, true, true, true, true, ['"'] = true, ['\\'] = true,
};

static enum status string(struct scan *scan)
{
    const char *start = scan->at++;

    for (;;) {
        const char *at = scan->at;
        while (at < scan->end && !needs_a_look[(unsigned char)*at])
            at++;
        scan->at = at;
        if (scan->at == scan->end)
            return fail(scan, scan->at, "it ends inside a string");
        if (*scan->at == '"')
            break;
        if (*scan->at != '\\')
            return fail(scan, scan->at, "a control character inside a string");
        enum status status = escape(scan);
        if (status != STATUS_OK)
            return status;
    }
    scan->at++;
    end_scalar(scan, start);
    return STATUS_OK;
}

/* What a token starts with. */
enum token_kind {
    TOKEN_NONE,
    TOKEN_SPACE,
    TOKEN_COLON,
    TOKEN_COMMA,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_STRING,
    TOKEN_NUMBER,
    TOKEN_WORD,
};

static const unsigned char token_kinds[256] = {
    [' '] = TOKEN_SPACE,  ['\t'] = TOKEN_SPACE, ['\n'] = TOKEN_SPACE, ['\r'] = TOKEN_SPACE,
    [':'] = TOKEN_COLON,  [','] = TOKEN_COMMA,  ['{'] = TOKEN_OPEN,   ['['] = TOKEN_OPEN,
    ['}'] = TOKEN_CLOSE,  [']'] = TOKEN_CLOSE,  ['"'] = TOKEN_STRING, ['-'] = TOKEN_NUMBER,
    ['0'] = TOKEN_NUMBER, ['1'] = TOKEN_NUMBER, ['2'] = TOKEN_NUMBER, ['3'] = TOKEN_NUMBER,
    ['4'] = TOKEN_NUMBER, ['5'] = TOKEN_NUMBER, ['6'] = TOKEN_NUMBER, ['7'] = TOKEN_NUMBER,
    ['8'] = TOKEN_NUMBER, ['9'] = TOKEN_NUMBER, ['t'] = TOKEN_WORD,   ['f'] = TOKEN_WORD,
    ['n'] = TOKEN_WORD,
};

/* There is at least one byte. */
static inline enum status token(struct scan *scan)
{
    enum token_kind kind = (enum token_kind)token_kinds[(unsigned char)*scan->at];

    switch (kind) {
    case TOKEN_SPACE:
        scan->at++;
        return STATUS_OK;
    case TOKEN_COLON:
    case TOKEN_COMMA:
        if (scan->depth == 1)
            scan->value_due = scan->outer_array || kind == TOKEN_COLON;
        scan->at++;
        return STATUS_OK;
    case TOKEN_OPEN:
        return open_bracket(scan);
    case TOKEN_CLOSE:
        return close_bracket(scan);
    case TOKEN_STRING:
        return string(scan);
    case TOKEN_NUMBER:
        return number(scan);
    case TOKEN_WORD:
        return literal(scan);
    case TOKEN_NONE:
        break;
    }
    bool is_word = *scan->at >= 'a' && *scan->at <= 'z';
    return fail(scan, scan->at,
                is_word ? "a word that is not true, false or null"
                        : "a character that starts no JSON value");
}

enum status jsonlex_scan(struct jsonlex *lex, struct span text)
{
    if (text.len == 0) /* its pointer may be NULL */
        text = SPAN_LITERAL("");
    struct scan scan = {.lex = lex, .start = text.ptr, .at = text.ptr, .end = text.ptr + text.len};

    lex->number_count = 0;
    lex->member_count = 0;
    lex->nul_escape = false;
    lex->long_number = false;
    lex->error_at = 0;
    lex->error = NULL;
    while (scan.at < scan.end) {
        enum status status = token(&scan);
        if (status != STATUS_OK)
            return status;
    }
    if (scan.depth > 0)
        return fail(&scan, scan.end, "it ends before its last bracket is closed");
    return STATUS_OK;
}

bool jsonlex_is_bool(struct span text)
{
    return span_equal(text, SPAN_LITERAL("true")) || span_equal(text, SPAN_LITERAL("false"));
}
