#include "report/series.h"

/* Two buckets become one; the first one of a pair is the one with an even number. */
static void halve(struct series *series)
{
    size_t odd = (size_t)(series->first & 1);
    size_t count = (series->count + odd + 1) / 2;
    struct series_bucket merged;

    for (size_t i = 0; i < count; i++) {
        merged = (struct series_bucket){.lanes = {0}};
        for (size_t half = 0; half < 2; half++) {
            size_t from = 2 * i + half;
            if (from < odd || from - odd >= series->count)
                continue;
            for (size_t lane = 0; lane < SERIES_LANES; lane++)
                merged.lanes[lane] += series->buckets[from - odd].lanes[lane];
        }
        series->buckets[i] = merged;
    }
    memset(series->buckets + count, 0, (series->count - count) * sizeof(merged));
    series->first = (series->first - (int64_t)odd) / 2;
    series->count = count;
    series->width_ms *= 2;
}

/* Makes room for buckets before the first one. */
static void shift(struct series *series, size_t by)
{
    memmove(series->buckets + by, series->buckets, series->count * sizeof(series->buckets[0]));
    memset(series->buckets, 0, by * sizeof(series->buckets[0]));
    series->first -= (int64_t)by;
    series->count += by;
}

void series_add(struct series *series, int64_t at_ms, size_t lane, uint64_t amount)
{
    if (series->width_ms == 0) {
        series->width_ms = SERIES_WIDTH_MS;
        series->first = at_ms / series->width_ms;
        series->count = 1;
    }
    for (;;) {
        int64_t index = at_ms / series->width_ms;
        int64_t end = series->first + (int64_t)series->count;
        int64_t from = index < series->first ? index : series->first;
        int64_t to = index >= end ? index + 1 : end;
        if (to - from <= SERIES_BUCKETS) {
            if (index < series->first)
                shift(series, (size_t)(series->first - index));
            series->count = (size_t)(to - from);
            series->buckets[index - series->first].lanes[lane] += amount;
            return;
        }
        halve(series);
    }
}

static bool is_empty(const struct series_bucket *bucket)
{
    for (size_t lane = 0; lane < SERIES_LANES; lane++)
        if (bucket->lanes[lane] > 0)
            return false;
    return true;
}

size_t series_spans(const struct series *series, struct series_span spans[SERIES_SPANS_MAX])
{
    size_t busy = 0, count = 0, last = 0;

    for (size_t i = 0; i < series->count; i++)
        busy += !is_empty(&series->buckets[i]);
    size_t longest = busy > series->count / 12 ? busy : series->count / 12;
    for (size_t i = 0; i < series->count; i++) {
        if (is_empty(&series->buckets[i]))
            continue;
        if (count == 0 || (i - last > longest && count < SERIES_SPANS_MAX))
            spans[count++].from = i;
        spans[count - 1].to = i + 1;
        last = i;
    }
    return count;
}

struct series_bucket series_sum(const struct series *series, size_t from, size_t to)
{
    struct series_bucket sum = {.lanes = {0}};

    for (size_t i = from; i < to && i < series->count; i++)
        for (size_t lane = 0; lane < SERIES_LANES; lane++)
            sum.lanes[lane] += series->buckets[i].lanes[lane];
    return sum;
}
