/*
 * Random UUIDs (RFC 9562, version 4), from the kernel's generator in batches. All of them begin
 * with 00000000-, by which they are told from the platform's: what a rehearsal accepted is no
 * record of a fleet.
 */
#ifndef NB_SIM_UUID_H
#define NB_SIM_UUID_H

#include "core/span.h"

enum { UUID_BYTES = 16, UUID_LENGTH = 36, UUIDS_PER_BATCH = 256 };

/* Zeroed: empty, ready to use. */
struct uuid_source {
    uint8_t bytes[UUIDS_PER_BATCH][UUID_BYTES];
    size_t left;
};

/* STATUS_IO when the kernel gives no random bytes. */
enum status uuid_next(struct uuid_source *source, uint8_t ret_uuid[UUID_BYTES]) MUST_USE;

/* Whether the text begins as the UUIDs of this simulator do. Pure. */
bool uuid_is_simulated(struct span text);

/* Writes 36 characters and a NUL, in lower case. */
void uuid_format(const uint8_t uuid[UUID_BYTES], char out[UUID_LENGTH + 1]);

/* Reads what uuid_format writes; false for anything else. */
bool uuid_parse(struct span text, uint8_t ret_uuid[UUID_BYTES]);

#endif
