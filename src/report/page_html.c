#include "report/chart.h"
#include "report/html.h"
#include "report/page.h"
#include "report/style.h"

/* A page under construction. */
struct sheet {
    const struct page *page;
    const struct page_facts *facts;
    struct buf *out;
};

const char page_start[] = "<!DOCTYPE html>\n<html lang=\"en\" data-made-by=\"nbatch\">\n";

/* Rows of the whole input, where that is known; else those that have a result. */
static uint64_t all_rows(const struct sheet *sheet)
{
    uint64_t rows = sheet->page->total + sheet->facts->next.unsent;
    return sheet->facts->input_rows > rows ? sheet->facts->input_rows : rows;
}

static struct span base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return span_string(slash != NULL && slash[1] != '\0' ? slash + 1 : path);
}

static struct span title_of(const struct sheet *sheet)
{
    const struct page_facts *facts = sheet->facts;
    return base_name(facts->input != NULL ? facts->input : facts->results);
}

static void add_head(const struct sheet *sheet)
{
    struct buf *out = sheet->out;

    buf_add_string(out, page_start);
    buf_add_string(out, "<head>\n<meta charset=\"utf-8\">\n"
                        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                        "<meta http-equiv=\"Content-Security-Policy\" "
                        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
                        "<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
    html_add_text(title_of(sheet), out);
    buf_add_string(out, " · nbatch report</title>\n<style>\n");
    buf_add(out, span_of(report_style, report_style_len));
    buf_add_string(out, "</style>\n</head>\n<body>\n<main>\n");
}

/* "19,835 of 20,000 rows were accepted." */
static void add_verdict(const struct sheet *sheet)
{
    struct buf *out = sheet->out;
    uint64_t accepted = sheet->page->rows[ROW_ACCEPTED], all = all_rows(sheet);
    bool has_more = sheet->facts->next.has_more;
    bool is_all = accepted == all && all > 0 && !has_more;

    buf_add_format(out, "<p class=\"verdict%s\">", is_all ? "" : " some");
    if (is_all)
        buf_add_string(out, all == 1 ? "The one row was accepted" : "All ");
    if (!is_all || all > 1)
        html_add_count(accepted, out);
    if (!is_all) {
        buf_add_string(out, " of ");
        html_add_count(all, out);
    }
    if (!is_all || all > 1)
        buf_add_string(out, " rows were accepted");
    buf_add_string(out, has_more ? " so far." : ".");
    buf_add_format(out, "<small>%s</small></p>\n</header>\n",
                   has_more ? "The run that wrote these results was stopped or goes on: other "
                              "rows may have no result yet."
                            : "Accepted means: the platform has the command, and delivers it when "
                              "the device next reports in.");
}

static void add_header(const struct sheet *sheet)
{
    struct buf *out = sheet->out;

    buf_add_string(out, "<header>\n<p class=\"eyebrow\">");
    buf_add_string(out, sheet->facts->run != NULL ? "Run of cached commands on OneNET NB-IoT"
                                                  : "Results of cached commands on OneNET NB-IoT");
    if (sheet->page->total > 0) {
        buf_add_string(out, " · ");
        html_add_time(sheet->page->last_ms, out);
    }
    buf_add_string(out, "</p>\n<h1>");
    html_add_text(title_of(sheet), out);
    buf_add_string(out, "</h1>\n");
    add_verdict(sheet);
}

/* A number of the first section; `name` is for programs that read the page. */
static void open_figure(const struct sheet *sheet, const char *name, const char *title)
{
    buf_add_format(sheet->out, "<div><dt>%s</dt><dd data-name=\"%s\"", title, name);
}

static void add_count(const struct sheet *sheet, const char *name, const char *title,
                      uint64_t count)
{
    open_figure(sheet, name, title);
    buf_add_format(sheet->out, " data-value=\"%llu\">", (unsigned long long)count);
    html_add_count(count, sheet->out);
}

static void close_figure(const struct sheet *sheet)
{
    buf_add_string(sheet->out, "</dd></div>\n");
}

static void add_share_of(const struct sheet *sheet, uint64_t count)
{
    buf_add_string(sheet->out, "<small>");
    html_add_share(count, all_rows(sheet), sheet->out);
    buf_add_string(sheet->out, "</small>");
    close_figure(sheet);
}

/* How long the rows took together, and how fast they were. */
static void add_pace(const struct sheet *sheet)
{
    const struct page *page = sheet->page;
    const struct page_run *run = sheet->facts->run;
    struct buf *out = sheet->out;
    double seconds = run != NULL ? run->seconds : (double)(page->last_ms - page->first_ms) / 1000;
    uint64_t rows = run != NULL ? run->rows : page->total;

    open_figure(sheet, "seconds", run != NULL ? "Time of this run" : "First to last result");
    buf_add_format(out, " data-value=\"%.3f\">", seconds);
    html_add_duration(seconds, out);
    if (seconds > 0 && rows > 1) {
        buf_add_string(out, "<small>");
        html_add_rate((double)rows / seconds, out);
        buf_add_string(out, " rows a second</small>");
    }
    close_figure(sheet);
}

static void add_latency_figure(const struct sheet *sheet)
{
    const struct histogram *latency = &sheet->page->latency;
    struct buf *out = sheet->out;

    if (latency->count == 0)
        return;
    open_figure(sheet, "p50", "Median latency");
    buf_add_char(out, '>');
    html_add_latency(histogram_quantile(latency, 0.5), out);
    buf_add_string(out, "<small>99 % within ");
    html_add_latency(histogram_quantile(latency, 0.99), out);
    buf_add_string(out, "</small>");
    close_figure(sheet);
}

static void add_glance(const struct sheet *sheet)
{
    const struct page *page = sheet->page;
    struct buf *out = sheet->out;
    uint64_t not_accepted = page->total - page->rows[ROW_ACCEPTED];

    buf_add_string(out, "<section id=\"glance\">\n<h2>At a glance</h2>\n<dl class=\"figures\">\n");
    add_count(sheet, "rows", "Rows", all_rows(sheet));
    if (sheet->facts->next.unsent > 0) {
        buf_add_string(out, "<small>");
        html_add_count(page->total, out);
        buf_add_string(out, " have a result</small>");
    }
    close_figure(sheet);
    add_count(sheet, "accepted", "Accepted", page->rows[ROW_ACCEPTED]);
    add_share_of(sheet, page->rows[ROW_ACCEPTED]);
    add_count(sheet, "not-accepted", "Not accepted", not_accepted);
    add_share_of(sheet, not_accepted);
    add_pace(sheet);
    add_latency_figure(sheet);
    add_count(sheet, "attempts", "Requests", page->attempts);
    buf_add_string(out, "<small>");
    html_add_count(page->retried, out);
    buf_add_string(out,
                   page->retried == 1 ? " row took several</small>" : " rows took several</small>");
    close_figure(sheet);
    buf_add_string(out, "</dl>\n</section>\n");
}

static void add_stack(const struct sheet *sheet)
{
    const struct page *page = sheet->page;
    struct buf *out = sheet->out;

    buf_add_string(out, "<div class=\"stack\" aria-hidden=\"true\">");
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++)
        if (page->rows[i] > 0)
            buf_add_format(out, "<i class=\"b-%s\" style=\"flex:%llu\"></i>",
                           row_status_name((enum row_status)i), (unsigned long long)page->rows[i]);
    if (sheet->facts->next.unsent > 0)
        buf_add_format(out, "<i class=\"b-unsent\" style=\"flex:%llu\"></i>",
                       (unsigned long long)sheet->facts->next.unsent);
    buf_add_string(out, "</div>\n");
}

