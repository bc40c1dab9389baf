#include "input/seal.h"

#include <xxhash.h>

void seals_init(struct seals *seals)
{
    *seals = (struct seals){.count = 0};
}

void seals_deinit(struct seals *seals)
{
    free(seals->hashes);
    (void)XXH3_freeState(seals->state);
    seals_init(seals);
}

void seals_restart(struct seals *seals)
{
    seals_deinit(seals);
}

static enum status push(struct seals *seals, uint64_t hash)
{
    if (seals->count == seals->capacity) {
        size_t capacity = seals->capacity > 0 ? seals->capacity * 2 : 64;
        uint64_t *hashes = realloc(seals->hashes, capacity * sizeof(*hashes));
        if (hashes == NULL)
            return STATUS_NO_MEMORY;
        seals->hashes = hashes;
        seals->capacity = capacity;
    }
    seals->hashes[seals->count++] = hash;
    return STATUS_OK;
}

static enum status end_block(struct seals *seals)
{
    enum status status = push(seals, XXH3_64bits_digest(seals->state));

    seals->filled = 0;
    (void)XXH3_64bits_reset(seals->state); /* it fails for a NULL argument only */
    return status;
}

enum status seals_add(struct seals *seals, struct span text)
{
    enum status status = STATUS_OK;

    if (seals->state == NULL) {
        seals->state = XXH3_createState();
        if (seals->state == NULL)
            return STATUS_NO_MEMORY;
        (void)XXH3_64bits_reset(seals->state);
    }
    seals->size += text.len;
    while (text.len > 0 && status == STATUS_OK) {
        size_t room = SEAL_BYTES - seals->filled;
        size_t len = text.len < room ? text.len : room;
        (void)XXH3_64bits_update(seals->state, text.ptr, len);
        seals->filled += len;
        text = span_skip(text, len);
        if (seals->filled == SEAL_BYTES)
            status = end_block(seals);
    }
    return status;
}

enum status seals_close(struct seals *seals)
{
    enum status status = STATUS_OK;

    if (!seals->is_whole && seals->filled > 0)
        status = end_block(seals);
    seals->is_whole = status == STATUS_OK;
    return status;
}

size_t seals_block_size(const struct seals *seals, size_t index)
{
    uint64_t start = (uint64_t)index * SEAL_BYTES;

    if (index >= seals->count)
        return 0;
    return seals->size - start < SEAL_BYTES ? (size_t)(seals->size - start) : SEAL_BYTES;
}

bool seals_match(const struct seals *seals, size_t index, struct span block)
{
#ifdef NBATCH_TEST_WITHOUT_SEALS
    return index < seals->count || block.len == 0;
#else
    return seals->hashes[index] == XXH3_64bits(block.ptr, block.len);
#endif
}
