/*
 * The pages of a device's list (OPERATION_LIST): which one is asked for next, and whether what was
 * read is all of it. How many commands a page holds is the platform's: the reading ends when as
 * many different ones were seen as total_count says, which may grow from page to page, or with a
 * page that brings no new one. A list whose pages are all the same one has no end. Pure.
 *
 *     struct history_pages pages = {.device = device};
 *     do {
 *         history_pages_ask(&pages, &question);    // its page; start and order are the caller's
 *         step = history_pages_take(&pages, answer, take, context);
 *     } while (step == PAGES_MORE || step == PAGES_AGAIN);
 *     history_pages_deinit(&pages);
 *
 * The list may change while it is read: a command that comes or goes between two pages moves the
 * others, which are then met twice or passed over. Where that shows (fewer were seen than there
 * are, and some twice; or the total has shrunk), the list is read once more from its first page,
 * HISTORY_READS_MAX times at the most.
 *
 * The list names commands of others, too. An item that cannot be told, or is of another device, may
 * be any command: what was not found in such a list may be there all the same.
 */
#ifndef NB_PLATFORM_HISTORY_PAGES_H
#define NB_PLATFORM_HISTORY_PAGES_H

#include "core/keytable.h"
#include "platform/history.h"
#include "platform/operation.h"

enum {
    HISTORY_PER_PAGE = 50,    /* a page of them is well below what the transport takes */
    HISTORY_PAGES_MAX = 1000, /* of one list; a platform that has more repeats itself */
    HISTORY_READS_MAX = 3,    /* of a list that changes */
};

struct history_pages {
    uint64_t device;
    uint32_t page;                /* that was asked for last, from 1 */
    uint32_t reads;               /* of the whole list, before this one */
    uint64_t seen;                /* different entries so far, those of others too */
    uint64_t total;               /* as the last page has it */
    uint64_t first, first_before; /* a hash of what the page begins with, and the one before */
    struct keytable uuids;        /* the hashes of those that were seen */
    bool has_overlap, has_shrunk; /* an entry was met twice; there were more before */
    bool is_unreadable;           /* an item of it, or a page as a whole */
    bool is_of_another;           /* an item spoke of another device */
    bool is_short;                /* it ended before as many were seen as it said there are */
};

enum pages_step {
    PAGES_MORE,  /* there is another page to be read */
    PAGES_AGAIN, /* likewise, but the first one: what was taken is to be forgotten */
    PAGES_END,
    PAGES_BROKEN, /* it was not read to its end, nor will it be: see is_unreadable */
};

/* Takes a zeroed struct, and leaves one. */
void history_pages_deinit(struct history_pages *pages);

/* The page that is next, as a question's device, page and per_page. */
void history_pages_ask(struct history_pages *pages, struct question *question);

/* Takes a page: each entry that may be of the device, once. `body` as for history_read_list. */
enum pages_step history_pages_take(struct history_pages *pages, struct span body,
                                   history_entry_fn *each, void *context);

#endif
