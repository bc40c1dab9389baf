#include "run/recording.h"

#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/interrupt.h"
#include "input/reader.h"
#include "ledger/outfile.h"
#include "run/exit_status.h"
#include "run/resume.h"
#include "run/target.h"
#include "sim/uuid.h"

enum {
    READER_PATIENCE_MS = 1000, /* before it is said what is waited for, … */
    READER_LOOK_MS = 200,      /* … and then before signals are looked at */
};

void recording_init(struct recording *recording, const struct run_settings *settings,
                    const struct person *person)
{
    *recording = (struct recording){.settings = settings, .person = person};
    undelivered_init(&recording->undelivered);
    buf_init_text(&recording->message, 64 * 1024);
}

void recording_deinit(struct recording *recording)
{
    ledger_close(recording->ledger);
    undelivered_deinit(&recording->undelivered);
    free(recording->path);
    free(recording->superseded);
    buf_deinit(&recording->message);
}

static int fail(struct recording *recording, int exit_status)
{
    if (recording->message.len > 0)
        person_error(recording->person, "%s", buf_string(&recording->message));
    buf_clear(&recording->message);
    return exit_status;
}

/* How much of a path is before its extension; all of it where there is none. */
static size_t stem_length(struct span path)
{
    size_t stem = path.len;

    while (stem > 0 && path.ptr[stem - 1] != '.' && path.ptr[stem - 1] != '/')
        stem--;
    bool has_extension = stem > 1 && path.ptr[stem - 1] == '.' && path.ptr[stem - 2] != '/';
    return has_extension ? stem - 1 : path.len;
}

static char *joined(struct span start, const char *end)
{
    struct buf name;

    buf_init(&name, 64 * 1024);
    buf_add(&name, start);
    buf_add_string(&name, end);
    char *text = name.status == STATUS_OK ? strdup(buf_string(&name)) : NULL;
    buf_deinit(&name);
    return text;
}

/* Standard output is never the only record: what a pipe has no name for gets one by its time. */
static char *name_by_time(void)
{
    char name[80];
    struct tm at;
    time_t now = time(NULL);

    if (localtime_r(&now, &at) == NULL)
        return NULL;
    size_t len = strftime(name, sizeof(name), "nbatch-%Y%m%d-%H%M%S", &at);
    (void)snprintf(name + len, sizeof(name) - len, "-%d.results.csv", (int)getpid());
    return strdup(name);
}

const char *recording_tail(const struct run_settings *settings)
{
    /* What a rehearsal accepted must not look like the fleet's record. */
    return settings->simulate != NULL ? ".rehearsal.csv" : ".results.csv";
}

char *recording_stem(const struct run_settings *settings)
{
    const char *slash = strrchr(settings->input, '/');
    size_t folder = slash != NULL ? (size_t)(slash - settings->input) + 1 : 0;

    if (settings->job != NULL)
        return joined(span_of(settings->input, folder), settings->job);
    if (strcmp(settings->input, "-") == 0)
        return NULL;
    struct span plain = reader_plain_name(settings->input);
    return joined(span_of(plain.ptr, stem_length(plain)), "");
}

static char *name_by_stem(const struct run_settings *settings)
{
    char *stem = recording_stem(settings);
    char *name = stem != NULL ? joined(span_string(stem), recording_tail(settings)) : NULL;

    free(stem);
    return name;
}

/* What belongs to the results is named by their own name, not by a link to them. */
static int resolve_path(struct recording *recording)
{
    char *resolved = ledger_resolve(&disk_real, recording->path);

    if (resolved == NULL)
        return EXIT_INTERNAL;
    free(recording->path);
    recording->path = resolved;
    return 0;
}

/* Whether the name promises another form than results have. */
static bool is_misnamed(const char *path)
{
    static const char *const ends[] = {".gz",  ".zst", ".zip",  ".xlsx", ".xls",
                                       ".ods", ".et",  ".html", ".json"};
    size_t len = strlen(path);

    for (size_t i = 0; i < ARRAY_LENGTH(ends); i++) {
        size_t end = strlen(ends[i]);
        if (len > end && strcasecmp(path + len - end, ends[i]) == 0)
            return true;
    }
    return false;
}

