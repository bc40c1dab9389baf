/*
 * Brings the lines of a results file that count into an HTML page. Private to run/.
 */
#ifndef NB_RUN_RESULTS_PAGE_H
#define NB_RUN_RESULTS_PAGE_H

#include "ledger/results.h"
#include "report/page.h"

/* What the file says beside its rows. */
struct results_page {
    struct page *page;
    bool jsonl;
    uint64_t lines, superseded;
    uint64_t strange;  /* lines that were left out by the filter */
    bool is_rehearsal; /* rows were accepted by a simulator */
    bool is_cut;       /* the last line is not whole, and has not been counted */
    struct buf passed; /* names of the passed columns, with commas */
};

/* Reads the file (see results_open). `filter` may be NULL: a run leaves out the lines of rows that
 * its input no longer has. STATUS_SYNTAX, STATUS_IO, STATUS_NO_MEMORY; each with a text in
 * `message`. */
enum status results_page_read(const char *path, results_filter_fn *filter, void *context,
                              struct buf *message, struct results_page *ret_result) MUST_USE;

/* Takes a zeroed struct. */
void results_page_deinit(struct results_page *result);

#endif
