#include "cli/sending.h"

#include <stdlib.h>
#include <sys/random.h>

#include "cli/show.h"

static enum status parse_ambiguous(const char *text, enum on_ambiguous *ret_policy,
                                   struct buf *message)
{
    if (text == NULL)
        *ret_policy = ON_AMBIGUOUS_BY_ACTION;
    else if (strcmp(text, "resend") == 0)
        *ret_policy = ON_AMBIGUOUS_RESEND;
    else if (strcmp(text, "hold") == 0)
        *ret_policy = ON_AMBIGUOUS_HOLD;
    else
        buf_add_format(message, "--on-ambiguous %s: must be resend or hold", text);
    return message->len == 0 ? STATUS_OK : STATUS_USAGE;
}

static enum status retry_policy_of(const struct settings *settings, struct retry_policy *ret_policy,
                                   struct buf *message)
{
    *ret_policy = (struct retry_policy){.max_attempts = (uint32_t)settings->max_attempts,
                                        .base_ms = settings->retry_delay_ms,
                                        .cap_ms = settings->retry_max_delay_ms};
    return parse_ambiguous(settings->on_ambiguous, &ret_policy->on_ambiguous, message);
}

/* "--halt failed=5: …" in front of what is wrong. */
static enum status refuse(const char *option, const char *text, struct buf *why,
                          struct buf *message)
{
    buf_add_format(message, "--%s %s: %s", option, text, buf_string(why));
    return STATUS_USAGE;
}

static enum status parse_accept(const struct settings *settings, struct job_options *options,
                                struct buf *why, struct buf *message)
{
    struct span text = span_string(settings->canary_accept);

    if (settings->canary == NULL)
        buf_add_string(why, "there is no canary; say how many rows go ahead with --canary N");
    else if (canary_parse_accept(text, &options->canary, why) == STATUS_OK)
        return STATUS_OK;
    return refuse("canary-accept", settings->canary_accept, why, message);
}

static enum status parse_rules(const struct settings *settings, struct halt *halt,
                               struct job_options *options, struct buf *message)
{
    enum status status = STATUS_OK;
    struct buf why;

    buf_init(&why, 4096);
    for (size_t i = 0; i < settings->halts.count && status == STATUS_OK; i++)
        if (halt_parse(halt, span_string(settings->halts.items[i]), &why) != STATUS_OK)
            status = refuse("halt", settings->halts.items[i], &why, message);
    if (status == STATUS_OK && settings->ramp != NULL) {
        options->pacer.has_ramp = true;
        if (ramp_parse(span_string(settings->ramp), &options->pacer.ramp, &why) != STATUS_OK)
            status = refuse("ramp", settings->ramp, &why, message);
    }
    if (status == STATUS_OK && settings->canary != NULL &&
        canary_parse(span_string(settings->canary), &options->canary, &why) != STATUS_OK)
        status = refuse("canary", settings->canary, &why, message);
    if (status == STATUS_OK && settings->canary_accept != NULL)
        status = parse_accept(settings, options, &why, message);
    buf_deinit(&why);
    return status;
}

static uint64_t random_seed(void)
{
    uint64_t seed = 0;
    return getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed) ? seed : 1;
}

/* The rate that was asked for; else what the platform documents, at its own host. */
static struct rate rate_of(const struct settings *settings)
{
    enum dialect host;

    if (settings->rate.per_ms > 0 || settings->ramp != NULL || settings->simulate != NULL ||
        !dialect_of_url(span_string(settings->endpoint), &host))
        return settings->rate;
    return (struct rate){dialects[host].rate_per_s, 1000};
}

enum status sending_options(const struct settings *settings, struct halt *halt,
                            struct job_options *options, struct buf *message)
{
    const struct rate rate = rate_of(settings);

