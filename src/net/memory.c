#include "net/memory.h"

#include <curl/curl.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * A list for each size, in steps of 16 bytes. A block in use knows the list that it will go to, so
 * that giving it back takes no arithmetic; one that is too large for a list, or finds it full, goes
 * to the C library. The lists are the owning thread's: others take new blocks and free them.
 */

enum {
    STEP = 16,                   /* sizes are rounded up to a multiple of this */
    SIZES = 1026,                /* so that larger blocks than SIZES * STEP are not kept: libcurl
                                    reads into buffers of 16 KB and a byte */
    KEPT_BYTES_MAX = 256 * 1024, /* of each size */
    PIECE = 2000                 /* bytes that are zeroed at a time */
};

/* What is in front of a block. */
struct block {
    alignas(max_align_t) size_t capacity;
    union {
        struct block *next; /* while it is kept */
        struct kept *home;  /* while it is in use: where it will be kept; NULL: nowhere */
    };
};

/* By capacity: those of STEP bytes come first. */
static struct kept {
    struct block *first;
    size_t room; /* for so many more */
} kept[SIZES];

static _Thread_local bool is_owner;

/* Apart, so that the usual way saves no registers. */
static __attribute__((noinline)) void *take_new(size_t steps)
{
    if (steps >= SIZE_MAX / 2 / STEP)
        return NULL;
    size_t capacity = (steps + 1) * STEP;
    struct block *block = malloc(sizeof(*block) + capacity);
    if (block == NULL)
        return NULL;
    block->capacity = capacity;
    block->home = steps < SIZES ? &kept[steps] : NULL;
    return block + 1;
}

void *memory_take(size_t size)
{
    size_t steps = (size - (size > 0)) / STEP; /* beyond the first one */

    if (!is_owner || steps >= SIZES || kept[steps].first == NULL)
        return take_new(steps);
    struct kept *home = &kept[steps];
    struct block *block = home->first;
    home->first = block->next;
    home->room++;
    block->home = home;
    return block + 1;
}

void memory_give(void *pointer)
{
    if (pointer == NULL)
        return;
    struct block *block = (struct block *)pointer - 1;
    struct kept *home = block->home;
    if (!is_owner || home == NULL || home->room == 0) {
        free(block);
        return;
    }
    block->next = home->first;
    home->first = block;
    home->room--;
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
    size_t capacity = ((struct block *)pointer - 1)->capacity;
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

enum status memory_init(void)
{
    static bool done;
    CURLcode code = CURLE_OK;

    if (done)
        return STATUS_OK;
    is_owner = true;
    for (size_t i = 0; i < SIZES; i++)
        kept[i].room = KEPT_BYTES_MAX / ((i + 1) * STEP);
    /* Debian's libcurl opens, and writes TLS secrets to, the file that this names. */
    (void)unsetenv("SSLKEYLOGFILE");
    code = KEEPS_BLOCKS ? curl_global_init_mem(CURL_GLOBAL_DEFAULT, memory_take, memory_give,
                                               memory_resize, memory_copy, memory_take_zeroed)
                        : curl_global_init(CURL_GLOBAL_DEFAULT);
    done = code == CURLE_OK;
    return done ? STATUS_OK : STATUS_NO_MEMORY;
}
