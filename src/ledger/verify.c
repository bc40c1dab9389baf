/*
 * Whether the results are what was written, by the hashes and lines that the journal has: where
 * they are not, between which checkpoints; what follows the last byte that is known; and
 * writing once more what no sync has covered.
 */
#include <errno.h>

#include "ledger/recover_impl.h"

/* What to do: `otherwise` where no file beside the results goes on with their run. */
static void say_what_to_do(struct recovery *recovery, const char *otherwise)
{
    struct buf *message = recovery->message;

    buf_add_string(message, "; nothing was changed and nothing sent: ");
    /* written by a run whose results were taken away */
    if (!place_add_beside(recovery->ledger->disk, recovery->ledger->path, message))
        buf_add_string(message, otherwise);
}

enum status recovery_refuse_moved(struct recovery *recovery)
{
    place_add_moved(recovery->ledger->path, recovery->message);
    say_what_to_do(recovery, "its run has written its lines anew to a file that is not here any "
                             "more: put that one back, with its own journal beside it");
    return STATUS_SYNTAX;
}

enum status recovery_refuse_older(struct recovery *recovery, uint64_t end)
{
    buf_add_printable(recovery->message, span_string(recovery->ledger->path));
    buf_add_format(
        recovery->message,
        ": the journal beside these results is of an earlier stop; they go on behind "
        "byte %llu, of which it knows nothing; nothing was changed and nothing sent: put "
        "their newest journal back; where there is none, move this one away (the results "
        "are then taken as they are, and rows that were under way may be sent again)",
        (unsigned long long)end);
    return STATUS_SYNTAX;
}

enum status recovery_refuse(struct recovery *recovery, uint64_t from, uint64_t to, const char *what)
{
    struct buf *message = recovery->message;

    buf_add_printable(message, span_string(recovery->ledger->path));
    if (to > from)
        buf_add_format(message, ": damaged between byte %llu and byte %llu: %s",
                       (unsigned long long)from, (unsigned long long)to, what);
    else
        buf_add_format(message, ": damaged at byte %llu: %s", (unsigned long long)from, what);
    say_what_to_do(recovery, "restore the file from a copy, or repair it by hand");
    return STATUS_SYNTAX;
}

enum status recovery_say(struct recovery *recovery, enum status status)
{
    if (status == STATUS_IO)
        return ledger_say(recovery->ledger, "the results cannot be read", errno, recovery->message);
    if (status == STATUS_SYNTAX)
        return recovery_refuse(recovery, recovery->scan.at, 0, recovery->scan.error);
    return status;
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

enum status recovery_locate_damage(struct recovery *recovery, uint64_t end)
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
    return recovery_refuse(recovery, good, bad, "it is not what was written there");
}

bool recovery_begins_with(const struct recovery *recovery, uint64_t end, uint64_t wanted)
{
    XXH3_state_t *hash = XXH3_createState();
    bool same = hash != NULL && XXH3_64bits_reset(hash) == XXH_OK &&
                leads_to(recovery, hash, 0, &(struct checkpoint){end, wanted});

    (void)XXH3_freeState(hash);
    return same;
}

/* Behind the last written byte is a line that was announced, or a part of it, which is cut. */
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
        status = recovery_say(recovery, STATUS_IO);
    } else if (journal_is_announced(live, span_of(bytes, len))) {
        status = recovery_say(recovery,
                              recovery_load(recovery, live->base, recovery->size, ledger->hash));
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
    return recovery_refuse(recovery, offset, 0, "something else than nbatch has written there");
}

enum status recovery_verify_tail(struct recovery *recovery)
{
    const struct journal_live *live = &recovery->live;
    const struct ledger *ledger = recovery->ledger;
    uint64_t len = recovery->size - live->base;

    if (len > 0 && len <= live->announced)
        return take_announced(recovery);
    if (len > live->staged.len)
        return recovery_refuse(recovery, live->base + live->staged.len, 0,
                               "something else than nbatch has written there");
    enum status status = disk_each_block(ledger->disk, ledger->fd, live->base, recovery->size,
                                         compare_block, recovery);
    return status == STATUS_IO ? recovery_say(recovery, status) : status;
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
enum status recovery_write_again(struct recovery *recovery, uint64_t from, uint64_t to)
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
