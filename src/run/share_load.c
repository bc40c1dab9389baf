#include <stdlib.h>
#include <time.h>

#include "engine/interrupt.h"
#include "ledger/share/load.h"
#include "run/check.h"
#include "run/embargo.h"
#include "run/guards.h"
#include "run/job_name.h"
#include "run/sending.h"
#include "run/share.h"
#include "run/use_cases.h"

/*
 * An input becomes a job: it is checked as a whole, and read once more to be loaded, in one
 * transaction. What is loaded is what was checked: a file that has changed in between loads
 * nothing.
 */

/* Counts equal rows, for their keys; nothing is kept of them. */
struct counter {
    struct store store;
    struct index index;
};

static enum status meet(struct store *store, uint64_t hash, bool idempotent,
                        struct store_row *ret_row)
{
    (void)idempotent;
    *ret_row = (struct store_row){.verdict = STORE_NEW};
    return index_meet(&((struct counter *)store)->index, hash, &ret_row->occurrence,
                      &ret_row->before);
}

static void rewind_rows(struct store *store)
{
    index_rewind(&((struct counter *)store)->index);
}

enum { STEM_MAX = 40 }; /* of a name that is made */

/* What may be in a name, with one _ for all between; "job" where nothing may. */
static void add_stem(const char *base, struct buf *out)
{
    size_t len = strcspn(base, ".");
    bool is_left_out = false;

    for (size_t i = 0; i < len && out->len < STEM_MAX; i++) {
        if (job_name_has(base[i]) && is_left_out && out->len > 0)
            buf_add_char(out, '_');
        is_left_out = !job_name_has(base[i]);
        if (!is_left_out)
            buf_add_char(out, base[i]);
    }
    if (out->len == 0)
        buf_add_string(out, "job");
}

/* fleet-20261128-093000, of /x/fleet.csv. */
static char *make_name(const char *input)
{
    const char *slash = strrchr(input, '/');
    char when[32];
    struct buf name;
    time_t now = time(NULL);
    struct tm parts;

    (void)gmtime_r(&now, &parts);
    (void)strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &parts);
    buf_init(&name, SHARE_NAME_MAX);
    add_stem(slash != NULL ? slash + 1 : input, &name);
    buf_add_format(&name, "-%s", when);
    char *made = strdup(buf_string(&name));
    buf_deinit(&name);
    return made;
}

static enum status add_row(struct loading *load, struct intake *intake,
                           const struct command *command, const struct problems *problems,
                           struct buf *why)
{
    buf_clear(why);
    if (problems->error_count > 0) {
        struct buf text;
        buf_init(&text, PROBLEMS_TEXT_MAX);
        problems_describe(problems, &text);
        buf_add_printable(why, buf_span(&text));
        buf_deinit(&text);
    }
    if (why->status != STATUS_OK)
        return why->status;
    return loading_add(load, command, intake_known(intake)->occurrence, buf_span(why));
}

static enum status add_rows(struct loading *load, struct intake *intake, uint64_t *ret_rows)
{
    struct problems problems;
    struct command command;
    struct buf why;
    uint64_t rows = 0;

    problems_init(&problems);
    command_init(&command);
    buf_init(&why, 4 * PROBLEMS_TEXT_MAX);
    enum status status = intake_start(intake, &problems);
    while (status == STATUS_OK && interrupt_signal() == 0 &&
           (status = intake_next(intake, &command, &problems)) == STATUS_OK) {
        status = add_row(load, intake, &command, &problems, &why);
        rows++;
    }
    problems_deinit(&problems);
    command_deinit(&command);
    buf_deinit(&why);
    *ret_rows = rows;
    if (interrupt_signal() != 0)
        return STATUS_INTERRUPTED;
    return status == STATUS_END ? STATUS_OK : status;
}

static struct loading_about about_of(const struct run_settings *settings, struct intake *intake,
                                     const struct share_target *target, uint64_t valid)
{
    struct loading_about about = {.account = target->account,
                                  .endpoint = settings->endpoint,
                                  .input = source_name(intake_source(intake)),
                                  .dialect = (int)settings->dialect,
                                  .rate = sending_rate_per_s(settings),
                                  .again_idempotent = settings->on_ambiguous != ON_AMBIGUOUS_HOLD,
                                  .again_other = settings->on_ambiguous == ON_AMBIGUOUS_RESEND,
                                  .on_ambiguous = settings->on_ambiguous,
                                  .valid = valid};
    uint64_t size;

    about.passed = intake_passed(intake, &about.passed_count);
    intake_digest(intake, &size, &about.input_hash);
    return about;
}

static void tell_common(const struct person *person, uint64_t common)
{
    unsigned long long count = common;

    if (common > 0)
        person_note(person,
                    "%llu device%s in another job of this account as well: between jobs no order "
                    "is kept",
                    count, common == 1 ? " waits" : "s wait");
}

