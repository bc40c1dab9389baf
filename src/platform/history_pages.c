#include "platform/history_pages.h"

#include <xxhash.h>

void history_pages_ask(struct history_pages *pages, struct question *question)
{
    pages->page++;
    question->device = pages->device;
    question->page = pages->page;
    question->per_page = HISTORY_PER_PAGE;
}

struct paging {
    struct history_pages *pages;
    history_entry_fn *each;
    void *context;
};

static void take(void *context, const struct history_entry *entry)
{
    const struct paging *paging = context;
    struct history_pages *pages = paging->pages;
    size_t len = strlen(entry->uuid);

    pages->seen++;
    if (pages->first == 0 && len > 0)
        pages->first = XXH3_64bits(entry->uuid, len);
    if (history_is_of_another(entry, pages->device, span_of(NULL, 0))) {
        pages->is_of_another = true;
        return;
    }
    pages->is_unreadable = pages->is_unreadable || len == 0;
    paging->each(paging->context, entry);
}

enum pages_step history_pages_take(struct history_pages *pages, struct span body,
                                   history_entry_fn *each, void *context)
{
    struct paging paging = {pages, each, context};
    uint64_t before = pages->seen, total = 0;

    pages->first_before = pages->first;
    pages->first = 0;
    if (body.ptr == NULL || history_read_list(body, take, &paging, &total) != STATUS_OK) {
        pages->is_unreadable = true;
        return PAGES_BROKEN;
    }
    bool more = pages->seen > before && pages->seen < total;
    bool is_same = pages->first != 0 && pages->first == pages->first_before;
    bool is_empty = pages->seen == 0 && total > 0; /* of so many it shows none */
    pages->is_short = !more && pages->seen < total;
    if (is_same || is_empty || (more && pages->page >= HISTORY_PAGES_MAX))
        return PAGES_BROKEN;
    return more ? PAGES_MORE : PAGES_END;
}
