/*
 * Brings the lines of a results file into an HTML page. One line of each key counts
 * (ledger/current.h): the keys are kept in memory (14–21 bytes for each row, and 30–37 for each
 * that has several lines), nothing else is. Private to run/.
 */
#ifndef NB_RUN_RESULTS_PAGE_H
#define NB_RUN_RESULTS_PAGE_H

#include "report/page.h"

/* What the file says beside its rows. */
struct results_page {
    struct page *page;
    bool jsonl;
    uint64_t lines, superseded;
    uint64_t strange;  /* lines that were left out by the filter */
    bool is_cut;       /* the last line is not whole, and has not been counted */
    struct buf passed; /* names of the passed columns, with commas */
};

/* Whether the lines of a key count: a run leaves out those of rows that its input no longer has. */
typedef bool results_page_filter_fn(void *context, uint64_t hash, uint32_t occurrence);

/*
 * Reads the file, which may be under way: as much of it as is there at the start. CSV or JSONL is
 * told by the first byte, the passed columns by the header. `filter` may be NULL. STATUS_SYNTAX for
 * a file that is none of nbatch's results, or damaged; STATUS_IO, STATUS_NO_MEMORY; each with a
 * text in `message`.
 */
enum status results_page_read(const char *path, results_page_filter_fn *filter, void *context,
                              struct buf *message, struct results_page *ret_result) MUST_USE;

/* Takes a zeroed struct. */
void results_page_deinit(struct results_page *result);

#endif
