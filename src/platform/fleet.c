#include "platform/fleet.h"

#include <xxhash.h>

/*
 * The log holds a record for each command: the position of the device's command before (0: none),
 * its line, 24 bits of its meaning's hash with the number of items, and the items of two words
 * each: 40 bits that name object, instance and resource, 24 bits of the value's hash. Positions
 * count words over all chunks; a record lies within one chunk.
 */
enum { RECORD_WORDS = 3, ITEM_WORDS = 2, ITEMS_MAX = 255 };

struct item {
    uint64_t tag;
    uint32_t value;
};

/* In place of a resource id: the instance as a whole is replaced. */
enum { WHOLE_INSTANCE = LWM2M_ID_MAX + 1 };

void fleet_init(struct fleet *fleet)
{
    *fleet = (struct fleet){.chunk_count = 0};
    keytable_init(&fleet->devices);
}

void fleet_deinit(struct fleet *fleet)
{
    if (fleet == NULL)
        return;
    keytable_deinit(&fleet->devices);
    for (size_t i = 0; i < fleet->chunk_count; i++)
        free(fleet->chunks[i]);
    fleet_init(fleet);
}

static uint32_t *record_at(const struct fleet *fleet, uint32_t position)
{
    return fleet->chunks[position / FLEET_CHUNK_WORDS] + position % FLEET_CHUNK_WORDS;
}

static enum status reserve(struct fleet *fleet, size_t words, uint32_t *ret_position)
{
    if (fleet->chunk_count == 0 || fleet->used + words > FLEET_CHUNK_WORDS) {
        if (fleet->chunk_count == FLEET_CHUNKS_MAX)
            return STATUS_NO_MEMORY;
        uint32_t *chunk = malloc(FLEET_CHUNK_WORDS * sizeof(*chunk));
        if (chunk == NULL)
            return STATUS_NO_MEMORY;
        /* Position 0 means none: the first word of all stays unused. */
        fleet->used = fleet->chunk_count == 0 ? 1 : 0;
        fleet->chunks[fleet->chunk_count++] = chunk;
    }
    *ret_position = (uint32_t)((fleet->chunk_count - 1) * FLEET_CHUNK_WORDS + fleet->used);
    fleet->used += (uint32_t)words;
    return STATUS_OK;
}

static uint64_t tag_of(const struct command *command, uint32_t resource)
{
    const uint32_t place[] = {command->object_id, command->instance_id, resource};
    return XXH3_64bits(place, sizeof(place)) >> 24;
}

static void set_item(uint32_t *words, uint64_t tag, uint32_t value)
{
    words[0] = (uint32_t)tag;
    words[1] = (uint32_t)(tag >> 32) << 24 | (value & 0xffffff);
}

static struct item item_at(const uint32_t *record, size_t index)
{
    const uint32_t *words = record + RECORD_WORDS + index * ITEM_WORDS;
    return (struct item){(uint64_t)(words[1] >> 24) << 32 | words[0], words[1] & 0xffffff};
}

static size_t item_count(const uint32_t *record)
{
    return record[2] & ITEMS_MAX;
}

/* The value that the record writes to the tag's resource; false where it does not write there. */
static bool find_item(const uint32_t *record, uint64_t tag, uint32_t *ret_value)
{
    for (size_t i = 0; i < item_count(record); i++) {
        struct item item = item_at(record, i);
        if (item.tag == tag) {
            *ret_value = item.value;
            return true;
        }
    }
    return false;
}

static void write_record(const struct command *command, const struct footprint *footprint,
                         uint32_t before, uint32_t *record)
{
    size_t count = 0;

    record[0] = before;
    record[1] = command->line < UINT32_MAX ? (uint32_t)command->line : UINT32_MAX;
    for (; count < footprint->count; count++)
        set_item(record + RECORD_WORDS + count * ITEM_WORDS,
                 tag_of(command, footprint->items[count].res_id), footprint->items[count].value);
    if (command->replaces)
        set_item(record + RECORD_WORDS + count++ * ITEM_WORDS, tag_of(command, WHOLE_INSTANCE), 0);
    record[2] = (uint32_t)(command->meaning >> 40) << 8 | (uint32_t)count;
}

