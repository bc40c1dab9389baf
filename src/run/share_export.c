#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "ledger/doubt.h"
#include "ledger/outfile.h"
#include "ledger/results.h"
#include "ledger/share/statements.h"
#include "run/share.h"
#include "run/use_cases.h"

/*
 * The results of a job in a file: for whoever asks for them, and for the use cases that take a
 * results file (status, cancel, verify, report). These get one of their own, in a folder that
 * nobody else sees and that goes when they end, so that several operators do not meet in one; what
 * they find out goes into files that are named by the job. What verify settles goes back to the
 * database, row by row, where no one else has settled it before.
 */

struct export
{
    const struct run_settings *settings; /* which rows */
    struct outfile file;
    struct result_format format;
    uint64_t rows;
};

static enum status on_result(void *context, const struct result_record *record)
{
    struct export *export = context;
    const struct run_settings *settings = export->settings;

    export->rows++;
    if ((settings->has_statuses && !settings->statuses[record->status]) ||
        (settings->ambiguous && record->ambiguous == 0))
        return STATUS_OK;
    result_format_add_line(&export->format, record, &export->file.out);
    return outfile_settle(&export->file);
}

static int export_results(const struct run_settings *settings, const struct person *person,
                          struct database *database, const struct share_job *job, const char *path)
{
    static const struct outfile_kind kind = {"results file", "--output"};
    struct export export = {.settings = settings};
    struct buf message;

    buf_init_text(&message, 64 * 1024);
    enum status status = outfile_create(&export.file, &disk_real, path, &kind, &message);
    if (status == STATUS_OK) {
        result_format_init(&export.format, outfile_is_jsonl(path), job->passed, job->passed_count);
        result_format_add_header(&export.format, &export.file.out);
        status = share_results_each(database, job, on_result, &export, &message);
        if (outfile_close(&export.file) != STATUS_OK) {
            status = STATUS_IO;
            buf_clear(&message);
            buf_add_string(&message, outfile_error(&export.file));
        }
    }
    outfile_deinit(&export.file);
    int result = status == STATUS_OK ? 0 : share_fail(person, &message, status);
    buf_deinit(&message);
    if (result == 0)
        person_note(person, "%llu of %llu rows of %s (%s) have their result",
                    (unsigned long long)export.rows, (unsigned long long)job->rows, settings->job,
                    job->state);
    return result;
}

int run_share_results(const struct run_settings *settings, const struct person *person)
{
    struct database database = {.connection = NULL};
    struct share_job job = {.id = 0};
    int result = share_open(settings, person, &database);

    if (result == 0)
        result = share_find(settings, person, &database, &job);
    if (result == 0)
        result = export_results(settings, person, &database, &job,
                                settings->output != NULL ? settings->output : "-");
    share_job_deinit(&job);
    database_close(&database);
    return result;
}

/* A use case whose results are in the database. */

struct borrowed {
    struct run_settings settings;
    const struct person *person;
    struct database database;
    struct share_job job;
    char *folder, *results, *output, *status; /* paths; NULL: not there */
    uint64_t size;                            /* of the results, as they came */
    uint64_t settled;
    struct buf message;
};

static char *join(const char *first, const char *between, const char *second)
{
    char *text;

    return asprintf(&text, "%s%s%s", first, between, second) < 0 ? NULL : text;
}

static int make_folder(struct borrowed *borrowed)
{
    const char *place = getenv("TMPDIR");
    char *name = join(borrowed->settings.job, "", ".results.csv");

    borrowed->folder =
        join(place != NULL && place[0] != '\0' ? place : "/tmp", "/", "nbatch-XXXXXX");
    if (borrowed->folder != NULL && mkdtemp(borrowed->folder) == NULL) {
        person_error(borrowed->person, "%s: %s", borrowed->folder, strerror(errno));
        free(borrowed->folder);
        borrowed->folder = NULL;
    } else if (borrowed->folder != NULL && name != NULL) {
        borrowed->results = join(borrowed->folder, "/", name);
    }
    free(name);
    return borrowed->results != NULL ? 0 : EXIT_INTERNAL;
}

