/*
 * The journal beside the results (RESULTS.journal): what a run must have on record before a request
 * leaves, and what it knows and has not brought into the results yet. A file of fixed size, which
 * is allocated before anything is sent, so that a full disk cannot touch it.
 *
 * It keeps two records, since a process and a machine die differently.
 *
 * Live, in a shared mapping, for the death of the process: what has been stored is there, in the
 * order of the stores. A slot for each row that is under way; and the lines that are not written to
 * the results yet, in one of two halves, which take turns. Each change is one store of eight bytes,
 * made last, which holds a checksum of what it makes valid. What is free or ends says so: zeros are
 * damage. Each page of slots is stamped with the sequence of the snapshot that begins, before that
 * is written.
 *
 * Snapshots, written and synced off the loop, for the death of the machine: the rows that may be
 * sent and have no durable result, and hashes of the results at some offsets. A snapshot is not
 * changed once it is written; the next one goes to the other place. Each is written twice, so that
 * a damaged one can be told from one that was never finished.
 *
 * Whose record counts: the mapping is what the process left behind as long as the kernel keeps its
 * pages, so the header names the boot of the machine and the mount of the disk. On the same ones,
 * and where no page is older than the newest snapshot or damaged, the live record counts; else the
 * newest snapshot, which is never wrong, but knows more rows that may have been sent. A container
 * has other mounts each time it is started: snapshots count there. README.md in this folder says
 * what to believe of which file.
 */
#ifndef NB_LEDGER_JOURNAL_H
#define NB_LEDGER_JOURNAL_H

#include <xxhash.h>

#include "core/buf.h"
#include "ledger/disk.h"
#include "ledger/store.h"

enum {
    JOURNAL_TEXT_MAX = 255,
    JOURNAL_CHECKPOINTS = 256,
    JOURNAL_FLUSH_LINES = 512,       /* so many lines are written to the results at once … */
    JOURNAL_FLUSH_BYTES = 96 * 1024, /* … or so many bytes of them */
};

/* The hash of the first `offset` bytes of the results. */
struct checkpoint {
    uint64_t offset;
    uint64_t hash;
};

/* How large the parts are; follows from the concurrency. */
struct journal_shape {
    uint32_t slots;
    uint32_t stage_lines;
    uint32_t stage_bytes;
};

/* Who wrote it and for what; no secrets. */
struct journal_about {
    char boot_id[DISK_BOOT_ID_LENGTH + 1];
    char host[JOURNAL_TEXT_MAX + 1];
    char input[JOURNAL_TEXT_MAX + 1];  /* its name */
    char target[JOURNAL_TEXT_MAX + 1]; /* for people */
    uint64_t input_size, input_hash;   /* 0 where they are not known: a pipe */
    uint64_t strange;                  /* keys of earlier results that no row of the input has */
    uint64_t run_base;                 /* where this run's lines begin in the results */
    int64_t started_ms;                /* epoch */
    uint32_t pid;
    bool jsonl;
    uint8_t with;            /* as in ledger_about; 0 in those of earlier versions */
    struct mount_mark mount; /* version 2; journal_create finds it out */
};

struct snapshot {
    uint64_t sequence;
    uint64_t durable; /* so many bytes of the results are synced */
    uint32_t checkpoint_count;
    uint32_t intent_count;
    struct checkpoint checkpoints[JOURNAL_CHECKPOINTS];
    /* Behind it, in the same block of memory: the intents, see snapshot_put. */
};

/* The lines that wait to be written to the results, behind `base`. */
struct journal_live {
    uint64_t base;
    uint64_t base_hash; /* of the first `base` bytes of the results */
    struct span staged;
    uint32_t lines;
    uint32_t announced; /* bytes of a line that may be behind `base`, or a part of it; 0: none */
    uint32_t announced_check;
    uint64_t announced_seed; /* of the check */
};

struct journal;

/* Everything about this process and machine; target, input and the rest are left empty. */
void journal_about_init(struct disk *disk, struct journal_about *about);

/* Of a run with so many requests in flight, and so many rows (0: not known). */
struct journal_shape journal_shape_for(size_t concurrency, uint64_t rows);

/*
 * Creates the journal, or puts it in the place of the one that is there: `live` (no lines) is how
 * far the results go, `started` are slots that are taken from the start, the snapshot is of the
 * same. Durable when it returns, with the results' folder. STATUS_IO or STATUS_NO_MEMORY with a
 * text in `message`.
 */
enum status journal_create(struct disk *disk, const char *path, const struct journal_about *about,
                           const struct journal_shape *shape, const struct journal_live *live,
                           const struct snapshot *snapshot, const struct intent *started,
                           size_t started_count, struct buf *message,
                           struct journal **ret_journal) MUST_USE;

