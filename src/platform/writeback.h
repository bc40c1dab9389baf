/*
 * What it takes to put old values back: which resources a write changes, what a read has brought,
 * and the item of `data` that writes it again. Values are never read, only carried: digit for
 * digit, text for text. Pure.
 *
 *     writeback_each_item(command_body(&command), take, context);
 *     writeback_read_value(line, &value)          // a line of what nbatch status --values wrote
 *     writeback_add_item(value.res_id, type, value.json, &out);
 */
#ifndef NB_PLATFORM_WRITEBACK_H
#define NB_PLATFORM_WRITEBACK_H

#include "core/buf.h"

enum { WRITEBACK_BASIC = 0, WRITEBACK_OPAQUE = 1, WRITEBACK_TIME = 2 };

/* An item of a good write's body: `type` as the platform numbers it. */
typedef void writeback_item_fn(void *context, uint16_t res_id, uint8_t type);
void writeback_each_item(struct span body, writeback_item_fn *each, void *context);

struct writeback_value {
    uint64_t row;
    uint16_t res_id;
    bool has_instances; /* one of several values of the resource, which no write can put back */
    struct span json;
};

/* False for a line that is none: one that was cut, too. */
bool writeback_read_value(struct span line, struct writeback_value *ret_value);

/* Whether the value may have been an opaque one or a time, which come back as a text of hex digits
 * and as a whole number. */
bool writeback_may_be_typed(struct span json);

void writeback_add_item(uint16_t res_id, uint8_t type, struct span json, struct buf *out);

#endif
