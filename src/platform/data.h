/*
 * The content of a write: the JSON array `data`, checked item by item by the platform's
 * rules (README.md, "Commands"), and made from res: columns.
 */
#ifndef NB_PLATFORM_DATA_H
#define NB_PLATFORM_DATA_H

#include "core/row.h"
#include "platform/schema.h"

enum { FOOTPRINT_ITEMS_MAX = 128 }; /* more than COMMAND_CONTENT_MAX bytes of data can hold */

/* What a write does to the device's instance: which resource gets which value. */
enum footprint_kind {
    FOOTPRINT_NUMBER,
    FOOTPRINT_BOOLEAN,
    FOOTPRINT_TEXT,
    FOOTPRINT_KIND_COUNT,
    FOOTPRINT_OTHER = FOOTPRINT_KIND_COUNT, /* with a type of its own: opaque, time */
};

struct footprint_item {
    uint16_t res_id;
    uint8_t kind;   /* an enum footprint_kind */
    bool invisible; /* of a text in a data array: holds characters that nobody sees */
    uint32_t value; /* a hash of it */
};

struct footprint {
    struct footprint_item items[FOOTPRINT_ITEMS_MAX];
    size_t count;
};

/* Notes an item, by a hash of its value's text; `type` as in README.md, "Commands". Not more than
 * FOOTPRINT_ITEMS_MAX. */
void footprint_add(struct footprint *footprint, int64_t res_id, int64_t type, bool is_string,
                   struct span value);

/* Adds a warning for each resource that is in the footprint twice. */
void footprint_check(const struct footprint *footprint, struct span field,
                     struct problems *problems);

/*
 * Checks a data array; adds every problem it has, in fields such as data[0].val; good items are
 * noted in the footprint. Text without an error is RFC 8259 JSON in UTF-8. STATUS_OK (also with
 * problems), or STATUS_NO_MEMORY where the text could not be read to its end.
 */
enum status data_check(const struct cell *cell, struct footprint *footprint,
                       struct problems *problems) MUST_USE;

/*
 * Appends the item that a res: column's cell stands for: {"res_id":5850,"val":true}. A number keeps
 * its digits, a text the blanks around it. Problems (bad hex, a time that is no number) are added
 * under the column's name.
 */
void data_add_res(const struct column *column, const struct cell *cell, struct footprint *footprint,
                  struct problems *problems, struct buf *out);

/* Appends the same item without the blanks around a text, and checks nothing: what a row's key is
 * made of. */
void data_add_res_key(const struct column *column, const struct cell *cell, struct buf *out);

/* Adds a problem where a spreadsheet left an error or a formula in place of the value; whether it
 * did. */
bool data_check_damage(struct span field, struct span text, struct problems *problems);

/* Adds a problem where the content is larger than the platform takes. */
void content_check_size(const char *field, struct span content, struct problems *problems);

#endif
