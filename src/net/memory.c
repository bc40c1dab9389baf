#include "net/memory.h"

#include <curl/curl.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    STEP = 16,                  /* sizes are rounded up to a multiple of this */
    SIZES = 512,                /* so that larger blocks than SIZES * STEP are not kept */
    KEPT_BYTES_MAX = 64 * 1024, /* of each size */
    PIECE = 2000                /* bytes that are zeroed at a time */
};

/* What stands before a block. */
struct block {
    alignas(max_align_t) size_t capacity;
    struct block *next; /* while it is kept */
};

static struct kept {
    struct block *first;
    size_t bytes;
} kept[SIZES];

static _Thread_local bool is_owner;

static struct kept *kept_of(size_t capacity)
{
    return is_owner && capacity <= (size_t)SIZES * STEP ? &kept[capacity / STEP - 1] : NULL;
}

void *memory_take(size_t size)
{
    size_t capacity = (size + (size == 0) + STEP - 1) / STEP * STEP;

    if (size > SIZE_MAX / 2)
        return NULL;
    struct kept *list = kept_of(capacity);
    struct block *block = list != NULL ? list->first : NULL;
    if (block != NULL) {
        list->first = block->next;
        list->bytes -= capacity;
        return block + 1;
    }
    block = malloc(sizeof(*block) + capacity);
    if (block == NULL)
        return NULL;
    block->capacity = capacity;
    return block + 1;
}

void memory_give(void *pointer)
{
    if (pointer == NULL)
        return;
    struct block *block = (struct block *)pointer - 1;
    struct kept *list = kept_of(block->capacity);
    if (list == NULL || list->bytes + block->capacity > KEPT_BYTES_MAX) {
        free(block);
        return;
    }
    block->next = list->first;
    list->first = block;
    list->bytes += block->capacity;
}

void *memory_take_zeroed(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / 2 / size)
        return NULL;
    /* In pieces, and by the C library's words: for larger ones it, and for ones whose size it knows
     * the compiler, takes an instruction of the processor that is slow to begin. */
    static void *(*const volatile fill)(void *, int, size_t) = memset;
    size_t total = count * size;
    char *pointer = memory_take(total);
    size_t at = 0;
    for (; pointer != NULL && total - at > PIECE; at += PIECE)
        (void)fill(pointer + at, 0, PIECE);
    if (pointer != NULL)
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
    /* Debian's libcurl opens, and writes TLS secrets to, the file that this names. */
    (void)unsetenv("SSLKEYLOGFILE");
    code = KEEPS_BLOCKS ? curl_global_init_mem(CURL_GLOBAL_DEFAULT, memory_take, memory_give,
                                               memory_resize, memory_copy, memory_take_zeroed)
                        : curl_global_init(CURL_GLOBAL_DEFAULT);
    done = code == CURLE_OK;
    return done ? STATUS_OK : STATUS_NO_MEMORY;
}
