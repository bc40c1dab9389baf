#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/text.h"
#include "ledger/cell.h"
#include "ledger/replacement.h"
#include "net/credentials.h"
#include "platform/writeback.h"
#include "run/check.h"
#include "run/instances.h"
#include "run/privacy.h"
#include "run/recording.h"
#include "run/status_file.h"
#include "run/use_cases.h"

/*
 * nbatch snapshot: what the rows of an input are about to change, read from the devices, as an
 * input that puts it back.
 *
 * It is made of what is there: an input of reads is written (STEM.snapshot.csv), sent as any input
 * is, and watched as nbatch status does, which keeps the values (STEM.snapshot.values.jsonl). Each
 * of these goes on where it was stopped, and so does the whole. What is left to do here is to say
 * which instances are read, and to make rows of what came.
 */

enum {
    UNTYPED_SHOWN_MAX = 16,                 /* resources that are named */
    ROW_DATA_MAX = COMMAND_CONTENT_MAX - 2, /* of a row that puts back; more goes into another */
    DEFAULT_WATCH_MS = 30 * 1000,
};

enum { NOT_ASKED }; /* struct instance's fate: 0, or a state and 1 */

static const struct outfile_kind snapshot_kind = {"snapshot's file", "the name of the input"};

static const char reads_head[] =
    "imei,action,obj_id,obj_inst_id,bin2hex,expired_time\n"; /* bin2hex: opaque values as hex */
static const char rollback_head[] = "imei,obj_id,obj_inst_id,mode,expired_time,data\n";
static const char missing_head[] = "imei,obj_id,obj_inst_id,res_id,reason\n";

enum path {
    PATH_READS,
    PATH_RESULTS,
    PATH_STATUS,
    PATH_VALUES,
    PATH_ROLLBACK,
    PATH_MISSING,
    PATH_COUNT
};

struct old_values {
    const struct run_settings *settings;
    const struct person *person;
    char *paths[PATH_COUNT];
    struct intake *intake;
    struct instances instances;
    struct replacement rollback, missing;
    struct buf data;        /* of the row that is being made */
    uint64_t rows, values;  /* of the rollback */
    uint64_t missing_count; /* lines */
    /* Resources that no row names and whose values may have had a type: object and resource as one
     * number, the first of them, and how many in all. */
    uint32_t untyped[UNTYPED_SHOWN_MAX];
    struct keytable untyped_known;
    uint32_t untyped_count;
    bool is_told;              /* what it came to */
    struct held_variables key; /* it is loaded twice */
    struct buf message;
};

static int fail(struct old_values *snapshot, enum status status, int exit_status)
{
    person_failure(snapshot->person, &snapshot->message, status);
    buf_clear(&snapshot->message);
    return exit_status;
}

/* Names. */

static int choose_paths(struct old_values *snapshot)
{
    static const char *const ends[PATH_COUNT] = {
        [PATH_READS] = ".snapshot.csv",         [PATH_RESULTS] = ".snapshot.results.csv",
        [PATH_STATUS] = ".snapshot.status.csv", [PATH_VALUES] = ".snapshot.values.jsonl",
        [PATH_ROLLBACK] = ".rollback.csv",      [PATH_MISSING] = ".rollback.missing.csv"};
    char *stem = recording_stem(snapshot->settings);

    if (stem == NULL) {
        person_error(snapshot->person, "a snapshot is of a file, and is named by it");
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < PATH_COUNT; i++) {
        size_t size = strlen(stem) + strlen(ends[i]) + 1;
        snapshot->paths[i] = malloc(size);
        if (snapshot->paths[i] == NULL) {
            free(stem);
            return fail(snapshot, STATUS_NO_MEMORY, EXIT_INTERNAL);
        }
        (void)snprintf(snapshot->paths[i], size, "%s%s", stem, ends[i]);
    }
    free(stem);
    return 0;
}

static bool is_there(const struct old_values *snapshot, enum path path)
{
    return access(snapshot->paths[path], F_OK) == 0;
}

