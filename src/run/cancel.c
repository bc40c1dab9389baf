#include <errno.h>
#include <unistd.h>

#include "core/figure.h"
#include "core/text.h"
#include "core/when.h"
#include "ledger/results.h"
#include "ledger/undelivered.h"
#include "platform/surplus.h"
#include "report/cancel_summary.h"
#include "run/asking.h"
#include "run/privacy.h"
#include "run/sending.h"
#include "run/status_file.h"
#include "run/takeback.h"
#include "run/use_cases.h"
#include "sim/uuid.h"

/*
 * nbatch cancel: takes back exactly the commands of a results file that still wait. What is known
 * to have ended, by the status file or by an earlier cancel, is not asked for. Of the others the
 * places of their lines are kept (8 bytes each), and each line is read again when its turn comes.
 * What comes of each is written at once, so that a cancel that dies goes on where it was.
 */

enum { LINE_BLOCK_BYTES = 16 * 1024 }; /* of the results are read to find a line */

struct cancelling {
    const struct run_settings *settings;
    const struct person *person;
    struct results results;
    struct result_scan scan; /* of single lines */
    struct buf text, message;
    struct keytable ended; /* by undelivered_key: 1 + the outcome of what is known to have ended */
    uint64_t *offsets;     /* of the lines of the others */
    size_t lines, capacity, at;
    size_t count;               /* commands of these lines */
    struct buf error;           /* of the line that was read last, … */
    struct span surplus;        /* … and what of it is left to be read */
    struct takeback_command of; /* that line's */
    char *status_path, *path;
    struct outfile file;
    uint64_t outcomes[CANCEL_OUTCOME_COUNT], before[CANCEL_OUTCOME_COUNT];
    uint64_t doubtful, twice, kept;
    bool is_simulated; /* the first uuid is one of a simulator's */
    bool has_asked;
    struct asking asking;
    struct takeback takeback;
};

static int fail(struct cancelling *cancelling, enum status status)
{
    person_failure(cancelling->person, &cancelling->message, status);
    buf_clear(&cancelling->message);
    return status == STATUS_SYNTAX                          ? EXIT_INPUT_INVALID
           : status == STATUS_IO || status == STATUS_EXISTS ? EXIT_USAGE
                                                            : EXIT_INTERNAL;
}

/* What is known to have ended. */

static enum status note_ended(struct cancelling *cancelling, const struct row_id *id,
                              struct span uuid, enum cancel_outcome outcome)
{
    uint32_t *value;
    enum status status = keytable_slot(&cancelling->ended, undelivered_key(id, uuid), &value);

    if (status == STATUS_OK)
        *value = 1 + outcome;
    return status;
}

/* A damaged one keeps nobody from taking back what waits: it only saves questions. */
static void read_status(struct cancelling *cancelling)
{
    struct status_file file;
    struct status_line line;
    enum status status =
        status_file_open(&file, &disk_real, cancelling->status_path, &cancelling->message);

    while (status == STATUS_OK) {
        status = status_file_next(&file, &line);
        if (status != STATUS_OK)
            break;
        const struct delivery_facts facts = status_line_facts(&line, HISTORY_NONE);
        if (delivery_is_final(&facts))
            status = note_ended(cancelling, &line.id, line.uuid, cancel_outcome_of(line.state));
    }
    status_file_close(&file);
    if (cancelling->message.len > 0)
        person_error(cancelling->person, "%s; going on without it",
                     buf_string(&cancelling->message));
    buf_clear(&cancelling->message);
}

/* Of several lines of a uuid the last counts. */
static enum status read_earlier(struct cancelling *cancelling)
{
    struct table_scan table;
    struct cancelled_line line;
    enum status status =
        cancelled_file_open(&table, &disk_real, cancelling->path, &cancelling->message);

    while (status == STATUS_OK) {
        status = cancelled_file_next(&table, &line);
        if (status == STATUS_OK && cancel_words[line.outcome].is_final)
            status = note_ended(cancelling, &line.id, line.uuid, line.outcome);
    }
    table_scan_close(&table);
    return status == STATUS_END ? STATUS_OK : status;
}

