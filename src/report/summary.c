#include "report/summary.h"

#include "core/figure.h"
#include "core/retranslate.h"
#include "core/when.h"
#include "report/advice.h"
#include "report/json_line.h"

static const struct {
    const char *name;
    double quantile;
} quantiles[] = {{"p50", 0.50}, {"p90", 0.90}, {"p99", 0.99}};

static double to_ms(uint64_t us)
{
    return (double)us / 1000.0;
}

static struct advice advice_of_reason(const struct tally_reason *reason)
{
    return advice_of(&(struct reason){.status = reason->status,
                                      .has_errno = reason->has_errno,
                                      .platform_errno = reason->platform_errno,
                                      .http_status = reason->http_status,
                                      .text = span_string(reason->text)});
}

/* Rows of the whole input by status: this run's, and those of the runs before it. */
static void count_all(const struct summary *summary, uint64_t ret_rows[ROW_STATUS_COUNT])
{
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++)
        ret_rows[i] = summary->tally->rows[i] + summary->earlier[i];
}

static struct next_facts facts_of(const struct summary *summary, const uint64_t *rows)
{
    return (struct next_facts){.rows = rows,
                               .unsent = summary->unsent,
                               .passing = summary->tally->passing,
                               .twice = summary->twice,
                               .has_more = !summary->has_unsent,
                               .input = summary->input,
                               .results = summary->results,
                               .jsonl = summary->jsonl,
                               .is_refused = summary->is_refused,
                               .command = summary->command,
                               .verify = summary->verify};
}

/* Did all arrive? */
static void add_headline(const struct summary *summary, const uint64_t *rows, struct buf *out)
{
    uint64_t accepted = rows[ROW_ACCEPTED], total = summary->input_rows;

    if (!summary->has_unsent)
        buf_add_format(out,
                       accepted == 1 ? "%s row was accepted; the input was not read to its end\n"
                                     : "%s rows were accepted; the input was not read to its end\n",
                       figure(accepted).text);
    else if (total == 1)
        buf_add_format(out, "the one row was %saccepted\n", accepted == 1 ? "" : "not ");
    else if (accepted == total)
        buf_add_format(out, "all %s rows were accepted\n", figure(total).text);
    else
        buf_add_format(out, "%s of %s rows were accepted\n", figure(accepted).text,
                       figure(total).text);
}

enum { REASON_INDENT = 23, REASON_WIDTH = 100 };

/*         25  errno 5006 system logic limit: a documented limit was crossed, …
 *             wait until the device has fetched its commands, or cancel some */
static void add_reason_text(const struct tally_reason *reason, struct buf *out)
{
    struct advice advice = advice_of_reason(reason);
    struct buf line;

    buf_init_text(&line, 4096);
    bool is_of_errno = reason->has_errno && advice.name != NULL;
    if (is_of_errno || (reason->status == ROW_REJECTED && reason->has_errno))
        buf_add_format(&line, "errno %lld %s: %s", (long long)reason->platform_errno, reason->text,
                       advice.meaning);
    else
        retranslate(span_string(reason->text), &line);
    buf_add_format(out, "%*s  ", REASON_INDENT - 2, figure(reason->count).text);
    buf_add_wrapped(out, buf_string(&line), REASON_INDENT, REASON_WIDTH);
    if (reason->status != ROW_INVALID) { /* whose text says it */
        buf_clear(&line);
        buf_add_format(&line, "-> %s", advice.remedy);
        buf_add_format(out, "\n%*s", REASON_INDENT, "");
        buf_add_wrapped(out, buf_string(&line), REASON_INDENT, REASON_WIDTH);
    }
    buf_add_char(out, '\n');
    buf_deinit(&line);
}

static void add_status_text(const struct summary *summary, enum row_status status, uint64_t count,
                            struct buf *out)
{
    const struct tally *tally = summary->tally;

