/*
 * Whether a uuid has been given to another command before. An answer that comes too late, or twice,
 * is taken for the answer to the next request of its connection; nothing in it says whose it is,
 * but the platform gives a uuid once. The last UUID_MEMORY_MAX of a run are known, in a fixed
 * amount of memory, by hashes of 64 bits.
 *
 *     uuid_memory_new(&memory);
 *     … for each accepted command:
 *     if (uuid_memory_add(memory, uuid, uuid_memory_request(target, body)) == UUID_FOREIGN)
 *         … the answer is not believed …
 *     uuid_memory_free(memory);
 *
 * A uuid that comes again for the same request is none of this: a platform may know that it has the
 * command already.
 */
#ifndef NB_PLATFORM_UUID_MEMORY_H
#define NB_PLATFORM_UUID_MEMORY_H

#include "core/span.h"

enum { UUID_MEMORY_MAX = 65536 };

enum uuid_seen {
    UUID_NEW,
    UUID_AGAIN,   /* given to a request that was the same, and to no other */
    UUID_FOREIGN, /* given to another request */
};

struct uuid_memory;

/* STATUS_NO_MEMORY. */
enum status uuid_memory_new(struct uuid_memory **ret_memory) MUST_USE;

/* Takes NULL. */
void uuid_memory_free(struct uuid_memory *memory);

/* What a request is known by. Pure. */
uint64_t uuid_memory_request(struct span target, struct span body);

/* Whether the uuid is known, and of which request; a new one is known from now on, and the oldest
 * is forgotten. A foreign one stays with the request that had it first. An empty uuid is always
 * new. */
enum uuid_seen uuid_memory_add(struct uuid_memory *memory, struct span uuid,
                               uint64_t request) MUST_USE;

#endif
