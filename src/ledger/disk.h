/*
 * The disk under the record: every call by which ledger/ touches files, the wall clock, chance and
 * the machine it runs on. disk_real is the operating system's. A test may give another one in
 * ledger_options.disk, which keeps files in memory, fails and dies on demand; the record, its
 * recovery included, then runs as it does on a disk.
 *
 *     int fd = disk->open(disk, path, O_RDWR, 0);
 *     ssize_t count = disk->read_at(disk, fd, bytes, len, offset);
 *     if (disk->sync(disk, fd) != 0) …
 *
 * Calls behave as the system calls they are named after, errno included, with these exceptions:
 * none fails with EINTR; descriptors are the disk's own numbers, 0 and more; paths are handed on as
 * they were given, and all the files of one record are in one folder.
 *
 * What a disk that is no real one must keep to, since the record rests on it (README.md):
 *  - append, write_at and stores into a mapping change the page cache at once: every descriptor,
 *    mapping and later process on the same boot sees them, whatever becomes of the process. A
 *    mapping and read_at see the same bytes at any time. Aligned stores of eight bytes are seen
 *    whole and in their order.
 *  - They are on the disk once sync (for files: with their size; sync_data likewise) has returned 0
 *    on any descriptor of the file, or, on a descriptor that was opened with O_DSYNC, when write_at
 *    has. Before that any part of them may be on the disk, in any order, in units of whatever is
 *    smallest; the size may be there and the bytes not, which are zeros then. Bytes that allocate
 *    has made room for read as zeros, and writing to them, also through a mapping, cannot fail for
 *    want of room.
 *  - A sync that has failed may leave its bytes behind on the disk or not, and a later sync may say
 *    0 all the same: the record never believes one that follows.
 *  - A name (open with O_CREAT, rename, link, unlink) is in the folder at once, and on the disk
 *    once sync_folder has returned 0. Before that the old name or the new one may be there after
 *    the machine died, never neither (rename is one step). A file without a name lives as long as
 *    a descriptor or a mapping.
 *  - lock is per open file (flock): its descriptor's close, or the end of the process, gives it up.
 *  - The end of the process closes descriptors and mappings; the page cache stays. The death of the
 *    machine loses what was not synced, and the boot id is another then. A disk that is pulled
 *    loses the same, and the mount is another.
 *
 * Which calls come from where: ledger_sync_run may be called from any thread, one at a time, and
 * uses stat, lstat, sync_data and write_at. Everything else is called from the thread that calls
 * the ledger. Nothing in ledger/ starts a thread but a copy to standard output
 * (ledger_options.copy_to_stdout), which does not go through the disk.
 */
#ifndef NB_LEDGER_DISK_H
#define NB_LEDGER_DISK_H

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "core/buf.h"
#include "ledger/mount.h"

enum { DISK_BOOT_ID_LENGTH = 36, DISK_HOST_MAX = 255 };

/* Where this process runs. */
struct disk_host {
    char boot_id[DISK_BOOT_ID_LENGTH + 1]; /* another one after each start of the machine */
    char name[DISK_HOST_MAX + 1];
    uint32_t pid;
};

/* -1, false and NULL: errno is set, unless another answer is told. Texts are to be freed. */
struct disk {
    int (*open)(struct disk *disk, const char *path, int flags, unsigned mode);
    int (*close)(struct disk *disk, int fd);

    /* A part is enough; 0 of read_at: there is no more. append is to the end, where the descriptor
     * was opened with O_APPEND, else to where the last one ended. */
    ssize_t (*read_at)(struct disk *disk, int fd, void *bytes, size_t len, uint64_t offset);
    ssize_t (*write_at)(struct disk *disk, int fd, const void *bytes, size_t len, uint64_t offset);
    ssize_t (*append)(struct disk *disk, int fd, const void *bytes, size_t len);