    buf_add_format(out, "  %-9s %9s  %s", row_status_name(status), figure(count).text,
                   advice_status_meaning(status));
    if (summary->earlier[status] > 0)
        buf_add_format(out, "; %s of them before this run", figure(summary->earlier[status]).text);
    buf_add_char(out, '\n');
    if (status == ROW_ACCEPTED && summary->twice > 0) {
        buf_add_format(out, "%*s  ", REASON_INDENT - 2, figure(summary->twice).text);
        buf_add_wrapped(out, advice_twice, REASON_INDENT, REASON_WIDTH);
        buf_add_char(out, '\n');
    }
    for (size_t i = 0; i < tally->reason_count; i++)
        if (tally->reasons[i].status == status)
            add_reason_text(&tally->reasons[i], out);
}

/* What did not, and why? */
static void add_outcomes(const struct summary *summary, const uint64_t *rows, struct buf *out)
{
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++)
        if (rows[i] > 0 || i == ROW_ACCEPTED)
            add_status_text(summary, (enum row_status)i, rows[i], out);
    if (summary->tally->other_reasons > 0)
        buf_add_format(out, "%*s  for other reasons, see the results\n", REASON_INDENT - 2,
                       figure(summary->tally->other_reasons).text);
    if (summary->has_unsent && summary->unsent > 0)
        buf_add_format(out, "  %-9s %9s  no request left for them\n", "not sent",
                       figure(summary->unsent).text);
}

static void add_account_text(const struct summary *summary, struct buf *out)
{
    buf_add_format(out, "%s of %s rows accounted for", figure(summary->accounted).text,
                   figure(summary->input_rows).text);
    if (summary->superseded > 0)
        buf_add_format(out,
                       "; %llu line%s of the results %s replaced by another line of the same row",
                       (unsigned long long)summary->superseded, summary->superseded == 1 ? "" : "s",
                       summary->superseded == 1 ? "is" : "are");
    if (summary->strange > 0)
        buf_add_format(out, "; %llu line%s of %s that the input no longer has",
                       (unsigned long long)summary->strange,
                       summary->strange == 1 ? " is" : "s are",
                       summary->strange == 1 ? "a row" : "rows");
    buf_add_char(out, '\n');
}

/* In a shorter run the last ten seconds are much the same. */
#define LATE_FROM_S 20.0

/* How it went. */
static void add_pace(const struct summary *summary, struct buf *out)
{
    const struct tally *tally = summary->tally;
    uint64_t total = tally_total(tally);

    if (total == 0)
        return;
    buf_add_format(out, total == 1 ? "%s row in " : "%s rows in ", figure(total).text);
    if (summary->seconds < 60)
        buf_add_format(out, "%.2f s", summary->seconds);
    else
        when_add_duration(summary->seconds, out);
    if (summary->seconds > 0)
        buf_add_format(out, " (%s)", figure_rate((double)total / summary->seconds, " rows").text);
    if (summary->late_per_s > 0 && summary->seconds > LATE_FROM_S)
        buf_add_format(out, ", in the last ten seconds %s",
                       figure_rate(summary->late_per_s, " rows").text);
    if (summary->retries > 0)
        buf_add_format(out, ", %llu attempt%s", (unsigned long long)summary->retries,
                       summary->retries == 1 ? " was a retry" : "s were retries");
    if (tally->latency.count > 0) {
        buf_add_string(out, "; latency in ms:");
        for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++)
            buf_add_format(out, " %s %.1f,", quantiles[i].name,
                           to_ms(histogram_quantile(&tally->latency, quantiles[i].quantile)));
        buf_add_format(out, " max %.1f", to_ms(tally->latency.max_us));
    }
    buf_add_char(out, '\n');
    if (summary->allowed > 0)
        buf_add_format(out, "the platform allowed about %s\n",
                       figure_rate(summary->allowed, "").text);
}

/* How far a roll-out has come. */
static void add_rollout(const struct rollout_standing *rollout, struct buf *out)
{
    if (rollout == NULL || rollout->step == 0)
        return;
    buf_add_format(out, "roll-out: step %zu of %zu, up to row %llu: ", rollout->step,
                   rollout->steps, (unsigned long long)rollout->until_row);
    if (rollout->commands > 0)
        rollout_add_counts(rollout, out);
    else
        buf_add_string(out, rollout->state == ROLLOUT_DONE ? "all was sent" : "not all was sent");
    buf_add_char(out, '\n');
}

