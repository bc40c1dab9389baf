/*
 * Which row of the input something is about. Whoever reads a row makes it, once; it is passed on
 * and kept as it is: by the engine, the journal, and the lines of the results.
 *
 *     const struct row_id id = {.row = 3, .line = 5, .hash = h, .occurrence = 1, .device = d};
 *
 * `hash` and `occurrence` together are the row's key: it names the row by its content, also where
 * the file has been sorted, cut or corrected since. `row` and `line` are for people, and `device`
 * for the order of sending.
 */
#ifndef NB_CORE_ROW_ID_H
#define NB_CORE_ROW_ID_H

#include <stdint.h>

/* In the order in which the journal has it on disk (ledger/journal.c checks that). */
struct row_id {
    uint64_t hash;       /* of the row's content, as given */
    uint64_t device;     /* a number that the platform makes of the row; equal ones are one device
                            (0: it is not known, or none) */
    uint64_t row;        /* data rows, from 1 */
    uint64_t line;       /* the physical line on which it starts, from 1 */
    uint32_t occurrence; /* which of the rows with this hash it is, from 1 */
};

#endif
