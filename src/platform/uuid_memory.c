#include "platform/uuid_memory.h"

#include <xxhash.h>

/* The negative control, see net/sockets.c. The product has no such switch. */
#ifndef NBATCH_TEST_WITHOUT_ANSWER_GUARD
#define BELIEVES_ALL false
#else
#define BELIEVES_ALL true
#endif

/*
 * A ring of the last uuids, and chains through it from a table by hash. A chain leads from newer to
 * older entries; the ring overwrites the oldest ones, which are at the ends of their chains, so
 * that a chain is over where it leaves the ring, and nothing has to be taken out of it.
 *
 * Entries are numbered from 1; numbers may wrap around, since only their distances matter.
 */
struct entry {
    uint64_t uuid;
    uint32_t request;
    uint32_t back; /* so many entries before this is the next one of its chain; 0: none */
};

struct uuid_memory {
    uint32_t last; /* number of the newest entry */
    uint32_t count;
    uint32_t heads[UUID_MEMORY_MAX]; /* number of the newest entry of each chain; 0: none */
    struct entry ring[UUID_MEMORY_MAX];
};

enum status uuid_memory_new(struct uuid_memory **ret_memory)
{
    struct uuid_memory *memory = calloc(1, sizeof(*memory));

    if (memory == NULL)
        return STATUS_NO_MEMORY;
    *ret_memory = memory;
    return STATUS_OK;
}

void uuid_memory_free(struct uuid_memory *memory)
{
    free(memory);
}

uint64_t uuid_memory_request(struct span target, struct span body)
{
    return XXH3_64bits_withSeed(body.ptr, body.len, XXH3_64bits(target.ptr, target.len));
}

static struct entry *entry_at(struct uuid_memory *memory, uint32_t number)
{
    return &memory->ring[number % UUID_MEMORY_MAX];
}

/* Whether the entry of this number is still in the ring. */
static bool is_kept(const struct uuid_memory *memory, uint32_t number)
{
    return number != 0 && memory->last - number < memory->count;
}

enum uuid_seen uuid_memory_add(struct uuid_memory *memory, struct span uuid, uint64_t request)
{
    uint64_t hash = XXH3_64bits(uuid.ptr, uuid.len);
    uint32_t *head = &memory->heads[hash % UUID_MEMORY_MAX];
    uint32_t number = *head;

    if (uuid.len == 0)
        return UUID_NEW;
    while (is_kept(memory, number)) {
        const struct entry *entry = entry_at(memory, number);
        if (entry->uuid == hash)
            return entry->request == (uint32_t)request || BELIEVES_ALL ? UUID_AGAIN : UUID_FOREIGN;
        if (entry->back == 0)
            break;
        number -= entry->back;
    }
    uint32_t added = memory->last + 1 != 0 ? memory->last + 1 : UUID_MEMORY_MAX;
    uint32_t back = is_kept(memory, *head) ? added - *head : 0;
    *entry_at(memory, added) = (struct entry){hash, (uint32_t)request, back};
    *head = memory->last = added;
    memory->count += memory->count < UUID_MEMORY_MAX;
    return UUID_NEW;
}