/* Values of another day must not pass for those of now. */
static int refuse_earlier(const struct old_values *snapshot)
{
    for (enum path path = PATH_RESULTS; path < PATH_COUNT; path++) {
        if (snapshot->settings->resume.on || !is_there(snapshot, path))
            continue;
        person_error(snapshot->person,
                     "%s is there, of an earlier snapshot: go on with that one with --resume, or "
                     "move its files away; nothing was asked",
                     snapshot->paths[path]);
        return EXIT_USAGE;
    }
    return 0;
}

/* The instances. */

static int read_rows(struct old_values *snapshot)
{
    struct intake *intake = snapshot->intake;
    struct command command;
    struct problems problems;

    command_init(&command);
    problems_init(&problems);
    enum status status = intake_start(intake, &problems);
    while (status == STATUS_OK) {
        status = intake_next(intake, &command, &problems);
        if (status == STATUS_OK && problems.error_count == 0 && command.action == ACTION_WRITE)
            status = instances_add(&snapshot->instances, &command);
    }
    command_deinit(&command);
    problems_deinit(&problems);
    if (status != STATUS_END)
        return fail(snapshot, status, EXIT_INTERNAL);
    if (snapshot->instances.count > 0)
        return 0;
    person_error(snapshot->person, "no row writes anything: there is nothing to be put back");
    return EXIT_USAGE;
}

static int find_instances(struct old_values *snapshot)
{
    const struct run_settings *settings = snapshot->settings;
    struct check_counts counts = {.rows = 0};
    int result = check_open(settings, snapshot->person, true, &snapshot->intake);

    if (result == 0 && !source_is_seekable(intake_source(snapshot->intake))) {
        person_error(snapshot->person, "a snapshot is of a file, and not of a pipe");
        return EXIT_USAGE;
    }
    if (result == 0)
        result = check_input(snapshot->intake, settings, snapshot->person, &counts);
    if (result == EXIT_INPUT_INVALID && settings->skip_invalid && !counts.file_is_bad &&
        counts.valid > 0)
        result = 0;
    if (result != 0)
        return result;
    enum status status = intake_rewind(snapshot->intake, &snapshot->message);
    return status == STATUS_OK ? read_rows(snapshot) : fail(snapshot, status, EXIT_INPUT_INVALID);
}

/* The input of reads. */

static void add_read(const struct instance *instance, struct buf *out)
{
    char device[DEVICE_TEXT_MAX + 1];

    device_write(instance->device, device);
    buf_add_format(out, "%s,read,%u,%u,true,+24h\n", device, (unsigned)instance->object,
                   (unsigned)instance->number);
}

/* Rows are known by their numbers: those of an earlier start must be these. */
static int compare_reads(struct old_values *snapshot)
{
    FILE *file = fopen(snapshot->paths[PATH_READS], "re");
    bool is_same = file != NULL;
    char line[128];
    struct buf expected;

    buf_init(&expected, sizeof(line));
    buf_add_string(&expected, reads_head);
    for (uint32_t i = 0; is_same && i <= snapshot->instances.count; i++) {
        is_same =
            fgets(line, sizeof(line), file) != NULL && strcmp(line, buf_string(&expected)) == 0;
        buf_clear(&expected);
        if (i < snapshot->instances.count)
            add_read(&snapshot->instances.items[i], &expected);
    }
    is_same = is_same && fgetc(file) == EOF;
    buf_deinit(&expected);
    if (file != NULL)
        (void)fclose(file);
    if (is_same)
        return 0;
    person_error(snapshot->person,
                 "%s is of another input: move it away, with all that is named alike; nothing was "
                 "asked",
                 snapshot->paths[PATH_READS]);
    return EXIT_USAGE;
}

static int write_reads(struct old_values *snapshot)
{
    struct replacement file = {.path = NULL};

    if (is_there(snapshot, PATH_RESULTS))
        return compare_reads(snapshot);
    enum status status = replacement_open(&file, &disk_real, snapshot->paths[PATH_READS], 0600,
                                          &snapshot_kind, &snapshot->message);
    if (status == STATUS_OK)
        buf_add_string(&file.file.out, reads_head);
    for (uint32_t i = 0; status == STATUS_OK && i < snapshot->instances.count; i++) {
        add_read(&snapshot->instances.items[i], &file.file.out);
        status = outfile_settle(&file.file);
    }
    if (status == STATUS_OK || status == STATUS_IO)
        status = replacement_commit(&file, &snapshot->message);
    replacement_deinit(&file);
    return status == STATUS_OK ? 0 : fail(snapshot, status, EXIT_INTERNAL);
}

