/*
 * The rows of a run: which of the input have a result, and those that are under way, each in an
 * entry from its admission until its line is durable:
 *
 *     FREE -> ADMITTED -> STARTED -> DONE -> FREE
 *
 * The number of the entry is the row's ticket, and its slot in the journal. An entry waits as DONE
 * until a sync has covered its line: until then the next snapshot still names the row, so that a
 * machine that dies does not take it for one that was never sent.
 */
#include <errno.h>

#include "ledger/ledger_impl.h"

/*
 * The negative control of the mark before a request leaves: the tests build another binary in which
 * this is defined, and see the duplicates that the mark prevents. The product has no such switch.
 */
#ifdef NBATCH_TEST_WITHOUT_MARK
enum { IS_MARKED = false };
#else
enum { IS_MARKED = true };
#endif

enum status ledger_make_entries(struct ledger *ledger, uint32_t slots)
{
    struct entry *entries = calloc(slots, sizeof(*entries));
    struct snapshot *snapshot = calloc(1, snapshot_size(slots));

    if (entries == NULL || snapshot == NULL) {
        free(entries);
        free(snapshot);
        return STATUS_NO_MEMORY;
    }
    if (ledger->snapshot != NULL) /* what is known of the results stays */
        memcpy(snapshot, ledger->snapshot, sizeof(*snapshot));
    snapshot->intent_count = 0;
    free(ledger->entries);
    free(ledger->snapshot);
    ledger->entries = entries;
    ledger->snapshot = snapshot;
    ledger->capacity = slots;
    ledger->store.room = slots;
    for (uint32_t i = 0; i < slots; i++)
        entries[i].next = i + 1 < slots ? i + 1 : STORE_NO_TICKET;
    ledger->first_free = 0;
    ledger->first_done = ledger->last_done = STORE_NO_TICKET;
    return STATUS_OK;
}

/* An accepted row whose command has ended otherwise; in doubt where it was sent again since. */
static void look_for_undelivered(const struct ledger *ledger, const struct row_id *id,
                                 struct key_state *state, bool *ret_wanted)
{
    const struct undelivered_row *row = ledger->undelivered != NULL && state->status == ROW_ACCEPTED
                                            ? undelivered_find(ledger->undelivered, row_id_key(id))
                                            : NULL;

    *ret_wanted = row != NULL && !row->in_doubt;
    if (row == NULL || !row->in_doubt)
        return;
    state->status = ROW_IN_DOUBT;
    state->orphan = row->orphan;
    state->attempts = row->attempts;
    state->ambiguous = row->ambiguous;
}

/* Whether a row that has a result is to be sent. */
static bool is_wanted(const struct ledger *ledger, const struct key_state *state, bool idempotent)
{
    const struct resume_wish *again = &ledger->options.again;

    if (again->status[state->status])
        return true;
    return state->orphan && (idempotent ? again->orphan_idempotent : again->orphan_other);
}

void ledger_send_again(struct ledger *ledger, const struct undelivered *undelivered)
{
    ledger->undelivered = undelivered;
}

enum status ledger_meet(struct store *store, uint64_t hash, bool idempotent,
                        struct store_row *ret_row)
{
    struct ledger *ledger = (struct ledger *)store;
    struct store_row row = {.verdict = STORE_NEW};
    enum status status = index_meet(&ledger->index, hash, &row.occurrence, &row.before);

    if (status != STATUS_OK)
        return status;
    if (row.before.known) {
        const struct row_id id = {.hash = hash, .occurrence = row.occurrence};
        bool wanted;
        look_for_undelivered(ledger, &id, &row.before, &wanted);
        wanted = wanted || is_wanted(ledger, &row.before, idempotent);
        ledger->met_keys++;
        row.verdict = wanted ? STORE_AGAIN : STORE_SETTLED;
        bool settled = row.verdict == STORE_SETTLED;
        ledger->settled[row.before.status] += settled;
        ledger->settled_twice +=
            settled && row.before.status == ROW_ACCEPTED && row.before.ambiguous > 0;
    }
    *ret_row = row;
    return STATUS_OK;
}

/*
 * The run that died kept what a row asked for in its memory alone, but the input has it still: the
 * key is the same, so the row is. When the request left is known by the run's start and by now.
 */
void ledger_remember(struct store *store, const struct doubt *doubt)
{
    struct ledger *ledger = (struct ledger *)store;
    uint64_t key = row_id_key(&doubt->id);
    size_t low = 0, high = ledger->orphan_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ledger->orphans[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == ledger->orphan_count || ledger->orphans[low].key != key)
        return;
    struct doubt whole = *doubt;
    whole.before = ledger->orphans[low].before;
    whole.ambiguous = ledger->orphans[low].ambiguous;
    whole.first_ms = ledger->past.journal.started_ms;
    whole.last_ms = ledger->latest_ms;
    doubt_file_append(&ledger->doubts, &whole);
}

void ledger_rewind(struct store *store)
{
    struct ledger *ledger = (struct ledger *)store;
    index_rewind(&ledger->index);
    memset(ledger->settled, 0, sizeof(ledger->settled));
    ledger->settled_twice = 0;
    ledger->met_keys = 0;
}

