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

struct waiting {
    int64_t ends_ms;
    uint32_t next;
    uint32_t kept; /* the command; 0 where it was not kept */
};
_Static_assert(sizeof(struct waiting) == 2 * (size_t)UNIT, "what store.h says of the size");

struct kept {
    int64_t created_ms, valid_s, expires_s, ready_ms, ends_ms;
    struct command_life life;
    uint32_t result; /* the reference of a struct text, or 0 */
    uint8_t uuid[STORE_UUID_BYTES];
    uint32_t older;
    uint16_t content_len;
    uint16_t present;
    uint16_t values[PARAM_COUNT];
    uint8_t action;
    char content[];
};
_Static_assert(offsetof(struct kept, content) == 115, "what store.h says of the size");

struct text {
    uint32_t len;
    char bytes[];
};

void sim_store_init(struct sim_store *store, uint32_t queue_limit, uint64_t max_commands)
{
    *store = (struct sim_store){.queue_limit = queue_limit,
                                .max_commands = max_commands,
                                .next_unit = BLOCK_UNITS};
}

void sim_store_deinit(struct sim_store *store)
{
    if (store == NULL)
        return;
    for (size_t i = 0; i < STORE_SHARDS; i++)
        free(store->shards[i].devices);
    for (size_t i = 0; i < store->block_count; i++)
        free(store->blocks[i]);
    free((void *)store->blocks);
    *store = (struct sim_store){.next_unit = BLOCK_UNITS};
}

static void *at_ref(const struct sim_store *store, uint32_t ref)
{
    return store->blocks[ref / BLOCK_UNITS] + (size_t)(ref % BLOCK_UNITS) * UNIT;
}

static enum status add_block(struct sim_store *store)
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

static enum status take_units(struct sim_store *store, size_t bytes, uint32_t *ret_ref)
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

static struct store_device *find_device(const struct sim_store *store, uint64_t device)
{
    uint64_t key = device + 1;
    const struct store_shard *shard = &store->shards[shard_of(key)];

    if (shard->count == 0)
        return NULL;
    struct store_device *slot = find_slot(shard, key);
    return slot->key != 0 ? slot : NULL;
}