/* The commands. */

static struct span column_text(struct cancelling *cancelling, const struct result_fields *fields,
                               enum result_column column)
{
    buf_clear(&cancelling->text);
    result_unquote(fields->columns[column], cancelling->results.jsonl, &cancelling->text);
    return buf_span(&cancelling->text);
}

static enum status add_offset(struct cancelling *cancelling, uint64_t offset)
{
    if (cancelling->lines == cancelling->capacity) {
        size_t capacity = cancelling->capacity + cancelling->capacity / 2 + 1024;
        uint64_t *offsets = realloc(cancelling->offsets, capacity * sizeof(*offsets));
        if (offsets == NULL)
            return STATUS_NO_MEMORY;
        cancelling->offsets = offsets;
        cancelling->capacity = capacity;
    }
    cancelling->offsets[cancelling->lines++] = offset;
    return STATUS_OK;
}

/* The error of a line, which may name further commands of its row (platform/surplus.h). */
static struct span error_text(struct cancelling *cancelling, const struct result_fields *fields)
{
    buf_clear(&cancelling->error);
    result_unquote(fields->columns[RESULT_error], cancelling->results.jsonl, &cancelling->error);
    return buf_span(&cancelling->error);
}

static bool has_surplus(struct cancelling *cancelling, const struct result_fields *fields)
{
    struct span error = error_text(cancelling, fields), uuid;

    return surplus_take(&error, &uuid);
}

static uint32_t ended_as(const struct cancelling *cancelling, const struct row_id *id,
                         struct span uuid)
{
    return keytable_get(&cancelling->ended, undelivered_key(id, uuid));
}

/* How many commands of a row are to be taken back. */
static size_t count_open(struct cancelling *cancelling, const struct result_fields *fields,
                         struct span uuid)
{
    struct span error = error_text(cancelling, fields);
    size_t open = 0;

    do {
        uint32_t ended = ended_as(cancelling, &fields->id, uuid);
        open += ended == 0;
        if (ended > 0)
            cancelling->before[ended - 1]++;
    } while (surplus_take(&error, &uuid));
    return open;
}

static enum status refuse_line(struct cancelling *cancelling, const struct result_fields *fields,
                               const char *why)
{
    buf_clear(&cancelling->message);
    buf_add_printable(&cancelling->message, span_string(cancelling->results.path));
    buf_add_format(&cancelling->message, ": row %llu %s: the results were edited",
                   (unsigned long long)fields->id.row, why);
    return STATUS_SYNTAX;
}

static enum status take_result(void *context, const struct result_fields *fields)
{
    struct cancelling *cancelling = context;

    if (fields == NULL) { /* some keys have several lines: all comes once more */
        cancelling->lines = cancelling->count = cancelling->doubtful = cancelling->twice = 0;
        memset(cancelling->before, 0, sizeof(cancelling->before));
        return STATUS_OK;
    }
    bool has_uuid = fields->status == ROW_ACCEPTED && fields->columns[RESULT_uuid].len > 0;
    cancelling->doubtful +=
        fields->status == ROW_IN_DOUBT || (fields->status == ROW_ACCEPTED && !has_uuid);
    if (!has_uuid)
        return STATUS_OK;
    uint64_t device;
    if (!device_read(column_text(cancelling, fields, RESULT_device), &device))
        return refuse_line(cancelling, fields, "has no device's number");
    struct span uuid = column_text(cancelling, fields, RESULT_uuid);
    if (!operation_names_one(uuid))
        return refuse_line(cancelling, fields, "has a uuid that names no command");
    cancelling->is_simulated = cancelling->is_simulated || uuid_is_simulated(uuid);
    size_t open = count_open(cancelling, fields, uuid);
    cancelling->twice += fields->ambiguous > 0 && !has_surplus(cancelling, fields);
    cancelling->count += open;
    return open > 0 ? add_offset(cancelling, fields->offset) : STATUS_OK;
}

