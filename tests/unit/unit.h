/* What every unit test includes: cmocka and its prerequisites, before banned.h takes names away. */
#ifndef NB_TESTS_UNIT_H
#define NB_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/span.h"

#define assert_span(got, text) assert_span_is((got), (text), __FILE__, __LINE__)

static inline void assert_span_is(struct span got, const char *text, const char *file, int line)
{
    bool same = span_is(got, text);
    if (!same)
        print_error("got \"%.*s\", wanted \"%s\"\n", SPAN_ARG(got), text);
    _assert_true(same, "the texts are equal", file, line);
}

#endif
