#include "report/summary.h"

#include <cjson/cJSON.h>

#include "command/platform_errno.h"

static const struct {
    const char *name;
    double quantile;
} quantiles[] = {{"p50", 0.50}, {"p90", 0.90}, {"p99", 0.99}};

static double to_ms(uint64_t us)
{
    return (double)us / 1000.0;
}

static void add_reason_text(const struct tally_reason *reason, struct buf *out)
{
    const struct platform_errno *known =
        reason->has_errno ? platform_errno_find(reason->platform_errno) : NULL;

    buf_add_format(out, "    %8llu  ", (unsigned long long)reason->count);
    if (reason->status == ROW_REJECTED)
        buf_add_format(out, "errno %lld ", (long long)reason->platform_errno);
    buf_add_string(out, reason->text);
    if (reason->status == ROW_REJECTED && known != NULL)
        buf_add_format(out, " (%s): %s", known->meaning, known->remedy);
    buf_add_char(out, '\n');
}

static void add_status_text(const struct summary *summary, enum row_status status, struct buf *out)
{
    const struct tally *tally = summary->tally;

    buf_add_format(out, "  %-9s %9llu", row_status_name(status),
                   (unsigned long long)tally->rows[status]);
    if (summary->earlier[status] > 0)
        buf_add_format(out, "  and %llu before", (unsigned long long)summary->earlier[status]);
    buf_add_char(out, '\n');
    for (size_t i = 0; i < tally->reason_count; i++)
        if (tally->reasons[i].status == status)
            add_reason_text(&tally->reasons[i], out);
}

static void add_account_text(const struct summary *summary, struct buf *out)
{
    buf_add_format(out, "%llu of %llu rows accounted for", (unsigned long long)summary->accounted,
                   (unsigned long long)summary->input_rows);
    if (summary->superseded > 0)
        buf_add_format(out,
                       "; %llu line%s of the results %s followed by a later one of the same "
                       "key, which counts",
                       (unsigned long long)summary->superseded, summary->superseded == 1 ? "" : "s",
                       summary->superseded == 1 ? "is" : "are");
    if (summary->strange > 0)
        buf_add_format(out, "; %llu line%s of %s that the input no longer has",
                       (unsigned long long)summary->strange,
                       summary->strange == 1 ? " is" : "s are",
                       summary->strange == 1 ? "a row" : "rows");
    buf_add_char(out, '\n');
}

void summary_add_text(const struct summary *summary, struct buf *out)
{
    const struct tally *tally = summary->tally;
    uint64_t total = tally_total(tally);

    buf_add_format(out, "%llu rows in %.2f s (%.0f rows/s)\n", (unsigned long long)total,
                   summary->seconds, summary->seconds > 0 ? (double)total / summary->seconds : 0.0);
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++)
        if (tally->rows[i] + summary->earlier[i] > 0 || i == ROW_ACCEPTED)
            add_status_text(summary, (enum row_status)i, out);
    if (tally->other_reasons > 0)
        buf_add_format(out, "    %8llu  for other reasons, see the results\n",
                       (unsigned long long)tally->other_reasons);
    if (summary->has_unsent && summary->unsent > 0)
        buf_add_format(out, "  not sent  %9llu  go on with --resume\n",
                       (unsigned long long)summary->unsent);
    if (summary->has_account)
        add_account_text(summary, out);
    if (summary->retries > 0)
        buf_add_format(out, "%llu attempts were retries\n", (unsigned long long)summary->retries);
    if (tally->latency.count > 0) {
        buf_add_string(out, "latency in ms:");
        for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++)
            buf_add_format(out, " %s %.1f,", quantiles[i].name,
                           to_ms(histogram_quantile(&tally->latency, quantiles[i].quantile)));
        buf_add_format(out, " max %.1f\n", to_ms(tally->latency.max_us));
    }
    if (summary->results != NULL) {
        buf_add_string(out, "results: ");
        buf_add_printable(out, span_string(summary->results));
        buf_add_char(out, '\n');
    }
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

enum status summary_add_json(const struct summary *summary, struct buf *out)
{
    const struct tally *tally = summary->tally;
    cJSON *root = cJSON_CreateObject();
    double rows = (double)tally_total(tally);

    (void)cJSON_AddStringToObject(root, "command", "run");
    (void)cJSON_AddStringToObject(root, "input", summary->input);
    (void)cJSON_AddStringToObject(root, "endpoint", summary->endpoint);
    if (summary->results != NULL)
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
    cJSON *earlier = cJSON_AddObjectToObject(root, "earlier");
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++)
        (void)cJSON_AddNumberToObject(earlier, row_status_name((enum row_status)i),
                                      (double)summary->earlier[i]);
    (void)cJSON_AddNumberToObject(root, "input_rows", (double)summary->input_rows);
    add_account_json(summary, root);
    (void)cJSON_AddNumberToObject(root, "attempts", (double)tally->attempts);
    (void)cJSON_AddNumberToObject(root, "retries", (double)summary->retries);
    (void)cJSON_AddNumberToObject(root, "seconds", summary->seconds);
    (void)cJSON_AddNumberToObject(root, "rows_per_second",
                                  summary->seconds > 0 ? rows / summary->seconds : 0.0);
    add_latency_json(tally, root);
    (void)cJSON_AddNumberToObject(root, "exit_status", summary->exit_status);
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    if (text == NULL)
        return STATUS_NO_MEMORY;
    buf_add_string(out, text);
    buf_add_char(out, '\n');
    cJSON_free(text);
    return out->status;
}
