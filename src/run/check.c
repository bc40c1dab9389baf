#include <errno.h>
#include <time.h>

#include "core/figure.h"
#include "core/when.h"
#include "engine/check.h"
#include "engine/interrupt.h"
#include "ledger/result_line.h"
#include "run/check.h"
#include "run/embargo.h"
#include "run/fix.h"
#include "run/online.h"
#include "run/privacy.h"
#include "run/problem_file.h"
#include "run/sending.h"
#include "run/split.h"
#include "run/use_cases.h"

/* A check as a person follows it: what is shown, and the files that are written on the way. */
struct inspection {
    const struct run_settings *settings;
    const struct person *person;
    const char *input;
    struct problem_file problem_file;
    struct split split;
    bool has_problem_file, has_split;
    bool split_started;
    struct fix fix;
    bool write_failed;  /* of the list of problems */
    struct buf message; /* what could not be written */
};

int check_open(const struct run_settings *settings, const struct person *person, bool for_sending,
               struct intake **ret_intake)
{
    bool reads_once = !for_sending && !settings->online;
    struct intake_options options = {
        .path = settings->input,
        .has_format = settings->format > 0,
        .format = settings->format > 0 ? (enum input_format)(settings->format - 1) : INPUT_CSV,
        .sheet = settings->sheet,
        .encoding = settings->encoding,
        .delimiter = settings->delimiter,
        .header_line = (uint64_t)settings->header_line,
        .dialect = settings->dialect,
        .any_device = settings->imei == IMEI_ANY,
        .max_row_bytes = (size_t)settings->max_row_bytes,
        .sets = &settings->sets,
        .maps = &settings->maps,
        .passes = &settings->passes,
        .keep_raw = settings->split_valid != NULL || settings->split_invalid != NULL,
        .strict = settings->strict,
        .trues = &settings->trues,
        .falses = &settings->falses,
        .allow_replace = settings_allow_replace(settings),
        .allow_mixed = settings->yes,
        .for_sending = for_sending,
        .reads_once = reads_once,
        .with_names = settings->dated,
        .rate_per_s = sending_rate_per_s(settings),
        .now_s = (int64_t)time(NULL),
    };
    struct buf message;

    options.embargo_s = embargo_end(settings, options.now_s);
    buf_init_text(&message, 64 * 1024);
    enum status status = intake_open(&options, &message, ret_intake);
    if (status == STATUS_USAGE)
        fix_add_format(settings, person, &message);
    if (status != STATUS_OK)
        person_failure(person, &message, status);
    buf_deinit(&message);
    if (status == STATUS_OK)
        return 0;
    return status == STATUS_USAGE ? EXIT_USAGE : EXIT_INTERNAL;
}

static void on_problems(void *context, const struct problems *problems)
{
    struct inspection *inspection = context;
    bool is_shown = !inspection->settings->fix || problems->row == 0;

    if (!fix_is_of_header(&inspection->fix, problems) && is_shown)
        inspection->person->ops->problems(inspection->person, inspection->input, problems);
    if (inspection->has_problem_file &&
        problem_file_add(&inspection->problem_file, problems) != STATUS_OK)
        inspection->write_failed = true;
}

static enum status on_row(void *context, struct intake *intake, bool is_valid)
{
    struct inspection *inspection = context;
    struct span bytes = {NULL, 0};
    enum status status = STATUS_OK;

    inspection->fix.has_rows = true;
    if (inspection->write_failed)
        return STATUS_IO;
    if (!inspection->has_split)
        return STATUS_OK;
    if (!inspection->split_started) {
        status = intake_raw_header(intake, &bytes);
        if (status == STATUS_OK)
            status = split_add_header(&inspection->split, bytes);
        inspection->split_started = true;
    }
    if (status == STATUS_OK)
        status = intake_raw_row(intake, &bytes);
    return status == STATUS_OK ? split_add_row(&inspection->split, bytes, is_valid) : status;
}

static enum status on_tick(void *context, const struct intake *intake, uint64_t rows)
{
    struct inspection *inspection = context;
    const struct source *source = intake_source(intake);

    uint64_t bytes = source_taken(source), all = source_size(source);
    bool is_known = all > 0 && bytes <= all;

    inspection->person->ops->checked(inspection->person, rows,
                                     is_known ? (double)bytes / (double)all : -1);
    return interrupt_signal() == 0 ? STATUS_OK : STATUS_INTERRUPTED;
}

