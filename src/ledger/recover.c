#include <errno.h>

#include "ledger/ledger_impl.h"
#include "platform/command.h"

const char ledger_orphan_error[] =
    "the run ended while this was under way: it may have been processed";

enum { OPEN_TRIES = 5, COPY_BLOCK_BYTES = 64 * 1024 };

/* What is found out about an earlier run. */
struct recovery {
    struct ledger *ledger;
    struct buf *message;
    struct result_scan scan;
    uint64_t size;             /* of the results */
    struct journal *journal;   /* NULL: there is none */
    struct snapshot *snapshot; /* its newest; NULL where none can be read and none is needed */
    struct journal_live live;  /* where the live record counts */
    struct intent *pending;    /* rows that may have been under way */
    size_t pending_count;
    struct index answers; /* of those: known once a line of `since` or later has their key */
    uint64_t since;
    struct current unsure; /* keys whose lines are not in the order of their times */
};

static enum status no_results(struct ledger *ledger, struct buf *message)
{
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

static enum status refuse(struct recovery *recovery, uint64_t from, uint64_t to, const char *what)
{
    struct buf *message = recovery->message;

    buf_add_printable(message, span_string(recovery->ledger->path));
    if (to > from)
        buf_add_format(message, ": damaged between byte %llu and byte %llu: %s",
                       (unsigned long long)from, (unsigned long long)to, what);
    else
        buf_add_format(message, ": damaged at byte %llu: %s", (unsigned long long)from, what);
    buf_add_string(message, "; nothing was changed and nothing sent: ");
    char *beside = place_find_beside(recovery->ledger->disk, recovery->ledger->path);
    if (beside != NULL) { /* written by a run whose results were taken away */
        buf_add_string(message, "its run has written its lines anew to ");
        buf_add_printable(message, span_string(beside));
        buf_add_string(message, ", go on with --output ");
        buf_add_printable(message, span_string(beside));
    } else {
        buf_add_string(message, "restore the file from a copy, or mend it by hand");
    }
    free(beside);
    return STATUS_SYNTAX;
}

static enum status say_scan(struct recovery *recovery, enum status status)
{
    if (status == STATUS_IO)
        return ledger_say(recovery->ledger, "the results cannot be read", errno, recovery->message);
    if (status == STATUS_SYNTAX)
        return refuse(recovery, recovery->scan.at, 0, recovery->scan.error);
    return status;
}

static bool is_orphan(const struct result_fields *fields)
{
    return fields->status == ROW_IN_DOUBT &&
           span_is(result_without_quotes(fields->columns[RESULT_error]), ledger_orphan_error);
}

/* A longer one is no uuid of anybody's, but its beginning still tells whose it is not. */
static void keep_uuid(struct ledger *ledger, struct span uuid)
{
    size_t len = uuid.len < sizeof(ledger->first_uuid) ? uuid.len : sizeof(ledger->first_uuid);

    memcpy(ledger->first_uuid, uuid.ptr, len);
    ledger->past.uuid = span_of(ledger->first_uuid, len);
}

static struct key_state state_of(const struct result_fields *fields)
{
    return (struct key_state){.known = true,
                              .status = fields->status,
                              .orphan = is_orphan(fields),
                              .attempts = fields->attempts,
                              .ambiguous = fields->ambiguous};
}

/* Takes down what a line says. */
static enum status learn(struct recovery *recovery, const struct result_fields *fields)
{
    struct ledger *ledger = recovery->ledger;
    const struct key_state state = state_of(fields);
    struct key_state before;
    bool is_latest = fields->finished_ms >= ledger->latest_ms, unsure = false;
    enum status status =
        index_learn(&ledger->index, &fields->id, &state, is_latest, &before, &unsure);

