#include "report/html.h"

#include "core/when.h"

static const char *reference_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void html_add_text(struct span text, struct buf *out)
{
    struct buf printable;

    buf_init(&printable, out->max);
    buf_add_printable(&printable, text);
    if (printable.status != STATUS_OK)
        out->status = printable.status;
    for (size_t i = 0; i < printable.len; i++) {
        const char *reference = reference_of(printable.ptr[i]);
        if (reference != NULL)
            buf_add_string(out, reference);
        else
            buf_add_char(out, printable.ptr[i]);
    }
    buf_deinit(&printable);
}

void html_add_string(const char *text, struct buf *out)
{
    html_add_text(span_string(language_of(text)), out);
}

void html_add_count(uint64_t count, struct buf *out)
{
    char digits[24];
    size_t len = (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);

    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            buf_add_char(out, ',');
        buf_add_char(out, digits[i]);
    }
}

void html_add_share(uint64_t part, uint64_t whole, struct buf *out)
{
    double share = whole > 0 ? (double)part * 100 / (double)whole : 0;

    if (part == 0 || part == whole)
        buf_add_string(out, part == 0 ? "0 %" : "100 %");
    else if (share < 0.1)
        buf_add_string(out, "&lt; 0.1 %");
    else if (share > 99.9)
        buf_add_string(out, "&gt; 99.9 %");
    else
        buf_add_format(out, "%.1f %%", share);
}

void html_add_latency(uint64_t us, struct buf *out)
{
    if (us < 1000)
        buf_add_format(out, "%llu µs", (unsigned long long)us);
    else if (us < 1000000)
        buf_add_format(out, us < 100000 ? "%.1f ms" : "%.0f ms", (double)us / 1000);
    else
        buf_add_format(out, "%.2f s", (double)us / 1e6);
}

void html_add_duration(double seconds, struct buf *out)
{
    static const struct {
        long long unit, smaller;
        const char *name, *smaller_name;
    } units[] = {{86400, 3600, "d", "h"}, {3600, 60, "h", "min"}, {60, 1, "min", "s"}};
    long long whole = (long long)(seconds + 0.5);

    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        if (whole < units[i].unit)
            continue;
        buf_add_format(out, "%lld %s", whole / units[i].unit, units[i].name);
        if (whole % units[i].unit / units[i].smaller > 0)
            buf_add_format(out, " %lld %s", whole % units[i].unit / units[i].smaller,
                           units[i].smaller_name);
        return;
    }
    if (seconds < 1)
        buf_add_format(out, "%.0f ms", seconds * 1000);
    else
        buf_add_format(out, "%.1f s", seconds);
}

void html_add_rate(double rate, struct buf *out)
{
    if (rate < 100)
        buf_add_format(out, "%.3g", rate);
    else
        html_add_count((uint64_t)(rate + 0.5), out);
}

void html_add_bytes(uint64_t bytes, struct buf *out)
{
    static const char *const units[] = {"KB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;

    if (bytes < 1000) {
        buf_add_format(out, "%llu bytes", (unsigned long long)bytes);
        return;
    }
    for (value /= 1000; value >= 999.95 && unit + 1 < ARRAY_LENGTH(units); value /= 1000)
        unit++;
    buf_add_format(out, value < 99.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void html_add_time(int64_t epoch_ms, struct buf *out)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char text[WHEN_UTC_LENGTH + 1];

    when_format_utc(epoch_ms, text);
    if (language_is_foreign) {
        buf_add_format(out, "<time datetime=\"%s\">%.10s %.8s UTC</time>", text, text, text + 11);
        return;
    }
    int month = (text[5] - '0') * 10 + text[6] - '1';
    buf_add_format(out, "<time datetime=\"%s\">%.*s %.3s %.4s, %.8s UTC</time>", text,
                   text[8] == '0' ? 1 : 2, text + (text[8] == '0' ? 9 : 8), months + 3 * month,
                   text, text + 11);
}