    halt_init(halt);
    options->halt = halt;
    options->canary = (struct canary){.state = CANARY_OVER};
    options->dialect = settings->dialect;
    options->outage_wait_ms = settings->outage_wait_ms;
    options->seed = settings->seed > 0 ? (uint64_t)settings->seed : random_seed();
    options->pacer = (struct pacer_options){.rate_count = rate.count,
                                            .rate_per_ms = rate.per_ms,
                                            .burst = settings->burst,
                                            .rate_is_asked = settings->rate.count > 0,
                                            .adaptive = !settings->no_adaptive,
                                            .concurrency = (size_t)settings->concurrency};
    enum status status = retry_policy_of(settings, &options->retry, message);
    return status == STATUS_OK ? parse_rules(settings, halt, options, message) : status;
}

enum status sending_explain(const struct settings *settings, struct buf *out, struct buf *message)
{
    struct retry_policy policy;
    enum status status = retry_policy_of(settings, &policy, message);

    if (status == STATUS_OK)
        retry_explain(settings->dialect, &policy, out);
    return status;
}

/* 20/s, 90/h */
static void add_rate(int64_t per_hour, struct buf *out)
{
    if (per_hour >= 3600)
        buf_add_format(out, "%.3g/s", (double)per_hour / 3600);
    else
        buf_add_format(out, "%lld/h", (long long)per_hour);
}

static void add_limit(const struct job_status *status, struct buf *out)
{
    if (status->rate_per_hour > 0)
        add_rate(status->rate_per_hour, out);
    else
        buf_add_format(out, "%zu at a time", status->concurrency);
}

/* What the progress line says; `view->rows` is 0 for a pipe. */
static struct progress_facts facts_of(const struct sending_view *view,
                                      const struct job_status *status)
{
    static const char *const reasons[] = {
        [PACER_GO] = NULL,
        [PACER_RATE] = NULL,
        [PACER_HOST] = "paused: the platform asked for it (Retry-After)",
        [PACER_OUTAGE] = "paused: the platform fails, one row at a time probes",
        [PACER_PAUSED] = "paused: SIGUSR2 goes on",
        [PACER_SHORTAGE] = "paused: this machine is short of something",
        [PACER_READER] = "paused: standard output is not read",
    };
    struct progress_facts facts = {
        .doing = view->progress.doing,
        .done = status->rows,
        .total = view->rows,
        .share = view->rows > 0 ? (double)status->rows / (double)view->rows : -1,
        .rate = progress_rate(&view->progress, status->rows),
        .eta_s = -1,
        .is_sending = true,
        .in_flight = status->in_flight,
        .retries = status->retries,
        .wait = reasons[status->wait],
        .wait_s = status->wait_ms > 0 ? (double)status->wait_ms / 1000 : -1,
    };

    if (facts.wait == NULL && status->canary->state == CANARY_WAITING)
        facts.wait = "the canary is waited for";
    if (facts.wait == NULL && status->canary_wait_ms >= 0) {
        facts.wait = "paused behind the canary";
        facts.wait_s = (double)status->canary_wait_ms / 1000;
    }
    memcpy(facts.ended, view->tally->rows, sizeof(facts.ended));
    if (view->rows > status->rows && facts.rate > 0 && facts.wait == NULL)
        facts.eta_s = (double)(view->rows - status->rows) / facts.rate;
    return facts;
}

static void add_canary(const struct job_status *status, struct buf *out)
{
    unsigned long long rows = status->canary->ended;

    buf_add_format(out, "the first %llu row%s ended: ", rows, rows == 1 ? " has" : "s have");
    canary_describe(status->canary, out);
}

/* this machine's clock is 3600 s behind the platform's: … */
static void add_clock(int64_t off_s, struct buf *out)
{
    buf_add_format(out,
                   "this machine's clock is %lld s %s the platform's: times such as +24h are "
                   "reckoned by the platform's; set the clock",
                   (long long)llabs(off_s), off_s > 0 ? "behind" : "ahead of");
}

/* What is always said in the same words. */
static const char *const event_words[] = {
    [JOB_EVENT_PAUSED] = "paused; SIGUSR2 goes on",
    [JOB_EVENT_RESUMED] = "going on",
    [JOB_EVENT_OUTAGE] = "the platform fails: rows wait, and one at a time probes",
    [JOB_EVENT_OUTAGE_OVER] = "the platform answers again: going on",
    [JOB_EVENT_VALID_NOW] = ("valid_time has come before the row's turn: such rows are sent "
                             "without it, and can be delivered at once"),
    [JOB_EVENT_KEY] = "the key was refused; its source gives another one: going on with that",
};

