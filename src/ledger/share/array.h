/*
 * An array as PostgreSQL reads it, item by item: {1,2,"a \"b\"",NULL}.
 *
 *     array_open(&text);
 *     array_add_int(&text, 7);
 *     array_add_text(&text, span);
 *     array_close(&text);
 */
#ifndef NB_LEDGER_SHARE_ARRAY_H
#define NB_LEDGER_SHARE_ARRAY_H

#include "core/buf.h"

static inline void array_open(struct buf *out)
{
    buf_clear(out);
    buf_add_char(out, '{');
}

static inline void array_close(struct buf *out)
{
    buf_add_char(out, '}');
}

void array_add_int(struct buf *out, int64_t value);
void array_add_null(struct buf *out);

/* What a text of the database cannot hold (a NUL, bytes that are no UTF-8) becomes \xNN, as
 * buf_add_printable writes it. */
void array_add_text(struct buf *out, struct span text);

#endif
