/*
 * A map from 64-bit numbers to pointers: open addressing, linear probing, removal without
 * tombstones. Keys are mixed, so they need not be random.
 */
#ifndef NB_CORE_HASHMAP_H
#define NB_CORE_HASHMAP_H

#include "core/span.h"

struct hashmap_slot {
    uint64_t key;
    void *value; /* NULL in an empty slot */
};

struct hashmap {
    struct hashmap_slot *slots;
    size_t capacity; /* 0 or a power of two */
    size_t count;
};

void hashmap_init(struct hashmap *map);

/* Frees the slots, not what the values point to. */
void hashmap_deinit(struct hashmap *map);

/* The value of the key, or NULL. */
void *hashmap_get(const struct hashmap *map, uint64_t key);

/* Sets the value (not NULL) of the key. STATUS_NO_MEMORY leaves the map as it was. */
enum status hashmap_put(struct hashmap *map, uint64_t key, void *value) MUST_USE;

/* Removes the key; nothing happens where it is not there. */
void hashmap_remove(struct hashmap *map, uint64_t key);

#endif
