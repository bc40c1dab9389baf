#include "ledger/cell.h"

#include <csv.h>

void cell_add(struct buf *out, struct span text)
{
    bool plain = true;

    for (size_t i = 0; i < text.len && plain; i++) {
        char c = text.ptr[i];
        plain = c != ',' && c != '"' && c != '\n' && c != '\r';
    }
    if (text.len > 0 && plain)
        plain = text.ptr[0] != ' ' && text.ptr[0] != '\t' && text.ptr[text.len - 1] != ' ' &&
                text.ptr[text.len - 1] != '\t';
    if (plain) {
        buf_add(out, text);
        return;
    }
    size_t max = 2 * text.len + 2; /* every character a quote */
    if (buf_reserve(out, max))
        out->len += csv_write(out->ptr + out->len, max, text.ptr, text.len);
}
