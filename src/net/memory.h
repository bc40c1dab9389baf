/*
 * libcurl's memory. For every request it takes about forty small blocks and gives them back; they
 * are kept by size for the next request, which costs a tenth of what the C library's allocator
 * takes where many requests are in flight.
 *
 * Blocks are kept for the thread that set this up; others (libcurl's resolver) allocate as usual,
 * and a block may be freed by another thread than the one that took it. Private to net/.
 */
#ifndef NB_NET_MEMORY_H
#define NB_NET_MEMORY_H

#include "core/status.h"

/* Sets libcurl up, before anything else is asked of it; a second call does nothing.
 * STATUS_NO_MEMORY. */
enum status memory_init(void) MUST_USE;

/* As malloc, calloc, realloc, free and strdup; what one of these returned only these may take. */
void *memory_take(size_t size);
void *memory_take_zeroed(size_t count, size_t size);
void *memory_resize(void *pointer, size_t size);
void memory_give(void *pointer);
char *memory_copy(const char *text);

#endif
