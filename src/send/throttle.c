#include "send/throttle.h"

#include <assert.h>

#include "send/breaker.h"
#include "send/retry.h"

void throttle_init(struct throttle *throttle, bool enabled, int64_t ceiling, int64_t floor,
                   int64_t now_ms)
{
    assert(ceiling >= 1 && floor >= 1);
    *throttle = (struct throttle){
        .enabled = enabled,
        .ceiling = ceiling,
        .floor = floor,
        .limit = INT64_MAX,
        .cut_ms = INT64_MIN,
        .calm_ms = now_ms,
    };
}

void throttle_set_ceiling(struct throttle *throttle, int64_t ceiling)
{
    assert(ceiling >= 1);
    throttle->ceiling = ceiling;
}

int64_t throttle_value(const struct throttle *throttle)
{
    return throttle->limit < throttle->ceiling ? throttle->limit : throttle->ceiling;
}

bool throttle_is_called_for(const struct outcome *outcome)
{
    const struct retry_rule *rule = retry_rule_of(outcome);

    return rule->throttles && rule->verdict == RETRY_AGAIN;
}

static enum throttle_change lower(struct throttle *throttle, int64_t started_ms, int64_t now_ms)
{
    int64_t value = throttle_value(throttle);
    bool first = throttle->cut_ms == INT64_MIN;

    throttle->calm_ms = now_ms;
    if (!first &&
        (started_ms < throttle->cut_ms || now_ms - throttle->cut_ms < THROTTLE_INTERVAL_MS))
        return THROTTLE_SAME;
    if (value <= throttle->floor)
        return THROTTLE_SAME;
    throttle->cut_ms = now_ms;
    throttle->limit = value / 2 > throttle->floor ? value / 2 : throttle->floor;
    throttle->cuts++;
    return THROTTLE_LOWERED;
}

static enum throttle_change raise_again(struct throttle *throttle, int64_t now_ms)
{
    int64_t step = throttle->ceiling / THROTTLE_STEPS;

    if (throttle->limit == INT64_MAX || now_ms - throttle->calm_ms < THROTTLE_INTERVAL_MS)
        return THROTTLE_SAME;
    int64_t before = throttle_value(throttle);
    throttle->calm_ms = now_ms;
    throttle->limit = before + (step > 1 ? step : 1);
    if (throttle->limit >= throttle->ceiling)
        throttle->limit = INT64_MAX;
    return throttle_value(throttle) > before ? THROTTLE_RAISED : THROTTLE_SAME;
}

enum throttle_change throttle_add(struct throttle *throttle, const struct outcome *outcome,
                                  int64_t started_ms, int64_t now_ms)
{
    if (!throttle->enabled)
        return THROTTLE_SAME;
    if (throttle_is_called_for(outcome))
        return lower(throttle, started_ms, now_ms);
    if (breaker_kind_of(outcome) != BREAKER_OK)
        return THROTTLE_SAME; /* it says nothing about the pace */
    return raise_again(throttle, now_ms);
}
