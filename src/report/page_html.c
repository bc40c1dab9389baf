/*
 * The page is page.html with its placeholders filled in (fill.h): here is what their names mean.
 * Values of the whole page are in one array; lists add those of an item for as long as it is shown.
 */
#include "core/retranslate.h"
#include "report/chart.h"
#include "report/embedded.h"
#include "report/fill.h"
#include "report/page.h"

const char page_start[] = "<!DOCTYPE html>\n<html lang=\"en\" data-made-by=\"nbatch\">\n";
const char page_start_chinese[] = "<!DOCTYPE html>\n<html lang=\"zh\" data-made-by=\"nbatch\">\n";

struct sheet {
    const struct page *page;
    const struct page_facts *facts;
};

/* Fills in a part of the text for an item of a list. */
static void add_item(const struct fill *outer, const struct fill_value *values, size_t count,
                     const void *subject, struct span part, struct buf *out)
{
    fill_add(&(struct fill){values, count, outer, subject}, part, out);
}

/* What the list is about, also within another. */
static const struct sheet *sheet_of(const struct fill *fill)
{
    while (fill->outer != NULL)
        fill = fill->outer;
    return fill->subject;
}

/* Rows of the whole input, where that is known; else those that have a result. */
static uint64_t all_rows(const struct sheet *sheet)
{
    uint64_t rows = sheet->page->total + sheet->facts->next.unsent;
    return sheet->facts->input_rows > rows ? sheet->facts->input_rows : rows;
}

