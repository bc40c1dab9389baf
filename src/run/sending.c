#include "run/sending.h"

#include <sys/random.h>

struct retry_policy sending_retries(const struct run_settings *settings)
{
    return (struct retry_policy){.max_attempts = (uint32_t)settings->max_attempts,
                                 .base_ms = settings->retry_delay_ms,
                                 .cap_ms = settings->retry_max_delay_ms,
                                 .on_ambiguous = (enum on_ambiguous)settings->on_ambiguous};
}

void sending_settle(const struct run_settings *settings, int64_t ret_ms[2])
{
    bool is_said = settings->has_settle;

    ret_ms[0] = is_said ? settings->settle_ms[0] : DEFAULT_SETTLE_MS;
    ret_ms[1] = is_said ? settings->settle_ms[1] : DEFAULT_SETTLE_AGAIN_MS;
}

static uint64_t random_seed(void)
{
    uint64_t seed = 0;
    return getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed) ? seed : 1;
}

struct rate sending_rate(const struct run_settings *settings, bool *ret_is_documented)
{
    enum dialect host;

    *ret_is_documented = false;
    if (settings->rate.per_ms > 0 || settings->ramp.ms > 0 || settings->simulate != NULL ||
        settings->endpoint == NULL || !dialect_of_url(span_string(settings->endpoint), &host))
        return settings->rate;
    *ret_is_documented = true;
    return (struct rate){dialects[host].rate_per_s, 1000};
}

double sending_rate_per_s(const struct run_settings *settings)
{
    bool is_documented;
    const struct rate rate = sending_rate(settings, &is_documented);

    return rate.count > 0 ? (double)rate.count * 1000 / (double)rate.per_ms : 0;
}

void sending_options(const struct run_settings *settings, struct halt *halt,
                     struct job_options *options)
{
    bool is_documented;
    const struct rate rate = sending_rate(settings, &is_documented);

    *halt = settings->halt;
    options->halt = halt;
    options->canary = settings->canary;
    if (settings->canary.rows == 0)
        options->canary = (struct canary){.state = CANARY_OVER};
    options->dialect = settings->dialect;
    options->outage_wait_ms = settings->outage_wait_ms;
    options->seed = settings->seed > 0 ? (uint64_t)settings->seed : random_seed();
    options->retry = sending_retries(settings);
    options->pacer = (struct pacer_options){.rate_count = rate.count,
                                            .rate_per_ms = rate.per_ms,
                                            .burst = settings->burst,
                                            .rate_is_asked = settings->rate.count > 0,
                                            .has_ramp = settings->ramp.ms > 0,
                                            .ramp = settings->ramp,
                                            .adaptive = !settings->no_adaptive,
                                            .concurrency = (size_t)settings->concurrency};
}
