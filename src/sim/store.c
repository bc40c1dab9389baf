#include "sim/store.h"

enum {
    UNIT = 8, /* bytes; references count units */
    BLOCK_UNITS = 1 << 17,
    SHARD_FIRST_CAPACITY = 16,
};

struct store_device {
    uint64_t key;     /* the device's number + 1: an empty slot's key is 0 */
    uint32_t waiting; /* references: its waiting commands, newest first */
    uint32_t newest;  /* … and its kept ones */
    uint32_t count;
};

/* A waiting command; exactly one unit. */
struct waiting {
    uint32_t next;
    uint32_t expires_s;
};
_Static_assert(sizeof(struct waiting) == UNIT, "a waiting command is one unit");

struct kept {
    int64_t created_s, valid_s, expires_s;
    uint8_t uuid[STORE_UUID_BYTES];
    uint32_t older;
    uint16_t content_len;
    uint16_t present;
    uint16_t values[PARAM_COUNT];
    uint8_t action;
    char content[];
};
_Static_assert(offsetof(struct kept, content) == 71, "what store.h says of the size");

void store_init(struct store *store, uint32_t queue_limit, uint64_t max_commands)
{
    *store = (struct store){.queue_limit = queue_limit,
                            .max_commands = max_commands,
                            .next_unit = BLOCK_UNITS};
}

void store_deinit(struct store *store)
{
    if (store == NULL)
        return;
    for (size_t i = 0; i < STORE_SHARDS; i++)
        free(store->shards[i].devices);
    for (size_t i = 0; i < store->block_count; i++)
        free(store->blocks[i]);
    free((void *)store->blocks);
    *store = (struct store){.next_unit = BLOCK_UNITS};
}

static void *at_ref(const struct store *store, uint32_t ref)
{
    return store->blocks[ref / BLOCK_UNITS] + (size_t)(ref % BLOCK_UNITS) * UNIT;
}

static enum status add_block(struct store *store)
{
    if (store->block_count == UINT32_MAX / BLOCK_UNITS)
        return STATUS_TOO_BIG;
    if (store->block_count == store->block_capacity) {
        size_t capacity = store->block_capacity > 0 ? store->block_capacity * 2 : 64;
        char **blocks = realloc((void *)store->blocks, capacity * sizeof(*blocks));
        if (blocks == NULL)
            return STATUS_NO_MEMORY;
        store->blocks = blocks;
        store->block_capacity = capacity;
    }
    char *block = malloc((size_t)BLOCK_UNITS * UNIT);
    if (block == NULL)
        return STATUS_NO_MEMORY;
    store->blocks[store->block_count++] = block;
    store->next_unit = store->block_count == 1 ? 1 : 0; /* reference 0 means none */
    return STATUS_OK;
}

static enum status take_units(struct store *store, size_t bytes, uint32_t *ret_ref)
{
    uint32_t units = (uint32_t)((bytes + UNIT - 1) / UNIT);

    if (units > BLOCK_UNITS - store->next_unit) {
        enum status status = add_block(store);
        if (status != STATUS_OK)
            return status;
    }
    *ret_ref = (uint32_t)(store->block_count - 1) * BLOCK_UNITS + store->next_unit;
    store->next_unit += units;
    return STATUS_OK;
}

static uint64_t mix(uint64_t key)
{
    return key * 0x9e3779b97f4a7c15u; /* the high bits are well mixed */
}

/* The slot of the key, or the empty one where it would go. */
static struct store_device *find_slot(const struct store_shard *shard, uint64_t key)
{
    size_t i = (size_t)(mix(key) >> 26) & (shard->capacity - 1);
    while (shard->devices[i].key != 0 && shard->devices[i].key != key)
        i = (i + 1) & (shard->capacity - 1);
    return &shard->devices[i];
}

static enum status grow(struct store_shard *shard)
{
    struct store_shard bigger = {.capacity = shard->capacity > 0 ? shard->capacity * 2
                                                                 : SHARD_FIRST_CAPACITY,
                                 .count = shard->count};

    bigger.devices = calloc(bigger.capacity, sizeof(*bigger.devices));
    if (bigger.devices == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < shard->capacity; i++)
        if (shard->devices[i].key != 0)
            *find_slot(&bigger, shard->devices[i].key) = shard->devices[i];
    free(shard->devices);
    *shard = bigger;
    return STATUS_OK;
}

static size_t shard_of(uint64_t key)
{
    return (size_t)(mix(key) >> 58) % STORE_SHARDS;
}

static const struct store_device *find_device(const struct store *store, uint64_t device)
{
    uint64_t key = device + 1;
    const struct store_shard *shard = &store->shards[shard_of(key)];

    if (shard->count == 0)
        return NULL;
    const struct store_device *slot = find_slot(shard, key);
    return slot->key != 0 ? slot : NULL;
}

static enum status make_device(struct store *store, uint64_t device,
                               struct store_device **ret_device)
{
    uint64_t key = device + 1;
    struct store_shard *shard = &store->shards[shard_of(key)];