static int choose_path(struct recording *recording)
{
    const struct run_settings *settings = recording->settings;
    bool is_stdin = strcmp(settings->input, "-") == 0;

    if (settings->output != NULL && !settings->resume.on && is_misnamed(settings->output)) {
        person_error(recording->person,
                     "--output %s: results are written as CSV, or as JSONL where the name ends in "
                     ".jsonl; give such a name",
                     settings->output);
        return EXIT_USAGE;
    }
    recording->copies = settings->output != NULL && strcmp(settings->output, "-") == 0;
    if (settings->output != NULL && !recording->copies) {
        recording->path = strdup(settings->output);
    } else if (!is_stdin || settings->job != NULL) {
        recording->path = name_by_stem(settings);
    } else if (settings->resume.on || !recording->copies) {
        person_error(recording->person,
                     "standard input has no name to call the results by: give one with --output "
                     "FILE%s",
                     !settings->resume.on ? " (- copies them to standard output)" : "");
        return EXIT_USAGE;
    } else {
        recording->path = name_by_time();
        if (recording->path != NULL)
            person_note(recording->person, "the results are kept in %s", recording->path);
    }
    if (recording->path == NULL || resolve_path(recording) != 0)
        return EXIT_INTERNAL;
    struct span path = span_string(recording->path);
    size_t stem = stem_length(path);
    struct buf end;
    buf_init(&end, 64 * 1024);
    buf_add_string(&end, ".superseded");
    buf_add(&end, span_skip(path, stem));
    recording->superseded = joined(span_of(path.ptr, stem), buf_string(&end));
    buf_deinit(&end);
    return recording->superseded != NULL ? 0 : EXIT_INTERNAL;
}

int recording_choose(struct recording *recording)
{
    int result = choose_path(recording);

    if (result != 0)
        return result;
    if (recording->copies && recording->settings->json) {
        person_error(recording->person,
                     "standard output can take the results or the --json summary, not both: "
                     "name a results file with --output FILE");
        return EXIT_USAGE;
    }
    return 0;
}

int recording_probe(struct recording *recording)
{
    if (recording->settings->resume.on)
        return 0;
    enum status status = ledger_probe(&disk_real, recording->path, &recording->message);
    return status == STATUS_OK ? 0 : fail(recording, EXIT_USAGE);
}

/* Whom the results are of a run with; journals of earlier versions say it in words. */
static uint64_t with_whom(const struct ledger_past *past)
{
    const uint64_t with = past->has_journal ? past->journal.with : past->with;
    struct span target = span_string(past->journal.target);

    if (with != WITH_UNKNOWN || !past->has_journal)
        return with;
    return span_is(target, "simulator") ? (uint64_t)WITH_SIMULATOR
                                        : WITH_PLATFORM + (uint64_t)dialect_of_target(target);
}

/*
 * Whether the results say nothing about the rows that are sent now: those of a rehearsal about the
 * fleet, and the other way round. Where it is not on record, they are known by their uuids. On this
 * machine a simulator may be that is a process of its own.
 */
static bool are_from_elsewhere(const struct ledger_past *past, bool rehearses, bool is_local)
{
    bool is_marked = uuid_is_simulated(past->uuid);
    uint64_t with = with_whom(past);

    if (!rehearses)
        return with == WITH_SIMULATOR || (is_marked && !is_local);
    return with == WITH_UNKNOWN ? past->uuid.len > 0 && !is_marked : with != WITH_SIMULATOR;
}

static int check_target(const struct recording *recording, bool is_local)
{
    bool rehearses = recording->settings->simulate != NULL;
    const struct ledger_past *past = ledger_past(recording->ledger);
    const uint64_t spoken = with_whom(past) - WITH_PLATFORM; /* wraps where it is no platform */

    if (!rehearses && spoken < DIALECT_COUNT && spoken != recording->settings->dialect) {
        person_error(
            recording->person,
            "%s is the record of a run with --api %s, to another platform: go on with that, "
            "or name another results file with --output",
            recording->path, dialects[spoken].name);
        return EXIT_USAGE;
    }
    if (!are_from_elsewhere(past, rehearses, is_local))
        return 0;
    person_error(recording->person,
                 !rehearses
                     ? "%s is the record of a rehearsal (--simulate), and this run sends to a "
                       "platform: name another results file with --output"
                     : "%s is the record of a run to a platform, and this run is a rehearsal "
                       "(--simulate): name another results file with --output",
                 recording->path);
    return EXIT_USAGE;
}

