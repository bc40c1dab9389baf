#include "platform/history_pages.h"

#include <xxhash.h>

void history_pages_deinit(struct history_pages *pages)
{
    if (pages->seen > 0)
        keytable_deinit(&pages->uuids);
    *pages = (struct history_pages){.device = 0};
}

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

/* Whether the entry is met for the first time. One without a uuid cannot be told. */
static bool is_new(struct history_pages *pages, const char *uuid)
{
    size_t len = strlen(uuid);
    uint64_t hash = XXH3_64bits(uuid, len);
    uint32_t count = 0;

    if (pages->first == 0 && len > 0)
        pages->first = hash;
    pages->is_unreadable |= len == 0 || keytable_count(&pages->uuids, hash, &count) != STATUS_OK;
    pages->has_overlap |= count > 1;
    return count <= 1;
}

static void take(void *context, const struct history_entry *entry)
{
    const struct paging *paging = context;
    struct history_pages *pages = paging->pages;

    if (!is_new(pages, entry->uuid))
        return;
    pages->seen++;
    if (history_is_of_another(entry, pages->device, span_of(NULL, 0)))
        pages->is_of_another = true;
    else
        paging->each(paging->context, entry);
}

/* The end of what the list has: all of it, or something came or went while it was read. */
static enum pages_step end(struct history_pages *pages)
{
    uint64_t device = pages->device;
    uint32_t reads = pages->reads + 1;

    pages->is_short = pages->seen < pages->total;
    if (!pages->has_shrunk && !(pages->has_overlap && pages->is_short))
        return PAGES_END;
    if (reads == HISTORY_READS_MAX)
        return PAGES_BROKEN;
    history_pages_deinit(pages);
    pages->device = device;
    pages->reads = reads;
    return PAGES_AGAIN;
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
    pages->has_shrunk |= total < pages->total;
    pages->total = total;
    bool more = pages->seen > before && pages->seen < total;
    bool is_same = pages->first != 0 && pages->first == pages->first_before;
    bool is_empty = pages->seen == 0 && total > 0; /* of so many it shows none */
    if (is_same || is_empty || (more && pages->page >= HISTORY_PAGES_MAX))
        return PAGES_BROKEN;
    return more ? PAGES_MORE : end(pages);
}
