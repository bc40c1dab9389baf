/*
 * Workbooks of any bytes. What begins with PK is a file; all else is parts of one, each behind a
 * byte 0x1E but the first: rows of the sheet, what is behind them, shared strings, styles, the
 * workbook, its relations. An empty part is the usual one.
 *
 * However it is cut into blocks, and when it is read once more, it has to give the same rows;
 * its text is always well-formed CSV.
 */
#include "../unit/xlsx_help.h"

#include "input/file_kind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PARTS = 6, ROW_MAX = 4096 };

static int make_file(struct span input)
{
    struct xlsx_parts parts = {.rows = NULL};
    const char **texts[PARTS] = {&parts.rows,   &parts.behind,   &parts.strings,
                                 &parts.styles, &parts.workbook, &parts.relations};
    char *copy = malloc(input.len + 1), *at = copy;

    MUST(copy != NULL);
    if (input.len > 0)
        memcpy(copy, input.ptr, input.len);
    copy[input.len] = '\0';
    for (size_t i = 0; i < PARTS && at != NULL; i++) {
        char *end = strchr(at, 0x1e);
        if (end != NULL)
            *end++ = '\0';
        if (*at != '\0')
            *texts[i] = at;
        at = end;
    }
    int fd = xlsx_file(&parts);
    free(copy);
    return fd;
}

/* No row has bad quotes: the lines behind the first are a number, and what became of the row. */
static void check_quotes(const struct buf *told)
{
    const char *end = told->ptr + told->len, *line = told->ptr;

    while (line != NULL && (line = memchr(line, '\n', (size_t)(end - line))) != NULL) {
        line++;
        const char *word = line;
        while (word < end && is_digit(*word))
            word++;
        MUST(!span_starts_with(span_of(word, (size_t)(end - word)), " bad E-QUOTE@"));
    }
}

static int open_input(struct span input)
{
    return input.len >= 2 && memcmp(input.ptr, "PK", 2) == 0 ? memory_file(input.ptr, input.len)
                                                             : make_file(input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of((const char *)data, size);
    const size_t blocks[] = {1, 50};
    struct buf whole, other;

    if (size >= 4 && memcmp(data, "PK", 2) == 0 && file_kind_of(input) == FILE_OTHER)
        return 0; /* a CSV, as far as anybody can tell */
    buf_init(&whole, SIZE_MAX / 2);
    buf_init(&other, SIZE_MAX / 2);
    xlsx_tell(open_input(input), &(struct xlsx_reading){.max_row_bytes = ROW_MAX}, &whole);
    check_quotes(&whole);
    for (size_t i = 0; i < ARRAY_LENGTH(blocks); i++) {
        buf_clear(&other);
        xlsx_tell(open_input(input),
                  &(struct xlsx_reading){.max_row_bytes = ROW_MAX, .block_bytes = blocks[i]},
                  &other);
        MUST(span_equal(buf_span(&whole), buf_span(&other)));
    }
    buf_clear(&other);
    xlsx_tell(open_input(input), &(struct xlsx_reading){.max_row_bytes = ROW_MAX, .twice = true},
              &other);
    MUST(span_equal(buf_span(&whole), buf_span(&other)));
    buf_deinit(&whole);
    buf_deinit(&other);
    return 0;
}
