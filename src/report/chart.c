#include "report/chart.h"

#include <math.h>

#include "core/when.h"
#include "platform/outcome.h"
#include "report/html.h"
#include "report/page.h"

enum {
    BARS_MAX = 120,
    BARS_MIN = 24, /* a short run does not get bars as wide as doors */
    BINS_MAX = 48,
    WIDTH = 1000, /* of the drawing, in its own units */
    HEIGHT = 200,
    TICK_EDGE = 60, /* nearer to an edge than half a label is wide */
    TICK_GAP = 290, /* between two labels; on a phone as well */
};

/* A round number that is not below the value, and whose half is round too. */
static double round_up(double value)
{
    static const double steps[] = {1, 1.5, 2, 3, 4, 5, 6, 8, 10};
    double power = pow(10, floor(log10(value > 0 ? value : 1)));

    for (size_t i = 0; i < ARRAY_LENGTH(steps); i++)
        if (steps[i] * power >= value)
            return steps[i] * power;
    return 10 * power;
}

/* A chart that is drawn: what it says, and the scale of its height. */
struct chart {
    const char *id;
    const char *title;
    const char *unit; /* of the height */
    double top;
    struct buf *out;
};

static void open_chart(const struct chart *chart, const char *description)
{
    struct buf *out = chart->out;

    buf_add_format(out,
                   "<figure id=\"%s\">\n<figcaption><h3>%s</h3><p>%s</p></figcaption>\n"
                   "<div class=\"plot\">\n<div class=\"y\" aria-hidden=\"true\"><span>",
                   chart->id, chart->title, description);
    html_add_rate(chart->top, out);
    buf_add_string(out, "</span><span>");
    html_add_rate(chart->top / 2, out);
    buf_add_format(out,
                   "</span><span>0</span></div>\n<svg viewBox=\"0 0 %d %d\" "
                   "preserveAspectRatio=\"none\" role=\"img\" aria-labelledby=\"%s-t %s-d\">\n"
                   "<title id=\"%s-t\">%s</title>\n<desc id=\"%s-d\">%s</desc>\n",
                   WIDTH, HEIGHT, chart->id, chart->id, chart->id, chart->title, chart->id,
                   description);
    for (int i = 0; i <= 2; i++)
        buf_add_format(out, "<path class=\"grid\" d=\"M0 %dH%d\"/>\n", i * HEIGHT / 2, WIDTH);
}

static double y_of(const struct chart *chart, double value)
{
    return HEIGHT - value / chart->top * HEIGHT;
}

static void add_bar(const struct chart *chart, const double x[2], double from, double to)
{
    buf_add_format(chart->out, "M%.1f %.2fV%.2fH%.1fV%.2fZ", x[0], y_of(chart, from),
                   y_of(chart, to), x[1], y_of(chart, from));
}

/* What a series looks like on paper: which buckets make which bar. */
struct timeline {
    const struct series *series;
    struct series_span spans[SERIES_SPANS_MAX];
    size_t span_count;
    size_t per_bar; /* buckets */
    size_t bars, slots;
};

static size_t bars_of(const struct series_span *span, size_t per_bar)
{
    return (span->to - span->from + per_bar - 1) / per_bar;
}

static void timeline_init(struct timeline *timeline, const struct series *series)
{
    *timeline = (struct timeline){.series = series, .per_bar = 1};
    timeline->span_count = series_spans(series, timeline->spans);
    for (;; timeline->per_bar *= 2) {
        timeline->bars = 0;
        for (size_t i = 0; i < timeline->span_count; i++)
            timeline->bars += bars_of(&timeline->spans[i], timeline->per_bar);
        if (timeline->bars <= BARS_MAX)
            break;
    }
    timeline->slots = timeline->bars > BARS_MIN ? timeline->bars : BARS_MIN;
}

