#include "platform/waiting.h"

#include "core/when.h"
#include "platform/device.h"

/*
 * The value of a device: its taken places in the low bits, and above them the number of its first
 * note and 1. A note is a struct note, with the resources and then a text behind it: a command's
 * uuid, or why it is not known what waits there. Devices that follow each other with the same
 * reason share the note. Notes count in units.
 */
enum {
    UNIT_BYTES = 8,
    TAKEN_BITS = 4,
    NOTES_BYTES_MAX = 1024 * 1024 * 1024,
};

struct note {
    uint32_t next; /* of the device, and 1; 0: none */
    uint32_t created_s;
    uint16_t object, instance;
    uint16_t resource_count;
    uint8_t text_len;
    uint8_t gap : 3;
    bool is_gap : 1, replaces : 1, is_unclear : 1, is_anywhere : 1;
};

/* With what is behind it. */
struct read_note {
    struct note note;
    const char *resources; /* as this kind of machine has them */
    const char *text;
};

_Static_assert(DEVICE_QUEUE_MAX < 1 << TAKEN_BITS, "room");

void waiting_init(struct waiting *waiting)
{
    *waiting = (struct waiting){.last_gap = 0};
    keytable_init(&waiting->devices);
    buf_init(&waiting->notes, NOTES_BYTES_MAX);
}

void waiting_deinit(struct waiting *waiting)
{
    keytable_deinit(&waiting->devices);
    buf_deinit(&waiting->notes);
}

/* *ret_number: the note's, and 1. */
static enum status add_note(struct waiting *waiting, const struct note *note,
                            const uint16_t *resources, const char *text, uint32_t *ret_number)
{
    struct buf *notes = &waiting->notes;

    *ret_number = (uint32_t)(notes->len / UNIT_BYTES) + 1;
    buf_add(notes, span_of((const char *)note, sizeof(*note)));
    buf_add(notes, span_of((const char *)resources, note->resource_count * sizeof(*resources)));
    buf_add(notes, span_of(text, note->text_len));
    while (notes->status == STATUS_OK && notes->len % UNIT_BYTES != 0)
        buf_add_char(notes, '\0');
    return notes->status == STATUS_OK ? STATUS_OK : STATUS_NO_MEMORY;
}

static struct read_note read_note(const struct waiting *waiting, uint32_t number)
{
    const char *at = waiting->notes.ptr + (size_t)(number - 1) * UNIT_BYTES;
    struct read_note read;

    memcpy(&read.note, at, sizeof(read.note));
    read.resources = at + sizeof(read.note);
    read.text = read.resources + read.note.resource_count * sizeof(uint16_t);
    return read;
}

static enum status set(struct waiting *waiting, uint64_t device, size_t taken, uint32_t first)
{
    uint32_t *value;

    if (taken == 0 && first == 0)
        return STATUS_OK;
    enum status status = keytable_slot(&waiting->devices, device_mix(device), &value);
    if (status == STATUS_OK)
        *value =
            first << TAKEN_BITS | (uint32_t)(taken < DEVICE_QUEUE_MAX ? taken : DEVICE_QUEUE_MAX);
    return status;
}

enum status waiting_add(struct waiting *waiting, uint64_t device, size_t taken,
                        const struct waiting_command *commands, size_t count)
{
    uint32_t first = 0;

    for (size_t i = count; i > 0; i--) {
        const struct waiting_command *command = &commands[i - 1];
        const struct history_write *write = &command->write;
        bool is_anywhere = write->object == HISTORY_NONE || write->instance == HISTORY_NONE;
        const struct note note = {.next = first,
                                  .created_s =
                                      command->created_s > 0 ? (uint32_t)command->created_s : 0,
                                  .object = is_anywhere ? 0 : (uint16_t)write->object,
                                  .instance = is_anywhere ? 0 : (uint16_t)write->instance,
                                  .resource_count = write->is_unclear ? 0 : (uint16_t)write->count,
                                  .text_len = (uint8_t)strlen(command->uuid),
                                  .replaces = write->replaces,
                                  .is_unclear = write->is_unclear,
                                  .is_anywhere = is_anywhere};
        enum status status = add_note(waiting, &note, write->resources, command->uuid, &first);
        if (status != STATUS_OK)
            return status;
    }
    return set(waiting, device, taken, first);
}

enum status waiting_refuse(struct waiting *waiting, uint64_t device, enum waiting_gap gap,
                           const char *text)
{
    char whole[WAITING_TEXT_MAX + 1]; /* characters */
    buf_copy_printable(whole, sizeof(whole), span_string(text));
    struct span shown = span_string(whole);
    const struct note note = {.text_len = (uint8_t)shown.len, .gap = gap & 7, .is_gap = true};

    if (waiting->last_gap > 0) {
        const struct read_note last = read_note(waiting, waiting->last_gap);
        if (last.note.gap == note.gap && span_equal(span_of(last.text, last.note.text_len), shown))
            return set(waiting, device, 0, waiting->last_gap);
    }
    enum status status = add_note(waiting, &note, NULL, whole, &waiting->last_gap);
    return status == STATUS_OK ? set(waiting, device, 0, waiting->last_gap) : status;
}

