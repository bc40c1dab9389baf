/*
 * A line is handed on as it lies in the source's block where all of it is there, else put together
 * in `partial`. Its object is read in one go: names and values are noted as spans of the line, and
 * become columns and cells only when the whole line has proved to be good. Most lines are plain and
 * have no new names: their cells are set at once, and where a line turns out to be another, it is
 * read as any.
 */
#include <unistr.h>

#include "core/jsonlex.h"
#include "core/text.h"
#include "input/encoding.h"
#include "input/reader_impl.h"

#define ONE_PER_LINE "JSONL wants one object per line"

struct member {
    struct span name, text; /* as written */
    enum jsonlex_token kind;
};

struct jsonl_reader {
    struct buf partial; /* a line that does not lie within one block */
    bool partial_used;  /* it was handed on: the next call starts a new one */
    bool skipping;      /* dropping what is left of a line that is too long */
    bool is_too_long;   /* the line is, which is told when it has been skipped: with keep_raw */
    uint64_t row_line;  /* the line that was read last */
    bool has_escape;    /* a string of the last row has */
    struct buf decoded; /* its names and strings that have escapes */
    struct member members[READER_COLUMNS_MAX];
    size_t order[READER_COLUMNS_MAX]; /* the column of the n-th member of the last row */
};

enum status jsonl_reader_new(size_t max_row_bytes, struct jsonl_reader **ret_jsonl)
{
    struct jsonl_reader *jsonl = calloc(1, sizeof(*jsonl));

    if (jsonl == NULL)
        return STATUS_NO_MEMORY;
    buf_init(&jsonl->partial, max_row_bytes);
    buf_init(&jsonl->decoded, max_row_bytes);
    *ret_jsonl = jsonl;
    return STATUS_OK;
}

void jsonl_reader_reset(struct jsonl_reader *jsonl)
{
    buf_clear(&jsonl->partial);
    jsonl->partial_used = false;
    jsonl->skipping = false;
    jsonl->is_too_long = false;
}

void jsonl_reader_free(struct jsonl_reader *jsonl)
{
    if (jsonl == NULL)
        return;
    jsonl_reader_reset(jsonl);
    buf_deinit(&jsonl->partial);
    buf_deinit(&jsonl->decoded);
    free(jsonl);
}

/* How many blanks the text starts with. */
static size_t count_blanks(struct span text)
{
    size_t count = 0;

    while (count < text.len &&
           (text.ptr[count] == ' ' || text.ptr[count] == '\t' || text.ptr[count] == '\r'))
        count++;
    return count;
}

static bool is_blank(struct span text)
{
    return count_blanks(text) == text.len;
}

/* Takes the bytes up to and with the line feed at `line_feed`, or all where that is NULL. */
static void take_line(struct reader *reader, struct span block, const char *line_feed)
{
    struct jsonl_reader *jsonl = reader->jsonl;

    jsonl->row_line = reader->line;
    if (line_feed != NULL)
        reader->line++;
    reader_take(reader, line_feed != NULL ? (size_t)(line_feed - block.ptr) + 1 : block.len);
}

/* The line as it was put together. */
static enum status use_partial(struct jsonl_reader *jsonl, struct span *ret_line)
{
    jsonl->partial_used = true;
    *ret_line = buf_span(&jsonl->partial);
    return STATUS_OK;
}

/* Gives a line up that is longer than a row may be. STATUS_OK: there is more of it to be skipped
 * before that is told. */
static enum status give_up(struct reader *reader, bool at_line_end)
{
    struct jsonl_reader *jsonl = reader->jsonl;

    buf_clear(&jsonl->partial);
    jsonl->skipping = !at_line_end;
    jsonl->is_too_long = !at_line_end && reader->options.keep_raw;
    return jsonl->is_too_long ? STATUS_OK : STATUS_TOO_BIG;
}

/*
 * Takes the line, or as much of it as there is in the block. STATUS_OK with *ret_whole, or without:
 * there is more to come. STATUS_TOO_BIG for a line that is longer than a row may be.
 */
static enum status take_part(struct reader *reader, struct span *ret_line, bool *ret_whole)
{
    struct jsonl_reader *jsonl = reader->jsonl;
    struct span block = source_block(reader->source);
    const char *line_feed = memchr(block.ptr, '\n', block.len);
    size_t len = line_feed != NULL ? (size_t)(line_feed - block.ptr) : block.len;

