#include "run/result_passed.h"

#include "core/jsonlex.h"

/* Takes the next cell off a CSV's line; its value is appended to `text`. */
static bool take_csv(struct span *rest, struct buf *text, struct span *ret_value)
{
    struct span cell;
    size_t from = text->len;

    if (!result_take_cell(rest, false, &cell) && !result_take_cell(rest, true, &cell))
        return false;
    result_unquote(cell, false, text);
    *ret_value = span_of(text->ptr + from, text->len - from);
    return true;
}

static struct span without_end(struct span line)
{
    while (line.len > 0 && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r'))
        line.len--;
    return line;
}

enum json_part { PART_NAME, PART_VALUE };

static struct cell cell_of(const struct jsonlex *lex, enum jsonlex_token kind, struct buf *text)
{
    static const enum cell_kind kinds[] = {
        [JSONLEX_OBJECT] = CELL_JSON,   [JSONLEX_ARRAY] = CELL_JSON, [JSONLEX_STRING] = CELL_STRING,
        [JSONLEX_NUMBER] = CELL_NUMBER, [JSONLEX_TRUE] = CELL_BOOL,  [JSONLEX_FALSE] = CELL_BOOL,
        [JSONLEX_NULL] = CELL_ABSENT,
    };
    struct cell cell = {.kind = kinds[kind], .text = lex->text};

    if (kind == JSONLEX_STRING)
        cell.text = jsonlex_string(lex->text, text);
    return cell;
}

/* The members behind the results' own: names as cells, or values. */
static size_t read_members(struct span line, enum json_part part, struct buf *text,
                           struct cell cells[LAYOUT_PASSES_MAX])
{
    struct jsonlex lex;
    size_t count = 0;

    jsonlex_start(&lex, line);
    if (jsonlex_next(&lex) != JSONLEX_OBJECT)
        return 0;
    for (size_t i = 0; jsonlex_next(&lex) == JSONLEX_NAME; i++) {
        bool is_passed = i >= RESULT_COLUMN_COUNT && count < LAYOUT_PASSES_MAX;
        if (is_passed && part == PART_NAME)
            cells[count].text = jsonlex_string(lex.text, text);
        enum jsonlex_token kind = jsonlex_next(&lex);
        if (!jsonlex_skip(&lex))
            return count;
        if (is_passed && part == PART_VALUE)
            cells[count] = cell_of(&lex, kind, text);
        count += is_passed;
    }
    return count;
}

static size_t read_cells(struct span rest, size_t skip, struct buf *text,
                         struct cell cells[LAYOUT_PASSES_MAX])
{
    struct span value;
    size_t count = 0;

    for (size_t i = 0; rest.len > 0 && count < LAYOUT_PASSES_MAX; i++) {
        if (!take_csv(&rest, text, &value))
            return count;
        if (i < skip)
            continue;
        cells[count++] =
            (struct cell){.kind = value.len > 0 ? CELL_TEXT : CELL_ABSENT, .text = value};
    }
    return count;
}

enum status result_passed_names(const struct results *results, struct buf *text,
                                struct span names[LAYOUT_PASSES_MAX], size_t *ret_count)
{
    struct cell cells[LAYOUT_PASSES_MAX];

    if (results->passed_count > LAYOUT_PASSES_MAX)
        return STATUS_SYNTAX;
    buf_clear(text);
    if (!buf_reserve(text, results->first.len + 1)) /* so that the spans stay where they are */
        return text->status;
    *ret_count = results->jsonl ? read_members(buf_span(&results->first), PART_NAME, text, cells)
                                : read_cells(results->passed, 0, text, cells);
    for (size_t i = 0; i < *ret_count; i++)
        names[i] = cells[i].text;
    return STATUS_OK;
}

size_t result_passed_cells(const struct results *results, const struct result_fields *fields,
                           struct buf *text, struct cell cells[LAYOUT_PASSES_MAX])
{
    buf_clear(text);
    if (results->passed_count == 0 || !buf_reserve(text, fields->line.len + 1))
        return 0;
    return results->jsonl ? read_members(fields->line, PART_VALUE, text, cells)
                          : read_cells(without_end(fields->line), RESULT_COLUMN_COUNT, text, cells);
}
