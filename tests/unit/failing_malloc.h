/*
 * For fail-the-nth tests of what cJSON allocates: the first `count` allocations succeed, all later
 * ones fail as malloc does.
 *
 *     failing_malloc_start(count);
 *     …
 *     failing_malloc_stop();
 */
#ifndef NB_TESTS_FAILING_MALLOC_H
#define NB_TESTS_FAILING_MALLOC_H

#include <cjson/cJSON.h>
#include <errno.h>

static size_t failing_malloc_left;

static inline void *failing_malloc(size_t size)
{
    if (failing_malloc_left == 0) {
        errno = ENOMEM;
        return NULL;
    }
    failing_malloc_left--;
    return malloc(size);
}

static inline void failing_malloc_start(size_t count)
{
    cJSON_Hooks hooks = {.malloc_fn = failing_malloc, .free_fn = free};

    failing_malloc_left = count;
    cJSON_InitHooks(&hooks);
}

static inline void failing_malloc_stop(void)
{
    cJSON_InitHooks(NULL);
}

#endif
