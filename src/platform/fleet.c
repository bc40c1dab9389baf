#include "platform/fleet.h"

#include <xxhash.h>

#include "platform/device.h"

/*
 * The log holds a record for each command, in chunks; a record lies within one. Most commands of a
 * file write to the same few sets of places (object, instance, resource), so the first one that
 * does spells the places out, and the others say which set. A chunk begins with the line of its
 * first record; then come the records, each of
 *
 *     3  lines behind that one
 *     3  bits of the meaning's hash
 *     2  which set of places, or SPELLED; and whether there is a command before
 *     4  only then: the position of the device's command before
 *     2  only with SPELLED: how many places, …
 *     8  … and each of them
 *     3  bits of the value's hash, for each place
 *
 * Positions count units over all chunks; 0, where a line is, is none.
 */
enum {
    UNIT_BYTES = 2,
    HEADER_BYTES = 8,
    BEFORE_BYTES = 4,
    COUNT_BYTES = 2,
    PLACE_BYTES = 8,
    VALUE_BYTES = 3,
    LOW_24 = 0xffffff,
    SPELLED = FLEET_SETS_MAX,
    HAS_BEFORE = 0x8000,
    PLACES_MAX = FOOTPRINT_ITEMS_MAX + 1,
};

/* In place of a resource id: the instance as a whole is replaced. */
enum { WHOLE_INSTANCE = LWM2M_ID_MAX + 1 };

struct record {
    uint64_t line;
    uint32_t meaning;
    uint32_t before;
    size_t count;
    const unsigned char *places, *values;
};

/* Where a command writes. */
struct places {
    uint64_t at[PLACES_MAX];
    size_t count;
};

void fleet_init(struct fleet *fleet)
{
    *fleet = (struct fleet){.chunk_count = 0};
    keytable_init(&fleet->devices);
    keytable_init(&fleet->set_numbers);
}

void fleet_deinit(struct fleet *fleet)
{
    if (fleet == NULL)
        return;
    keytable_deinit(&fleet->devices);
    keytable_deinit(&fleet->set_numbers);
    for (size_t i = 0; i < fleet->chunk_count; i++)
        free(fleet->chunks[i]);
    fleet_init(fleet);
}

static void put(unsigned char **at, size_t bytes, uint64_t number)
{
    for (; bytes > 0; bytes--, number >>= 8)
        *(*at)++ = (unsigned char)number;
}

static uint64_t take(const unsigned char **at, size_t bytes)
{
    uint64_t number = 0;

    for (size_t i = 0; i < bytes; i++)
        number |= (uint64_t) * (*at)++ << 8 * i;
    return number;
}

static void read_record(const struct fleet *fleet, uint32_t position, struct record *ret_record)
{
    const size_t offset = (size_t)position * UNIT_BYTES;
    const unsigned char *chunk = fleet->chunks[offset / FLEET_CHUNK_BYTES];
    const unsigned char *at = chunk + offset % FLEET_CHUNK_BYTES;

    ret_record->line = take(&chunk, sizeof(uint64_t)) + take(&at, 3);
    ret_record->meaning = (uint32_t)take(&at, 3);
    uint64_t set = take(&at, 2);
    ret_record->before = (set & HAS_BEFORE) != 0 ? (uint32_t)take(&at, BEFORE_BYTES) : 0;
    set &= SPELLED;
    if (set == SPELLED) {
        ret_record->count = take(&at, COUNT_BYTES);
        ret_record->places = at;
        at += ret_record->count * PLACE_BYTES;
    } else {
        struct record first;
        read_record(fleet, fleet->sets[set], &first);
        ret_record->count = first.count;
        ret_record->places = first.places;
    }
    ret_record->values = at;
}

/* The value that the record writes to the place; false where it does not write there. */
static bool find_value(const struct record *record, uint64_t place, uint32_t *ret_value)
{
    for (size_t i = 0; i < record->count; i++) {
        const unsigned char *at = record->places + i * PLACE_BYTES;
        const unsigned char *value = record->values + i * VALUE_BYTES;
        if (take(&at, PLACE_BYTES) == place) {
            *ret_value = (uint32_t)take(&value, VALUE_BYTES);
            return true;
        }
    }
    return false;
}

/* Makes room for a record. */
static enum status reserve(struct fleet *fleet, size_t bytes, uint64_t line, uint32_t *ret_position)
{
    if (fleet->chunk_count == 0 || fleet->used + bytes > FLEET_CHUNK_BYTES ||
        line - fleet->first_line > LOW_24) {
        if (fleet->chunk_count == FLEET_CHUNKS_MAX)
            return STATUS_NO_MEMORY;
        unsigned char *chunk = malloc(FLEET_CHUNK_BYTES);
        if (chunk == NULL)
            return STATUS_NO_MEMORY;
        fleet->chunks[fleet->chunk_count++] = chunk;
        fleet->first_line = line;
        fleet->used = sizeof(uint64_t);
        put(&chunk, sizeof(uint64_t), line);
    }
    *ret_position =
        (uint32_t)(((fleet->chunk_count - 1) * FLEET_CHUNK_BYTES + fleet->used) / UNIT_BYTES);
    fleet->used += (bytes + UNIT_BYTES - 1) / UNIT_BYTES * UNIT_BYTES;
    return STATUS_OK;
}

