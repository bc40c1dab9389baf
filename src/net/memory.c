#include "net/memory.h"

#include <curl/curl.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/*
 * A list for each size, in steps of 16 bytes. The blocks of a size lie close together, in slabs of
 * one region of addresses, and have nothing in front of them: the slab says where a block goes that
 * is given back. By then most blocks have left the processor's cache, and looking at one would mean
 * to wait for it. What is too large for a list, or finds the region used up, or is taken by another
 * thread, is the C library's and has its size in front of it.
 *
 * The lists are the owning thread's. What another thread gives back of theirs waits among the
 * strays until a slab is needed.
 */

enum {
    STEP = 16,         /* sizes are rounded up to a multiple of this */
    SIZES = 1026,      /* so that larger blocks than SIZES * STEP are not kept: libcurl reads into
                          buffers of 16 KB and a byte */
    SLAB = 128 * 1024, /* bytes, of one size */
    SLABS = 2048,      /* 256 MB of addresses, of which only what is used takes memory */
    PIECE = 2000       /* bytes that are zeroed at a time */
};

struct block {
    struct block *next; /* while it is kept */
};

/* By capacity: those of STEP bytes come first. */
static struct kept {
    struct block *first;
    char *fresh; /* of the newest slab, what has not been a block yet */
    size_t left; /* bytes of it */
} kept[SIZES];

static char *region;
static size_t region_bytes; /* 0: there is none */
static size_t slab_count;
static uint16_t size_of_slab[SLABS]; /* which of `kept` */
static struct block *_Atomic strays;
static _Thread_local bool is_owner;

/* What is in front of a block of the C library's. */
struct outside {
    alignas(max_align_t) size_t capacity;
};

static void *take_outside(size_t size)
{
    struct outside *block = size < SIZE_MAX / 2 ? malloc(sizeof(*block) + size) : NULL;

    if (block == NULL)
        return NULL;
    block->capacity = size;
    return block + 1;
}

/* Where in the region; region_bytes or more: not there. */
static size_t place_of(const void *pointer)
{
    return (uintptr_t)pointer - (uintptr_t)region;
}

static struct kept *home_of(size_t place)
{
    return &kept[size_of_slab[place / SLAB]];
}

static void keep(void *pointer)
{
    struct kept *home = home_of(place_of(pointer));
    struct block *block = pointer;

    block->next = home->first;
    home->first = block;
}

static void *pop(struct kept *home)
{
    struct block *block = home->first;

    home->first = block->next;
    return block;
}

static void keep_strays(void)
{
    struct block *next;

    for (struct block *stray = atomic_exchange(&strays, NULL); stray != NULL; stray = next) {
        next = stray->next;
        keep(stray);
    }
}

static size_t capacity_of(const struct kept *home)
{
    return (size_t)(home - kept + 1) * STEP;
}

/* Apart, so that the usual way saves no registers. */
static __attribute__((noinline)) void *take_fresh(struct kept *home)
{
    size_t capacity = capacity_of(home);

    if (home->left < capacity) {
        keep_strays();
        if (home->first != NULL)
            return pop(home);
        if (slab_count * SLAB == region_bytes)
            return take_outside(capacity);
        home->fresh = region + slab_count * SLAB;
        home->left = SLAB;
        size_of_slab[slab_count++] = (uint16_t)(home - kept);
    }
    void *block = home->fresh;
    home->fresh += capacity;
    home->left -= capacity;
    return block;
}

void *memory_take(size_t size)
{
    size_t steps = (size - (size > 0)) / STEP; /* beyond the first one */

    if (!is_owner || steps >= SIZES)
        return take_outside(size);
    struct kept *home = &kept[steps];
    return home->first != NULL ? pop(home) : take_fresh(home);
}

static __attribute__((noinline)) void give_elsewhere(void *pointer)
{
    if (place_of(pointer) >= region_bytes) {
        free((struct outside *)pointer - 1);
        return;
    }
    struct block *block = pointer;
    block->next = atomic_load(&strays);
    while (!atomic_compare_exchange_weak(&strays, &block->next, block))
        ;
}

void memory_give(void *pointer)
{
    if (pointer == NULL)
        return;
    if (place_of(pointer) < region_bytes && is_owner)
        keep(pointer);
    else
        give_elsewhere(pointer);
}

void *memory_take_zeroed(size_t count, size_t size)
{
    /* In pieces, and by the C library's words: for larger ones it, and for ones whose size it knows
     * the compiler, takes an instruction of the processor that is slow to begin. */
    static void *(*const volatile fill)(void *, int, size_t) = memset;
    size_t total, at = 0;

    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    char *pointer = memory_take(total);
    if (pointer == NULL)
        return NULL;
    for (; total - at > PIECE; at += PIECE)
        (void)fill(pointer + at, 0, PIECE);
    (void)fill(pointer + at, 0, total - at);
    return pointer;
}

void *memory_resize(void *pointer, size_t size)
{
    if (pointer == NULL)
        return memory_take(size);
    size_t place = place_of(pointer);
    size_t capacity = place < region_bytes ? capacity_of(home_of(place))
                                           : ((struct outside *)pointer - 1)->capacity;
    if (size <= capacity)
        return pointer;
    void *larger = memory_take(size);
    if (larger == NULL)
        return NULL;
    memcpy(larger, pointer, capacity);
    memory_give(pointer);
    return larger;
}

char *memory_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memory_take(size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

/* A sanitizer is to see libcurl's blocks as they are. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SEES_BLOCKS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(SEES_BLOCKS)
#define KEEPS_BLOCKS 0
#else
#define KEEPS_BLOCKS 1
#endif

/* Where it cannot be had, the C library has to do. */
static void make_region(void)
{
    void *addresses = mmap(NULL, (size_t)SLAB * SLABS, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (addresses == MAP_FAILED)
        return;
    region = addresses;
    region_bytes = (size_t)SLAB * SLABS;
}

enum status memory_init(void)
{
    static bool done;
    CURLcode code = CURLE_OK;

    if (done)
        return STATUS_OK;
    is_owner = true;
    make_region();
    /* Debian's libcurl opens, and writes TLS secrets to, the file that this names. */
    (void)unsetenv("SSLKEYLOGFILE");
    code = KEEPS_BLOCKS ? curl_global_init_mem(CURL_GLOBAL_DEFAULT, memory_take, memory_give,
                                               memory_resize, memory_copy, memory_take_zeroed)
                        : curl_global_init(CURL_GLOBAL_DEFAULT);
    done = code == CURLE_OK;
    return done ? STATUS_OK : STATUS_NO_MEMORY;
}