    if ((shard->count + 1) * 4 > shard->capacity * 3) {
        enum status status = store->devices < STORE_DEVICES_MAX ? grow(shard) : STATUS_TOO_BIG;
        if (status != STATUS_OK)
            return status;
    }
    struct store_device *slot = find_slot(shard, key);
    if (slot->key == 0) {
        *slot = (struct store_device){.key = key};
        shard->count++;
        store->devices++;
    }
    *ret_device = slot;
    return STATUS_OK;
}

/* Lets go of the device's commands that have expired, and counts the others. */
static uint32_t count_waiting(struct store *store, struct store_device *device, int64_t now_s)
{
    uint32_t *link = &device->waiting;
    uint32_t count = 0;

    while (*link != 0) {
        uint32_t ref = *link;
        struct waiting *waiting = at_ref(store, ref);
        if (waiting->expires_s >= now_s) {
            count++;
            link = &waiting->next;
            continue;
        }
        *link = waiting->next;
        waiting->next = store->free_waiting;
        store->free_waiting = ref;
    }
    return count;
}

static enum status take_waiting(struct store *store, uint32_t *ret_ref)
{
    if (store->free_waiting == 0)
        return take_units(store, sizeof(struct waiting), ret_ref);
    *ret_ref = store->free_waiting;
    store->free_waiting = ((struct waiting *)at_ref(store, *ret_ref))->next;
    return STATUS_OK;
}

static void give_waiting_back(struct store *store, uint32_t ref)
{
    struct waiting *waiting = at_ref(store, ref);
    waiting->next = store->free_waiting;
    store->free_waiting = ref;
}

static enum status keep(struct store *store, const struct store_command *command, uint32_t older,
                        uint32_t *ret_ref)
{
    struct kept head = {.created_s = command->created_s,
                        .valid_s = command->valid_s,
                        .expires_s = command->expires_s,
                        .older = older,
                        .content_len = (uint16_t)command->content.len,
                        .present = command->present,
                        .action = (uint8_t)command->action};
    uint32_t ref;

    if (command->content.len > UINT16_MAX)
        return STATUS_TOO_BIG;
    enum status status =
        take_units(store, offsetof(struct kept, content) + command->content.len, &ref);
    if (status != STATUS_OK)
        return status;
    memcpy(head.uuid, command->uuid, sizeof(head.uuid));
    memcpy(head.values, command->values, sizeof(head.values));
    struct kept *kept = at_ref(store, ref);
    memcpy(kept, &head, offsetof(struct kept, content));
    if (command->content.len > 0)
        memcpy(kept->content, command->content.ptr, command->content.len);
    store->kept++;
    *ret_ref = ref;
    return STATUS_OK;
}

/* Far times are cut to what 32 bits hold: the year 2106 is far enough for a rehearsal. */
static uint32_t short_time(int64_t time_s)
{
    return time_s < 0 ? 0 : time_s > UINT32_MAX ? UINT32_MAX : (uint32_t)time_s;
}

enum status store_add(struct store *store, const struct store_command *command, int64_t now_s)
{
    struct store_device *device;
    uint32_t waiting = 0, kept = 0;
    enum status status = make_device(store, command->device, &device);

    if (status != STATUS_OK)
        return status;
    if (store->queue_limit > 0) {
        if (count_waiting(store, device, now_s) >= store->queue_limit)
            return STATUS_RANGE;
        status = take_waiting(store, &waiting);
        if (status != STATUS_OK)
            return status;
    }
    if (store->kept < store->max_commands)
        status = keep(store, command, device->newest, &kept);
    if (status != STATUS_OK) {
        if (waiting != 0)
            give_waiting_back(store, waiting);
        return status;
    }
    if (waiting != 0) {
        *(struct waiting *)at_ref(store, waiting) =
            (struct waiting){.next = device->waiting, .expires_s = short_time(command->expires_s)};
        device->waiting = waiting;
    }
    if (kept != 0)
        device->newest = kept;
    device->count += device->count < UINT32_MAX ? 1 : 0;
    return STATUS_OK;
}

uint64_t store_count(const struct store *store, uint64_t device)
{
    const struct store_device *found = find_device(store, device);
    return found != NULL ? found->count : 0;
}

uint32_t store_newest(const struct store *store, uint64_t device)
{
    const struct store_device *found = find_device(store, device);
    return found != NULL ? found->newest : 0;
}

void store_view(const struct store *store, uint32_t ref, struct store_command *ret_command)
{
    const struct kept *kept = at_ref(store, ref);
    struct store_command command = {.action = (enum action)kept->action,
                                    .created_s = kept->created_s,
                                    .valid_s = kept->valid_s,
                                    .expires_s = kept->expires_s,
                                    .present = kept->present,
                                    .content = span_of(kept->content, kept->content_len),
                                    .older = kept->older};

    memcpy(command.uuid, kept->uuid, sizeof(command.uuid));
    memcpy(command.values, kept->values, sizeof(command.values));
    *ret_command = command;
}
