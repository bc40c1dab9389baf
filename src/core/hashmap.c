#include "core/hashmap.h"

enum { HASHMAP_FIRST_CAPACITY = 64 };

void hashmap_init(struct hashmap *map)
{
    *map = (struct hashmap){.count = 0};
}

void hashmap_deinit(struct hashmap *map)
{
    if (map == NULL)
        return;
    free(map->slots);
    *map = (struct hashmap){.count = 0};
}

/* Fibonacci hashing: the high bits of the product are well mixed. */
static size_t home_of(const struct hashmap *map, uint64_t key)
{
    return (size_t)((key * 0x9e3779b97f4a7c15u) >> 32) & (map->capacity - 1);
}

/* The slot of the key, or the empty one where it would go. */
static struct hashmap_slot *find_slot(const struct hashmap *map, uint64_t key)
{
    size_t i = home_of(map, key);
    while (map->slots[i].value != NULL && map->slots[i].key != key)
        i = (i + 1) & (map->capacity - 1);
    return &map->slots[i];
}

void *hashmap_get(const struct hashmap *map, uint64_t key)
{
    return map->count > 0 ? find_slot(map, key)->value : NULL;
}

static enum status grow(struct hashmap *map)
{
    struct hashmap bigger = {.capacity =
                                 map->capacity > 0 ? map->capacity * 2 : HASHMAP_FIRST_CAPACITY,
                             .count = map->count};

    bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
    if (bigger.slots == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].value != NULL)
            *find_slot(&bigger, map->slots[i].key) = map->slots[i];
    free(map->slots);
    *map = bigger;
    return STATUS_OK;
}

enum status hashmap_put(struct hashmap *map, uint64_t key, void *value)
{
    if ((map->count + 1) * 4 > map->capacity * 3) {
        enum status status = grow(map);
        if (status != STATUS_OK)
            return status;
    }
    struct hashmap_slot *slot = find_slot(map, key);
    if (slot->value == NULL)
        map->count++;
    *slot = (struct hashmap_slot){key, value};
    return STATUS_OK;
}

void hashmap_remove(struct hashmap *map, uint64_t key)
{
    if (map->count == 0)
        return;
    struct hashmap_slot *slot = find_slot(map, key);
    if (slot->value == NULL)
        return;
    /* Move later entries of the same run back into the hole, so that probing never stops short. */
    size_t mask = map->capacity - 1;
    size_t hole = (size_t)(slot - map->slots);
    for (size_t i = (hole + 1) & mask; map->slots[i].value != NULL; i = (i + 1) & mask) {
        size_t home = home_of(map, map->slots[i].key);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = (struct hashmap_slot){0, NULL};
    map->count--;
}
