#include "report/load_page.h"

#include "core/retranslate.h"
#include "report/chart.h"
#include "report/embedded.h"
#include "report/fill.h"

#define RATE(label, number)                                  \
    {                                                        \
        .name = (label), .kind = FILL_RATE, .real = (number) \
    }

struct sheet {
    const struct load_report *report;
    const struct series *ended;
};

/* The page's own subject, which is outside all lists. */
static const struct sheet *sheet_of(const struct fill *fill)
{
    while (fill->outer != NULL)
        fill = fill->outer;
    return fill->subject;
}

static void add_style(const struct fill *fill, struct span part, struct buf *out)
{
    (void)fill;
    (void)part;
    buf_add(out, span_of(report_css, report_css_len));
}

static void add_throughput(const struct fill *fill, struct span part, struct buf *out)
{
    (void)part;
    chart_add_throughput(sheet_of(fill)->ended, out);
}

static void add_percentiles(const struct fill *fill, struct span part, struct buf *out)
{
    const struct load_report *report = sheet_of(fill)->report;

    (void)part;
    chart_add_percentiles(report->loads, report->count, out);
}

static void add_item(const struct fill *outer, const struct fill_value *values, size_t count,
                     const void *subject, struct span part, struct buf *out)
{
    fill_add(&(struct fill){values, count, outer, subject}, part, out);
}

static void add_reasons(const struct fill *fill, struct span part, struct buf *out)
{
    const struct load *load = fill->subject;
    struct buf text;

    buf_init_text(&text, 4096);
    for (size_t i = 0; i < load->tally.reason_count; i++) {
        const struct tally_reason *reason = &load->tally.reasons[i];
        buf_clear(&text);
        retranslate(span_string(reason->text), &text);
        const struct fill_value values[] = {COUNT("count", reason->count),
                                            TEXT("status", row_status_name(reason->status)),
                                            TEXT("error", buf_string(&text))};
        add_item(fill, values, ARRAY_LENGTH(values), NULL, part, out);
    }
    buf_deinit(&text);
}

static const char *limit_text(const struct load *load)
{
    static const char *const texts[] = {[LOAD_PEER] = "kept up",
                                        [LOAD_PLACES] = "too few in flight: requests waited here",
                                        [LOAD_CPU] = "was the bottleneck: no processor time left",
                                        [LOAD_LATE] = "was the bottleneck: requests started late"};
    return texts[load_limit_of(load)];
}

static void add_loads(const struct fill *fill, struct span part, struct buf *out)
{
    const struct load_report *report = sheet_of(fill)->report;

    for (size_t i = 0; i < report->count; i++) {
        const struct load *load = report->loads[i];
        const struct histogram *due = &load->from_due, *left = &load->tally.latency;
        const struct fill_value values[] = {
            RATE("rate", load->rate_per_s),
            RATE("accepted", load_accepted_per_s(load)),
            LATENCY("due-p50", histogram_quantile(due, 0.5)),
            LATENCY("left-p50", histogram_quantile(left, 0.5)),
            LATENCY("due-p99", histogram_quantile(due, 0.99)),
            LATENCY("left-p99", histogram_quantile(left, 0.99)),
            LATENCY("due-p999", histogram_quantile(due, 0.999)),
            LATENCY("left-p999", histogram_quantile(left, 0.999)),
            LATENCY("due-max", due->max_us),
            LATENCY("left-max", left->max_us),
            COUNT("refused", load->refused),
            COUNT("failed", load->failed),
            TEXT("limit", limit_text(load)),
            TEXT("cut", load_end_text(load->end)),
            LIST("reasons", add_reasons),
        };
        add_item(fill, values, ARRAY_LENGTH(values), load, part, out);
    }
}

static void add_unmeasured(const struct fill *fill, struct span part, struct buf *out)
{
    const struct load_report *report = sheet_of(fill)->report;

    for (size_t i = 0; i < report->unmeasured_count; i++) {
        const struct load *load = report->unmeasured[i];
        const struct fill_value values[] = {RATE("rate", load->rate_per_s),
                                            TEXT("cut", load_end_text(load->end))};
        add_item(fill, values, ARRAY_LENGTH(values), load, part, out);
    }
}

static uint64_t count_unaccepted(const struct load_report *report)
{
    uint64_t count = 0;

    for (size_t i = 0; i < report->count; i++)
        count += report->loads[i]->refused + report->loads[i]->failed;
    return count;
}

void load_page_add_html(const struct load_report *report, const struct series *ended,
                        const char *version, struct buf *out)
{
    const struct sheet sheet = {report, ended};
    struct buf why;

    buf_init_text(&why, 64 * 1024);
    retranslate(span_string(report->why != NULL ? report->why : ""), &why);
    const struct fill_value values[] = {
        TEXT("target", report->target),
        TEXT("input", report->input),
        TEXT("goal", report->goal),
        RATE("found", report->found),
        TEXT("version", version),
        {.name = "warm-up", .kind = FILL_SECONDS, .real = (double)report->warm_up_ms / 1000},
        DRAWN("style", add_style),
        DRAWN("percentiles", add_percentiles),
        DRAWN("throughput", add_throughput),
        COUNT("unaccepted", count_unaccepted(report)),
        LIST("loads", add_loads),
        LIST("unmeasured", add_unmeasured),
        TEXT("ended", load_end_text(report->end)),
        TEXT("why", buf_string(&why)),
    };

    fill_add_page(&(struct fill){values, ARRAY_LENGTH(values), NULL, &sheet},
                  span_of(load_html, load_html_len), out);
    buf_deinit(&why);
}
