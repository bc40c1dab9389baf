#include "input/watch.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    PIECE_BYTES = 64 * 1024,
    PIECES = 64, /* of one look: about a millisecond */
};

static void remember(struct watch *watch, const struct stat *about)
{
    watch->seen_size = about->st_size;
    watch->seen_modified = about->st_mtim;
}

void watch_init(struct watch *watch, int fd, off_t start, const struct stat *about)
{
    *watch = (struct watch){.fd = fd, .start = start};
    remember(watch, about);
}

void watch_deinit(struct watch *watch)
{
    free(watch->bytes);
    (void)XXH3_freeState(watch->state);
    *watch = (struct watch){.fd = -1};
}

void watch_stop(struct watch *watch)
{
    watch->is_hashing = false;
}

static bool is_touched(const struct watch *watch, const struct stat *about)
{
    return about->st_size != watch->seen_size ||
           about->st_mtim.tv_sec != watch->seen_modified.tv_sec ||
           about->st_mtim.tv_nsec != watch->seen_modified.tv_nsec;
}

bool watch_sees_touch(struct watch *watch)
{
    struct stat about;

    if (fstat(watch->fd, &about) != 0 || !is_touched(watch, &about))
        return false; /* where something is wrong with it, reading it tells */
    remember(watch, &about);
    return true;
}

/* Starts to hash the file once more. Without memory for it nobody looks: the reading does not
 * depend on that. */
static void start_hashing(struct watch *watch)
{
    if (watch->bytes == NULL)
        watch->bytes = malloc(PIECE_BYTES);
    if (watch->state == NULL)
        watch->state = XXH3_createState();
    watch->is_hashing = watch->bytes != NULL && watch->state != NULL;
    watch->hashed = 0;
    if (watch->is_hashing)
        (void)XXH3_64bits_reset(watch->state);
}

/* Hashes some more; false where the file is known to be another. */
static bool hash_on(struct watch *watch, uint64_t size, uint64_t hash)
{
    for (size_t i = 0; i < PIECES && watch->hashed < size; i++) {
        uint64_t left = size - watch->hashed;
        ssize_t count =
            pread(watch->fd, watch->bytes, left < PIECE_BYTES ? (size_t)left : PIECE_BYTES,
                  watch->start + (off_t)watch->hashed);
        if (count < 0)
            return true; /* the reading will tell why */
        if (count == 0)
            return false;
        (void)XXH3_64bits_update(watch->state, watch->bytes, (size_t)count);
        watch->hashed += (uint64_t)count;
    }
    watch->is_hashing = watch->hashed < size;
    return watch->is_hashing || XXH3_64bits_digest(watch->state) == hash;
}

bool watch_look(struct watch *watch, uint64_t size, uint64_t hash)
{
    off_t read_to = watch->start + (off_t)size;
    struct stat about;

    if (fstat(watch->fd, &about) != 0)
        return true;
    bool is_cut = watch->seen_size >= read_to && about.st_size < read_to;
    if (is_touched(watch, &about))
        start_hashing(watch);
    remember(watch, &about);
    return !is_cut && (!watch->is_hashing || hash_on(watch, size, hash));
}
