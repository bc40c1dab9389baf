/*
 * The columns that a run has carried over from its input into the results, behind their own.
 *
 *     result_passed_names(&results, &text, names, &count);
 *     count = result_passed_cells(&results, &fields, &text, cells);
 *
 * Private to run/.
 */
#ifndef NB_RUN_RESULT_PASSED_H
#define NB_RUN_RESULT_PASSED_H

#include "core/row.h"
#include "ledger/results.h"
#include "platform/layout.h"

/* Their names, as spans of `text`, which is cleared first and stays the caller's. STATUS_SYNTAX:
 * there are more than LAYOUT_PASSES_MAX; STATUS_NO_MEMORY. */
enum status result_passed_names(const struct results *results, struct buf *text,
                                struct span names[LAYOUT_PASSES_MAX], size_t *ret_count) MUST_USE;

/* The cells of a line, likewise; how many there are. `fields` are of result_scan_next. */
size_t result_passed_cells(const struct results *results, const struct result_fields *fields,
                           struct buf *text, struct cell cells[LAYOUT_PASSES_MAX]);

#endif