static int read_results(struct cancelling *cancelling)
{
    struct results *results = &cancelling->results;
    enum status status =
        results_open(results, &disk_real, cancelling->settings->input, &cancelling->message);

    if (status == STATUS_OK)
        status = results_each_current(results, NULL, NULL, take_result, cancelling);
    if (status != STATUS_OK)
        return fail(cancelling, status);
    memcpy(cancelling->outcomes, cancelling->before, sizeof(cancelling->outcomes));
    if (results->is_cut)
        person_error(cancelling->person,
                     "%s: the last line is not whole, and is left out: nbatch run --resume repairs "
                     "that",
                     results->path);
    result_scan_init(&cancelling->scan, results->disk, results->fd, results->jsonl,
                     results->passed_count);
    cancelling->scan.block_bytes = LINE_BLOCK_BYTES;
    return 0;
}

/* A line that was read before is not what it was: somebody writes to the results. */
static enum status changed(void)
{
    errno = ESTALE;
    return STATUS_IO;
}

static bool set_uuid(struct takeback_command *command, struct span uuid)
{
    uuid = text_trim_blanks(uuid);
    if (uuid.len > REPLY_UUID_MAX)
        return false;
    memcpy(command->uuid, uuid.ptr, uuid.len);
    command->uuid[uuid.len] = '\0';
    return true;
}

/* Reads the next line; lines that follow each other are read in one go. */
static enum status next_line(struct cancelling *cancelling)
{
    struct takeback_command *of = &cancelling->of;
    struct result_scan *scan = &cancelling->scan;
    struct result_fields fields;

    if (cancelling->at == cancelling->lines)
        return STATUS_END;
    uint64_t offset = cancelling->offsets[cancelling->at];
    if (scan->at != offset || scan->to != cancelling->results.size)
        result_scan_range(scan, offset, cancelling->results.size);
    enum status status = result_scan_next(scan, &fields);
    if (status == STATUS_SYNTAX || status == STATUS_END)
        return changed();
    if (status != STATUS_OK)
        return status;
    cancelling->at++;
    of->id = fields.id;
    cancelling->surplus = error_text(cancelling, &fields);
    if (!device_read(column_text(cancelling, &fields, RESULT_device), &of->id.device) ||
        !set_uuid(of, column_text(cancelling, &fields, RESULT_uuid)))
        return changed();
    return STATUS_OK;
}

/* The next command that is to be taken back: a line's, or a further one of its row. */
static enum status next_command(void *context, struct takeback_command *ret_command)
{
    struct cancelling *cancelling = context;
    struct span uuid;

    do {
        if (!surplus_take(&cancelling->surplus, &uuid)) {
            enum status status = next_line(cancelling);
            if (status != STATUS_OK)
                return status;
        } else if (!set_uuid(&cancelling->of, uuid)) {
            return changed();
        }
    } while (ended_as(cancelling, &cancelling->of.id, span_string(cancelling->of.uuid)) > 0);
    *ret_command = cancelling->of;
    return STATUS_OK;
}

static bool keep(void *context, const struct takeback_command *command,
                 const struct takeback_result *result)
{
    struct cancelling *cancelling = context;
    char device[DEVICE_TEXT_MAX + 1];

    device_write(command->id.device, device);
    const struct cancelled_line line = {.id = command->id,
                                        .device = span_string(device),
                                        .uuid = span_string(command->uuid),
                                        .outcome = result->outcome,
                                        .has_errno = result->has_errno,
                                        .platform_errno = result->platform_errno,
                                        .error = span_string(result->error),
                                        .finished_ms = result->finished_ms};
    cancelling->outcomes[result->outcome]++;
    cancelling->kept++;
    return cancelled_writer_add(&cancelling->file, &line) == STATUS_OK &&
           outfile_flush(&cancelling->file) == STATUS_OK;
}

/* What is shown. */

