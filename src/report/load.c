#include "report/load.h"

#include <math.h>

#include "core/figure.h"
#include "core/retranslate.h"
#include "core/text.h"
#include "core/when.h"
#include "report/json_line.h"

#define MILLIONTHS 1000000

/* Of the rate, for requests to count as started at that rate. */
#define STARTED_MIN 0.95

enum {
    LATE_MIN_US = 5000, /* a start that is late by less is as good as on time */
    SHARE_USUAL = 1000, /* 0.1 % */
    REASONS_SHOWN = 8,
    GOAL_TIMES = 5, /* so many times the latency a rate is watched: a peer that takes four of five
                       requests is seen to fall behind by then */
};

static const struct {
    const char *name;
    double quantile;
} quantiles[LOAD_QUANTILES] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};

static uint64_t us_between(int64_t from_ns, int64_t to_ns)
{
    return to_ns > from_ns ? (uint64_t)(to_ns - from_ns) / 1000 : 0;
}

const char *load_end_text(enum load_end end)
{
    static const char *const texts[] = {[LOAD_WHOLE] = "",
                                        [LOAD_NO_ROWS] = "the input has no rows left",
                                        [LOAD_INTERRUPTED] = "it was interrupted",
                                        [LOAD_STOPPED] = "the bench was stopped",
                                        [LOAD_BEHIND] =
                                            "requests started so late that it could not be kept"};
    return texts[end];
}

/* By the platform, or by what counts requests for it. A server that fails (5xx) refuses nothing,
 * whatever its body says. */
static bool is_refused(const struct outcome *outcome)
{
    return outcome->status != ROW_IN_DOUBT && outcome->http_status < 500 &&
           (outcome->voice == VOICE_PLATFORM || outcome->http_status == 429);
}

void load_add(struct load *load, const struct load_request *request)
{
    const struct outcome *outcome = request->outcome;

    if (tally_total(&load->tally) == 0 || request->due_ns < load->first_ns)
        load->first_ns = request->due_ns;
    if (request->started_ns > load->start_ns)
        load->start_ns = request->started_ns;
    if (request->ended_ns > load->last_ns)
        load->last_ns = request->ended_ns;
    tally_add_outcome(&load->tally, outcome, 0);
    if (outcome->status != ROW_ACCEPTED && is_refused(outcome))
        load->refused++;
    else if (outcome->status != ROW_ACCEPTED)
        load->failed++;
    if (request->waited)
        load->waited++;
    else
        histogram_add(&load->late, us_between(request->due_ns, request->started_ns));
    if (!request->left)
        return;
    tally_add_attempt(&load->tally, request->latency_us);
    histogram_add(&load->from_due,
                  us_between(request->due_ns, request->started_ns) +
                      (uint64_t)(request->latency_us > 0 ? request->latency_us : 0));
}

uint64_t load_total(const struct load *load)
{
    return tally_total(&load->tally);
}

/* As the number of requests and the rate make it, and as it was. */
static double meant_s(const struct load *load)
{
    return (double)load_total(load) / load->rate_per_s;
}

static double taken_s(const struct load *load)
{
    return (double)(load->start_ns - load->first_ns) / 1e9 + 1 / load->rate_per_s;
}

bool load_has_rate(const struct load *load)
{
    return load_total(load) > 0 && meant_s(load) >= taken_s(load) * STARTED_MIN;
}

double load_seconds(const struct load *load)
{
    if (load_total(load) == 0)
        return 0;
    return load_has_rate(load) ? meant_s(load) : taken_s(load);
}

static double per_second(const struct load *load, uint64_t count)
{
    double seconds = load_seconds(load);
    return seconds > 0 ? (double)count / seconds : 0;
}

double load_accepted_per_s(const struct load *load)
{
    return per_second(load, load->tally.rows[ROW_ACCEPTED]);
}

double load_started_per_s(const struct load *load)
{
    return per_second(load, load_total(load));
}

/* The processor's time is counted up to the last answer. */
static double busy(const struct load *load)
{
    double seconds = (double)(load->last_ns - load->first_ns) / 1e9;
    return seconds > 0 ? load->cpu_s / seconds : 0;
}

enum load_limit load_limit_of(const struct load *load)
{
    uint64_t late_us = histogram_quantile(&load->late, 0.99);

    if (busy(load) > 0.9)
        return LOAD_CPU;
    if (load->waited * 1000 > load_total(load))
        return LOAD_PLACES;
    if (load_total(load) >= 100 && late_us > LATE_MIN_US &&
        late_us > histogram_quantile(&load->from_due, 0.99) / 10)
        return LOAD_LATE;
    return LOAD_PEER;
}