static enum status open_files(struct inspection *inspection)
{
    const struct run_settings *settings = inspection->settings;
    enum status status = STATUS_OK;

    if (settings->problems != NULL) {
        status =
            problem_file_open(&inspection->problem_file, settings->problems, &inspection->message);
        inspection->has_problem_file = status == STATUS_OK;
    }
    if (status == STATUS_OK && (settings->split_valid != NULL || settings->split_invalid != NULL)) {
        status = split_open(&inspection->split, settings->split_valid, settings->split_invalid,
                            &inspection->message);
        inspection->has_split = true; /* one half may be open: it is closed with the other */
    }
    return status;
}

static enum status close_files(struct inspection *inspection)
{
    struct outfile *file = &inspection->problem_file.file;
    enum status status = STATUS_OK;

    if (inspection->has_problem_file) {
        status = outfile_close(file);
        if (status != STATUS_OK)
            buf_add_string(&inspection->message, outfile_error(file));
        outfile_deinit(file);
    }
    if (inspection->has_split) {
        enum status split = split_close(&inspection->split, &inspection->message);
        status = status == STATUS_OK ? split : status;
    }
    return status;
}

/* What is to be known of what was read. */
static void show_notes(const struct inspection *inspection, const struct intake *intake)
{
    struct buf notes;

    buf_init_text(&notes, 64 * 1024);
    intake_add_notes(intake, &notes);
    const char *line = buf_string(&notes);
    for (size_t len; *line != '\0'; line += len + 1) {
        len = strcspn(line, "\n");
        person_note(inspection->person, "%s: %.*s", inspection->input, (int)len, line);
    }
    buf_deinit(&notes);
}

/* What is documented is worth a line where it takes a while. */
static void show_time(const struct inspection *inspection, uint64_t rows)
{
    bool is_documented;
    const struct rate rate = sending_rate(inspection->settings, &is_documented);
    double seconds = (double)rows * (double)rate.per_ms / 1000 / (double)rate.count;
    struct buf text;

    if (rate.count == 0 || rows == 0 || (is_documented && seconds < 1))
        return;
    buf_init_text(&text, 256);
    when_add_duration(seconds, &text);
    person_note(inspection->person, "sending the valid rows takes %s at %lld/%s%s",
                buf_string(&text), (long long)rate.count,
                rate.per_ms == 1000    ? "s"
                : rate.per_ms == 60000 ? "m"
                                       : "h",
                is_documented ? ", which the platform documents" : "");
    buf_deinit(&text);
}

static void show_counts(const struct inspection *inspection, const struct check_counts *counts)
{
    struct buf text;

    buf_init_text(&text, 4096);
    buf_add_format(&text, "%s: %s row%s, %s valid, %s invalid, %s warning%s", inspection->input,
                   figure(counts->rows).text, counts->rows == 1 ? "" : "s",
                   figure(counts->valid).text, figure(counts->invalid).text,
                   figure(counts->warnings).text, counts->warnings == 1 ? "" : "s");
    if (counts->settled > 0)
        buf_add_format(&text, ", %s with a result already", figure(counts->settled).text);
    const char *format = "; %s %s";
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        if (counts->actions[i] == 0)
            continue;
        buf_add_format(&text, format, figure(counts->actions[i]).text, action_rules[i].name);
        format = ", %s %s";
    }
    if (counts->devices > 0)
        buf_add_format(&text, " for %s device%s", figure(counts->devices).text,
                       counts->devices == 1 ? "" : "s");
    person_note(inspection->person, "%s", buf_string(&text));
    buf_deinit(&text);
    show_time(inspection, counts->valid);
}

/* Where what was asked for is. */
static void show_files(const struct inspection *inspection)
{
    const struct run_settings *settings = inspection->settings;
    bool has_problems = inspection->has_problem_file && strcmp(settings->problems, "-") != 0;

    if (has_problems)
        person_note(inspection->person, "problems: %s", settings->problems);
    if (inspection->has_split && settings->split_valid != NULL)
        person_note(inspection->person, "valid rows: %s", settings->split_valid);
    if (inspection->has_split && settings->split_invalid != NULL)
        person_note(inspection->person, "invalid rows: %s", settings->split_invalid);
}