static void add_standing(const void *context, struct buf *out)
{
    const struct cancelling *cancelling = context;
    const uint64_t *outcomes = cancelling->outcomes;

    buf_add_format(out, "%llu taken back", (unsigned long long)outcomes[CANCEL_CANCELLED]);
    for (size_t i = CANCEL_CANCELLED + 1; i < CANCEL_OUTCOME_COUNT; i++)
        if (outcomes[i] > 0)
            buf_add_format(out, ", %llu %s", (unsigned long long)outcomes[i], cancel_words[i].word);
}

static void add_failure(const void *context, struct buf *out)
{
    const struct cancelling *cancelling = context;

    buf_add(out, buf_span(&cancelling->file.error));
}

static void on_event(void *context, enum job_event event, const struct job_status *status)
{
    struct cancelling *cancelling = context;

    (void)event;
    cancelling->takeback.clock_off_s = status->clock_off_s;
}

static void announce(const struct cancelling *cancelling)
{
    double rate = sending_rate_per_s(cancelling->settings);
    struct buf text;

    buf_init_text(&text, 4096);
    buf_add_format(&text, "%zu command%s to be taken back, one request each", cancelling->count,
                   cancelling->count == 1 ? "" : "s");
    if (rate > 0 && cancelling->count > 0) {
        buf_add_string(&text, ": ");
        when_add_duration((double)cancelling->count / rate, &text);
        buf_add_format(&text, " at %s", figure_rate(rate, "").text);
    }
    person_note(cancelling->person, "%s", buf_string(&text));
    buf_deinit(&text);
}

/* -n: the commands that would be taken back, as CSV. */
static int give_commands(struct cancelling *cancelling)
{
    struct takeback_command command;
    enum status status;
    struct buf out;

    buf_init(&out, 1024 * 1024 * 1024);
    buf_add_string(&out, "row," DEVICE_COLUMN ",uuid\n");
    while ((status = next_command(cancelling, &command)) == STATUS_OK) {
        char device[DEVICE_TEXT_MAX + 1];
        device_write(command.id.device, device);
        buf_add_format(&out, "%llu,%s,%s\n", (unsigned long long)command.id.row, device,
                       command.uuid);
    }
    bool given = status == STATUS_END && out.status == STATUS_OK &&
                 person_give(cancelling->person, buf_span(&out));
    buf_deinit(&out);
    announce(cancelling); /* behind them, where it is seen */
    return given ? EXIT_ALL_ACCEPTED : EXIT_INTERNAL;
}

/* Asking. */

static int refuse_rehearsal(struct cancelling *cancelling)
{
    if (!cancelling->is_simulated || cancelling->asking.endpoint.loopback)
        return 0;
    person_error(
        cancelling->person,
        "%s is of a rehearsal: the platform knows nothing of its commands; ask a simulator "
        "that keeps its state (nbatch simulate --state FILE) with --endpoint",
        cancelling->settings->input);
    return EXIT_USAGE;
}

static int confirm(const struct cancelling *cancelling)
{
    char question[300], otherwise[300];

    if (cancelling->settings->yes)
        return 0;
    buf_copy_format(question, sizeof(question), "Take back %zu command%s at %s?", cancelling->count,
                    cancelling->count == 1 ? "" : "s", cancelling->asking.endpoint.origin);
    buf_copy_format(otherwise, sizeof(otherwise),
                    "%zu command%s would be taken back: say --yes if that is meant, or -n to see "
                    "which",
                    cancelling->count, cancelling->count == 1 ? "" : "s");
    return person_consents(cancelling->person, question, otherwise) ? 0 : EXIT_USAGE;
}

/* Nobody else adds to it meanwhile. */
static int open_file(struct cancelling *cancelling)
{
    struct stat about = {.st_mode = 0600};

    (void)!disk_real.stat(&disk_real, cancelling->results.fd, &about); /* no wider than these */
    enum status status = cancelled_writer_open(&cancelling->file, &disk_real, cancelling->path,
                                               about.st_mode & 0666, &cancelling->message);
    if (status == STATUS_OK && disk_real.lock(&disk_real, cancelling->file.fd) != 0) {
        buf_add_printable(&cancelling->message, span_string(cancelling->path));
        buf_add_string(&cancelling->message, ": another nbatch cancel writes to it");
        status = STATUS_EXISTS;
    }
    return status == STATUS_OK ? 0 : fail(cancelling, status);
}

