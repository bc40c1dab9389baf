/*
 * What the journal's files share; nobody else includes it. journal.c is the file, slots.c and
 * stage.c are the live record in it, snapshot.c the snapshots behind that.
 */
#ifndef NB_LEDGER_JOURNAL_IMPL_H
#define NB_LEDGER_JOURNAL_IMPL_H

#include "ledger/journal.h"

enum {
    JOURNAL_PAGE = 4096,
    JOURNAL_VERSION = 2,
    JOURNAL_VERSION_1 = 1, /* no stamps, no mount; zeros are free slots and the end of the lines */
    JOURNAL_SEED = 1,      /* of the checksums that both versions have */
    SETTLED_AT = 8,        /* words of the live record's page, behind `active` */
    MOVED_AT = 16,
};

struct half;

struct journal {
    struct disk *disk;
    int fd;
    int sync_fd; /* opened so that a write is durable when it returns */
    char *path;
    unsigned char *map; /* header and live record */
    size_t map_size;
    struct journal_shape shape;
    uint32_t version;
    uint64_t run_id;
    unsigned char *slots; /* see slot_at */
    uint64_t *active;     /* generation (low) and its checksum (high): which half is in use */
    uint64_t *settled;    /* 0, or the run's id: nothing of the live record will change any more */
    uint64_t *moved;      /* 0, or the run's id: the record goes on in another journal */
    struct half *halves[2];
    uint32_t generation;
    uint32_t lines; /* words of the half in use */
    uint32_t staged_bytes;
};

/* To a whole number of pages. */
static inline size_t journal_round_up(size_t bytes)
{
    return (bytes + JOURNAL_PAGE - 1) / JOURNAL_PAGE * JOURNAL_PAGE;
}

static inline uint32_t journal_check(const void *bytes, size_t len, uint64_t seed)
{
    return (uint32_t)XXH3_64bits_withSeed(bytes, len, seed);
}

/* Writes a snapshot through the descriptor, which may leave waiting for the disk to a sync.
 * STATUS_IO; errno is set. */
enum status journal_put_snapshot(struct journal *journal, int fd, const struct snapshot *snapshot);

/* The slots, and one half of the stage. */
size_t journal_slots_bytes(const struct journal_shape *shape, uint32_t version);
size_t journal_half_bytes(const struct journal_shape *shape);

/* Header and live record, behind which the snapshots begin; and all of these. */
size_t journal_live_bytes(const struct journal_shape *shape, uint32_t version);
size_t journal_snapshots_bytes(const struct journal_shape *shape);

/* Appends where the journal is damaged, and what. Returns STATUS_SYNTAX. */
enum status journal_say_damaged(const struct journal *journal, size_t offset, const char *what,
                                struct buf *message);

#endif