/* The part of the goal that goes by that name, and which one it is; NULL: none does. */
static uint64_t *part_of(struct load_goal *goal, struct span name, size_t *ret_index)
{
    for (size_t i = 0; i < LOAD_QUANTILES; i++) {
        *ret_index = i;
        if (span_is(name, quantiles[i].name))
            return &goal->at_most_us[i];
    }
    *ret_index = LOAD_QUANTILES + (size_t)span_is(name, "failed");
    if (span_is(name, "refused"))
        return &goal->refused;
    return span_is(name, "failed") ? &goal->failed : NULL;
}

/* One of the goal's words; `seen`: which of its parts were named before. */
static bool take_word(struct span word, struct load_goal *goal, unsigned *seen)
{
    const char *at = word.len > 0 ? memchr(word.ptr, '=', word.len) : NULL;
    size_t index;
    int64_t ms;

    if (at == NULL)
        return false;
    struct span name = span_of(word.ptr, (size_t)(at - word.ptr));
    struct span value = span_skip(word, name.len + 1);
    uint64_t *part = part_of(goal, name, &index);
    if (part == NULL || (*seen & 1u << index) != 0)
        return false;
    *seen |= 1u << index;
    if (index >= LOAD_QUANTILES)
        return text_parse_share(value, part);
    if (when_parse_duration(value, &ms) != STATUS_OK || ms <= 0)
        return false;
    *part = (uint64_t)ms * 1000;
    return true;
}

static uint64_t longest_us(const struct load_goal *goal)
{
    uint64_t longest = 0;

    for (size_t i = 0; i < LOAD_QUANTILES; i++)
        longest = goal->at_most_us[i] > longest ? goal->at_most_us[i] : longest;
    return longest;
}

bool load_parse_goal(struct span text, struct load_goal *ret_goal)
{
    struct load_goal goal = {.refused = SHARE_USUAL, .failed = SHARE_USUAL};
    unsigned seen = 0;
    bool is_good = true;

    while (is_good && text.len > 0)
        is_good = take_word(text_take_piece(&text), &goal, &seen);
    *ret_goal = goal;
    return is_good && longest_us(&goal) > 0;
}

uint64_t load_goal_requests(const struct load_goal *goal, double rate_per_s)
{
    double most = rate_per_s * (double)longest_us(goal) / 1e6 * GOAL_TIMES;

    for (size_t i = 0; i < LOAD_QUANTILES; i++)
        if (goal->at_most_us[i] > 0)
            most = fmax(most, round(1 / (1 - quantiles[i].quantile)));
    return (uint64_t)ceil(most);
}

static bool is_within(uint64_t part, uint64_t whole, uint64_t millionths)
{
    return (double)part * MILLIONTHS <= (double)whole * (double)millionths;
}

bool load_keeps(const struct load *load, const struct load_goal *goal)
{
    uint64_t total = load_total(load);
    bool is_kept = load->from_due.count > 0 && load_has_rate(load) &&
                   is_within(load->refused, total, goal->refused) &&
                   is_within(load->failed, total, goal->failed);

    for (size_t i = 0; i < LOAD_QUANTILES && is_kept; i++)
        is_kept = goal->at_most_us[i] == 0 ||
                  histogram_quantile(&load->from_due, quantiles[i].quantile) <= goal->at_most_us[i];
    return is_kept;
}

static double to_ms(uint64_t us)
{
    return (double)us / 1000.0;
}

static void add_quantiles(const struct histogram *histogram, const char *what, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++)
        buf_add_format(out, " %9.2f", to_ms(histogram_quantile(histogram, quantiles[i].quantile)));
    buf_add_format(out, " %9.2f  %s\n", to_ms(histogram->max_us), what);
}

static void add_reasons(const struct load *load, struct buf *out)
{
    const struct tally *tally = &load->tally;
    uint64_t shown = 0, total = load_total(load), bad = load->refused + load->failed;

    if (bad == 0)
        return;
    buf_add_format(out, "%10s %llu of %llu were refused, %llu failed in another way\n", "",
                   (unsigned long long)load->refused, (unsigned long long)total,
                   (unsigned long long)load->failed);
    for (size_t i = 0; i < tally->reason_count && i < REASONS_SHOWN; i++) {
        const struct tally_reason *reason = &tally->reasons[i];
        buf_add_format(out, "%10s %9llu × %s", "", (unsigned long long)reason->count,
                       row_status_name(reason->status));
        if (reason->has_errno)
            buf_add_format(out, ", errno %lld", (long long)reason->platform_errno);
        /* A text of nbatch's own begins with the status. */
        if (reason->http_status != 0 && reason->http_status != 200 &&
            !span_starts_with(span_string(reason->text), "HTTP "))
            buf_add_format(out, ", HTTP %d", reason->http_status);
        buf_add_string(out, ": ");
        retranslate(span_string(reason->text), out); /* printable: outcome_judge has seen to it */
        buf_add_char(out, '\n');
        shown += reason->count;
    }
    if (shown < bad)
        buf_add_format(out, "%10s %9llu × other reasons\n", "", (unsigned long long)(bad - shown));
}