static void add_outcome_row(const struct sheet *sheet, const char *style, const char *name,
                            uint64_t count, const char *meaning)
{
    struct buf *out = sheet->out;

    buf_add_format(out,
                   "<tr data-status=\"%s\"><th scope=\"row\" class=\"key\"><i class=\"b-%s\"></i>"
                   "%s</th><td class=\"n\" data-value=\"%llu\">",
                   style, style, name, (unsigned long long)count);
    html_add_count(count, out);
    buf_add_string(out, "</td><td class=\"n\">");
    html_add_share(count, all_rows(sheet), out);
    buf_add_format(out, "</td><td class=\"wide\">%s</td></tr>\n", meaning);
}

static void add_outcomes(const struct sheet *sheet)
{
    const struct page *page = sheet->page;
    struct buf *out = sheet->out;

    buf_add_string(out, "<section id=\"outcome\">\n<h2>What became of the rows</h2>\n");
    add_stack(sheet);
    buf_add_string(out, "<div class=\"scroll\"><table>\n<caption>Rows by the status of their "
                        "current result</caption>\n<thead><tr><th scope=\"col\">Status</th>"
                        "<th scope=\"col\" class=\"n\">Rows</th><th scope=\"col\" class=\"n\">"
                        "Share</th><th scope=\"col\" class=\"wide\">Meaning</th></tr></thead>\n"
                        "<tbody>\n");
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++)
        add_outcome_row(sheet, row_status_name((enum row_status)i),
                        row_status_name((enum row_status)i), page->rows[i],
                        advice_status_meaning((enum row_status)i));
    if (sheet->facts->next.unsent > 0)
        add_outcome_row(sheet, "unsent", "not sent", sheet->facts->next.unsent,
                        "no request left for them; they have no result");
    buf_add_string(out, "</tbody>\n</table></div>\n");
    if (page->doubtful > 0) {
        buf_add_string(out, "<p class=\"note\" data-name=\"doubtful\">");
        html_add_count(page->doubtful, out);
        buf_add_string(out, page->doubtful == 1 ? " accepted row " : " accepted rows ");
        html_add_string(advice_twice, out);
        buf_add_string(out, ".</p>\n");
    }
    buf_add_string(out, "</section>\n");
}

