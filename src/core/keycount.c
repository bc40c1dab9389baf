#include "core/keycount.h"

enum { SHARD_FIRST_CAPACITY = 16 };

void keycount_init(struct keycount *set)
{
    *set = (struct keycount){.shards = {{.capacity = 0}}};
}

void keycount_deinit(struct keycount *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < KEYCOUNT_SHARDS; i++) {
        free(set->shards[i].keys);
        free(set->shards[i].counts);
    }
    keycount_init(set);
}

/* The hash is uniform: its low byte chose the shard, the 32 bits above choose the slot. */
static uint32_t find_slot(const struct keycount_shard *shard, uint64_t hash)
{
    uint32_t i = (uint32_t)(((hash >> 8 & 0xffffffffu) * shard->capacity) >> 32);
    while (shard->counts[i] != 0 && shard->keys[i] != hash)
        i = i + 1 < shard->capacity ? i + 1 : 0;
    return i;
}

static enum status grow(struct keycount_shard *shard)
{
    struct keycount_shard bigger = {.used = shard->used};

    bigger.capacity =
        shard->capacity > 0 ? shard->capacity + shard->capacity / 2 : SHARD_FIRST_CAPACITY;
    bigger.keys = malloc(bigger.capacity * sizeof(*bigger.keys));
    bigger.counts = calloc(bigger.capacity, sizeof(*bigger.counts));
    if (bigger.keys == NULL || bigger.counts == NULL) {
        free(bigger.keys);
        free(bigger.counts);
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < shard->capacity; i++) {
        if (shard->counts[i] == 0)
            continue;
        uint32_t slot = find_slot(&bigger, shard->keys[i]);
        bigger.keys[slot] = shard->keys[i];
        bigger.counts[slot] = shard->counts[i];
    }
    free(shard->keys);
    free(shard->counts);
    *shard = bigger;
    return STATUS_OK;
}

enum status keycount_add(struct keycount *set, uint64_t hash, uint32_t *ret_count)
{
    struct keycount_shard *shard = &set->shards[hash % KEYCOUNT_SHARDS];

    if ((uint64_t)(shard->used + 1) * 100 > (uint64_t)shard->capacity * 85) {
        enum status status = grow(shard);
        if (status != STATUS_OK)
            return status;
    }
    uint32_t slot = find_slot(shard, hash);
    if (shard->counts[slot] == 0) {
        shard->keys[slot] = hash;
        shard->used++;
    }
    if (shard->counts[slot] < UINT32_MAX)
        shard->counts[slot]++;
    *ret_count = shard->counts[slot];
    return STATUS_OK;
}
