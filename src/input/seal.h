/*
 * By what a text is known again when it is read a second time: a hash of each SEAL_BYTES of it.
 *
 *     for each piece, however it is cut: status = seals_add(&seals, piece);
 *     status = seals_close(&seals);                        // the text ends here
 *
 *     size = seals_block_size(&seals, n);                  // of the n-th block; 0 behind the last
 *     if (!seals_match(&seals, n, block)) … the text is another one …
 *
 * Memory: 8 bytes for each 64 KiB of text.
 */
#ifndef NB_INPUT_SEAL_H
#define NB_INPUT_SEAL_H

#include "core/span.h"

enum { SEAL_BYTES = 64 * 1024 };

struct seals {
    uint64_t *hashes; /* XXH3, 64 bits */
    size_t count, capacity;
    struct XXH3_state_s *state; /* of the block that is being read; NULL: none yet */
    size_t filled;              /* bytes of it */
    uint64_t size;              /* of the text so far */
    bool is_whole;              /* the text has been read to its end */
};

void seals_init(struct seals *seals);

/* Takes a zeroed struct. */
void seals_deinit(struct seals *seals);

/* Forgets all, for a text that is read anew. */
void seals_restart(struct seals *seals);

/* Takes the next bytes of the text. STATUS_NO_MEMORY. */
enum status seals_add(struct seals *seals, struct span text) MUST_USE;

/* The text has ended; a second call changes nothing. STATUS_NO_MEMORY. */
enum status seals_close(struct seals *seals) MUST_USE;

/* Of a whole text: how many bytes its n-th block has, 0 where there is none. */
size_t seals_block_size(const struct seals *seals, size_t index);

/* Whether this is the n-th block, which has so many bytes. */
bool seals_match(const struct seals *seals, size_t index, struct span block);

#endif
