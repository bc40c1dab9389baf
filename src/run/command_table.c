#include "run/command_table.h"

#include <stdlib.h>
#include <xxhash.h>

#include "core/text.h"

void command_table_deinit(struct command_table *table)
{
    free(table->items);
    free(table->order);
    free(table->waiting);
    *table = (struct command_table){.items = NULL};
}

void command_table_clear(struct command_table *table)
{
    table->count = 0;
}

static bool resize(struct command_table *table, uint32_t capacity)
{
    struct command_record *items = realloc(table->items, capacity * sizeof(*items));

    if (items == NULL)
        return false;
    table->items = items;
    table->capacity = capacity;
    return true;
}

enum status command_table_add(struct command_table *table, const struct command_record *command)
{
    if (table->count == COMMANDS_MAX)
        return STATUS_TOO_BIG;
    if (table->count == table->capacity) {
        uint64_t capacity = (uint64_t)table->capacity + table->capacity / 4 + 1024;
        if (!resize(table, capacity < COMMANDS_MAX ? (uint32_t)capacity : COMMANDS_MAX))
            return STATUS_NO_MEMORY;
    }
    table->items[table->count++] = *command;
    return STATUS_OK;
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_row(const void *a, const void *b, void *context)
{
    const struct command_record *items = context;
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    int result = compare(items[one].row, items[other].row);

    return result != 0 ? result : compare(one, other);
}

static int by_device(const void *a, const void *b, void *context)
{
    const struct command_record *items = context;
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    int result = compare(items[one].device, items[other].device);

    return result != 0 ? result : compare(one, other);
}

/* Puts each item where `order` says, along the circles that this takes, without a second copy. */
static void permute(struct command_record *items, uint32_t *order, uint32_t count)
{
    for (uint32_t start = 0; start < count; start++) {
        struct command_record first = items[start];
        uint32_t at = start;
        while (order[at] != start) {
            uint32_t from = order[at];
            items[at] = items[from];
            order[at] = at;
            at = from;
        }
        items[at] = first;
        order[at] = at;
    }
}

enum status command_table_arrange(struct command_table *table)
{
    uint32_t count = table->count;
    size_t bytes = (count > 0 ? (size_t)count : 1) * sizeof(uint32_t);

    if (count > 0 && !resize(table, count))
        return STATUS_NO_MEMORY;
    table->order = malloc(bytes);
    table->waiting = malloc(bytes);
    if (table->order == NULL || table->waiting == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        table->order[i] = i;
    qsort_r(table->order, count, sizeof(uint32_t), by_row, table->items);
    permute(table->items, table->order, count);
    qsort_r(table->order, count, sizeof(uint32_t), by_device, table->items);
    return STATUS_OK;
}

struct command_group command_table_group(const struct command_table *table, uint32_t first)
{
    uint64_t device = table->items[table->order[first]].device;
    uint32_t end = first + 1;

    while (end < table->count && table->items[table->order[end]].device == device)
        end++;
    return (struct command_group){first, end - first};
}

struct command_group command_table_find(const struct command_table *table, uint64_t device)
{
    uint32_t low = 0, high = table->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->items[table->order[middle]].device < device)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == table->count || table->items[table->order[low]].device != device)
        return (struct command_group){0, 0};
    return command_table_group(table, low);
}

struct command_record *command_table_find_row(const struct command_table *table, uint64_t row,
                                              uint64_t uuid_hash)
{
    uint32_t low = 0, high = table->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->items[middle].row < row)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < table->count && table->items[low].row == row; low++)
        if (table->items[low].uuid_hash == uuid_hash || uuid_hash == COMMAND_ANY_UUID)
            return &table->items[low];
    return NULL;
}

void command_set(struct command_record *command, int64_t send_status, enum confirm confirm,
                 int64_t remain)
{
    bool is_known = send_status > 0 && send_status <= COMMAND_SEND_STATUS_MAX;

    command->send_status = is_known ? (unsigned)send_status & COMMAND_SEND_STATUS_MAX : 0;
    command->confirm = (unsigned)confirm & 15;
    command->remain =
        remain >= 0 && remain < COMMAND_REMAIN_NONE ? (uint8_t)remain : COMMAND_REMAIN_NONE;
}

void command_set_time(struct command_record *command, enum command_time time, int64_t time_s)
{
    command->times_s[time] = time_s > 0 && time_s < UINT32_MAX ? (uint32_t)time_s : 0;
}

uint16_t command_table_keep_word(struct command_table *table, struct span word)
{
    uint16_t i = 0;

    if (word.len == 0)
        return 0;
    while (i < table->word_count && !span_is(word, table->words[i]))
        i++;
    if (i == COMMAND_WORDS_MAX)
        return COMMAND_WORDS_MAX + 1;
    if (i == table->word_count) {
        buf_copy_printable(table->words[i], sizeof(table->words[i]), word);
        table->word_count++;
    }
    return i + 1;
}

const char *command_table_word(const struct command_table *table, uint16_t number)
{
    return number == 0                  ? ""
           : number > table->word_count ? history_confirm_name(CONFIRM_OTHER)
                                        : table->words[number - 1];
}

/* The heap. A group's key is in its first command, whatever becomes of that. */

static uint32_t *due_of(const struct command_table *table, uint32_t first)
{
    return &table->items[table->order[first]].due_s;
}

static bool is_before(const struct command_table *table, uint32_t a, uint32_t b)
{
    uint32_t one = *due_of(table, a), other = *due_of(table, b);

    return one < other || (one == other && a < b);
}

void command_table_wait(struct command_table *table, struct command_group group, uint32_t due_s)
{
    uint32_t *heap = table->waiting, at = table->waiting_count;

    *due_of(table, group.first) = due_s;
    table->waiting_count++;
    while (at > 0 && is_before(table, group.first, heap[(at - 1) / 2])) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = group.first;
}

/* Takes the top away. */
static void take_top(struct command_table *table)
{
    uint32_t *heap = table->waiting, at = 0, count = --table->waiting_count, last = heap[count];

    for (uint32_t child = 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && is_before(table, heap[child + 1], heap[child]))
            child++;
        if (!is_before(table, heap[child], last))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
}

uint32_t command_table_due(const struct command_table *table)
{
    return table->waiting_count > 0 ? *due_of(table, table->waiting[0]) : UINT32_MAX;
}

bool command_table_next(struct command_table *table, uint32_t now_s,
                        struct command_group *ret_group)
{
    if (table->waiting_count == 0 || command_table_due(table) > now_s)
        return false;
    *ret_group = command_table_group(table, table->waiting[0]);
    take_top(table);
    return true;
}

uint64_t command_uuid_hash(struct span uuid)
{
    uuid = text_trim_blanks(uuid);
    uint64_t hash = XXH3_64bits(uuid.ptr, uuid.len);

    return uuid.len == 0 ? 0 : hash != 0 && hash != COMMAND_ANY_UUID ? hash : 1;
}
