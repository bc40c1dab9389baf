/*
 * What the lines of earlier runs say. Each is brought into the index of keys as it is read, in the
 * order of the file, by the rule that current.h has. Times are not kept there: keys of which it
 * cannot be told which line counts are noted, and looked at once more at the end (recovery_weigh).
 * The bytes are hashed on the way, so that what is believed is what was written.
 */
#include <errno.h>

#include "ledger/recover_impl.h"

enum { HEADER_MAX_BYTES = 64 * 1024 }; /* of one that is completed */

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
                              .orphan = result_is_orphan(fields),
                              .is_again = fields->is_again,
                              .attempts = fields->attempts,
                              .ambiguous = fields->ambiguous};
}

/* Takes down what a line says. */
static enum status learn(void *context, const struct result_fields *fields)
{
    struct recovery *recovery = context;
    struct ledger *ledger = recovery->ledger;
    const struct key_state state = state_of(fields);
    struct key_state before;
    bool is_latest = fields->finished_ms >= ledger->latest_ms, unsure = false;
    enum status status =
        index_learn(&ledger->index, &fields->id, &state, is_latest, &before, &unsure);

    if (status == STATUS_OK && unsure)
        status = current_watch(&recovery->unsure, &fields->id);
    if (status == STATUS_OK && fields->status == ROW_ACCEPTED && !before.was_accepted)
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

enum status recovery_load(struct recovery *recovery, uint64_t from, uint64_t to, XXH3_state_t *hash)
{
    recovery->scan.hash = hash;
    return result_scan_each(&recovery->scan, from, to, buf_span(&recovery->ledger->header), learn,
                            recovery);
}

static enum status weigh(void *context, const struct result_fields *fields)
{
    struct recovery *recovery = context;
    const struct key_state state = state_of(fields);

    return current_watches(&recovery->unsure, &fields->id) &&
                   current_weigh(&recovery->unsure, fields)
               ? index_put(&recovery->ledger->index, &fields->id, &state)
               : STATUS_OK;
}

enum status recovery_weigh(struct recovery *recovery)
{
    const struct ledger *ledger = recovery->ledger;

    if (recovery->unsure.count == 0)
        return STATUS_OK;
    recovery->scan.hash = NULL;
    return recovery_say(recovery, result_scan_each(&recovery->scan, 0, ledger->base,
                                                   buf_span(&ledger->header), weigh, recovery));
}

enum status recovery_load_verified(struct recovery *recovery, uint64_t end, uint64_t hash)
{
    struct ledger *ledger = recovery->ledger;

    if (recovery->size < end)
        return recovery_refuse(recovery, recovery->size, 0, "the end of the file is missing");
    enum status status = recovery_load(recovery, 0, end, ledger->hash);
    if (status == STATUS_NO_MEMORY || status == STATUS_IO)
        return recovery_say(recovery, status);
    if (status == STATUS_SYNTAX && recovery->scan.read < end)
        return recovery_say(recovery, status);
    if (XXH3_64bits_digest(ledger->hash) != hash)
        return recovery_locate_damage(recovery, end);
    ledger->base = end;
    return recovery_say(recovery, status);
}

/* How much of the header is at the start of the results, where nothing else is there but what a
 * disk shows for bytes that it never got; SIZE_MAX where something is. */
static size_t header_written(const struct recovery *recovery)
{
    const struct ledger *ledger = recovery->ledger;
    struct span header = buf_span(&ledger->header);
    size_t len = (size_t)recovery->size, good = 0;
    char start[HEADER_MAX_BYTES];

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

enum status recovery_load_complete(struct recovery *recovery)
{
    struct ledger *ledger = recovery->ledger;
    enum status status = complete_header(recovery);

    if (status != STATUS_OK)
        return status;
    status = recovery_load(recovery, 0, recovery->size, ledger->hash);
    ledger->base = recovery->size;
    return status == STATUS_OK ? recovery_weigh(recovery) : recovery_say(recovery, status);
}

static enum status learn_tail(void *context, const struct result_fields *fields)
{
    struct recovery *recovery = context;

    (void)XXH3_64bits_update(recovery->ledger->hash, fields->line.ptr, fields->line.len);
    return learn(recovery, fields);
}

enum status recovery_load_tail(struct recovery *recovery, uint64_t from, uint64_t to)
{
    struct result_scan *scan = &recovery->scan;
    struct ledger *ledger = recovery->ledger;

    scan->hash = NULL;
    enum status status =
        result_scan_each(scan, from, to, buf_span(&ledger->header), learn_tail, recovery);
    ledger->base = scan->at;
    ledger->past.cut = status == STATUS_SYNTAX;
    return status == STATUS_SYNTAX ? STATUS_OK : recovery_say(recovery, status);
}
