#include "run/status_pushes.h"

#include <errno.h>

#include "core/text.h"
#include "run/exit_status.h"

enum { PUSH_BAD_SHOWN = 10 };

struct push_taking {
    struct status_rows *rows;
    int64_t now_s;
    uint64_t count, bad; /* messages about our commands; lines that are none */
    bool failed;         /* by errno */
};

static struct command_record *find_pushed(const struct status_rows *rows,
                                          const struct history_push *push)
{
    uint64_t hash = command_uuid_hash(span_string(push->entry.uuid));
    struct command_group group = command_table_find(&rows->table, push->device);

    for (uint32_t i = 0; i < group.count; i++) {
        struct command_record *command = command_table_at(&rows->table, group, i);
        if (command->uuid_hash == hash && hash != 0)
            return command;
    }
    return NULL;
}

/* A push says neither when the command was created nor when it expires; one that failed has failed
 * for good, since it is its end that is pushed. */
static void take_push(void *context, const struct history_push *push)
{
    struct push_taking *taking = context;
    struct status_rows *rows = taking->rows;
    const struct history_entry *entry = &push->entry;
    struct command_record *command = find_pushed(rows, push);

    if (command == NULL)
        return;
    taking->count++;
    /* Messages are repeated, and come in no certain order: what the device has done it has done. */
    bool is_late_success = history_state(entry) == COMMAND_DELIVERED &&
                           (command->state == COMMAND_FAILED || command->state == COMMAND_EXPIRED ||
                            command->state == COMMAND_MISSING);
    if (!command->is_final || is_late_success) {
        enum command_state state = history_state(entry);
        command_set(command, entry->send_status, entry->confirm,
                    state == COMMAND_FAILED ? 0 : HISTORY_NONE);
        command->state = (unsigned)state & 15;
        command->action = entry->has_action ? ((unsigned)entry->action + 1) & 3 : 0;
        command->word = command_table_keep_word(&rows->table, span_string(entry->word));
        command->is_final = deliveries[state].end == DELIVERY_FINAL || state == COMMAND_FAILED;
        command->looks = 1;
        command_set_time(command, COMMAND_SENT_AT, entry->times_s[HISTORY_SENT]);
        command_set_time(command, COMMAND_CONFIRMED, entry->times_s[HISTORY_CONFIRMED]);
        command_set_time(command, COMMAND_CHECKED, taking->now_s);
        taking->failed |= !status_rows_keep(rows, command);
    }
    if (rows->settings->values == NULL || push->values.len == 0 || command->has_values)
        return;
    command->has_values = true;
    taking->failed |= !status_rows_take_pushed_values(rows, command, push->values);
}

/* A line that is no message is said, and left out: the others count all the same. */
static void refuse_push(struct push_taking *taking, const char *path, unsigned long long number,
                        bool is_cut)
{
    const struct person *person = taking->rows->person;

    if (is_cut)
        person_note(person, "%s:%llu: the last line is not whole yet, and is left out", path,
                    number);
    else if (++taking->bad <= PUSH_BAD_SHOWN)
        person_error(person, "%s:%llu: it is no message of the platform's: a JSON body a line",
                     path, number);
}

static enum status take_push_lines(struct push_taking *taking, FILE *file, const char *path)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t len;
    enum status status = STATUS_OK;
    unsigned long long number = 0;

    while (status == STATUS_OK && !taking->failed && (len = getline(&line, &capacity, file)) > 0) {
        struct span text = text_trim_blanks(span_of(line, (size_t)len));
        number++;
        if (text.len > 0)
            status = history_read_push(text, take_push, taking);
        if (status == STATUS_SYNTAX) {
            refuse_push(taking, path, number, line[len - 1] != '\n');
            status = STATUS_OK;
        }
    }
    if (status == STATUS_OK && (ferror(file) || taking->failed))
        status = STATUS_IO;
    free(line);
    return status;
}

int status_pushes_take(struct status_rows *rows, const char *path, int64_t now_s,
                       uint64_t *ret_count)
{
    struct push_taking taking = {.rows = rows, .now_s = now_s};
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    enum status status = file != NULL ? take_push_lines(&taking, file, path) : STATUS_IO;

    if (taking.failed)
        buf_add(&rows->message, buf_span(&rows->failure));
    else if (status == STATUS_IO)
        buf_add_format(&rows->message, "%s: %s", path, strerror(errno));
    if (file != NULL && !is_stdin)
        (void)fclose(file);
    *ret_count = taking.count;
    if (status != STATUS_OK)
        return status_rows_fail(rows, status);
    if (taking.bad > PUSH_BAD_SHOWN)
        person_error(rows->person, "%s: %llu lines in all are no messages", path,
                     (unsigned long long)taking.bad);
    return taking.bad > 0 ? EXIT_INPUT_INVALID : 0;
}
