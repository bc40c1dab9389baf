#include "core/keytable.h"

enum { SHARD_FIRST_CAPACITY = 4, LOAD_MAX_PERCENT = 90 };

_Static_assert(sizeof(struct keytable_bucket) == 64, "size");

void keytable_init(struct keytable *table)
{
    *table = (struct keytable){.shards = {{.capacity = 0}}};
}

void keytable_deinit(struct keytable *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < KEYTABLE_SHARDS; i++)
        free(table->shards[i].buckets);
    keytable_init(table);
}

/* Keys are uniform: the low byte chose the shard, the 32 bits above choose the bucket. */
static uint32_t first_bucket(const struct keytable_shard *shard, uint64_t key)
{
    return (uint32_t)(((key >> 8 & 0xffffffffu) * shard->capacity) >> 32);
}

/* The value of the key, or where it goes, which is behind the last entry of *ret_bucket. */
static inline uint32_t *find_slot(const struct keytable_shard *shard, uint64_t key,
                                  struct keytable_bucket **ret_bucket)
{
    for (uint32_t i = first_bucket(shard, key);; i = i + 1 < shard->capacity ? i + 1 : 0) {
        struct keytable_bucket *bucket = &shard->buckets[i];
        for (uint32_t j = 0; j < bucket->used; j++)
            if (bucket->keys[j] == key)
                return &bucket->values[j];
        *ret_bucket = bucket;
        if (bucket->used < KEYTABLE_BUCKET)
            return NULL;
    }
}

/* Puts a key that is new at the end of the bucket that find_slot gave. */
static inline uint32_t *add(struct keytable_bucket *bucket, uint64_t key)
{
    uint32_t at = bucket->used++;

    bucket->keys[at] = key;
    return &bucket->values[at];
}

/* Puts an entry into a shard that is not full. */
static inline void move(struct keytable_shard *shard, uint64_t key, uint32_t value)
{
    uint32_t i = first_bucket(shard, key);

    while (shard->buckets[i].used == KEYTABLE_BUCKET)
        i = i + 1 < shard->capacity ? i + 1 : 0;
    *add(&shard->buckets[i], key) = value;
}

/* Buckets of a larger shard are filled in the order of the smaller one: the memory is gone through
 * from its start to its end. */
static enum status grow(struct keytable_shard *shard)
{
    struct keytable_shard bigger = {.used = shard->used};

    bigger.capacity =
        shard->capacity > 0 ? shard->capacity + shard->capacity / 4 : SHARD_FIRST_CAPACITY;
    size_t size = bigger.capacity * sizeof(*bigger.buckets);
    bigger.buckets = aligned_alloc(sizeof(*bigger.buckets), size);
    if (bigger.buckets == NULL)
        return STATUS_NO_MEMORY;
    memset(bigger.buckets, 0, size);
    for (uint32_t i = 0; i < shard->capacity; i++) {
        const struct keytable_bucket *bucket = &shard->buckets[i];
        for (uint32_t j = 0; j < bucket->used; j++)
            move(&bigger, bucket->keys[j], bucket->values[j]);
    }
    free(shard->buckets);
    *shard = bigger;
    return STATUS_OK;
}

enum status keytable_slot(struct keytable *table, uint64_t key, uint32_t **ret_value)
{
    struct keytable_shard *shard = &table->shards[key % KEYTABLE_SHARDS];
    uint64_t room = (uint64_t)shard->capacity * KEYTABLE_BUCKET;
    struct keytable_bucket *bucket;

    if ((uint64_t)(shard->used + 1) * 100 > room * LOAD_MAX_PERCENT) {
        enum status status = grow(shard);
        if (status != STATUS_OK)
            return status;
    }
    uint32_t *value = find_slot(shard, key, &bucket);
    if (value == NULL) {
        value = add(bucket, key);
        shard->used++;
    }
    *ret_value = value;
    return STATUS_OK;
}

void keytable_give_back(struct keytable *table, uint64_t key)
{
    struct keytable_shard *shard = &table->shards[key % KEYTABLE_SHARDS];
    uint32_t i = first_bucket(shard, key);

    /* It is the newest of its bucket, and no other has gone past it. */
    while (shard->buckets[i].used == KEYTABLE_BUCKET &&
           shard->buckets[i].keys[KEYTABLE_BUCKET - 1] != key)
        i = i + 1 < shard->capacity ? i + 1 : 0;
    shard->buckets[i].used--;
    shard->used--;
}

uint32_t *keytable_find(const struct keytable *table, uint64_t key)
{
    const struct keytable_shard *shard = &table->shards[key % KEYTABLE_SHARDS];
    struct keytable_bucket *bucket;

    return shard->capacity > 0 ? find_slot(shard, key, &bucket) : NULL;
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
        for (; i < shard->capacity * KEYTABLE_BUCKET; i++) {
            const struct keytable_bucket *bucket = &shard->buckets[i / KEYTABLE_BUCKET];
            if (i % KEYTABLE_BUCKET >= bucket->used)
                continue;
            *ret_key = bucket->keys[i % KEYTABLE_BUCKET];
            *ret_value = bucket->values[i % KEYTABLE_BUCKET];
            *cursor = (uint64_t)s << 32 | (i + 1);
            return true;
        }
    }
    *cursor = (uint64_t)KEYTABLE_SHARDS << 32;
    return false;
}

void keytable_expect(const struct keytable *table, uint64_t key)
{
    const struct keytable_shard *shard = &table->shards[key % KEYTABLE_SHARDS];

    if (shard->capacity > 0)
        __builtin_prefetch(&shard->buckets[first_bucket(shard, key)]);
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
