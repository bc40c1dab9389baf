#include "platform/data_memo.h"

#include <xxhash.h>

/* The verdict depends on the text alone, whether it is a cell's or an array within a JSONL row. */
static struct data_memo_place *place_of(struct data_memo *memo, struct span text)
{
    return &memo->places[XXH3_64bits(text.ptr, text.len) % DATA_MEMO_PLACES];
}

static void remember(struct data_memo_place *place, struct span text,
                     const struct footprint *footprint)
{
    if (footprint->count > DATA_MEMO_ITEMS_MAX)
        return;
    place->text_len = (uint16_t)text.len;
    place->item_count = (uint16_t)footprint->count;
    memcpy(place->text, text.ptr, text.len);
    memcpy(place->items, footprint->items, footprint->count * sizeof(place->items[0]));
}

enum status data_check_memo(struct data_memo *memo, const struct cell *cell,
                            struct footprint *footprint, struct problems *problems)
{
    struct span text = cell->text;
    size_t before = problems_total(problems);

    if (memo == NULL || text.len == 0 || text.len > DATA_MEMO_TEXT_MAX)
        return data_check(cell, footprint, problems);
    struct data_memo_place *place = place_of(memo, text);
    if (span_equal(span_of(place->text, place->text_len), text)) {
        footprint->count = place->item_count;
        memcpy(footprint->items, place->items, place->item_count * sizeof(place->items[0]));
        return STATUS_OK;
    }
    enum status status = data_check(cell, footprint, problems);
    if (status == STATUS_OK && problems_total(problems) == before)
        remember(place, text, footprint);
    return status;
}
