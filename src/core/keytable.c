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
    for (size_t i = 0; i < KEYTABLE_SHARDS; i++)
        free(table->shards[i].entries);
    keytable_init(table);
}

/* Keys are uniform: the low byte chose the shard, the 32 bits above choose the slot. */
static uint32_t first_slot(const struct keytable_shard *shard, uint64_t key)
{
    return (uint32_t)(((key >> 8 & 0xffffffffu) * shard->capacity) >> 32);
}

static struct keytable_entry *find_slot(const struct keytable_shard *shard, uint64_t key)
{
    uint32_t low = (uint32_t)key, high = (uint32_t)(key >> 32);
    uint32_t i = first_slot(shard, key);

    for (;;) {
        struct keytable_entry *entry = &shard->entries[i];
        if (entry->value == 0 || (entry->key_low == low && entry->key_high == high))
            return entry;
        i = i + 1 < shard->capacity ? i + 1 : 0;
    }
}

static enum status grow(struct keytable_shard *shard)
{
    struct keytable_shard bigger = {.used = shard->used};

    bigger.capacity =
        shard->capacity > 0 ? shard->capacity + shard->capacity / 4 : SHARD_FIRST_CAPACITY;
    bigger.entries = calloc(bigger.capacity, sizeof(*bigger.entries));
    if (bigger.entries == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < shard->capacity; i++) {
        const struct keytable_entry *entry = &shard->entries[i];
        if (entry->value != 0)
            *find_slot(&bigger, (uint64_t)entry->key_high << 32 | entry->key_low) = *entry;
    }
    free(shard->entries);
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
    struct keytable_entry *entry = find_slot(shard, key);
    if (entry->value == 0) {
        entry->key_low = (uint32_t)key;
        entry->key_high = (uint32_t)(key >> 32);
        shard->used++;
    }
    *ret_value = &entry->value;
    return STATUS_OK;
}

void keytable_give_back(struct keytable *table, uint64_t key)
{
    table->shards[key % KEYTABLE_SHARDS].used--;
}

uint32_t *keytable_find(const struct keytable *table, uint64_t key)
{
    const struct keytable_shard *shard = &table->shards[key % KEYTABLE_SHARDS];
    struct keytable_entry *entry = shard->capacity > 0 ? find_slot(shard, key) : NULL;

    return entry != NULL && entry->value != 0 ? &entry->value : NULL;
}

uint32_t keytable_get(const struct keytable *table, uint64_t key)
{
    const uint32_t *value = keytable_find(table, key);

    return value != NULL ? *value : 0;
}

bool keytable_next(const struct keytable *table, uint64_t *cursor, uint64_t *ret_key,
                   uint32_t *ret_value)
{
    uint32_t i = (uint32_t)*cursor;

    for (size_t s = *cursor >> 32; s < KEYTABLE_SHARDS; s++, i = 0) {
        const struct keytable_shard *shard = &table->shards[s];
        while (i < shard->capacity && shard->entries[i].value == 0)
            i++;
        if (i == shard->capacity)
            continue;
        *ret_key = (uint64_t)shard->entries[i].key_high << 32 | shard->entries[i].key_low;
        *ret_value = shard->entries[i].value;
        *cursor = (uint64_t)s << 32 | (i + 1);
        return true;
    }
    *cursor = (uint64_t)KEYTABLE_SHARDS << 32;
    return false;
}

void keytable_expect(const struct keytable *table, uint64_t key)
{
    const struct keytable_shard *shard = &table->shards[key % KEYTABLE_SHARDS];

    if (shard->capacity > 0)
        __builtin_prefetch(&shard->entries[first_slot(shard, key)]);
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
