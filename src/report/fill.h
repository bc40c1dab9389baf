/*
 * Fills in the placeholders of a text such as page.html:
 *
 *     {{name}}                 a value, as people read it: 12,345, 1.5 s, text with its special
 *                              characters as references
 *     {{=name}}                a number as programs read it: 12345
 *     {{#name}}…{{/name}}      only where there is such a value (not 0, not empty); for a list,
 *                              once for each of its items
 *     {{^name}}…{{/name}}      only where there is none
 *
 * A line of nothing but a {{#…}}, {{^…}} or {{/…}} is left out. Pure.
 */
#ifndef NB_REPORT_FILL_H
#define NB_REPORT_FILL_H

#include "core/buf.h"

enum fill_kind {
    FILL_TEXT,
    FILL_COUNT,   /* 12,345 */
    FILL_SHARE,   /* 99.2 %: of `whole` */
    FILL_BYTES,   /* 1.5 KB */
    FILL_LATENCY, /* microseconds */
    FILL_SECONDS, /* `real` */
    FILL_RATE,    /* `real` */
    FILL_TIME,    /* milliseconds since 1970 */
    FILL_LIST,    /* calls `list` for its part of the text */
    FILL_DRAWN,   /* calls `list` in place of a value, with an empty part */
};

struct fill;

struct fill_value {
    const char *name;
    enum fill_kind kind;
    uint64_t count, whole;
    double real;
    const char *text; /* NULL is empty */
    void (*list)(const struct fill *fill, struct span part, struct buf *out);
};

/* What is known at a place of the text; within a list also what is known of the item. */
struct fill {
    const struct fill_value *values;
    size_t count;
    const struct fill *outer; /* NULL: none */
    const void *subject;      /* for the functions of lists: what the values are about */
};

/* Appends the part of the text with its placeholders filled in. A name that nobody knows is
 * STATUS_SYNTAX in out->status. */
void fill_add(const struct fill *fill, struct span part, struct buf *out);

/* The same for a whole text of HTML, in the language that is set: what is between two tags of
 * HTML, with its placeholders and without the blanks around it, is a text of the catalogue. */
void fill_add_page(const struct fill *fill, struct span page, struct buf *out);

/* Values, as initializers. */
#define COUNT(label, number)                                   \
    {                                                          \
        .name = (label), .kind = FILL_COUNT, .count = (number) \
    }
#define TEXT(label, string)                                  \
    {                                                        \
        .name = (label), .kind = FILL_TEXT, .text = (string) \
    }
#define SHARE(label, part, all)                                              \
    {                                                                        \
        .name = (label), .kind = FILL_SHARE, .count = (part), .whole = (all) \
    }
#define LATENCY(label, us)                                   \
    {                                                        \
        .name = (label), .kind = FILL_LATENCY, .count = (us) \
    }
#define TIME(label, epoch_ms)                                             \
    {                                                                     \
        .name = (label), .kind = FILL_TIME, .count = (uint64_t)(epoch_ms) \
    }
#define LIST(label, add)                                  \
    {                                                     \
        .name = (label), .kind = FILL_LIST, .list = (add) \
    }
#define DRAWN(label, draw)                                  \
    {                                                       \
        .name = (label), .kind = FILL_DRAWN, .list = (draw) \
    }

#endif
