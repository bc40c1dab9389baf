#include "ledger/disk.h"

#include <errno.h>
#include <glob.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { LINK_BYTES_MAX = 8192, LINKS_MAX = 40, BLOCK_BYTES = 64 * 1024 };

/* The real disk has no state of its own. NOLINTBEGIN(misc-unused-parameters) */
#pragma GCC diagnostic ignored "-Wunused-parameter"

static int real_open(struct disk *disk, const char *path, int flags, unsigned mode)
{
    return (int)TEMP_FAILURE_RETRY(open(path, flags | O_CLOEXEC, (mode_t)mode));
}

static int real_close(struct disk *disk, int fd)
{
    int error = errno, result = close(fd);

    errno = result == 0 ? error : errno;
    return result;
}

static ssize_t real_read_at(struct disk *disk, int fd, void *bytes, size_t len, uint64_t offset)
{
    return TEMP_FAILURE_RETRY(pread(fd, bytes, len, (off_t)offset));
}

static ssize_t real_write_at(struct disk *disk, int fd, const void *bytes, size_t len,
                             uint64_t offset)
{
    return TEMP_FAILURE_RETRY(pwrite(fd, bytes, len, (off_t)offset));
}

static ssize_t real_append(struct disk *disk, int fd, const void *bytes, size_t len)
{
    return TEMP_FAILURE_RETRY(write(fd, bytes, len));
}

static int real_truncate(struct disk *disk, int fd, uint64_t size)
{
    return (int)TEMP_FAILURE_RETRY(ftruncate(fd, (off_t)size));
}

static int real_allocate(struct disk *disk, int fd, uint64_t size)
{
    do
        errno = posix_fallocate(fd, 0, (off_t)size);
    while (errno == EINTR);
    return errno == 0 ? 0 : -1;
}

static int real_sync(struct disk *disk, int fd)
{
    return (int)TEMP_FAILURE_RETRY(fsync(fd));
}

static int real_sync_data(struct disk *disk, int fd)
{
    return (int)TEMP_FAILURE_RETRY(fdatasync(fd));
}

static int real_sync_folder(struct disk *disk, const char *path)
{
    char *folder = disk_folder_of(path);
    int fd = folder != NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    free(folder);
    if (fd < 0)
        return -1;
    int result = real_sync(disk, fd);
    real_close(disk, fd);
    /* Some file systems have nothing to sync in a folder and say so. */
    return result == 0 || errno == EINVAL ? 0 : -1;
}

static void *real_map(struct disk *disk, int fd, size_t size, bool writable)
{
    int access = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void *address = mmap(NULL, size, access, MAP_SHARED, fd, 0);

    return address != MAP_FAILED ? address : NULL;
}

static void real_unmap(struct disk *disk, void *address, size_t size)
{
    (void)munmap(address, size);
}

static int real_stat(struct disk *disk, int fd, struct stat *ret_about)
{
    return fstat(fd, ret_about);
}

static int real_lstat(struct disk *disk, const char *path, struct stat *ret_about)
{
    return lstat(path, ret_about);
}

static bool real_has(struct disk *disk, const char *path)
{
    return access(path, F_OK) == 0;
}

static int real_chmod(struct disk *disk, int fd, unsigned mode)
{
    return fchmod(fd, (mode_t)mode);
}

static int real_chown(struct disk *disk, int fd, unsigned uid, unsigned gid)
{
    return fchown(fd, uid, gid);
}

static int real_rename(struct disk *disk, const char *from, const char *to)
{
    return rename(from, to);
}

static int real_link(struct disk *disk, const char *from, const char *to)
{
    return link(from, to);
}

static int real_unlink(struct disk *disk, const char *path)
{
    return unlink(path);
}

static int real_lock(struct disk *disk, int fd)
{
    return (int)TEMP_FAILURE_RETRY(flock(fd, LOCK_EX | LOCK_NB));
}

static bool real_is_folder_open(struct disk *disk, const char *path)
{
    char *folder = disk_folder_of(path);
    bool open = folder != NULL && access(folder, W_OK | X_OK) == 0;

    free(folder);
    return open;
}

static char *real_resolve(struct disk *disk, const char *path)
{
    return realpath(path, NULL);
}

/* Where a link leads, NULL where it is none. */
static char *link_target(const char *path)
{
    char name[LINK_BYTES_MAX];
    ssize_t len = readlink(path, name, sizeof(name) - 1);

    if (len < 0 || (size_t)len == sizeof(name) - 1)
        return NULL;
    name[len] = '\0';
    char *folder = name[0] == '/' ? strdup("") : disk_folder_of(path);
    char *target = folder != NULL ? disk_name_with(folder, name) : NULL;
    free(folder);
    return target;
}

static char *real_follow(struct disk *disk, const char *path)
{
    char *at = strdup(path), *there = NULL;

    for (int i = 0; i < LINKS_MAX && at != NULL; i++) {
        there = realpath(at, NULL);
        char *next = there == NULL ? link_target(at) : NULL;
        if (there == NULL && next == NULL)
            return at;
        free(at);
        at = next;
    }
    if (at != NULL)
        errno = ELOOP;
    free(at);
    return there;
}

static char *real_name_of(struct disk *disk, int fd)
{
    char link[64], name[LINK_BYTES_MAX];

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, name, sizeof(name));
    return len > 0 && (size_t)len < sizeof(name) ? strndup(name, (size_t)len) : NULL;
}

