#include "engine/intake.h"

#include "core/when.h"
#include "ledger/doubt.h"
#include "platform/fleet.h"
#include "platform/kinds.h"

/* What the first pass remembers of a row that is good by itself and was found bad beside the
 * others: its verdict, by meaning. */
struct crossed_row {
    uint64_t row;
    enum problem_code first_error;
};

struct intake {
    struct intake_options options;
    struct source *source;
    struct reader *reader;
    struct layout layout;
    struct span passed[LAYOUT_PASSES_MAX]; /* names */
    uint64_t rows;
    uint64_t good_rows;
    int64_t later_s;       /* as command_context has it */
    bool again;            /* this is the second pass */
    struct fleet *fleet;   /* of the first pass */
    struct kinds *kinds;   /* likewise */
    uint64_t device_count; /* what it found, once it is gone */
    uint64_t replaced_count;
    struct store *store;              /* NULL: none */
    intake_leaves_out_fn *leaves_out; /* NULL: none is */
    const void *leaves_out_context;
    struct store_row known;
    bool is_lost; /* the row that was read last comes behind one that leaves open what it is */
    struct footprint footprint;
    struct buf target;           /* of a row that a dead run may have sent */
    struct buf raw;              /* bytes of a row as the input has them, where it is encoded */
    struct crossed_row *crossed; /* in order */
    size_t crossed_count, crossed_capacity;
    size_t next_crossed; /* the next one that the second pass will meet */
};

/* Says why the input's format is not known. */
static enum status refuse_format(const char *path, struct buf *message)
{
    if (strcmp(path, "-") == 0) {
        buf_add_string(message,
                       "standard input: say what it is with --format csv or --format jsonl");
        return STATUS_USAGE;
    }
    buf_add_printable(message, span_string(path));
    if (reader_is_spreadsheet(path))
        buf_add_string(message, ": this kind of spreadsheet cannot be read; save it as .xlsx, or "
                                "the sheet as CSV (in Excel: \"CSV UTF-8\")");
    else
        buf_add_string(message, ": its name ends neither in .csv nor in .jsonl, .ndjson (also with "
                                ".gz or .zst behind it) or .xlsx; say what it is with --format "
                                "csv, jsonl or xlsx");
    return STATUS_USAGE;
}

static enum status refuse(const struct intake_options *options, struct buf *message,
                          const char *what)
{
    buf_add_printable(message, span_string(strcmp(options->path, "-") == 0 ? "standard input"
                                                                           : options->path));
    buf_add_format(message, ": %s", what);
    return STATUS_USAGE;
}

/* What is a workbook by its first bytes is one, whatever its name. */
static enum status find_format(const struct intake_options *options, const struct source *source,
                               struct buf *message, enum input_format *ret_format)
{
    enum input_format format = options->format;

    if (source_is_workbook(source)) {
        if (options->has_format && format == INPUT_JSONL)
            return refuse(options, message,
                          "it is a workbook (.xlsx), not JSONL: leave --format "
                          "out");
        *ret_format = INPUT_XLSX;
        return STATUS_OK;
    }
    if (!options->has_format && !reader_format_of(options->path, &format))
        return refuse_format(options->path, message);
    if (format == INPUT_XLSX && !source_is_seekable(source))
        return refuse(options, message,
                      "a workbook (.xlsx) cannot be read from a pipe: give the "
                      "file by its name, or with <");
    if (format == INPUT_XLSX && !options->has_format &&
        reader_plain_name(options->path).len != strlen(options->path))
        return refuse(options, message,
                      "a workbook (.xlsx) that is compressed once more cannot be "
                      "read: unpack it, and give that");
    if (format == INPUT_XLSX)
        return refuse(options, message,
                      "it is no workbook (.xlsx), whatever it is called: where "
                      "it is a CSV, say --format csv");
    *ret_format = format;
    return STATUS_OK;
}

typedef enum status add_fn(struct layout *layout, const char *text, struct buf *message);

static enum status add_words(struct layout *layout, add_fn *add, const struct word_list *words,
                             struct buf *message)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; words != NULL && i < words->count && status == STATUS_OK; i++)
        status = add(layout, words->items[i], message);
    return status;
}

