#include "report/metrics.h"

/* Where the buckets of the latencies end. */
static const uint64_t bounds_us[] = {5000,   10000,   25000,   50000,   100000,   250000,
                                     500000, 1000000, 2500000, 5000000, 10000000, 30000000};

/* A label's value: backslash, quote and line end are escaped. */
static void add_label_value(const char *text, struct buf *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\' || *text == '"')
            buf_add_char(out, '\\');
        if (*text == '\n')
            buf_add_string(out, "\\n");
        else
            buf_add_char(out, *text);
    }
}

static void add_head(const char *name, const char *type, const char *help, struct buf *out)
{
    buf_add_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* nbatch_rows_total{input="fleet.csv",status="accepted"} … up to the value; `more` may be NULL. */
static void add_name(const struct metrics *metrics, const char *name, const char *more,
                     struct buf *out)
{
    buf_add_format(out, "%s{input=\"", name);
    add_label_value(metrics->input, out);
    if (metrics->job != NULL) {
        buf_add_string(out, "\",job_name=\"");
        add_label_value(metrics->job, out);
    }
    buf_add_format(out, "\"%s%s} ", more != NULL ? "," : "", more != NULL ? more : "");
}

const char *phase_name(enum phase phase)
{
    static const char *const names[] = {
#define X(name, text) text,
        PHASE_MAP(X)
#undef X
    };
    return names[phase];
}

static void add_phases(const struct metrics *metrics, struct buf *out)
{
    char label[64];

    add_head("nbatch_phase", "gauge", "1 for what the run is doing; 0 for all once it has ended.",
             out);
    for (size_t i = 0; i < PHASE_COUNT; i++) {
        (void)snprintf(label, sizeof(label), "phase=\"%s\"", phase_name((enum phase)i));
        add_name(metrics, "nbatch_phase", label, out);
        buf_add_string(out, !metrics->ended && metrics->phase == i ? "1\n" : "0\n");
    }
}

static const char last_success[] = "nbatch_last_success_time_seconds";

double metrics_last_success(struct span text)
{
    double found = 0;

    for (size_t at = 0; at < text.len;) {
        const char *line = text.ptr + at;
        const char *end = memchr(line, '\n', text.len - at);
        size_t len = end != NULL ? (size_t)(end - line) : text.len - at;
        const char *value = len > 0 ? memrchr(line, ' ', len) : NULL;
        char number[32] = "";
        if (len > sizeof(last_success) && value != NULL && line[sizeof(last_success) - 1] == '{' &&
            memcmp(line, last_success, sizeof(last_success) - 1) == 0) {
            (void)snprintf(number, sizeof(number), "%.*s", (int)(line + len - value - 1),
                           value + 1);
            found = strtod(number, NULL);
        }
        at += len + 1;
    }
    return found > 0 ? found : 0;
}

static void add_rows(const struct metrics *metrics, struct buf *out)
{
    char label[64];

    add_head("nbatch_rows_total", "counter", "Rows that have come to their end, by status.", out);
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++) {
        (void)snprintf(label, sizeof(label), "status=\"%s\"", row_status_name((enum row_status)i));
        add_name(metrics, "nbatch_rows_total", label, out);
        buf_add_format(out, "%llu\n", (unsigned long long)metrics->tally->rows[i]);
    }
}

static void add_latencies(const struct metrics *metrics, struct buf *out)
{
    static const char name[] = "nbatch_request_duration_seconds";
    const struct histogram *latency = &metrics->tally->latency;
    char label[64];

    add_head(name, "histogram", "Time from the start of an attempt to its end.", out);
    for (size_t i = 0; i < ARRAY_LENGTH(bounds_us); i++) {
        (void)snprintf(label, sizeof(label), "le=\"%g\"", (double)bounds_us[i] / 1e6);
        add_name(metrics, "nbatch_request_duration_seconds_bucket", label, out);
        buf_add_format(out, "%llu\n",
                       (unsigned long long)histogram_count_below(latency, bounds_us[i]));
    }
    add_name(metrics, "nbatch_request_duration_seconds_bucket", "le=\"+Inf\"", out);
    buf_add_format(out, "%llu\n", (unsigned long long)latency->count);
    add_name(metrics, "nbatch_request_duration_seconds_sum", NULL, out);
    buf_add_format(out, "%.6f\n", (double)latency->sum_us / 1e6);
    add_name(metrics, "nbatch_request_duration_seconds_count", NULL, out);
    buf_add_format(out, "%llu\n", (unsigned long long)latency->count);
}

