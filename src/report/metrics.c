#include "report/metrics.h"

/* Where the buckets of the latencies end. */
static const uint64_t bounds_us[] = {5000,   10000,   25000,   50000,   100000,   250000,
                                     500000, 1000000, 2500000, 5000000, 10000000, 30000000};

/* A label's value, which is UTF-8, as a file's name need not be: backslash, quote and line end are
 * escaped. */
static void add_label_value(const char *text, struct buf *out)
{
    struct buf clean;

    buf_init(&clean, 3 * strlen(text) + 1);
    buf_add_utf8(&clean, span_string(text));
    for (text = buf_string(&clean); *text != '\0'; text++) {
        if (*text == '\\' || *text == '"')
            buf_add_char(out, '\\');
        if (*text == '\n')
            buf_add_string(out, "\\n");
        else
            buf_add_char(out, *text);
    }
    out->status = clean.status != STATUS_OK ? clean.status : out->status;
    buf_deinit(&clean);
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
static const char results_rows[] = "nbatch_results_rows";
static const char maybe_twice[] = "nbatch_rows_maybe_twice";

/* `name{input="`, and the input that the line has, as it is written. */
static bool skip_input(const char *name, struct span *line, struct span *ret_input)
{
    static const char label[] = "{input=\"";
    size_t len = 0;

    if (!span_starts_with(*line, name))
        return false;
    *line = span_skip(*line, strlen(name));
    if (!span_starts_with(*line, label))
        return false;
    *line = span_skip(*line, sizeof(label) - 1);
    while (len < line->len && line->ptr[len] != '"')
        len += line->ptr[len] == '\\' ? 2 : 1;
    if (len >= line->len)
        return false;
    *ret_input = span_of(line->ptr, len);
    *line = span_skip(*line, len);
    return true;
}

/* Whether the line is a sample of that name of the job's, with one more label, which may be NULL.
 */
static bool is_sample(struct span line, const char *name, const char *input, const char *job,
                      const char *more, double *ret_value)
{
    struct span written;
    struct buf wanted;
    char number[32];

    if (!skip_input(name, &line, &written))
        return false;
    buf_init(&wanted, 256 * 1024);
    add_label_value(input, &wanted);
    bool is_same = job != NULL || span_equal(buf_span(&wanted), written);
    buf_clear(&wanted);
    if (job != NULL) {
        buf_add_string(&wanted, "\",job_name=\"");
        add_label_value(job, &wanted);
    }
    buf_add_format(&wanted, "\"%s%s} ", more != NULL ? "," : "", more != NULL ? more : "");
    is_same = is_same && wanted.status == STATUS_OK && span_starts_with(line, buf_string(&wanted));
    if (is_same) {
        line = span_skip(line, wanted.len);
        (void)snprintf(number, sizeof(number), "%.*s", (int)line.len, line.ptr);
        *ret_value = strtod(number, NULL);
    }
    buf_deinit(&wanted);
    return is_same && *ret_value > 0;
}

static void status_label(size_t status, char ret_label[64])
{
    (void)snprintf(ret_label, 64, "status=\"%s\"", row_status_name((enum row_status)status));
}

static void read_past_line(struct span line, const char *input, const char *job,
                           struct metrics_past *past)
{
    char label[64];
    double value;

    if (is_sample(line, last_success, input, job, NULL, &value))
        past->last_success_s = value;
    if (is_sample(line, maybe_twice, input, job, NULL, &value))
        past->twice = (uint64_t)value;
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++) {
        status_label(i, label);
        if (!is_sample(line, results_rows, input, job, label, &value))
            continue;
        past->results[i] = (uint64_t)value;
        past->has_results = true;
    }
}

void metrics_read_past(struct span text, const char *input, const char *job,
                       struct metrics_past *ret_past)
{
    *ret_past = (struct metrics_past){.last_success_s = 0};
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;
        read_past_line(span_of(text.ptr, len), input, job, ret_past);
        text = span_skip(text, end != NULL ? len + 1 : len);
    }
}

static void add_by_status(const struct metrics *metrics, const char *name,
                          const uint64_t rows[ROW_STATUS_COUNT], struct buf *out)
{
    char label[64];

    for (size_t i = 0; i < ROW_STATUS_COUNT; i++) {
        status_label(i, label);
        add_name(metrics, name, label, out);
        buf_add_format(out, "%llu\n", (unsigned long long)rows[i]);
    }
}

static void add_rows(const struct metrics *metrics, struct buf *out)
{
    add_head("nbatch_rows_total", "counter",
             "Rows that have come to their end in this run, by status.", out);
    add_by_status(metrics, "nbatch_rows_total", metrics->tally->rows, out);
    if (metrics->results == NULL)
        return;
    add_head(results_rows, "gauge",
             "Rows of the results by status, those of earlier runs included.", out);
    add_by_status(metrics, results_rows, metrics->results, out);
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
        {maybe_twice, "gauge",
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