static void add_escaped(struct buf *text, struct buf *out)
{
    if (text->status != STATUS_OK)
        out->status = text->status;
    html_add_text(buf_span(text), out);
    buf_clear(text);
}

/* A command, whose words are only broken where one fills a line. */
static void add_command(struct buf *text, struct buf *out)
{
    size_t from = 0;

    buf_add_string(out, "<pre><code>");
    while (from < text->len) {
        size_t to = from;
        while (to < text->len && text->ptr[to] != ' ')
            to++;
        buf_add_string(out, from > 0 ? " <span>" : "<span>");
        html_add_text(span_of(text->ptr + from, to - from), out);
        buf_add_string(out, "</span>");
        from = to + 1;
    }
    buf_add_string(out, "</code></pre>");
    buf_clear(text);
}

static void add_next(const struct sheet *sheet)
{
    const struct next_facts *facts = &sheet->facts->next;
    struct next_step steps[NEXT_COUNT];
    size_t count = next_steps(facts, steps);
    struct buf *out = sheet->out;
    struct buf text;

    if (count == 0)
        return;
    buf_init(&text, out->max);
    buf_add_string(out, "<section id=\"next\">\n<h2>What to do now</h2>\n<ol>\n");
    for (size_t i = 0; i < count; i++) {
        buf_add_format(out, "<li data-step=\"%s\">", next_name(steps[i].kind));
        next_add_text(facts, &steps[i], &text);
        if (text.len > 0 && text.ptr[0] >= 'a' && text.ptr[0] <= 'z')
            text.ptr[0] = (char)(text.ptr[0] - 'a' + 'A');
        add_escaped(&text, out);
        next_add_command(facts, &steps[i], &text);
        if (text.len > 0)
            add_command(&text, out);
        buf_add_string(out, "</li>\n");
    }
    buf_add_string(out, "</ol>\n</section>\n");
    buf_deinit(&text);
}

