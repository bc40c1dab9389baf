#include "ledger/share/array.h"

#include "core/text.h"

static void add_comma(struct buf *out)
{
    if (out->len > 0 && out->ptr[out->len - 1] != '{')
        buf_add_char(out, ',');
}

void array_add_int(struct buf *out, int64_t value)
{
    add_comma(out);
    buf_add_int64(out, value);
}

void array_add_null(struct buf *out)
{
    add_comma(out);
    buf_add_string(out, "NULL");
}

void array_add_text(struct buf *out, struct span text)
{
    struct buf clean;

    buf_init(&clean, 4 * text.len + 1);
    buf_add_printable(&clean, text);
    if (out->status == STATUS_OK && clean.status != STATUS_OK)
        out->status = clean.status;
    add_comma(out);
    buf_add_char(out, '"');
    for (size_t i = 0; i < clean.len; i++) {
        if (clean.ptr[i] == '"' || clean.ptr[i] == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, clean.ptr[i]);
    }
    buf_add_char(out, '"');
    buf_deinit(&clean);
}