/* How many commands the device has, counted back from its last one. */
static size_t count_commands(const struct fleet *fleet, uint32_t last)
{
    size_t count = 0;

    for (uint32_t at = last; at != 0; at = record_at(fleet, at)[0])
        count++;
    return count;
}

static void refuse_queue(const struct fleet *fleet, uint32_t last, const struct command *command,
                         struct problems *problems)
{
    uint32_t lines[DEVICE_QUEUE_MAX];
    char text[DEVICE_QUEUE_MAX * 12 + 1] = "";
    size_t count = 0, len = 0;

    for (uint32_t at = last; at != 0 && count < DEVICE_QUEUE_MAX; at = record_at(fleet, at)[0])
        lines[count++] = record_at(fleet, at)[1];
    while (count > 0) {
        count--;
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%u%s", lines[count],
                                count > 0 ? ", " : "");
    }
    problem_add(problems, PROBLEM_QUEUE, SPAN_LITERAL("imei"), command_device_text(command),
                "the device has %d commands already, on lines %s: no more can wait",
                DEVICE_QUEUE_MAX, text);
}

/* Compares the new record with the device's earlier ones, the last one first. */
static void compare(const struct fleet *fleet, const uint32_t *record,
                    const struct footprint *footprint, const struct command *command,
                    struct problems *problems)
{
    bool told[FOOTPRINT_ITEMS_MAX] = {false};

    for (uint32_t at = record[0]; at != 0;) {
        const uint32_t *earlier = record_at(fleet, at);
        at = earlier[0];
        if (earlier[2] == record[2]) {
            problem_add(problems, PROBLEM_TWICE, SPAN_LITERAL("imei"), command_device_text(command),
                        "the same command as on line %u", earlier[1]);
            return;
        }
        for (size_t i = 0; i < footprint->count; i++) {
            struct item item = item_at(record, i);
            uint32_t value = 0;
            if (told[i] || !find_item(earlier, item.tag, &value))
                continue;
            told[i] = true;
            if (value != item.value)
                problem_add(problems, PROBLEM_CONFLICT, SPAN_LITERAL("data"), span_of(NULL, 0),
                            "gives resource %u another value than line %u does",
                            (unsigned)footprint->items[i].res_id, earlier[1]);
        }
    }
}

/* Whether an earlier command of the device replaces the same instance. */
static bool replaced_before(const struct fleet *fleet, const struct command *command,
                            uint32_t before)
{
    uint64_t tag = tag_of(command, WHOLE_INSTANCE);
    uint32_t value;

    for (uint32_t at = before; at != 0; at = record_at(fleet, at)[0])
        if (find_item(record_at(fleet, at), tag, &value))
            return true;
    return false;
}

/* Bijective, so that no two devices share a key; its bits are uniform, as the table wants. */
static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

void fleet_expect(const struct fleet *fleet, uint64_t device)
{
    keytable_expect(&fleet->devices, mix(device));
}

enum status fleet_add(struct fleet *fleet, const struct command *command,
                      const struct footprint *footprint, struct problems *problems)
{
    uint32_t *last = NULL, position = 0;
    enum status status = keytable_slot(&fleet->devices, mix(command->device), &last);

    if (status != STATUS_OK)
        return status;
    uint32_t before = *last;
    if (before != 0 && count_commands(fleet, before) >= DEVICE_QUEUE_MAX) {
        refuse_queue(fleet, before, command, problems);
        return STATUS_OK;
    }
    size_t items = footprint->count + (command->replaces ? 1 : 0);
    status = reserve(fleet, RECORD_WORDS + items * ITEM_WORDS, &position);
    if (status != STATUS_OK)
        return status;
    uint32_t *record = record_at(fleet, position);
    write_record(command, footprint, before, record);
    *last = position;
    if (before == 0)
        fleet->device_count++;
    else
        compare(fleet, record, footprint, command, problems);
    if (command->replaces && !replaced_before(fleet, command, before))
        fleet->replaced_count++;
    return STATUS_OK;
}
