#include "run/resume.h"

#include <sys/stat.h>

#include "run/cancelled_file.h"
#include "run/exit_status.h"
#include "run/status_file.h"

/* So soon after the results were written the platform's history may not show a command yet that it
 * holds: how soon it does is not documented. */
enum { MISSING_SETTLES_S = 10 * 60 };

struct finding {
    const struct run_settings *settings;
    struct undelivered *rows;
    struct buf message;
    uint64_t trying;   /* failed commands that the platform will try again by itself */
    uint64_t early;    /* missing ones that were looked for too soon */
    int64_t results_s; /* when the results were written last; HISTORY_NONE: not known */
    bool has_status, has_cancelled; /* the files are there */
};

bool resume_asks(const struct run_settings *settings)
{
    for (size_t i = 0; i < DELIVERY_GROUP_COUNT; i++)
        if (settings->resume.group[i])
            return true;
    return false;
}

static bool is_wanted(const struct finding *finding, const struct delivery_facts *facts)
{
    for (size_t i = 0; i < DELIVERY_GROUP_COUNT; i++)
        if (finding->settings->resume.group[i] && delivery_is_in(facts, (enum delivery_group)i))
            return true;
    return false;
}

static bool is_early(const struct finding *finding, const struct delivery_facts *facts)
{
    return facts->state == COMMAND_MISSING && !delivery_is_final(facts) &&
           finding->results_s != HISTORY_NONE && facts->asked_s >= finding->results_s &&
           facts->asked_s < finding->results_s + MISSING_SETTLES_S;
}

static enum status read_status(struct finding *finding, const char *path)
{
    struct status_file file;
    struct status_line line;
    enum status status = status_file_open(&file, &disk_real, path, &finding->message);

    finding->has_status = status == STATUS_OK;
    while (status == STATUS_OK) {
        status = status_file_next(&file, &line);
        if (status != STATUS_OK)
            break;
        const struct delivery_facts facts = status_line_facts(&line, HISTORY_NONE);
        finding->trying += finding->settings->resume.group[DELIVERY_UNDELIVERED] &&
                           line.state == COMMAND_FAILED && !delivery_is_final(&facts);
        bool early = is_early(finding, &facts);
        finding->early += early && is_wanted(finding, &facts);
        status = undelivered_tell(finding->rows, &line.id, line.uuid,
                                  is_wanted(finding, &facts) && !early);
    }
    status_file_close(&file);
    return status == STATUS_END ? STATUS_OK : status;
}

/* What was taken back has ended so, whatever an older status file says. */
static enum status read_cancelled(struct finding *finding, const char *path)
{
    struct table_scan table;
    struct cancelled_line line;
    enum status status = cancelled_file_open(&table, &disk_real, path, &finding->message);

    finding->has_cancelled = status == STATUS_OK;
    while (status == STATUS_OK) {
        status = cancelled_file_next(&table, &line);
        if (status == STATUS_OK && line.outcome == CANCEL_CANCELLED)
            status = undelivered_tell(finding->rows, &line.id, line.uuid, true);
    }
    table_scan_close(&table);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status read_files(struct finding *finding, const char *status_path,
                              const char *cancelled_path)
{
    if (status_path == NULL || cancelled_path == NULL)
        return STATUS_NO_MEMORY;
    enum status status = read_status(finding, status_path);
    if (status == STATUS_OK && finding->settings->resume.group[DELIVERY_CANCELLED])
        status = read_cancelled(finding, cancelled_path);
    if (status == STATUS_OK && !finding->has_status && !finding->has_cancelled) {
        buf_add_printable(&finding->message, span_string(status_path));
        buf_add_string(&finding->message,
                       " is not there, and so nobody knows what became of the rows: run nbatch "
                       "status on the results first, or name the file with --status");
        status = STATUS_USAGE;
    }
    return status;
}

static enum status judge(struct finding *finding, const char *results, const char *status_path)
{
    const struct undelivered *rows = finding->rows;

    if (!finding->has_status || rows->accepted == 0 || rows->unknown < rows->accepted)
        return STATUS_OK;
    buf_add_printable(&finding->message, span_string(status_path));
    buf_add_string(&finding->message, " says nothing about what was accepted by ");
    buf_add_printable(&finding->message, span_string(results));
    buf_add_string(&finding->message, ": it is of other results, or older than they are; run "
                                      "nbatch status on them first");
    return STATUS_USAGE;
}

static void tell(const struct finding *finding, const struct person *person)
{
    const struct undelivered *rows = finding->rows;

    person_note(person, "%u accepted row%s sent again, by what became of %s", rows->count,
                rows->count == 1 ? " is" : "s are", rows->count == 1 ? "it" : "them");
    if (rows->unknown > 0)
        person_note(person, "of %llu accepted row%s it is not known yet: nbatch status asks for %s",
                    (unsigned long long)rows->unknown, rows->unknown == 1 ? "" : "s",
                    rows->unknown == 1 ? "it" : "them");
    if (finding->trying > 0)
        person_note(person, "%llu failed command%s not: the platform will try %s again by itself",
                    (unsigned long long)finding->trying, finding->trying == 1 ? " is" : "s are",
                    finding->trying == 1 ? "it" : "them");
    if (finding->early > 0)
        person_note(person,
                    "%llu missing command%s not: %s looked for within ten minutes of the run, when "
                    "the platform may not show %s yet; ask again with nbatch status",
                    (unsigned long long)finding->early, finding->early == 1 ? " is" : "s are",
                    finding->early == 1 ? "it was" : "they were",
                    finding->early == 1 ? "it" : "them");
}

static int64_t written_s(const char *path)
{
    struct stat about;

    return stat(path, &about) == 0 ? (int64_t)about.st_mtim.tv_sec : HISTORY_NONE;
}

int resume_find(const struct run_settings *settings, const struct person *person,
                const char *results, struct undelivered *ret_rows)
{
    struct finding finding = {.settings = settings,
                              .rows = ret_rows,
                              .results_s = written_s(results)};
    char *status_path =
        settings->status != NULL ? strdup(settings->status) : status_file_path(results);
    char *cancelled_path = cancelled_file_path(results);

    undelivered_init(ret_rows);
    buf_init_text(&finding.message, 64 * 1024);
    enum status status = read_files(&finding, status_path, cancelled_path);
    if (status == STATUS_OK)
        status = undelivered_match(ret_rows, &disk_real, results, &finding.message);
    if (status == STATUS_OK)
        status = judge(&finding, results, status_path);
    if (status == STATUS_OK)
        tell(&finding, person);
    else
        person_failure(person, &finding.message, status);
    free(status_path);
    free(cancelled_path);
    buf_deinit(&finding.message);
    return status == STATUS_OK                                 ? 0
           : status == STATUS_USAGE || status == STATUS_SYNTAX ? EXIT_USAGE
                                                               : EXIT_INTERNAL;
}
