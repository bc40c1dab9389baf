/*
 * A disk in memory, which can do to a record what disks, kernels and power cuts do. What a process
 * sees (the page cache), what the kernel takes for written and what is on the disk are kept apart,
 * in sectors.
 *
 *     fake_disk_start(&dice);
 *     fake_disk_set_faults(&faults);
 *     … the ledger works on files in FAKE_FOLDER …
 *     if (fake_disk_is_dead())     // it died in one of its calls: nothing later has happened
 *         fake_disk_restart(DEATH_OF_MACHINE, false);
 *     fake_disk_stop();
 *
 * It keeps what ledger/disk.h says of a disk, and no more: sync makes the bytes and the size of a
 * file durable, a write to a descriptor with O_DSYNC its own bytes, sync_folder the names.
 * Everything else may be on the disk or not, sector by sector, in any order; names come in the
 * order in which they were changed. A sync that fails leaves the kernel with pages that it takes
 * for written although they are not, as Linux does.
 *
 * There is one disk in a program.
 */
#ifndef NB_TESTS_ENGINE_FAKE_DISK_H
#define NB_TESTS_ENGINE_FAKE_DISK_H

#include "core/prng.h"
#include "ledger/disk.h"

#define FAKE_FOLDER "/sim"

/* The calls that may fail, or die. */
enum fake_call {
    FAKE_OPEN,
    FAKE_APPEND,
    FAKE_WRITE_AT,
    FAKE_READ,
    FAKE_SYNC,
    FAKE_TRUNCATE,
    FAKE_NAME, /* rename, unlink, link */
    FAKE_ALLOCATE,
    FAKE_MAP,
    FAKE_CALL_COUNT
};

struct fake_faults {
    uint32_t per_mille[FAKE_CALL_COUNT]; /* how often the call fails … */
    bool is_lasting;                     /* … and once it has, always; until the next start */
    uint32_t short_per_mille;            /* how often a write takes a part only */
    uint64_t space;                      /* bytes that all files may have together; 0: any number */
    uint64_t die_at; /* the process dies in its n-th call that changes something; 0: in none */
};

enum fake_death {
    DEATH_OF_PROCESS,    /* its pages stay */
    DEATH_OF_CONTAINER,  /* likewise, and the next process finds another mount */
    DEATH_OF_MACHINE,    /* what was not synced is there or not */
    DEATH_OF_ATTACHMENT, /* the same, without a restart of the machine: the disk was pulled */
    DEATH_COUNT
};

/* What has happened so far, for those who want to know whether anything does. */
struct fake_disk_counts {
    uint64_t calls;
    uint64_t failed[FAKE_CALL_COUNT];
    uint64_t short_writes, full, lost_sectors, dropped_sectors;
    uint64_t torn_sectors, kept_sectors, undone_names, written_back;
};

extern struct disk fake_disk;

/* Dice, clock and counts stay the caller's. */
void fake_disk_start(struct prng *dice, const int64_t *wall_ms, struct fake_disk_counts *counts);
void fake_disk_stop(void);

void fake_disk_set_faults(const struct fake_faults *faults);

/* The negative control of all that rests on syncs: they succeed, and do nothing. */
void fake_disk_set_lying(bool lies);

/* The process has died in a call, or dies now: what it does from now on is undone. */
bool fake_disk_is_dead(void);
void fake_disk_die(void);

/* What the next process finds. All descriptors and mappings are gone. Faults are over.
 * `drops_pages`: the kernel has dropped pages that it takes for written. */
void fake_disk_restart(enum fake_death death, bool drops_pages);

/* The kernel writes some of what is not synced, of its own accord. */
void fake_disk_write_back(void);

/* The bytes of a file as a process would read them; NULL where there is none. */
const char *fake_disk_read(const char *path, size_t *ret_size);

#endif