static void tell_past(const struct recording *recording)
{
    const struct ledger_past *past = ledger_past(recording->ledger);

    person_note(recording->person, "%s: going on; %llu row%s a result", recording->path,
                (unsigned long long)past->keys, past->keys == 1 ? " has" : "s have");
    if (past->cut)
        person_note(recording->person,
                    "the last line was cut off and has been removed: its row is in doubt");
    if (!past->has_journal && !past->has_completion && past->keys > 0)
        person_note(recording->person,
                    "neither %s.journal nor %s.complete is beside it: nobody can tell whether rows "
                    "were under way, or results are missing",
                    recording->path, recording->path);
    if (past->orphans > 0)
        person_note(
            recording->person,
            "%llu row%s under way when the last run ended, and may have been processed: "
            "recorded as in_doubt, and sent again (by which it may be held twice) or not as "
            "--on-ambiguous says",
            (unsigned long long)past->orphans, past->orphans == 1 ? " was" : "s were");
}

/* What is missing from the results, for a question and for where none can be asked; empty where
 * nothing is. */
static void describe_missing(const struct recording *recording, struct buf *question,
                             struct buf *otherwise)
{
    const struct ledger_past *past = ledger_past(recording->ledger);
    bool resumes = recording->settings->resume.on;
    unsigned long long missing = past->accepted_missing, then = past->accepted_then;

    if (past->completion_is_damaged) {
        buf_add_string(question, "Are all results there?");
        buf_add_format(otherwise,
                       "%s.complete is damaged: whether accepted rows are missing from the results "
                       "cannot be told; say --yes if they are all there",
                       recording->path);
    } else if (resumes && missing > 0) {
        buf_add_format(question, "%llu accepted row%s missing from %s: send them again?", missing,
                       missing == 1 ? " is" : "s are", recording->path);
        buf_add_format(otherwise,
                       "%llu row%s accepted and %s missing from %s (cut, filtered, or another "
                       "file), and would be sent again as new: restore it from a copy, or say "
                       "--yes if that is meant",
                       missing, missing == 1 ? " was" : "s were", missing == 1 ? "is" : "are",
                       recording->path);
    } else if (!resumes && then > 0 && past->with != WITH_SIMULATOR) {
        buf_add_format(question,
                       "The results of %llu accepted row%s are not there: send every row?", then,
                       then == 1 ? "" : "s");
        buf_add_format(otherwise,
                       "%s.complete says that %llu row%s accepted, and the results are not there: "
                       "put them back and go on with --resume; or say --yes, or move that file "
                       "away, if every row is to be sent",
                       recording->path, then, then == 1 ? " was" : "s were");
    }
}

/* Rows that were accepted, and whose results are gone, would be sent once more. */
static int check_completion(const struct recording *recording)
{
    const struct run_settings *settings = recording->settings;
    struct buf question, otherwise;

    if (!ledger_past(recording->ledger)->has_completion || settings->yes)
        return 0;
    buf_init_text(&question, 64 * 1024);
    buf_init_text(&otherwise, 64 * 1024);
    describe_missing(recording, &question, &otherwise);
    bool good = otherwise.len == 0 ||
                person_consents(recording->person, buf_string(&question), buf_string(&otherwise));
    buf_deinit(&question);
    buf_deinit(&otherwise);
    return good ? 0 : EXIT_USAGE;
}

/* From so many rows on it takes seconds to read all results once more. */
enum { LONG_ROWS = 500 * 1000, LINE_BYTES = 130 };

static void tell_phase(const struct recording *recording, uint64_t rows, const char *what)
{
    if (rows >= LONG_ROWS)
        person_note(recording->person, "%s …", what);
}

