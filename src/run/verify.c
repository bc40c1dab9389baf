#include <errno.h>
#include <unistd.h>

#include "core/retranslate.h"
#include "platform/surplus.h"
#include "run/asking.h"
#include "run/owned.h"
#include "run/result_passed.h"
#include "run/sending.h"
#include "run/target.h"
#include "run/trace.h"
#include "run/use_cases.h"
#include "sim/uuid.h"

/*
 * nbatch verify: looks for the rows in doubt of a results file in the platform's history, and adds
 * a line for each that it finds, or finds missing. The results are opened as --resume opens them:
 * they are locked, and what a dead run has left is brought in first. Of a row in doubt its place in
 * the results is kept, and the places of what it has asked for in RESULTS.doubt.
 */

enum {
    LINE_BLOCK_BYTES = 16 * 1024, /* of the results are read to find a line */
    NOTES_MAX = 20,               /* rows of which it is said why they stay in doubt */
};

/* A record of RESULTS.doubt. */
struct doubt_place {
    size_t row;
    uint64_t offset;
    size_t size;
    uint32_t before, ambiguous;
    int64_t last_ms;
};

struct verifying {
    const struct run_settings *settings;
    const struct person *person;
    struct ledger *ledger;
    struct results results;
    struct result_scan scan; /* of single lines */
    struct buf header_text, text, error, passed_text, message;
    struct span passed[LAYOUT_PASSES_MAX];
    size_t passed_count;
    char *path, *doubt_path;
    struct trace_row *rows; /* in doubt, by device and row */
    size_t row_count, row_capacity;
    struct keytable by_key;      /* 1 + the place of a row; then of its device, as 1 */
    struct keytable devices;     /* of these rows */
    struct known_commands known; /* of accepted rows of these devices */
    int doubt_fd;                /* -1: there is none */
    struct doubt_place *doubts;
    size_t doubt_count, doubt_capacity;
    uint64_t found, missing, unclear, twice;
    bool has_asked;
    struct asking asking;
    struct trace trace;
};

static int fail(struct verifying *verifying, enum status status)
{
    person_failure(verifying->person, &verifying->message, status);
    buf_clear(&verifying->message);
    return status == STATUS_SYNTAX                          ? EXIT_INPUT_INVALID
           : status == STATUS_IO || status == STATUS_EXISTS ? EXIT_USAGE
                                                            : EXIT_INTERNAL;
}

static struct span column_text(struct verifying *verifying, const struct result_fields *fields,
                               enum result_column column, struct buf *text)
{
    buf_clear(text);
    result_unquote(fields->columns[column], verifying->results.jsonl, text);
    return buf_span(text);
}

/* Makes room for one more in an array of such elements. */
static void *grown(void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    size_t more = *capacity + *capacity / 2 + 1024;
    void *larger = realloc(array, more * size);
    if (larger != NULL)
        *capacity = more;
    return larger;
}

static enum status note(struct keytable *table, uint64_t key, uint32_t number)
{
    uint32_t *value;
    enum status status = keytable_slot(table, key, &value);

    if (status == STATUS_OK)
        *value = number;
    return status;
}

/* The rows in doubt. */

static enum status take_doubtful(void *context, const struct result_fields *fields)
{
    struct verifying *verifying = context;

    if (fields == NULL) { /* some keys have several lines: all comes once more */
        verifying->row_count = 0;
        return STATUS_OK;
    }
    if (fields->status != ROW_IN_DOUBT)
        return STATUS_OK;
    struct trace_row *rows =
        grown(verifying->rows, verifying->row_count, &verifying->row_capacity, sizeof(*rows));
    if (rows == NULL)
        return STATUS_NO_MEMORY;
    verifying->rows = rows;
    struct trace_row *row = &rows[verifying->row_count];
    *row = (struct trace_row){.id = fields->id,
                              .offset = fields->offset,
                              .ambiguous = fields->ambiguous,
                              .is_covered = true};
    (void)!device_read(column_text(verifying, fields, RESULT_device, &verifying->text),
                       &row->id.device); /* 0: it has none, and is nowhere */
    verifying->row_count++;
    return STATUS_OK;
}