static enum status make_device(struct sim_store *store, uint64_t device,
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

static void give_waiting_back(struct sim_store *store, uint32_t ref)
{
    struct waiting *waiting = at_ref(store, ref);
    waiting->next = store->free_waiting;
    store->free_waiting = ref;
}

/* Lets go of the device's commands that have expired, and counts the others. */
static uint32_t count_waiting(struct sim_store *store, struct store_device *device, int64_t now_ms)
{
    uint32_t *link = &device->waiting;
    uint32_t count = 0;

    while (*link != 0) {
        uint32_t ref = *link;
        struct waiting *waiting = at_ref(store, ref);
        if (waiting->ends_ms >= now_ms) {
            count++;
            link = &waiting->next;
            continue;
        }
        *link = waiting->next;
        give_waiting_back(store, ref);
    }
    return count;
}

/* Takes the oldest of those that wait out of the queue, and out of the platform's memory. */
static void overwrite_oldest(struct sim_store *store, struct store_device *device)
{
    uint32_t *link = &device->waiting;

    while (((struct waiting *)at_ref(store, *link))->next != 0)
        link = &((struct waiting *)at_ref(store, *link))->next;
    uint32_t ref = *link, kept = ((struct waiting *)at_ref(store, ref))->kept;
    if (kept != 0)
        ((struct kept *)at_ref(store, kept))->life.is_gone = true;
    *link = 0;
    give_waiting_back(store, ref);
}

static enum status take_waiting(struct sim_store *store, uint32_t *ret_ref)
{
    if (store->free_waiting == 0)
        return take_units(store, sizeof(struct waiting), ret_ref);
    *ret_ref = store->free_waiting;
    store->free_waiting = ((struct waiting *)at_ref(store, *ret_ref))->next;
    return STATUS_OK;
}

static enum status keep(struct sim_store *store, const struct store_command *command,
                        uint32_t older, uint32_t *ret_ref)
{
    struct kept head = {.created_ms = command->created_ms,
                        .valid_s = command->valid_s,
                        .expires_s = command->expires_s,
                        .ready_ms = command->ready_ms,
                        .ends_ms = command->ends_ms,
                        .life = command->life,
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

static bool is_full(struct sim_store *store, struct store_device *device, int64_t now_ms)
{
    return store->queue_limit > 0 && count_waiting(store, device, now_ms) >= store->queue_limit;
}

enum status sim_store_add(struct sim_store *store, const struct store_command *command,
                          int64_t now_ms)
{
    struct store_device *device;
    uint32_t waiting = 0, kept = 0;
    enum status status = make_device(store, command->device, &device);

    if (status != STATUS_OK)
        return status;
    bool full = is_full(store, device, now_ms);
    if (full && !store->overwrites)
        return STATUS_RANGE;
    if ((store->queue_limit > 0 || store->keeps_waiting))
        status = take_waiting(store, &waiting);
    if (status == STATUS_OK && store->kept < store->max_commands)
        status = keep(store, command, device->newest, &kept);
    if (status != STATUS_OK) {
        if (waiting != 0)
            give_waiting_back(store, waiting);
        return status;
    }
    if (full)
        overwrite_oldest(store, device);
    if (waiting != 0) {
        *(struct waiting *)at_ref(store, waiting) =
            (struct waiting){.next = device->waiting, .ends_ms = command->ends_ms, .kept = kept};
        device->waiting = waiting;
    }
    if (kept != 0)
        device->newest = kept;
    device->count += device->count < UINT32_MAX ? 1 : 0;
    return STATUS_OK;
}

uint64_t sim_store_count(const struct sim_store *store, uint64_t device)
{
    const struct store_device *found = find_device(store, device);
    return found != NULL ? found->count : 0;
}

uint32_t sim_store_newest(const struct sim_store *store, uint64_t device)
{
    const struct store_device *found = find_device(store, device);
    return found != NULL ? found->newest : 0;
}

void sim_store_view(const struct sim_store *store, uint32_t ref, struct store_command *ret_command)
{
    const struct kept *kept = at_ref(store, ref);
    struct store_command command = {.action = (enum action)kept->action,
                                    .created_s = kept->created_ms / 1000,
                                    .created_ms = kept->created_ms,
                                    .valid_s = kept->valid_s,
                                    .expires_s = kept->expires_s,
                                    .ready_ms = kept->ready_ms,
                                    .ends_ms = kept->ends_ms,
                                    .life = kept->life,
                                    .present = kept->present,
                                    .content = span_of(kept->content, kept->content_len),
                                    .older = kept->older};

    if (kept->result != 0) {
        const struct text *text = at_ref(store, kept->result);
        command.result = span_of(text->bytes, text->len);
    }
    memcpy(command.uuid, kept->uuid, sizeof(command.uuid));
    memcpy(command.values, kept->values, sizeof(command.values));
    *ret_command = command;
}

uint32_t sim_store_find(const struct sim_store *store, uint64_t device,
                        const uint8_t uuid[STORE_UUID_BYTES])
{
    for (uint32_t ref = sim_store_newest(store, device); ref != 0;) {
        const struct kept *kept = at_ref(store, ref);
        if (memcmp(kept->uuid, uuid, STORE_UUID_BYTES) == 0)
            return kept->life.is_gone ? 0 : ref;
        ref = kept->older;
    }
    return 0;
}

size_t sim_store_list_waiting(struct sim_store *store, uint64_t device, int64_t now_ms,
                              uint32_t *refs, size_t max)
{
    struct store_device *found = find_device(store, device);
    size_t count = found != NULL ? count_waiting(store, found, now_ms) : 0, listed = 0;

    if (count == 0)
        return 0;
    /* The list is newest first: the oldest `max` are its last. */
    uint32_t ref = found->waiting;
    for (size_t left = count; ref != 0; left--) {
        const struct waiting *waiting = at_ref(store, ref);
        if (left <= max && waiting->kept != 0)
            refs[listed++] = waiting->kept;
        ref = waiting->next;
    }
    for (size_t i = 0; i < listed / 2; i++) {
        uint32_t other = refs[i];
        refs[i] = refs[listed - 1 - i];
        refs[listed - 1 - i] = other;
    }
    return listed;
}

bool command_life_has_ended(const struct command_life *life)
{
    switch ((enum send_status)life->send_status) {
    case SEND_WAITING:
    case SEND_SENT:
        return false;
    case SEND_FAILED:
        return life->remain == 0;
    case SEND_CANCELLED:
    case SEND_EXPIRED:
    case SEND_SUCCESS:
    case SEND_TIMED_OUT:
    case SEND_UNDEFINED:
        break;
    }
    return true;
}

void sim_store_set_life(struct sim_store *store, uint64_t device, uint32_t ref,
                        const struct command_life *life)
{
    struct store_device *found = find_device(store, device);

    ((struct kept *)at_ref(store, ref))->life = *life;
    if (found == NULL || (!command_life_has_ended(life) && !life->is_gone))
        return;
    for (uint32_t *link = &found->waiting; *link != 0;) {
        struct waiting *waiting = at_ref(store, *link);
        if (waiting->kept == ref) {
            uint32_t ended = *link;
            *link = waiting->next;
            give_waiting_back(store, ended);
            return;
        }
        link = &waiting->next;
    }
}

enum status sim_store_set_result(struct sim_store *store, uint32_t ref, struct span result)
{
    uint32_t at;

    if (result.len > (size_t)BLOCK_UNITS * UNIT - sizeof(struct text))
        return STATUS_TOO_BIG;
    enum status status = take_units(store, offsetof(struct text, bytes) + result.len, &at);
    if (status != STATUS_OK)
        return status;
    struct text *text = at_ref(store, at);
    text->len = (uint32_t)result.len;
    memcpy(text->bytes, result.ptr, result.len);
    ((struct kept *)at_ref(store, ref))->result = at;
    return STATUS_OK;
}

enum status sim_store_restore(struct sim_store *store, const struct store_command *command)
{
    uint32_t limit = store->queue_limit;

    store->queue_limit = 0; /* it was in the queue already */
    bool keeps = store->keeps_waiting;
    store->keeps_waiting = keeps || limit > 0;
    enum status status = sim_store_add(store, command, command->created_ms);
    store->queue_limit = limit;
    store->keeps_waiting = keeps;
    uint32_t ref = sim_store_newest(store, command->device);
    if (status != STATUS_OK || ref == 0)
        return status;
    if (command->result.len > 0)
        status = sim_store_set_result(store, ref, command->result);
    if (command->life.is_gone || command_life_has_ended(&command->life))
        sim_store_set_life(store, command->device, ref, &command->life);
    return status;
}

void sim_store_each_device(const struct sim_store *store, store_device_fn *each, void *context)
{
    for (size_t i = 0; i < STORE_SHARDS; i++)
        for (size_t j = 0; j < store->shards[i].capacity; j++)
            if (store->shards[i].devices[j].key != 0)
                each(context, store->shards[i].devices[j].key - 1);
}