static int close_file(struct cancelling *cancelling)
{
    struct outfile *file = &cancelling->file;

    if (file->name == NULL)
        return 0;
    bool has_failed = file->failed; /* which was said */
    bool good = outfile_flush(file) == STATUS_OK && disk_real.sync(&disk_real, file->fd) == 0;
    if (outfile_close(file) == STATUS_OK && good)
        return 0;
    if (!has_failed)
        person_error(cancelling->person, "%s: %s", cancelling->path, strerror(errno));
    return EXIT_INTERNAL;
}

static int ask(struct cancelling *cancelling)
{
    const struct asking_subject subject = {.doing = "taking back",
                                           .input = cancelling->results.path,
                                           .output = cancelling->path,
                                           .calls = cancelling->count,
                                           .add_standing = add_standing,
                                           .add_failure = add_failure,
                                           .context = cancelling};
    const struct takeback_options options = {.dialect = cancelling->settings->dialect,
                                             .context = cancelling,
                                             .next = next_command,
                                             .keep = keep};
    int result = asking_open(&cancelling->asking, cancelling->settings, cancelling->person);

    if (result == 0)
        result = refuse_rehearsal(cancelling);
    if (result == 0)
        result = confirm(cancelling);
    if (result == 0)
        result = open_file(cancelling);
    if (result != 0)
        return result;
    takeback_init(&cancelling->takeback, &options);
    cancelling->asking.event = on_event;
    cancelling->asking.event_context = cancelling;
    cancelling->has_asked = true;
    result = asking_run(&cancelling->asking, &cancelling->takeback.base, &subject);
    int closed = close_file(cancelling);
    return closed != 0 ? closed : result;
}

/* The end. */

static uint64_t left(const struct cancelling *cancelling)
{
    return cancelling->count - cancelling->kept;
}

static int judge(const struct cancelling *cancelling)
{
    const uint64_t *outcomes = cancelling->outcomes;

    if (left(cancelling) + cancelling->doubtful + outcomes[CANCEL_IN_DOUBT] +
            outcomes[CANCEL_FAILED] + cancelling->results.is_cut >
        0)
        return EXIT_IN_DOUBT;
    return outcomes[CANCEL_TOO_LATE] + outcomes[CANCEL_MISSING] > 0 ? EXIT_SOME_NOT_ACCEPTED
                                                                    : EXIT_ALL_ACCEPTED;
}

static int show(struct cancelling *cancelling, const struct cancel_summary *summary)
{
    struct buf text;
    int result = summary->exit_status;

    buf_init_text(&text, 1024 * 1024);
    if (!cancelling->person->quiet) {
        cancel_summary_add_text(summary, &text);
        cancelling->person->ops->tell(cancelling->person, TELL_SUMMARY, buf_string(&text));
    }
    buf_clear(&text);
    (void)buf_set_text(&text, false);
    if (cancelling->settings->json) {
        cancel_summary_add_json(summary, &text);
        if (text.status != STATUS_OK || !person_give(cancelling->person, buf_span(&text)))
            result = EXIT_INTERNAL;
    }
    buf_deinit(&text);
    return result;
}

/* The next run finds what was taken back in the file beside the results, or else by nbatch status.
 */
static void add_resume(const struct cancelling *cancelling, struct buf *out)
{
    const struct run_settings *settings = cancelling->settings;

    if (settings->output != NULL) {
        person_add_call(cancelling->person, "status", asking_subject(settings), out);
        buf_add_string(out, " && ");
    }
    asking_add_resume(cancelling->person, settings, delivery_group_names[DELIVERY_CANCELLED], NULL,
                      out);
}

