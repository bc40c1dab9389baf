#include "ledger/mount.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/buf.h"

/* Linux 6.8; glibc has no name for it yet. Such an id is never given again. */
static const unsigned int mask_unique_id = 0x00004000U;

/* The first number in a small file that the kernel shows, behind `name`; 0: none. */
static uint64_t read_number(const char *path, const char *name)
{
    char text[1024];
    uint64_t number = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

    if (fd >= 0)
        (void)close(fd); /* it was only read */
    if (len <= 0)
        return 0;
    text[len] = '\0';
    const char *at = strstr(text, name);
    if (at == NULL)
        return 0;
    at += strlen(name);
    at += strspn(at, " \t");
    return span_to_uint64(span_of(at, strspn(at, "0123456789")), &number) == STATUS_OK ? number : 0;
}

static uint64_t mount_id_of(int fd)
{
    struct statx about;
    char path[64];

    if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID | mask_unique_id, &about) == 0 &&
        (about.stx_mask & (STATX_MNT_ID | mask_unique_id)) != 0)
        return about.stx_mnt_id;
    (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    return read_number(path, "mnt_id:");
}

/* A partition's disk is the folder above. */
static uint64_t disk_of(dev_t device)
{
    char path[96];

    (void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/diskseq", major(device),
                   minor(device));
    uint64_t number = read_number(path, "");
    if (number != 0)
        return number;
    (void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../diskseq", major(device),
                   minor(device));
    return read_number(path, "");
}

void mount_mark_of(int fd, struct mount_mark *ret_mark)
{
    struct stat about;

    *ret_mark = (struct mount_mark){.device = 0};
    if (fstat(fd, &about) != 0)
        return;
    *ret_mark = (struct mount_mark){.device = about.st_dev,
                                    .mount_id = mount_id_of(fd),
                                    .disk = disk_of(about.st_dev)};
}

bool mount_mark_is_same(const struct mount_mark *mark, const struct mount_mark *other)
{
    return mark->mount_id != 0 && mark->mount_id == other->mount_id &&
           mark->device == other->device && mark->disk == other->disk;
}
