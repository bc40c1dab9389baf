/*
 * A line's weight is one number: its time, and for an accepted line, or one that was sent again
 * after it, more than any time. The best weight of a watched key is kept with the offset of its
 * line, and a later line with the same weight takes its place.
 */
#include "ledger/current.h"

/* Sixteen bytes: as many of them are kept as keys have several lines. */
struct current_line {
    int64_t weight; /* NONE: no line yet */
    uint64_t offset;
};

enum { CAPACITY_FIRST = 64 };

static const int64_t NONE = -1;

/* These are above all others. Times are those of the years 0 to 9999, and a bit. */
static int64_t weight_of(const struct result_fields *fields)
{
    const int64_t above = INT64_C(1) << 61, year_0 = INT64_C(1) << 60;
    bool is_above = fields->status == ROW_ACCEPTED || fields->is_again;

    return year_0 + fields->finished_ms + (is_above ? above : 0);
}

bool current_beats(bool is_above, bool is_latest, bool was_above, bool *ret_unsure)
{
    bool same_kind = is_above == was_above;

    *ret_unsure = same_kind && !is_latest;
    return same_kind ? is_latest : is_above;
}

void current_init(struct current *current)
{
    *current = (struct current){.count = 0};
    keytable_init(&current->places);
}

void current_deinit(struct current *current)
{
    if (current == NULL)
        return;
    keytable_deinit(&current->places);
    free(current->lines);
    *current = (struct current){.count = 0};
}

static enum status make_room(struct current *current)
{
    uint32_t capacity = current->capacity + current->capacity / 2 + CAPACITY_FIRST;

    if (current->count < current->capacity)
        return STATUS_OK;
    struct current_line *lines = realloc(current->lines, capacity * sizeof(*lines));
    if (lines == NULL)
        return STATUS_NO_MEMORY;
    current->lines = lines;
    current->capacity = capacity;
    return STATUS_OK;
}

enum status current_watch(struct current *current, const struct row_id *id)
{
    uint32_t *place = NULL;
    enum status status = make_room(current); /* first: a slot must not stay empty */

    if (status == STATUS_OK)
        status = keytable_slot(&current->places, row_id_key(id), &place);
    if (status != STATUS_OK || *place != 0)
        return status;
    current->lines[current->count++] = (struct current_line){.weight = NONE};
    *place = current->count;
    return STATUS_OK;
}

static struct current_line *find(const struct current *current, const struct row_id *id)
{
    uint32_t place = current->count > 0 ? keytable_get(&current->places, row_id_key(id)) : 0;

    return place > 0 ? &current->lines[place - 1] : NULL;
}

bool current_watches(const struct current *current, const struct row_id *id)
{
    return find(current, id) != NULL;
}

bool current_weigh(struct current *current, const struct result_fields *fields)
{
    int64_t weight = weight_of(fields);
    struct current_line *line = find(current, &fields->id);

    if (line == NULL)
        return true;
    if (line->weight > weight)
        return false;
    *line = (struct current_line){.weight = weight, .offset = fields->offset};
    return true;
}

bool current_has(const struct current *current, const struct result_fields *fields)
{
    const struct current_line *line = find(current, &fields->id);

    return line == NULL || line->offset == fields->offset;
}
