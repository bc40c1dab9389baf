#include "send/pace_measure.h"

#include "send/pace_math.h"

enum { SECOND_SLOTS = 15 };

struct pace_count pace_count_from(int64_t started_ns)
{
    return (struct pace_count){.holds = true, .start_ns = started_ns, .last_ns = started_ns};
}

void pace_count_add(struct pace_count *count, bool refused, int64_t started_ns)
{
    if (started_ns <= count->start_ns)
        return;
    count->passed += !refused;
    count->refused += refused;
    if (started_ns > count->last_ns)
        count->last_ns = started_ns;
}

double pace_count_seconds(const struct pace_count *count)
{
    return seconds_between(count->start_ns, count->last_ns);
}

void pace_cusum_add(struct pace_cusum *cusum, bool refused, double expected, int64_t started_ns)
{
    if (cusum->sum == 0 && refused)
        cusum->seen = pace_count_from(started_ns);
    cusum->sum = most(0, cusum->sum + refused - expected);
}

void pace_recent_add(struct pace_recent *recent, int64_t started_ns)
{
    int64_t slot = started_ns >> PACE_SLOT_BITS;

    if (slot - recent->slot >= PACE_SLOTS)
        recent->slot = slot - PACE_SLOTS;
    while (recent->slot < slot)
        recent->passed[++recent->slot % PACE_SLOTS] = 0;
    if (recent->slot - slot < PACE_SLOTS)
        recent->passed[slot % PACE_SLOTS]++;
}

double pace_recent_rate(const struct pace_recent *recent, int64_t at_ns)
{
    const double slot_ns = (double)(INT64_C(1) << PACE_SLOT_BITS);
    int64_t slot = at_ns >> PACE_SLOT_BITS;
    double part = ((double)at_ns - (double)slot * slot_ns) / slot_ns, sum = 0;

    for (int64_t i = slot; i >= slot - SECOND_SLOTS && i >= 0; i--)
        if (i <= recent->slot && recent->slot - i < PACE_SLOTS)
            sum += recent->passed[i % PACE_SLOTS] * (i == slot - SECOND_SLOTS ? 1 - part : 1);
    return sum * NS_PER_S / (SECOND_SLOTS * slot_ns);
}

uint64_t pace_run_add(struct pace_run *run, bool refused, int64_t started_ns)
{
    uint64_t ended = refused ? 0 : run->count;

    if (refused && run->count == 0)
        run->start_ns = started_ns;
    run->count = refused ? run->count + 1 : 0;
    return ended;
}
