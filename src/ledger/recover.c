/*
 * What an earlier run left, and how a run goes on from there (README.md, "Recovery"):
 *
 *  1. The results are opened and locked. Without a journal they are taken as they are, whole.
 *  2. The journal's live record counts if it can: it is of this boot and mount, or was settled, no
 *     page of it is older than the newest snapshot, nothing in it is damaged. Else that snapshot.
 *  3. The results must have the hash that it says as far as it goes. Behind that, by the live
 *     record: the beginning of the lines that waited, which are written now; by the snapshot: as
 *     many lines as are whole. The rest is cut off.
 *  4. The rows that may have been under way, less those that have got a line since, are put into a
 *     new journal, as started, which takes the place of the old one. If this process dies now, the
 *     next one finds them there.
 *  5. Each of them gets a line that says in_doubt, and all is synced.
 *
 * Nothing is changed before step 3 has found nothing wrong.
 */
#include <errno.h>

#include "ledger/recover_impl.h"
#include "platform/device.h"

/* Behind result_orphan_error, where the snapshot counts: it does not know of attempts since it was
 * taken. */
#define LEAST " (attempts and ambiguous are of the last sync and may be higher)"

enum { OPEN_TRIES = 5 };

static enum status no_results(struct ledger *ledger, struct buf *message)
{
    size_t start = message->len;

    buf_add_printable(message, span_string(ledger->path));
    buf_add_string(message, " is not there: ");
    if (place_add_beside(ledger->disk, ledger->path, message))
        return STATUS_EXISTS;
    message->len = start;
    buf_add_printable(message, span_string(ledger->path));
    if (ledger->disk->has(ledger->disk, ledger->journal_path))
        buf_add_string(message, " is not beside its journal: put it back, or move the journal away "
                                "and leave --resume out");
    else
        buf_add_string(message, " is not there, so there is nothing to resume: leave --resume out, "
                                "or name the results with --output");
    return STATUS_EXISTS;
}

static enum status open_results(struct recovery *recovery)
{
    struct ledger *ledger = recovery->ledger;
    struct disk *disk = ledger->disk;
    struct stat about;

    for (int i = 0; i < OPEN_TRIES; i++) {
        /* Not to hang where the name is one of a pipe. */
        ledger->fd = disk->open(disk, ledger->path, O_RDWR | O_APPEND | O_NONBLOCK, 0);
        if (ledger->fd < 0 && errno == ENOENT)
            return no_results(ledger, recovery->message);
        if (ledger->fd < 0 || disk->stat(disk, ledger->fd, &about) != 0)
            return ledger_say(ledger, "the results cannot be opened", errno, recovery->message);
        if (!S_ISREG(about.st_mode)) {
            (void)ledger_say(ledger, "is no regular file: no results", 0, recovery->message);
            return STATUS_EXISTS;
        }
        enum status status = ledger_lock(ledger, recovery->message);
        if (status != STATUS_OK)
            return status;
        /* The last run may have put another file there, or have written to it, until just now. */
        if (place_is_name_of(disk, ledger->path, ledger->fd) &&
            disk->stat(disk, ledger->fd, &about) == 0) {
            if (about.st_nlink > 1) {
                ledger_say_linked(ledger->path, recovery->message);
                return STATUS_EXISTS;
            }
            recovery->size = (uint64_t)about.st_size;
            return STATUS_OK;
        }
        (void)disk->close(disk, ledger->fd);
        ledger->fd = -1;
    }
    return ledger_say(ledger, "the results change while they are opened", 0, recovery->message);
}

static void add_pending(struct recovery *recovery, struct intent intent)
{
    recovery->pending[recovery->pending_count++] = intent;
}

static enum status read_slots(struct recovery *recovery)
{
    uint32_t slots = journal_shape(recovery->journal)->slots;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < slots && status == STATUS_OK; i++) {
        struct intent intent;
        bool taken;
        status = journal_read_slot(recovery->journal, i, &taken, &intent, recovery->message);
        if (status == STATUS_OK && taken)
            add_pending(recovery, intent);
    }
    return status;
}

/* Cuts the results to what is known of them, adds the staged lines, and syncs. */
static enum status complete_results(struct recovery *recovery)
{
    struct ledger *ledger = recovery->ledger;
    struct disk *disk = ledger->disk;
    struct span staged = recovery->live.staged;