    int (*truncate)(struct disk *disk, int fd, uint64_t size);
    int (*allocate)(struct disk *disk, int fd, uint64_t size); /* the first bytes of a new file */
    int (*sync)(struct disk *disk, int fd);
    int (*sync_data)(struct disk *disk, int fd);             /* … and what is needed to read it */
    int (*sync_folder)(struct disk *disk, const char *path); /* in which the path is */

    /* The first bytes of a file, shared; NULL: it cannot be mapped. */
    void *(*map)(struct disk *disk, int fd, size_t size, bool writable);
    void (*unmap)(struct disk *disk, void *address, size_t size);

    /* Of an open file; of a name (a link: itself). What is looked at: st_size, st_mode, st_nlink,
     * st_ino, st_dev, st_uid, st_gid. */
    int (*stat)(struct disk *disk, int fd, struct stat *ret_about);
    int (*lstat)(struct disk *disk, const char *path, struct stat *ret_about);
    bool (*has)(struct disk *disk, const char *path); /* false: errno is set */
    int (*chmod)(struct disk *disk, int fd, unsigned mode);
    int (*chown)(struct disk *disk, int fd, unsigned uid, unsigned gid);

    int (*rename)(struct disk *disk, const char *from, const char *to);
    int (*link)(struct disk *disk, const char *from, const char *to);
    int (*unlink)(struct disk *disk, const char *path);
    int (*lock)(struct disk *disk, int fd); /* exclusively; EWOULDBLOCK: somebody else has it */

    /* Whether files can be made in the folder in which the path is. */
    bool (*is_folder_open)(struct disk *disk, const char *path);

    /* A path without links, NULL where it leads nowhere; the same where a file is to be put, which
     * may not be there yet, NULL with errno; what an open file is called now, NULL where that is
     * not known; of the files that glob(7) finds by a pattern the one that was written last, or
     * NULL. */
    char *(*resolve)(struct disk *disk, const char *path);
    char *(*follow)(struct disk *disk, const char *path);
    char *(*name_of)(struct disk *disk, int fd);
    char *(*find)(struct disk *disk, const char *pattern);

    void (*host)(struct disk *disk, struct disk_host *ret_host);
    void (*mount)(struct disk *disk, int fd, struct mount_mark *ret_mark);
    int64_t (*now_ms)(struct disk *disk);  /* epoch */
    uint64_t (*random)(struct disk *disk); /* for names, and the id of a run */
};

extern struct disk disk_real;

/* Writes all of it to the end. STATUS_IO; errno is set. */
enum status disk_append_all(struct disk *disk, int fd, struct span bytes) MUST_USE;

/* Writes all of it to its place. STATUS_IO; errno is set. */
enum status disk_write_all(struct disk *disk, int fd, struct span bytes, uint64_t offset) MUST_USE;

/* Reads all of it. STATUS_IO; errno is set, or 0 where the file ends before. */
enum status disk_read_all(struct disk *disk, int fd, void *bytes, size_t len,
                          uint64_t offset) MUST_USE;

/* Hands [from, to) of a file to `take` in blocks, until it says something else than STATUS_OK,
 * which is returned then. STATUS_IO as disk_read_all. */
typedef enum status disk_take_fn(void *context, struct span block, uint64_t offset);
enum status disk_each_block(struct disk *disk, int fd, uint64_t from, uint64_t to,
                            disk_take_fn *take, void *context) MUST_USE;

/* The part of a path before its last one, with the slash; "./" where there is none. To be freed;
 * NULL without memory. */
char *disk_folder_of(const char *path);

/* The name of a file that belongs to another: "fleet.results.csv" with ".journal" behind it. To be
 * freed; NULL without memory. */
char *disk_name_with(const char *path, const char *end);

/* Appends a name to a pattern of glob(7), in which its own characters mean nothing. */
void disk_add_literally(struct buf *pattern, struct span name);

/* Where root works on what is another user's, what it makes beside it is that user's, too, who goes
 * on with it later. A file, of which something is known. */
void disk_give_to_owner(struct disk *disk, int fd, const struct stat *of);

#endif