/* How long all can be taken back once it is sent. */
static void show_embargo(const struct inspection *inspection, const struct check_counts *counts)
{
    const struct run_settings *settings = inspection->settings;
    double left_s = (double)settings->embargo_ms / 1000, spare_s;
    struct buf text;

    if (settings->embargo_ms == 0 || counts->valid == 0)
        return;
    buf_init_text(&text, 4096);
    if (!embargo_spare(settings, counts->valid, left_s, &spare_s)) {
        buf_add_string(&text, "how long the embargo outlasts the sending is known with --rate");
    } else if (spare_s > 0) {
        when_add_duration(spare_s, &text);
        buf_add_string(&text, " of the embargo are left once all is sent");
    }
    if (text.len > 0)
        person_note(inspection->person, "%s", buf_string(&text));
    buf_deinit(&text);
}

/* What a check comes to: 0 or an exit status, after the reason was said. */
static int conclude(struct inspection *inspection, const struct intake *intake, enum status status,
                    int error, const struct check_counts *counts)
{
    const char *name = inspection->input;

    if (close_files(inspection) != STATUS_OK || inspection->message.len > 0) {
        person_error(inspection->person, "%s", buf_string(&inspection->message));
        return EXIT_INTERNAL;
    }
    if (status == STATUS_INTERRUPTED)
        return EXIT_SIGNAL + interrupt_signal();
    if (status == STATUS_CHANGED) {
        person_error(inspection->person,
                     "input changed: %s is not what it was when its devices were asked: see what "
                     "writes to it, and call this once more",
                     name);
        return EXIT_INPUT_INVALID;
    }
    if (status != STATUS_OK && status != STATUS_BAD_INPUT) {
        person_error(inspection->person, "%s: %s", name,
                     status == STATUS_IO ? strerror(error) : status_text(status));
        return EXIT_INTERNAL;
    }
    if (fix_take_rows(&inspection->fix, intake, counts) != STATUS_OK)
        return EXIT_INTERNAL;
    fix_show(&inspection->fix);
    if (inspection->settings->fix)
        return fix_give(&inspection->fix, counts->is_unreadable);
    inspection->person->ops->problem_counts(inspection->person);
    fix_show_words(&inspection->fix);
    if (!counts->is_unreadable)
        show_notes(inspection, intake);
    if (!counts->is_unreadable)
        show_counts(inspection, counts);
    if (!counts->is_unreadable)
        show_embargo(inspection, counts);
    show_files(inspection);
    return counts->file_is_bad || counts->invalid > 0 ? EXIT_INPUT_INVALID : 0;
}

int check_input(struct intake *intake, const struct run_settings *settings,
                const struct person *person, struct check_counts *ret_counts)
{
    const char *name = source_name(intake_source(intake));
    struct inspection inspection = {.settings = settings,
                                    .person = person,
                                    .input = name,
                                    .fix = {.settings = settings, .person = person, .input = name}};
    const struct check_hooks hooks = {.problems = on_problems,
                                      .row = on_row,
                                      .tick = on_tick,
                                      .context = &inspection};
    struct check_counts counts = {.rows = 0};
    struct buf doing;

    buf_init_text(&inspection.message, 64 * 1024);
    if (open_files(&inspection) != STATUS_OK) {
        person_error(person, "%s", buf_string(&inspection.message));
        (void)close_files(&inspection);
        buf_deinit(&inspection.message);
        return EXIT_USAGE;
    }
    buf_init_text(&doing, 64 * 1024);
    buf_add_format(&doing, "checking %s", name);
    person->ops->begin(person, buf_string(&doing), NULL);
    enum status status = job_check(intake, &hooks, &counts);
    int error = errno;
    person->ops->end(person);
    int result = conclude(&inspection, intake, status, error, &counts);
    fix_deinit(&inspection.fix);
    buf_deinit(&doing);
    buf_deinit(&inspection.message);
    *ret_counts = counts;
    return result;
}

/* Whether the operator wants what mode 1 does; asked where there is somebody to ask. */
static bool confirm_replace(const struct person *person, uint64_t replaced)
{
    char question[240], otherwise[240];
    unsigned long long count = replaced;
    const char *plural = replaced == 1 ? "" : "s";

    buf_copy_format(question, sizeof(question),
                    "Replace %llu instance%s, deleting what is not named?", count, plural);
    buf_copy_format(otherwise, sizeof(otherwise),
                    "%llu instance%s would be replaced (mode 1): say --allow-replace if that is "
                    "meant",
                    count, plural);
    return person_consents(person, question, otherwise);
}

/* Whether columns of mixed values are meant. The check has told of them, or comes later, behind the
 * questions of --online. */
