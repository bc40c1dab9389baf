#include "cli/sending.h"

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
    buf_deinit(&why);
    return status;
}

static uint64_t random_seed(void)
{
    uint64_t seed = 0;
    return getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed) ? seed : 1;
}

enum status sending_options(const struct settings *settings, struct halt *halt,
                            struct job_options *options, struct buf *message)
{
    halt_init(halt);
    options->halt = halt;
    options->canary = (struct canary){.state = CANARY_OVER};
    options->outage_wait_ms = settings->outage_wait_ms;
    options->seed = settings->seed > 0 ? (uint64_t)settings->seed : random_seed();
    options->pacer = (struct pacer_options){.rate_count = settings->rate.count,
                                            .rate_per_ms = settings->rate.per_ms,
                                            .burst = settings->burst,
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
        retry_explain(&policy, out);
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

static void add_wait(const struct job_status *status, struct buf *out)
{
    static const char *const reasons[] = {
        [PACER_GO] = "",
        [PACER_RATE] = "",
        [PACER_HOST] = "; paused: the platform asked for it (Retry-After)",
        [PACER_OUTAGE] = "; paused: the platform fails, one row at a time probes",
        [PACER_PAUSED] = "; paused: by SIGUSR2, which goes on too",
    };

    buf_add_string(out, reasons[status->wait]);
    if (reasons[status->wait][0] != '\0' && status->wait_ms >= 1000) {
        buf_add_string(out, ", next in ");
        show_add_duration((double)status->wait_ms / 1000, out);
    }
}

/* 1200 of 5000 rows, 64 in flight, 3 waiting, 2 retries; paused: … */
static void add_status(const struct sending_view *view, const struct job_status *status,
                       struct buf *out)
{
    if (view->rows > 0)
        buf_add_format(out, "%llu of %llu rows (%d %%)", (unsigned long long)status->rows,
                       (unsigned long long)view->rows,
                       (int)((double)status->rows * 100 / (double)view->rows));
    else
        buf_add_format(out, "%llu rows", (unsigned long long)status->rows);
    double rate = progress_rate(&view->progress, status->rows);
    buf_add_format(out, ", %.0f rows/s, %zu in flight, %llu retries", rate, status->in_flight,
                   (unsigned long long)status->retries);
    if (view->rows > status->rows && rate > 0) {
        buf_add_string(out, ", ");
        show_add_duration((double)(view->rows - status->rows) / rate, out);
        buf_add_string(out, " to go");
    }
    add_wait(status, out);
}

static void add_event(const struct sending_view *view, enum job_event event,
                      const struct job_status *status, struct buf *out)
{
    switch (event) {
    case JOB_EVENT_STATUS:
        add_status(view, status, out);
        break;
    case JOB_EVENT_PAUSED:
        buf_add_string(out, "paused; SIGUSR2 goes on");
        break;
    case JOB_EVENT_RESUMED:
        buf_add_string(out, "going on");
        break;
    case JOB_EVENT_SLOWER:
        buf_add_string(out, "the platform asks for less: from now on ");
        add_limit(status, out);
        break;
    case JOB_EVENT_RECOVERED:
        buf_add_string(out, "back to ");
        add_limit(status, out);
        break;
    case JOB_EVENT_OUTAGE:
        buf_add_string(out, "the platform fails: rows wait, and one at a time probes");
        break;
    case JOB_EVENT_OUTAGE_OVER:
        buf_add_string(out, "the platform answers again: going on");
        break;
    case JOB_EVENT_CANARY:
        buf_add_string(out, "the first rows are done: going on with the others");
        break;
    case JOB_EVENT_DRAINING:
        buf_add_format(out,
                       "stopping: %zu attempts are in flight and are waited for; once more stops "
                       "at once",
                       status->in_flight);
        break;
    case JOB_EVENT_TICK:
        break;
    }
}

void sending_event(void *context, enum job_event event, const struct job_status *status)
{
    struct sending_view *view = context;
    struct buf text;

    if (view->quiet && event != JOB_EVENT_STATUS)
        return;
    buf_init(&text, 4096);
    if (event == JOB_EVENT_TICK) {
        if (progress_is_due(&view->progress)) {
            add_status(view, status, &text);
            progress_show(&view->progress, buf_string(&text));
        }
    } else {
        add_event(view, event, status, &text);
        progress_hide(&view->progress);
        show_note(false, "%s", buf_string(&text));
    }
    buf_deinit(&text);
}