    if (status == STATUS_OK && unsure)
        status = current_watch(&recovery->unsure, index_key(&fields->id));
    if (status == STATUS_OK && fields->status == ROW_ACCEPTED &&
        !(before.known && before.status == ROW_ACCEPTED))
        accepted_add(&ledger->accepted, &fields->id);
    if (is_latest)
        ledger->latest_ms = fields->finished_ms;
    ledger->past.lines++;
    if (fields->status == ROW_ACCEPTED && ledger->past.uuid.len == 0)
        keep_uuid(ledger, result_without_quotes(fields->columns[RESULT_uuid]));
    if (status == STATUS_OK && recovery->pending_count > 0 && fields->offset >= recovery->since)
        status = index_put(&recovery->answers, &fields->id, &state);
    return status;
}

/* Learns the lines of [from, to). `hash` is of the bytes, where it is not NULL. */
static enum status load(struct recovery *recovery, uint64_t from, uint64_t to, XXH3_state_t *hash)
{
    struct result_scan *scan = &recovery->scan;
    struct result_fields fields;
    enum status status = STATUS_OK;

    scan->hash = hash;
    result_scan_range(scan, from, to);
    if (from == 0)
        status = result_scan_header(scan, buf_span(&recovery->ledger->header));
    while (status == STATUS_OK) {
        status = result_scan_next(scan, &fields);
        if (status == STATUS_OK)
            status = learn(recovery, &fields);
    }
    return status == STATUS_END ? STATUS_OK : status;
}

/* Looks once more at the keys whose lines are not in the order of their times. */
static enum status settle_unsure(struct recovery *recovery)
{
    struct ledger *ledger = recovery->ledger;
    struct current *unsure = &recovery->unsure;
    struct result_scan *scan = &recovery->scan;
    struct result_fields fields;

    if (unsure->count == 0)
        return STATUS_OK;
    scan->hash = NULL;
    result_scan_range(scan, 0, ledger->base);
    enum status status = result_scan_header(scan, buf_span(&ledger->header));
    while (status == STATUS_OK && (status = result_scan_next(scan, &fields)) == STATUS_OK) {
        uint64_t key = index_key(&fields.id);
        const struct key_state state = state_of(&fields);
        if (current_watches(unsure, key) && current_weigh(unsure, key, &fields))
            status = index_put(&ledger->index, &fields.id, &state);
    }
    return status == STATUS_END ? STATUS_OK : say_scan(recovery, status);
}

static enum status hash_block(void *hash, struct span block, uint64_t offset)
{
    (void)offset;
    return XXH3_64bits_update(hash, block.ptr, block.len) == XXH_OK ? STATUS_OK : STATUS_NO_MEMORY;
}

/* Whether the results go on from `from`, whose hash is known, to a checkpoint. */
static bool leads_to(const struct recovery *recovery, XXH3_state_t *hash, uint64_t from,
                     const struct checkpoint *point)
{
    const struct ledger *ledger = recovery->ledger;

    return disk_each_block(ledger->disk, ledger->fd, from, point->offset, hash_block, hash) ==
               STATUS_OK &&
           XXH3_64bits_digest(hash) == point->hash;
}

/* Finds out between which checkpoints the results are not what was written, and says so. */
static enum status locate_damage(struct recovery *recovery, uint64_t end)
{
    const struct snapshot *snapshot = recovery->snapshot;
    XXH3_state_t *hash = XXH3_createState();
    uint64_t good = 0, bad = end;

    if (hash == NULL)
        return STATUS_NO_MEMORY;
    (void)XXH3_64bits_reset(hash);
    for (uint32_t i = 0; snapshot != NULL && i < snapshot->checkpoint_count; i++) {
        const struct checkpoint *point = &snapshot->checkpoints[i];
        if (!leads_to(recovery, hash, good, point)) {
            bad = point->offset;
            break;
        }
        good = point->offset;
    }
    (void)XXH3_freeState(hash);
    return refuse(recovery, good, bad, "it is not what was written there");
}

/* Learns the first `end` bytes, which must have that hash. */
static enum status load_verified(struct recovery *recovery, uint64_t end, uint64_t hash)
{
    struct ledger *ledger = recovery->ledger;

