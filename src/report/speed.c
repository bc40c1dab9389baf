#include "report/speed.h"

#include <stdlib.h>

#include "report/json_line.h"

static double per_second(const struct speed *speed)
{
    return speed->seconds > 0 ? (double)speed->rows / speed->seconds : 0.0;
}

static double cpu_us_per_row(const struct speed *speed)
{
    return speed->rows > 0 ? speed->cpu_s * 1e6 / (double)speed->rows : 0.0;
}

struct speed speed_of(size_t concurrency, const struct tally *tally, double seconds, double cpu_s)
{
    return (struct speed){.concurrency = concurrency,
                          .rows = tally_total(tally),
                          .accepted = tally->rows[ROW_ACCEPTED],
                          .seconds = seconds,
                          .cpu_s = cpu_s,
                          .p50_us = histogram_quantile(&tally->latency, 0.50),
                          .p90_us = histogram_quantile(&tally->latency, 0.90),
                          .p99_us = histogram_quantile(&tally->latency, 0.99),
                          .max_us = tally->latency.max_us};
}

static int compare(const void *a, const void *b)
{
    double one = per_second(a), other = per_second(b);
    return (one > other) - (one < other);
}

struct speed speed_median(struct speed *runs, size_t count)
{
    qsort(runs, count, sizeof(*runs), compare);
    return runs[count / 2];
}

static double to_ms(uint64_t us)
{
    return (double)us / 1000.0;
}

void speed_add_text(const struct speed_report *report, struct buf *out)
{
    buf_add_format(out, "%lld rows each time, median of %lld; ", (long long)report->rows,
                   (long long)report->rounds);
    if (report->endpoint == NULL)
        buf_add_string(out, "a simulator in this process answers");
    else
        buf_add_printable(out, span_string(report->endpoint));
    buf_add_format(out, "; %ld processors\n\n", report->processors);
    buf_add_string(out,
                   "in flight    rows/s  CPU µs a row    p50 ms    p90 ms    p99 ms    max ms\n");
    for (size_t i = 0; i < report->level_count; i++) {
        const struct speed *speed = &report->levels[i];
        buf_add_format(out, "%9zu %9.0f %13.1f %9.2f %9.2f %9.2f %9.2f\n", speed->concurrency,
                       per_second(speed), cpu_us_per_row(speed), to_ms(speed->p50_us),
                       to_ms(speed->p90_us), to_ms(speed->p99_us), to_ms(speed->max_us));
        if (speed->accepted < speed->rows)
            buf_add_format(out, "%9s %llu of %llu rows were not accepted\n", "",
                           (unsigned long long)(speed->rows - speed->accepted),
                           (unsigned long long)speed->rows);
    }
}

static void add_level(const struct speed *speed, cJSON *levels)
{
    cJSON *level = cJSON_CreateObject();

    (void)cJSON_AddNumberToObject(level, "concurrency", (double)speed->concurrency);
    (void)cJSON_AddNumberToObject(level, "accepted", (double)speed->accepted);
    (void)cJSON_AddNumberToObject(level, "seconds", speed->seconds);
    (void)cJSON_AddNumberToObject(level, "rows_per_second", per_second(speed));
    (void)cJSON_AddNumberToObject(level, "cpu_us_per_row", cpu_us_per_row(speed));
    cJSON *latency = cJSON_AddObjectToObject(level, "latency_ms");
    (void)cJSON_AddNumberToObject(latency, "p50", to_ms(speed->p50_us));
    (void)cJSON_AddNumberToObject(latency, "p90", to_ms(speed->p90_us));
    (void)cJSON_AddNumberToObject(latency, "p99", to_ms(speed->p99_us));
    (void)cJSON_AddNumberToObject(latency, "max", to_ms(speed->max_us));
    (void)cJSON_AddItemToArray(levels, level);
}

enum status speed_add_json(const struct speed_report *report, struct buf *out)
{
    cJSON *root = cJSON_CreateObject();

    (void)cJSON_AddStringToObject(root, "command", "bench");
    if (report->endpoint != NULL)
        (void)cJSON_AddStringToObject(root, "endpoint", report->endpoint);
    else
        (void)cJSON_AddNullToObject(root, "endpoint");
    (void)cJSON_AddNumberToObject(root, "rows", (double)report->rows);
    (void)cJSON_AddNumberToObject(root, "rounds", (double)report->rounds);
    (void)cJSON_AddNumberToObject(root, "processors", (double)report->processors);
    cJSON *levels = cJSON_AddArrayToObject(root, "levels");
    for (size_t i = 0; i < report->level_count; i++)
        add_level(&report->levels[i], levels);
    return json_line_add(root, out);
}
