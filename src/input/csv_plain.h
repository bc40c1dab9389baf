/*
 * The short way through a row of a CSV, eight bytes at once, since libcsv takes 36 instructions a
 * byte. Plain is a row that lies in the block as a whole and has no blank at the edge of a cell,
 * quotes only around cells, and doubled within them, and no control character. Pure; private to
 * csv.c.
 */
#ifndef NB_INPUT_CSV_PLAIN_H
#define NB_INPUT_CSV_PLAIN_H

#include "input/reader.h"

enum {
    CSV_PLAIN_MAX = 4096,                 /* bytes of a row that is split here */
    CSV_PLAIN_BYTES = CSV_PLAIN_MAX + 16, /* what it may write to */
};

struct csv_plain {
    size_t cell_count; /* may be more than READER_COLUMNS_MAX */
    size_t bytes;      /* of all cells, each with a comma behind it */
    bool is_ascii;
};

/*
 * Splits the plain row that the block starts with, of at most `max` bytes: the cells go to `to`, of
 * CSV_PLAIN_BYTES, and the offset of the comma behind each to `ends`. Returns the row's length in
 * the block, the line end included; 0 for any other row. SOURCE_BEHIND_BYTES behind the block may
 * be read.
 */
size_t csv_plain_split(struct span block, size_t max, char delimiter, char *to,
                       size_t ends[READER_COLUMNS_MAX], struct csv_plain *ret_plain);

#endif
