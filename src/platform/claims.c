#include "platform/claims.h"

/* What an entry is to a pool: the best that it is to one of its rows. */
static enum likeness to_pool(const struct claim_row *rows, size_t row_count, size_t pool,
                             const unsigned char *of_entry)
{
    enum likeness best = LIKENESS_DIFFERENT;

    for (size_t r = 0; r < row_count; r++)
        if (rows[r].pool == pool && of_entry[r] < best)
            best = (enum likeness)of_entry[r];
    return best;
}

/* The pool whose entry it is; CLAIM_NOBODY for none, or several. */
static size_t pool_of(const struct claim_row *rows, size_t row_count, const unsigned char *of_entry)
{
    size_t found = CLAIM_NOBODY;

    for (size_t r = 0; r < row_count; r++) {
        if (of_entry[r] != LIKENESS_EQUAL || rows[r].pool == found)
            continue;
        if (found != CLAIM_NOBODY)
            return CLAIM_NOBODY;
        found = rows[r].pool;
    }
    return found;
}

/* The next row of the pool that has no entry; those that are fully known come first. */
static size_t next_of(const struct claim_row *rows, size_t row_count, size_t pool)
{
    size_t found = CLAIM_NOBODY;

    for (size_t r = 0; r < row_count; r++) {
        if (rows[r].pool != pool || rows[r].claim == CLAIM_FOUND)
            continue;
        if (rows[r].is_covered)
            return r;
        if (found == CLAIM_NOBODY)
            found = r;
    }
    return found;
}

/* What is left in the pool when each entry has its row. */
static void settle_rest(struct claim_row *rows, size_t row_count, size_t pool, bool is_clear)
{
    for (size_t r = 0; r < row_count; r++)
        is_clear = is_clear && (rows[r].pool != pool || rows[r].is_covered);
    for (size_t r = 0; r < row_count; r++)
        if (rows[r].pool == pool && rows[r].claim != CLAIM_FOUND)
            rows[r].claim = is_clear ? CLAIM_NONE : CLAIM_UNCLEAR;
}

static void settle_pool(struct claim_row *rows, size_t row_count, size_t pool,
                        const unsigned char *likeness, size_t entry_count, size_t *owner)
{
    bool is_clear = true;

    for (size_t e = 0; e < entry_count; e++) {
        const unsigned char *of_entry = likeness + e * row_count;
        if (pool_of(rows, row_count, of_entry) != pool) {
            is_clear = is_clear && to_pool(rows, row_count, pool, of_entry) == LIKENESS_DIFFERENT;
            continue;
        }
        size_t row = next_of(rows, row_count, pool);
        if (row != CLAIM_NOBODY)
            rows[row].claim = CLAIM_FOUND;
        owner[e] = row != CLAIM_NOBODY ? row : pool;
    }
    settle_rest(rows, row_count, pool, is_clear);
}

void claims_settle(struct claim_row *rows, size_t row_count, const unsigned char *likeness,
                   size_t entry_count, size_t *owner)
{
    for (size_t e = 0; e < entry_count; e++)
        owner[e] = CLAIM_NOBODY;
    for (size_t r = 0; r < row_count; r++)
        rows[r].claim = CLAIM_UNCLEAR;
    for (size_t r = 0; r < row_count; r++)
        if (rows[r].pool == r)
            settle_pool(rows, row_count, r, likeness, entry_count, owner);
}

bool claims_are_full(const struct claim_row *rows, size_t row_count, const size_t *owner,
                     size_t entry_count)
{
    for (size_t pool = 0; pool < row_count; pool++) {
        size_t wanted = 0, had = 0;
        for (size_t r = 0; r < row_count; r++)
            wanted += rows[r].pool == pool ? rows[r].attempts : 0;
        for (size_t e = 0; e < entry_count; e++)
            had += owner[e] != CLAIM_NOBODY && rows[owner[e]].pool == pool;
        if (had < wanted)
            return false;
    }
    return true;
}
