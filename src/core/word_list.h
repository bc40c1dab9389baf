/* Words of which an option takes several, in the order in which they were given. They belong to
 * somebody else (argv). */
#ifndef NB_CORE_WORD_LIST_H
#define NB_CORE_WORD_LIST_H

#include "core/span.h"

enum { WORD_LIST_MAX = 64 };

struct word_list {
    const char *items[WORD_LIST_MAX];
    size_t count;
};

#endif