/* The buckets of the n-th bar. */
static struct series_bucket bar_at(const struct timeline *timeline, size_t n)
{
    for (size_t i = 0; i < timeline->span_count; i++) {
        const struct series_span *span = &timeline->spans[i];
        size_t bars = bars_of(span, timeline->per_bar);
        size_t from = span->from + n * timeline->per_bar;
        if (n < bars)
            return series_sum(timeline->series, from,
                              from + timeline->per_bar < span->to ? from + timeline->per_bar
                                                                  : span->to);
        n -= bars;
    }
    return (struct series_bucket){.lanes = {0}};
}

static double bar_seconds(const struct timeline *timeline)
{
    return (double)timeline->series->width_ms * (double)timeline->per_bar / 1000;
}

static double slot_x(const struct timeline *timeline, size_t slot)
{
    return (double)slot * WIDTH / (double)timeline->slots;
}

static int64_t time_of(const struct timeline *timeline, size_t bucket)
{
    return (timeline->series->first + (int64_t)bucket) * timeline->series->width_ms;
}

/* A label is where it belongs: it begins at the left edge, ends at the right one, and has its
 * middle at any other place. */
static const char *place_of(double x)
{
    return x < TICK_EDGE ? "start" : x > WIDTH - TICK_EDGE ? "end" : "mid";
}

static void add_tick(double x, int64_t at_ms, const struct timeline *timeline, struct buf *out)
{
    const struct series *series = timeline->series;
    char text[WHEN_UTC_LENGTH + 1];
    bool days = (double)series->width_ms * (double)series->count >= 86400000.0;

    when_format_utc(at_ms, text);
    buf_add_format(out, "<span class=\"%s\" style=\"left:%.1f%%\">", place_of(x), x / WIDTH * 100);
    if (days)
        buf_add_format(out, "%.5s %.5s</span>", text + 5, text + 11);
    else
        buf_add_format(out, "%.8s</span>", text + 11);
}

/* Where each span begins, the middle of a single one, and where the last one ends; those that would
 * come too near to the one before are left out. */
static void add_ticks(const struct timeline *timeline, struct buf *out)
{
    const struct series_span *spans = timeline->spans;
    if (timeline->span_count == 0)
        return;
    size_t last = timeline->span_count - 1, bar = 0;
    double end = slot_x(timeline, timeline->bars), before = -WIDTH;

    for (size_t i = 0; i <= last; i++) {
        double x = slot_x(timeline, bar);
        if (x - before >= TICK_GAP && (i == 0 || end - x >= TICK_GAP)) {
            add_tick(x, time_of(timeline, spans[i].from), timeline, out);
            before = x;
        }
        bar += bars_of(&spans[i], timeline->per_bar);
    }
    if (last == 0 && end >= 2 * TICK_GAP)
        add_tick(end / 2, (time_of(timeline, spans[0].from) + time_of(timeline, spans[0].to)) / 2,
                 timeline, out);
    if (end - before >= TICK_GAP)
        add_tick(end, time_of(timeline, spans[last].to), timeline, out);
}

/* The labels; marks what is left out. */
static void close_timeline(const struct timeline *timeline, struct buf *out)
{
    size_t bar = 0;

    for (size_t i = 0; i + 1 < timeline->span_count; i++) {
        bar += bars_of(&timeline->spans[i], timeline->per_bar);
        buf_add_format(out, "<path class=\"cut\" d=\"M%.1f 0V%d\"/>\n", slot_x(timeline, bar),
                       HEIGHT);
    }
    buf_add_string(out, "</svg>\n<div class=\"x\" aria-hidden=\"true\">");
    add_ticks(timeline, out);
    buf_add_string(out, "</div>\n</div>\n");
}