static const char *title_of(const struct page_facts *facts)
{
    const char *path = facts->input != NULL ? facts->input : facts->results;
    const char *slash = strrchr(path, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

static void add_style(const struct fill *fill, struct span part, struct buf *out)
{
    (void)fill;
    (void)part;
    buf_add(out, span_of(report_css, report_css_len));
}

static void add_delivery(const struct fill *fill, struct span part, struct buf *out)
{
    const struct sheet *sheet = sheet_of(fill);

    (void)part;
    if (sheet->facts->delivery != NULL && sheet->facts->delivery->total > 0)
        page_delivery_add_html(sheet->facts->delivery, sheet->page->rows[ROW_ACCEPTED], out);
}

static void add_throughput(const struct fill *fill, struct span part, struct buf *out)
{
    (void)part;
    chart_add_throughput(&sheet_of(fill)->page->ended, out);
}

static void add_flight(const struct fill *fill, struct span part, struct buf *out)
{
    const struct page_run *run = sheet_of(fill)->facts->run;

    (void)part;
    if (run != NULL && run->flight->count > 0)
        chart_add_flight(run->flight, out);
}

static void add_latency(const struct fill *fill, struct span part, struct buf *out)
{
    (void)part;
    chart_add_latency(&sheet_of(fill)->page->latency, out);
}

static void add_quantiles(const struct fill *fill, struct span part, struct buf *out)
{
    static const struct {
        const char *name, *text;
        double quantile;
    } quantiles[] = {
        {"50 %", "0.5", 0.5},   {"75 %", "0.75", 0.75}, {"90 %", "0.9", 0.9},
        {"95 %", "0.95", 0.95}, {"99 %", "0.99", 0.99}, {"99.9 %", "0.999", 0.999},
        {"all", "1", 1},
    };
    const struct histogram *latency = &sheet_of(fill)->page->latency;

    for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++) {
        const struct fill_value values[] = {
            TEXT("quantile-name", quantiles[i].name),
            TEXT("quantile", quantiles[i].text),
            LATENCY("took", histogram_quantile(latency, quantiles[i].quantile)),
        };
        add_item(fill, values, ARRAY_LENGTH(values), NULL, part, out);
    }
}

static void add_settings(const struct fill *fill, struct span part, struct buf *out)
{
    const struct page_run *run = sheet_of(fill)->facts->run;

    for (size_t i = 0; i < run->setting_count; i++) {
        const struct fill_value values[] = {TEXT("option", run->settings[i].name),
                                            TEXT("value", run->settings[i].value)};
        add_item(fill, values, ARRAY_LENGTH(values), NULL, part, out);
    }
}

/* The words of a command, which are only broken where one fills a line. */
static void add_words(const struct fill *fill, struct span part, struct buf *out)
{
    const char *command = fill->subject;
    struct buf word;

    buf_init(&word, out->max);
    for (const char *at = command; *at != '\0'; at += strspn(at, " ")) {
        size_t len = strcspn(at, " ");
        buf_clear(&word);
        buf_add(&word, span_of(at, len));
        const struct fill_value values[] = {COUNT("is-behind", at > command),
                                            TEXT("word", buf_string(&word))};
        add_item(fill, values, ARRAY_LENGTH(values), NULL, part, out);
        at += len;
    }
    if (word.status != STATUS_OK)
        out->status = word.status;
    buf_deinit(&word);
}

static void add_step(const struct fill *fill, const struct next_step *step, struct span part,
                     struct buf *out)
{
    const struct next_facts *facts = &sheet_of(fill)->facts->next;
    struct buf text, command;

    buf_init_text(&text, out->max);
    buf_init(&command, out->max);
    next_add_text(facts, step, &text);
    next_add_command(facts, step, &command);
    if (text.len > 0 && text.ptr[0] >= 'a' && text.ptr[0] <= 'z')
        text.ptr[0] = (char)(text.ptr[0] - 'a' + 'A');
    const struct fill_value values[] = {TEXT("step", next_name(step->kind)),
                                        TEXT("text", buf_string(&text)),
                                        TEXT("command", buf_string(&command)),
                                        LIST("words", add_words)};
    add_item(fill, values, ARRAY_LENGTH(values), buf_string(&command), part, out);
    if (text.status != STATUS_OK || command.status != STATUS_OK)
        out->status = text.status != STATUS_OK ? text.status : command.status;
    buf_deinit(&text);
    buf_deinit(&command);
}

static void add_steps(const struct fill *fill, struct span part, struct buf *out)
{
    struct next_step steps[NEXT_COUNT];
    size_t count = next_steps(&sheet_of(fill)->facts->next, steps);

    for (size_t i = 0; i < count; i++)
        add_step(fill, &steps[i], part, out);
}

/* A reason as the results have it, in the language of the page. */
static const char *shown_reason(const char *text, struct buf *shown)
{
    buf_clear(shown);
    retranslate(span_string(text), shown);
    return buf_string(shown);
}

static void add_samples(const struct fill *fill, struct span part, struct buf *out)
{
    const struct group *group = fill->subject;
    struct buf error;

    buf_init_text(&error, out->max);
    for (size_t i = 0; i < group->sample_count; i++) {
        const struct group_sample *sample = &group->samples[i];
        const struct fill_value values[] = {COUNT("row", sample->row), COUNT("line", sample->line),
                                            TEXT("imei", sample->imei),
                                            TEXT("error", shown_reason(sample->text, &error))};
        add_item(fill, values, ARRAY_LENGTH(values), NULL, part, out);
    }
    buf_deinit(&error);
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

static void add_group(const struct fill *fill, const struct group *group, struct span part,
                      struct buf *out)
{
    const struct reason *reason = &group->reason;
    const struct advice *advice = &group->advice;
    bool names_problem = reason->status == ROW_INVALID && advice->name != NULL;
    bool names_errno = reason->status == ROW_REJECTED || advice->name != NULL;
    char number[24] = "";
    struct buf title;

    buf_init_text(&title, out->max);
    if (reason->has_errno)
        (void)snprintf(number, sizeof(number), "%lld", (long long)reason->platform_errno);
    const struct fill_value values[] = {
        TEXT("errno", number),
        TEXT("shown-errno", names_errno ? number : ""),
        TEXT("group-title",
             names_problem ? advice->name : shown_reason(group->samples[0].text, &title)),
        TEXT("group-meaning", advice->meaning),
        TEXT("group-remedy", advice->remedy),
        COUNT("group-count", group->count),
        COUNT("is-single", group->count == 1),
        COUNT("is-cut", group->sample_count < group->count),
        COUNT("sample-count", group->sample_count),
        COUNT("texts-differ", texts_differ(group)),
        LIST("samples", add_samples),
    };
    add_item(fill, values, ARRAY_LENGTH(values), group, part, out);
    buf_deinit(&title);
}

static void add_groups(const struct fill *fill, struct span part, struct buf *out)
{
    const struct group *groups[GROUPS_MAX];
    const enum row_status *status = fill->subject;
    size_t count = groups_of(&sheet_of(fill)->page->groups, *status, groups);

    for (size_t i = 0; i < count; i++)
        add_group(fill, groups[i], part, out);
}

static void add_statuses(const struct fill *fill, struct span part, struct buf *out)
{
    const struct sheet *sheet = sheet_of(fill);

    for (size_t i = 0; i < ROW_STATUS_COUNT; i++) {
        const enum row_status status = (enum row_status)i;
        const struct fill_value values[] = {
            TEXT("status", row_status_name(status)),
            COUNT("count", sheet->page->rows[i]),
            COUNT("left", status != ROW_ACCEPTED ? sheet->page->rows[i] : 0),
            SHARE("share", sheet->page->rows[i], all_rows(sheet)),
            TEXT("meaning", advice_status_meaning(status)),
            COUNT("others", sheet->page->groups.others[i]),
            LIST("groups", add_groups),
        };
        add_item(fill, values, ARRAY_LENGTH(values), &status, part, out);
    }
}

static double seconds_of(const struct sheet *sheet)
{
    const struct page *page = sheet->page;
    const struct page_run *run = sheet->facts->run;

    return run != NULL ? run->seconds : (double)(page->last_ms - page->first_ms) / 1000;
}

static double rate_of(const struct sheet *sheet)
{
    const struct page_run *run = sheet->facts->run;
    uint64_t rows = run != NULL ? run->rows : sheet->page->total;
    double seconds = seconds_of(sheet);

    return seconds > 0 && rows > 1 ? (double)rows / seconds : 0;
}

/* How far the accepted rows have come, for the first sentence. */
struct standing {
    uint64_t under_way, undelivered;
    bool is_over; /* nothing of all can change, or it is a rehearsal */
};

static struct standing standing_of(const struct sheet *sheet)
{
    const struct page_delivery *delivery = sheet->facts->delivery;
    uint64_t accepted = sheet->page->rows[ROW_ACCEPTED];
    struct standing standing = {.is_over = sheet->facts->is_rehearsal};

    if (delivery == NULL || delivery->total == 0)
        return standing;
    standing.under_way =
        delivery->open + (accepted > delivery->total ? accepted - delivery->total : 0);
    standing.undelivered = delivery->total - delivery->open - delivery->states[COMMAND_DELIVERED];
    standing.is_over = standing.under_way + standing.undelivered == 0;
    return standing;
}

/* Adds the page; `outer` knows the facts. */
static void add_page(const struct sheet *sheet, const struct fill *outer, struct buf *out)
{
    const struct page *page = sheet->page;
    const struct next_facts *next = &sheet->facts->next;
    struct next_step steps[NEXT_COUNT];
    uint64_t rows = all_rows(sheet), accepted = page->rows[ROW_ACCEPTED];
    uint64_t not_accepted = page->total - accepted;
    bool is_all = accepted == rows && rows > 0 && !next->has_more;
    bool is_done = is_all && next_steps(next, steps) == 0;
    const struct standing standing = standing_of(sheet);
    bool asks = !standing.is_over && (standing.under_way > 0 || standing.undelivered == 0);
    const struct fill_value values[] = {
        COUNT("total", page->total),
        TIME("first", page->first_ms),
        TIME("last", page->last_ms),
        COUNT("rows", rows),
        COUNT("is-all", is_all),
        COUNT("is-good", is_all && standing.undelivered == 0),
        COUNT("is-one", is_all && rows == 1),
        COUNT("has-more", next->has_more),
        COUNT("is-left", rows > accepted),
        COUNT("is-done", is_done && standing.is_over),
        COUNT("is-sent", is_done && !standing.is_over),
        COUNT("under-way", standing.under_way),
        COUNT("one-under-way", standing.under_way == 1),
        COUNT("undelivered", standing.undelivered),
        TEXT("ask", asks && accepted > 0 ? sheet->facts->status : NULL),
        COUNT("accepted", accepted),
        SHARE("accepted-share", accepted, rows),
        COUNT("not-accepted", not_accepted),
        SHARE("not-accepted-share", not_accepted, rows),
        COUNT("unsent", next->unsent),
        SHARE("unsent-share", next->unsent, rows),
        {.name = "seconds", .kind = FILL_SECONDS, .real = seconds_of(sheet)},
        {.name = "rate", .kind = FILL_RATE, .real = rate_of(sheet)},
        COUNT("latencies", page->latency.count),
        LATENCY("p50", histogram_quantile(&page->latency, 0.5)),
        LATENCY("p99", histogram_quantile(&page->latency, 0.99)),
        COUNT("attempts", page->attempts),
        COUNT("retried", page->retried),
        COUNT("one-retried", page->retried == 1),
        COUNT("doubtful", page->doubtful),
        COUNT("one-doubtful", page->doubtful == 1),
        TEXT("twice", advice_twice),
        COUNT("is-next", next_steps(next, steps)),
        LIST("statuses", add_statuses),
        LIST("steps", add_steps),
        LIST("quantiles", add_quantiles),
        DRAWN("style", add_style),
        DRAWN("delivery", add_delivery),
        DRAWN("throughput", add_throughput),
        DRAWN("flight", add_flight),
        DRAWN("latency", add_latency),
    };

    fill_add_page(&(struct fill){values, ARRAY_LENGTH(values), outer, NULL},
                  span_of(page_html, page_html_len), out);
}

void page_add_html(const struct page *page, const struct page_facts *facts, struct buf *out)
{
    static const struct page_run no_run = {.rows = 0};
    const struct sheet sheet = {page, facts};
    const struct page_run *run = facts->run != NULL ? facts->run : &no_run;
    char hash[24] = "";

    if (facts->input_hash != 0)
        (void)snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)facts->input_hash);
    const struct fill_value values[] = {
        TEXT("title", title_of(facts)),
        TEXT("input", facts->input),
        TEXT("input-hash", hash),
        {.name = "input-size", .kind = FILL_BYTES, .count = facts->input_size},
        COUNT("input-bytes", facts->input_size),
        COUNT("is-large", facts->input_size >= 1000),
        TEXT("results", facts->results),
        COUNT("lines", facts->lines),
        COUNT("superseded", facts->superseded),
        COUNT("strange", facts->strange),
        COUNT("is-cut-off", facts->is_cut),
        TEXT("passed", facts->passed),
        COUNT("rehearsal", facts->is_rehearsal),
        COUNT("run", facts->run != NULL),
        TEXT("endpoint", run->endpoint),
        TEXT("end", run->end),
        COUNT("exit-status", (uint64_t)run->exit_status),
        COUNT("retries", run->retries),
        COUNT("has-settings", run->setting_count),
        LIST("settings", add_settings),
        TEXT("version", facts->version),
        TIME("made", facts->made_ms),
    };

    add_page(&sheet, &(struct fill){values, ARRAY_LENGTH(values), NULL, &sheet}, out);
}
