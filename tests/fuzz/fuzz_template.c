/*
 * Templates with any text and any value. The first byte chooses JSON or plain text and the kind of
 * the cell; the template follows up to a NUL, then the value that all its names have.
 */
#include "core/jsonlex.h"
#include "fuzz_help.h"
#include "json_reference.h"
#include "platform/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_json(struct span text)
{
    struct json_reference ref;
    return text.len > 0 && json_reference_accepts(&ref, text.ptr, text.len);
}

/* Whether a reader could hand on such a cell. */
static bool is_possible(const struct cell *cell)
{
    struct span text = cell->text;

    switch (cell->kind) {
    case CELL_TEXT:
        return text.len > 0 && text_is_utf8(text);
    case CELL_STRING:
        return text_is_utf8(text);
    case CELL_NUMBER:
        return jsonlex_is_number(text);
    case CELL_BOOL:
        return jsonlex_is_bool(text);
    case CELL_JSON:
        return text.len > 0 && strchr("[{", text.ptr[0]) != NULL && is_json(text);
    case CELL_NULL:
    case CELL_ABSENT:
        break;
    }
    return true;
}

/* Expands with the same cell for all names. */
static enum status expand(const struct template *template, struct cell cell, struct buf *out)
{
    struct cell cells[TEMPLATE_NAMES_MAX];
    size_t missing = SIZE_MAX;

    for (size_t i = 0; i < TEMPLATE_NAMES_MAX; i++)
        cells[i] = cell;
    buf_clear(out);
    enum status status = template_expand(template, cells, false, out, &missing);
    MUST(status == STATUS_OK ? missing == SIZE_MAX : missing < template->name_count);
    return status;
}

/* The same for plain text, character by character. */
static void expand_plainly(struct span text, struct span value, struct buf *out)
{
    buf_clear(out);
    while (text.len > 0) {
        if (span_starts_with(text, "$${")) {
            buf_add_string(out, "${");
            text = span_skip(text, 3);
        } else if (span_starts_with(text, "${")) {
            const char *end = memchr(text.ptr, '}', text.len);
            MUST(end != NULL);
            buf_add(out, value);
            text = span_skip(text, (size_t)(end - text.ptr) + 1);
        } else {
            buf_add_char(out, text.ptr[0]);
            text = span_skip(text, 1);
        }
    }
}

/* A template that makes JSON of a number, a string and an array makes JSON of anything. */
static void check_json(const struct template *template, struct cell cell, struct buf *out)
{
    static const struct cell probes[] = {{.kind = CELL_NUMBER, .text = {"0", 1}},
                                         {.kind = CELL_STRING, .text = {"x", 1}},
                                         {.kind = CELL_JSON, .text = {"[]", 2}}};

    for (size_t i = 0; i < ARRAY_LENGTH(probes); i++)
        if (expand(template, probes[i], out) != STATUS_OK || !is_json(buf_span(out)))
            return;
    MUST(expand(template, cell, out) == STATUS_OK && is_json(buf_span(out)));
}

static void check(const struct template *template, struct span text, struct cell cell)
{
    struct buf out, plain;

    buf_init(&out, SIZE_MAX / 2);
    buf_init(&plain, SIZE_MAX / 2);
    enum status status = expand(template, cell, &out);
    MUST((status == STATUS_OK) == (template->name_count == 0 || cell_is_given(&cell)));
    if (status == STATUS_OK && !template->is_json) {
        expand_plainly(text, cell.text, &plain);
        MUST(span_equal(buf_span(&out), buf_span(&plain)));
    }
    if (status == STATUS_OK && template->is_json)
        check_json(template, cell, &out);
    buf_deinit(&out);
    buf_deinit(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum cell_kind kinds[] = {CELL_TEXT, CELL_STRING, CELL_NUMBER, CELL_BOOL,
                                           CELL_JSON, CELL_NULL,   CELL_ABSENT, CELL_TEXT};
    static struct template template;
    struct buf message;

    if (size == 0)
        return 0;
    const void *nul = memchr(data + 1, '\0', size - 1);
    size_t len = nul != NULL ? (size_t)((const uint8_t *)nul - data) - 1 : size - 1;
    size_t value_len = nul != NULL ? size - len - 2 : 0;
    char *text = exact_copy(data + 1, len);
    char *value = exact_copy(data + size - value_len, value_len);
    struct cell cell = {.kind = kinds[data[0] >> 1 & 7], .text = span_of(value, value_len)};

    buf_init(&message, 4096);
    enum status status =
        template_parse(&template, span_of(text, len), (data[0] & 1) != 0, &message);
    MUST((status == STATUS_OK) == (message.len == 0));
    MUST(status == STATUS_OK || status == STATUS_USAGE);
    if (status == STATUS_OK && is_possible(&cell))
        check(&template, span_of(text, len), cell);
    buf_deinit(&message);
    free(text);
    free(value);
    return 0;
}
