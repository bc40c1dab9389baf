#include "ledger/cell.h"

#include <csv.h>

static bool has(struct span text, char c)
{
    return memchr(text.ptr, c, text.len) != NULL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Four searches of the C library's are cheaper than one loop over the characters. */
static bool is_plain(struct span text)
{
    return text.len == 0 ||
           (!has(text, ',') && !has(text, '"') && !has(text, '\n') && !has(text, '\r') &&
            !is_blank(text.ptr[0]) && !is_blank(text.ptr[text.len - 1]));
}

void cell_add(struct buf *out, struct span text)
{
    if (is_plain(text)) {
        buf_add(out, text);
        return;
    }
    size_t max = 2 * text.len + 2; /* every character a quote */
    if (buf_reserve(out, max))
        out->len += csv_write(out->ptr + out->len, max, text.ptr, text.len);
}
