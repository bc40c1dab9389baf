#include "core/keytable.h"

enum { SHARD_FIRST_CAPACITY = 16 };

void keytable_init(struct keytable *table)
{
    *table = (struct keytable){.shards = {{.capacity = 0}}};
}

void keytable_deinit(struct keytable *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < KEYTABLE_SHARDS; i++) {
        free(table->shards[i].keys);
        free(table->shards[i].values);
    }
    keytable_init(table);
}

/* The hash is uniform: its low byte chose the shard, the 32 bits above choose the slot. */
static uint32_t find_slot(const struct keytable_shard *shard, uint64_t hash)
{
    uint32_t i = (uint32_t)(((hash >> 8 & 0xffffffffu) * shard->capacity) >> 32);
    while (shard->values[i] != 0 && shard->keys[i] != hash)
        i = i + 1 < shard->capacity ? i + 1 : 0;
    return i;
}

static enum status grow(struct keytable_shard *shard)
{
    struct keytable_shard bigger = {.used = shard->used};

    bigger.capacity =
        shard->capacity > 0 ? shard->capacity + shard->capacity / 2 : SHARD_FIRST_CAPACITY;
    bigger.keys = malloc(bigger.capacity * sizeof(*bigger.keys));
    bigger.values = calloc(bigger.capacity, sizeof(*bigger.values));
    if (bigger.keys == NULL || bigger.values == NULL) {
        free(bigger.keys);
        free(bigger.values);
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < shard->capacity; i++) {
        if (shard->values[i] == 0)
            continue;
        uint32_t slot = find_slot(&bigger, shard->keys[i]);
        bigger.keys[slot] = shard->keys[i];
        bigger.values[slot] = shard->values[i];
    }
    free(shard->keys);
    free(shard->values);
    *shard = bigger;
    return STATUS_OK;
}

enum status keytable_slot(struct keytable *table, uint64_t key, uint32_t **ret_value)
{
    struct keytable_shard *shard = &table->shards[key % KEYTABLE_SHARDS];

    if ((uint64_t)(shard->used + 1) * 100 > (uint64_t)shard->capacity * 85) {
        enum status status = grow(shard);
        if (status != STATUS_OK)
            return status;
    }
    uint32_t slot = find_slot(shard, key);
    if (shard->values[slot] == 0) {
        shard->keys[slot] = key;
        shard->used++;
    }
    *ret_value = &shard->values[slot];
    return STATUS_OK;
}

enum status keytable_count(struct keytable *table, uint64_t key, uint32_t *ret_count)
{
    uint32_t *count;
    enum status status = keytable_slot(table, key, &count);

    if (status != STATUS_OK)
        return status;
    if (*count < UINT32_MAX)
        (*count)++;
    *ret_count = *count;
    return STATUS_OK;
}