/* Asking: as nbatch run and nbatch status do. */

static int send_reads(const struct old_values *snapshot)
{
    struct run_settings settings = *snapshot->settings;

    settings.input = snapshot->paths[PATH_READS];
    settings.format = INPUT_CSV + 1;
    settings.sheet = settings.encoding = NULL;
    settings.delimiter = '\0';
    settings.header_line = 0;
    settings.sets = settings.maps = settings.trues = settings.falses = (struct word_list){0};
    settings.skip_invalid = settings.json = false;
    settings.resume = (struct resume){.on = is_there(snapshot, PATH_RESULTS)};
    settings.resume.group[DELIVERY_UNDELIVERED] =
        settings.resume.on && is_there(snapshot, PATH_STATUS);
    settings.is_part = true;
    return run_send(&settings, snapshot->person, NULL);
}

static int watch_reads(const struct old_values *snapshot)
{
    struct run_settings settings = *snapshot->settings;

    settings.input = snapshot->paths[PATH_RESULTS];
    settings.values = snapshot->paths[PATH_VALUES];
    settings.json = false;
    settings.resume = (struct resume){.on = false};
    if (settings.watch_ms == 0)
        settings.watch_ms = DEFAULT_WATCH_MS;
    settings.is_part = true;
    return run_status(&settings, snapshot->person);
}

/* The way back. */

static void add_place(const struct instance *instance, struct buf *out)
{
    char device[DEVICE_TEXT_MAX + 1];

    device_write(instance->device, device);
    buf_add_format(out, "%s,%u,%u,", device, (unsigned)instance->object,
                   (unsigned)instance->number);
}

static enum status end_row(struct old_values *snapshot, const struct instance *instance)
{
    struct buf *out = &snapshot->rollback.file.out;

    if (snapshot->data.len == 0)
        return STATUS_OK;
    buf_add_char(&snapshot->data, ']');
    add_place(instance, out);
    buf_add_string(out, "2,+7d,");
    cell_add(out, buf_span(&snapshot->data));
    buf_add_char(out, '\n');
    buf_clear(&snapshot->data);
    snapshot->rows++;
    return outfile_settle(&snapshot->rollback.file);
}

static enum status put_back(struct old_values *snapshot, const struct instance *instance,
                            const struct writeback_value *value, uint8_t type)
{
    struct buf item;
    enum status status = STATUS_OK;

    buf_init(&item, 64 * 1024);
    writeback_add_item(value->res_id, type, value->json, &item);
    if (snapshot->data.len + item.len > ROW_DATA_MAX)
        status = end_row(snapshot, instance);
    buf_add_char(&snapshot->data, snapshot->data.len > 0 ? ',' : '[');
    buf_add(&snapshot->data, buf_span(&item));
    if (item.status != STATUS_OK)
        status = item.status;
    buf_deinit(&item);
    snapshot->values++;
    return status;
}

/* Remembers a resource whose type nobody tells. */
static enum status note_untyped(struct old_values *snapshot, const struct instance *instance,
                                uint16_t res_id)
{
    uint32_t *known;
    enum status status = keytable_slot(&snapshot->untyped_known,
                                       instances_hash(0, instance->object, res_id), &known);

    if (status != STATUS_OK || *known != 0)
        return status;
    *known = 1;
    if (snapshot->untyped_count < UNTYPED_SHOWN_MAX)
        snapshot->untyped[snapshot->untyped_count] = (uint32_t)instance->object << 16 | res_id;
    snapshot->untyped_count++;
    return STATUS_OK;
}