int recording_open(struct recording *recording, const struct span *passed, size_t passed_count,
                   bool is_local)
{
    const int policy = recording->settings->on_ambiguous;
    const struct run_settings *settings = recording->settings;
    bool sends_again = policy != ON_AMBIGUOUS_HOLD && policy != ON_AMBIGUOUS_VERIFY;
    struct ledger_options options = {.path = recording->path,
                                     .copy_to_stdout = recording->copies,
                                     .resume = settings->resume.on,
                                     .again = {.orphan_idempotent = sends_again,
                                               .orphan_other = policy == ON_AMBIGUOUS_RESEND},
                                     .passed = passed,
                                     .passed_count = passed_count,
                                     .concurrency = (size_t)settings->concurrency};

    struct stat about;
    if (settings->resume.on && stat(recording->path, &about) == 0)
        tell_phase(recording, (uint64_t)about.st_size / LINE_BYTES, "reading the results so far");
    memcpy(options.again.status, settings->resume.status, sizeof(options.again.status));
    enum status status = ledger_open(&options, &recording->message, &recording->ledger);
    if (status != STATUS_OK)
        return fail(recording, status == STATUS_EXISTS ? EXIT_USAGE : EXIT_INTERNAL);
    if (!settings->resume.on)
        return check_completion(recording);
    int result = check_target(recording, is_local);
    if (result == 0)
        tell_past(recording);
    if (result == 0 && resume_asks(settings)) {
        result = resume_find(settings, recording->person, recording->path, &recording->undelivered);
        ledger_send_again(recording->ledger, &recording->undelivered);
    }
    return result == 0 ? check_completion(recording) : result;
}

static bool is_of_input(const struct ledger_past *past, uint64_t input_hash)
{
    return past->has_journal && input_hash != 0 && past->journal.input_hash == input_hash;
}

/* A changed --set makes each row another one, which would be sent as new. */
static bool is_suspicious(const struct ledger_past *past, uint64_t met, uint64_t input_hash)
{
    if (past->keys == 0)
        return false;
    if (is_of_input(past, input_hash))
        return past->keys - met > past->journal.strange;
    return met == 0;
}

bool recording_is_of_input(const struct recording *recording, uint64_t input_hash)
{
    return is_of_input(ledger_past(recording->ledger), input_hash);
}

int recording_match(struct recording *recording, uint64_t new_rows, uint64_t input_hash)
{
    const struct run_settings *settings = recording->settings;
    const struct ledger_past *past = ledger_past(recording->ledger);
    uint64_t met = ledger_met_keys(recording->ledger);
    unsigned long long strange = past->keys - met;

    if (!settings->resume.on || strange == 0)
        return 0;
    person_note(
        recording->person,
        "%llu of the results belong%s to no row of the input any more (corrected, or removed)",
        strange, strange == 1 ? "s" : "");
    if (new_rows == 0 || settings->yes || !is_suspicious(past, met, input_hash))
        return 0;
    person_error(recording->person,
                 "%llu rows would be sent as new ones, although their results may be among these "
                 "%llu: is it the same input, with the same --set and --map? Say --yes if that is "
                 "meant; nothing was sent",
                 (unsigned long long)new_rows, strange);
    return EXIT_USAGE;
}

int recording_start(struct recording *recording, const struct intake *intake, const char *target,
                    uint64_t rows, uint64_t content)
{
    struct ledger_about about = {.input = source_name(intake_source(intake)),
                                 .target = target,
                                 .with = target_with(recording->settings),
                                 .rows = rows,
                                 .input_content = content,
                                 .strange = ledger_past(recording->ledger)->keys -
                                            ledger_met_keys(recording->ledger)};

    intake_digest(intake, &about.input_size, &about.input_hash);
    enum status status = ledger_start(recording->ledger, &about, &recording->message);
    if (status == STATUS_OK)
        return 0;
    return fail(recording, status == STATUS_EXISTS ? EXIT_USAGE : EXIT_INTERNAL);
}

/* Whether the results, as they are in the file, have one current line for each row. */
static int take_account(struct recording *recording, uint64_t rows)
{
    struct store *store = ledger_store(recording->ledger);
    struct store_account *account = &recording->account;

    if (store->account(store, account, &recording->message) != STATUS_OK)
        return fail(recording, EXIT_INTERNAL);
    recording->has_account = true;
    if (account->rows == rows)
        return 0;
    person_error(recording->person,
                 "%llu of %llu rows are accounted for in %s: did the input change during the run?",
                 (unsigned long long)account->rows, (unsigned long long)rows, recording->path);
    return EXIT_INTERNAL;
}

