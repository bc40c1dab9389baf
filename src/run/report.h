/* Writing the HTML page of results, at the end of a run and later. Private to run/. */
#ifndef NB_RUN_REPORT_H
#define NB_RUN_REPORT_H

#include "run/person.h"
#include "run/results_page.h"

/*
 * Reads the results (facts->results), fills in what they say, and writes the page to `path`. 0 or
 * an exit status, after the reason was said.
 */
int report_write(const char *path, const struct person *person, struct page_facts *facts,
                 results_filter_fn *filter, void *context);

/* In flight over time; a tick of the job is a sample. */
void report_sample(struct series *flight, const struct job_status *status);

#endif