/* A resource that no row names is put back where its instance is replaced. */
static enum status take_value(struct old_values *snapshot, struct instance *instance,
                              const struct writeback_value *value)
{
    struct instance_resource *resource =
        instances_resource(&snapshot->instances, instance, value->res_id);

    instance->has_values = true;
    if (value->has_instances || (resource == NULL && !instance->is_whole))
        return STATUS_OK;
    if (resource != NULL)
        resource->has_value = true;
    if (resource == NULL && writeback_may_be_typed(value->json)) {
        enum status status = note_untyped(snapshot, instance, value->res_id);
        if (status != STATUS_OK)
            return status;
    }
    return put_back(snapshot, instance, value, resource != NULL ? resource->type : WRITEBACK_BASIC);
}

static enum status take_values(struct old_values *snapshot, FILE *file)
{
    struct instance *instance = NULL;
    struct writeback_value value;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t len;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && (len = getline(&line, &capacity, file)) > 0) {
        if (!writeback_read_value(text_trim_blanks(span_of(line, (size_t)len)), &value) ||
            value.row > snapshot->instances.count) {
            buf_add_format(&snapshot->message, "%s has a line that is none of its own",
                           snapshot->paths[PATH_VALUES]);
            status = STATUS_SYNTAX;
            break;
        }
        struct instance *next = &snapshot->instances.items[value.row - 1];
        if (instance != NULL && next != instance)
            status = end_row(snapshot, instance);
        instance = next;
        if (status == STATUS_OK)
            status = take_value(snapshot, instance, &value);
    }
    if (status == STATUS_OK && instance != NULL)
        status = end_row(snapshot, instance);
    if (status == STATUS_OK && ferror(file))
        status = STATUS_IO;
    free(line);
    return status;
}

static enum status take_values_file(struct old_values *snapshot)
{
    FILE *file = fopen(snapshot->paths[PATH_VALUES], "re");

    if (file == NULL && errno == ENOENT)
        return STATUS_OK;
    if (file == NULL)
        return STATUS_IO;
    enum status status = take_values(snapshot, file);
    (void)fclose(file);
    return status;
}

/* What became of the reads. */
static enum status take_fates(struct old_values *snapshot)
{
    struct status_file file;
    struct status_line line;
    enum status status =
        status_file_open(&file, &disk_real, snapshot->paths[PATH_STATUS], &snapshot->message);

    while (status == STATUS_OK && (status = status_file_next(&file, &line)) == STATUS_OK) {
        if (line.id.row == 0 || line.id.row > snapshot->instances.count)
            continue;
        struct instance *instance = &snapshot->instances.items[line.id.row - 1];
        instance->fate = (uint8_t)(line.state + 1);
        instance->answer = (uint8_t)line.confirm;
    }
    status_file_close(&file);
    return status == STATUS_END ? STATUS_OK : status;
}

static void add_reason(const struct instance *instance, struct buf *out)
{
    if (instance->has_values || instance->fate == COMMAND_DELIVERED + 1)
        buf_add_string(out, "the device told no single value of it");
    else if (instance->fate == NOT_ASKED)
        buf_add_string(out, "the platform did not accept the read");
    else
        buf_add_format(out, "%s", deliveries[instance->fate - 1].word);
    if (instance->fate == COMMAND_REFUSED + 1)
        buf_add_format(out, ": %s", history_confirm_name((enum confirm)instance->answer));
}

static enum status add_missing(struct old_values *snapshot, const struct instance *instance,
                               const struct instance_resource *resource)
{
    struct buf *out = &snapshot->missing.file.out;

    add_place(instance, out);
    if (resource != NULL)
        buf_add_uint64(out, resource->id);
    buf_add_char(out, ',');
    add_reason(instance, out);
    buf_add_char(out, '\n');
    snapshot->missing_count++;
    return outfile_settle(&snapshot->missing.file);
}

static enum status list_missing(struct old_values *snapshot)
{
    const struct instances *all = &snapshot->instances;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < all->count && status == STATUS_OK; i++) {
        const struct instance *instance = &all->items[i];
        if (!instance->has_values)
            status = add_missing(snapshot, instance, NULL);
        for (uint32_t at = instance->resources; instance->has_values && at != 0;
             at = all->resources[at - 1].next)
            if (!all->resources[at - 1].has_value && status == STATUS_OK)
                status = add_missing(snapshot, instance, &all->resources[at - 1]);
    }
    return status;
}

