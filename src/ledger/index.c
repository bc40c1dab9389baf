#include "ledger/index.h"

#include "ledger/current.h"

/*
 * An entry's value: what is known of the first row with its hash, and how many rows with that hash
 * have been met. For each further row that has a result there is another entry, under a hash made
 * of hash and occurrence; and one for every 8191 rows that were met.
 */
enum {
    PRESENT = 1u, /* so that no value is 0, which is the table's empty slot */
    MARKED = 1u << 1,
    KNOWN = 1u << 2,
    ORPHAN = 1u << 3,
    STATUS_SHIFT = 4, /* 3 bits */
    ATTEMPTS_SHIFT = 7,
    AMBIGUOUS_SHIFT = 12,
    ACCEPTED = 1u << 17, /* some line of the key … */
    AGAIN = 1u << 18,    /* … and some line was sent again after that */
    MET_SHIFT = 19,      /* 13 bits */
    MET_MAX = 0x1fff,
};

void index_init(struct index *index)
{
    keytable_init(&index->table);
    index->keys = 0;
}

void index_deinit(struct index *index)
{
    if (index != NULL)
        keytable_deinit(&index->table);
}

/* Where the rows of a hash are counted that its own entry has no room for. */
static uint64_t carry_key(uint64_t hash)
{
    return row_id_mix(hash, UINT64_C(1) << 40);
}

static enum status slot_of(struct index *index, uint64_t key, uint32_t **ret_value)
{
    enum status status = keytable_slot(&index->table, key, ret_value);

    if (status == STATUS_OK)
        **ret_value |= PRESENT;
    return status;
}

static struct key_state state_of(uint32_t value)
{
    return (struct key_state){.known = (value & KNOWN) != 0,
                              .was_accepted = (value & ACCEPTED) != 0,
                              .is_again = (value & AGAIN) != 0,
                              .status = (enum row_status)(value >> STATUS_SHIFT & 7),
                              .orphan = (value & ORPHAN) != 0,
                              .attempts = value >> ATTEMPTS_SHIFT & INDEX_ATTEMPTS_MAX,
                              .ambiguous = value >> AMBIGUOUS_SHIFT & INDEX_ATTEMPTS_MAX};
}

static uint32_t capped(uint32_t count)
{
    return count < INDEX_ATTEMPTS_MAX ? count : INDEX_ATTEMPTS_MAX;
}

static void put(struct index *index, uint32_t *value, const struct key_state *state)
{
    const uint32_t kept = PRESENT | MARKED | ACCEPTED | AGAIN | (uint32_t)MET_MAX << MET_SHIFT;

    if ((*value & KNOWN) == 0)
        index->keys++;
    *value = (*value & kept) | KNOWN | (state->orphan ? (uint32_t)ORPHAN : 0) |
             (state->status == ROW_ACCEPTED ? (uint32_t)ACCEPTED : 0) |
             (state->is_again ? (uint32_t)AGAIN : 0) | (uint32_t)state->status << STATUS_SHIFT |
             capped(state->attempts) << ATTEMPTS_SHIFT |
             capped(state->ambiguous) << AMBIGUOUS_SHIFT;
}

enum status index_put(struct index *index, const struct row_id *id, const struct key_state *state)
{
    uint32_t *value;
    enum status status = slot_of(index, row_id_key(id), &value);

    if (status == STATUS_OK)
        put(index, value, state);
    return status;
}

enum status index_learn(struct index *index, const struct row_id *id, const struct key_state *state,
                        bool is_latest, struct key_state *ret_before, bool *ret_unsure)
{
    uint32_t *value;
    enum status status = slot_of(index, row_id_key(id), &value);

    if (status != STATUS_OK)
        return status;
    const struct key_state before = state_of(*value);
    *ret_unsure = false;
    if (!before.known || current_beats(state->status == ROW_ACCEPTED || state->is_again, is_latest,
                                       before.was_accepted || before.is_again, ret_unsure))
        put(index, value, state);
    *ret_before = before;
    return STATUS_OK;
}

void index_get(struct index *index, const struct row_id *id, struct key_state *ret_state)
{
    *ret_state = state_of(keytable_get(&index->table, row_id_key(id)));
}

/* Counts a row in the entry of `key`; how many it has counted, with what was carried. */
static enum status count_met(struct index *index, uint64_t key, uint32_t *ret_count,
                             uint32_t *ret_value)
{
    uint32_t *value, carried = 0;
    enum status status = slot_of(index, key, &value);

    if (status != STATUS_OK)
        return status;
    uint32_t met = *value >> MET_SHIFT;
    if (met < MET_MAX) {
        *value += 1u << MET_SHIFT;
        *ret_value = *value;
        *ret_count = met + 1;
        return STATUS_OK;
    }
    status = count_met(index, carry_key(key), &carried, ret_value);
    if (status != STATUS_OK)
        return status;
    *ret_count = MET_MAX + carried;
    *ret_value = keytable_get(&index->table, key);
    return STATUS_OK;
}

enum status index_meet(struct index *index, uint64_t hash, uint32_t *ret_occurrence,
                       struct key_state *ret_state)
{
    uint32_t occurrence, value;
    enum status status = count_met(index, hash, &occurrence, &value);

    if (status != STATUS_OK)
        return status;
    *ret_occurrence = occurrence;
    if (occurrence > 1)
        value = keytable_get(&index->table,
                             row_id_key(&(struct row_id){.hash = hash, .occurrence = occurrence}));
    *ret_state = state_of(value);
    return STATUS_OK;
}

void index_expect(const struct index *index, uint64_t hash)
{
    keytable_expect(&index->table, hash);
}

void index_rewind(struct index *index)
{
    for (size_t i = 0; i < KEYTABLE_SHARDS; i++) {
        struct keytable_shard *shard = &index->table.shards[i];
        for (uint32_t j = 0; j < shard->capacity; j++)
            for (uint32_t k = 0; k < shard->buckets[j].used; k++)
                shard->buckets[j].values[k] &= (1u << MET_SHIFT) - 1;
    }
}

/* How many rows with the hash were met. */
static uint64_t met_count(struct index *index, uint64_t key)
{
    uint32_t met = keytable_get(&index->table, key) >> MET_SHIFT;

    return met < MET_MAX ? met : met + met_count(index, carry_key(key));
}

bool index_has_met(struct index *index, const struct row_id *id)
{
    return id->occurrence <= met_count(index, id->hash);
}

enum status index_mark(struct index *index, const struct row_id *id, enum index_mark *ret_mark)
{
    uint32_t *value = id->occurrence == 1 ? keytable_find(&index->table, id->hash) : NULL;

    if (value != NULL && *value >> MET_SHIFT > 0) { /* nearly every row: one look-up */
        *ret_mark = (*value & MARKED) != 0 ? INDEX_AGAIN : INDEX_FIRST;
        *value |= MARKED;
        return STATUS_OK;
    }
    if (!index_has_met(index, id)) {
        *ret_mark = INDEX_STRANGE;
        return STATUS_OK;
    }
    enum status status = slot_of(index, row_id_key(id), &value);
    if (status != STATUS_OK)
        return status;
    *ret_mark = (*value & MARKED) != 0 ? INDEX_AGAIN : INDEX_FIRST;
    *value |= MARKED;
    return STATUS_OK;
}
