/*
 * How often each 64-bit hash has been seen, in few bytes a row: the occurrence number in the
 * results' key. Twelve bytes an entry at a load of 57–85 %, in 256 parts that grow one at a time,
 * so that growth needs no second copy of the whole: 14–21 bytes for each distinct row.
 */
#ifndef NB_CORE_KEYCOUNT_H
#define NB_CORE_KEYCOUNT_H

#include "core/span.h"

enum { KEYCOUNT_SHARDS = 256 };

struct keycount_shard {
    uint64_t *keys;
    uint32_t *counts; /* 0 in an empty slot */
    uint32_t capacity;
    uint32_t used;
};

struct keycount {
    struct keycount_shard shards[KEYCOUNT_SHARDS];
};

void keycount_init(struct keycount *set);
void keycount_deinit(struct keycount *set);

/* Counts the hash once more; the result is how often it has been seen now (from 1).
 * STATUS_NO_MEMORY changes nothing. */
enum status keycount_add(struct keycount *set, uint64_t hash, uint32_t *ret_count) MUST_USE;

#endif