static enum status write_both(struct old_values *snapshot)
{
    buf_add_string(&snapshot->rollback.file.out, rollback_head);
    buf_add_string(&snapshot->missing.file.out, missing_head);
    enum status status = take_fates(snapshot);
    if (status == STATUS_OK)
        status = take_values_file(snapshot);
    if (status == STATUS_OK)
        status = list_missing(snapshot);
    if (status == STATUS_OK && snapshot->missing_count > 0)
        status = replacement_commit(&snapshot->missing, &snapshot->message);
    else if (status == STATUS_OK)
        (void)unlink(snapshot->paths[PATH_MISSING]); /* of an earlier start */
    return status == STATUS_OK ? replacement_commit(&snapshot->rollback, &snapshot->message)
                               : status;
}

static int write_rollback(struct old_values *snapshot)
{
    enum status status =
        replacement_open(&snapshot->rollback, &disk_real, snapshot->paths[PATH_ROLLBACK], 0600,
                         &snapshot_kind, &snapshot->message);

    if (status == STATUS_OK)
        status = replacement_open(&snapshot->missing, &disk_real, snapshot->paths[PATH_MISSING],
                                  0600, &snapshot_kind, &snapshot->message);
    if (status == STATUS_OK)
        status = write_both(snapshot);
    return status == STATUS_OK ? 0 : fail(snapshot, status, EXIT_INTERNAL);
}

/* The end. */

static void add_text(const struct old_values *snapshot, struct buf *out)
{
    buf_add_format(out,
                   "\n%llu old value%s of %lu instance%s: ", (unsigned long long)snapshot->values,
                   snapshot->values == 1 ? "" : "s", (unsigned long)snapshot->instances.count,
                   snapshot->instances.count == 1 ? "" : "s");
    buf_add_printable(out, span_string(snapshot->paths[PATH_ROLLBACK]));
    if (snapshot->missing_count > 0) {
        buf_add_format(out, "\n%llu without: ", (unsigned long long)snapshot->missing_count);
        buf_add_printable(out, span_string(snapshot->paths[PATH_MISSING]));
    }
    buf_add_string(out, "\nto put them back: nbatch run ");
    buf_add_printable(out, span_string(snapshot->paths[PATH_ROLLBACK]));
    buf_add_char(out, '\n');
}

/* "3311/5700, 3311/5701, …" */
static void add_untyped(const struct old_values *snapshot, const char *quote, struct buf *out)
{
    for (uint32_t i = 0; i < snapshot->untyped_count && i < UNTYPED_SHOWN_MAX; i++)
        buf_add_format(out, "%s%s%u/%u%s", i > 0 ? ", " : "", quote,
                       (unsigned)(snapshot->untyped[i] >> 16),
                       (unsigned)(snapshot->untyped[i] & 0xffff), quote);
}

static void add_json(const struct old_values *snapshot, int exit_status, struct buf *out)
{
    buf_add_format(out,
                   "{\"command\":\"snapshot\",\"instances\":%lu,\"values\":%llu,\"rows\":%llu,"
                   "\"missing\":%llu,\"rollback\":",
                   (unsigned long)snapshot->instances.count, (unsigned long long)snapshot->values,
                   (unsigned long long)snapshot->rows, (unsigned long long)snapshot->missing_count);
    if (snapshot->is_told)
        buf_add_json_string(out, span_string(snapshot->paths[PATH_ROLLBACK]));
    else
        buf_add_string(out, "null");
    buf_add_format(out, ",\"untyped\":%lu,\"untyped_resources\":[",
                   (unsigned long)snapshot->untyped_count);
    add_untyped(snapshot, "\"", out);
    buf_add_format(out, "],\"exit_status\":%d}\n", exit_status);
}

