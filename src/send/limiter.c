#include "send/limiter.h"

#include <assert.h>

enum { NS_PER_MS = 1000 * 1000 };

/* What each term comes to at the most, so that no sum or product below can overflow. */
_Static_assert(LIMITER_BURST_MAX <= INT64_MAX / 2 / (LIMITER_PER_MS_MAX * NS_PER_MS),
               "the burst's credit fits");
_Static_assert(LIMITER_COUNT_MAX <= INT64_MAX / 2 / LIMITER_SLACK_NS, "the slack's credit fits");

static int64_t capacity_of(const struct limiter *limiter)
{
    return limiter->burst * limiter->per_ns + limiter->count * limiter->slack_ns;
}

/* Gives the credit for the time that has passed. */
static void advance(struct limiter *limiter, int64_t now_ns)
{
    if (now_ns <= limiter->at_ns)
        return;
    int64_t elapsed_ns = now_ns - limiter->at_ns;
    int64_t missing = capacity_of(limiter) - limiter->credit;

    limiter->at_ns = now_ns;
    if (limiter->count == 0)
        return;
    if (elapsed_ns > missing / limiter->count)
        limiter->credit += missing;
    else
        limiter->credit += elapsed_ns * limiter->count;
}

static void set_terms(struct limiter *limiter, int64_t count, int64_t per_ms)
{
    assert(count >= 0 && count <= LIMITER_COUNT_MAX);
    assert(per_ms >= 1 && per_ms <= LIMITER_PER_MS_MAX);
    limiter->count = count;
    limiter->per_ns = per_ms * NS_PER_MS;
}

void limiter_init(struct limiter *limiter, int64_t count, int64_t per_ms, int64_t burst,
                  int64_t now_ns)
{
    assert(burst >= 1 && burst <= LIMITER_BURST_MAX);
    *limiter = (struct limiter){.burst = burst, .slack_ns = LIMITER_SLACK_NS, .at_ns = now_ns};
    set_terms(limiter, count, per_ms);
    limiter->credit = burst * limiter->per_ns;
}

void limiter_drain(struct limiter *limiter)
{
    limiter->credit = 0;
}

int64_t limiter_next_ns(struct limiter *limiter, int64_t now_ns)
{
    advance(limiter, now_ns);
    if (limiter->count == 0 || limiter->credit >= limiter->per_ns)
        return 0;
    int64_t missing = limiter->per_ns - limiter->credit;
    return limiter->at_ns + (missing - 1) / limiter->count + 1;
}

void limiter_take(struct limiter *limiter, int64_t now_ns)
{
    advance(limiter, now_ns);
    limiter->taken++;
    if (limiter->count == 0)
        return;
    assert(limiter->credit >= limiter->per_ns);
    limiter->credit -= limiter->per_ns;
}

/*
 * Whole starts carry over exactly; a fraction is brought to the new unit and rounded down, by less
 * than 1/per_ns of a start. (Doubles, since the product takes up to 83 bits: their own error is
 * smaller still. Rates in the same unit, as those that change are, need none of it.)
 */
static int64_t converted(int64_t credit, int64_t from_per_ns, int64_t per_ns, int64_t capacity)
{
    int64_t whole = credit / from_per_ns;
    double part = (double)(credit % from_per_ns) / (double)from_per_ns;

    if (from_per_ns == per_ns)
        return credit;
    if (whole > capacity / per_ns)
        return capacity;
    return whole * per_ns + (int64_t)(part * (double)per_ns);
}

void limiter_set_rate(struct limiter *limiter, int64_t count, int64_t per_ms, int64_t now_ns)
{
    advance(limiter, now_ns);
    bool was_limited = limiter->count > 0;
    int64_t from_per_ns = limiter->per_ns;

    set_terms(limiter, count, per_ms);
    int64_t capacity = capacity_of(limiter);
    int64_t credit = converted(limiter->credit, from_per_ns, limiter->per_ns, capacity);
    if (!was_limited)
        credit = 0; /* nothing was counted: assume that all was used */
    limiter->credit = credit < capacity ? credit : capacity;
}

void limiter_set_burst(struct limiter *limiter, int64_t burst, int64_t slack_ns, int64_t now_ns)
{
    assert(burst >= 1 && burst <= LIMITER_BURST_MAX);
    assert(slack_ns >= 0 && slack_ns <= LIMITER_SLACK_NS);
    advance(limiter, now_ns);
    limiter->burst = burst;
    limiter->slack_ns = slack_ns;
    int64_t capacity = capacity_of(limiter);
    if (limiter->credit > capacity)
        limiter->credit = capacity;
}
