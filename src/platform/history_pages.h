/*
 * The pages of a device's list (OPERATION_LIST): which one is asked for next, and whether what was
 * read is all of it. How many commands a page holds is the platform's: the reading ends when as
 * many were seen as total_count says, which may change from page to page, or with a page that is
 * empty. A list whose pages are all the same one has no end. Pure.
 *
 *     struct history_pages pages = {.device = device};
 *     do
 *         history_pages_ask(&pages, &question);         // its page; start and order are the
 * caller's while (history_pages_take(&pages, answer, take, context) == PAGES_MORE);
 *
 * The list names commands of others, too. An item that cannot be told, or is of another device, may
 * be any command: what was not found in such a list may be there all the same.
 */
#ifndef NB_PLATFORM_HISTORY_PAGES_H
#define NB_PLATFORM_HISTORY_PAGES_H

#include "platform/history.h"
#include "platform/operation.h"

enum {
    HISTORY_PER_PAGE = 50,    /* a page of them is well below what the transport takes */
    HISTORY_PAGES_MAX = 1000, /* of one list; a platform that has more repeats itself */
};

struct history_pages {
    uint64_t device;
    uint32_t page;                /* that was asked for last, from 1 */
    uint64_t seen;                /* entries so far, those of others too */
    uint64_t first, first_before; /* a hash of what the page begins with, and the one before */
    bool is_unreadable;           /* an item of it, or a page as a whole */
    bool is_of_another;           /* an item spoke of another device */
    bool is_short;                /* it ended before as many were seen as it said there are */
};

enum pages_step {
    PAGES_MORE, /* there is another page to be read */
    PAGES_END,
    PAGES_BROKEN, /* it was not read to its end, nor will it be: see is_unreadable */
};

/* The page that is next, as a question's device, page and per_page. */
void history_pages_ask(struct history_pages *pages, struct question *question);

/* Takes a page: each entry that may be of the device. `body` as for history_read_list. */
enum pages_step history_pages_take(struct history_pages *pages, struct span body,
                                   history_entry_fn *each, void *context);

#endif