/* What would be put back as another kind of value than it was. */
static void warn_of_types(const struct old_values *snapshot)
{
    struct buf names;

    if (snapshot->untyped_count == 0)
        return;
    buf_init(&names, 4096);
    add_untyped(snapshot, "", &names);
    if (snapshot->untyped_count > UNTYPED_SHOWN_MAX)
        buf_add_string(&names, ", …");
    person_error(snapshot->person,
                 "warning: no row names these resources of instances that are replaced (%lu): %s. "
                 "What was read of them does not tell an opaque value from a text, nor a time from "
                 "a number: where they are such, add \"type\":1 or 2 in %s before it is sent",
                 (unsigned long)snapshot->untyped_count, buf_string(&names),
                 snapshot->paths[PATH_ROLLBACK]);
    buf_deinit(&names);
}

static int give_json(const struct old_values *snapshot, int result)
{
    struct buf text;

    buf_init(&text, 256 * 1024);
    add_json(snapshot, result, &text);
    bool is_given = text.status == STATUS_OK && person_give(snapshot->person, buf_span(&text));
    buf_deinit(&text);
    return is_given ? result : EXIT_INTERNAL;
}

static int show(struct old_values *snapshot)
{
    const struct person *person = snapshot->person;
    int result = snapshot->missing_count > 0 ? EXIT_SOME_NOT_ACCEPTED : EXIT_ALL_ACCEPTED;
    struct buf text;

    warn_of_types(snapshot);
    buf_init_text(&text, 256 * 1024);
    add_text(snapshot, &text);
    if (!person->quiet)
        person->ops->tell(person, TELL_SUMMARY, buf_string(&text));
    buf_deinit(&text);
    snapshot->is_told = true;
    return snapshot->settings->json ? give_json(snapshot, result) : result;
}

/* Whether there is more to be done after a step that ended so: not all reads need be answered. */
static bool goes_on(int result)
{
    return result == EXIT_ALL_ACCEPTED || result == EXIT_SOME_NOT_ACCEPTED ||
           result == EXIT_IN_DOUBT || result == EXIT_OPEN;
}

static int run_steps(struct old_values *snapshot)
{
    int result = choose_paths(snapshot);

    if (result == 0)
        result = refuse_earlier(snapshot);
    if (result == 0)
        result = find_instances(snapshot);
    if (result == 0)
        result = write_reads(snapshot);
    if (result != 0)
        return result;
    person_note(snapshot->person,
                "reading %lu instance%s; that takes one of ten places of a device",
                (unsigned long)snapshot->instances.count,
                snapshot->instances.count == 1 ? "" : "s");
    if (credentials_hold(&snapshot->key) != STATUS_OK)
        return fail(snapshot, STATUS_NO_MEMORY, EXIT_INTERNAL);
    result = send_reads(snapshot);
    if (goes_on(result) && credentials_put_back(&snapshot->key) != STATUS_OK)
        return fail(snapshot, STATUS_NO_MEMORY, EXIT_INTERNAL);
    if (goes_on(result))
        result = watch_reads(snapshot);
    if (!goes_on(result))
        return result;
    result = write_rollback(snapshot);
    return result == 0 ? show(snapshot) : result;
}

int run_snapshot(const struct run_settings *settings, const struct person *person)
{
    struct old_values snapshot = {.settings = settings, .person = person};

    privacy_follow(settings->input);
    buf_init_text(&snapshot.message, 64 * 1024);
    buf_init(&snapshot.data, COMMAND_CONTENT_MAX * 64);
    instances_init(&snapshot.instances);
    keytable_init(&snapshot.untyped_known);
    int result = run_steps(&snapshot);
    if (settings->json && !snapshot.is_told && snapshot.intake != NULL)
        result = give_json(&snapshot, result);
    replacement_deinit(&snapshot.rollback);
    replacement_deinit(&snapshot.missing);
    credentials_let_go(&snapshot.key);
    instances_deinit(&snapshot.instances);
    keytable_deinit(&snapshot.untyped_known);
    intake_close(snapshot.intake);
    for (size_t i = 0; i < PATH_COUNT; i++)
        free(snapshot.paths[i]);
    buf_deinit(&snapshot.data);
    buf_deinit(&snapshot.message);
    return result;
}