/* Opens one that was left behind. STATUS_SYNTAX with a text in `message` where it is damaged. */
enum status journal_open(struct disk *disk, const char *path, struct buf *message,
                         struct journal **ret_journal) MUST_USE;

/* Who wrote it; false where there is no journal, or none that can be read. */
bool journal_peek(struct disk *disk, const char *path, struct journal_about *ret_about);

/* Appends "PATH: WHAT: why". Returns STATUS_IO. */
enum status journal_say(struct buf *message, const char *path, const char *what, int error);

/* Takes NULL. The file stays. */
void journal_close(struct journal *journal);

/* Closes and removes it, durably. STATUS_IO with a text in `message`. */
enum status journal_remove(struct journal *journal, struct buf *message) MUST_USE;

/* Whether its path, or another one, names it and no other file. */
bool journal_is_in_place(const struct journal *journal);
bool journal_is_named(const struct journal *journal, const char *path);

const struct journal_about *journal_about(const struct journal *journal);
const struct journal_shape *journal_shape(const struct journal *journal);

/* Takes down that an attempt of this row begins; again for each further one. `slot` is the caller's
 * until journal_unmark. */
void journal_mark(struct journal *journal, uint32_t slot, const struct intent *intent);
void journal_unmark(struct journal *journal, uint32_t slot);

/* Takes down a line of the results. False when there is no room. */
bool journal_stage(struct journal *journal, struct span line);

/* Takes down that a line is about to be written straight into the results. Nothing is staged. */
void journal_announce(struct journal *journal, struct span line);

/* Whether these are the bytes of the line that was announced. */
bool journal_is_announced(const struct journal_live *live, struct span line);

struct span journal_staged(const struct journal *journal);

/* The staged lines are in the results now, which are `base` bytes long and have that hash. */
void journal_turn(struct journal *journal, uint64_t base, uint64_t base_hash);

/* The bytes of a snapshot with so many intents. */
size_t snapshot_size(uint32_t intents);

/* Adds an intent, for which there is room; and gives one back. */
void snapshot_put(struct snapshot *snapshot, const struct intent *intent);
struct intent snapshot_get(const struct snapshot *snapshot, uint32_t number);

/* Adds a checkpoint behind the last one; thins out the earlier ones when there are too many. */
void snapshot_add_checkpoint(struct snapshot *snapshot, uint64_t offset, uint64_t hash);

/*
 * Writes a snapshot, whose sequence must be one more than the last one's, and waits until it is
 * durable. May be called from another thread, one call at a time. STATUS_IO; errno is set.
 */
enum status journal_write_snapshot(struct journal *journal, const struct snapshot *snapshot);

/*
 * Makes the live record durable, and good for whoever finds it later, also after a restart of the
 * machine: to be called last. STATUS_IO; errno is set.
 */
enum status journal_settle(struct journal *journal) MUST_USE;

/*
 * Takes down, durably, that the record goes on in another journal, beside results that were written
 * anew: neither of the two records here counts any more. STATUS_IO; errno is set.
 */
enum status journal_set_moved(struct journal *journal) MUST_USE;
bool journal_has_moved(const struct journal *journal);

/* The same of the journal at a path, which may be in use; false where none can be read there. */
bool journal_peek_moved(struct disk *disk, const char *path);

/* As disk_give_to_owner. */
void journal_give_to_owner(struct journal *journal, const struct stat *of);

/* The snapshot of that sequence is about to be written: no page of the live record is older. */
void journal_stamp(struct journal *journal, uint64_t sequence);

/* Whether the live record may count: it is of this boot of the machine and this mount of the disk,
 * or was settled. */
bool journal_is_live(const struct journal *journal);
bool journal_is_settled(const struct journal *journal);
bool journal_is_of_this_mount(const struct journal *journal);

/* Whether no page of the live record is older than the snapshot of that sequence. Version 1 has no
 * stamps: true. */
bool journal_is_fresh(const struct journal *journal, uint64_t sequence);

/* What is staged, with everything verified. STATUS_SYNTAX with a text in `message`. */
enum status journal_read_live(const struct journal *journal, struct journal_live *ret_live,
                              struct buf *message) MUST_USE;

/* Whether the slot is taken, and by what. STATUS_SYNTAX with a text in `message`. */
enum status journal_read_slot(const struct journal *journal, uint32_t slot, bool *ret_taken,
                              struct intent *ret_intent, struct buf *message) MUST_USE;

/* The newest snapshot that is whole; the caller frees it. STATUS_SYNTAX where none is, STATUS_IO,
 * STATUS_NO_MEMORY, with a text in `message`. */
enum status journal_read_snapshot(const struct journal *journal, struct snapshot **ret_snapshot,
                                  struct buf *message) MUST_USE;

#endif
