#include "run/status_rows.h"

#include <errno.h>

#include "core/text.h"
#include "run/exit_status.h"
#include "sim/uuid.h"

enum { LINE_BLOCK_BYTES = 16 * 1024 }; /* of the results are read to find a line */

static const char journal_name[] = "nbatch status 1";

static int fail(struct status_rows *rows, enum status status, int exit_status)
{
    person_failure(rows->person, &rows->message, status);
    buf_clear(&rows->message);
    return exit_status;
}

static int exit_status_of(enum status status)
{
    return status == STATUS_SYNTAX ? EXIT_INPUT_INVALID
           : status == STATUS_IO   ? EXIT_USAGE
                                   : EXIT_INTERNAL;
}

int status_rows_fail(struct status_rows *rows, enum status status)
{
    return fail(rows, status, exit_status_of(status));
}

/* The text of a column of the results. */
static struct span column_text(struct status_rows *rows, const struct result_fields *fields,
                               enum result_column column)
{
    buf_clear(&rows->text);
    result_unquote(fields->columns[column], rows->results.jsonl, &rows->text);
    return buf_span(&rows->text);
}

static enum status refuse_line(struct status_rows *rows, const struct result_fields *fields,
                               const char *why)
{
    buf_add_printable(&rows->message, span_string(rows->results.path));
    buf_add_format(&rows->message, ": row %llu %s", (unsigned long long)fields->id.row, why);
    return STATUS_SYNTAX;
}

static enum status take_result(void *context, const struct result_fields *fields)
{
    struct status_rows *rows = context;
    struct command_record command = {.state = COMMAND_UNCLEAR,
                                     .confirm = CONFIRM_NONE,
                                     .remain = COMMAND_REMAIN_NONE};

    if (fields == NULL) { /* some keys have several lines: all comes once more */
        command_table_clear(&rows->table);
        rows->not_accepted = rows->until_sent = 0;
        return STATUS_OK;
    }
    if (fields->id.row <= rows->until_row && fields->status != ROW_INVALID) {
        rows->until_sent++;
        if (fields->finished_ms > rows->until_ms)
            rows->until_ms = fields->finished_ms;
    }
    rows->not_accepted += fields->status != ROW_ACCEPTED;
    if (fields->status != ROW_ACCEPTED)
        return STATUS_OK;
    if (!device_read(column_text(rows, fields, RESULT_device), &command.device))
        return refuse_line(rows, fields,
                           "was accepted, and has no device's number: the results "
                           "were edited");
    if (fields->id.row > UINT32_MAX || fields->offset >> 44 != 0)
        return STATUS_TOO_BIG;
    command.row = (uint32_t)fields->id.row;
    command.offset = fields->offset & ((UINT64_C(1) << 44) - 1);
    struct span uuid = text_trim_blanks(column_text(rows, fields, RESULT_uuid));
    if (uuid.len > 0 && !operation_names_one(uuid))
        return refuse_line(rows, fields,
                           "has a uuid that names no command: the results were edited");
    command.uuid_hash = command_uuid_hash(uuid);
    rows->is_simulated = rows->is_simulated || uuid_is_simulated(uuid);
    enum status status = rows->text.status;
    return status == STATUS_OK ? command_table_add(&rows->table, &command) : status;
}

static int read_results(struct status_rows *rows)
{
    struct results *results = &rows->results;
    enum status status = results_open(results, &disk_real, rows->settings->input, &rows->message);

    if (status == STATUS_OK)
        status = results_each_current(results, NULL, NULL, take_result, rows);
    if (status == STATUS_OK)
        status = command_table_arrange(&rows->table);
    if (status != STATUS_OK)
        return status_rows_fail(rows, status);
    if (results->is_cut)
        person_error(rows->person,
                     "%s: the last line is not whole, and is left out: nbatch run "
                     "--resume repairs it",
                     results->path);
    status = result_passed_names(results, &rows->passed_text, rows->passed, &rows->passed_count);
    if (status != STATUS_OK)
        return status_rows_fail(rows, status);
    result_scan_init(&rows->scan, results->disk, results->fd, results->jsonl,
                     results->passed_count);
    rows->scan.block_bytes = LINE_BLOCK_BYTES;
    return 0;
}

/* The line of a command; lines that follow each other are read in one go. */
static enum status read_line(struct status_rows *rows, const struct command_record *command,
                             struct result_fields *ret_fields)
{
    struct result_scan *scan = &rows->scan;