    if (disk->truncate(disk, ledger->fd, ledger->base) != 0)
        return ledger_say(ledger, "the results cannot be cut back", errno, recovery->message);
    if (disk_append_all(disk, ledger->fd, staged) != STATUS_OK ||
        disk->sync_data(disk, ledger->fd) != 0)
        return ledger_say(ledger, "the results cannot be written; make room, and try again", errno,
                          recovery->message);
    if (staged.len == 0)
        return STATUS_OK;
    enum status status =
        recovery_load(recovery, ledger->base, ledger->base + staged.len, ledger->hash);
    ledger->base += staged.len;
    return recovery_say(recovery, status);
}

/* The process died, not the machine: the live record is what it knew. */
static enum status recover_live(struct recovery *recovery)
{
    struct ledger *ledger = recovery->ledger;
    struct journal_live *live = &recovery->live;
    enum status status = recovery_load_verified(recovery, live->base, live->base_hash);

    if (status == STATUS_OK)
        status = recovery_verify_tail(recovery);
    uint64_t durable = recovery->snapshot != NULL ? recovery->snapshot->durable : 0;
    if (status == STATUS_OK && durable < ledger->base)
        status = recovery_write_again(recovery, durable, ledger->base);
    return status == STATUS_OK ? complete_results(recovery) : status;
}

/* The machine died: what was synced counts, and of the rest, up to `end`, what is whole. */
static enum status recover_snapshot(struct recovery *recovery, uint64_t end)
{
    struct snapshot *snapshot = recovery->snapshot;
    uint32_t last = snapshot->checkpoint_count - 1;
    enum status status = STATUS_OK;

    recovery->since = snapshot->durable;
    recovery->pending_count = 0;
    for (uint32_t i = 0; i < snapshot->intent_count; i++)
        add_pending(recovery, snapshot_get(snapshot, i));
    if (snapshot->checkpoint_count == 0 || snapshot->checkpoints[last].offset != snapshot->durable)
        return recovery_refuse(recovery, snapshot->durable, 0,
                               "its journal knows nothing about it");
    status = recovery_load_verified(recovery, snapshot->durable, snapshot->checkpoints[last].hash);
    if (status == STATUS_OK)
        status = recovery_load_tail(recovery, snapshot->durable, end);
    /* Where the machine did not die (another mount), the tail may be pages that a sync has lost. */
    if (status == STATUS_OK && snapshot->durable < recovery->ledger->base)
        status = recovery_write_again(recovery, snapshot->durable, recovery->ledger->base);
    return status == STATUS_OK ? complete_results(recovery) : status;
}

/*
 * A sync that failed leaves pages that the kernel takes for written. Once it has dropped them, the
 * results are again what they were, without a death of anything. Only a run that ended as it should
 * has said that there is nobody else to blame.
 */
static bool has_lost_pages(const struct recovery *recovery)
{
    const struct journal_live *live = &recovery->live;

    return journal_is_settled(recovery->journal) && recovery->snapshot != NULL &&
           recovery->snapshot->durable < live->base &&
           !recovery_begins_with(recovery, live->base, live->base_hash);
}

/*
 * The process ended as it should, since its results could not be written or synced, and the machine
 * died since, or the kernel has dropped what it had not written. What the results had may be gone
 * where no sync covered it, and behind that may be a part of what a recovery wrote; the lines
 * that waited in the journal are all there.
 */
static enum status recover_settled(struct recovery *recovery)
{
    const struct journal_live *live = &recovery->live;

    /* Behind that is what waited, or a line that was announced, at the most. */
    uint64_t end =
        live->base + (live->announced > live->staged.len ? live->announced : live->staged.len);
    if (recovery->size > end)
        return recovery_refuse_older(recovery, end);
    if (recovery->size > live->base)
        recovery->size = live->base;
    if (recovery->snapshot == NULL || recovery_begins_with(recovery, live->base, live->base_hash))
        return recover_live(recovery);
    return recover_snapshot(recovery, recovery->size);
}

/* Leaves in `pending` what has no answer. */
static void drop_answered(struct recovery *recovery)
{
    size_t kept = 0;

    for (size_t i = 0; i < recovery->pending_count; i++) {
        const struct intent *intent = &recovery->pending[i];
        struct key_state state;
        index_get(&recovery->answers, &intent->id, &state);
        if (!state.known)
            recovery->pending[kept++] = *intent;
    }
    recovery->pending_count = kept;
}

/*
 * Puts a journal in the place of the old one that holds just the rows in doubt, as if they had been
 * started by this process: if it dies while it names them, the next one finds them there.
 */
static enum status replace_journal(struct recovery *recovery)
{
    struct ledger *ledger = recovery->ledger;
    const struct journal_about *old = journal_about(recovery->journal);
    const struct journal_shape shape = *journal_shape(recovery->journal);
    struct journal_about about;
    enum status status = ledger_make_entries(ledger, shape.slots);

