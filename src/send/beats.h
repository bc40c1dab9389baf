/*
 * Starts that were granted by somebody who counts for several: each has its time, and they come in
 * groups with an even step between them. Pure.
 *
 *     beats_add(&beats, at_ns, step_ns, count);
 *     while (something waits && beats_next_ns(&beats, now_ns) == 0) {
 *         beats_take(&beats);
 *         … start it …
 *     }
 *     if (beats.wanted) … ask for more …
 *
 * A start that comes late keeps its place, so that a busy loop loses nothing; one that was not used
 * for BEATS_STALE_NS is void, so that a process which stood still does not make up for it.
 */
#ifndef NB_SEND_BEATS_H
#define NB_SEND_BEATS_H

#include "core/span.h"

#define BEATS_STALE_NS INT64_C(250000000)
#define BEATS_LOW_NS   INT64_C(100000000) /* more are wanted when they end that soon */

enum { BEATS_GROUPS_MAX = 64, BEATS_LOW = 200 /* likewise, of those without a step */ };

struct beat_group {
    int64_t at_ns, step_ns;
    int64_t count;
};

/* Zeroed: none. */
struct beats {
    struct beat_group groups[BEATS_GROUPS_MAX];
    size_t first, count; /* of the groups */
    bool wanted;         /* more should be asked for; whoever asks clears it */
};

/* Adds a group behind the others; false where there is no place: it is lost. None are wanted then.
 */
bool beats_add(struct beats *beats, int64_t at_ns, int64_t step_ns, int64_t count);

/* 0 when one may start now; else when, INT64_MAX: when more were granted. Notes where they run
 * out. */
int64_t beats_next_ns(struct beats *beats, int64_t now_ns);

/* How many there are. */
int64_t beats_held(const struct beats *beats);

/* Takes the one that beats_next_ns said 0 of. */
void beats_take(struct beats *beats);

#endif