    if (scan->at != command->offset || scan->to != rows->results.size)
        result_scan_range(scan, command->offset, rows->results.size);
    enum status status = result_scan_next(scan, ret_fields);
    if (status == STATUS_SYNTAX || status == STATUS_END) { /* it was written to meanwhile */
        errno = ESTALE;
        status = STATUS_IO;
    }
    return status;
}

/* False; errno stays. */
static bool note_failure(struct status_rows *rows, const char *path)
{
    int error = errno;

    if (rows->failure.len == 0) {
        buf_add_printable(&rows->failure, span_string(path));
        buf_add_format(&rows->failure, ": %s", strerror(error));
    }
    errno = error;
    return false;
}

enum status status_rows_find(void *context, const struct command_record *command,
                             struct command_line *ret_line)
{
    struct status_rows *rows = context;
    struct result_fields fields;
    enum status status = read_line(rows, command, &fields);

    struct span uuid = {.len = 0};
    if (status == STATUS_OK)
        uuid = text_trim_blanks(column_text(rows, &fields, RESULT_uuid));
    if (uuid.len > REPLY_UUID_MAX) {
        errno = ESTALE;
        status = STATUS_IO;
    }
    if (status == STATUS_IO)
        (void)note_failure(rows, rows->results.path);
    if (status != STATUS_OK)
        return status;
    memcpy(ret_line->uuid, uuid.ptr, uuid.len);
    ret_line->uuid[uuid.len] = '\0';
    ret_line->accepted_s = fields.finished_ms / 1000;
    return STATUS_OK;
}

/* What is known from an earlier look. */

/* Earlier versions took an answer that is not documented for a refusal. */
static bool is_hasty(const struct status_line *line)
{
    return line->state == COMMAND_REFUSED && line->confirm == CONFIRM_OTHER;
}

static void take_line(struct status_rows *rows, const struct status_line *line,
                      struct command_record *command)
{
    struct command_line found = {.accepted_s = HISTORY_NONE};

    if (line->checked_s == HISTORY_NONE)
        return;
    command->state = (unsigned)line->state & 15;
    command_set(command, line->send_status, line->confirm, line->remain);
    command->is_overwritten = span_is(line->reason, DELIVERY_OVERWRITTEN);
    if (line->confirm == CONFIRM_OTHER || line->state == COMMAND_UNCLEAR)
        command->word = command_table_keep_word(&rows->table, line->reason);
    command_set_time(command, COMMAND_CREATED, line->created_s);
    command_set_time(command, COMMAND_SENT_AT, line->sent_s);
    command_set_time(command, COMMAND_CONFIRMED, line->confirmed_s);
    command_set_time(command, COMMAND_EXPIRES, line->expires_s);
    command_set_time(command, COMMAND_CHECKED, line->checked_s);
    command->looks = 1;
    if (line->state == COMMAND_MISSING && line->created_s == HISTORY_NONE)
        (void)!status_rows_find(rows, command, &found);
    const struct delivery_facts facts = status_line_facts(line, found.accepted_s);
    command->is_final = delivery_is_final(&facts) && !is_hasty(line);
}

/* Whether the results have the row of a line, though its command may be a later one by now. */
static bool is_of_row(struct status_rows *rows, const struct status_line *line)
{
    const struct command_record *command =
        command_table_find_row(&rows->table, line->id.row, COMMAND_ANY_UUID);
    struct result_fields fields;

    return command != NULL && read_line(rows, command, &fields) == STATUS_OK &&
           row_id_key(&fields.id) == row_id_key(&line->id);
}

/* *ret_known: of the lines, those of commands of the results; where there is none, 1 if a line is
 * of one of its rows, which were all sent again since. */
static enum status take_lines(struct status_rows *rows, struct status_file *file,
                              uint64_t *ret_lines, uint64_t *ret_known)
{
    bool is_ours = false;
    struct status_line line;
    uint64_t device;
    enum status status;

    while ((status = status_file_next(file, &line)) == STATUS_OK) {
        struct command_record *command =
            command_table_find_row(&rows->table, line.id.row, command_uuid_hash(line.uuid));
        ++*ret_lines;
        is_ours = is_ours || *ret_known > 0 || is_of_row(rows, &line);
        if (command == NULL || !device_read(line.device, &device) || device != command->device)
            continue;
        ++*ret_known;
        take_line(rows, &line, command);
    }
    if (*ret_known == 0)
        *ret_known = is_ours;
    return status == STATUS_END ? STATUS_OK : status;
}