/* Where the figures are not the platform's alone. */
static void add_limit(const struct load *load, struct buf *out)
{
    unsigned long long late_us = histogram_quantile(&load->late, 0.99);

    switch (load_limit_of(load)) {
    case LOAD_PEER:
        break;
    case LOAD_PLACES:
        buf_add_format(out,
                       "%10s %llu of %llu found %zu under way when they were due, and waited here: "
                       "a larger --concurrency has them wait at the platform\n",
                       "", (unsigned long long)load->waited, (unsigned long long)load_total(load),
                       load->concurrency);
        break;
    case LOAD_CPU:
        buf_add_format(out,
                       "%10s this machine was the bottleneck: what sends was busy %.0f %% of the "
                       "time\n",
                       "", busy(load) * 100);
        break;
    case LOAD_LATE:
        buf_add_format(out,
                       "%10s this machine was the bottleneck: 1 %% of the requests started "
                       "%.1f ms late or later, though what sends was busy only %.0f %% of the "
                       "time\n",
                       "", (double)late_us / 1000, busy(load) * 100);
        break;
    }
}

static void add_found(const struct load_report *report, struct buf *out)
{
    bool is_cut = report->end != LOAD_WHOLE;

    if (report->goal == NULL)
        return;
    buf_add_char(out, '\n');
    buf_add_printable(out, span_string(report->goal));
    if (report->found > 0)
        buf_add_format(out, ": kept up to %s%s", figure_rate(report->found, "").text,
                       report->found >= report->max ? ", the highest that is tried" : "");
    else
        buf_add_string(out, is_cut ? ": not known" : ": no rate keeps it");
    if (is_cut && report->found > 0)
        buf_add_string(out, "; above that it is not known");
    if (is_cut)
        buf_add_format(out, ": %s", load_end_text(report->end));
    buf_add_char(out, '\n');
}

static void add_load(const struct load *load, struct buf *out)
{
    buf_add_format(out, "%10s %10.1f", figure_rate(load->rate_per_s, "").text,
                   load_accepted_per_s(load));
    add_quantiles(&load->from_due, "from when it was due", out);
    buf_add_format(out, "%21s", "");
    add_quantiles(&load->tally.latency, "from when it left", out);
    add_reasons(load, out);
    add_limit(load, out);
    if (load->end != LOAD_WHOLE)
        buf_add_format(out, "%10s cut short, %llu of %llu requests were measured: %s\n", "",
                       (unsigned long long)load_total(load), (unsigned long long)load->wanted,
                       load_end_text(load->end));
}

void load_add_text(const struct load_report *report, struct buf *out)
{
    char target[300];

    buf_copy_printable(target, sizeof(target),
                       span_string(out->is_text ? language_of(report->target) : report->target));
    buf_add_format(out,
                   "%s to %s, each started when it is due; the first %.4g s of each rate left out; "
                   "%ld processors\n\n",
                   report->input != NULL ? report->input : "made-up commands", target,
                   (double)report->warm_up_ms / 1000, report->processors);
    if (report->count > 0)
        buf_add_string(out,
                       "      rate accepted/s    p50 ms    p90 ms    p99 ms  p99.9 ms    max ms\n");
    for (size_t i = 0; i < report->count; i++)
        add_load(report->loads[i], out);
    for (size_t i = 0; i < report->unmeasured_count; i++)
        buf_add_format(out, "nothing could be measured at %s: %s\n",
                       figure_rate(report->unmeasured[i]->rate_per_s, "").text,
                       load_end_text(report->unmeasured[i]->end));
    add_found(report, out);
}

static void add_histogram(cJSON *object, const char *name, const struct histogram *histogram)
{
    cJSON *values = cJSON_AddObjectToObject(object, name);

    for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++)
        (void)cJSON_AddNumberToObject(values, quantiles[i].name,
                                      to_ms(histogram_quantile(histogram, quantiles[i].quantile)));
    (void)cJSON_AddNumberToObject(values, "max", to_ms(histogram->max_us));
}