static uint64_t place_of(const struct command *command, uint32_t resource)
{
    return (uint64_t)command->object_id << 40 | (uint64_t)command->instance_id << 20 | resource;
}

static void find_places(const struct command *command, const struct footprint *footprint,
                        struct places *ret_places)
{
    size_t count = footprint->count;

    for (size_t i = 0; i < count; i++)
        ret_places->at[i] = place_of(command, footprint->items[i].res_id);
    if (command->replaces)
        ret_places->at[count++] = place_of(command, WHOLE_INSTANCE);
    ret_places->count = count;
}

/* The number of the set; SPELLED where it has none, or gets it now. */
static enum status find_set(struct fleet *fleet, const struct places *places, uint32_t *ret_set,
                            bool *ret_is_new)
{
    uint64_t hash = XXH3_64bits(places->at, places->count * sizeof(places->at[0]));
    uint32_t known = keytable_get(&fleet->set_numbers, hash), *slot;

    *ret_set = known > 0 ? known - 1 : SPELLED;
    *ret_is_new = known == 0 && fleet->set_count < FLEET_SETS_MAX;
    if (!*ret_is_new)
        return STATUS_OK;
    enum status status = keytable_slot(&fleet->set_numbers, hash, &slot);
    if (status == STATUS_OK)
        *slot = ++fleet->set_count;
    return status;
}

static enum status add_record(struct fleet *fleet, const struct command *command,
                              const struct footprint *footprint, const struct places *places,
                              uint32_t before, uint32_t *ret_position)
{
    uint32_t set;
    bool is_new;
    size_t bytes = HEADER_BYTES + places->count * VALUE_BYTES + (before > 0 ? BEFORE_BYTES : 0);
    enum status status = find_set(fleet, places, &set, &is_new);

    if (set == SPELLED)
        bytes += COUNT_BYTES + places->count * PLACE_BYTES;
    if (status == STATUS_OK)
        status = reserve(fleet, bytes, command->line, ret_position);
    if (status != STATUS_OK)
        return status;
    const size_t offset = (size_t)*ret_position * UNIT_BYTES;
    unsigned char *at = fleet->chunks[fleet->chunk_count - 1] + offset % FLEET_CHUNK_BYTES;
    put(&at, 3, command->line - fleet->first_line);
    put(&at, 3, command->meaning >> 40);
    put(&at, 2, set | (before > 0 ? HAS_BEFORE : 0));
    if (before > 0)
        put(&at, BEFORE_BYTES, before);
    if (set == SPELLED)
        put(&at, COUNT_BYTES, places->count);
    for (size_t i = 0; set == SPELLED && i < places->count; i++)
        put(&at, PLACE_BYTES, places->at[i]);
    for (size_t i = 0; i < places->count; i++)
        put(&at, VALUE_BYTES, i < footprint->count ? footprint->items[i].value : 0);
    if (is_new)
        fleet->sets[fleet->set_count - 1] = *ret_position;
    return STATUS_OK;
}

/* The lines of the device's commands, counted back from its last one; how many there are. */
static size_t find_lines(const struct fleet *fleet, uint32_t last, uint64_t lines[DEVICE_QUEUE_MAX])
{
    struct record record;
    size_t count = 0;

    for (uint32_t at = last; at != 0; at = record.before) {
        read_record(fleet, at, &record);
        lines[count++] = record.line;
    }
    return count;
}

/* Says that `count` commands of the file and `taken` that wait leave no room. */
static void refuse_queue(const uint64_t *lines, size_t count, size_t taken,
                         const struct command *command, struct problems *problems)
{
    const struct span field = SPAN_LITERAL("imei"), device = command_device_text(command);
    char text[DEVICE_QUEUE_MAX * 22 + 1] = "";
    size_t len = 0;

    for (size_t i = count; i > 0; i--)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%llu%s",
                                (unsigned long long)lines[i - 1], i > 1 ? ", " : "");
    if (taken == 0)
        problem_add(problems, PROBLEM_QUEUE, field, device,
                    "the device has %d commands already, on lines %s: no more can wait",
                    DEVICE_QUEUE_MAX, text);
    else if (count == 0)
        problem_add(problems, PROBLEM_QUEUE, field, device,
                    "%zu commands wait for the device already, of %d at most: a further one is "
                    "refused, or takes the place of the oldest",
                    taken, DEVICE_QUEUE_MAX);
    else
        problem_add(problems, PROBLEM_QUEUE, field, device,
                    "%zu of %d places of the device are taken by commands that wait already, and "
                    "the others by the rows on lines %s: a further one is refused, or takes the "
                    "place of the oldest",
                    taken, DEVICE_QUEUE_MAX, text);
}

/* Compares the command with the device's earlier ones, the last one first. */
static void compare(const struct fleet *fleet, uint32_t before, const struct footprint *footprint,
                    const struct places *places, const struct command *command,
                    struct problems *problems)
{
    bool told[FOOTPRINT_ITEMS_MAX] = {false};
    struct record earlier;