/* Takes up the status file that is there. */
static int take_up(struct status_rows *rows)
{
    struct status_file file;
    uint64_t lines = 0, known = 0;

    if (strcmp(rows->path, "-") == 0)
        return 0;
    enum status status = status_file_open(&file, &disk_real, rows->path, &rows->message);
    bool is_there = status != STATUS_END;
    if (status == STATUS_OK)
        status = take_lines(rows, &file, &lines, &known);
    status_file_close(&file);
    if (is_there && status != STATUS_OK)
        return status_rows_fail(rows, status);
    if (lines > 0 && known == 0 && rows->table.count > 0) {
        person_error(rows->person,
                     "%s is the status of other results: none of its %llu lines is of %s; name "
                     "another file with --output, or move it away",
                     rows->path, (unsigned long long)lines, rows->results.path);
        return EXIT_USAGE;
    }
    return 0;
}

/* A record that a process which died has kept. */
static void take_record(void *context, const void *record)
{
    struct status_rows *rows = context;
    struct command_record kept;

    memcpy(&kept, record, sizeof(kept));
    struct command_record *command = command_table_find_row(&rows->table, kept.row, kept.uuid_hash);
    if (command == NULL || command->device != kept.device)
        return;
    kept.offset = command->offset;
    kept.is_listed = kept.has_values = false;
    kept.is_final = kept.is_final && kept.confirm != CONFIRM_OTHER; /* the word itself is lost */
    kept.word = 0;
    *command = kept;
    rows->unwritten++;
}

static int choose_path(struct status_rows *rows)
{
    const struct run_settings *settings = rows->settings;

    rows->path =
        settings->output != NULL ? strdup(settings->output) : status_file_path(settings->input);
    if (rows->path == NULL)
        return fail(rows, STATUS_NO_MEMORY, EXIT_INTERNAL);
    rows->journal_path = disk_name_with(rows->path, ".journal");
    return rows->journal_path != NULL ? 0 : fail(rows, STATUS_NO_MEMORY, EXIT_INTERNAL);
}

int status_rows_open(struct status_rows *rows, const struct run_settings *settings,
                     const struct person *person)
{
    *rows = (struct status_rows){.settings = settings,
                                 .person = person,
                                 .until_row = rows->until_row,
                                 .results.fd = -1,
                                 .journal.fd = -1};
    buf_init(&rows->text, RESULT_LINE_MAX);
    buf_init(&rows->passed_text, RESULT_LINE_MAX);
    buf_init_text(&rows->message, 64 * 1024);
    buf_init_text(&rows->failure, 64 * 1024);
    int result = choose_path(rows);
    if (result == 0)
        result = read_results(rows);
    return result == 0 ? take_up(rows) : result;
}

static int open_journal(struct status_rows *rows)
{
    if (strcmp(rows->path, "-") == 0)
        return 0;
    enum status status =
        record_log_open(&rows->journal, &disk_real, rows->journal_path, journal_name,
                        sizeof(struct command_record), &rows->message);
    if (status != STATUS_OK)
        return fail(rows, status, status == STATUS_NO_MEMORY ? EXIT_INTERNAL : EXIT_USAGE);
    status = record_log_each(&rows->journal, take_record, rows);
    if (status == STATUS_OK)
        return 0;
    buf_add_format(&rows->message, "%s cannot be read", rows->journal_path);
    return fail(rows, status, EXIT_INTERNAL);
}

bool status_rows_keep(void *context, const struct command_record *command)
{
    struct status_rows *rows = context;

    rows->unwritten++;
    return rows->journal.fd < 0 || record_log_add(&rows->journal, command) == STATUS_OK ||
           note_failure(rows, rows->journal_path);
}

/* Values. */

struct value_taking {
    struct values_file *file;
    struct values_row row;
};

static void add_value(void *context, const struct history_value *value)
{
    struct value_taking *taking = context;

    values_file_add(taking->file, &taking->row, value);
}

typedef enum status read_values_fn(struct span text, history_value_fn *each, void *context);

/* All values of a command, at once. */
static bool write_values(struct status_rows *rows, const struct command_record *command,
                         struct span text, read_values_fn *read)
{
    struct value_taking taking = {.file = &rows->values};
    char device[DEVICE_TEXT_MAX + 1];
    struct result_fields fields;