static void add_verified(const struct summary_verified *verified, struct buf *out)
{
    if (verified->looked == 0)
        return;
    buf_add_format(out,
                   "%llu request%s looked for in the platform's history by %llu calls: %llu found, "
                   "%llu not processed, %llu not to be told\n",
                   (unsigned long long)verified->looked, verified->looked == 1 ? " was" : "s were",
                   (unsigned long long)verified->calls, (unsigned long long)verified->found,
                   (unsigned long long)verified->missing, (unsigned long long)verified->unclear);
}

static void add_verified_json(const struct summary_verified *verified, cJSON *root)
{
    cJSON *item = cJSON_AddObjectToObject(root, "verified");

    (void)cJSON_AddNumberToObject(item, "looked", (double)verified->looked);
    (void)cJSON_AddNumberToObject(item, "found", (double)verified->found);
    (void)cJSON_AddNumberToObject(item, "missing", (double)verified->missing);
    (void)cJSON_AddNumberToObject(item, "unclear", (double)verified->unclear);
    (void)cJSON_AddNumberToObject(item, "calls", (double)verified->calls);
}

/* Until when the rows that were sent can be taken back. */
static void add_embargo(const struct summary *summary, struct buf *out)
{
    char until[WHEN_PLATFORM_LENGTH + 1];

    if (summary->embargo_s == 0 || summary->cancel == NULL ||
        summary->tally->rows[ROW_ACCEPTED] == 0)
        return;
    when_format_platform(summary->embargo_s, until);
    if (summary->now_s >= summary->embargo_s) {
        buf_add_format(out,
                       "the embargo ended at %s (UTC+8): devices get their commands from now on\n",
                       until);
        return;
    }
    buf_add_format(out, "until %s (UTC+8), ", until);
    when_add_duration((double)(summary->embargo_s - summary->now_s), out);
    buf_add_format(out, " from now, what this run has sent can be taken back: %s\n",
                   summary->cancel);
}

static void add_file(const char *what, const char *path, struct buf *out)
{
    if (path == NULL)
        return;
    buf_add_string(out, what);
    buf_add_printable(out, span_string(path));
    buf_add_char(out, '\n');
}

/* What do I do now? */
static void add_next(const struct summary *summary, const uint64_t *rows, struct buf *out)
{
    struct next_facts facts = facts_of(summary, rows);
    struct next_step steps[NEXT_COUNT];
    size_t count = next_steps(&facts, steps);

    if (count > 0)
        buf_add_string(out, "\nwhat to do now:\n");
    for (size_t i = 0; i < count; i++) {
        buf_add_string(out, "- ");
        next_add_text(&facts, &steps[i], out);
        buf_add_string(out, "\n    ");
        next_add_command(&facts, &steps[i], out);
        buf_add_char(out, '\n');
    }
}

void summary_add_text(const struct summary *summary, struct buf *out)
{
    uint64_t rows[ROW_STATUS_COUNT];

    count_all(summary, rows);
    buf_add_char(out, '\n');
    add_headline(summary, rows, out);
    add_outcomes(summary, rows, out);
    add_pace(summary, out);
    add_rollout(summary->rollout, out);
    add_verified(&summary->verified, out);
    if (summary->has_account)
        add_account_text(summary, out);
    if (summary->is_recorded)
        add_file("results: ", summary->results, out);
    add_file("report: ", summary->report, out);
    if (summary->results != NULL)
        add_embargo(summary, out);
    if (summary->status != NULL)
        buf_add_format(out, "which devices have their command: %s\n", summary->status);
    if (summary->results != NULL)
        add_next(summary, rows, out);
}