/* "Left out: 2 h without results." */
static void close_figure(const struct timeline *timeline, struct buf *out)
{
    for (size_t i = 0; i + 1 < timeline->span_count; i++) {
        size_t gap = timeline->spans[i + 1].from - timeline->spans[i].to;
        buf_add_string(out, i == 0 ? "<p class=\"note\">Left out at the dashed line" : ", then ");
        if (i == 0)
            buf_add_string(out, timeline->span_count > 2 ? "s: " : ": ");
        html_add_duration((double)gap * (double)timeline->series->width_ms / 1000, out);
    }
    if (timeline->span_count > 1)
        buf_add_string(out, " in which nothing happened.</p>\n");
    buf_add_string(out, "</figure>\n");
}

static double peak_of(const struct timeline *timeline)
{
    double peak = 0;

    for (size_t i = 0; i < timeline->bars; i++) {
        struct series_bucket bar = bar_at(timeline, i);
        double sum = 0;
        for (size_t lane = 0; lane < ROW_STATUS_COUNT; lane++)
            sum += (double)bar.lanes[lane];
        peak = sum > peak ? sum : peak;
    }
    return peak / bar_seconds(timeline);
}

static void add_lane(const struct chart *chart, const struct timeline *timeline, size_t lane)
{
    double seconds = bar_seconds(timeline);

    buf_add_format(chart->out, "<path class=\"s-%s\" d=\"", row_status_name((enum row_status)lane));
    for (size_t i = 0; i < timeline->bars; i++) {
        struct series_bucket bar = bar_at(timeline, i);
        double from = 0, to;
        for (size_t below = 0; below < lane; below++)
            from += (double)bar.lanes[below] / seconds;
        to = from + (double)bar.lanes[lane] / seconds;
        double gap = (double)WIDTH / (double)timeline->slots / 10;
        const double x[2] = {slot_x(timeline, i) + gap, slot_x(timeline, i + 1) - gap};
        if (bar.lanes[lane] > 0)
            add_bar(chart, x, from, to);
    }
    buf_add_string(chart->out, "\"/>\n");
}

void chart_add_throughput(const struct series *series, struct buf *out)
{
    struct timeline timeline;
    struct buf text;
    uint64_t lanes[SERIES_LANES];

    timeline_init(&timeline, series);
    double peak = peak_of(&timeline);
    struct chart chart = {"throughput", "Rows that ended per second", "rows/s", round_up(peak),
                          out};
    memcpy(lanes, series_sum(series, 0, series->count).lanes, sizeof(lanes));
    buf_init_text(&text, 4096);
    buf_add_string(&text, "Each bar covers ");
    html_add_duration(bar_seconds(&timeline), &text);
    buf_add_string(&text, "; the highest is ");
    html_add_rate(peak, &text);
    buf_add_string(&text, " rows a second. Times are UTC.");
    open_chart(&chart, buf_string(&text));
    for (size_t lane = 0; lane < ROW_STATUS_COUNT; lane++)
        if (lanes[lane] > 0)
            add_lane(&chart, &timeline, lane);
    close_timeline(&timeline, out);
    buf_add_string(out, "<p class=\"legend\" aria-hidden=\"true\">");
    for (size_t lane = 0; lane < ROW_STATUS_COUNT; lane++)
        if (lanes[lane] > 0)
            buf_add_format(out, "<span><i class=\"b-%s\"></i>%s</span>",
                           row_status_name((enum row_status)lane),
                           row_status_name((enum row_status)lane));
    buf_add_string(out, "</p>\n");
    close_figure(&timeline, out);
    buf_deinit(&text);
}

/* The mean of a lane over the samples of a bar. */
static double mean_of(const struct series_bucket *bar, size_t lane)
{
    uint64_t samples = bar->lanes[FLIGHT_SAMPLES];
    return samples > 0 ? (double)bar->lanes[lane] / (double)samples : 0;
}