    if (read_line(rows, command, &fields) != STATUS_OK)
        return note_failure(rows, rows->results.path);
    device_write(command->device, device);
    taking.row = (struct values_row){.id = fields.id,
                                     .device = span_string(device),
                                     .confirmed_s = command_time(command, COMMAND_CONFIRMED)};
    if (read(text, add_value, &taking) == STATUS_NO_MEMORY) {
        errno = ENOMEM;
        return false;
    }
    return values_file_flush(&rows->values) == STATUS_OK ||
           note_failure(rows, rows->settings->values);
}

bool status_rows_take_values(void *context, const struct command_record *command,
                             struct span answer)
{
    return write_values(context, command, answer, history_read_values);
}

bool status_rows_take_pushed_values(struct status_rows *rows, const struct command_record *command,
                                    struct span values)
{
    return write_values(rows, command, values, history_read_pushed);
}

static void note_values(void *context, uint64_t row, struct span device)
{
    struct status_rows *rows = context;
    uint64_t number;

    if (!device_read(device, &number))
        return;
    struct command_group group = command_table_find(&rows->table, number);
    for (uint32_t i = 0; i < group.count; i++) {
        struct command_record *command = command_table_at(&rows->table, group, i);
        command->has_values |= command->row == row;
    }
}

/* Whether a file that was opened to be written to is one that this command reads or writes itself,
 * by whatever name. What is another kind of file was refused before. */
static bool is_own_file(const struct status_rows *rows, int fd)
{
    const char *const own[] = {rows->results.path, rows->path, rows->journal_path};
    struct stat about, other;

    if (disk_real.stat(&disk_real, fd, &about) != 0)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(own); i++)
        if (stat(own[i], &other) == 0 && other.st_dev == about.st_dev &&
            other.st_ino == about.st_ino)
            return true;
    return false;
}

static int open_values(struct status_rows *rows)
{
    const char *path = rows->settings->values;
    enum status status = STATUS_END;

    if (path == NULL)
        return 0;
    if (strcmp(path, "-") != 0)
        status = values_file_each(path, note_values, rows, &rows->message);
    bool is_there = disk_real.has(&disk_real, path);
    if (status == STATUS_END)
        status = values_file_open(&rows->values, path, &rows->message);
    if (status == STATUS_OK && strcmp(path, "-") != 0 && is_own_file(rows, rows->values.file.fd)) {
        buf_clear(&rows->values.file.out);
        if (!is_there)
            (void)disk_real.unlink(&disk_real, path);
        buf_add_printable(&rows->message, span_string(path));
        buf_add_string(&rows->message, " is the status file: name another one with --values");
        status = STATUS_IO;
    }
    return status == STATUS_OK ? 0 : status_rows_fail(rows, status);
}

/* The status file. */

static struct span reason_of(const struct status_rows *rows, const struct command_record *command)
{
    bool has_answer = command->confirm != CONFIRM_NONE && command->confirm != CONFIRM_SUCCESS;

    if (command->uuid_hash == 0)
        return SPAN_LITERAL("no uuid in the results");
    if (command->looks == 0)
        return SPAN_LITERAL("not asked yet");
    if (command->is_overwritten)
        return SPAN_LITERAL(DELIVERY_OVERWRITTEN);
    if (command->state == COMMAND_FAILED && !has_answer && command->send_status == SEND_TIMED_OUT)
        return SPAN_LITERAL("response timeout");
    if (command->word != 0)
        return span_string(command_table_word(&rows->table, command->word));
    return has_answer ? span_string(history_confirm_name((enum confirm)command->confirm))
                      : span_of(NULL, 0);
}

static struct status_line line_of(const struct status_rows *rows,
                                  const struct command_record *command)
{
    return (struct status_line){.state = (enum command_state)command->state,
                                .send_status = command->send_status != 0 ? (int)command->send_status
                                                                         : HISTORY_NONE,
                                .confirm = (enum confirm)command->confirm,
                                .reason = reason_of(rows, command),
                                .remain = command_remain(command),
                                .created_s = command_time(command, COMMAND_CREATED),
                                .sent_s = command_time(command, COMMAND_SENT_AT),
                                .confirmed_s = command_time(command, COMMAND_CONFIRMED),
                                .expires_s = command_time(command, COMMAND_EXPIRES),
                                .checked_s = command_time(command, COMMAND_CHECKED)};
}

static enum status write_lines(struct status_rows *rows, struct status_writer *writer)
{
    enum status status = STATUS_OK;
    struct cell cells[LAYOUT_PASSES_MAX];
    char device[DEVICE_TEXT_MAX + 1];
    struct buf passed;