/* Whether the samples' texts say more than the title does. */
static bool texts_differ(const struct group *group)
{
    for (size_t i = 0; i < group->sample_count; i++)
        if (group->reason.status == ROW_INVALID ||
            strcmp(group->samples[i].text, group->samples[0].text) != 0)
            return true;
    return false;
}

static void add_sample(const struct group_sample *sample, bool with_text, struct buf *out)
{
    buf_add_format(out,
                   "<tr><td class=\"n few\">%llu</td><td class=\"n few\">%llu</td>"
                   "<td class=\"id few\">",
                   (unsigned long long)sample->row, (unsigned long long)sample->line);
    html_add_string(sample->imei, out);
    if (with_text) {
        buf_add_string(out, "</td><td class=\"any\">");
        html_add_string(sample->text, out);
    }
    buf_add_string(out, "</td></tr>\n");
}

static void add_samples(const struct sheet *sheet, const struct group *group)
{
    struct buf *out = sheet->out;
    bool with_text = texts_differ(group);

    buf_add_format(out, "<div class=\"scroll\"><table class=\"samples%s\">\n<caption>",
                   with_text ? "" : " tight");
    if (group->sample_count < group->count) {
        buf_add_format(out, "The first %zu of ", group->sample_count);
        html_add_count(group->count, out);
        buf_add_string(out, " rows");
    } else {
        buf_add_string(out, group->count == 1 ? "The row" : "The rows");
    }
    buf_add_format(out,
                   "</caption>\n<thead><tr><th scope=\"col\" class=\"n\">Row</th>"
                   "<th scope=\"col\" class=\"n\">Line</th><th scope=\"col\">IMEI</th>%s"
                   "</tr></thead>\n<tbody>\n",
                   with_text ? "<th scope=\"col\">Error</th>" : "");
    for (size_t i = 0; i < group->sample_count; i++)
        add_sample(&group->samples[i], with_text, out);
    buf_add_string(out, "</tbody>\n</table></div>\n");
}

/* errno 5006 · system logic limit */
static void add_group_title(const struct sheet *sheet, const struct group *group)
{
    struct buf *out = sheet->out;

    bool is_of_errno = group->reason.status == ROW_REJECTED || group->advice.name != NULL;
    if (is_of_errno && group->reason.has_errno)
        buf_add_format(out, "errno %lld · ", (long long)group->reason.platform_errno);
    if (group->reason.status == ROW_INVALID && group->advice.name != NULL)
        html_add_string(group->advice.name, out);
    else
        html_add_string(group->samples[0].text, out);
}

static void add_group(const struct sheet *sheet, const struct group *group)
{
    struct buf *out = sheet->out;
    const char *status = row_status_name(group->reason.status);

    buf_add_format(out, "<article class=\"why\" data-status=\"%s\" data-errno=\"", status);
    if (group->reason.has_errno)
        buf_add_format(out, "%lld", (long long)group->reason.platform_errno);
    buf_add_format(out,
                   "\" data-value=\"%llu\">\n<div class=\"head\"><h3><span class=\"tag t-%s\">"
                   "%s</span> ",
                   (unsigned long long)group->count, status, status);
    add_group_title(sheet, group);
    buf_add_string(out, "</h3><span class=\"many\">");
    html_add_count(group->count, out);
    buf_add_string(out, group->count == 1 ? " row</span></div>\n<p>" : " rows</span></div>\n<p>");
    buf_add_string(out, "<span class=\"soft\">What it means:</span> ");
    html_add_string(group->advice.meaning, out);
    buf_add_string(out, ".</p>\n<p><span class=\"soft\">What helps:</span> ");
    html_add_string(group->advice.remedy, out);
    buf_add_string(out, ".</p>\n");
    add_samples(sheet, group);
    buf_add_string(out, "</article>\n");
}