static void add_reasons_json(const struct tally *tally, cJSON *root)
{
    cJSON *reasons = cJSON_AddArrayToObject(root, "reasons");

    for (size_t i = 0; i < tally->reason_count; i++) {
        const struct tally_reason *reason = &tally->reasons[i];
        cJSON *item = cJSON_CreateObject();
        (void)cJSON_AddStringToObject(item, "status", row_status_name(reason->status));
        if (reason->has_errno)
            (void)cJSON_AddNumberToObject(item, "errno", (double)reason->platform_errno);
        else
            (void)cJSON_AddNullToObject(item, "errno");
        (void)cJSON_AddStringToObject(item, "error", reason->text);
        (void)cJSON_AddNumberToObject(item, "rows", (double)reason->count);
        struct advice advice = advice_of_reason(reason);
        (void)cJSON_AddStringToObject(item, "meaning", advice.meaning);
        (void)cJSON_AddStringToObject(item, "remedy", advice.remedy);
        (void)cJSON_AddItemToArray(reasons, item);
    }
}

static void add_latency_json(const struct tally *tally, cJSON *root)
{
    cJSON *latency = cJSON_AddObjectToObject(root, "latency_ms");

    for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++)
        (void)cJSON_AddNumberToObject(latency, quantiles[i].name,
                                      to_ms(histogram_quantile(&tally->latency,
                                                               quantiles[i].quantile)));
    (void)cJSON_AddNumberToObject(latency, "max", to_ms(tally->latency.max_us));
}

static void add_account_json(const struct summary *summary, cJSON *root)
{
    const struct {
        const char *name;
        uint64_t count;
    } counts[] = {{"accounted", summary->accounted},
                  {"superseded", summary->superseded},
                  {"strange", summary->strange}};

    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
        if (summary->has_account)
            (void)cJSON_AddNumberToObject(root, counts[i].name, (double)counts[i].count);
        else
            (void)cJSON_AddNullToObject(root, counts[i].name);
    }
}

static void add_rollout_json(const struct rollout_standing *rollout, cJSON *root)
{
    char text[WHEN_UTC_LENGTH + 1];

    if (rollout == NULL) {
        (void)cJSON_AddNullToObject(root, "rollout");
        return;
    }
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {{"step", rollout->step},           {"steps", rollout->steps},
                   {"first_row", rollout->first_row}, {"until_row", rollout->until_row},
                   {"commands", rollout->commands},   {"needed", rollout->needed},
                   {"delivered", rollout->delivered}, {"lost", rollout->lost}};
    cJSON *item = cJSON_AddObjectToObject(root, "rollout");
    (void)cJSON_AddStringToObject(item, "state", rollout_state_name(rollout->state));
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        (void)cJSON_AddNumberToObject(item, numbers[i].name, (double)numbers[i].value);
    when_format_utc(rollout->began_s * 1000, text);
    (void)cJSON_AddStringToObject(item, "began_at", text);
}

static void add_canary_json(const struct summary_canary *canary, cJSON *root)
{
    if (canary == NULL) {
        (void)cJSON_AddNullToObject(root, "canary");
        return;
    }
    cJSON *item = cJSON_AddObjectToObject(root, "canary");
    (void)cJSON_AddNumberToObject(item, "rows", (double)canary->rows);
    (void)cJSON_AddNumberToObject(item, "needed", (double)canary->needed);
    (void)cJSON_AddBoolToObject(item, "passed", canary->passed);
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++)
        (void)cJSON_AddNumberToObject(item, row_status_name((enum row_status)i),
                                      (double)canary->by_status[i]);
}

/* The rows of the whole input, and what is to be done about them. */
static void add_next_json(const struct summary *summary, cJSON *root)
{
    uint64_t rows[ROW_STATUS_COUNT];
    struct next_step steps[NEXT_COUNT];
    struct buf text;

    count_all(summary, rows);
    cJSON *total = cJSON_AddObjectToObject(root, "total");
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++)
        (void)cJSON_AddNumberToObject(total, row_status_name((enum row_status)i), (double)rows[i]);
    struct next_facts facts = facts_of(summary, rows);
    size_t count = summary->results != NULL ? next_steps(&facts, steps) : 0;
    cJSON *next = cJSON_AddArrayToObject(root, "next");
    buf_init(&text, 1024 * 1024);
    for (size_t i = 0; i < count; i++) {
        cJSON *item = cJSON_CreateObject();
        (void)cJSON_AddStringToObject(item, "name", next_name(steps[i].kind));
        (void)cJSON_AddNumberToObject(item, "rows", (double)steps[i].rows);
        buf_clear(&text);
        next_add_text(&facts, &steps[i], &text);
        (void)cJSON_AddStringToObject(item, "what", buf_string(&text));
        buf_clear(&text);
        next_add_command(&facts, &steps[i], &text);
        (void)cJSON_AddStringToObject(item, "command", buf_string(&text));
        (void)cJSON_AddItemToArray(next, item);
    }
    buf_deinit(&text);
}

