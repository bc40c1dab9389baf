/*
 * The blanks around cells without quotes: they belong to the cells, and libcsv drops them. Pure;
 * private to csv.c.
 */
#ifndef NB_INPUT_CSV_BLANKS_H
#define NB_INPUT_CSV_BLANKS_H

#include "input/reader.h"

/*
 * Sets `given` of each of the row's `count` cells that has lost blanks. `typed` is the row as it is
 * in the input, its line end included, which the cells then lead to; `bytes` is how long its cells
 * are as libcsv gave them, with one byte behind each.
 */
void csv_blanks_find(struct span typed, char delimiter, size_t bytes, struct cell *cells,
                     size_t count);

#endif