/* Takes down what the operator says about the columns. */
static enum status arrange(struct intake *intake, struct buf *message)
{
    const struct intake_options *options = &intake->options;
    enum status status = add_words(&intake->layout, layout_add_set, options->sets, message);

    if (status == STATUS_OK)
        status = add_words(&intake->layout, layout_add_map, options->maps, message);
    if (status == STATUS_OK)
        status = add_words(&intake->layout, layout_add_pass, options->passes, message);
    if (status == STATUS_OK)
        status = add_words(&intake->layout, layout_add_true, options->trues, message);
    if (status == STATUS_OK)
        status = add_words(&intake->layout, layout_add_false, options->falses, message);
    for (size_t i = 0; i < intake->layout.pass_count; i++)
        intake->passed[i] = intake->layout.passes[i].input;
    return status;
}

/* What the first pass keeps of the rows. */
static enum status new_fleet(struct intake *intake)
{
    intake->fleet = malloc(sizeof(*intake->fleet));
    intake->kinds = malloc(sizeof(*intake->kinds));
    if (intake->fleet != NULL)
        fleet_init(intake->fleet);
    if (intake->kinds != NULL)
        kinds_init(intake->kinds);
    return intake->fleet != NULL && intake->kinds != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

static void free_fleet(struct intake *intake)
{
    kinds_deinit(intake->kinds);
    free(intake->kinds);
    intake->kinds = NULL;
    if (intake->fleet == NULL)
        return;
    intake->device_count = intake->fleet->device_count;
    intake->replaced_count = intake->fleet->replaced_count;
    fleet_deinit(intake->fleet);
    free(intake->fleet);
    intake->fleet = NULL;
}

/* Options that the format has no use for are a misunderstanding. */
static enum status check_format_options(const struct intake_options *options,
                                        enum input_format format, struct buf *message)
{
    if (format == INPUT_JSONL && options->delimiter != '\0')
        return refuse(options, message,
                      "it is JSONL, which has no delimiter: leave --delimiter out");
    if (format == INPUT_JSONL && options->header_line > 0)
        return refuse(options, message,
                      "it is JSONL, which has no header: leave --header-line out");
    if (format == INPUT_XLSX && options->delimiter != '\0')
        return refuse(options, message,
                      "it is a workbook, which has no delimiter: leave --delimiter out");
    if (format == INPUT_XLSX && options->encoding != NULL)
        return refuse(options, message,
                      "it is a workbook, whose encoding is known: leave --encoding out");
    if (format != INPUT_XLSX && options->sheet != NULL)
        return refuse(options, message, "it is no workbook (.xlsx): leave --sheet out");
    return STATUS_OK;
}

enum status intake_open(const struct intake_options *options, struct buf *message,
                        struct intake **ret_intake)
{
    struct intake *intake = calloc(1, sizeof(*intake));
    struct reader_options reader_options = {.max_row_bytes = options->max_row_bytes,
                                            .delimiter = options->delimiter,
                                            .header_line = options->header_line,
                                            .keep_raw = options->keep_raw};
    enum input_format format = INPUT_CSV;

