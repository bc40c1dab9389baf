#include "run/share.h"

#include "ledger/share/late.h"
#include "ledger/share/statements.h"
#include "run/share_patience.h"
#include "run/use_cases.h"

enum { LIST_MAX = 16 * 1024 * 1024 };

int share_fail(const struct person *person, struct buf *message, enum status status)
{
    person_failure(person, message, status);
    if (status == STATUS_USAGE || status == STATUS_EXISTS)
        return EXIT_USAGE;
    return status == STATUS_NETWORK ? EXIT_REFUSED : EXIT_INTERNAL;
}

/* Says where the database is, or why there is none. */
static int check_share(const struct run_settings *settings, const struct person *person)
{
    if (settings->share != NULL)
        return 0;
    person_error(person, "which database? --share postgresql://HOST/DATABASE, or NBATCH_SHARE");
    return EXIT_USAGE;
}

enum status share_connect(const struct run_settings *settings, const struct person *person,
                          struct buf *message, struct database *ret_database)
{
    struct patience patience;

    patience_begin(&patience, person);
    enum status status = database_open(settings->share, message, ret_database);
    patience_end(&patience);
    return status;
}

int share_open(const struct run_settings *settings, const struct person *person,
               struct database *ret_database)
{
    struct buf message;
    int result = check_share(settings, person);

    if (result != 0)
        return result;
    buf_init_text(&message, 64 * 1024);
    enum status status = share_connect(settings, person, &message, ret_database);
    if (status != STATUS_OK)
        result = share_fail(person, &message, status);
    buf_deinit(&message);
    return result;
}

int share_find(const struct run_settings *settings, const struct person *person,
               struct database *database, struct share_job *ret_job)
{
    struct buf message;

    *ret_job = (struct share_job){.id = 0};
    if (settings->job == NULL) {
        person_error(person, "which job? --job NAME; nbatch jobs lists them");
        return EXIT_USAGE;
    }
    buf_init_text(&message, 64 * 1024);
    enum status status = share_job_find(database, settings->job, &message, ret_job);
    int result = status == STATUS_OK ? 0 : share_fail(person, &message, status);
    buf_deinit(&message);
    return result;
}

/* Making the schema. */

static int init(const struct run_settings *settings, const struct person *person,
                struct buf *message)
{
    struct database database = {.connection = NULL};
    struct patience patience;
    int before = 0;

    patience_begin(&patience, person);
    enum status status = database_connect(settings->share, message, &database);
    patience_end(&patience);
    if (status == STATUS_OK)
        status = database_init(&database, message, &before);
    database_close(&database);
    if (status != STATUS_OK)
        return share_fail(person, message, status);
    if (before == SHARE_SCHEMA_VERSION)
        person_note(person, "the schema nbatch is there already, of version %d", before);
    else if (before > 0)
        person_note(person, "the schema nbatch was of version %d, and is of version %d now", before,
                    SHARE_SCHEMA_VERSION);
    else
        person_note(person,
                    "the schema nbatch is there now, of version %d; let people in with "
                    "GRANT nbatch_worker TO …, or nbatch_viewer for those who only look",
                    SHARE_SCHEMA_VERSION);
    return EXIT_ALL_ACCEPTED;
}

int run_share_init(const struct run_settings *settings, const struct person *person)
{
    struct buf message;
    int result = check_share(settings, person);

    if (result == 0 && (settings->input == NULL || strcmp(settings->input, "init") != 0)) {
        person_error(person, "nbatch share does one thing: nbatch share init --share …");
        result = EXIT_USAGE;
    }
    if (result != 0)
        return result;
    buf_init_text(&message, 64 * 1024);
    result = init(settings, person, &message);
    buf_deinit(&message);
    return result;
}

/* The list, and what is done with one job. */

struct change {
    const char *name; /* of the job; NULL: it was not asked for */
    const char *sql;
    const char *done, *not_done;
};

/* What workers in this folder could not write of it is of no job any more, and stays. */
static void tell_late(const struct person *person, const char *name, const struct share_job *job)
{
    const struct late_about about = {name, job->id, job->loaded_us};
    struct buf paths;

    buf_init(&paths, 64 * 1024);
    late_list(&about, &paths);
    if (paths.len > 0)
        person_error(person,
                     "warning: results of job %s that a worker could not write are kept in %s, "
                     "which stays: delete it once nobody wants them",
                     name, buf_string(&paths));
    buf_deinit(&paths);
}

/* The job is looked for first: whether it is not there, or in another state, is told apart. */
static enum status do_change(struct database *database, const struct person *person,
                             const struct change *change, struct buf *message)
{
    struct share_job job;
    bool done = false;
    enum status status = share_job_find(database, change->name, message, &job);

    if (status == STATUS_OK)
        status = share_job_change(database, change->sql, change->name, message, &done);
    if (status == STATUS_OK && done) {
        person_note(person, "%s: %s", change->name, change->done);
    } else if (status == STATUS_OK) {
        buf_add_format(message, "job %s, whose state is %s, %s", change->name, job.state,
                       change->not_done);
        status = STATUS_USAGE;
    }
    if (status == STATUS_OK && change->sql == sql_job_remove)
        tell_late(person, change->name, &job);
    share_job_deinit(&job);
    return status;
}

static enum status list_jobs(struct database *database, const struct person *person,
                             struct buf *message)
{
    struct buf list;

    buf_init(&list, LIST_MAX);
    enum status status = share_jobs_add(database, &list, message);
    if (status == STATUS_OK && (list.status != STATUS_OK || !person_give(person, buf_span(&list))))
        status = STATUS_IO;
    buf_deinit(&list);
    return status;
}

int run_jobs(const struct run_settings *settings, const struct person *person)
{
    const struct change changes[] = {
        {settings->pause_job, sql_job_pause,
         "paused; what is in flight is waited for, and --resume goes on",
         "cannot be paused: only a running one can"},
        {settings->resume_job, sql_job_resume, "goes on",
         "cannot go on: only one that was paused or stopped can"},
        {settings->stop_job, sql_job_stop, "stopped; its workers leave, and --resume goes on",
         "cannot be stopped: only one that is running or paused can"},
        {settings->remove_job, sql_job_remove, "removed, with its results",
         "cannot be removed: a worker is at it, or was until a moment ago; stop it first "
         "(--stop)"}};
    struct database database = {.connection = NULL};
    enum status status = STATUS_OK;
    size_t count = 0;
    struct buf message;
    int result = share_open(settings, person, &database);

    buf_init_text(&message, 64 * 1024);
    for (size_t i = 0; result == 0 && i < ARRAY_LENGTH(changes) && status == STATUS_OK; i++) {
        if (changes[i].name == NULL)
            continue;
        status = do_change(&database, person, &changes[i], &message);
        count++;
    }
    if (result == 0 && count == 0)
        status = list_jobs(&database, person, &message);
    if (status != STATUS_OK)
        result = share_fail(person, &message, status);
    buf_deinit(&message);
    database_close(&database);
    return result;
}