    buf_init(&passed, RESULT_LINE_MAX);
    for (uint32_t i = 0; i < rows->table.count && status == STATUS_OK; i++) {
        const struct command_record *command = &rows->table.items[i];
        struct status_line line = line_of(rows, command);
        struct result_fields fields;
        status = read_line(rows, command, &fields);
        if (status != STATUS_OK)
            break;
        line.id = fields.id;
        line.uuid = column_text(rows, &fields, RESULT_uuid);
        device_write(command->device, device);
        line.device = span_string(device);
        line.passed = cells;
        line.passed_count = result_passed_cells(&rows->results, &fields, &passed, cells);
        status = passed.status == STATUS_OK ? status_writer_add(writer, &line) : passed.status;
    }
    buf_deinit(&passed);
    if (status != STATUS_OK)
        buf_add_format(&rows->message, "%s cannot be written: %s", rows->path,
                       status == STATUS_IO ? strerror(errno) : status_text(status));
    return status;
}

/* Its permissions are those of the results. */
static unsigned mode_of(const struct status_rows *rows)
{
    struct stat about;

    return disk_real.stat(&disk_real, rows->results.fd, &about) == 0 ? about.st_mode & 0666 : 0600;
}

int status_rows_write(struct status_rows *rows)
{
    struct status_writer writer;
    enum status status = status_writer_open(&writer, &disk_real, rows->path, mode_of(rows),
                                            rows->passed, rows->passed_count, &rows->message);
    int on_failure = status == STATUS_EXISTS ? EXIT_USAGE : EXIT_INTERNAL;

    if (status == STATUS_OK)
        status = write_lines(rows, &writer);
    if (status == STATUS_OK)
        status = status_writer_commit(&writer, &rows->message);
    status_writer_deinit(&writer);
    if (status != STATUS_OK)
        return fail(rows, status, on_failure);
    rows->unwritten = 0;
    return 0;
}

int status_rows_begin(struct status_rows *rows)
{
    int result = open_journal(rows);

    return result == 0 ? open_values(rows) : result;
}

/* Counting. */

static struct delivery_facts facts_of(const struct status_rows *rows,
                                      const struct command_record *command)
{
    return (struct delivery_facts){.state = (enum command_state)command->state,
                                   .remain = command_remain(command),
                                   .expires_s = command_time(command, COMMAND_EXPIRES),
                                   .created_s = command_time(command, COMMAND_CREATED),
                                   .asked_s = command_time(command, COMMAND_CHECKED),
                                   .reason = reason_of(rows, command)};
}

static void count_command(const struct status_rows *rows, const struct command_record *command,
                          struct delivery_counts *counts)
{
    const struct delivery_facts facts = facts_of(rows, command);

    counts->commands++;
    if (command->uuid_hash == 0) {
        counts->without_uuid++;
    } else if (command->looks == 0) {
        counts->not_asked++;
        counts->open++;
    } else {
        delivery_count(counts, &facts, (enum confirm)command->confirm, command->is_final);
    }
}

void status_rows_count(struct status_rows *rows, struct delivery_counts *ret_counts)
{
    const struct command_table *table = &rows->table;
    struct command_group group;

    *ret_counts = (struct delivery_counts){.last_expires_s = HISTORY_NONE,
                                           .not_accepted = rows->not_accepted};
    for (uint32_t first = 0; first < table->count; first += group.count) {
        uint32_t done = 0, open = 0;
        group = command_table_group(table, first);
        for (uint32_t i = 0; i < group.count; i++) {
            const struct command_record *command = command_table_at(table, group, i);
            count_command(rows, command, ret_counts);
            done += command->state == COMMAND_DELIVERED;
            open += command_is_open(command);
        }
        ret_counts->devices++;
        ret_counts->devices_done += done == group.count;
        ret_counts->devices_waiting += done < group.count && done + open == group.count;
    }
}

void status_rows_close(struct status_rows *rows)
{
    if (rows->person == NULL)
        return;
    record_log_end(&rows->journal, rows->unwritten == 0);
    result_scan_deinit(&rows->scan);
    results_close(&rows->results);
    command_table_deinit(&rows->table);
    free(rows->path);
    free(rows->journal_path);
    values_file_deinit(&rows->values);
    buf_deinit(&rows->text);
    buf_deinit(&rows->passed_text);
    buf_deinit(&rows->message);
    buf_deinit(&rows->failure);
}
