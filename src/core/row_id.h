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

/* SplitMix64's finalizer: uniform in all bits where its input is different. */
static inline uint64_t row_id_mix(uint64_t hash, uint64_t with)
{
    uint64_t z = hash + with * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* The row's key as one number, for tables. */
static inline uint64_t row_id_key(const struct row_id *id)
{
    return id->occurrence == 1 ? id->hash : row_id_mix(id->hash, id->occurrence);
}

#endif