static void add_embargo_json(const struct summary *summary, cJSON *root)
{
    char until[WHEN_UTC_LENGTH + 1];

    if (summary->embargo_s == 0)
        return;
    when_format_utc(summary->embargo_s * 1000, until);
    (void)cJSON_AddStringToObject(root, "embargo_until", until);
}

static void add_pace_json(const struct summary *summary, double rows, cJSON *root)
{
    (void)cJSON_AddNumberToObject(root, "seconds", summary->seconds);
    add_embargo_json(summary, root);
    (void)cJSON_AddNumberToObject(root, "rows_per_second",
                                  summary->seconds > 0 ? rows / summary->seconds : 0.0);
    if (summary->late_per_s > 0)
        (void)cJSON_AddNumberToObject(root, "rows_per_second_last_10s", summary->late_per_s);
    else
        (void)cJSON_AddNullToObject(root, "rows_per_second_last_10s");
    if (summary->allowed > 0)
        (void)cJSON_AddNumberToObject(root, "allowed_per_second", summary->allowed);
    else
        (void)cJSON_AddNullToObject(root, "allowed_per_second");
}

enum status summary_add_json(const struct summary *summary, struct buf *out)
{
    const struct tally *tally = summary->tally;
    cJSON *root = cJSON_CreateObject();
    double rows = (double)tally_total(tally);

    (void)cJSON_AddStringToObject(root, "command", "run");
    (void)cJSON_AddStringToObject(root, "input", summary->input);
    (void)cJSON_AddStringToObject(root, "endpoint", summary->endpoint);
    if (summary->results != NULL && summary->is_recorded)
        (void)cJSON_AddStringToObject(root, "results", summary->results);
    else
        (void)cJSON_AddNullToObject(root, "results");
    (void)cJSON_AddNumberToObject(root, "rows", rows);
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++)
        (void)cJSON_AddNumberToObject(root, row_status_name((enum row_status)i),
                                      (double)tally->rows[i]);
    add_reasons_json(tally, root);
    (void)cJSON_AddNumberToObject(root, "other_reasons", (double)tally->other_reasons);
    (void)cJSON_AddStringToObject(root, "end", summary->end);
    if (summary->has_unsent)
        (void)cJSON_AddNumberToObject(root, "not_sent", (double)summary->unsent);
    else
        (void)cJSON_AddNullToObject(root, "not_sent");
    (void)cJSON_AddNumberToObject(root, "maybe_twice", (double)summary->twice);
    add_canary_json(summary->canary, root);
    add_rollout_json(summary->rollout, root);
    add_verified_json(&summary->verified, root);
    cJSON *earlier = cJSON_AddObjectToObject(root, "earlier");
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++)
        (void)cJSON_AddNumberToObject(earlier, row_status_name((enum row_status)i),
                                      (double)summary->earlier[i]);
    (void)cJSON_AddNumberToObject(root, "input_rows", (double)summary->input_rows);
    add_account_json(summary, root);
    (void)cJSON_AddNumberToObject(root, "attempts", (double)tally->attempts);
    (void)cJSON_AddNumberToObject(root, "retries", (double)summary->retries);
    add_pace_json(summary, rows, root);
    add_latency_json(tally, root);
    add_next_json(summary, root);
    if (summary->report != NULL)
        (void)cJSON_AddStringToObject(root, "report", summary->report);
    else
        (void)cJSON_AddNullToObject(root, "report");
    (void)cJSON_AddNumberToObject(root, "exit_status", summary->exit_status);
    return json_line_add(root, out);
}
