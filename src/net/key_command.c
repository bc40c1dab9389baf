#include "net/key_command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum { WAIT_STEP_MS = 5 };

static int64_t now_ms(void)
{
    return (int64_t)(uv_hrtime() / 1000000);
}

/* Starts it with standard output at `output`; 0 or an errno. */
static int spawn(const char *command, int output, pid_t *ret_pid)
{
    char *const argv[] = {"sh", "-c", (char *)command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, usual;

    (void)sigemptyset(&none);
    (void)sigemptyset(&usual);
    (void)sigaddset(&usual, SIGPIPE);
    (void)sigaddset(&usual, SIGINT);
    (void)sigaddset(&usual, SIGTERM);
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (error != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return error;
    }
    error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    (void)posix_spawnattr_setpgroup(&attributes, 0);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &usual);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETSIGDEF);
    if (error == 0)
        error = posix_spawn(ret_pid, "/bin/sh", &actions, &attributes, argv, environ);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Reads to the end of the output. NULL, or why not. */
static const char *read_output(int fd, int64_t deadline_ms, char *out, size_t size, size_t *ret_len)
{
    size_t len = 0;
    char extra;

    for (;;) {
        struct pollfd wanted = {.fd = fd, .events = POLLIN};
        int64_t left_ms = deadline_ms - now_ms();
        int ready = left_ms > 0 ? poll(&wanted, 1, (int)left_ms) : 0;
        if (ready == 0)
            return "the command took too long";
        ssize_t got = ready < 0     ? -1
                      : len == size ? read(fd, &extra, 1)
                                    : read(fd, out + len, size - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return "the command's output cannot be read";
        if (got == 0)
            break;
        if (len == size)
            return "the command wrote more than a key";
        len += (size_t)got;
    }
    *ret_len = len;
    return NULL;
}

/* Waits for the command's end; false when there is none in time. */
static bool wait_end(pid_t pid, int64_t deadline_ms, int *ret_status)
{
    const struct timespec step = {.tv_nsec = WAIT_STEP_MS * 1000000L};
    pid_t ended;

    while ((ended = waitpid(pid, ret_status, WNOHANG)) == 0 || (ended < 0 && errno == EINTR)) {
        if (now_ms() >= deadline_ms)
            return false;
        (void)nanosleep(&step, NULL);
    }
    return ended == pid;
}

/* How the command ended, where that was not with status 0. */
static bool judge_end(int status, struct buf *message)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFSIGNALED(status))
        buf_add_format(message, "the command was killed by signal %d", WTERMSIG(status));
    else
        buf_add_format(message, "the command failed with exit status %d", WEXITSTATUS(status));
    return false;
}

static bool collect(pid_t pid, int fd, int64_t deadline_ms, char *out, size_t size, size_t *ret_len,
                    struct buf *message)
{
    const char *reason = read_output(fd, deadline_ms, out, size, ret_len);
    int status = 0;

    if (reason == NULL && !wait_end(pid, deadline_ms, &status))
        reason = "the command took too long";
    if (reason == NULL)
        return judge_end(status, message);
    buf_add_string(message, reason);
    (void)kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return false;
}

enum status key_command_run(const char *command, int64_t timeout_ms, char *out, size_t size,
                            size_t *ret_len, struct buf *message)
{
    int64_t deadline_ms = now_ms() + timeout_ms;
    size_t len = 0;
    int ends[2];
    pid_t pid = 0;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        buf_add_format(message, "the command cannot be started: %s", strerror(errno));
        return STATUS_CREDENTIALS;
    }
    int error = spawn(command, ends[1], &pid);
    (void)close(ends[1]);
    if (error != 0)
        buf_add_format(message, "the command cannot be started: %s", strerror(error));
    bool good = error == 0 && collect(pid, ends[0], deadline_ms, out, size, &len, message);
    (void)close(ends[0]);
    if (!good) {
        explicit_bzero(out, size);
        return STATUS_CREDENTIALS;
    }
    *ret_len = len;
    return STATUS_OK;
}
