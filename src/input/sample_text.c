#include "input/sample_text.h"

#include "core/jsonlex.h"
#include "core/text.h"
#include "platform/device.h"
#include "platform/look.h"

struct span sample_take_line(struct span *rest, bool is_sheet)
{
    bool in_quotes = false;
    size_t len = 0;

    for (; len < rest->len; len++) {
        char c = rest->ptr[len];
        in_quotes = in_quotes != (is_sheet && c == '"');
        if (!in_quotes && (c == '\n' || c == '\r'))
            break;
    }
    struct span line = span_of(rest->ptr, len);
    bool is_crlf = len + 1 < rest->len && rest->ptr[len] == '\r' && rest->ptr[len + 1] == '\n';
    len += is_crlf ? 2 : len < rest->len;
    *rest = span_skip(*rest, len);
    return line;
}

bool sample_take_cell(struct span *rest, char delimiter, struct span *ret_cell)
{
    size_t len = 0;

    if (rest->ptr == NULL)
        return false;
    for (bool in_quotes = false; len < rest->len && (in_quotes || rest->ptr[len] != delimiter);
         len++)
        in_quotes = in_quotes != (rest->ptr[len] == '"');
    struct span cell = span_of(rest->ptr, len);
    *rest = len < rest->len ? span_skip(*rest, len + 1) : span_of(NULL, 0);
    while (cell.len > 0 && (cell.ptr[0] == ' ' || cell.ptr[0] == '\t'))
        cell = span_skip(cell, 1);
    while (cell.len > 0 && (cell.ptr[cell.len - 1] == ' ' || cell.ptr[cell.len - 1] == '\t'))
        cell.len--;
    if (cell.len >= 2 && cell.ptr[0] == '"' && cell.ptr[cell.len - 1] == '"')
        cell = span_of(cell.ptr + 1, cell.len - 2);
    *ret_cell = cell;
    return true;
}

bool sample_is_blank(struct span line, char delimiter)
{
    for (size_t i = 0; i < line.len; i++)
        if (strchr(" \t\"", line.ptr[i]) == NULL && line.ptr[i] != delimiter)
            return false;
    return true;
}

bool sample_is_device(struct span cell)
{
    size_t digits = 0;

    while (digits < cell.len && is_digit(cell.ptr[digits]))
        digits++;
    return digits == cell.len && digits == DEVICE_IMEI_DIGITS && cell.ptr[0] != '0';
}

static void see_cell(struct span cell, struct column_seen *seen)
{
    bool value;

    if (cell.len == 0)
        return;
    seen->cells++;
    if (sample_is_device(cell)) {
        seen->devices++;
        seen->fitting += device_check_digit(cell.ptr) == cell.ptr[DEVICE_IMEI_DIGITS - 1];
    }
    bool is_word = look_word(cell, &value) != WORD_NONE;
    seen->words += is_word;
    seen->values += is_word || jsonlex_is_number(cell) || jsonlex_is_bool(cell);
}

void sample_see(struct span rows, char delimiter, bool is_sheet,
                struct column_seen ret_seen[READER_COLUMNS_MAX])
{
    memset(ret_seen, 0, READER_COLUMNS_MAX * sizeof(*ret_seen));
    while (rows.len > 0) {
        struct span line = sample_take_line(&rows, is_sheet), cell;
        for (size_t i = 0; i < READER_COLUMNS_MAX && sample_take_cell(&line, delimiter, &cell); i++)
            see_cell(cell, &ret_seen[i]);
    }
}

void sample_add_words(struct span rows, char delimiter, bool is_sheet, size_t column, bool value,
                      struct buf *out)
{
    while (rows.len > 0) {
        struct span line = sample_take_line(&rows, is_sheet), cell;
        bool is_true, is_there = false;
        for (size_t i = 0; i <= column; i++)
            is_there = sample_take_cell(&line, delimiter, &cell);
        if (is_there && look_word(cell, &is_true) != WORD_NONE && is_true == value)
            text_add_item(cell, out);
    }
}