static void remove_folder(struct borrowed *borrowed)
{
    DIR *folder = borrowed->folder != NULL ? opendir(borrowed->folder) : NULL;
    struct dirent *entry;

    while (folder != NULL && (entry = readdir(folder)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder != NULL)
        (void)closedir(folder);
    if (borrowed->folder != NULL)
        (void)rmdir(borrowed->folder);
}

static enum status on_doubt(void *context, const struct doubt *doubt)
{
    doubt_file_append(context, doubt);
    return STATUS_OK;
}

static enum status export_doubts(struct borrowed *borrowed)
{
    char *path = doubt_path(borrowed->results);
    struct doubt_file file = {.disk = &disk_real, .path = path, .fd = -1};
    enum status status = path == NULL ? STATUS_NO_MEMORY
                                      : share_doubts_each(&borrowed->database, borrowed->job.id,
                                                          on_doubt, &file, &borrowed->message);

    doubt_file_close(&file);
    free(path);
    return status;
}

/* A line that verify has added; the others were there before. */
static enum status on_settled(void *context, const struct result_fields *fields)
{
    struct borrowed *borrowed = context;
    struct buf uuid, error;
    bool is_done = false;

    if (fields == NULL || fields->offset < borrowed->size)
        return STATUS_OK;
    buf_init(&uuid, 64 * 1024);
    buf_init(&error, RESULT_LINE_MAX);
    result_unquote(fields->columns[RESULT_uuid], false, &uuid);
    result_unquote(fields->columns[RESULT_error], false, &error);
    const struct share_settled settled = {.row = fields->id.row,
                                          .status = fields->status,
                                          .uuid = buf_string(&uuid),
                                          .error = buf_string(&error),
                                          .ambiguous = fields->ambiguous};
    enum status status =
        share_settle(&borrowed->database, borrowed->job.id, &settled, &borrowed->message, &is_done);
    borrowed->settled += is_done;
    buf_deinit(&uuid);
    buf_deinit(&error);
    return status;
}

static int give_back(struct borrowed *borrowed)
{
    struct results results = {.fd = -1};
    struct buf *message = &borrowed->message;
    enum status status =
        share_connect(&borrowed->settings, borrowed->person, message, &borrowed->database);

    if (status == STATUS_OK)
        status = results_open(&results, &disk_real, borrowed->results, message);
    if (status == STATUS_OK)
        status = results_each_line(&results, on_settled, borrowed);
    results_close(&results);
    if (status != STATUS_OK)
        return share_fail(borrowed->person, message, status);
    person_note(borrowed->person, "%llu row%s of %s settled in the database",
                (unsigned long long)borrowed->settled, borrowed->settled == 1 ? "" : "s",
                borrowed->settings.job);
    return 0;
}

/* What is written is named by the job; what nbatch status has found out, too. */
static int choose_names(struct borrowed *borrowed, use_case_fn *use_case)
{
    static const struct {
        use_case_fn *use_case;
        const char *tail;
    } outputs[] = {{run_status, ".status.csv"},
                   {run_cancel, ".cancelled.csv"},
                   {run_report, ".html"}};
    struct run_settings *settings = &borrowed->settings;

    settings->input = borrowed->results;
    settings->job_is_open = strcmp(borrowed->job.state, "complete") != 0;
    borrowed->status = join(settings->job, "", ".status.csv");
    if (borrowed->status == NULL)
        return EXIT_INTERNAL;
    if (settings->status == NULL && access(borrowed->status, F_OK) == 0)
        settings->status = borrowed->status;
    for (size_t i = 0; i < ARRAY_LENGTH(outputs); i++)
        if (outputs[i].use_case == use_case && settings->output == NULL)
            settings->output = borrowed->output = join(settings->job, "", outputs[i].tail);
    return 0;
}

static int borrow(struct borrowed *borrowed, bool has_doubts)
{
    const struct person *person = borrowed->person;
    int result = share_open(&borrowed->settings, person, &borrowed->database);

    if (result == 0)
        result = share_find(&borrowed->settings, person, &borrowed->database, &borrowed->job);
    if (result == 0)
        result = make_folder(borrowed);
    if (result == 0)
        result = export_results(&borrowed->settings, person, &borrowed->database, &borrowed->job,
                                borrowed->results);
    enum status status = result == 0 && has_doubts ? export_doubts(borrowed) : STATUS_OK;
    if (status != STATUS_OK)
        result = share_fail(person, &borrowed->message, status);
    database_close(&borrowed->database);
    return result;
}

int run_share_borrowed(const struct run_settings *settings, const struct person *person,
                       use_case_fn *use_case)
{
    struct borrowed borrowed = {.settings = *settings, .person = person};
    bool is_verify = use_case == run_verify;
    struct stat about;

    buf_init_text(&borrowed.message, 64 * 1024);
    int result = borrow(&borrowed, is_verify);
    if (result == 0)
        result = choose_names(&borrowed, use_case);
    if (result == 0 && stat(borrowed.results, &about) != 0)
        result = EXIT_INTERNAL;
    if (result == 0) {
        borrowed.size = (uint64_t)about.st_size;
        result = use_case(&borrowed.settings, person);
        int given = is_verify ? give_back(&borrowed) : 0;
        result = given != 0 ? given : result;
    }
    remove_folder(&borrowed);
    database_close(&borrowed.database);
    share_job_deinit(&borrowed.job);
    buf_deinit(&borrowed.message);
    free(borrowed.folder);
    free(borrowed.results);
    free(borrowed.output);
    free(borrowed.status);
    return result;
}
