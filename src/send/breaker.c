#include "send/breaker.h"

#include <assert.h>

#include "platform/answer_case.h"

_Static_assert(BREAKER_WINDOW == 64, "the window is the bits of a uint64_t");

/* The only place that changes the state. */
static void set_state(struct breaker *breaker, enum breaker_state state)
{
    static const unsigned from[] = {
        [BREAKER_CLOSED] = 1u << BREAKER_HALF_OPEN,
        [BREAKER_OPEN] = 1u << BREAKER_CLOSED | 1u << BREAKER_HALF_OPEN,
        [BREAKER_HALF_OPEN] = 1u << BREAKER_OPEN,
    };
    assert((from[state] >> breaker->state & 1u) != 0);
    (void)from;
    breaker->state = state;
    breaker->era++;
}

void breaker_init(struct breaker *breaker)
{
    *breaker = (struct breaker){.delay_ms = BREAKER_DELAY_MS};
}

enum breaker_kind breaker_kind_of(const struct outcome *outcome)
{
    if (outcome->class == OUTCOME_HOPELESS)
        return BREAKER_NO_CONNECTION;
    if (outcome->http_status == 0)
        return outcome->class == OUTCOME_AMBIGUOUS ? BREAKER_FAILED : BREAKER_NO_CONNECTION;
    if (outcome->class == OUTCOME_AGAIN && answer_case_of(outcome)->throttles)
        return BREAKER_REFUSED;
    return outcome->http_status >= 500 ? BREAKER_FAILED : BREAKER_OK;
}

int64_t breaker_next_ms(const struct breaker *breaker, int64_t now_ms)
{
    switch (breaker->state) {
    case BREAKER_CLOSED:
        return 0;
    case BREAKER_OPEN:
        return now_ms >= breaker->probe_ms ? 0 : breaker->probe_ms;
    case BREAKER_HALF_OPEN:
        break;
    }
    return INT64_MAX;
}

static bool refuses_many(const struct breaker *breaker)
{
    uint32_t all = breaker->refused + breaker->refused_again;

    return (breaker_is_among_stubborn(breaker) ? breaker->refused : all) >= BREAKER_REFUSED_RUN;
}

bool breaker_refuses_all(const struct breaker *breaker, bool is_stubborn)
{
    if (breaker->state == BREAKER_CLOSED)
        return refuses_many(breaker);
    return breaker->by_refusals || !is_stubborn;
}

bool breaker_is_unreachable(const struct breaker *breaker)
{
    if (breaker->state == BREAKER_CLOSED)
        return breaker->failed_connections >= BREAKER_RUN_LIKELY;
    return !breaker->by_refusals;
}

uint32_t breaker_start(struct breaker *breaker, int64_t now_ms)
{
    assert(breaker_next_ms(breaker, now_ms) == 0);
    (void)now_ms;
    if (breaker->state == BREAKER_OPEN)
        set_state(breaker, BREAKER_HALF_OPEN);
    return breaker->era;
}

static void forget_refused(struct breaker *breaker)
{
    breaker->refused = breaker->refused_again = 0;
    breaker->stubborn = 0;
}

static void forget(struct breaker *breaker)
{
    breaker->failed_connections = 0;
    forget_refused(breaker);
    breaker->attempts = 0;
    breaker->window = 0;
}

static void open_up(struct breaker *breaker, int64_t now_ms)
{
    set_state(breaker, BREAKER_OPEN);
    forget(breaker);
    breaker->probe_ms = now_ms + breaker->delay_ms;
}

static unsigned count_ones(uint64_t bits)
{
    unsigned count = 0;

    for (; bits != 0; bits &= bits - 1)
        count++;
    return count;
}

static bool open_first(struct breaker *breaker, bool by_refusals, int64_t now_ms)
{
    breaker->by_refusals = by_refusals;
    breaker->delay_ms = BREAKER_DELAY_MS;
    breaker->open_since_ms = now_ms;
    breaker->openings++;
    open_up(breaker, now_ms);
    return true;
}

/* A limit refuses a part of what is sent; a platform that refuses all of it is out of service. */
static bool add_refused(struct breaker *breaker, bool again, int64_t now_ms)
{
    if (breaker->refused + breaker->refused_again == 0)
        breaker->refused_since_ms = now_ms;
    (*(again ? &breaker->refused_again : &breaker->refused))++;
    return refuses_many(breaker) && now_ms - breaker->refused_since_ms >= BREAKER_REFUSED_MS &&
           open_first(breaker, true, now_ms);
}

static bool add_closed(struct breaker *breaker, enum breaker_kind kind, int64_t now_ms)
{
    if (kind == BREAKER_STUBBORN) {
        breaker->stubborn++;
        return false;
    }
    if (kind == BREAKER_REFUSED || kind == BREAKER_REFUSED_AGAIN)
        return add_refused(breaker, kind == BREAKER_REFUSED_AGAIN, now_ms);
    if (kind == BREAKER_OK)
        forget_refused(breaker);
    breaker->window = breaker->window << 1 | (kind != BREAKER_OK);
    if (breaker->attempts < BREAKER_WINDOW)
        breaker->attempts++;
    if (kind == BREAKER_NO_CONNECTION)
        breaker->failed_connections++;
    else
        breaker->failed_connections = 0;
    bool opens = breaker->failed_connections >= BREAKER_RUN ||
                 (breaker->attempts >= BREAKER_ATTEMPTS_MIN &&
                  count_ones(breaker->window) * 100 >= breaker->attempts * BREAKER_SHARE);
    return opens && open_first(breaker, false, now_ms);
}

bool breaker_add(struct breaker *breaker, uint32_t ticket, enum breaker_kind kind, int64_t now_ms)
{
    if (ticket != breaker->era || breaker->state == BREAKER_OPEN)
        return false;
    if (kind == BREAKER_LOCAL) {
        if (breaker->state == BREAKER_HALF_OPEN) /* it was the probe: another one is to find out */
            open_up(breaker, now_ms);
        return false;
    }
    if (breaker->state == BREAKER_CLOSED)
        return add_closed(breaker, kind, now_ms);
    if (kind == BREAKER_OK) {
        set_state(breaker, BREAKER_CLOSED);
        forget(breaker);
        return true;
    }
    if (kind == BREAKER_STUBBORN) { /* it would have been refused all the same */
        open_up(breaker, now_ms);
        breaker->probe_ms = now_ms + BREAKER_DELAY_MS;
        return true;
    }
    breaker->delay_ms *= 2;
    if (breaker->delay_ms > BREAKER_DELAY_MAX_MS)
        breaker->delay_ms = BREAKER_DELAY_MAX_MS;
    open_up(breaker, now_ms);
    return true;
}
