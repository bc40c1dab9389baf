/*
 * Which mount of which disk a file is on, as far as that can be told: what has been written into a
 * file and not synced is there for as long as the same mount is, and may be gone with it, also
 * without a restart of the machine (a USB disk that is pulled, a volume that is detached).
 */
#ifndef NB_LEDGER_MOUNT_H
#define NB_LEDGER_MOUNT_H

#include "core/span.h"

/* Numbers of the kernel's, good within one boot. */
struct mount_mark {
    uint64_t device;   /* st_dev */
    uint64_t mount_id; /* 0: not known. Another one in each container; given again after a while */
    uint64_t disk;     /* the disk's number in the order of attachment; 0: not known, or no disk */
};

void mount_mark_of(int fd, struct mount_mark *ret_mark);

/* Whether nothing speaks against it that these are one mount. False where nothing is known. */
bool mount_mark_is_same(const struct mount_mark *mark, const struct mount_mark *other);

#endif
