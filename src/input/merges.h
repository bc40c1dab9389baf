/* The merged cells of a sheet. Their list comes behind the rows, so that it is looked for first. */
#ifndef NB_INPUT_MERGES_H
#define NB_INPUT_MERGES_H

#include "input/book.h"
#include "input/cell_text.h"

/* Zeroed for none. */
struct sheet_merges {
    struct cell_range *ranges; /* in the order of their first rows */
    size_t count, capacity;
};

/* Finds the merged cells of the chosen sheet: unpacks all of it. `ret_merges` is zeroed before.
 * STATUS_BAD_INPUT, STATUS_NO_MEMORY. */
enum status sheet_find_merges(struct book *book, struct sheet_merges *ret_merges) MUST_USE;

void sheet_merges_deinit(struct sheet_merges *merges);

#endif