    for (; before != 0; before = earlier.before) {
        read_record(fleet, before, &earlier);
        if (earlier.meaning == command->meaning >> 40 && earlier.count == places->count) {
            problem_add(problems, PROBLEM_TWICE, SPAN_LITERAL("imei"), command_device_text(command),
                        "the same command as on line %llu", (unsigned long long)earlier.line);
            return;
        }
        for (size_t i = 0; i < footprint->count; i++) {
            uint32_t value = 0;
            if (told[i] || !find_value(&earlier, places->at[i], &value))
                continue;
            told[i] = true;
            if (value != (footprint->items[i].value & LOW_24))
                problem_add(problems, PROBLEM_CONFLICT, SPAN_LITERAL("data"), span_of(NULL, 0),
                            "gives resource %u another value than line %llu does",
                            (unsigned)footprint->items[i].res_id, (unsigned long long)earlier.line);
        }
    }
}

/* Whether an earlier command of the device replaces the same instance. */
static bool replaced_before(const struct fleet *fleet, const struct command *command,
                            uint32_t before)
{
    uint64_t place = place_of(command, WHOLE_INSTANCE);
    struct record record;
    uint32_t value;

    for (; before != 0; before = record.before) {
        read_record(fleet, before, &record);
        if (find_value(&record, place, &value))
            return true;
    }
    return false;
}

void fleet_expect(const struct fleet *fleet, uint64_t device)
{
    keytable_expect(&fleet->devices, device_mix(device));
}

/* Whether no command of the device can be sent, by what waits there. */
static bool is_shut(const struct waiting *waiting, const struct command *command, size_t *ret_taken,
                    struct problems *problems)
{
    if (waiting_refuses(waiting, command, problems))
        return true;
    *ret_taken = waiting_taken(waiting, command->device);
    if (*ret_taken >= DEVICE_QUEUE_MAX)
        refuse_queue(NULL, 0, *ret_taken, command, problems);
    return *ret_taken >= DEVICE_QUEUE_MAX;
}

enum status fleet_add(struct fleet *fleet, const struct command *command,
                      const struct footprint *footprint, struct problems *problems)
{
    uint64_t lines[DEVICE_QUEUE_MAX], device = device_mix(command->device);
    const struct waiting *waiting = fleet->waiting;
    struct places places;
    uint32_t *last = NULL;
    size_t taken = 0;

    if (waiting != NULL && is_shut(waiting, command, &taken, problems))
        return STATUS_OK;
    enum status status = keytable_slot(&fleet->devices, device, &last);

    if (status != STATUS_OK)
        return status;
    uint32_t before = *last;
    size_t count = find_lines(fleet, before, lines);
    if (count + taken >= DEVICE_QUEUE_MAX) {
        refuse_queue(lines, count, taken, command, problems);
        return STATUS_OK;
    }
    find_places(command, footprint, &places);
    if (before != 0)
        compare(fleet, before, footprint, &places, command, problems);
    if (waiting != NULL)
        waiting_compare(waiting, command, footprint, problems);
    if (problems->error_count > 0) { /* it is not sent, and takes no place */
        if (before == 0)
            keytable_give_back(&fleet->devices, device);
        return STATUS_OK;
    }
    if (command->replaces && !replaced_before(fleet, command, before))
        fleet->replaced_count++;
    fleet->device_count += before == 0;
    return add_record(fleet, command, footprint, &places, before, last);
}

bool fleet_next(const struct fleet *fleet, uint64_t *cursor, struct fleet_device *ret_device)
{
    struct record record;
    uint64_t key;
    uint32_t at;

    if (!keytable_next(&fleet->devices, cursor, &key, &at))
        return false;
    *ret_device = (struct fleet_device){.device = device_unmix(key)};
    for (; at != 0; at = record.before) {
        read_record(fleet, at, &record);
        ret_device->line = record.line;
        ret_device->writes |= record.count > 0;
    }
    return true;
}

/* Whether a place of rows is one of the write's. */
static bool is_in(const struct history_write *write, uint64_t place)
{
    uint64_t instance = (uint64_t)write->object << 20 | (uint64_t)write->instance;
    uint32_t resource = place & 0xfffff;

    if (write->object == HISTORY_NONE || write->instance == HISTORY_NONE)
        return true;
    if (place >> 20 != instance)
        return false;
    if (write->replaces || write->is_unclear || resource == WHOLE_INSTANCE)
        return true;
    for (size_t i = 0; i < write->count; i++)
        if (write->resources[i] == resource)
            return true;
    return false;
}

bool fleet_meets(const struct fleet *fleet, uint64_t device, const struct history_write *write)
{
    uint32_t at = keytable_get(&fleet->devices, device_mix(device));
    struct record record;

    for (; at != 0; at = record.before) {
        read_record(fleet, at, &record);
        for (size_t i = 0; i < record.count; i++) {
            const unsigned char *place = record.places + i * PLACE_BYTES;
            if (is_in(write, take(&place, PLACE_BYTES)))
                return true;
        }
    }
    return false;
}
