#include "send/pacer.h"

#include "send/retry.h"

#define NS_PER_MS  INT64_C(1000000)
#define S_PER_HOUR 3600.0

/*
 * A rate that was found keeps to its beat: a limit without a burst refuses what comes early. Timers
 * are late by up to a tick; of fast beats several fall due in one.
 */
#define BEAT_SLACK_NS INT64_C(1000000)
#define FAST_PER_HOUR (INT64_C(200) * 3600)

/* What the operator asked for at this time, per hour: a whole number for each of N/s, N/m, N/h; 0
 * where nothing was. */
static int64_t asked_per_hour(const struct pacer *pacer, int64_t now_ms)
{
    const struct pacer_options *options = &pacer->options;

    if (options->has_ramp)
        return ramp_per_hour(&options->ramp, now_ms - pacer->start_ms);
    if (options->rate_count == 0)
        return 0;
    return options->rate_count * (LIMITER_HOUR_MS / options->rate_per_ms);
}

int64_t pacer_rate_per_hour(const struct pacer *pacer)
{
    int64_t asked = asked_per_hour(pacer, pacer->ramped_ms);
    double found = pace_rate(&pacer->pace) * S_PER_HOUR;

    if (found <= 0 || (asked > 0 && (double)asked <= found))
        return asked;
    return found < (double)LIMITER_COUNT_MAX ? (int64_t)found : LIMITER_COUNT_MAX;
}

bool pacer_is_limited(const struct pacer *pacer)
{
    return pace_is_limited(&pacer->pace) &&
           pacer->per_hour != asked_per_hour(pacer, pacer->ramped_ms);
}

double pacer_allowed(const struct pacer *pacer)
{
    return pacer->yielded ? pace_allowed(&pacer->pace) : 0;
}

/* Has the limiter hold what holds now. */
static void set_rate(struct pacer *pacer, int64_t now_ns)
{
    int64_t per_hour = pacer_rate_per_hour(pacer);

    if (per_hour == pacer->per_hour)
        return;
    bool is_asked = per_hour == asked_per_hour(pacer, pacer->ramped_ms);
    int64_t burst = is_asked ? pacer->options.burst : 1;
    int64_t slack_ns = is_asked || per_hour > FAST_PER_HOUR ? LIMITER_SLACK_NS : BEAT_SLACK_NS;
    pacer->per_hour = per_hour;
    if (burst != pacer->limiter.burst || slack_ns != pacer->limiter.slack_ns)
        limiter_set_burst(&pacer->limiter, burst, slack_ns, now_ns);
    limiter_set_rate(&pacer->limiter, per_hour, LIMITER_HOUR_MS, now_ns);
}

void pacer_init(struct pacer *pacer, const struct pacer_options *options, int64_t now_ns)
{
    int64_t now_ms = now_ns / NS_PER_MS;
    bool is_short = options->rows > 0 && options->rows <= PACER_SHORT_RUN * options->concurrency;
    bool is_asked = options->has_ramp || (options->rate_count > 0 && options->rate_is_asked);

    *pacer = (struct pacer){.options = *options,
                            .start_ms = now_ms,
                            .ramped_ms = now_ms,
                            .answered_ms = now_ms};
    pace_init(&pacer->pace, options->concurrency, options->adaptive, !is_asked && !is_short);
    pace_set_ceiling(&pacer->pace, (double)asked_per_hour(pacer, now_ms) / S_PER_HOUR);
    pacer->per_hour = pacer_rate_per_hour(pacer);
    limiter_init(&pacer->limiter, pacer->per_hour, LIMITER_HOUR_MS, options->burst, now_ns);
    if (options->follows)
        limiter_drain(&pacer->limiter);
    breaker_init(&pacer->breaker);
}

static void follow_ramp(struct pacer *pacer, int64_t now_ns)
{
    int64_t now_ms = now_ns / NS_PER_MS;

    if (!pacer->options.has_ramp || now_ms - pacer->ramped_ms < RAMP_STEP_MS)
        return;
    pacer->ramped_ms = now_ms;
    pace_set_ceiling(&pacer->pace, (double)asked_per_hour(pacer, now_ms) / S_PER_HOUR);
    set_rate(pacer, now_ns);
}

static int64_t to_ns(int64_t ms)
{
    return ms > INT64_MAX / NS_PER_MS ? INT64_MAX : ms * NS_PER_MS;
}

static int64_t wait_for_rate(struct pacer *pacer, int64_t now_ns)
{
    int64_t next_ns = pacer->per_hour > 0 ? limiter_next_ns(&pacer->limiter, now_ns) : 0;

    if (next_ns != 0)
        pace_wait(&pacer->pace, now_ns);
    return next_ns;
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
    int64_t next_ns = wait_for_rate(pacer, now_ns);
    if (next_ns == 0)
        *ret_why = PACER_GO;
    return next_ns;
}

uint32_t pacer_start(struct pacer *pacer, int64_t now_ns)
{
    if (pacer->per_hour > 0)
        limiter_take(&pacer->limiter, now_ns);
    pace_start(&pacer->pace);
    return breaker_start(&pacer->breaker, now_ns / NS_PER_MS);
}

/* Whether three of five of the last answers refused. A limit refuses a part, and the pace has dealt
 * with it when the next answers come. */
static bool refuses_most(const struct pacer *pacer)
{
    uint32_t recent = pacer->recent & (uint32_t)((UINT64_C(1) << pacer->recent_count) - 1);

    return (pacer->pace.cut_ns == 0 || pacer->recent_count >= PACER_FEW) &&
           (uint32_t)__builtin_popcount(recent) * 5 >= pacer->recent_count * 3;
}