    if (recovery->size < end)
        return refuse(recovery, recovery->size, 0, "the end of the file is missing");
    enum status status = load(recovery, 0, end, ledger->hash);
    if (status == STATUS_NO_MEMORY || status == STATUS_IO)
        return say_scan(recovery, status);
    if (status == STATUS_SYNTAX && recovery->scan.read < end)
        return say_scan(recovery, status);
    if (XXH3_64bits_digest(ledger->hash) != hash)
        return locate_damage(recovery, end);
    ledger->base = end;
    return say_scan(recovery, status);
}

/* How much of the header is at the start of the results, where nothing else is there but what a
 * disk shows for bytes that it never got; SIZE_MAX where something is. */
static size_t header_written(const struct recovery *recovery)
{
    const struct ledger *ledger = recovery->ledger;
    struct span header = buf_span(&ledger->header);
    size_t len = (size_t)recovery->size, good = 0;
    char start[COPY_BLOCK_BYTES];

    if (recovery->size > header.len || len > sizeof(start) ||
        disk_read_all(ledger->disk, ledger->fd, start, len, 0) != STATUS_OK)
        return SIZE_MAX;
    while (good < len && start[good] == header.ptr[good])
        good++;
    for (size_t i = good; i < len; i++)
        if (start[i] != '\0')
            return SIZE_MAX;
    return good;
}

/* A run that died while it created the results has left a part of the header, or nothing; where the
 * machine died, its size may be there without its bytes. */
static enum status complete_header(struct recovery *recovery)
{
    const struct ledger *ledger = recovery->ledger;
    struct span header = buf_span(&ledger->header);
    size_t good = header_written(recovery);

    if (good >= header.len)
        return STATUS_OK; /* what else there is is looked at with the lines */
    if (ledger->disk->truncate(ledger->disk, ledger->fd, good) != 0 ||
        disk_append_all(ledger->disk, ledger->fd, span_skip(header, good)) != STATUS_OK ||
        ledger->disk->sync_data(ledger->disk, ledger->fd) != 0)
        return ledger_say(ledger, "the results cannot be written; make room, and try again", errno,
                          recovery->message);
    recovery->size = header.len;
    return STATUS_OK;
}

/* Without a journal, the last run was complete, or had not begun to send. */
static enum status load_complete(struct recovery *recovery)
{
    struct ledger *ledger = recovery->ledger;
    enum status status = complete_header(recovery);

    if (status != STATUS_OK)
        return status;
    status = load(recovery, 0, recovery->size, ledger->hash);
    ledger->base = recovery->size;
    return status == STATUS_OK ? settle_unsure(recovery) : say_scan(recovery, status);
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

/* Behind the last written byte stands a line that was announced, or a part of it, which is cut. */
static enum status take_announced(struct recovery *recovery)
{
    struct ledger *ledger = recovery->ledger;
    const struct journal_live *live = &recovery->live;
    size_t len = (size_t)(recovery->size - live->base);
    char *bytes = malloc(len + 1);
    enum status status = STATUS_OK;

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    if (disk_read_all(ledger->disk, ledger->fd, bytes, len, live->base) != STATUS_OK) {
        status = say_scan(recovery, STATUS_IO);
    } else if (journal_is_announced(live, span_of(bytes, len))) {
        status = say_scan(recovery, load(recovery, live->base, recovery->size, ledger->hash));
        ledger->base = recovery->size;
    }
    free(bytes);
    return status;
}

static enum status compare_block(void *context, struct span block, uint64_t offset)
{
    struct recovery *recovery = context;
    const struct journal_live *live = &recovery->live;

    if (memcmp(block.ptr, live->staged.ptr + (offset - live->base), block.len) == 0)
        return STATUS_OK;
    return refuse(recovery, offset, 0, "something else than nbatch has written there");
}

/* What stands behind the last written byte can only be the beginning of what was to follow. */
static enum status verify_tail(struct recovery *recovery)
{
    const struct journal_live *live = &recovery->live;
    const struct ledger *ledger = recovery->ledger;
    uint64_t len = recovery->size - live->base;