    if (intake == NULL)
        return STATUS_NO_MEMORY;
    intake->options = *options;
    layout_init(&intake->layout);
    buf_init(&intake->target, 64 * 1024);
    buf_init(&intake->raw, 2 * (size_t)READER_RAW_MAX);
    /* A wrong path is said before a wrong extension. */
    enum status status = source_open(options->path, message, &intake->source);
    if (status == STATUS_OK && options->reads_once)
        source_read_once(intake->source);
    if (status == STATUS_OK)
        status = source_find_workbook(intake->source, options->sheet, options->header_line,
                                      options->max_row_bytes, message);
    if (status == STATUS_OK)
        status = find_format(options, intake->source, message, &format);
    if (status == STATUS_OK)
        status = arrange(intake, message);
    if (status == STATUS_OK)
        status = new_fleet(intake);
    if (status == STATUS_OK)
        status = check_format_options(options, format, message);
    reader_options.format = format == INPUT_XLSX ? INPUT_CSV : format;
    if (status == STATUS_OK && options->encoding != NULL)
        status = source_set_encoding(intake->source, options->encoding, message);
    if (status == STATUS_OK)
        status = reader_open(intake->source, &reader_options, &intake->reader);
    if (status != STATUS_OK) {
        intake_close(intake);
        return status;
    }
    *ret_intake = intake;
    return STATUS_OK;
}

void intake_close(struct intake *intake)
{
    if (intake == NULL)
        return;
    reader_close(intake->reader);
    source_close(intake->source);
    layout_deinit(&intake->layout);
    free_fleet(intake);
    buf_deinit(&intake->target);
    buf_deinit(&intake->raw);
    free(intake->crossed);
    free(intake);
}

/* Resolves the columns that the reader has met since the last time. */
static enum status learn_columns(struct intake *intake)
{
    for (size_t i = intake->layout.input_count; i < reader_column_count(intake->reader); i++) {
        enum status status =
            layout_add_column(&intake->layout, reader_column_name(intake->reader, i));
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status intake_start(struct intake *intake, struct problems *problems)
{
    problems->strict = intake->options.strict;
    enum status status = reader_header(intake->reader, problems);

    if (status == STATUS_OK)
        status = learn_columns(intake);
    if (status == STATUS_OK && intake->layout.input_count > 0)
        layout_check(&intake->layout, problems);
    if (status == STATUS_OK && problems->error_count > 0)
        status = STATUS_BAD_INPUT;
    return status;
}

/* A row that could not be read has no content to name it by: what is wrong with it serves
 * instead. */
static void name_bad_row(struct command *command, const struct row *row,
                         const struct problems *problems)
{
    command->row = row->number;
    command->line = row->line;
    command->hash = problems->name;
    command->device = 0;
    command->device_len = command->body_len = command->target_len = command->passed_count = 0;
    buf_clear(&command->text);
    buf_add_char(&command->text, '\0');
}

/* A row whose times pass before its turn comes, at the rate that is asked for. An embargo that does
 * is refused as a whole. */
static void check_turn(const struct intake *intake, const struct command *command,
                       struct problems *problems)
{
    double wait_s = (double)intake->good_rows / intake->options.rate_per_s;
    int64_t turn_s = intake->options.now_s + (int64_t)(wait_s + 0.001);
    const char *field = NULL;

    if (turn_s >= command->expires_at_s)
        field = "expired_time";
    else if (command->valid_at_s > intake->options.now_s && turn_s >= command->valid_at_s &&
             command->valid_at_s != intake->options.embargo_s)
        field = "valid_time";
    if (field == NULL)
        return;
    char turn[WHEN_PLATFORM_LENGTH + 1];
    when_format_platform(turn_s, turn);
    problem_add(problems, PROBLEM_LATE, span_string(field), span_of(NULL, 0),
                "will have passed when the row is sent, about %s (UTC+8) at this rate%s", turn,
                field[0] == 'v' ? "; it is left out then" : "");
}

static enum status remember_crossed(struct intake *intake, const struct problems *problems)
{
    if (intake->crossed_count == intake->crossed_capacity) {
        size_t capacity = intake->crossed_capacity > 0 ? intake->crossed_capacity * 2 : 64;
        struct crossed_row *rows = realloc(intake->crossed, capacity * sizeof(*rows));
        if (rows == NULL)
            return STATUS_NO_MEMORY;
        intake->crossed = rows;
        intake->crossed_capacity = capacity;
    }
    intake->crossed[intake->crossed_count++] =
        (struct crossed_row){problems->row, problems_first_error(problems)};
    return STATUS_OK;
}

/* The first pass: looks at a good row beside the others. */
static enum status compare_row(struct intake *intake, const struct row *shaped,
                               const struct command *command, struct problems *problems)
{
    bool leaves_now = intake->options.for_sending && !source_is_seekable(intake->source);
    const struct schema *schema = &intake->layout.schema;

    if (leaves_now && !intake->options.allow_mixed)
        kinds_doubt(intake->kinds, schema, shaped, command->object_id, &intake->footprint,
                    problems);
    if (command->replaces && leaves_now && !intake->options.allow_replace)
        problem_add(problems, PROBLEM_REPLACE, SPAN_LITERAL("mode"), SPAN_LITERAL("1"),
                    "mode 1 deletes every resource of the instance that this row does not name");
    if (intake->options.rate_per_s > 0)
        check_turn(intake, command, problems);
    enum status status = fleet_add(intake->fleet, command, &intake->footprint, problems);
    if (status == STATUS_OK && problems->error_count > 0)
        status = remember_crossed(intake, problems);
    else if (status == STATUS_OK)
        status = kinds_add(intake->kinds, schema, shaped, command->object_id, &intake->footprint);
    return status;
}

/* The second pass: what the first one found is still so. */
static void recall_row(struct intake *intake, struct problems *problems)
{
    const struct crossed_row *crossed = intake->crossed;
    size_t *next = &intake->next_crossed;

    while (*next < intake->crossed_count && crossed[*next].row < problems->row)
        (*next)++;
    if (*next == intake->crossed_count || crossed[*next].row != problems->row)
        return;
    enum problem_code code = crossed[*next].first_error;
    problem_add(problems, code, span_of(NULL, 0), span_of(NULL, 0),
                "the check found this row bad beside others: %s", problem_code_remedy(code));
}

/* The first pass over an input that can be read again only checks. */
static bool builds_requests(const struct intake *intake)
{
    return intake->options.for_sending && (intake->again || !source_is_seekable(intake->source));
}

/* A row that a dead run may have sent: what it asked for is needed to look for it. */
static void remember(struct intake *intake, const struct command *command)
{
    if (intake->store->remember == NULL)
        return;
    buf_clear(&intake->target);
    command_add_timeless_target(command, &intake->target);
    if (intake->target.status != STATUS_OK)
        return; /* it stays in doubt */
    const struct doubt doubt = {.id = {.hash = command->hash,
                                       .device = command->device,
                                       .row = command->row,
                                       .line = command->line,
                                       .occurrence = intake->known.occurrence},
                                .operation = (uint32_t)command->action,
                                .target = buf_span(&intake->target),
                                .body = command_body(command)};

    intake->store->remember(intake->store, &doubt);
}

void intake_leave_out(struct intake *intake, intake_leaves_out_fn *leaves_out, const void *context)
{
    intake->leaves_out = leaves_out;
    intake->leaves_out_context = context;
}

/* Asks the ledger for the row; nothing is wrong any more with one that is settled. */
static enum status meet(struct intake *intake, const struct command *command, bool idempotent,
                        struct problems *problems)
{
    if (intake->store == NULL)
        return STATUS_OK;
    enum status status =
        intake->store->meet(intake->store, command->hash, idempotent, &intake->known);
    if (status != STATUS_OK)
        return status;
    if (intake->known.before.orphan && problems->error_count == 0 && builds_requests(intake))
        remember(intake, command);
    if (intake->known.verdict == STORE_SETTLED)
        problems_clear(problems, command->row, command->line);
    return STATUS_OK;
}

/*
 * A cell that a format makes a date of is the platform's form of it where a time is asked for, and
 * a text in the results. A resource would get a text that nobody typed.
 */
static void check_dates(const struct intake *intake, struct problems *problems)
{
    const struct layout *layout = &intake->layout;
    const struct sheet_mark *marks = NULL;
    size_t count = reader_marks(intake->reader, &marks);

    for (size_t i = 0; i < count; i++) {
        size_t at = layout->set_count + marks[i].column;
        char name[CELL_NAME_MAX];
        if (marks[i].kind != MARK_DATE || at >= layout->schema.count)
            continue;
        const struct column *column = &layout->schema.columns[at];
        if (column->role != COLUMN_RES || column->kind != RES_AUTO)
            continue;
        cell_name_write(marks[i].column, marks[i].row, name);
        problem_add(
            problems, PROBLEM_CELL, span_string(column->name), span_of(NULL, 0),
            "%s holds a date or a time, which no resource takes: give seconds since 1970 in "
            "res:%u:time, or format the cell as text or as a number",
            name, (unsigned)column->res_id);
    }
}

static enum status build_command(struct intake *intake, const struct row *row,
                                 struct command *command, struct problems *problems)
{
    struct layout *layout = &intake->layout;
    struct row shaped = {.number = 0};
    const bool check_only = !builds_requests(intake);
    const struct command_context context = {.schema = &layout->schema,
                                            .now_s = intake->options.now_s,
                                            .later_s = intake->later_s,
                                            .embargo_s = intake->options.embargo_s,
                                            .check_only = check_only,
                                            .nameless = check_only && intake->store == NULL,
                                            .dialect = intake->options.dialect,
                                            .any_device = intake->options.any_device,
                                            .fleet = intake->fleet};
    enum status status = learn_columns(intake);

    if (status == STATUS_OK)
        status = layout_apply(layout, row, &shaped, problems);
    check_dates(intake, problems);
    if (status == STATUS_OK)
        status = command_build(command, &context, &shaped, &intake->footprint, problems);
    for (size_t i = 0; i < layout->pass_count && status == STATUS_OK; i++) {
        struct cell cell = layout_passed(layout, row, i);
        status = command_add_passed(command, &cell);
    }
    if (status == STATUS_OK)
        status = meet(intake, command, action_rules[command->action].idempotent, problems);
    if (status != STATUS_OK || problems->error_count > 0 || intake->known.verdict == STORE_SETTLED)
        return status;
    if (intake->leaves_out != NULL && intake->leaves_out(intake->leaves_out_context, command))
        return STATUS_OK;
    if (intake->again)
        recall_row(intake, problems);
    else
        status = compare_row(intake, &shaped, command, problems);
    if (problems->error_count == 0)
        intake->good_rows++;
    return status;
}

/* Adds what follows from a row behind which text may pass for rows. */
static void add_lost(const struct reader_lost *lost, const char *consequence,
                     struct problems *problems)
{
    uint64_t line = problems->line;

    problems->line = lost->line;
    problem_add(problems, lost->code, span_of(NULL, 0), span_of(NULL, 0),
                "behind the row on line %llu, text inside a quoted cell may pass for rows: %s",
                (unsigned long long)lost->line, consequence);
    problems->line = line;
}

/* Looks whether the row is one at all, and ends a reading that sends what it reads where it may not
 * be. */
static enum status judge_place(struct intake *intake, enum status status, const struct row *row,
                               struct problems *problems)
{
    const struct reader_lost *lost = reader_lost(intake->reader);
    bool is_row = status == STATUS_OK || status == STATUS_BAD_ROW;

    intake->is_lost = lost != NULL && (is_row ? row->number > lost->row : status == STATUS_END);
    if (!intake->is_lost || !builds_requests(intake))
        return status;
    problems_clear(problems, 0, lost->line);
    add_lost(lost, "nothing after it was sent; fix it, and go on with --resume", problems);
    return STATUS_BAD_INPUT;
}

bool intake_is_lost(const struct intake *intake)
{
    return intake->is_lost;
}

enum status intake_next(struct intake *intake, struct command *command, struct problems *problems)
{
    struct row row = {.number = 0};

    problems->strict = intake->options.strict;
    intake->known = (struct store_row){.verdict = STORE_NEW, .occurrence = 1};
    enum status status = reader_next(intake->reader, &row, problems);

    status = judge_place(intake, status, &row, problems);
    if (status == STATUS_BAD_ROW) {
        name_bad_row(command, &row, problems);
        intake->rows++;
        status = meet(intake, command, false, problems);
        return status == STATUS_OK ? command->text.status : status;
    }
    if (status == STATUS_END && intake->rows == 0) {
        problems_clear(problems, 0, 1);
        problem_add(problems, PROBLEM_EMPTY, span_of(NULL, 0), span_of(NULL, 0),
                    "there are no data rows in it");
        return STATUS_BAD_INPUT;
    }
    if (status != STATUS_OK)
        return status;
    intake->rows++;
    return build_command(intake, &row, command, problems);
}

enum status intake_rewind(struct intake *intake, struct buf *message)
{
    enum status status = source_rewind(intake->source, message);

    if (status != STATUS_OK)
        return status;
    reader_reset(intake->reader);
    intake->is_lost = false;
    intake->rows = 0;
    intake->good_rows = 0;
    intake->again = true;
    intake->next_crossed = 0;
    free_fleet(intake);
    if (intake->store != NULL)
        intake->store->rewind(intake->store);
    return layout_restart(&intake->layout);
}

const struct fleet *intake_fleet(const struct intake *intake)
{
    return intake->fleet;
}

enum status intake_restart(struct intake *intake, const struct waiting *waiting, int64_t now_s,
                           struct buf *message)
{
    enum status status = intake_rewind(intake, message);

    if (status == STATUS_OK)
        status = new_fleet(intake);
    if (status != STATUS_OK)
        return status;
    if (intake->options.embargo_s > 0)
        intake->options.embargo_s += now_s - intake->options.now_s;
    intake->options.now_s = now_s;
    intake->fleet->waiting = waiting;
    intake->crossed_count = 0;
    intake->again = false;
    return STATUS_OK;
}

enum status intake_look(struct intake *intake)
{
    return source_look(intake->source);
}

uint64_t intake_line(const struct intake *intake)
{
    return reader_line(intake->reader);
}

void intake_use_store(struct intake *intake, struct store *store)
{
    intake->store = store;
}

const struct store_row *intake_known(const struct intake *intake)
{
    return &intake->known;
}

void intake_digest(const struct intake *intake, uint64_t *ret_size, uint64_t *ret_hash)
{
    source_digest(intake->source, ret_size, ret_hash);
}

const struct source *intake_source(const struct intake *intake)
{
    return intake->source;
}

int64_t intake_embargo_s(const struct intake *intake)
{
    return intake->options.embargo_s > 0 ? intake->options.embargo_s + intake->later_s : 0;
}

int64_t intake_now_s(const struct intake *intake)
{
    return intake->options.now_s;
}

void intake_begin_step(struct intake *intake, int64_t now_s)
{
    intake->later_s = now_s - intake->options.now_s;
}

const struct span *intake_passed(const struct intake *intake, size_t *ret_count)
{
    *ret_count = intake->layout.pass_count;
    return intake->passed;
}

void intake_add_notes(const struct intake *intake, struct buf *out)
{
    const struct workbook *workbook = source_workbook(intake->source);

    if (workbook != NULL)
        workbook_add_notes(workbook, out);
    reader_add_notes(intake->reader, out);
}

uint64_t intake_device_count(const struct intake *intake)
{
    return intake->fleet != NULL ? intake->fleet->device_count : intake->device_count;
}

uint64_t intake_replaced_count(const struct intake *intake)
{
    return intake->fleet != NULL ? intake->fleet->replaced_count : intake->replaced_count;
}

void intake_judge_file(const struct intake *intake, struct problems *problems)
{
    uint64_t replaced = intake_replaced_count(intake);
    const struct reader_lost *lost = reader_lost(intake->reader);

    problems->strict = intake->options.strict;
    if (lost != NULL)
        add_lost(lost,
                 "they count as invalid, and nothing of the file is sent until it is fixed, also "
                 "with --skip-invalid",
                 problems);
    if (replaced > 0 && !intake->options.allow_replace)
        problem_add(problems, PROBLEM_REPLACES, SPAN_LITERAL("mode"), SPAN_LITERAL("1"),
                    "%llu instance%s will lose every resource that the rows do not name",
                    (unsigned long long)replaced, replaced == 1 ? "" : "s");
    if (intake->kinds != NULL)
        kinds_judge(intake->kinds, &intake->layout.schema, problems);
}

void intake_add_words(const struct intake *intake, bool value, struct buf *out)
{
    if (intake->kinds != NULL)
        kinds_add_words(intake->kinds, value, out);
}

/* The bytes that the reader's text was in the input, behind `prefix`. */
static enum status restore(struct intake *intake, struct span prefix, struct span text,
                           struct span *ret_bytes)
{
    if (source_encoding(intake->source) == NULL && prefix.len == 0) {
        *ret_bytes = text;
        return STATUS_OK;
    }
    buf_clear(&intake->raw);
    buf_add(&intake->raw, prefix);
    enum status status = source_encode_back(intake->source, text, &intake->raw);
    if (status != STATUS_OK)
        return status;
    *ret_bytes = buf_span(&intake->raw);
    return intake->raw.status;
}

enum status intake_raw_header(struct intake *intake, struct span *ret_bytes)
{
    return restore(intake, source_mark(intake->source), reader_raw_header(intake->reader),
                   ret_bytes);
}

enum status intake_raw_row(struct intake *intake, struct span *ret_bytes)
{
    return restore(intake, span_of(NULL, 0), reader_raw(intake->reader), ret_bytes);
}
