#include "run/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/outfile.h"

/* fleet.html.1f0a….part: nobody knows it beforehand. */
static void add_temporary_name(const char *path, struct buf *out)
{
    buf_add_format(out, "%s.%016llx.part", path, (unsigned long long)disk_real.random(&disk_real));
}

/* A new file: without a name where the file system can do that, else under `name`. */
static int open_new(const char *path, const char *name, bool *ret_is_named)
{
    char *folder = disk_folder_of(path);
    int fd = folder != NULL ? open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666) : -1;

    free(folder);
    *ret_is_named = fd < 0;
    return fd >= 0 ? fd : open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
}

static bool give_name(int fd, const char *name)
{
    char link[64];

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, link, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0;
}

/* What is no file, such as a device or a pipe that a collector reads, would be lost. */
static bool may_replace(const char *path)
{
    struct stat about;

    if (lstat(path, &about) != 0)
        return errno == ENOENT;
    errno = EEXIST;
    return S_ISREG(about.st_mode);
}

static enum status replace(const char *path, struct span text, unsigned mode, bool durable)
{
    bool is_named = false;
    struct buf name;

    buf_init(&name, 64 * 1024);
    add_temporary_name(path, &name);
    int fd = name.status == STATUS_OK ? open_new(path, buf_string(&name), &is_named) : -1;
    bool done = fd >= 0 && (mode == 0 || fchmod(fd, mode) == 0) &&
                disk_append_all(&disk_real, fd, text) == STATUS_OK && (!durable || fsync(fd) == 0);
    if (done && !is_named)
        done = is_named = give_name(fd, buf_string(&name));
    done = done && rename(buf_string(&name), path) == 0;
    int error = errno;
    if (!done && is_named && fd >= 0)
        (void)unlink(buf_string(&name));
    if (fd >= 0)
        (void)close(fd);
    enum status status = name.status;
    buf_deinit(&name);
    errno = error;
    return status != STATUS_OK ? status : done ? STATUS_OK : STATUS_IO;
}

enum status replace_file(const char *path, struct span text, unsigned mode, bool durable)
{
    char *target = disk_real.follow(&disk_real, path);
    enum status status = target == NULL && errno == ENOMEM ? STATUS_NO_MEMORY : STATUS_IO;

    if (target != NULL && may_replace(target))
        status = replace(target, text, mode, durable);
    int error = errno;
    free(target);
    errno = error;
    return status;
}