static void add_reasons(const struct sheet *sheet)
{
    const struct page *page = sheet->page;
    struct buf *out = sheet->out;
    const struct group *groups[GROUPS_MAX];

    if (page->total == page->rows[ROW_ACCEPTED])
        return;
    buf_add_string(out, "<section id=\"reasons\">\n<h2>Why rows were not accepted</h2>\n");
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++) {
        size_t count = groups_of(&page->groups, (enum row_status)i, groups);
        for (size_t j = 0; j < count; j++)
            add_group(sheet, groups[j]);
        if (page->groups.others[i] > 0) {
            buf_add_format(out, "<p class=\"note\" data-others=\"%llu\">",
                           (unsigned long long)page->groups.others[i]);
            html_add_count(page->groups.others[i], out);
            buf_add_format(out, " more rows are %s for other reasons: see the results.</p>\n",
                           row_status_name((enum row_status)i));
        }
    }
    buf_add_string(out, "</section>\n");
}

static void add_time(const struct sheet *sheet)
{
    const struct page_run *run = sheet->facts->run;

    if (sheet->page->total == 0)
        return;
    buf_add_string(sheet->out, "<section id=\"time\">\n<h2>Over time</h2>\n");
    chart_add_throughput(&sheet->page->ended, sheet->out);
    if (run != NULL && run->flight->count > 0)
        chart_add_flight(run->flight, sheet->out);
    buf_add_string(sheet->out, "</section>\n");
}

static void add_latency(const struct sheet *sheet)
{
    static const struct {
        const char *name;
        double quantile;
    } quantiles[] = {{"50 %", 0.5},  {"75 %", 0.75},    {"90 %", 0.9}, {"95 %", 0.95},
                     {"99 %", 0.99}, {"99.9 %", 0.999}, {"all", 1}};
    const struct histogram *latency = &sheet->page->latency;
    struct buf *out = sheet->out;

    if (latency->count == 0)
        return;
    buf_add_string(out, "<section id=\"latency\">\n<h2>Latency</h2>\n");
    chart_add_latency(latency, out);
    buf_add_string(out, "<div class=\"scroll\"><table>\n<caption>Share of the rows whose last "
                        "attempt took at most so long, to 1.6 %</caption>\n<thead><tr>");
    for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++)
        buf_add_format(out, "<th scope=\"col\" class=\"n\">%s</th>", quantiles[i].name);
    buf_add_string(out, "</tr></thead>\n<tbody><tr>");
    for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++) {
        uint64_t us = histogram_quantile(latency, quantiles[i].quantile);
        buf_add_format(out, "<td class=\"n\" data-quantile=\"%g\" data-us=\"%llu\">",
                       quantiles[i].quantile, (unsigned long long)us);
        html_add_latency(us, out);
        buf_add_string(out, "</td>");
    }
    buf_add_string(out, "</tr></tbody>\n</table></div>\n</section>\n");
}

/* A term of a list of facts; nothing where there is no value. */
static void add_fact(const struct sheet *sheet, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    buf_add_format(sheet->out, "<dt>%s</dt><dd data-fact=\"%s\">", name, name);
    html_add_string(value, sheet->out);
    buf_add_string(sheet->out, "</dd>\n");
}

static void add_input_facts(const struct sheet *sheet)
{
    const struct page_facts *facts = sheet->facts;
    struct buf *out = sheet->out;

    add_fact(sheet, "Input", facts->input);
    if (facts->input_hash == 0)
        return;
    buf_add_string(out, "<dt>Size of the input</dt><dd>");
    html_add_bytes(facts->input_size, out);
    if (facts->input_size >= 1000) {
        buf_add_string(out, " (");
        html_add_count(facts->input_size, out);
        buf_add_string(out, " bytes)");
    }
    buf_add_format(out,
                   "</dd>\n<dt>Hash of the input</dt><dd><code>%016llx</code> (XXH3-64; "
                   "<code>xxhsum -H3</code> gives it too)</dd>\n",
                   (unsigned long long)facts->input_hash);
}

