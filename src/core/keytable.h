/*
 * A table from 64-bit hashes to a 32-bit value that is not 0, in few bytes an entry: how often a
 * row has been seen, or what is known of a device. Five entries share a line of the cache, at a
 * load of 72–90 %, in 256 parts that grow one at a time, so that growth needs no second copy of the
 * whole: 14–18 bytes for each entry.
 */
#ifndef NB_CORE_KEYTABLE_H
#define NB_CORE_KEYTABLE_H

#include "core/span.h"

enum { KEYTABLE_SHARDS = 256, KEYTABLE_BUCKET = 5 };

/* The entries whose keys begin alike, as they came, and those that the bucket before had no room
 * for. A line of the cache: most look-ups touch no other. */
struct keytable_bucket {
    uint64_t keys[KEYTABLE_BUCKET];
    uint32_t values[KEYTABLE_BUCKET];
    uint32_t used;
};

struct keytable_shard {
    struct keytable_bucket *buckets; /* lie at the start of a line of the cache */
    uint32_t capacity;               /* buckets */
    uint32_t used;                   /* entries */
};

struct keytable {
    struct keytable_shard shards[KEYTABLE_SHARDS];
};

void keytable_init(struct keytable *table);
void keytable_deinit(struct keytable *table);

/*
 * The value of the key, which the caller may change; a key that is new gets a slot with the value
 * 0, and the caller must set another before the next call. Keys are hashes: uniform in all bits.
 * The pointer is valid until the next call. STATUS_NO_MEMORY changes nothing.
 */
enum status keytable_slot(struct keytable *table, uint64_t key, uint32_t **ret_value) MUST_USE;

/* The last slot that was asked for was new, and gets no value. */
void keytable_give_back(struct keytable *table, uint64_t key);

/* The value of a key that has been there for some time; NULL where it is not in the table. Valid
 * until the next slot is asked for. */
uint32_t *keytable_find(const struct keytable *table, uint64_t key);

/* The value of the key; 0 where it is not in the table. */
uint32_t keytable_get(const struct keytable *table, uint64_t key);

/* The entry behind `cursor`, which is 0 for the first one; false behind the last. No slot may be
 * asked for between two. */
bool keytable_next(const struct keytable *table, uint64_t *cursor, uint64_t *ret_key,
                   uint32_t *ret_value);

/* A hint that the key will be asked for soon: its slot is fetched from memory meanwhile. */
void keytable_expect(const struct keytable *table, uint64_t key);

/* Counts the key once more; the result is how often it has been counted now (from 1). */
enum status keytable_count(struct keytable *table, uint64_t key, uint32_t *ret_count) MUST_USE;

#endif