static void add_event(const struct sending_view *view, enum job_event event,
                      const struct job_status *status, struct buf *out)
{
    struct progress_facts facts;

    switch (event) {
    case JOB_EVENT_STATUS:
        facts = facts_of(view, status);
        progress_line_add_plain(&facts, out);
        break;
    case JOB_EVENT_SLOWER:
        buf_add_string(out, "the platform asks for less: finding out how much it takes");
        break;
    case JOB_EVENT_RECOVERED:
        buf_add_string(out, "back to ");
        add_limit(status, out);
        break;
    case JOB_EVENT_CANARY_PAUSE:
        add_canary(status, out);
        buf_add_string(out, "; the others follow in ");
        show_add_duration((double)status->canary->pause_ms / 1000, out);
        break;
    case JOB_EVENT_CANARY:
        add_canary(status, out);
        buf_add_string(out, ": going on with the others");
        break;
    case JOB_EVENT_SHORTAGE:
        buf_add_format(out, "this machine is short of %s; rows wait, and %zu at a time go on",
                       status->shortage, status->concurrency);
        break;
    case JOB_EVENT_CLOCK:
        add_clock(status->clock_off_s, out);
        break;
    case JOB_EVENT_DRAINING:
        buf_add_format(out,
                       "stopping: %zu attempts are in flight and are waited for; once more stops "
                       "at once",
                       status->in_flight);
        break;
    case JOB_EVENT_ABORTING:
        buf_add_format(out, "stopping at once: %zu attempts are ended", status->in_flight);
        break;
    default: /* the others; those that are told at the end, or not at all, have no words */
        if ((size_t)event < ARRAY_LENGTH(event_words) && event_words[event] != NULL)
            buf_add_string(out, event_words[event]);
        break;
    }
}

static void on_tick(struct sending_view *view, const struct job_status *status)
{
    if (!progress_tick(&view->progress, status->rows))
        return;
    struct progress_facts facts = facts_of(view, status);
    progress_show(&view->progress, &facts);
}

void sending_event(void *context, enum job_event event, const struct job_status *status)
{
    struct sending_view *view = context;
    struct buf text;

    if (event == JOB_EVENT_TICK)
        on_tick(view, status);
    observers_event(view->observers, event, status, progress_rate(&view->progress, status->rows));
    if (event == JOB_EVENT_TICK || (view->quiet && event != JOB_EVENT_STATUS))
        return;
    buf_init(&text, 4096);
    add_event(view, event, status, &text);
    if (text.len > 0) {
        progress_hide(&view->progress);
        show_note(false, "%s", buf_string(&text));
    }
    buf_deinit(&text);
}

/* fleet.csv:18: attempt 1: errno 5117 rpc error [errno 5117]: again in 143 ms */
void sending_attempt(void *context, const struct job_attempt *attempt)
{
    struct sending_view *view = context;
    const struct outcome *outcome = attempt->outcome;
    char class[RETRY_CASE_NAME_MAX + 1];
    struct buf text;

    observers_attempt(view->observers, attempt);
    if (!view->verbose || view->quiet)
        return;
    retry_case_name(attempt->decision->rule, outcome, class);
    buf_init(&text, 8192);
    buf_add_format(&text, "%s:%llu: attempt %u: ", view->input, (unsigned long long)attempt->line,
                   (unsigned)attempt->number);
    if (outcome->has_errno && outcome->class != OUTCOME_ACCEPTED)
        buf_add_format(&text, "errno %lld ", (long long)outcome->platform_errno);
    if (outcome->class == OUTCOME_ACCEPTED)
        buf_add_format(&text, "%s in %.1f ms", class, (double)attempt->latency_us / 1000);
    else
        buf_add_format(&text, "%s [%s]", outcome->error, class);
    if (attempt->decision->again)
        buf_add_format(&text, ": again in %lld ms", (long long)attempt->decision->delay_ms);
    progress_hide(&view->progress);
    show_passing("%s", buf_string(&text));
    buf_deinit(&text);
}
