#include "send/pacer.h"

#define NS_PER_MS INT64_C(1000000)

static bool has_rate(const struct pacer *pacer)
{
    return pacer->options.has_ramp || pacer->options.rate_count > 0;
}

/* What the operator asked for at this time, per hour: a whole number for each of N/s, N/m, N/h. */
static int64_t asked_per_hour(const struct pacer *pacer, int64_t now_ms)
{
    const struct pacer_options *options = &pacer->options;

    if (options->has_ramp)
        return ramp_per_hour(&options->ramp, now_ms - pacer->start_ms);
    return options->rate_count * (LIMITER_HOUR_MS / options->rate_per_ms);
}

void pacer_init(struct pacer *pacer, const struct pacer_options *options, int64_t now_ms)
{
    *pacer = (struct pacer){.options = *options, .start_ms = now_ms, .ramped_ms = now_ms};
    int64_t per_hour = has_rate(pacer) ? asked_per_hour(pacer, now_ms) : 0;

    limiter_init(&pacer->limiter, per_hour, LIMITER_HOUR_MS, options->burst, now_ms * NS_PER_MS);
    if (per_hour > 0)
        throttle_init(&pacer->throttle, options->adaptive, per_hour, THROTTLE_RATE_FLOOR, now_ms);
    else
        throttle_init(&pacer->throttle, options->adaptive, (int64_t)options->concurrency, 1,
                      now_ms);
    breaker_init(&pacer->breaker);
}

int64_t pacer_rate_per_hour(const struct pacer *pacer)
{
    if (!has_rate(pacer))
        return 0;
    /* A rate below the throttle's floor is its own floor. */
    int64_t value = throttle_value(&pacer->throttle);
    int64_t asked = asked_per_hour(pacer, pacer->ramped_ms);
    return value < asked ? value : asked;
}

size_t pacer_concurrency(const struct pacer *pacer)
{
    return has_rate(pacer) ? pacer->options.concurrency : (size_t)throttle_value(&pacer->throttle);
}

static void set_rate(struct pacer *pacer, int64_t now_ns)
{
    limiter_set_rate(&pacer->limiter, pacer_rate_per_hour(pacer), LIMITER_HOUR_MS, now_ns);
}

static void follow_ramp(struct pacer *pacer, int64_t now_ns)
{
    int64_t now_ms = now_ns / NS_PER_MS;

    if (!pacer->options.has_ramp || now_ms - pacer->ramped_ms < RAMP_STEP_MS)
        return;
    pacer->ramped_ms = now_ms;
    throttle_set_ceiling(&pacer->throttle, asked_per_hour(pacer, now_ms));
    set_rate(pacer, now_ns);
}

static int64_t to_ns(int64_t ms)
{
    return ms > INT64_MAX / NS_PER_MS ? INT64_MAX : ms * NS_PER_MS;
}

int64_t pacer_next_ns(struct pacer *pacer, int64_t now_ns, enum pacer_wait *ret_why)
{
    int64_t now_ms = now_ns / NS_PER_MS;

    follow_ramp(pacer, now_ns);
    *ret_why = PACER_PAUSED;
    if (pacer->paused)
        return INT64_MAX;
    *ret_why = PACER_OUTAGE;
    int64_t probe_ms = breaker_next_ms(&pacer->breaker, now_ms);
    if (probe_ms > 0)
        return to_ns(probe_ms);
    *ret_why = PACER_HOST;
    if (now_ms < pacer->host_until_ms)
        return to_ns(pacer->host_until_ms);
    *ret_why = PACER_RATE;
    int64_t next_ns = has_rate(pacer) ? limiter_next_ns(&pacer->limiter, now_ns) : 0;
    if (next_ns == 0)
        *ret_why = PACER_GO;
    return next_ns;
}

uint32_t pacer_start(struct pacer *pacer, int64_t now_ns)
{
    if (has_rate(pacer))
        limiter_take(&pacer->limiter, now_ns);
    return breaker_start(&pacer->breaker, now_ns / NS_PER_MS);
}

void pacer_end(struct pacer *pacer, const struct pacer_attempt *attempt, int64_t now_ms,
               struct pacer_news *ret_news)
{
    const struct outcome *outcome = attempt->outcome;
    int64_t until_ms = now_ms + attempt->host_wait_ms;

    if (attempt->host_wait_ms > 0 && until_ms > pacer->host_until_ms)
        pacer->host_until_ms = until_ms;
    ret_news->throttle = throttle_add(&pacer->throttle, outcome, attempt->started_ms, now_ms);
    if (ret_news->throttle != THROTTLE_SAME && has_rate(pacer))
        set_rate(pacer, now_ms * NS_PER_MS);
    ret_news->breaker_changed =
        breaker_add(&pacer->breaker, attempt->ticket, breaker_kind_of(outcome), now_ms);
}

void pacer_cancel(struct pacer *pacer, uint32_t ticket, int64_t now_ms)
{
    (void)breaker_add(&pacer->breaker, ticket, BREAKER_LOCAL, now_ms);
}