    if (jsonl->partial.len == 0 && !jsonl->skipping)
        reader_drop_raw(reader);
    take_line(reader, block, line_feed);
    if (reader->raw.status != STATUS_OK)
        return STATUS_BAD_INPUT;
    if (jsonl->skipping) {
        jsonl->skipping = line_feed == NULL;
        return jsonl->is_too_long && line_feed != NULL ? give_up(reader, true) : STATUS_OK;
    }
    if (len > reader->options.max_row_bytes - jsonl->partial.len)
        return give_up(reader, line_feed != NULL);
    *ret_whole = line_feed != NULL;
    if (line_feed != NULL && jsonl->partial.len == 0) {
        *ret_line = span_of(block.ptr, len);
        return STATUS_OK;
    }
    buf_add_bytes(&jsonl->partial, block.ptr, len);
    if (jsonl->partial.status != STATUS_OK)
        return jsonl->partial.status;
    return line_feed != NULL ? use_partial(jsonl, ret_line) : STATUS_OK;
}

/* The next line without its line feed, valid until the next call. STATUS_TOO_BIG for a line that is
 * longer than a row may be; the next call skips the rest of it. */
static enum status read_line(struct reader *reader, struct span *ret_line)
{
    struct jsonl_reader *jsonl = reader->jsonl;
    bool whole = false;
    enum status status;

    if (jsonl->partial_used)
        buf_clear(&jsonl->partial);
    jsonl->partial_used = false;
    while ((status = source_fill(reader->source)) == STATUS_OK) {
        status = take_part(reader, ret_line, &whole);
        if (status != STATUS_OK || whole)
            return status;
    }
    if (status == STATUS_END && jsonl->is_too_long)
        return give_up(reader, true);
    if (status == STATUS_END && jsonl->partial.len > 0)
        return use_partial(jsonl, ret_line);
    return status;
}

/* Takes blank lines, to tell whether there is anything else: STATUS_END when there is not. */
enum status jsonl_reader_header(struct reader *reader, struct problems *problems)
{
    size_t blanks = 0; /* at the start of a line that is not wholly there yet */

    (void)problems;
    for (;;) {
        enum status status = source_fill_to(reader->source, blanks + 1);
        if (status == STATUS_TOO_BIG) /* so many that we leave it to the first row */
            return STATUS_OK;
        if (status != STATUS_OK)
            return status;
        struct span block = source_block(reader->source);
        const char *line_feed = memchr(block.ptr, '\n', block.len);
        size_t len = line_feed != NULL ? (size_t)(line_feed - block.ptr) : block.len;
        if (!is_blank(span_of(block.ptr, len)))
            return STATUS_OK;
        if (line_feed != NULL)
            take_line(reader, block, line_feed);
        reader_drop_raw(reader);
        blanks = line_feed != NULL ? 0 : block.len;
    }
}

static void add_json_problem(struct problems *problems, enum problem_code code, struct span line,
                             size_t at, const char *what, const char *hint)
{
    if (hint[0] == '\0')
        problem_add(problems, code, SPAN_LITERAL(""), span_skip(line, at), "byte %zu: %s", at + 1,
                    what);
    else
        problem_add(problems, code, SPAN_LITERAL(""), span_skip(line, at), "byte %zu: %s; %s",
                    at + 1, what, hint);
}

/* What keeps the line from being text at all; whether there is something. */
static bool add_byte_problems(const struct reader *reader, struct span line,
                              struct problems *problems)
{
    const uint8_t *text = (const uint8_t *)line.ptr;
    const uint8_t *bad = u8_check(text, line.len);
    const char *nul = memchr(line.ptr, '\0', line.len);

    if (nul != NULL)
        add_json_problem(problems, PROBLEM_NUL, line, (size_t)(nul - line.ptr), "a NUL byte", "");
    if (bad != NULL) {
        char what[ENCODING_NAME_MAX + 16];
        (void)snprintf(what, sizeof(what), "not valid %s", reader_encoding_name(reader));
        add_json_problem(problems, PROBLEM_UTF8, line, (size_t)(bad - text), what,
                         reader_encoding_hint(reader));
    }
    return nul != NULL || bad != NULL;
}

/* What keeps the line from being one object. */
static void add_line_problems(const struct reader *reader, const struct jsonlex *lex,
                              struct span line, struct problems *problems)
{
    size_t first = count_blanks(line);