/* Retry-After delays its row; the others only where most of them would hear the same. */
static void heed_host(struct pacer *pacer, bool refused, int64_t started_ns, int64_t wait_ms,
                      int64_t now_ms)
{
    if (started_ns < pacer->pace.cut_ns) {
        pacer->recent_count = 0;
        return;
    }
    pacer->recent = pacer->recent << 1 | refused;
    if (pacer->recent_count < PACER_RECENT)
        pacer->recent_count++;
    if (wait_ms > 0 && now_ms + wait_ms > pacer->host_until_ms && refuses_most(pacer))
        pacer->host_until_ms = now_ms + wait_ms;
}

static enum pace_change tell(struct pacer *pacer, enum pace_change change, int64_t now_ms)
{
    if (change == PACE_LOWERED) {
        if (pacer->told_limit || (pacer->told_ms != 0 && now_ms - pacer->told_ms < pacer->tell_ms))
            return PACE_SAME;
        pacer->tell_ms = pacer->tell_ms > 0 ? 2 * pacer->tell_ms : PACER_TELL_MS;
        pacer->told_limit = true;
        pacer->told_ms = now_ms;
    } else if (change == PACE_FREED) {
        if (!pacer->told_limit)
            return PACE_SAME;
        pacer->told_limit = false;
    }
    return change;
}

static bool is_stubborn(const struct pacer *pacer, const struct pacer_row *row)
{
    return row->failing != 0 && pacer->answered > row->failing && pacer->balance > row->balance;
}

bool pacer_refuses_all(const struct pacer *pacer, const struct pacer_row *row)
{
    return breaker_refuses_all(&pacer->breaker, is_stubborn(pacer, row));
}

static void take_answered(struct pacer *pacer, const struct pacer_attempt *attempt, int64_t now_ms)
{
    pacer->balance++;
    pacer->answered_ms = now_ms;
    pacer->yielded |= attempt->row->failing != 0;
    if (attempt->number > pacer->answered)
        pacer->answered = attempt->number;
    *attempt->row = (struct pacer_row){.failing = 0};
}

/* What an attempt says, with what its row has been through. */
static enum breaker_kind take_kind(struct pacer *pacer, const struct pacer_attempt *attempt,
                                   int64_t now_ms)
{
    enum breaker_kind kind = breaker_kind_of(attempt->outcome);
    struct pacer_row *row = attempt->row;

    if (kind == BREAKER_OK)
        take_answered(pacer, attempt, now_ms);
    if (kind != BREAKER_REFUSED && kind != BREAKER_FAILED)
        return kind;
    if (is_stubborn(pacer, row))
        return BREAKER_STUBBORN;
    bool is_first = row->failing == 0;
    if (now_ms - pacer->answered_ms < BREAKER_REFUSED_MS)
        pacer->balance -= is_first ? PACER_STUBBORN : 1;
    if (is_first || row->balance == INT64_MAX)
        *row =
            (struct pacer_row){attempt->number,
                               breaker_is_refusing(&pacer->breaker) ? INT64_MAX : pacer->balance};
    return kind == BREAKER_REFUSED && !is_first ? BREAKER_REFUSED_AGAIN : kind;
}

/* Whether nothing but stubborn rows is left, it seems. */
static bool is_left_with_stubborn(const struct pacer *pacer, int64_t now_ms)
{
    return breaker_is_among_stubborn(&pacer->breaker) &&
           now_ms - pacer->answered_ms >= BREAKER_REFUSED_MS;
}

/* What goes while the breaker is open are probes, few and far between: they tell of no rate. Nor do
 * rows that are refused for their own sake, or are likely to be. */
static enum pace_answer answer_of(const struct pacer *pacer, enum breaker_kind kind, int64_t now_ms)
{
    if (breaker_is_open(&pacer->breaker))
        return PACE_SILENT;
    if (kind == BREAKER_REFUSED_AGAIN && is_left_with_stubborn(pacer, now_ms))
        return PACE_SILENT;
    if (kind == BREAKER_REFUSED || kind == BREAKER_REFUSED_AGAIN)
        return PACE_REFUSED;
    return kind == BREAKER_OK ? PACE_PASSED : PACE_SILENT;
}

void pacer_end(struct pacer *pacer, const struct pacer_attempt *attempt, int64_t now_ns,
               struct pacer_news *ret_news)
{
    int64_t now_ms = now_ns / NS_PER_MS;
    enum breaker_kind kind = take_kind(pacer, attempt, now_ms);
    bool was_open = breaker_is_open(&pacer->breaker);

    enum pace_change change =
        pace_end(&pacer->pace, answer_of(pacer, kind, now_ms), attempt->started_ns, now_ns);
    if (kind != BREAKER_STUBBORN)
        heed_host(pacer, kind != BREAKER_OK, attempt->started_ns, attempt->host_wait_ms, now_ms);
    ret_news->pace = tell(pacer, change, now_ms);
    ret_news->breaker_changed = breaker_add(&pacer->breaker, attempt->ticket, kind, now_ms);
    bool is_over = was_open && !breaker_is_open(&pacer->breaker);
    if (is_over || (pacer->pace.run.count > 1 && is_left_with_stubborn(pacer, now_ms)))
        pace_restart(&pacer->pace, now_ns);
    set_rate(pacer, now_ns);
}

void pacer_cancel(struct pacer *pacer, uint32_t ticket, int64_t now_ms)
{
    pace_cancel(&pacer->pace);
    (void)breaker_add(&pacer->breaker, ticket, BREAKER_LOCAL, now_ms);
}
