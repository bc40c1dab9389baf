/*
 * What the results say about which row, by content: a key is the hash of a row and its number among
 * the rows with that hash, so that a file may be sorted, cut, extended or corrected between runs.
 *
 *     index_learn(&index, &id, &state, …);                // each line of the results, in order
 *     index_meet(&index, hash, &occurrence, &state);      // each row of the input, in order
 *     index_rewind(&index);                               // the input is read once more
 *
 * One entry of a keytable for each different content, and one more for each repetition that has a
 * result: 14–18 bytes each.
 */
#ifndef NB_LEDGER_INDEX_H
#define NB_LEDGER_INDEX_H

#include "core/keytable.h"
#include "core/row_id.h"
#include "core/row_status.h"

/* Attempts are remembered up to this number. */
enum { INDEX_ATTEMPTS_MAX = 31 };

/* What the line of a key says that counts. */
struct key_state {
    bool known;        /* there is one */
    bool was_accepted; /* it, or another one of the key; told by the index, not to it */
    bool is_again;     /* it was sent again after an accepted one; told: some line of the key was */
    enum row_status status;
    bool orphan;                  /* in doubt since a run died, not since it decided so */
    uint32_t attempts, ambiguous; /* INDEX_ATTEMPTS_MAX at most */
};

struct index {
    struct keytable table;
    uint64_t keys; /* that have a result */
};

void index_init(struct index *index);
void index_deinit(struct index *index);

/* What counts for a key from now on. STATUS_NO_MEMORY. */
enum status index_put(struct index *index, const struct row_id *id,
                      const struct key_state *state) MUST_USE;

/*
 * A line of the results, which is put where it is the one that counts (ledger/current.h), as far as
 * that can be told without the times of earlier lines, which are not kept: `is_latest` says that
 * none of them ended later. Where it cannot be told, *ret_unsure is set, and the lines of the key
 * are to be weighed in another pass. *ret_before is what was known. STATUS_NO_MEMORY.
 */
enum status index_learn(struct index *index, const struct row_id *id, const struct key_state *state,
                        bool is_latest, struct key_state *ret_before, bool *ret_unsure) MUST_USE;

/* What is known of a key. */
void index_get(struct index *index, const struct row_id *id, struct key_state *ret_state);

/* The next row of the input: which of its kind it is, and what the results say. STATUS_NO_MEMORY.
 */
enum status index_meet(struct index *index, uint64_t hash, uint32_t *ret_occurrence,
                       struct key_state *ret_state) MUST_USE;

/* A hint that the key will be put, got or marked soon. */
void index_expect(const struct index *index, uint64_t hash);

/* Forgets which rows were met, not what the results say. */
void index_rewind(struct index *index);

/* Whether the row that a key stands for has been met since the last rewind. */
bool index_has_met(struct index *index, const struct row_id *id);

/*
 * For the account at the end of a run: whether a line's key belongs to a row that was met, and has
 * not been marked before. Marks it. STATUS_NO_MEMORY.
 */
enum index_mark { INDEX_FIRST, INDEX_AGAIN, INDEX_STRANGE };
enum status index_mark(struct index *index, const struct row_id *id,
                       enum index_mark *ret_mark) MUST_USE;

#endif
