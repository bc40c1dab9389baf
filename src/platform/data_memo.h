/*
 * What data_check found good lately. Most rows of a fleet carry one of a few texts: those need not
 * be parsed again. Fixed memory, about 150 KB.
 */
#ifndef NB_PLATFORM_DATA_MEMO_H
#define NB_PLATFORM_DATA_MEMO_H

#include "platform/data.h"

enum { DATA_MEMO_PLACES = 256, DATA_MEMO_TEXT_MAX = 400, DATA_MEMO_ITEMS_MAX = 16 };

struct data_memo_place {
    uint16_t text_len; /* 0: empty */
    uint16_t item_count;
    struct footprint_item items[DATA_MEMO_ITEMS_MAX];
    char text[DATA_MEMO_TEXT_MAX];
};

struct data_memo {
    struct data_memo_place places[DATA_MEMO_PLACES];
};

/* As data_check; a text that was checked before and had no problem is known. `memo` may be NULL. */
enum status data_check_memo(struct data_memo *memo, const struct cell *cell,
                            struct footprint *footprint, struct problems *problems) MUST_USE;

#endif
