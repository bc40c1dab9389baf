#include "ledger/undelivered.h"

#include <errno.h>
#include <xxhash.h>

#include "core/text.h"
#include "ledger/ledger.h"
#include "ledger/results.h"

enum { TOLD = 1, WANTED = 2, CAPACITY_FIRST = 64, UUID_BYTES_MAX = 64 * 1024 };

void undelivered_init(struct undelivered *undelivered)
{
    *undelivered = (struct undelivered){.count = 0};
    keytable_init(&undelivered->told);
    keytable_init(&undelivered->found);
}

void undelivered_deinit(struct undelivered *undelivered)
{
    keytable_deinit(&undelivered->told);
    keytable_deinit(&undelivered->found);
    free(undelivered->rows);
    undelivered->rows = NULL;
}

uint64_t undelivered_key(const struct row_id *id, struct span uuid)
{
    uuid = text_trim_blanks(uuid);
    return row_id_mix(row_id_key(id), XXH3_64bits(uuid.ptr, uuid.len));
}

enum status undelivered_tell(struct undelivered *undelivered, const struct row_id *id,
                             struct span uuid, bool is_wanted)
{
    uint32_t *value;
    enum status status = keytable_slot(&undelivered->told, undelivered_key(id, uuid), &value);

    if (status == STATUS_OK)
        *value = is_wanted ? WANTED : TOLD;
    return status;
}

const struct undelivered_row *undelivered_find(const struct undelivered *undelivered, uint64_t key)
{
    uint32_t place = undelivered->count > 0 ? keytable_get(&undelivered->found, key) : 0;

    return place > 0 ? &undelivered->rows[place - 1] : NULL;
}

static enum status add_row(struct undelivered *undelivered, const struct result_fields *fields)
{
    uint32_t capacity = undelivered->capacity + undelivered->capacity / 2 + CAPACITY_FIRST;
    uint32_t *place;

    if (undelivered->count == undelivered->capacity) {
        struct undelivered_row *rows = realloc(undelivered->rows, capacity * sizeof(*rows));
        if (rows == NULL)
            return STATUS_NO_MEMORY;
        undelivered->rows = rows;
        undelivered->capacity = capacity;
    }
    enum status status = keytable_slot(&undelivered->found, row_id_key(&fields->id), &place);
    if (status != STATUS_OK)
        return status;
    undelivered->rows[undelivered->count++] =
        (struct undelivered_row){.finished_ms = fields->finished_ms};
    *place = undelivered->count;
    return STATUS_OK;
}

struct matching {
    struct undelivered *undelivered;
    struct results results;
    struct buf uuid;
};

static enum status take_current(void *context, const struct result_fields *fields)
{
    struct matching *matching = context;
    struct undelivered *undelivered = matching->undelivered;

    if (fields == NULL) { /* all comes once more */
        undelivered->accepted = undelivered->unknown = undelivered->count = 0;
        keytable_deinit(&undelivered->found);
        keytable_init(&undelivered->found);
        return STATUS_OK;
    }
    if (fields->status != ROW_ACCEPTED)
        return STATUS_OK;
    buf_clear(&matching->uuid);
    result_unquote(fields->columns[RESULT_uuid], matching->results.jsonl, &matching->uuid);
    uint32_t told =
        keytable_get(&undelivered->told, undelivered_key(&fields->id, buf_span(&matching->uuid)));
    undelivered->accepted++;
    undelivered->unknown += told == 0;
    if (matching->uuid.status != STATUS_OK || told != WANTED)
        return matching->uuid.status;
    return add_row(undelivered, fields);
}

/* Lines that do not count by themselves, since the row was accepted before. */
static enum status take_doubt(void *context, const struct result_fields *fields)
{
    const struct matching *matching = context;
    uint32_t place = fields->status == ROW_IN_DOUBT
                         ? keytable_get(&matching->undelivered->found, row_id_key(&fields->id))
                         : 0;
    struct undelivered_row *row = place > 0 ? &matching->undelivered->rows[place - 1] : NULL;

    if (row == NULL || fields->finished_ms < row->finished_ms)
        return STATUS_OK;
    *row = (struct undelivered_row){.finished_ms = fields->finished_ms,
                                    .in_doubt = true,
                                    .orphan = result_is_orphan(fields),
                                    .attempts = fields->attempts,
                                    .ambiguous = fields->ambiguous};
    return STATUS_OK;
}

enum status undelivered_match(struct undelivered *undelivered, struct disk *disk,
                              const char *results, struct buf *message)
{
    struct matching matching = {.undelivered = undelivered};

    undelivered->accepted = undelivered->unknown = undelivered->count = 0;
    buf_init(&matching.uuid, UUID_BYTES_MAX);
    enum status status = results_open(&matching.results, disk, results, message);
    if (status == STATUS_OK)
        status = results_each_current(&matching.results, NULL, NULL, take_current, &matching);
    if (status == STATUS_OK && matching.results.superseded > 0 && undelivered->count > 0)
        status = results_each_line(&matching.results, take_doubt, &matching);
    results_close(&matching.results);
    buf_deinit(&matching.uuid);
    return status;
}