static int compare_rows(const void *one, const void *other)
{
    const struct row_id *a = &((const struct trace_row *)one)->id,
                        *b = &((const struct trace_row *)other)->id;

    if (a->device != b->device)
        return a->device < b->device ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static enum status arrange_rows(struct verifying *verifying)
{
    enum status status = STATUS_OK;

    if (verifying->row_count > 0)
        qsort(verifying->rows, verifying->row_count, sizeof(*verifying->rows), compare_rows);
    for (size_t i = 0; i < verifying->row_count && status == STATUS_OK; i++) {
        const struct row_id *id = &verifying->rows[i].id;
        if (i >= UINT32_MAX - 1)
            return STATUS_TOO_BIG;
        status = note(&verifying->by_key, row_id_key(id), (uint32_t)i + 1);
        if (status == STATUS_OK)
            status = note(&verifying->devices, row_id_mix(id->device, 1), 1);
    }
    return status;
}

/* What other rows own: the uuid of each accepted line, whether it counts or not, and its surplus.
 */
static bool is_of_these(void *context, uint64_t device)
{
    const struct verifying *verifying = context;

    return keytable_get(&verifying->devices, row_id_mix(device, 1)) != 0;
}

/* What they have asked for. */

static enum status take_doubt(void *context, const struct doubt *doubt, uint64_t offset)
{
    struct verifying *verifying = context;
    uint32_t number = keytable_get(&verifying->by_key, row_id_key(&doubt->id));

    if (number == 0 || verifying->rows[number - 1].id.device != doubt->id.device)
        return STATUS_OK;
    struct doubt_place *doubts = grown(verifying->doubts, verifying->doubt_count,
                                       &verifying->doubt_capacity, sizeof(*doubts));
    if (doubts == NULL)
        return STATUS_NO_MEMORY;
    verifying->doubts = doubts;
    doubts[verifying->doubt_count++] =
        (struct doubt_place){.row = number - 1,
                             .offset = offset,
                             .size = doubt->target.len + doubt->body.len,
                             .before = doubt->before,
                             .ambiguous = doubt->ambiguous,
                             .last_ms = doubt->last_ms};
    return STATUS_OK;
}

static int compare_doubts(const void *one, const void *other)
{
    const struct doubt_place *a = one, *b = other;

    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

/* Gives each row its doubts. They must be of all its requests, one run's after the other's. */
static void arrange_doubts(struct verifying *verifying)
{
    if (verifying->doubt_count > 0)
        qsort(verifying->doubts, verifying->doubt_count, sizeof(*verifying->doubts),
              compare_doubts);
    for (size_t i = 0; i < verifying->doubt_count;) {
        struct trace_row *row = &verifying->rows[verifying->doubts[i].row];
        uint32_t known = 0;
        row->doubt = i;
        for (; i < verifying->doubt_count && &verifying->rows[verifying->doubts[i].row] == row;
             i++) {
            const struct doubt_place *doubt = &verifying->doubts[i];
            row->is_covered = row->is_covered && doubt->before == known;
            row->last_ms = doubt->last_ms > row->last_ms ? doubt->last_ms : row->last_ms;
            row->doubt_count++;
            known = doubt->ambiguous;
        }
        row->is_covered = row->is_covered && known == row->ambiguous;
    }
}

static enum status load(void *context, size_t doubt, struct buf *bytes, struct doubt *ret_doubt)
{
    const struct verifying *verifying = context;

    return doubt_get(&disk_real, verifying->doubt_fd, verifying->doubts[doubt].offset, bytes,
                     ret_doubt);
}

static size_t size_of(void *context, size_t doubt)
{
    const struct verifying *verifying = context;

    return verifying->doubts[doubt].size + DOUBT_HEAD_BYTES + 1;
}

static enum status read_doubts(struct verifying *verifying)
{
    verifying->doubt_path = doubt_path(verifying->path);
    if (verifying->doubt_path == NULL)
        return STATUS_NO_MEMORY;
    verifying->doubt_fd = disk_real.open(&disk_real, verifying->doubt_path, O_RDONLY, 0);
    if (verifying->doubt_fd < 0)
        return STATUS_OK; /* nothing is on record of any of them */
    enum status status = doubt_each(&disk_real, verifying->doubt_fd, take_doubt, verifying, NULL);
    if (status == STATUS_SYNTAX || status == STATUS_IO) {
        buf_add_printable(&verifying->message, span_string(verifying->doubt_path));
        buf_add_format(&verifying->message, ": %s",
                       status == STATUS_IO ? strerror(errno) : "it is no record of nbatch's");
    }
    arrange_doubts(verifying);
    return status;
}

/* The results. */

/* Opens them as --resume does. Their passed columns must be known before. */
static int open_ledger(struct verifying *verifying)
{
    struct results *results = &verifying->results;
    enum status status =
        results_open(results, &disk_real, verifying->settings->input, &verifying->message);

    if (status == STATUS_OK)
        status = result_passed_names(results, &verifying->header_text, verifying->passed,
                                     &verifying->passed_count);
    results_close(results);
    if (status != STATUS_OK)
        return fail(verifying, status);
    const struct ledger_options options = {.path = verifying->settings->input,
                                           .resume = true,
                                           .needs_input = true,
                                           .passed = verifying->passed,
                                           .passed_count = verifying->passed_count,
                                           .concurrency = 1};
    status = ledger_open(&options, &verifying->message, &verifying->ledger);
    if (status != STATUS_OK)
        return fail(verifying, status);
    verifying->path = strdup(ledger_path(verifying->ledger));
    return verifying->path != NULL ? 0 : fail(verifying, STATUS_NO_MEMORY);
}

static int read_results(struct verifying *verifying)
{
    struct results *results = &verifying->results;
    enum status status = results_open(results, &disk_real, verifying->path, &verifying->message);

    if (status == STATUS_OK)
        status = results_each_current(results, NULL, NULL, take_doubtful, verifying);
    if (status == STATUS_OK)
        status = arrange_rows(verifying);
    if (status == STATUS_OK && verifying->row_count > 0)
        status = owned_read(results, is_of_these, verifying, &verifying->known);
    if (status == STATUS_OK)
        status = read_doubts(verifying);
    if (status != STATUS_OK)
        return fail(verifying, status);
    result_scan_init(&verifying->scan, results->disk, results->fd, results->jsonl,
                     results->passed_count);
    verifying->scan.block_bytes = LINE_BLOCK_BYTES;
    return 0;
}

/* Accepted rows that are missing from the results own uuids that nobody knows of any more. */
static int check_completion(const struct verifying *verifying)
{
    unsigned long long missing = ledger_past(verifying->ledger)->accepted_missing;
    char otherwise[400];

    if (missing == 0 || verifying->settings->yes)
        return 0;
    buf_copy_format(
        otherwise, sizeof(otherwise),
        "%llu accepted row%s missing from the results, and a command of theirs could be "
        "taken for another row's: restore them from a copy, or say --yes",
        missing, missing == 1 ? " is" : "s are");
    return person_consents(verifying->person, "Accepted rows are missing from them: go on?",
                           otherwise)
               ? 0
               : EXIT_USAGE;
}

static int start_ledger(struct verifying *verifying)
{
    const struct ledger_past *past = ledger_past(verifying->ledger);
    const bool ran = past->has_journal;
    const struct ledger_about about = {
        .input = ran ? past->journal.input : "",
        .target = ran ? past->journal.target : verifying->asking.endpoint.origin,
        .with = (uint8_t)(ran ? past->journal.with : past->with),
        .input_size = ran ? past->journal.input_size : past->input_size,
        .input_hash = ran ? past->journal.input_hash : past->input_hash,
        .strange = ran ? past->journal.strange : 0};
    enum status status = ledger_start(verifying->ledger, &about, &verifying->message);

    return status == STATUS_OK ? 0 : fail(verifying, status);
}

/* Results that were complete are so again. */
static int finish_ledger(struct verifying *verifying)
{
    const struct ledger_past *past = ledger_past(verifying->ledger);
    struct store *store = ledger_store(verifying->ledger);
    bool is_complete =
        past->has_completion && !past->completion_is_damaged && past->accepted_missing == 0;

    if (store->finish(store, is_complete, &verifying->message) != STATUS_OK) {
        if (verifying->message.len == 0)
            buf_add_string(&verifying->message, store->error(store));
        person_failure(verifying->person, &verifying->message, STATUS_IO);
        return EXIT_INTERNAL;
    }
    doubt_settle(&disk_real, verifying->path);
    return 0;
}

/* What comes of a row. */

static enum status read_line(struct verifying *verifying, uint64_t offset,
                             struct result_fields *ret_fields)
{
    struct result_scan *scan = &verifying->scan;

    if (scan->at != offset || scan->to != verifying->results.size)
        result_scan_range(scan, offset, verifying->results.size);
    return result_scan_next(scan, ret_fields);
}

/* Adds the line. What is unclear has its line already. */
static enum status add_line(struct verifying *verifying, const struct trace_row *row,
                            const struct search_found *found, int64_t now_ms)
{
    struct store *store = ledger_store(verifying->ledger);
    struct cell cells[LAYOUT_PASSES_MAX];
    struct result_fields fields;
    enum status status = read_line(verifying, row->offset, &fields);

    if (status != STATUS_OK)
        return status;
    bool is_found = found->claim == CLAIM_FOUND;
    surplus_describe(found, &verifying->error);
    const struct result_record record = {
        .id = row->id,
        .device = column_text(verifying, &fields, RESULT_device, &verifying->text),
        .status = is_found ? ROW_ACCEPTED : ROW_FAILED,
        .uuid = span_string(is_found ? found->uuid : ""),
        .has_errno = is_found,
        .error = buf_span(&verifying->error),
        .attempts = fields.attempts,
        .ambiguous = is_found && fields.ambiguous > 1 ? fields.ambiguous : 0,
        .latency_us = -1,
        .finished_ms = now_ms,
        .passed = cells,
        .passed_count =
            result_passed_cells(&verifying->results, &fields, &verifying->passed_text, cells)};
    return store->end(store, STORE_NO_TICKET, &record);
}

static void tell_unclear(const struct verifying *verifying, const struct trace_row *row,
                         const char *why)
{
    struct buf shown; /* the results have it in English */

    buf_init_text(&shown, 64 * 1024);
    retranslate(span_string(why), &shown);
    person_note(verifying->person, "row %llu stays in doubt: %s", (unsigned long long)row->id.row,
                buf_string(&shown));
    buf_deinit(&shown);
}

static bool keep(void *context, const struct trace_row *row, const struct search_found *found,
                 int64_t now_ms)
{
    struct verifying *verifying = context;

    if (found->claim == CLAIM_UNCLEAR) {
        if (verifying->unclear++ < NOTES_MAX)
            tell_unclear(verifying, row, found->why);
        return true;
    }
    if (add_line(verifying, row, found, now_ms) != STATUS_OK)
        return false;
    verifying->found += found->claim == CLAIM_FOUND;
    verifying->missing += found->claim == CLAIM_NONE;
    verifying->twice += found->surplus.len > 0;
    return true;
}

/* Asking. */

static void add_standing(const void *context, struct buf *out)
{
    const struct verifying *verifying = context;
    unsigned long long settled = verifying->found + verifying->missing;

    buf_add_format(out, "%llu of %zu settled", settled, verifying->row_count);
}

static int refuse_rehearsal(const struct verifying *verifying)
{
    const struct ledger_past *past = ledger_past(verifying->ledger);

    if (verifying->asking.endpoint.loopback ||
        (past->with != WITH_SIMULATOR && !uuid_is_simulated(past->uuid)))
        return 0;
    person_error(
        verifying->person,
        "%s is of a rehearsal: the platform knows nothing of its commands; ask a simulator "
        "that keeps its state (nbatch simulate --state FILE) with --endpoint",
        verifying->path);
    return EXIT_USAGE;
}

static void prepare(struct verifying *verifying)
{
    const struct run_settings *settings = verifying->settings;
    struct trace_options options = {.dialect = settings->dialect,
                                    .rows = verifying->rows,
                                    .row_count = verifying->row_count,
                                    .known = &verifying->known,
                                    .context = verifying,
                                    .load = load,
                                    .size = size_of,
                                    .keep = keep};

    sending_settle(settings, options.settle_ms);
    verifying->known.is_prompt = settings->has_settle;
    trace_init(&verifying->trace, &options);
}

static int ask(struct verifying *verifying)
{
    const struct asking_subject subject = {.doing = "looking",
                                           .input = verifying->path,
                                           .output = verifying->path,
                                           .add_standing = add_standing,
                                           .context = verifying};
    int result = asking_open(&verifying->asking, verifying->settings, verifying->person);

    if (result == 0)
        result = refuse_rehearsal(verifying);
    if (result == 0)
        result = check_completion(verifying);
    if (result == 0)
        result = start_ledger(verifying);
    if (result != 0)
        return result;
    prepare(verifying);
    verifying->has_asked = true;
    result = asking_run(&verifying->asking, &verifying->trace.base, &subject);
    int finished = finish_ledger(verifying);
    return finished != 0 ? finished : result;
}

/* The end. */

static void add_numbers(const struct verifying *verifying, struct buf *out)
{
    unsigned long long settled = verifying->found + verifying->missing;

    if (verifying->row_count == 0) {
        buf_add_string(out, "no row is in doubt\n");
        return;
    }
    buf_add_format(out, "\n%llu of %zu rows in doubt are settled\n", settled, verifying->row_count);
    if (verifying->found > 0)
        buf_add_format(out, "  accepted %9llu  found in the platform's history\n",
                       (unsigned long long)verifying->found);
    if (verifying->missing > 0)
        buf_add_format(out, "  failed   %9llu  not there: safe to send again\n",
                       (unsigned long long)verifying->missing);
    if (settled < verifying->row_count)
        buf_add_format(out, "  in_doubt %9llu  it cannot be told\n",
                       verifying->row_count - settled);
    if (verifying->twice > 0)
        buf_add_format(
            out, "%llu device%s the command more than once: nbatch cancel takes all of them back\n",
            (unsigned long long)verifying->twice, verifying->twice == 1 ? " holds" : "s hold");
    buf_add_format(out, "%llu list%s and %llu look-up%s in %.2f s\n",
                   (unsigned long long)verifying->trace.lists,
                   verifying->trace.lists == 1 ? "" : "s",
                   (unsigned long long)verifying->trace.lookups,
                   verifying->trace.lookups == 1 ? "" : "s", verifying->asking.seconds);
}

static void add_steps(const struct verifying *verifying, struct buf *out)
{
    if (verifying->missing == 0 || verifying->settings->job_is_open)
        return;
    buf_add_string(out, "\nwhat to do now:\n- send what was not processed\n    ");
    asking_add_resume(verifying->person, verifying->settings, "failed", NULL, out);
    buf_add_char(out, '\n');
}

static int summarize(const struct verifying *verifying, int exit_status)
{
    unsigned long long settled = verifying->found + verifying->missing;
    struct buf text;

    buf_init_text(&text, 1024 * 1024);
    add_numbers(verifying, &text);
    add_steps(verifying, &text);
    if (!verifying->person->quiet)
        verifying->person->ops->tell(verifying->person, TELL_SUMMARY, buf_string(&text));
    if (verifying->settings->json) {
        buf_clear(&text);
        (void)buf_set_text(&text, false);
        buf_add_string(&text, "{\"command\":\"verify\",\"results\":");
        buf_add_json_string(&text, span_string(verifying->path));
        buf_add_format(&text,
                       ",\"accepted\":%llu,\"failed\":%llu,\"in_doubt\":%llu,\"twice\":%llu,"
                       "\"lists\":%llu,\"lookups\":%llu,\"seconds\":%.3f,\"exit_status\":%d}\n",
                       (unsigned long long)verifying->found, (unsigned long long)verifying->missing,
                       verifying->row_count - settled, (unsigned long long)verifying->twice,
                       (unsigned long long)verifying->trace.lists,
                       (unsigned long long)verifying->trace.lookups, verifying->asking.seconds,
                       exit_status);
        if (text.status != STATUS_OK || !person_give(verifying->person, buf_span(&text)))
            exit_status = EXIT_INTERNAL;
    }
    buf_deinit(&text);
    return exit_status;
}

static int run_steps(struct verifying *verifying)
{
    int result = open_ledger(verifying);

    if (result == 0)
        result = read_results(verifying);
    if (result != 0)
        return result;
    if (verifying->row_count > 0) {
        result = ask(verifying);
        if (!verifying->has_asked)
            return result;
    }
    if (result == 0 && verifying->found + verifying->missing < verifying->row_count)
        result = EXIT_IN_DOUBT;
    return summarize(verifying, result);
}

static void init(struct verifying *verifying, const struct run_settings *settings,
                 const struct person *person)
{
    verifying->settings = settings;
    verifying->person = person;
    verifying->results.fd = verifying->doubt_fd = -1;
    keytable_init(&verifying->by_key);
    keytable_init(&verifying->devices);
    known_commands_init(&verifying->known);
    buf_init(&verifying->header_text, RESULT_LINE_MAX);
    buf_init(&verifying->text, RESULT_LINE_MAX);
    buf_init(&verifying->error, RESULT_LINE_MAX);
    buf_init(&verifying->passed_text, RESULT_LINE_MAX);
    buf_init_text(&verifying->message, 64 * 1024);
}

int run_verify(const struct run_settings *settings, const struct person *person)
{
    struct verifying *verifying = calloc(1, sizeof(*verifying));

    if (verifying == NULL)
        return EXIT_INTERNAL;
    init(verifying, settings, person);
    int result = run_steps(verifying);
    trace_deinit(&verifying->trace);
    asking_close(&verifying->asking, result);
    result_scan_deinit(&verifying->scan);
    results_close(&verifying->results);
    ledger_close(verifying->ledger);
    if (verifying->doubt_fd >= 0)
        (void)disk_real.close(&disk_real, verifying->doubt_fd);
    keytable_deinit(&verifying->by_key);
    keytable_deinit(&verifying->devices);
    known_commands_deinit(&verifying->known);
    buf_deinit(&verifying->header_text);
    buf_deinit(&verifying->text);
    buf_deinit(&verifying->error);
    buf_deinit(&verifying->passed_text);
    buf_deinit(&verifying->message);
    free(verifying->rows);
    free(verifying->doubts);
    free(verifying->path);
    free(verifying->doubt_path);
    free(verifying);
    return result;
}