    if (status != STATUS_OK)
        return status;
    journal_about_init(ledger->disk, &about);
    memcpy(about.input, old->input, sizeof(about.input));
    memcpy(about.target, old->target, sizeof(about.target));
    about.input_size = old->input_size;
    about.input_hash = old->input_hash;
    about.strange = old->strange;
    about.jsonl = old->jsonl;
    about.with = old->with;
    about.run_base = ledger->base;
    if (recovery->snapshot != NULL) /* its checkpoints */
        memcpy(ledger->snapshot, recovery->snapshot, sizeof(*recovery->snapshot));
    return ledger_make_journal(ledger, &about, &shape, recovery->pending, recovery->pending_count,
                               recovery->message, &ledger->journal);
}

static enum status name_orphan(struct ledger *ledger, const struct intent *intent,
                               struct span error, int64_t now_ms, struct orphan *orphan)
{
    uint32_t ticket = ledger_admit(&ledger->store, intent);
    char device[DEVICE_TEXT_MAX + 1];
    struct result_record record = {.id = intent->id,
                                   .status = ROW_IN_DOUBT,
                                   .error = error,
                                   .attempts = intent->sent + 1u,
                                   .ambiguous = intent->ambiguous + 1u,
                                   .latency_us = -1,
                                   .finished_ms = now_ms};
    const struct key_state state = {.known = true,
                                    .status = ROW_IN_DOUBT,
                                    .orphan = true,
                                    .attempts = record.attempts,
                                    .ambiguous = record.ambiguous};

    struct key_state before;
    index_get(&ledger->index, &intent->id, &before);
    *orphan = (struct orphan){.key = row_id_key(&intent->id),
                              .before = before.known ? before.ambiguous : 0,
                              .ambiguous = record.ambiguous};
    device_write(intent->id.device, device);
    record.device = span_string(device);
    enum status status = ledger_end(&ledger->store, ticket, &record);
    ledger->past.lines++;
    return status == STATUS_OK ? index_put(&ledger->index, &intent->id, &state) : status;
}

static int compare_orphans(const void *one, const void *other)
{
    const struct orphan *a = one, *b = other;

    return (a->key > b->key) - (a->key < b->key);
}

/* Each row that was under way gets a line that says so. */
static enum status name_orphans(struct recovery *recovery)
{
    struct ledger *ledger = recovery->ledger;
    const int64_t now_ms = ledger->disk->now_ms(ledger->disk);
    enum status status = STATUS_OK;
    struct buf error;

    buf_init(&error, 4096);
    buf_add_string(&error, result_orphan_error);
    if (recovery->by_snapshot)
        buf_add_string(&error, LEAST);
    status = error.status;
    if (recovery->pending_count > 0)
        ledger->orphans = calloc(recovery->pending_count, sizeof(*ledger->orphans));
    if (recovery->pending_count > 0 && ledger->orphans == NULL)
        status = STATUS_NO_MEMORY;
    for (size_t i = 0; i < recovery->pending_count && status == STATUS_OK; i++)
        status = name_orphan(ledger, &recovery->pending[i], buf_span(&error), now_ms,
                             &ledger->orphans[ledger->orphan_count++]);
    if (ledger->orphans != NULL)
        qsort(ledger->orphans, ledger->orphan_count, sizeof(*ledger->orphans), compare_orphans);
    buf_deinit(&error);
    if (status == STATUS_OK)
        status = ledger_sync_now(ledger);
    if (status == STATUS_IO)
        buf_add_format(recovery->message, "%s", buf_string(&ledger->error));
    ledger->past.orphans = recovery->pending_count;
    ledger->store.count = 0; /* they are the earlier run's */
    /* No later line of theirs may end before, also where the clock is set back in this run. */
    if (recovery->pending_count > 0 && ledger->latest_ms < now_ms)
        ledger->latest_ms = now_ms;
    return status;
}

/* Takes down what the live record says: the lines that wait, and the rows under way. */
static enum status read_record(struct recovery *recovery)
{
    const struct snapshot *snapshot = recovery->snapshot;
    enum status status = journal_read_live(recovery->journal, &recovery->live, recovery->message);

    recovery->since = journal_about(recovery->journal)->run_base;
    if (status == STATUS_OK)
        status = read_slots(recovery);
    /* It is older: bytes of the results are synced that it does not know. */
    if (status == STATUS_OK && snapshot != NULL && recovery->live.base < snapshot->durable)
        status = STATUS_SYNTAX;
    return status;
}

