/* The platform's error codes: what each means and what helps (onenet-api.md, "Error codes"). */
#ifndef NB_COMMAND_PLATFORM_ERRNO_H
#define NB_COMMAND_PLATFORM_ERRNO_H

#include "core/span.h"

struct platform_errno {
    int64_t number;
    const char *name;
    const char *meaning;
    const char *remedy;
    bool again; /* worth sending again: the platform did not take the command and may later */
};

/* The entry of that number, or NULL for one that the platform does not document. */
const struct platform_errno *platform_errno_find(int64_t number);

/* All entries, for help. */
const struct platform_errno *platform_errno_all(size_t *ret_count);

#endif
