#include "run/report.h"

#include <time.h>
#include <unistd.h>

#include "run/delivery_page.h"
#include "run/page_file.h"
#include "run/privacy.h"
#include "run/status_file.h"
#include "run/use_cases.h"

enum { PAGE_MAX = 16 * 1024 * 1024 };

static int64_t wall_clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void report_sample(struct series *flight, const struct job_status *status)
{
    int64_t now_ms = wall_clock_ms();

    series_add(flight, now_ms, FLIGHT_SAMPLES, 1);
    series_add(flight, now_ms, FLIGHT_COUNT, status->in_flight);
    series_add(flight, now_ms, FLIGHT_LIMIT, status->concurrency);
}

/* What is known of the rows' next steps once they are counted. */
static void complete_facts(struct page_facts *facts, struct results_page *read)
{
    facts->next.rows = read->page->rows;
    facts->next.passing = read->page->passing;
    facts->next.twice = read->page->doubtful;
    facts->next.results = facts->results;
    facts->next.jsonl = read->jsonl;
    if (facts->input_rows > read->page->total)
        facts->next.unsent = facts->input_rows - read->page->total;
    facts->lines = read->lines;
    facts->superseded = read->superseded;
    facts->strange = read->strange;
    facts->is_cut = read->is_cut;
    facts->is_rehearsal = facts->is_rehearsal || read->is_rehearsal;
    facts->passed = buf_string(&read->passed);
    facts->made_ms = wall_clock_ms();
    facts->version = NBATCH_VERSION;
}

int report_write(const char *path, const struct person *person, struct page_facts *facts,
                 results_filter_fn *filter, void *context)
{
    struct results_page read = {.page = NULL};
    struct buf page, message;
    int result = 0;

    buf_init_text(&page, PAGE_MAX);
    buf_init_text(&message, 64 * 1024);
    enum status status = results_page_read(facts->results, filter, context, &message, &read);
    if (status == STATUS_SYNTAX)
        result = EXIT_INPUT_INVALID;
    else if (status != STATUS_OK)
        result = access(facts->results, R_OK) != 0 ? EXIT_USAGE : EXIT_INTERNAL;
    if (result == 0) {
        complete_facts(facts, &read);
        page_add_html(read.page, facts, &page);
        if (page_file_write(path, &page, &message) != STATUS_OK)
            result = EXIT_INTERNAL;
    }
    if (result != 0)
        person_error(person, "%s", buf_string(&message));
    results_page_deinit(&read);
    buf_deinit(&page);
    buf_deinit(&message);
    return result;
}

/* RESULTS with .html in place of its extension. */
static void add_default_path(const char *results, struct buf *out)
{
    const char *slash = strrchr(results, '/'), *point = strrchr(results, '.');
    bool has_extension =
        point != NULL && point > results && point[-1] != '/' && (slash == NULL || point > slash);

    buf_add_bytes(out, results, has_extension ? (size_t)(point - results) : strlen(results));
    buf_add_string(out, ".html");
}

/* A journal is beside the results of a run that is not complete. */
static bool has_journal(const char *results)
{
    struct buf path;

    buf_init(&path, 64 * 1024);
    buf_add_format(&path, "%s.journal", results);
    bool is_there = path.status == STATUS_OK && access(buf_string(&path), F_OK) == 0;
    buf_deinit(&path);
    return is_there;
}

/* What became of the commands: the page goes without it where nobody has asked yet. */
static int add_delivery(const struct run_settings *settings, const struct person *person,
                        struct page_facts *facts, char **ret_path,
                        struct page_delivery **ret_delivery)
{
    char *path =
        settings->status != NULL ? strdup(settings->status) : status_file_path(settings->input);
    struct page_delivery *delivery = calloc(1, sizeof(*delivery));
    enum status status = STATUS_NO_MEMORY;
    struct buf message;

    *ret_path = path;
    *ret_delivery = delivery;
    buf_init_text(&message, 64 * 1024);
    if (path != NULL && delivery != NULL)
        status = delivery_page_read(path, settings->input, delivery, &message);
    if (status == STATUS_OK)
        facts->delivery = delivery;
    else if (status == STATUS_END && settings->status != NULL)
        person_error(person, "%s is not there", path);
    else if (status != STATUS_END)
        person_failure(person, &message, status);
    if (status == STATUS_OK && delivery->total == 0)
        person_note(person, "%s is not of these results, or older: it is left out", path);
    buf_deinit(&message);
    if (status == STATUS_OK || (status == STATUS_END && settings->status == NULL))
        return 0;
    return status == STATUS_END || status == STATUS_SYNTAX ? EXIT_USAGE : EXIT_INTERNAL;
}

int run_report(const struct run_settings *settings, const struct person *person)
{
    struct page_facts facts = {.results = settings->input,
                               .next = {.has_more = has_journal(settings->input)}};
    struct page_delivery *delivery = NULL;
    char *status_path = NULL;
    struct buf path, message, call;

    privacy_follow(settings->input);
    buf_init(&path, 64 * 1024);
    buf_init_text(&message, 64 * 1024);
    if (settings->output != NULL)
        buf_add_string(&path, settings->output);
    else
        add_default_path(settings->input, &path);
    int result = 0;
    if (page_file_probe(buf_string(&path), &message) != STATUS_OK) {
        person_error(person, "%s", buf_string(&message));
        result = EXIT_USAGE;
    }
    if (result == 0 && strcmp(settings->input, "-") == 0) {
        person_error(person, "the results must be a file, since they are read twice");
        result = EXIT_USAGE;
    }
    if (result == 0)
        result = add_delivery(settings, person, &facts, &status_path, &delivery);
    buf_init(&call, 64 * 1024);
    person_add_call(person, "status", settings->input, &call);
    facts.status = buf_string(&call);
    if (result == 0)
        result = report_write(buf_string(&path), person, &facts, NULL, NULL);
    buf_deinit(&call);
    if (result == 0 && strcmp(buf_string(&path), "-") != 0)
        person_note(person, "the report is in %s", buf_string(&path));
    buf_deinit(&path);
    buf_deinit(&message);
    free(status_path);
    free(delivery);
    return result;
}