    if (add_byte_problems(reader, line, problems))
        return;
    if (line.ptr[first] != '{')
        add_json_problem(problems, PROBLEM_JSON, line, first, "not an object", ONE_PER_LINE);
    else if (lex->long_number)
        add_json_problem(problems, PROBLEM_NUMBER, line, lex->error_at, lex->error, "");
    else /* it goes on on the next line, or there is a second object on this one */
        add_json_problem(problems, PROBLEM_JSON, line, lex->error_at, lex->error,
                         lex->error_at == line.len || lex->depth == 0 ? ONE_PER_LINE : "");
}

/* Notes the members of the line's object and counts them; false where it is not one object. */
static bool scan_members(struct jsonl_reader *jsonl, struct jsonlex *lex, size_t *ret_count)
{
    size_t count = 0;

    if (jsonlex_next(lex) != JSONLEX_OBJECT)
        return false;
    for (; jsonlex_next(lex) == JSONLEX_NAME; count++) {
        struct member member = {.name = lex->text};
        member.kind = jsonlex_next(lex);
        if (!jsonlex_skip(lex))
            return false;
        member.text = lex->text;
        if (count < READER_COLUMNS_MAX)
            jsonl->members[count] = member;
    }
    *ret_count = count;
    return jsonlex_next(lex) == JSONLEX_END;
}

/* The value of a string of the last row. */
static inline struct span value_of(struct jsonl_reader *jsonl, struct span quoted)
{
    return jsonl->has_escape ? jsonlex_string(quoted, &jsonl->decoded)
                             : span_of(quoted.ptr + 1, quoted.len - 2);
}

static enum cell_kind cell_kind_of(enum jsonlex_token token)
{
    switch (token) {
    case JSONLEX_STRING:
        return CELL_STRING;
    case JSONLEX_NUMBER:
        return CELL_NUMBER;
    case JSONLEX_TRUE:
    case JSONLEX_FALSE:
        return CELL_BOOL;
    default:
        return token == JSONLEX_NULL ? CELL_NULL : CELL_JSON;
    }
}

/* Member by member: a copy of a cell that was just put together waits for all of its writes. */
static inline void put_cell(struct cell *cell, enum jsonlex_token token, struct span text)
{
    cell->kind = cell_kind_of(token);
    cell->text = text;
    cell->given = span_of(NULL, 0);
}

static void clear_cells(struct reader *reader)
{
    for (size_t i = 0; i < reader->column_count; i++)
        reader->cells[i] = (struct cell){.kind = CELL_ABSENT};
}

/* The column of the n-th member, or the column count where there is none: most rows have the
 * members of the row before, in its order. */
static inline size_t known_column(struct reader *reader, size_t n, struct span name)
{
    size_t column = reader->jsonl->order[n];

    if (column >= reader->column_count || !span_equal(reader->columns[column], name)) {
        column = 0;
        while (column < reader->column_count && !span_equal(reader->columns[column], name))
            column++;
    }
    reader->jsonl->order[n] = column;
    return column;
}

/* The same, with a new column where there is none. */
static enum status find_column(struct reader *reader, size_t n, struct span name,
                               size_t *ret_column)
{
    *ret_column = known_column(reader, n, name);
    return *ret_column == reader->column_count ? reader_add_column(reader, name) : STATUS_OK;
}

static enum status set_cell(struct reader *reader, size_t n, struct problems *problems)
{
    const struct member *member = &reader->jsonl->members[n];
    struct span name = value_of(reader->jsonl, member->name);
    struct span text = member->text;
    size_t column;

    if (name.len == 0) {
        problem_add(problems, PROBLEM_COLUMN, name, text, "member %zu has no name", n + 1);
        return STATUS_OK;
    }
    enum status status = find_column(reader, n, name, &column);
    if (status == STATUS_TOO_BIG && name.len > READER_COLUMN_NAME_MAX)
        problem_add(problems, PROBLEM_COLUMN, SPAN_LITERAL(""), name,
                    "the name of member %zu is longer than %d bytes", n + 1,
                    READER_COLUMN_NAME_MAX);
    else if (status == STATUS_TOO_BIG)
        problem_add(problems, PROBLEM_COLUMN, name, text,
                    "with it, the input has more than %d different members", READER_COLUMNS_MAX);
    else if (status != STATUS_OK)
        return status;
    else if (reader->cells[column].kind != CELL_ABSENT)
        problem_add(problems, PROBLEM_DUPLICATE, name, text, "member %zu repeats an earlier one",
                    n + 1);
    else
        put_cell(&reader->cells[column], member->kind,
                 member->kind == JSONLEX_STRING ? value_of(reader->jsonl, text) : text);
    return STATUS_OK;
}

