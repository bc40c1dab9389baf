/* Writing the HTML page of results, at the end of a run and later. Private to cli/. */
#ifndef NB_CLI_REPORT_H
#define NB_CLI_REPORT_H

#include "cli/options.h"
#include "cli/results_page.h"
#include "cli/sending.h"

/*
 * Reads the results (facts->results), fills in what they say, and writes the page to `path`. 0 or
 * an exit status, after the reason was said.
 */
int report_write(const char *path, struct page_facts *facts, results_filter_fn *filter,
                 void *context);

/* In flight over time; a tick of the job is a sample. */
void report_sample(struct series *flight, const struct job_status *status);

/* The settings that a page shows. */
struct report_settings {
    struct page_entry entries[128];
    size_t count;
    bool simulates; /* so that the endpoint is not the one of the settings */
};

/* Copies; what finds no memory is left out. */
void report_settings_init(struct report_settings *shown, const struct settings *settings);
void report_settings_deinit(struct report_settings *shown);

#endif
