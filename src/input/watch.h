/*
 * Whether a file is still what it was when it was read. Its size and times are looked at each time;
 * once they have changed, what was read of it is hashed once more, some of it at each look, so that
 * no look takes long.
 */
#ifndef NB_INPUT_WATCH_H
#define NB_INPUT_WATCH_H

#include <sys/stat.h>
#include <xxhash.h>

#include "core/span.h"

struct watch {
    int fd;
    off_t start;     /* of what was read */
    off_t seen_size; /* when it was last looked at */
    struct timespec seen_modified;
    bool is_hashing;
    uint64_t hashed; /* bytes */
    XXH3_state_t *state;
    char *bytes; /* NULL until they are needed */
};

/* The descriptor stays the caller's; `about` says what the file is like now. Allocates nothing. */
void watch_init(struct watch *watch, int fd, off_t start, const struct stat *about);

/* Takes a zeroed struct. */
void watch_deinit(struct watch *watch);

/* Whether the file was written to, or its times set, since it was last looked at. */
bool watch_sees_touch(struct watch *watch);

/* Looks at the file, of which `size` bytes with this XXH3 hash were read; false where it is known
 * to be another now. Where it cannot be looked at nothing is known. */
bool watch_look(struct watch *watch, uint64_t size, uint64_t hash);

/* Gives up a hash that is under way. */
void watch_stop(struct watch *watch);

#endif