uint32_t ledger_admit(struct store *store, const struct intent *intent)
{
    struct ledger *ledger = (struct ledger *)store;
    uint32_t ticket = ledger->first_free;
    struct entry *entry = &ledger->entries[ticket];

    ledger->first_free = entry->next;
    ledger->store.room--;
    ledger->store.waiting++;
    *entry = (struct entry){.intent = *intent,
                            .state = ENTRY_ADMITTED,
                            .next = STORE_NO_TICKET,
                            .sequence = ledger->begun + 1};
    return ticket;
}

bool ledger_is_durable(const struct store *store, uint32_t ticket)
{
    const struct ledger *ledger = (const struct ledger *)store;
    return ledger->entries[ticket].sequence <= ledger->ended;
}

void ledger_attempt(struct store *store, uint32_t ticket, uint32_t sent, uint32_t ambiguous)
{
    struct ledger *ledger = (struct ledger *)store;
    struct entry *entry = &ledger->entries[ticket];

    entry->state = ENTRY_STARTED;
    entry->intent.sent = (uint16_t)(sent < UINT16_MAX ? sent : UINT16_MAX);
    entry->intent.ambiguous = (uint16_t)(ambiguous < UINT16_MAX ? ambiguous : UINT16_MAX);
    if (IS_MARKED)
        journal_mark(ledger->journal, ticket, &entry->intent);
}

void ledger_pause(struct store *store, uint32_t ticket)
{
    struct ledger *ledger = (struct ledger *)store;
    journal_unmark(ledger->journal, ticket);
}

void ledger_free_entry(struct ledger *ledger, uint32_t ticket)
{
    struct entry *entry = &ledger->entries[ticket];

    if (entry->state == ENTRY_ADMITTED && entry->sequence > ledger->begun)
        ledger->store.waiting--;
    entry->state = ENTRY_FREE;
    entry->next = ledger->first_free;
    ledger->first_free = ticket;
    ledger->store.room++;
}

void ledger_drop(struct store *store, uint32_t ticket)
{
    struct ledger *ledger = (struct ledger *)store;
    journal_unmark(ledger->journal, ticket);
    ledger_free_entry(ledger, ticket);
}

/* The row's line is kept: its entry waits until that is durable. */
static void finish_entry(struct ledger *ledger, uint32_t ticket)
{
    struct entry *entry = &ledger->entries[ticket];

    journal_unmark(ledger->journal, ticket);
    if (entry->state == ENTRY_ADMITTED && entry->sequence > ledger->begun)
        ledger->store.waiting--;
    entry->state = ENTRY_DONE;
    entry->end = ledger->base + ledger->staged;
    entry->next = STORE_NO_TICKET;
    if (ledger->last_done != STORE_NO_TICKET)
        ledger->entries[ledger->last_done].next = ticket;
    else
        ledger->first_done = ticket;
    ledger->last_done = ticket;
}

/*
 * The clock may have been set back since the results that are there: a row that has one of them
 * would end before it, and the new result would not count. It ends with the latest of them then.
 */
static struct result_record keep_order(struct ledger *ledger, const struct result_record *record)
{
    struct result_record kept = *record;
    struct key_state before;

    if (record->finished_ms >= ledger->latest_ms)
        return kept;
    index_get(&ledger->index, &record->id, &before);
    if (before.known)
        kept.finished_ms = ledger->latest_ms;
    return kept;
}

/* Whether an earlier run had the row accepted, which was sent again since. */
static bool was_accepted(struct ledger *ledger, const struct row_id *id)
{
    struct key_state before;

    if (!ledger->options.resume)
        return false;
    index_get(&ledger->index, id, &before);
    return before.was_accepted;
}

/* Whether an earlier run had the row accepted, though its line may be gone (--sort). */
static bool is_again(struct ledger *ledger, const struct row_id *id)
{
    struct key_state before;

    if (!ledger->options.resume)
        return false;
    index_get(&ledger->index, id, &before);
    return before.was_accepted || before.is_again;
}

/* The line must count although an accepted one is there, whose command has ended: it says so. */
static void mark_again(struct ledger *ledger, struct result_record *record)
{
    buf_clear(&ledger->again);
    buf_add_string(&ledger->again, result_again_error);
    buf_add(&ledger->again, result_reason(record->error));
    record->error = buf_span(&ledger->again);
}

enum status ledger_end(struct store *store, uint32_t ticket, const struct result_record *given)
{
    struct ledger *ledger = (struct ledger *)store;
    struct result_record ordered = keep_order(ledger, given);
    const struct result_record *record = &ordered;
    bool kept;

    if (record->status != ROW_ACCEPTED && is_again(ledger, &record->id))
        mark_again(ledger, &ordered);
    buf_clear(&ledger->line);
    result_format_add_line(&ledger->format, record, &ledger->line);
    if (ledger->line.status != STATUS_OK || ledger->again.status != STATUS_OK) {
        ledger->lost++;
        return ledger_fail(ledger, "a line of the results", ENOMEM);
    }
    if (record->doubt != NULL)
        doubt_file_append(&ledger->doubts, record->doubt);
    enum status status = ledger_keep_line(ledger, buf_span(&ledger->line), &kept);
    if (!kept) {
        ledger->lost++;
        return status;
    }
    ledger->store.count++;
    ledger->store.unsynced++;
    if (record->status == ROW_ACCEPTED && !was_accepted(ledger, &record->id))
        accepted_add(&ledger->accepted, &record->id);
    if (ticket != STORE_NO_TICKET)
        finish_entry(ledger, ticket);
    enum status copied = ledger_copy_line(ledger, record);
    return status == STATUS_OK ? copied : status;
}