/* A line over the bars; down to the axis and closed where it is an area. */
static void add_line(const struct chart *chart, const struct timeline *timeline, size_t lane,
                     bool is_area)
{
    double y = HEIGHT;

    buf_add_format(chart->out, "<path class=\"%s\" d=\"", is_area ? "area" : "limit");
    for (size_t i = 0; i < timeline->bars; i++) {
        struct series_bucket bar = bar_at(timeline, i);
        if (bar.lanes[FLIGHT_SAMPLES] > 0) /* else as before: a bar may lie between two samples */
            y = y_of(chart, mean_of(&bar, lane));
        if (i == 0)
            buf_add_format(chart->out, "M0 %.2f", is_area ? (double)HEIGHT : y);
        buf_add_format(chart->out, "V%.2fH%.1f", y, slot_x(timeline, i + 1));
    }
    buf_add_string(chart->out, is_area ? "V200H0Z\"/>\n" : "\"/>\n");
}

void chart_add_flight(const struct series *series, struct buf *out)
{
    struct timeline timeline;
    struct buf text;
    double top = 1;

    timeline_init(&timeline, series);
    for (size_t i = 0; i < timeline.bars; i++) {
        struct series_bucket bar = bar_at(&timeline, i);
        double limit = mean_of(&bar, FLIGHT_LIMIT);
        top = limit > top ? limit : top;
    }
    struct chart chart = {"flight", "Requests in flight", "requests", round_up(top), out};
    struct series_bucket all = series_sum(series, 0, series->count);
    buf_init_text(&text, 4096);
    buf_add_format(&text,
                   "Requests that wait for their answer: %.1f on average. The line is how many "
                   "there may be at most.",
                   mean_of(&all, FLIGHT_COUNT));
    open_chart(&chart, buf_string(&text));
    add_line(&chart, &timeline, FLIGHT_COUNT, true);
    add_line(&chart, &timeline, FLIGHT_LIMIT, false);
    close_timeline(&timeline, out);
    close_figure(&timeline, out);
    buf_deinit(&text);
}

/* The bins of a histogram on a logarithmic axis. */
struct bins {
    double low, high; /* µs */
    size_t count;
    uint64_t values[BINS_MAX];
    uint64_t most;
};

static double bin_edge(const struct bins *bins, size_t bin)
{
    return bins->low * pow(bins->high / bins->low, (double)bin / (double)bins->count);
}

static void bins_fill(struct bins *bins, const struct histogram *histogram)
{
    double low = (double)histogram_quantile(histogram, 0), high = (double)histogram->max_us;

    /* At least a factor of two is shown, and no bin is narrower than the histogram's own. */
    *bins = (struct bins){.low = low > 20 ? low * 0.9 : 18, .high = high * 1.05};
    if (bins->high < bins->low * 2)
        bins->high = bins->low * 2;
    double finest = log(bins->high / bins->low) / log(1.035);
    bins->count = finest < BINS_MAX ? (size_t)finest : BINS_MAX;
    uint64_t below = 0;
    for (size_t i = 0; i < bins->count; i++) {
        uint64_t upto = i + 1 == bins->count
                            ? histogram->count
                            : histogram_count_below(histogram, (uint64_t)bin_edge(bins, i + 1));
        bins->values[i] = upto - below;
        below = upto;
        if (bins->values[i] > bins->most)
            bins->most = bins->values[i];
    }
}

static double latency_x(const struct bins *bins, double us)
{
    return log((us > bins->low ? us : bins->low) / bins->low) / log(bins->high / bins->low) * WIDTH;
}