/* Whether the job is there although nothing was heard of the end of its transaction. */
static bool is_loaded(const struct run_settings *settings, struct database *database,
                      const char *name, uint64_t rows)
{
    struct share_job job = {.id = 0};
    struct buf unused;

    buf_init(&unused, 4096);
    database_close(database);
    bool is_there = database_open(settings->share, &unused, database) == STATUS_OK &&
                    share_job_find(database, name, &unused, &job) == STATUS_OK && job.rows == rows;
    share_job_deinit(&job);
    buf_deinit(&unused);
    return is_there;
}

/* The load's transaction may have ended, and the answer be lost. */
static enum status end_load(const struct run_settings *settings, struct database *database,
                            struct loading *load, const char *name, uint64_t rows,
                            uint64_t *ret_common, struct buf *message)
{
    bool is_unknown = false;
    enum status status = loading_end(load, rows, ret_common, &is_unknown);

    if (!is_unknown)
        return status;
    if (is_loaded(settings, database, name, rows)) {
        buf_clear(message);
        return STATUS_OK;
    }
    buf_add_format(message,
                   "; the job may be loaded all the same: see whether nbatch jobs has %s before it "
                   "is loaded once more, and work at it then with nbatch work --job %s",
                   name, name);
    return status;
}

static int load_job(const struct run_settings *settings, const struct person *person,
                    struct database *database, struct intake *intake,
                    const struct loading_about *about)
{
    struct counter counter = {.store = {.meet = meet, .rewind = rewind_rows}};
    struct loading load = {.database = NULL};
    uint64_t rows = 0, common = 0;
    struct buf message;

    buf_init_text(&message, 64 * 1024);
    index_init(&counter.index);
    intake_use_store(intake, &counter.store);
    enum status status = loading_begin(&load, database, about, &message);
    if (status == STATUS_EXISTS) {
        buf_clear(&message);
        buf_add_format(&message,
                       "there is a job %s already: give this one another name with "
                       "--job, or work at that one with nbatch work",
                       about->name);
    }
    if (status == STATUS_OK)
        status = add_rows(&load, intake, &rows);
    if (status == STATUS_OK)
        status = end_load(settings, database, &load, about->name, rows, &common, &message);
    loading_deinit(&load);
    intake_use_store(intake, NULL);
    index_deinit(&counter.index);
    int result = status == STATUS_OK                                      ? 0
                 : status == STATUS_CHANGED || status == STATUS_BAD_INPUT ? EXIT_INPUT_INVALID
                                                                          : EXIT_INTERNAL;
    if (status == STATUS_INTERRUPTED) {
        person_error(person, "%s; nothing was loaded", interrupt_name(interrupt_signal()));
        result = EXIT_SIGNAL + interrupt_signal();
    } else if (result == EXIT_INTERNAL)
        result = share_fail(person, &message, status);
    else if (result != 0)
        person_error(person, "%s is no longer what was checked: nothing was loaded", about->input);
    buf_deinit(&message);
    if (result == 0) {
        person_note(person, "job %s: %llu row%s loaded", about->name, (unsigned long long)rows,
                    rows == 1 ? " is" : "s are");
        tell_common(person, common);
    }
    return result;
}

/* The check of a run, with what is asked. */
static int check(const struct run_settings *settings, const struct person *person,
                 struct intake *intake, struct check_counts *counts)
{
    struct buf message;
    int result = check_for_sending(intake, settings, person, counts);

    if (result == 0)
        result = check_consent(settings, person, counts);
    if (result == 0)
        result = embargo_check(settings, person, intake_embargo_s(intake), counts->valid);
    if (result == 0)
        result = guard_rows(settings, person, counts->rows);
    if (result != 0)
        return result;
    buf_init_text(&message, 64 * 1024);
    if (intake_rewind(intake, &message) != STATUS_OK) {
        person_error(person, "%s; nothing was loaded", buf_string(&message));
        result = EXIT_INPUT_INVALID;
    }
    buf_deinit(&message);
    return result;
}

int share_load(const struct run_settings *settings, const struct person *person,
               struct database *database, const struct share_target *target, char **ret_name)
{
    struct check_counts counts = {.rows = 0};
    struct intake *intake = NULL;
    int result = guard_age(settings, person, (int64_t)time(NULL));

    *ret_name = NULL;
    if (result == 0)
        result = check_open(settings, person, true, &intake);
    if (result == 0)
        result = check_passed(intake, person);
    if (result == 0 && !source_is_seekable(intake_source(intake))) {
        person_error(person,
                     "a job is checked as a whole before it is loaded: give a file, no pipe");
        result = EXIT_USAGE;
    }
    if (result == 0 && settings->on_ambiguous == ON_AMBIGUOUS_VERIFY) {
        person_error(person, "--on-ambiguous verify is no choice for a shared job: say hold, and "
                             "see to what is in doubt at its end");
        result = EXIT_USAGE;
    }
    if (result == 0)
        result = check(settings, person, intake, &counts);
    if (result == 0) {
        *ret_name = settings->job != NULL ? strdup(settings->job) : make_name(settings->input);
        struct loading_about about = about_of(settings, intake, target, counts.valid);
        about.name = *ret_name;
        result = *ret_name != NULL ? load_job(settings, person, database, intake, &about)
                                   : EXIT_INTERNAL;
    }
    intake_close(intake);
    return result;
}