static int summarize(struct cancelling *cancelling, int exit_status)
{
    const uint64_t *outcomes = cancelling->outcomes;
    uint64_t open = left(cancelling) + outcomes[CANCEL_MISSING] + outcomes[CANCEL_IN_DOUBT] +
                    outcomes[CANCEL_FAILED];
    struct buf again, resume;

    buf_init(&again, 64 * 1024);
    buf_init(&resume, 64 * 1024);
    person_add_call(cancelling->person, "cancel", asking_subject(cancelling->settings), &again);
    add_resume(cancelling, &resume);
    const struct cancel_summary summary = {
        .results = cancelling->results.path,
        .output = cancelling->path,
        .outcomes = outcomes,
        .before = cancelling->before,
        .left = left(cancelling),
        .doubtful = cancelling->doubtful,
        .twice = cancelling->twice,
        .puts = cancelling->takeback.puts,
        .lookups = cancelling->takeback.lookups,
        .retries = cancelling->asking.job.retries,
        .seconds = cancelling->asking.seconds,
        .end = cancelling->has_asked ? asking_end_name(&cancelling->asking) : "complete",
        .again = open > 0 ? buf_string(&again) : NULL,
        .resume = outcomes[CANCEL_CANCELLED] > 0 && !cancelling->settings->job_is_open
                      ? buf_string(&resume)
                      : NULL,
        .exit_status = exit_status};
    exit_status = show(cancelling, &summary);
    buf_deinit(&again);
    buf_deinit(&resume);
    return exit_status;
}

static int choose_paths(struct cancelling *cancelling)
{
    const struct run_settings *settings = cancelling->settings;

    cancelling->status_path =
        settings->status != NULL ? strdup(settings->status) : status_file_path(settings->input);
    cancelling->path =
        settings->output != NULL ? strdup(settings->output) : cancelled_file_path(settings->input);
    if (cancelling->status_path == NULL || cancelling->path == NULL)
        return fail(cancelling, STATUS_NO_MEMORY);
    if (settings->status != NULL && access(settings->status, F_OK) != 0) {
        person_error(cancelling->person, "%s: %s", settings->status, strerror(errno));
        return EXIT_USAGE;
    }
    return 0;
}

static int run_steps(struct cancelling *cancelling)
{
    int result = choose_paths(cancelling);

    if (result != 0)
        return result;
    read_status(cancelling);
    enum status status = read_earlier(cancelling);
    if (status != STATUS_OK)
        return fail(cancelling, status);
    result = read_results(cancelling);
    if (result != 0)
        return result;
    if (cancelling->settings->dry_run)
        return give_commands(cancelling);
    if (cancelling->count > 0)
        announce(cancelling);
    if (cancelling->count > 0) {
        result = ask(cancelling);
        if (!cancelling->has_asked)
            return result;
    }
    return summarize(cancelling, result != 0 ? result : judge(cancelling));
}

int run_cancel(const struct run_settings *settings, const struct person *person)
{
    struct cancelling *cancelling = calloc(1, sizeof(*cancelling));

    if (cancelling == NULL)
        return EXIT_INTERNAL;
    cancelling->settings = settings;
    cancelling->person = person;
    cancelling->results.fd = -1;
    keytable_init(&cancelling->ended);
    buf_init(&cancelling->text, RESULT_LINE_MAX);
    buf_init(&cancelling->error, RESULT_LINE_MAX);
    buf_init_text(&cancelling->message, 64 * 1024);
    privacy_follow(settings->input);
    int result = run_steps(cancelling);
    takeback_deinit(&cancelling->takeback);
    asking_close(&cancelling->asking, result);
    outfile_deinit(&cancelling->file);
    result_scan_deinit(&cancelling->scan);
    results_close(&cancelling->results);
    keytable_deinit(&cancelling->ended);
    free(cancelling->offsets);
    free(cancelling->status_path);
    free(cancelling->path);
    buf_deinit(&cancelling->text);
    buf_deinit(&cancelling->error);
    buf_deinit(&cancelling->message);
    free(cancelling);
    return result;
}
