/*
 * When to look at a command once more: often while something may have happened, and ever more
 * rarely the longer nothing does. Pure.
 *
 *     const struct look look = {.state = state, .now_s = now, .expires_s = …, .interval_s = 30};
 *     due_s = now_s + look_again_s(&look);
 *
 * The wait doubles with each look that found nothing new, up to LOOK_GROWTH_MAX intervals; of a
 * command that is on its way, up to LOOK_SENT_MAX. Before its valid_time a command cannot end, and
 * at its end it is looked at at once.
 */
#ifndef NB_SEND_LOOK_AGAIN_H
#define NB_SEND_LOOK_AGAIN_H

#include "platform/delivery.h"

enum {
    LOOK_GROWTH_MAX = 32, /* intervals between two looks */
    LOOK_SENT_MAX = 4,
    LOOK_MISSING_MAX = 6, /* looks at one that is missing: more would be of no use for days */
};

struct look {
    enum command_state state;
    unsigned looks;     /* that found this state, ≥ 1 */
    int64_t now_s;      /* the platform's clock */
    int64_t valid_s;    /* HISTORY_NONE: not known */
    int64_t expires_s;  /* likewise */
    int64_t interval_s; /* ≥ 1 */
};

/* Seconds until the next look, ≥ 1. For commands that are not final. */
int64_t look_again_s(const struct look *look);

#endif