struct number {
    const char *name, *type, *help;
    double value;
    bool applies;
};

static void add_list(const struct metrics *metrics, const struct number *numbers, size_t count,
                     struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        if (!numbers[i].applies)
            continue;
        add_head(numbers[i].name, numbers[i].type, numbers[i].help, out);
        add_name(metrics, numbers[i].name, NULL, out);
        buf_add_format(out, "%.15g\n", numbers[i].value);
    }
}

static void add_rollout(const struct metrics *metrics, struct buf *out)
{
    static const struct rollout_standing none = {.steps = 0};
    const struct rollout_standing *rollout = metrics->rollout != NULL ? metrics->rollout : &none;
    const struct number numbers[] = {
        {"nbatch_rollout_step", "gauge", "The step that a roll-out is in, from 1.",
         (double)rollout->step, rollout->steps > 0},
        {"nbatch_rollout_steps", "gauge", "How many there are.", (double)rollout->steps,
         rollout->steps > 0},
        {"nbatch_rollout_commands", "gauge", "Commands of the steps so far, once all were sent.",
         (double)rollout->commands, rollout->commands > 0},
        {"nbatch_rollout_needed", "gauge", "So many are to be delivered for the next step.",
         (double)rollout->needed, rollout->commands > 0},
        {"nbatch_rollout_delivered", "gauge", "So many are.", (double)rollout->delivered,
         rollout->commands > 0},
        {"nbatch_rollout_lost", "gauge", "So many will not be.", (double)rollout->lost,
         rollout->commands > 0},
    };

    add_list(metrics, numbers, ARRAY_LENGTH(numbers), out);
}

/* What is one number each; those that do not apply are left out. */
static void add_numbers(const struct metrics *metrics, struct buf *out)
{
    const struct number numbers[] = {
        {"nbatch_rows_expected", "gauge", "Rows of the input, where it is known.",
         (double)metrics->expected, metrics->expected > 0},
        {"nbatch_rows_maybe_twice", "gauge",
         "Accepted rows whose device may hold the command twice, earlier runs included.",
         (double)metrics->twice, true},
        {"nbatch_attempts_total", "counter", "Requests that left.",
         (double)metrics->tally->attempts, true},
        {"nbatch_retries_total", "counter", "Attempts that were made again.",
         (double)metrics->retries, true},
        {"nbatch_in_flight", "gauge", "Requests that wait for their answer.",
         (double)metrics->in_flight, true},
        {"nbatch_waiting", "gauge", "Rows that were read and wait for their turn.",
         (double)metrics->waiting, true},
        {"nbatch_concurrency_limit", "gauge", "Requests in flight at most, now.",
         (double)metrics->concurrency, true},
        {"nbatch_rate_limit_per_second", "gauge", "Requests started per second at most, now.",
         metrics->rate_limit_per_s, metrics->rate_limit_per_s > 0},
        {"nbatch_rows_per_second", "gauge", "Rows that ended per second, of late.",
         metrics->rows_per_s, true},
        {"nbatch_paused", "gauge", "1 while no row is started: paused, asked to wait, an outage.",
         metrics->paused ? 1 : 0, true},
        {"nbatch_up", "gauge", "1 while the run goes on.", metrics->ended ? 0 : 1, true},
        {last_success, "gauge", "When a run of this job last ended with all rows accepted.",
         metrics->last_success_s, metrics->last_success_s > 0},
        {"nbatch_start_time_seconds", "gauge", "When the run began.",
         (double)metrics->start_ms / 1000, true},
        {"nbatch_update_time_seconds", "gauge", "When this was written.",
         (double)metrics->now_ms / 1000, true},
        {"nbatch_end_time_seconds", "gauge", "When the run ended.", (double)metrics->now_ms / 1000,
         metrics->ended},
        {"nbatch_exit_status", "gauge", "What the run ended with.", metrics->exit_status,
         metrics->ended},
    };

    add_list(metrics, numbers, ARRAY_LENGTH(numbers), out);
}

void metrics_add_text(const struct metrics *metrics, struct buf *out)
{
    char label[64];

    add_head("nbatch_info", "gauge", "The program that runs.", out);
    (void)snprintf(label, sizeof(label), "version=\"%s\"", metrics->version);
    add_name(metrics, "nbatch_info", label, out);
    buf_add_string(out, "1\n");
    add_phases(metrics, out);
    add_rows(metrics, out);
    add_numbers(metrics, out);
    add_rollout(metrics, out);
    add_latencies(metrics, out);
}