/* 1, 2 and 5 times the powers of ten, as far as they do not come too near to each other. */
static void add_latency_axis(const struct bins *bins, struct buf *out)
{
    static const double steps[] = {1, 2, 5};
    bool is_long = bins->high / bins->low > 100;
    double last = -WIDTH;

    buf_add_string(out, "</svg>\n<div class=\"x\" aria-hidden=\"true\">");
    for (uint64_t power = 1; power <= UINT64_C(1000000000000); power *= 10) {
        for (size_t i = 0; i < ARRAY_LENGTH(steps); i++) {
            double us = steps[i] * (double)power, x = latency_x(bins, us);
            if (us < bins->low || us > bins->high || (is_long && i > 0) || x - last < 90 ||
                x > WIDTH - 20)
                continue;
            last = x;
            buf_add_format(out, "<span class=\"%s\" style=\"left:%.1f%%\">", place_of(x),
                           x / WIDTH * 100);
            if (us < 1000)
                buf_add_format(out, "%.0f µs", us);
            else if (us < 1e6)
                buf_add_format(out, "%.0f ms", us / 1e3);
            else
                buf_add_format(out, "%.0f s", us / 1e6);
            buf_add_string(out, "</span>");
        }
    }
    buf_add_string(out, "</div>\n</div>\n</figure>\n");
}

void chart_add_latency(const struct histogram *histogram, struct buf *out)
{
    struct bins bins;

    bins_fill(&bins, histogram);
    struct chart chart = {"latency-chart", "How many rows took how long", "rows",
                          round_up((double)bins.most), out};
    open_chart(&chart, "Time from the start of a row&#39;s last attempt to its end, on a "
                       "logarithmic axis. The dashed lines are the 50th and the 99th percentile.");
    buf_add_string(out, "<path class=\"bars\" d=\"");
    for (size_t i = 0; i < bins.count; i++) {
        double gap = (double)WIDTH / (double)bins.count / 12;
        const double x[2] = {(double)i * WIDTH / (double)bins.count + gap,
                             (double)(i + 1) * WIDTH / (double)bins.count - gap};
        if (bins.values[i] > 0)
            add_bar(&chart, x, 0, (double)bins.values[i]);
    }
    buf_add_string(out, "\"/>\n");
    static const double marks[] = {0.5, 0.99};
    for (size_t i = 0; i < ARRAY_LENGTH(marks); i++)
        buf_add_format(out, "<path class=\"cut\" d=\"M%.1f 0V%d\"/>\n",
                       latency_x(&bins, (double)histogram_quantile(histogram, marks[i])), HEIGHT);
    add_latency_axis(&bins, out);
}

enum { NINES = 5, STEPS_PER_NINE = 20, RATE_COLORS = 6 };

/* The latency up to each percentile, as a line that ends where a request more would be needed; what
 * it stands for shows when it is pointed at. */
static void add_percentile_line(const struct chart *chart, const struct histogram *histogram,
                                const struct load *load, size_t color)
{
    bool is_due = histogram == &load->from_due;

    buf_add_format(chart->out, "<path class=\"rate-%zu\"%s d=\"M0 %.2f", color,
                   is_due ? "" : " stroke-dasharray=\"5 4\"",
                   y_of(chart, (double)histogram_quantile(histogram, 0) / 1000));
    for (int step = 1; step <= NINES * STEPS_PER_NINE; step++) {
        double left = pow(10, -(double)step / STEPS_PER_NINE);
        if (left * (double)histogram->count < 1)
            break;
        buf_add_format(chart->out, "L%.1f %.2f", (double)step * WIDTH / (NINES * STEPS_PER_NINE),
                       y_of(chart, (double)histogram_quantile(histogram, 1 - left) / 1000));
    }
    buf_add_string(chart->out, "\"><title>");
    html_add_rate(load->rate_per_s, chart->out);
    buf_add_format(chart->out, "/s, from when a request %s</title></path>\n",
                   is_due ? "was due" : "left");
}

static void add_rates(const struct load *const *loads, size_t count, struct buf *out)
{
    buf_add_string(out, "<p class=\"legend\">");
    for (size_t i = 0; i < count; i++) {
        buf_add_format(out, "<span><i class=\"b-rate-%zu\"></i>", i % RATE_COLORS);
        html_add_rate(loads[i]->rate_per_s, out);
        buf_add_string(out, "/s</span>");
    }
    buf_add_string(out, "</p>\n");
}

