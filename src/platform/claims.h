/*
 * Which of a device's commands in the platform's history are whose, for the rows of that device
 * that are in doubt. Rows that asked for the same draw from one pool; each command is claimed once.
 *
 *     claims_settle(rows, row_count, likeness, entry_count, owner);
 *
 * A row has been processed where a command is left for it, and has not been where none is and all
 * that are nobody's provably differ. A command that two different rows could have asked for is
 * nobody's, and tells nothing. Pure.
 */
#ifndef NB_PLATFORM_CLAIMS_H
#define NB_PLATFORM_CLAIMS_H

#include <stddef.h>

#include "platform/likeness.h"

enum claim {
    CLAIM_FOUND,
    CLAIM_NONE,    /* the platform does not have it */
    CLAIM_UNCLEAR, /* it cannot be told */
};

#define CLAIM_NOBODY SIZE_MAX

struct claim_row {
    size_t pool;       /* the first row that asked for the same; itself, where it is that */
    unsigned attempts; /* that may have been processed */
    bool is_covered;   /* all that it has asked for is known: else it is never CLAIM_NONE */
    enum claim claim;  /* what it comes to */
};

/*
 * `likeness`: of entry e and row r at [e * row_count + r]; the entries in the order of age, without
 * those that are known to be another row's. `owner`: of each entry, the row that has claimed it or
 * whose surplus it is, CLAIM_NOBODY. A row's first entry is its own, further ones are surplus.
 */
void claims_settle(struct claim_row *rows, size_t row_count, const unsigned char *likeness,
                   size_t entry_count, size_t *owner);

/* Whether nothing can come to it any more: each attempt has its command. */
bool claims_are_full(const struct claim_row *rows, size_t row_count, const size_t *owner,
                     size_t entry_count);

#endif
