#include "send/beats.h"

static struct beat_group *group(struct beats *beats, size_t at)
{
    return &beats->groups[(beats->first + at) % BEATS_GROUPS_MAX];
}

static void drop_group(struct beats *beats)
{
    beats->first = (beats->first + 1) % BEATS_GROUPS_MAX;
    beats->count--;
}

bool beats_add(struct beats *beats, int64_t at_ns, int64_t step_ns, int64_t count)
{
    if (beats->count == BEATS_GROUPS_MAX || count <= 0)
        return count <= 0;
    *group(beats, beats->count++) = (struct beat_group){at_ns, step_ns, count};
    return true;
}

void beats_take(struct beats *beats)
{
    struct beat_group *first = group(beats, 0);

    first->at_ns += first->step_ns;
    if (--first->count == 0)
        drop_group(beats);
}

/* Whether they run out soon: by the time that is left to the last one, where they have a step. */
static bool is_low(struct beats *beats, int64_t now_ns)
{
    const struct beat_group *last = group(beats, beats->count - 1);

    if (last->step_ns == 0)
        return last->count < BEATS_LOW;
    return last->at_ns + last->step_ns * (last->count - 1) < now_ns + BEATS_LOW_NS;
}

int64_t beats_held(const struct beats *beats)
{
    int64_t held = 0;

    for (size_t i = 0; i < beats->count; i++)
        held += beats->groups[(beats->first + i) % BEATS_GROUPS_MAX].count;
    return held;
}

int64_t beats_next_ns(struct beats *beats, int64_t now_ns)
{
    while (beats->count > 0 && group(beats, 0)->at_ns < now_ns - BEATS_STALE_NS)
        beats_take(beats);
    if (beats->count == 0 || (beats->count < BEATS_GROUPS_MAX && is_low(beats, now_ns)))
        beats->wanted = true;
    if (beats->count == 0)
        return INT64_MAX;
    int64_t at_ns = group(beats, 0)->at_ns;
    return at_ns <= now_ns ? 0 : at_ns;
}