    if (len > 0 && len <= live->announced)
        return take_announced(recovery);
    if (len > live->staged.len)
        return refuse(recovery, live->base + live->staged.len, 0,
                      "something else than nbatch has written there");
    enum status status = disk_each_block(ledger->disk, ledger->fd, live->base, recovery->size,
                                         compare_block, recovery);
    return status == STATUS_IO ? say_scan(recovery, status) : status;
}

struct rewriting {
    struct disk *disk;
    int fd;
};

static enum status rewrite_block(void *context, struct span block, uint64_t offset)
{
    const struct rewriting *rewriting = context;

    return disk_write_all(rewriting->disk, rewriting->fd, block, offset);
}

/*
 * Writes the bytes that no sync has covered once more: where a sync has failed, the kernel may take
 * them for written although they are not.
 */
static enum status write_again(struct recovery *recovery, uint64_t from, uint64_t to)
{
    struct ledger *ledger = recovery->ledger;
    struct disk *disk = ledger->disk;
    struct rewriting rewriting = {disk, disk->open(disk, ledger->path, O_WRONLY, 0)};

    if (rewriting.fd < 0)
        return ledger_say(ledger, "the results cannot be opened", errno, recovery->message);
    enum status status = disk_each_block(disk, ledger->fd, from, to, rewrite_block, &rewriting);
    if (status != STATUS_OK)
        status =
            ledger_say(ledger, "the results cannot be written again", errno, recovery->message);
    (void)disk->close(disk, rewriting.fd); /* synced through the other descriptor */
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
    enum status status = load(recovery, ledger->base, ledger->base + staged.len, ledger->hash);
    ledger->base += staged.len;
    return say_scan(recovery, status);
}

/* The process died, not the machine: the live record is what it knew. */
static enum status recover_live(struct recovery *recovery)
{
    struct ledger *ledger = recovery->ledger;
    struct journal_live *live = &recovery->live;
    enum status status = load_verified(recovery, live->base, live->base_hash);

    if (status == STATUS_OK)
        status = verify_tail(recovery);
    uint64_t durable = recovery->snapshot != NULL ? recovery->snapshot->durable : 0;
    if (status == STATUS_OK && durable < ledger->base)
        status = write_again(recovery, durable, ledger->base);
    return status == STATUS_OK ? complete_results(recovery) : status;
}

/* The lines behind the last sync, as far as they are whole. */
static enum status load_tail(struct recovery *recovery, uint64_t from, uint64_t to)
{
    struct result_scan *scan = &recovery->scan;
    struct ledger *ledger = recovery->ledger;
    struct result_fields fields;
    enum status status = STATUS_OK;

    scan->hash = NULL;
    result_scan_range(scan, from, to);
    while (status == STATUS_OK) {
        status = result_scan_next(scan, &fields);
        if (status != STATUS_OK)
            break;
        (void)XXH3_64bits_update(ledger->hash, fields.line.ptr, fields.line.len);
        status = learn(recovery, &fields);
    }
    ledger->base = scan->at;
    ledger->past.cut = status == STATUS_SYNTAX;
    return status == STATUS_END || status == STATUS_SYNTAX ? STATUS_OK : say_scan(recovery, status);
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
        return refuse(recovery, snapshot->durable, 0, "its journal knows nothing about it");
    status = load_verified(recovery, snapshot->durable, snapshot->checkpoints[last].hash);
    if (status == STATUS_OK)
        status = load_tail(recovery, snapshot->durable, end);
    return status == STATUS_OK ? complete_results(recovery) : status;
}

/* Whether the results begin with `end` bytes of that hash. */
static bool begins_with(const struct recovery *recovery, uint64_t end, uint64_t wanted)
{
    XXH3_state_t *hash = XXH3_createState();
    bool same = hash != NULL && XXH3_64bits_reset(hash) == XXH_OK &&
                leads_to(recovery, hash, 0, &(struct checkpoint){end, wanted});

    (void)XXH3_freeState(hash);
    return same;
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
           !begins_with(recovery, live->base, live->base_hash);
}

/*
 * The process ended as it should, since its results could not be written or synced, and the machine
 * died since, or the kernel has dropped what it had not written. What the results had may be gone
 * where no sync covered it, and behind that may stand a part of what a recovery wrote; the lines
 * that waited in the journal are all there.
 */
static enum status recover_settled(struct recovery *recovery)
{
    const struct journal_live *live = &recovery->live;