/* Somebody has moved, removed or replaced the results: where the lines are now. */
static void tell_rescued(struct recording *recording)
{
    char *now = strdup(ledger_path(recording->ledger));

    if (now == NULL)
        return;
    if (recording->settings->dated) /* which finds them itself */
        person_error(recording->person, "what has been recorded is in %s: go on with --resume",
                     now);
    else
        person_error(recording->person,
                     "what has been recorded is in %s: go on with --resume --output %s", now, now);
    if (strcmp(now, recording->path) != 0)
        person_error(
            recording->person,
            "%s is not this run's any more and was not touched; if %s.journal is there, it "
            "keeps that file from being taken for the results: remove it last",
            recording->path, recording->path);
    recording->is_moved = strcmp(now, recording->path) != 0;
    free(recording->path);
    recording->path = now;
}

static void tell_failure(struct recording *recording)
{
    unsigned long long lost = ledger_lost(recording->ledger);

    if (ledger_is_rescued(recording->ledger))
        tell_rescued(recording);
    else if (ledger_store(recording->ledger)->has_failed)
        person_error(recording->person,
                     "what is known of the rows is kept in %s and %s.journal: once the cause is "
                     "gone, go on with --resume",
                     recording->path, recording->path);
    else
        person_error(recording->person, "what has been recorded is in %s: go on with --resume",
                     recording->path);
    if (lost > 0)
        person_error(recording->person,
                     "%llu result%s found no place there: --resume will call %s in_doubt", lost,
                     lost == 1 ? "" : "s", lost == 1 ? "it" : "them");
}

/* Waits for whoever reads the copy on standard output; the record is whole without it. */
static int await_reader(struct recording *recording)
{
    struct store *store = ledger_store(recording->ledger);
    bool all;
    enum status status = ledger_await_copy(recording->ledger, READER_PATIENCE_MS, &all);

    if (status == STATUS_OK && !all) {
        person_note(recording->person,
                    "all is recorded in %s; waiting for standard output to be read",
                    recording->path);
        while (status == STATUS_OK && !all && !recording->is_interrupted && interrupt_signal() == 0)
            status = ledger_await_copy(recording->ledger, READER_LOOK_MS, &all);
    }
    if (status == STATUS_OK && !all) {
        person_error(recording->person,
                     "standard output was not read to its end; all of it is in %s",
                     recording->path);
        return recording->is_interrupted ? 0 : EXIT_SIGNAL + interrupt_signal();
    }
    if (status == STATUS_OK)
        return 0;
    buf_add_string(&recording->message, store->error(store));
    return fail(recording, EXIT_INTERNAL);
}

int recording_finish(struct recording *recording, uint64_t rows, bool is_complete, bool is_failing)
{
    struct ledger *ledger = recording->ledger;
    struct store *store = ledger_store(ledger);
    int result = 0;

    if (is_complete)
        tell_phase(recording, rows, "comparing the results with the input");
    if (is_complete && store->flush(store) == STATUS_OK)
        result = take_account(recording, rows);
    bool is_whole = is_complete && recording->has_account && recording->account.rows == rows;
    if (store->finish(store, is_whole, &recording->message) != STATUS_OK) {
        if (recording->message.len == 0 && !is_failing)
            buf_add_string(&recording->message, store->error(store));
        result = fail(recording, EXIT_INTERNAL);
        if (!is_whole || ledger_is_rescued(ledger))
            tell_failure(recording);
    } else if (!is_failing) {
        int waited = await_reader(recording);
        result = waited != 0 ? waited : result;
    }
    if (result == 0 && is_whole && recording->settings->sort) {
        tell_phase(recording, rows, "sorting the results");
        if (ledger_sort(ledger, recording->superseded, &recording->message) != STATUS_OK) {
            result = fail(recording, EXIT_INTERNAL);
            person_error(recording->person,
                         "the results are complete, in the order in which the rows ended");
        }
    }
    if (ledger_has_other_names(ledger))
        person_error(recording->person,
                     "%s has got another name (a hard link), by which its journal would not be "
                     "found: --resume is refused until that is removed",
                     recording->path);
    return result;
}
