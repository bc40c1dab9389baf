/* For tests of a want of memory in what grows by realloc (struct buf): while the flag is set, no
 * call of it succeeds. The test is linked with --wrap=realloc. */
#ifndef NB_TESTS_FAILING_REALLOC_H
#define NB_TESTS_FAILING_REALLOC_H

#include <stdbool.h>
#include <stdlib.h>

static bool realloc_fails;

void *__real_realloc(void *ptr, size_t size);
void *__wrap_realloc(void *ptr, size_t size);

void *__wrap_realloc(void *ptr, size_t size)
{
    return realloc_fails ? NULL : __real_realloc(ptr, size);
}

#endif