    if (recovery->size > live->base)
        recovery->size = live->base;
    if (recovery->snapshot == NULL || begins_with(recovery, live->base, live->base_hash))
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
    const struct journal_live live = {.base = ledger->base,
                                      .base_hash = XXH3_64bits_digest(ledger->hash)};
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
    about.run_base = ledger->base;
    struct snapshot *snapshot = ledger->snapshot;
    if (recovery->snapshot != NULL)
        memcpy(snapshot, recovery->snapshot, sizeof(*snapshot));
    snapshot_add_checkpoint(snapshot, live.base, live.base_hash);
    snapshot->durable = live.base;
    snapshot->sequence = ledger->begun = ledger->ended = 1;
    snapshot->intent_count = 0;
    for (size_t i = 0; i < recovery->pending_count; i++)
        snapshot_put(snapshot, &recovery->pending[i]);
    ledger->durable = live.base;
    return journal_create(ledger->disk, ledger->journal_path, &about, &shape, &live, snapshot,
                          recovery->pending, recovery->pending_count, recovery->message,
                          &ledger->journal);
}

static enum status name_orphan(struct ledger *ledger, const struct intent *intent, int64_t now_ms)
{
    uint32_t ticket = ledger_admit(ledger, intent);
    char device[COMMAND_DEVICE_MAX + 1];
    struct result_record record = {.id = intent->id,
                                   .status = ROW_IN_DOUBT,
                                   .error = span_string(ledger_orphan_error),
                                   .attempts = intent->sent + 1u,
                                   .ambiguous = intent->ambiguous + 1u,
                                   .latency_us = -1,
                                   .finished_ms = now_ms};
    const struct key_state state = {.known = true,
                                    .status = ROW_IN_DOUBT,
                                    .orphan = true,
                                    .attempts = record.attempts,
                                    .ambiguous = record.ambiguous};

    command_device(intent->id.device, device);
    record.device = span_string(device);
    enum status status = ledger_end(ledger, ticket, &record);
    ledger->past.lines++;
    return status == STATUS_OK ? index_put(&ledger->index, &intent->id, &state) : status;
}

/* Each row that was under way gets a line that says so. */
static enum status name_orphans(struct recovery *recovery)
{
    struct ledger *ledger = recovery->ledger;
    const int64_t now_ms = ledger->disk->now_ms(ledger->disk);
    enum status status = STATUS_OK;

    for (size_t i = 0; i < recovery->pending_count && status == STATUS_OK; i++)
        status = name_orphan(ledger, &recovery->pending[i], now_ms);
    if (status == STATUS_OK)
        status = ledger_sync_now(ledger);
    if (status == STATUS_IO)
        buf_add_format(recovery->message, "%s", ledger_error(ledger));
    ledger->past.orphans = recovery->pending_count;
    ledger->count = 0; /* they are the earlier run's */
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
    if (!live)
        return recover_snapshot(recovery, recovery->size);
    bool is_whole = journal_is_of_this_mount(recovery->journal) && !has_lost_pages(recovery);
    return is_whole ? recover_live(recovery) : recover_settled(recovery);
}

static enum status recover_journal(struct recovery *recovery)
{
    struct ledger *ledger = recovery->ledger;
    enum status status =
        journal_open(ledger->disk, ledger->journal_path, recovery->message, &recovery->journal);

    if (status != STATUS_OK)
        return status;
    ledger->past.has_journal = true;
    ledger->past.journal = *journal_about(recovery->journal);
    recovery->pending = calloc(journal_shape(recovery->journal)->slots, sizeof(*recovery->pending));
    if (recovery->pending == NULL)
        return STATUS_NO_MEMORY;
    status = recover_record(recovery);
    if (status == STATUS_OK)
        status = settle_unsure(recovery);
    if (status == STATUS_OK) {
        drop_answered(recovery);
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
        status = load_complete(recovery);
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
