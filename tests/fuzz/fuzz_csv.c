/*
 * The CSV reader over any bytes: see fuzz_reader.h. Its rows are those of a reference that knows no
 * blocks and no callbacks.
 */
#include "core/text.h"
#include "csv_reference.h"
#include "fuzz_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of the header: with a name, and with those at the right that have none. */
struct columns {
    size_t named, all;
};

static struct columns columns_of(const struct csv_reference *ref)
{
    bool has_room = ref->cell_count <= READER_COLUMNS_MAX;
    return (struct columns){has_room ? csv_reference_width(ref) : ref->cell_count, ref->cell_count};
}

static bool are_cells_text(const struct csv_reference *ref)
{
    for (size_t i = 0; i < ref->cell_count && i < CSV_REFERENCE_CELLS_MAX; i++) {
        struct span cell = csv_reference_text(ref, i);
        if (!text_is_utf8(cell) || (cell.len > 0 && memchr(cell.ptr, '\0', cell.len) != NULL))
            return false;
    }
    return true;
}

static bool is_good_header(const struct csv_reference *ref)
{
    if (ref->cell_count > READER_COLUMNS_MAX || !are_cells_text(ref))
        return false;
    for (size_t i = 0; i < csv_reference_width(ref); i++) {
        struct span name = csv_reference_text(ref, i);
        if (name.len == 0 || name.len > READER_COLUMN_NAME_MAX)
            return false;
        for (size_t j = 0; j < i; j++)
            if (span_equal(name, csv_reference_text(ref, j)))
                return false;
    }
    return true;
}

/* The start of what the reader has to tell of the reference's row; all of it for a good one. */
static void describe(const struct csv_reference *ref, enum csv_reference_status status,
                     size_t row_number, struct columns columns, struct buf *out)
{
    bool good = status == CSV_REFERENCE_ROW && ref->cell_count >= columns.named &&
                ref->cell_count <= columns.all && csv_reference_width(ref) <= columns.named &&
                ref->cell_count <= CSV_REFERENCE_CELLS_MAX && are_cells_text(ref);

    buf_clear(out);
    buf_add_format(out, "%s %zu@%zu ", good ? "ok" : "bad", row_number, ref->row_line);
    if (status == CSV_REFERENCE_FAULT)
        buf_add_string(out, "E-QUOTE@");
    if (!good)
        return;
    buf_add_char(out, '|');
    for (size_t i = 0; i < columns.named; i++) {
        struct span cell = csv_reference_text(ref, i);
        buf_add_printable(out, cell.len > 0 ? cell : SPAN_LITERAL("-"));
        buf_add_char(out, '|');
    }
    buf_add_char(out, '\n');
}

static void check_rows(struct csv_reference *ref, struct columns columns, struct span told)
{
    enum csv_reference_status status;
    struct buf wanted;

    buf_init(&wanted, SIZE_MAX / 2);
    for (size_t row = 1; (status = csv_reference_next(ref)) != CSV_REFERENCE_END; row++) {
        describe(ref, status, row, columns, &wanted);
        MUST(wanted.status == STATUS_OK && told.len >= wanted.len);
        MUST(memcmp(told.ptr, wanted.ptr, wanted.len) == 0);
        const char *end = memchr(told.ptr, '\n', told.len);
        MUST(end != NULL);
        told = span_skip(told, (size_t)(end - told.ptr) + 1);
    }
    MUST(span_is(told, "end\n"));
    buf_deinit(&wanted);
}

static void check_against_reference(struct span input)
{
    struct csv_reference ref = {.line = 1};
    struct buf told, text;

    buf_init(&told, SIZE_MAX / 2);
    buf_init(&text, 16 * 1024 * 1024);
    buf_init(&ref.bytes, SIZE_MAX / 2);
    bool is_text = fuzz_decode(input, &text) && text.len <= READER_MAX_ROW_BYTES;
    if (is_text)
        tell_bytes(input.ptr, input.len, INPUT_CSV, 0, READER_MAX_ROW_BYTES, &told);
    ref.rest = buf_span(&text);
    if (is_text && !span_starts_with(buf_span(&told), "unusable: E-DELIMITER@")) {
        bool good = csv_reference_next(&ref) == CSV_REFERENCE_ROW && is_good_header(&ref);
        MUST(good != span_starts_with(buf_span(&told), "unusable: "));
        if (good)
            check_rows(&ref, columns_of(&ref), buf_span(&told));
    }
    buf_deinit(&ref.bytes);
    buf_deinit(&text);
    buf_deinit(&told);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0)
        check_against_reference(span_of((const char *)data + 1, size - 1));
    return fuzz_reader(data, size, INPUT_CSV);
}
