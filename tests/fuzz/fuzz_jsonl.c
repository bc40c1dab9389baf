/*
 * The JSONL reader over any bytes: see fuzz_reader.h. Every line that is not blank is a row, and it
 * is refused for its JSON exactly where RFC 8259 and the stated limits say so.
 */
#include "core/jsonlex.h"
#include "fuzz_reader.h"
#include "json_reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span skip_blanks(struct span line)
{
    while (line.len > 0 && memchr(" \t\r", line.ptr[0], 3) != NULL)
        line = span_skip(line, 1);
    return line;
}

static bool is_good_row(struct span line)
{
    struct json_reference ref;
    struct span text = skip_blanks(line);

    return json_reference_accepts(&ref, line.ptr, line.len) && text.ptr[0] == '{' &&
           ref.deepest <= JSONLEX_DEPTH_MAX && ref.longest_number <= JSONLEX_NUMBER_MAX &&
           !ref.half_surrogate && !ref.nul_escape;
}

/* Cuts the text at its first line feed: what stands before it, and what is left. */
static struct span take_line(struct span *rest)
{
    const char *line_feed = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;
    size_t len = line_feed != NULL ? (size_t)(line_feed - rest->ptr) : rest->len;
    struct span line = span_of(rest->ptr, len);

    *rest = span_skip(*rest, line_feed != NULL ? len + 1 : len);
    return line;
}

/* What the reader told of the row of this line. */
static void check_row(struct span line, struct span row, size_t row_number, size_t line_number)
{
    char ok[64], bad[64];

    (void)snprintf(ok, sizeof(ok), "ok %d@%d ", (int)row_number, (int)line_number);
    (void)snprintf(bad, sizeof(bad), "bad %d@%d E-", (int)row_number, (int)line_number);
    MUST(span_starts_with(row, ok) || span_starts_with(row, bad));
    bool is_bad = span_starts_with(row, bad);
    struct span code = span_skip(row, is_bad ? strlen(bad) : 0);
    bool refused = is_bad && (span_starts_with(code, "JSON@") || span_starts_with(code, "UTF8@") ||
                              span_starts_with(code, "NUL@") || span_starts_with(code, "NUMBER@"));
    if (line.len <= READER_MAX_ROW_BYTES)
        MUST(refused == !is_good_row(line));
    else
        MUST(is_bad && span_starts_with(code, "ROW-SIZE@"));
}

static void check_lines(struct span input)
{
    struct buf told, decoded;
    size_t row_number = 0;

    buf_init(&told, SIZE_MAX / 2);
    buf_init(&decoded, 16 * 1024 * 1024);
    if (!fuzz_decode(input, &decoded)) {
        buf_deinit(&decoded);
        return;
    }
    struct span text = buf_span(&decoded);
    tell_bytes(input.ptr, input.len, INPUT_JSONL, 0, READER_MAX_ROW_BYTES, &told);
    struct span rows = buf_span(&told);
    bool empty = span_starts_with(rows, "unusable: E-EMPTY@");
    for (size_t line_number = 1; text.len > 0; line_number++) {
        struct span line = take_line(&text);
        if (empty)
            MUST(skip_blanks(line).len == 0);
        else if (skip_blanks(line).len > 0)
            check_row(line, take_line(&rows), ++row_number, line_number);
    }
    MUST(span_starts_with(rows, "unusable: ") || span_is(rows, "end\n"));
    buf_deinit(&told);
    buf_deinit(&decoded);
}

/* A line with a blank at its end is never read the short way: it says the same as without. */
static void check_short_way(struct span input)
{
    struct buf told, other, spaced;

    buf_init(&told, SIZE_MAX / 2);
    buf_init(&other, SIZE_MAX / 2);
    buf_init(&spaced, SIZE_MAX / 2);
    tell_bytes(input.ptr, input.len, INPUT_JSONL, 0, READER_MAX_ROW_BYTES, &told);
    for (struct span text = input; text.len > 0;) {
        struct span line = take_line(&text);
        buf_add(&spaced, line);
        buf_add_string(&spaced, " \n");
    }
    tell_bytes(spaced.ptr, spaced.len, INPUT_JSONL, 0, READER_MAX_ROW_BYTES, &other);
    struct span rows = buf_span(&told), others = buf_span(&other);
    while (rows.len > 0 && others.len > 0) {
        struct span row = take_line(&rows), wanted = take_line(&others);
        if (span_starts_with(row, "unusable: "))
            break;
        MUST(span_starts_with(row, "bad ") == span_starts_with(wanted, "bad "));
        MUST(span_starts_with(row, "bad ") || span_equal(row, wanted));
    }
    buf_deinit(&told);
    buf_deinit(&other);
    buf_deinit(&spaced);
}

/* Whether it is text as it is, and no row of it is near the maximum. */
static bool is_short_text(struct span input)
{
    struct buf decoded;
    bool is_text;

    buf_init(&decoded, 16 * 1024 * 1024);
    is_text = fuzz_decode(input, &decoded) && span_equal(buf_span(&decoded), input) &&
              input.len < READER_MAX_ROW_BYTES;
    buf_deinit(&decoded);
    return is_text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of((const char *)data + 1, size > 0 ? size - 1 : 0);

    if (size > 0 && is_short_text(input))
        check_short_way(input);
    if (size > 0)
        check_lines(span_of((const char *)data + 1, size - 1));
    return fuzz_reader(data, size, INPUT_JSONL);
}