static uint32_t value_of(const struct waiting *waiting, uint64_t device)
{
    return keytable_get(&waiting->devices, device_mix(device));
}

size_t waiting_taken(const struct waiting *waiting, uint64_t device)
{
    return value_of(waiting, device) & ((1u << TAKEN_BITS) - 1);
}

static void add_gap(enum waiting_gap gap, struct span text, struct span device,
                    struct problems *problems)
{
    const struct span field = SPAN_LITERAL(DEVICE_COLUMN);

    switch (gap) {
    case GAP_REFUSED:
        problem_add(problems, PROBLEM_DEVICE, field, device,
                    "asked what waits for the device, the platform says: %.*s", SPAN_ARG(text));
        return;
    case GAP_NO_ANSWER:
        problem_add(problems, PROBLEM_UNASKED, field, device,
                    "what waits for the device is not known: %.*s", SPAN_ARG(text));
        return;
    case GAP_UNREADABLE:
        problem_add(problems, PROBLEM_UNASKED, field, device,
                    "what waits for the device is not known: the platform's list of it cannot be "
                    "read, or not as a whole (it may change while it is read)");
        return;
    case GAP_COMMAND:
        problem_add(problems, PROBLEM_UNASKED, field, device,
                    "what the command %.*s writes, which waits for the device, is not known",
                    SPAN_ARG(text));
        return;
    case GAP_OF_ANOTHER:
        problem_add(problems, PROBLEM_UNASKED, field, device,
                    "what waits for the device is not known: the platform's answer speaks of "
                    "another one");
        return;
    }
}

bool waiting_refuses(const struct waiting *waiting, const struct command *command,
                     struct problems *problems)
{
    uint32_t first = value_of(waiting, command->device) >> TAKEN_BITS;

    if (first == 0)
        return false;
    const struct read_note read = read_note(waiting, first);
    if (!read.note.is_gap)
        return false;
    add_gap((enum waiting_gap)read.note.gap, span_of(read.text, read.note.text_len),
            command_device_text(command), problems);
    return true;
}

/* The first resource that both write; false: none. */
static bool find_common(const struct read_note *waiting, const struct footprint *footprint,
                        uint16_t *ret_resource)
{
    for (size_t i = 0; i < waiting->note.resource_count; i++) {
        uint16_t resource;
        memcpy(&resource, waiting->resources + i * sizeof(resource), sizeof(resource));
        for (size_t k = 0; k < footprint->count; k++) {
            if (footprint->items[k].res_id == resource) {
                *ret_resource = resource;
                return true;
            }
        }
    }
    return false;
}

static void add_conflict(const struct read_note *read, const struct command *command,
                         const struct footprint *footprint, struct problems *problems)
{
    const struct note *note = &read->note;
    const struct span field = SPAN_LITERAL("data"), none = span_of(NULL, 0);
    const struct span uuid = span_of(read->text, note->text_len);
    char since[WHEN_PLATFORM_LENGTH + 1] = "?";
    uint16_t resource;

    if (note->created_s > 0)
        when_format_platform(note->created_s, since);
    if (note->is_anywhere || (note->is_unclear && !note->replaces))
        problem_add(problems, PROBLEM_CONFLICT, field, none,
                    "the command %.*s, which waits for the device since %s (UTC+8), may write the "
                    "same: the platform does not tell what it writes",
                    SPAN_ARG(uuid), since);
    else if (note->replaces)
        problem_add(problems, PROBLEM_CONFLICT, field, none,
                    "the command %.*s, which waits for the device since %s (UTC+8), replaces the "
                    "instance",
                    SPAN_ARG(uuid), since);
    else if (command->replaces)
        problem_add(problems, PROBLEM_CONFLICT, field, none,
                    "replaces the instance that the command %.*s writes to, which waits for the "
                    "device since %s (UTC+8)",
                    SPAN_ARG(uuid), since);
    else if (find_common(read, footprint, &resource))
        problem_add(problems, PROBLEM_CONFLICT, field, none,
                    "writes resource %u as the command %.*s does, which waits for the device since "
                    "%s (UTC+8)",
                    (unsigned)resource, SPAN_ARG(uuid), since);
}

void waiting_compare(const struct waiting *waiting, const struct command *command,
                     const struct footprint *footprint, struct problems *problems)
{
    uint32_t at = value_of(waiting, command->device) >> TAKEN_BITS;

    if (footprint->count == 0 && !command->replaces)
        return;
    while (at > 0) {
        const struct read_note read = read_note(waiting, at);
        if (read.note.is_gap)
            return;
        if (read.note.is_anywhere ||
            (read.note.object == command->object_id && read.note.instance == command->instance_id))
            add_conflict(&read, command, footprint, problems);
        at = read.note.next;
    }
}
