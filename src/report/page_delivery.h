/*
 * Delivery in the page: what became of the commands that the platform has accepted, by the status
 * file. Counted line by line, in fixed memory.
 *
 *     page_delivery_add(&delivery, &row);               // each line of a current uuid
 *     page_delivery_add_html(&delivery, accepted, &out);
 *
 * A zeroed struct is empty. Pure.
 */
#ifndef NB_REPORT_PAGE_DELIVERY_H
#define NB_REPORT_PAGE_DELIVERY_H

#include "platform/delivery.h"
#include "report/series.h"

enum { DELIVERY_REASONS_MAX = 24, DELIVERY_REASON_TEXT_MAX = 79 };

struct delivery_row {
    enum command_state state;
    enum confirm confirm;
    bool is_open; /* its state is not the last one */
    struct span reason;
    int64_t ended_s;   /* when its state came about, epoch; HISTORY_NONE: not known */
    int64_t expires_s; /* HISTORY_NONE */
    int64_t asked_s;   /* likewise */
};

/* Commands that ended alike, and not as they should. */
struct delivery_reason {
    enum command_state state;
    enum confirm confirm; /* CONFIRM_NONE: the text alone says why */
    uint64_t count;
    char text[DELIVERY_REASON_TEXT_MAX + 1]; /* printable */
};

struct page_delivery {
    const char *file; /* the status file's name */
    uint64_t total;
    uint64_t states[COMMAND_STATE_COUNT];
    uint64_t open;        /* that have not come to their end */
    uint64_t other_lines; /* of the status file, that speak of other uuids */
    struct delivery_reason reasons[DELIVERY_REASONS_MAX];
    size_t reason_count;
    uint64_t other_reasons;
    int64_t asked_s, last_expires_s; /* the latest; of those that are open; 0: none */
    struct series ended;             /* a lane for each state that is an end, see chart.h */
};

void page_delivery_add(struct page_delivery *delivery, const struct delivery_row *row);

/* Appends the section; `accepted`: rows of the results whose current line says so. */
void page_delivery_add_html(const struct page_delivery *delivery, uint64_t accepted,
                            struct buf *out);

#endif