static bool confirm_doubts(const struct run_settings *settings, const struct person *person,
                           const struct check_counts *counts)
{
    char otherwise[PROBLEM_DOUBT_MAX + 200], more[160] = "";
    char question[sizeof(otherwise)];

    if (counts->doubts > 1)
        buf_copy_format(more, sizeof(more), " (and %llu more of this kind: see nbatch check)",
                        (unsigned long long)counts->doubts - 1);
    buf_copy_format(otherwise, sizeof(otherwise),
                    "%s%s: correct the values, or say --yes where they are meant",
                    counts->first_doubt, more);
    if (settings->online)
        buf_copy_format(question, sizeof(question), "%s%s: send the values as they are?",
                        counts->first_doubt, more);
    else
        buf_copy_format(question, sizeof(question),
                        "Send the values that are warned of as they are?");
    return person_consents(person, question, otherwise);
}

int check_consent(const struct run_settings *settings, const struct person *person,
                  const struct check_counts *counts)
{
    if (counts->replaced > 0 && !settings_allow_replace(settings) &&
        !confirm_replace(person, counts->replaced))
        return EXIT_INPUT_INVALID;
    if (counts->doubts > 0 && !settings->yes && !confirm_doubts(settings, person, counts))
        return EXIT_INPUT_INVALID;
    return 0;
}

/* Why nothing is sent, for the log too, where nobody sees the list: "E-IMEI 12, E-RANGE 3". */
static void add_codes(const struct check_counts *counts, bool is_strict, struct buf *out)
{
    const char *separator = "";

    for (size_t i = 0; i < PROBLEM_CODE_COUNT; i++) {
        if (counts->codes[i] == 0 || (problem_code_is_warning((enum problem_code)i) && !is_strict))
            continue;
        buf_add_format(out, "%s%s %llu", separator, problem_code_name((enum problem_code)i),
                       (unsigned long long)counts->codes[i]);
        separator = ", ";
    }
}

static void refuse_to_send(const struct person *person, const struct check_counts *counts,
                           bool is_strict, bool some_good)
{
    struct buf codes;

    buf_init(&codes, 16 * 1024);
    add_codes(counts, is_strict, &codes);
    if (some_good)
        person_error(person,
                     "%llu of %llu rows %s invalid (%s); nothing was sent; fix them, or send the "
                     "valid ones with --skip-invalid",
                     (unsigned long long)counts->invalid, (unsigned long long)counts->rows,
                     counts->invalid == 1 ? "is" : "are", buf_string(&codes));
    else
        person_error(person, "the input cannot be used (%s); nothing was sent", buf_string(&codes));
    buf_deinit(&codes);
}

int check_for_sending(struct intake *intake, const struct run_settings *settings,
                      const struct person *person, struct check_counts *ret_counts)
{
    int result = check_input(intake, settings, person, ret_counts);
    const struct check_counts *counts = ret_counts;
    bool some_good = counts->valid + counts->settled > 0 && !counts->file_is_bad;

    if (result == EXIT_INPUT_INVALID && some_good && settings->skip_invalid) {
        person_note(person, "the invalid rows are recorded and not sent (--skip-invalid)");
        result = 0;
    }
    if (result == EXIT_INPUT_INVALID)
        refuse_to_send(person, counts, settings->strict, some_good);
    return result;
}

static void add_codes_json(const struct check_counts *counts, struct buf *out)
{
    const char *separator = "";

    buf_add_string(out, ",\"problems\":{");
    for (size_t i = 0; i < PROBLEM_CODE_COUNT; i++) {
        if (counts->codes[i] == 0)
            continue;
        buf_add_format(out, "%s\"%s\":%llu", separator, problem_code_name((enum problem_code)i),
                       (unsigned long long)counts->codes[i]);
        separator = ",";
    }
    buf_add_char(out, '}');
}

static void add_counts_json(const struct check_counts *counts, struct buf *out)
{
    buf_add_format(out, ",\"rows\":%llu,\"valid\":%llu,\"invalid\":%llu,\"warnings\":%llu",
                   (unsigned long long)counts->rows, (unsigned long long)counts->valid,
                   (unsigned long long)counts->invalid, (unsigned long long)counts->warnings);
    buf_add_format(out, ",\"devices\":%llu,\"replaced_instances\":%llu,\"actions\":{",
                   (unsigned long long)counts->devices, (unsigned long long)counts->replaced);
    for (size_t i = 0; i < ACTION_COUNT; i++)
        buf_add_format(out, "%s\"%s\":%llu", i > 0 ? "," : "", action_rules[i].name,
                       (unsigned long long)counts->actions[i]);
    buf_add_char(out, '}');
    add_codes_json(counts, out);
}