void chart_add_percentiles(const struct load *const *loads, size_t count, struct buf *out)
{
    static const char *const names[] = {"0 %", "90 %", "99 %", "99.9 %", "99.99 %"};
    uint64_t most_us = 1;

    for (size_t i = 0; i < count; i++)
        most_us = loads[i]->from_due.max_us > most_us ? loads[i]->from_due.max_us : most_us;
    struct chart chart = {"percentiles", "Latency in milliseconds", "ms",
                          round_up((double)most_us / 1000), out};
    open_chart(&chart, "A line for each rate: from when a request was due, and dashed from when it "
                       "left.");
    for (size_t i = 0; i < count; i++) {
        add_percentile_line(&chart, &loads[i]->from_due, loads[i], i % RATE_COLORS);
        add_percentile_line(&chart, &loads[i]->tally.latency, loads[i], i % RATE_COLORS);
    }
    buf_add_string(out, "</svg>\n<div class=\"x\" aria-hidden=\"true\">");
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        buf_add_format(out, "<span style=\"left:%zu%%\">%s</span>", i * 100 / NINES, names[i]);
    buf_add_string(out, "</div>\n</div>\n");
    add_rates(loads, count, out);
    buf_add_string(out, "</figure>\n");
}

/* From the bottom to the top. */
static const enum command_state ends[SERIES_LANES] = {COMMAND_DELIVERED, COMMAND_REFUSED,
                                                      COMMAND_FAILED, COMMAND_EXPIRED,
                                                      COMMAND_CANCELLED};

size_t chart_delivery_lane(enum command_state state)
{
    size_t lane = 0;

    while (lane < SERIES_LANES && ends[lane] != state)
        lane++;
    return lane;
}

/* What the lanes up to one come to by the end of each bar, as an area down to the axis: those that
 * are below are drawn over it. */
static void add_stacked(const struct chart *chart, const struct timeline *timeline, size_t lane)
{
    double sum = 0;

    buf_add_format(chart->out, "<path class=\"s-%s\" d=\"M0 %d", deliveries[ends[lane]].word,
                   HEIGHT);
    for (size_t i = 0; i < timeline->bars; i++) {
        struct series_bucket bar = bar_at(timeline, i);
        for (size_t below = 0; below <= lane; below++)
            sum += (double)bar.lanes[below];
        buf_add_format(chart->out, "V%.2fH%.1f", y_of(chart, sum), slot_x(timeline, i + 1));
    }
    buf_add_format(chart->out, "V%dZ\"/>\n", HEIGHT);
}

void chart_add_delivery(const struct series *series, uint64_t total, struct buf *out)
{
    const struct series_bucket all = series_sum(series, 0, series->count);
    struct timeline timeline;
    struct buf text;

    timeline_init(&timeline, series);
    timeline.slots = timeline.bars;
    struct chart chart = {"delivered-chart", "Delivered over time", "commands",
                          round_up((double)total), out};
    buf_init_text(&text, 4096);
    buf_add_string(&text, "How many of the ");
    html_add_count(total, &text);
    buf_add_string(&text, " commands had come to their end by then; steps of ");
    html_add_duration(bar_seconds(&timeline), &text);
    buf_add_string(&text, ". Times are UTC.");
    open_chart(&chart, buf_string(&text));
    for (size_t lane = SERIES_LANES; lane-- > 0;)
        if (all.lanes[lane] > 0)
            add_stacked(&chart, &timeline, lane);
    close_timeline(&timeline, out);
    buf_add_string(out, "<p class=\"legend\" aria-hidden=\"true\">");
    for (size_t lane = 0; lane < SERIES_LANES; lane++)
        if (all.lanes[lane] > 0)
            buf_add_format(out, "<span><i class=\"b-%s\"></i>%s</span>",
                           deliveries[ends[lane]].word, deliveries[ends[lane]].word);
    buf_add_string(out, "</p>\n");
    close_figure(&timeline, out);
    buf_deinit(&text);
}
