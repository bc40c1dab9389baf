/*
 * A library to preload (LD_PRELOAD) that makes one call fail which strace cannot: behind its end,
 * or when it is half done.
 *
 *     NBATCH_FAULT=write:3:half-kill NBATCH_FAULT_PATH=/…/out.csv nbatch …
 *
 * The third write to a file whose path starts so writes half of what it is given, and the process
 * is killed. Others: "kill" (before the call), "kill-after", "short" (half is written, as a
 * success) and "short-full" (half is written, and from then on there is no room).
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum how { NOTHING, KILL, KILL_AFTER, HALF_KILL, SHORT, SHORT_FULL };

static const char *const hows[] = {"", "kill", "kill-after", "half-kill", "short", "short-full"};
static atomic_int calls, is_full;

static bool is_concerned(const char *path)
{
    const char *prefix = getenv("NBATCH_FAULT_PATH");
    return prefix != NULL && strncmp(path, prefix, strlen(prefix)) == 0;
}

static bool concerns_fd(int fd)
{
    char link[64], path[4096] = "";

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return readlink(link, path, sizeof(path) - 1) > 0 && is_concerned(path);
}

/* What is to happen to this call. */
static enum how fault_of(const char *call)
{
    const char *fault = getenv("NBATCH_FAULT");
    size_t len = strlen(call);
    char *how = NULL;

    if (fault == NULL || strncmp(fault, call, len) != 0 || fault[len] != ':')
        return NOTHING;
    long number = strtol(fault + len + 1, &how, 10);
    if (atomic_fetch_add(&calls, 1) + 1 != number || *how != ':')
        return NOTHING;
    for (size_t i = 1; i < sizeof(hows) / sizeof(hows[0]); i++)
        if (strcmp(how + 1, hows[i]) == 0)
            return (enum how)i;
    return NOTHING;
}

static void die(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause();
}

static enum how begin(const char *call)
{
    enum how how = fault_of(call);

    if (how == KILL)
        die();
    return how;
}

static long end(enum how how, long result)
{
    if (how == KILL_AFTER || how == HALF_KILL)
        die();
    if (how == SHORT_FULL)
        atomic_store(&is_full, 1);
    return result;
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    ssize_t (*call)(int, const void *, size_t);

    *(void **)&call = next("write");
    if (!concerns_fd(fd))
        return call(fd, bytes, len);
    if (atomic_load(&is_full) != 0) {
        errno = ENOSPC;
        return -1;
    }
    enum how how = begin("write");
    return end(how, call(fd, bytes, how >= HALF_KILL ? len / 2 : len));
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    ssize_t (*call)(int, const void *, size_t, off_t);

    *(void **)&call = next("pwrite");
    if (!concerns_fd(fd))
        return call(fd, bytes, len, offset);
    enum how how = begin("pwrite");
    return end(how, call(fd, bytes, how >= HALF_KILL ? len / 2 : len, offset));
}

#define ON_FD(name, PARAMETERS, ARGUMENTS)                       \
    int name PARAMETERS                                          \
    {                                                            \
        int(*call) PARAMETERS;                                   \
        *(void **)&call = next(#name);                           \
        enum how how = concerns_fd(fd) ? begin(#name) : NOTHING; \
        return (int)end(how, call ARGUMENTS);                    \
    }

ON_FD(fdatasync, (int fd), (fd))
ON_FD(fsync, (int fd), (fd))
ON_FD(ftruncate, (int fd, off_t length), (fd, length))
ON_FD(posix_fallocate, (int fd, off_t offset, off_t length), (fd, offset, length))

int rename(const char *from, const char *to)
{
    int (*call)(const char *, const char *);

    *(void **)&call = next("rename");
    enum how how = is_concerned(to) ? begin("rename") : NOTHING;
    return (int)end(how, call(from, to));
}

int unlink(const char *path)
{
    int (*call)(const char *);

    *(void **)&call = next("unlink");
    enum how how = is_concerned(path) ? begin("unlink") : NOTHING;
    return (int)end(how, call(path));
}

int open(const char *path, int flags, ...)
{
    int (*call)(const char *, int, ...);
    mode_t mode = 0;

    if ((flags & O_CREAT) != 0) {
        __builtin_va_list list;
        __builtin_va_start(list, flags);
        mode = __builtin_va_arg(list, mode_t);
        __builtin_va_end(list);
    }
    *(void **)&call = next("open");
    enum how how = is_concerned(path) ? begin("open") : NOTHING;
    return (int)end(how, call(path, flags, mode));
}