static int print_json(const struct run_settings *settings, const struct person *person,
                      const char *name, const struct check_counts *counts,
                      const struct online *online, int exit_status)
{
    double rate = sending_rate_per_s(settings), embargo_s = (double)settings->embargo_ms / 1000,
           spare_s;
    struct buf out;

    buf_init(&out, 64 * 1024);
    buf_add_string(&out, "{\"command\":\"check\",\"input\":");
    buf_add_json_string(&out, span_string(name));
    add_counts_json(counts, &out);
    if (rate > 0)
        buf_add_format(&out, ",\"estimated_s\":%.0f", (double)counts->valid / rate);
    if (embargo_s > 0)
        buf_add_format(&out, ",\"embargo_s\":%.0f", embargo_s);
    if (embargo_s > 0 && embargo_spare(settings, counts->valid, embargo_s, &spare_s))
        buf_add_format(&out, ",\"embargo_spare_s\":%.0f", spare_s);
    online_add_json(online, &out);
    buf_add_format(&out, ",\"usable\":%s,\"exit_status\":%d}",
                   counts->file_is_bad ? "false" : "true", exit_status);
    buf_add_char(&out, '\n');
    bool written = out.status == STATUS_OK && person_give(person, buf_span(&out));
    buf_deinit(&out);
    return written ? exit_status : EXIT_INTERNAL;
}

int check_passed(const struct intake *intake, const struct person *person)
{
    size_t count;
    const struct span *passed = intake_passed(intake, &count);

    for (size_t i = 0; i < count; i++) {
        if (!result_has_column(passed[i]))
            continue;
        person_error(person, "--pass %.*s: the results have a column of that name of their own",
                     SPAN_ARG(passed[i]));
        return EXIT_USAGE;
    }
    return 0;
}

int check_problem_path(const struct run_settings *settings, const struct person *person)
{
    struct buf message;

    if (settings->problems == NULL)
        return 0;
    bool is_stdout = strcmp(settings->problems, "-") == 0;
    if (is_stdout && settings->json) {
        person_error(person,
                     "--json and --problems - both go to standard output: name a file for one");
        return EXIT_USAGE;
    }
    if (is_stdout && settings->output != NULL && strcmp(settings->output, "-") == 0) {
        person_error(person,
                     "--output - and --problems - both go to standard output: name a file for one");
        return EXIT_USAGE;
    }
    buf_init_text(&message, 64 * 1024);
    enum status status = problem_file_probe(settings->problems, &message);
    if (status != STATUS_OK)
        person_error(person, "%s", buf_string(&message));
    buf_deinit(&message);
    return status == STATUS_OK ? 0 : EXIT_USAGE;
}

/* What can be known to go wrong with the files before a large input is read. */
static int check_split_paths(const struct run_settings *settings, const struct person *person)
{
    struct buf message;

    buf_init_text(&message, 64 * 1024);
    enum status status = split_probe(settings->split_valid, settings->split_invalid, &message);
    if (status != STATUS_OK)
        person_error(person, "%s", buf_string(&message));
    buf_deinit(&message);
    return status == STATUS_OK ? 0 : EXIT_USAGE;
}

int run_check(const struct run_settings *settings, const struct person *person)
{
    struct intake *intake = NULL;
    struct check_counts counts = {.rows = 0};
    struct online online;

    online_init(&online, settings, person);
    privacy_follow(settings->input);
    int result = check_problem_path(settings, person);
    if (result == 0)
        result = check_split_paths(settings, person);
    if (result == 0 && settings->fix && !fix_knows_format(settings))
        return fix_give_format(settings, person);
    if (result == 0)
        result = check_open(settings, person, false, &intake);
    if (result == 0 && settings->online && !settings->fix)
        result = online_check(&online, intake, &counts);
    if (result == 0)
        result = check_input(intake, settings, person, &counts);
    if (result == 0)
        result = embargo_check(settings, person, intake_embargo_s(intake), counts.valid);
    if (result > EXIT_SIGNAL && !online.has_asked)
        person_error(person, "%s while the input was read", interrupt_name(interrupt_signal()));
    if (settings->json && !settings->fix && intake != NULL)
        result = print_json(settings, person, source_name(intake_source(intake)), &counts, &online,
                            result);
    intake_close(intake);
    online_deinit(&online);
    return result;
}
