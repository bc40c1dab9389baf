#include "report/page.h"

#include <stdlib.h>

#include "platform/problem.h"

struct page *page_new(void)
{
    return calloc(1, sizeof(struct page));
}

void page_free(struct page *page)
{
    free(page);
}

void page_clear(struct page *page)
{
    memset(page, 0, sizeof(*page));
}

void page_add_row(struct page *page, const struct page_row *row)
{
    enum row_status status = row->reason.status;

    if (page->total++ == 0)
        page->first_ms = page->last_ms = row->finished_ms;
    page->rows[status]++;
    page->attempts += row->attempts;
    page->retried += row->attempts > 1;
    page->doubtful += status == ROW_ACCEPTED && row->ambiguous > 0;
    page->passing += status == ROW_INVALID && problem_reason_passes(row->reason.text);
    if (row->finished_ms < page->first_ms)
        page->first_ms = row->finished_ms;
    if (row->finished_ms > page->last_ms)
        page->last_ms = row->finished_ms;
    if (row->latency_us >= 0)
        histogram_add(&page->latency, (uint64_t)row->latency_us);
    series_add(&page->ended, row->finished_ms, status, 1);
    if (status != ROW_ACCEPTED)
        groups_add(&page->groups, &row->reason, row->row, row->line, row->imei);
}
