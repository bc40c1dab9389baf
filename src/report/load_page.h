/* The HTML page of a bench: what each rate came to, latencies by percentile, what ended when. */
#ifndef NB_REPORT_LOAD_PAGE_H
#define NB_REPORT_LOAD_PAGE_H

#include "report/load.h"
#include "report/series.h"

/* Appends the whole document, one that may be replaced as a run's may (report/page.h). */
void load_page_add_html(const struct load_report *report, const struct series *ended,
                        const char *version, struct buf *out);

#endif