static char *real_find(struct disk *disk, const char *pattern)
{
    glob_t found = {.gl_pathc = 0};
    const char *latest = NULL;
    struct timespec when = {.tv_sec = 0};
    struct stat about;

    if (glob(pattern, 0, NULL, &found) != 0)
        found.gl_pathc = 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        if (lstat(found.gl_pathv[i], &about) != 0)
            continue;
        bool is_later =
            about.st_mtim.tv_sec > when.tv_sec ||
            (about.st_mtim.tv_sec == when.tv_sec && about.st_mtim.tv_nsec > when.tv_nsec);
        if (latest == NULL || is_later) {
            latest = found.gl_pathv[i];
            when = about.st_mtim;
        }
    }
    char *name = latest != NULL ? strdup(latest) : NULL;
    globfree(&found);
    return name;
}

static uint64_t real_random(struct disk *disk)
{
    uint64_t number = (uint64_t)getpid();

    (void)!getrandom(&number, sizeof(number), 0);
    return number;
}

static void real_host(struct disk *disk, struct disk_host *ret_host)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t count = fd >= 0 ? read(fd, ret_host->boot_id, DISK_BOOT_ID_LENGTH) : -1;

    ret_host->boot_id[DISK_BOOT_ID_LENGTH] = '\0';
    /* Without one, no later look at the journal finds the same: snapshots count, which is safe. */
    if (count != DISK_BOOT_ID_LENGTH)
        (void)snprintf(ret_host->boot_id, sizeof(ret_host->boot_id), "none-%llu",
                       (unsigned long long)real_random(disk));
    if (fd >= 0)
        real_close(disk, fd);
    memset(ret_host->name, 0, sizeof(ret_host->name));
    if (gethostname(ret_host->name, DISK_HOST_MAX) != 0)
        (void)snprintf(ret_host->name, sizeof(ret_host->name), "?");
    ret_host->pid = (uint32_t)getpid();
}

static void real_mount(struct disk *disk, int fd, struct mount_mark *ret_mark)
{
    mount_mark_of(fd, ret_mark);
}

static int64_t real_now_ms(struct disk *disk)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* NOLINTEND(misc-unused-parameters) */

struct disk disk_real = {
    .open = real_open,
    .close = real_close,
    .read_at = real_read_at,
    .write_at = real_write_at,
    .append = real_append,
    .truncate = real_truncate,
    .allocate = real_allocate,
    .sync = real_sync,
    .sync_data = real_sync_data,
    .sync_folder = real_sync_folder,
    .map = real_map,
    .unmap = real_unmap,
    .stat = real_stat,
    .lstat = real_lstat,
    .has = real_has,
    .chmod = real_chmod,
    .chown = real_chown,
    .rename = real_rename,
    .link = real_link,
    .unlink = real_unlink,
    .lock = real_lock,
    .is_folder_open = real_is_folder_open,
    .resolve = real_resolve,
    .follow = real_follow,
    .name_of = real_name_of,
    .find = real_find,
    .host = real_host,
    .mount = real_mount,
    .now_ms = real_now_ms,
    .random = real_random,
};

enum status disk_append_all(struct disk *disk, int fd, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t count = disk->append(disk, fd, bytes.ptr, bytes.len);
        if (count < 0)
            return STATUS_IO;
        bytes = span_skip(bytes, (size_t)count);
    }
    return STATUS_OK;
}

enum status disk_write_all(struct disk *disk, int fd, struct span bytes, uint64_t offset)
{
    while (bytes.len > 0) {
        ssize_t count = disk->write_at(disk, fd, bytes.ptr, bytes.len, offset);
        if (count <= 0) {
            errno = count == 0 ? ENOSPC : errno;
            return STATUS_IO;
        }
        bytes = span_skip(bytes, (size_t)count);
        offset += (uint64_t)count;
    }
    return STATUS_OK;
}

enum status disk_read_all(struct disk *disk, int fd, void *bytes, size_t len, uint64_t offset)
{
    for (size_t at = 0; at < len;) {
        ssize_t count = disk->read_at(disk, fd, (char *)bytes + at, len - at, offset + at);
        if (count <= 0) {
            errno = count == 0 ? 0 : errno;
            return STATUS_IO;
        }
        at += (size_t)count;
    }
    return STATUS_OK;
}

enum status disk_each_block(struct disk *disk, int fd, uint64_t from, uint64_t to,
                            disk_take_fn *take, void *context)
{
    char block[BLOCK_BYTES];
    enum status status = STATUS_OK;

    while (from < to && status == STATUS_OK) {
        size_t len = to - from < sizeof(block) ? (size_t)(to - from) : sizeof(block);
        status = disk_read_all(disk, fd, block, len, from);
        if (status == STATUS_OK)
            status = take(context, span_of(block, len), from);
        from += len;
    }
    return status;
}

char *disk_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? strdup("./") : strndup(path, (size_t)(slash - path) + 1);
}

char *disk_name_with(const char *path, const char *end)
{
    size_t size = strlen(path) + strlen(end) + 1;
    char *name = malloc(size);

    if (name != NULL)
        (void)snprintf(name, size, "%s%s", path, end);
    return name;
}

void disk_give_to_owner(struct disk *disk, int fd, const struct stat *of)
{
    struct stat own;

    if (disk->stat(disk, fd, &own) == 0 && (own.st_uid != of->st_uid || own.st_gid != of->st_gid))
        (void)!disk->chown(disk, fd, of->st_uid, of->st_gid);
}

void disk_add_literally(struct buf *pattern, struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (strchr("*?[]\\", name.ptr[i]) != NULL)
            buf_add_char(pattern, '\\');
        buf_add_char(pattern, name.ptr[i]);
    }
}