static void add_result_facts(const struct sheet *sheet)
{
    const struct page_facts *facts = sheet->facts;
    struct buf *out = sheet->out;

    add_fact(sheet, "Results", facts->results);
    buf_add_string(out, "<dt>Lines of the results</dt><dd>");
    html_add_count(facts->lines, out);
    if (facts->superseded > 0) {
        buf_add_string(out, "; ");
        html_add_count(facts->superseded, out);
        buf_add_string(out, " of them replaced by a later line of the same row, and not counted "
                            "here");
    }
    if (facts->strange > 0) {
        buf_add_string(out, "; ");
        html_add_count(facts->strange, out);
        buf_add_string(out, " of rows that the input no longer has, and not counted here");
    }
    if (facts->is_cut)
        buf_add_string(out, "; the last line is cut off, and not counted here");
    buf_add_string(out, "</dd>\n");
    add_fact(sheet, "Passed columns", facts->passed);
    if (sheet->page->total == 0)
        return;
    buf_add_string(out, "<dt>First result</dt><dd>");
    html_add_time(sheet->page->first_ms, out);
    buf_add_string(out, "</dd>\n<dt>Last result</dt><dd>");
    html_add_time(sheet->page->last_ms, out);
    buf_add_string(out, "</dd>\n");
}

static void add_run_facts(const struct sheet *sheet)
{
    const struct page_run *run = sheet->facts->run;
    char status[16];

    if (run == NULL)
        return;
    (void)snprintf(status, sizeof(status), "%d", run->exit_status);
    add_fact(sheet, "Endpoint", run->endpoint);
    add_fact(sheet, "The run ended", run->end);
    add_fact(sheet, "Exit status", status);
    buf_add_string(sheet->out, "<dt>Retries of this run</dt><dd>");
    html_add_count(run->retries, sheet->out);
    buf_add_string(sheet->out, "</dd>\n");
}

static void add_settings(const struct sheet *sheet)
{
    const struct page_run *run = sheet->facts->run;
    struct buf *out = sheet->out;

    if (run == NULL || run->setting_count == 0)
        return;
    buf_add_string(out, "<h3>Settings</h3>\n<div class=\"scroll\"><table id=\"settings\">\n"
                        "<caption>What held for this run; keys are not shown</caption>\n"
                        "<thead><tr><th scope=\"col\">Option</th><th scope=\"col\">Value</th>"
                        "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < run->setting_count; i++) {
        buf_add_string(out, "<tr><th scope=\"row\" class=\"few\"><code>--");
        html_add_string(run->settings[i].name, out);
        buf_add_string(out, "</code></th><td class=\"any\">");
        html_add_string(run->settings[i].value, out);
        buf_add_string(out, "</td></tr>\n");
    }
    buf_add_string(out, "</tbody>\n</table></div>\n");
}

static void add_facts(const struct sheet *sheet)
{
    struct buf *out = sheet->out;

    buf_add_format(out, "<section id=\"facts\">\n<h2>%s</h2>\n<dl class=\"facts\">\n",
                   sheet->facts->run != NULL ? "The run" : "The results");
    add_input_facts(sheet);
    add_result_facts(sheet);
    add_run_facts(sheet);
    buf_add_string(out, "</dl>\n");
    add_settings(sheet);
    buf_add_string(out, "</section>\n");
}

void page_add_html(const struct page *page, const struct page_facts *facts, struct buf *out)
{
    const struct sheet sheet = {page, facts, out};

    add_head(&sheet);
    add_header(&sheet);
    add_glance(&sheet);
    add_outcomes(&sheet);
    add_next(&sheet);
    add_reasons(&sheet);
    add_time(&sheet);
    add_latency(&sheet);
    add_facts(&sheet);
    buf_add_string(out, "</main>\n<footer><p>Made by nbatch ");
    html_add_string(facts->version, out);
    buf_add_string(out, " on ");
    html_add_time(facts->made_ms, out);
    buf_add_string(out, ". Every row counts once, by its last result; the requests and latencies "
                        "are those of these results.</p></footer>\n</body>\n</html>\n");
}