static enum status set_cells(struct reader *reader, size_t count, struct problems *problems)
{
    if (count > READER_COLUMNS_MAX) {
        problem_add(problems, PROBLEM_COLUMN, SPAN_LITERAL(""), SPAN_LITERAL(""),
                    "has %zu members, more than %d", count, READER_COLUMNS_MAX);
        return STATUS_OK;
    }
    clear_cells(reader);
    for (size_t n = 0; n < count; n++) {
        enum status status = set_cell(reader, n, problems);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* Sets the cell of the n-th member of a plain line; false where that is for set_cell to do. */
static inline bool set_plain_cell(struct reader *reader, size_t n, struct jsonlex_rest *rest)
{
    struct span name, text;

    if (n == READER_COLUMNS_MAX || !jsonlex_plain_name(rest, &name))
        return false;
    enum jsonlex_token token = jsonlex_plain_value(rest, &text);
    size_t column = known_column(reader, n, name);
    if (token == JSONLEX_BAD || column == reader->column_count ||
        reader->cells[column].kind != CELL_ABSENT)
        return false;
    if (token == JSONLEX_STRING)
        text = span_of(text.ptr + 1, text.len - 2);
    put_cell(&reader->cells[column], token, text);
    return true;
}

/* Sets the cells of a plain line without new members. False for any other, good or bad, whose cells
 * are not set then. */
static bool read_plain(struct reader *reader, struct span line)
{
    struct jsonlex_rest rest = {line.ptr, line.ptr + line.len};
    size_t n = 0;

    clear_cells(reader);
    if (*rest.at++ != '{')
        return false;
    do
        if (!set_plain_cell(reader, n++, &rest))
            return false;
    while (jsonlex_plain_comma(&rest));
    size_t left = (size_t)(rest.end - rest.at);
    return left > 0 && rest.at[0] == '}' && (left == 1 || (left == 2 && rest.at[1] == '\r'));
}

/* Adds what is wrong with the line to the problems; sets the cells where nothing is. */
static enum status read_object(struct reader *reader, struct span line, struct problems *problems)
{
    struct jsonl_reader *jsonl = reader->jsonl;
    size_t known = reader->column_count, count = 0;
    if (read_plain(reader, line))
        return STATUS_OK;
    struct jsonlex lex;
    jsonlex_start(&lex, line);
    if (!scan_members(jsonl, &lex, &count)) {
        add_line_problems(reader, &lex, line, problems);
        return STATUS_OK;
    }
    if (lex.nul_escape) {
        problem_add(problems, PROBLEM_NUL, SPAN_LITERAL(""), line, "a string holds \\u0000");
        return STATUS_OK;
    }
    buf_clear(&jsonl->decoded);
    jsonl->has_escape = lex.has_escape;
    if (lex.has_escape && !buf_reserve(&jsonl->decoded, line.len))
        return jsonl->decoded.status;
    enum status status = set_cells(reader, count, problems);
    if (problems->error_count > 0)
        reader_drop_columns(reader, known); /* a bad row brings no columns */
    return status;
}

enum status jsonl_reader_next(struct reader *reader, struct row *ret_row, struct problems *problems)
{
    struct jsonl_reader *jsonl = reader->jsonl;
    struct span line = SPAN_LITERAL("");
    enum status status;

    do
        status = read_line(reader, &line);
    while (status == STATUS_OK && is_blank(line));
    if (status != STATUS_OK && status != STATUS_TOO_BIG)
        return status;
    reader_begin_row(reader, jsonl->row_line, problems);
    if (status == STATUS_TOO_BIG) {
        problem_add(problems, PROBLEM_ROW_SIZE, SPAN_LITERAL(""), SPAN_LITERAL(""),
                    "the line is longer than %zu bytes", reader->options.max_row_bytes);
        return reader_end_row(reader, problems, ret_row);
    }
    status = read_object(reader, line, problems);
    return status == STATUS_OK ? reader_end_row(reader, problems, ret_row) : status;
}