static void add_json_reasons(cJSON *object, const struct tally *tally)
{
    cJSON *reasons = cJSON_AddArrayToObject(object, "reasons");

    for (size_t i = 0; i < tally->reason_count; i++) {
        const struct tally_reason *reason = &tally->reasons[i];
        cJSON *item = cJSON_CreateObject();
        (void)cJSON_AddStringToObject(item, "status", row_status_name(reason->status));
        if (reason->has_errno)
            (void)cJSON_AddNumberToObject(item, "errno", (double)reason->platform_errno);
        if (reason->http_status != 0)
            (void)cJSON_AddNumberToObject(item, "http_status", reason->http_status);
        (void)cJSON_AddStringToObject(item, "error", reason->text);
        (void)cJSON_AddNumberToObject(item, "count", (double)reason->count);
        (void)cJSON_AddItemToArray(reasons, item);
    }
}

static void add_json_end(cJSON *object, enum load_end end)
{
    static const char *const names[] = {"whole", "no_rows", "interrupted", "stopped", "behind"};

    (void)cJSON_AddStringToObject(object, "ended", names[end]);
}

static void add_json_load(cJSON *levels, const struct load *load)
{
    static const char *const limits[] = {"peer", "concurrency", "cpu", "late"};
    cJSON *level = cJSON_CreateObject();

    (void)cJSON_AddNumberToObject(level, "rate", load->rate_per_s);
    (void)cJSON_AddNumberToObject(level, "concurrency", (double)load->concurrency);
    (void)cJSON_AddNumberToObject(level, "seconds", load_seconds(load));
    (void)cJSON_AddNumberToObject(level, "requests", (double)load_total(load));
    (void)cJSON_AddNumberToObject(level, "accepted", (double)load->tally.rows[ROW_ACCEPTED]);
    (void)cJSON_AddNumberToObject(level, "refused", (double)load->refused);
    (void)cJSON_AddNumberToObject(level, "failed", (double)load->failed);
    (void)cJSON_AddNumberToObject(level, "accepted_per_second", load_accepted_per_s(load));
    (void)cJSON_AddNumberToObject(level, "started_per_second", load_started_per_s(load));
    add_histogram(level, "latency_due_ms", &load->from_due);
    add_histogram(level, "latency_sent_ms", &load->tally.latency);
    add_histogram(level, "late_ms", &load->late);
    (void)cJSON_AddNumberToObject(level, "waited", (double)load->waited);
    (void)cJSON_AddNumberToObject(level, "busy", busy(load));
    (void)cJSON_AddStringToObject(level, "limit", limits[load_limit_of(load)]);
    add_json_reasons(level, &load->tally);
    add_json_end(level, load->end);
    (void)cJSON_AddItemToArray(levels, level);
}

static void add_json_unmeasured(cJSON *root, const struct load_report *report)
{
    cJSON *list = cJSON_AddArrayToObject(root, "unmeasured");

    for (size_t i = 0; i < report->unmeasured_count; i++) {
        cJSON *item = cJSON_CreateObject();
        (void)cJSON_AddNumberToObject(item, "rate", report->unmeasured[i]->rate_per_s);
        add_json_end(item, report->unmeasured[i]->end);
        (void)cJSON_AddItemToArray(list, item);
    }
}

/* A rate of 0: none keeps the goal. */
static void add_json_found(cJSON *root, const struct load_report *report)
{
    cJSON *find = cJSON_AddObjectToObject(root, "find");

    (void)cJSON_AddStringToObject(find, "goal", report->goal);
    if (report->found > 0 || report->end == LOAD_WHOLE)
        (void)cJSON_AddNumberToObject(find, "rate", report->found);
    else
        (void)cJSON_AddNullToObject(find, "rate");
}

enum status load_add_json(const struct load_report *report, struct buf *out)
{
    cJSON *root = cJSON_CreateObject();

    (void)cJSON_AddStringToObject(root, "command", "bench");
    (void)cJSON_AddStringToObject(root, "endpoint", report->target);
    if (report->input != NULL)
        (void)cJSON_AddStringToObject(root, "input", report->input);
    (void)cJSON_AddNumberToObject(root, "warm_up_ms", (double)report->warm_up_ms);
    (void)cJSON_AddNumberToObject(root, "processors", (double)report->processors);
    cJSON *levels = cJSON_AddArrayToObject(root, "levels");
    for (size_t i = 0; i < report->count; i++)
        add_json_load(levels, report->loads[i]);
    add_json_unmeasured(root, report);
    add_json_end(root, report->end);
    if (report->why != NULL && report->why[0] != '\0')
        (void)cJSON_AddStringToObject(root, "error", report->why);
    if (report->goal != NULL)
        add_json_found(root, report);
    return json_line_add(root, out);
}
