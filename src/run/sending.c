#include "run/sending.h"

#include <sys/random.h>

#include "run/descriptors.h"
#include "run/exit_status.h"
#include "sim/server.h"
#include "sim/setup.h"

struct retry_policy sending_retries(const struct run_settings *settings)
{
    return (struct retry_policy){.max_attempts = (uint32_t)settings->max_attempts,
                                 .base_ms = settings->retry_delay_ms,
                                 .cap_ms = settings->retry_max_delay_ms,
                                 .on_ambiguous = (enum on_ambiguous)settings->on_ambiguous};
}

static uint64_t random_seed(void)
{
    uint64_t seed = 0;
    return getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed) ? seed : 1;
}

struct rate sending_rate(const struct run_settings *settings)
{
    enum dialect host;

    if (settings->rate.per_ms > 0 || settings->ramp.ms > 0 || settings->simulate != NULL ||
        !dialect_of_url(span_string(settings->endpoint), &host))
        return settings->rate;
    return (struct rate){dialects[host].rate_per_s, 1000};
}

void sending_options(const struct run_settings *settings, struct halt *halt,
                     struct job_options *options)
{
    const struct rate rate = sending_rate(settings);

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

int sending_fit(struct run_settings *settings, const struct person *person)
{
    uint64_t limit, needed;
    size_t wanted = (size_t)settings->concurrency;
    size_t room = descriptors_fit(wanted, settings->simulate != NULL, &limit, &needed);

    if (room == 0) {
        person_error(
            person,
            "this process may have %llu files open, which leaves no room for a connection; "
            "raise that with ulimit -n %llu",
            (unsigned long long)limit, (unsigned long long)needed);
        return EXIT_REFUSED;
    }
    if (settings->simulate != NULL && room > setup_connection_limit(SIM_CONNECTIONS_MAX))
        room = setup_connection_limit(SIM_CONNECTIONS_MAX);
    if (room < wanted)
        person_note(person,
                    "%zu requests at a time, not %zu: this process may have %llu files open; raise "
                    "that with ulimit -n %llu",
                    room, wanted, (unsigned long long)limit, (unsigned long long)needed);
    settings->concurrency = (int64_t)room;
    return 0;
}