/*
 * Whether the live record counts: it may, and nothing of it is damaged, or older than the newest
 * snapshot. A disk that was lost and has come back holds some pages as they are and some as they
 * were; the snapshot was synced. *ret_status is STATUS_SYNTAX where neither can be read.
 */
static bool is_live(struct recovery *recovery, enum status *ret_status)
{
    const struct snapshot *snapshot = recovery->snapshot;
    size_t said = recovery->message->len;

    *ret_status = STATUS_OK;
    if (!journal_is_live(recovery->journal) ||
        (snapshot != NULL && !journal_is_fresh(recovery->journal, snapshot->sequence)))
        return false;
    *ret_status = read_record(recovery);
    if (*ret_status == STATUS_OK)
        return true;
    if (*ret_status == STATUS_SYNTAX && snapshot != NULL) {
        *ret_status = STATUS_OK;
        recovery->message->len = said;
        recovery->live = (struct journal_live){.base = 0};
    }
    return false;
}

/* Which of the two records counts, and what it says. */
static enum status recover_record(struct recovery *recovery)
{
    size_t said = recovery->message->len;
    enum status status =
        journal_read_snapshot(recovery->journal, &recovery->snapshot, recovery->message);

    if (status == STATUS_SYNTAX && journal_is_live(recovery->journal)) {
        recovery->message->len = said; /* it is not needed */
        status = STATUS_OK;
    }
    if (status != STATUS_OK)
        return status;
    bool live = is_live(recovery, &status);
    if (status != STATUS_OK)
        return status;
    recovery->by_snapshot = !live;
    if (!live)
        return recover_snapshot(recovery, recovery->size);
    bool is_whole = journal_is_of_this_mount(recovery->journal) && !has_lost_pages(recovery);
    return is_whole ? recover_live(recovery) : recover_settled(recovery);
}

/* What they asked for is in the input alone: once they are named, nobody takes it down any more. */
static enum status refuse_orphans(const struct recovery *recovery)
{
    size_t count = recovery->pending_count;

    if (!recovery->ledger->options.needs_input || count == 0)
        return STATUS_OK;
    buf_add_format(recovery->message,
                   count == 1
                       ? "%zu row was under way when the run ended, and what it asked for is "
                         "not on record: go on with that run first, with --resume"
                       : "%zu rows were under way when the run ended, and what they asked "
                         "for is not on record: go on with that run first, with --resume",
                   count);
    return STATUS_EXISTS;
}

static enum status recover_journal(struct recovery *recovery)
{
    struct ledger *ledger = recovery->ledger;
    enum status status =
        journal_open(ledger->disk, ledger->journal_path, recovery->message, &recovery->journal);

    if (status != STATUS_OK)
        return status;
    if (journal_has_moved(recovery->journal))
        return recovery_refuse_moved(recovery);
    ledger->past.has_journal = true;
    ledger->past.journal = *journal_about(recovery->journal);
    recovery->pending = calloc(journal_shape(recovery->journal)->slots, sizeof(*recovery->pending));
    if (recovery->pending == NULL)
        return STATUS_NO_MEMORY;
    status = recover_record(recovery);
    if (status == STATUS_OK)
        status = recovery_weigh(recovery);
    if (status == STATUS_OK) {
        drop_answered(recovery);
        status = refuse_orphans(recovery);
    }
    if (status == STATUS_OK) {
        status = replace_journal(recovery);
    }
    return status == STATUS_OK ? name_orphans(recovery) : status;
}

enum status ledger_recover(struct ledger *ledger, struct buf *message)
{
    struct recovery *recovery = calloc(1, sizeof(*recovery));

    if (recovery == NULL)
        return STATUS_NO_MEMORY;
    recovery->ledger = ledger;
    recovery->message = message;
    index_init(&recovery->answers);
    current_init(&recovery->unsure);
    enum status status = open_results(recovery);
    result_scan_init(&recovery->scan, ledger->disk, ledger->fd, ledger->format.jsonl,
                     ledger->format.passed_count);
    if (status == STATUS_OK && ledger->disk->has(ledger->disk, ledger->journal_path))
        status = recover_journal(recovery);
    else if (status == STATUS_OK && errno == ENOENT)
        status = recovery_load_complete(recovery);
    else if (status == STATUS_OK) /* without it, rows that were under way would be sent again */
        status = ledger_say(ledger, "its journal cannot be looked for", errno, message);
    ledger->past.keys = ledger->index.keys;
    result_scan_deinit(&recovery->scan);
    index_deinit(&recovery->answers);
    current_deinit(&recovery->unsure);
    journal_close(recovery->journal);
    free(recovery->pending);
    free(recovery->snapshot);
    free(recovery);
    return status;
}
