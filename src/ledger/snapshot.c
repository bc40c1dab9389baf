/*
 * The journal's record for the death of the machine: snapshots at the end of the file, in places
 * that take turns, each with two copies.
 */
#include <errno.h>

#include "ledger/journal_impl.h"

enum { COPIES = 2, PLACES = 2 };

/* As it is in the file. */
struct snapshot_head {
    uint64_t check; /* of all that follows */
    uint64_t run_id;
    struct snapshot body;
};

/* An intent as it is in the file. */
struct stored_intent {
    uint64_t hash, device, row, line;
    uint32_t occurrence;
    uint16_t sent, ambiguous;
};

size_t snapshot_size(uint32_t intents)
{
    return sizeof(struct snapshot) + intents * sizeof(struct stored_intent);
}

void snapshot_put(struct snapshot *snapshot, const struct intent *intent)
{
    struct stored_intent *stored = (struct stored_intent *)(void *)(snapshot + 1);
    const struct row_id *id = &intent->id;

    stored[snapshot->intent_count++] =
        (struct stored_intent){id->hash,       id->device,   id->row,          id->line,
                               id->occurrence, intent->sent, intent->ambiguous};
}

struct intent snapshot_get(const struct snapshot *snapshot, uint32_t number)
{
    const struct stored_intent *stored =
        (const struct stored_intent *)(const void *)(snapshot + 1) + number;

    return (struct intent){.id = {.hash = stored->hash,
                                  .device = stored->device,
                                  .row = stored->row,
                                  .line = stored->line,
                                  .occurrence = stored->occurrence},
                           .sent = stored->sent,
                           .ambiguous = stored->ambiguous};
}

static size_t snapshot_bytes(const struct journal_shape *shape)
{
    return journal_round_up(offsetof(struct snapshot_head, body) + snapshot_size(shape->slots));
}

size_t journal_snapshots_bytes(const struct journal_shape *shape)
{
    return PLACES * COPIES * snapshot_bytes(shape);
}

/* A place holds the copies one behind the other, each from the next page on. */
static uint64_t place_offset(const struct journal *journal, size_t place)
{
    return journal_live_bytes(&journal->shape, journal->version) +
           place * COPIES * snapshot_bytes(&journal->shape);
}

static size_t snapshot_used(const struct snapshot *snapshot)
{
    return offsetof(struct snapshot_head, body) + snapshot_size(snapshot->intent_count);
}

static uint64_t snapshot_check(const struct snapshot_head *head, size_t used)
{
    const size_t from = offsetof(struct snapshot_head, run_id);

    return XXH3_64bits((const char *)head + from, used - from);
}

enum status journal_put_snapshot(struct journal *journal, int fd, const struct snapshot *snapshot)
{
    size_t used = snapshot_used(snapshot), padded = journal_round_up(used);
    struct snapshot_head *head = calloc(COPIES, padded);

    if (head == NULL) {
        errno = ENOMEM;
        return STATUS_IO;
    }
    head->run_id = journal->run_id;
    memcpy(&head->body, snapshot, used - offsetof(struct snapshot_head, body));
    head->check = snapshot_check(head, used);
    memcpy((char *)head + padded, head, used);
    enum status status =
        disk_write_all(journal->disk, fd, span_of((const char *)head, COPIES * padded),
                       place_offset(journal, (size_t)(snapshot->sequence % PLACES)));
    int error = errno;
    free(head);
    errno = error;
    return status;
}

enum status journal_write_snapshot(struct journal *journal, const struct snapshot *snapshot)
{
    return journal_put_snapshot(journal, journal->sync_fd, snapshot);
}

void snapshot_add_checkpoint(struct snapshot *snapshot, uint64_t offset, uint64_t hash)
{
    uint32_t *count = &snapshot->checkpoint_count;

    if (*count > 0 && snapshot->checkpoints[*count - 1].offset == offset)
        return;
    if (*count == JOURNAL_CHECKPOINTS) {
        for (uint32_t i = 0; i < JOURNAL_CHECKPOINTS / 2; i++)
            snapshot->checkpoints[i] = snapshot->checkpoints[2 * i + 1];
        *count = JOURNAL_CHECKPOINTS / 2;
    }
    snapshot->checkpoints[(*count)++] = (struct checkpoint){offset, hash};
}

/* Whether a whole snapshot of this run is here, with `room` bytes up to the end. */
static bool is_whole(const struct journal *journal, const struct snapshot_head *head, size_t room)
{
    return room >= sizeof(*head) && head->run_id == journal->run_id &&
           head->body.intent_count <= journal->shape.slots &&
           head->body.checkpoint_count <= JOURNAL_CHECKPOINTS &&
           snapshot_used(&head->body) <= room &&
           head->check == snapshot_check(head, snapshot_used(&head->body));
}

/* Looks for whole snapshots on every page: where the second copy is depends on what the first one
 * holds. */
static bool find_newest(const struct journal *journal, const char *bytes, size_t len,
                        struct snapshot *best)
{
    bool found = false;

    for (size_t at = 0; at < len; at += JOURNAL_PAGE) {
        const struct snapshot_head *head = (const void *)(bytes + at);
        if (!is_whole(journal, head, len - at) || (found && head->body.sequence <= best->sequence))
            continue;
        memcpy(best, &head->body, snapshot_size(head->body.intent_count));
        found = true;
    }
    return found;
}

enum status journal_read_snapshot(const struct journal *journal, struct snapshot **ret_snapshot,
                                  struct buf *message)
{
    size_t len = PLACES * COPIES * snapshot_bytes(&journal->shape);
    char *bytes = malloc(len);
    struct snapshot *best = malloc(snapshot_size(journal->shape.slots));
    enum status status = STATUS_NO_MEMORY;

    if (bytes == NULL || best == NULL)
        buf_add_string(message, status_text(status));
    else if (disk_read_all(journal->disk, journal->fd, bytes, len, place_offset(journal, 0)) !=
             STATUS_OK)
        status = journal_say(message, journal->path, "the journal cannot be read", errno);
    else if (!find_newest(journal, bytes, len, best))
        status = journal_say_damaged(journal, journal_live_bytes(&journal->shape, journal->version),
                                     "no snapshot is whole", message);
    else
        status = STATUS_OK;
    free(bytes);
    if (status != STATUS_OK) {
        free(best);
        return status;
    }
    *ret_snapshot = best;
    return STATUS_OK;
}
