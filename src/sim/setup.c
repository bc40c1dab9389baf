#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sim/setup.h"

enum {
    LISTEN_BACKLOG = 1024,
    OTHER_FILES = 256, /* of the process, beside the simulator's connections */
    CONNECTIONS_MIN = 16,
};

void setup_add_address(const struct sockaddr_storage *address, struct buf *out)
{
    char host[INET6_ADDRSTRLEN] = "?";

    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        buf_add_format(out, "[%s]:%u", host, (unsigned)ntohs(v6->sin6_port));
    } else {
        const struct sockaddr_in *v4 = (const void *)address;
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        buf_add_format(out, "%s:%u", host, (unsigned)ntohs(v4->sin_port));
    }
}

static bool listen_on(int fd, const struct sockaddr_storage *address,
                      struct sockaddr_storage *ret_bound)
{
    const int on = 1;
    socklen_t len =
        address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
           bind(fd, (const void *)address, len) == 0 && listen(fd, LISTEN_BACKLOG) == 0 &&
           getsockname(fd, (void *)ret_bound, &len) == 0;
}

enum status setup_listen(const struct sockaddr_storage *address, struct buf *message, int *ret_fd,
                         struct sockaddr_storage *ret_bound)
{
    struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0 && listen_on(fd, address, &bound)) {
        *ret_fd = fd;
        *ret_bound = bound;
        return STATUS_OK;
    }
    int error = errno;
    buf_add_string(message, "the simulator cannot listen on ");
    setup_add_address(address, message);
    buf_add_format(message, ": %s", strerror(error));
    if (error == EADDRINUSE)
        buf_add_string(message, "; give another port, or 0 for any free one");
    if (fd >= 0)
        (void)close(fd);
    return STATUS_IO;
}

static enum status refuse_key(const char *setting, const char *path, const char *why,
                              struct buf *message)
{
    buf_add_format(message, "%s=", setting);
    buf_add_printable(message, span_string(path));
    buf_add_format(message, ": %s", why);
    return STATUS_CREDENTIALS;
}

enum status setup_read_key(const char *setting, const char *path, struct buf *message,
                           char **ret_key)
{
    char text[SETUP_KEY_MAX + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return refuse_key(setting, path, strerror(errno), message);
    ssize_t len = read(fd, text, sizeof(text) - 1);
    int error = errno;
    (void)close(fd);
    if (len < 0)
        return refuse_key(setting, path, strerror(error), message);
    text[len] = '\0';
    size_t key_len = strcspn(text, "\r\n");
    char *key = key_len > 0 && key_len < SETUP_KEY_MAX ? strndup(text, key_len) : NULL;
    explicit_bzero(text, sizeof(text));
    if (key_len == 0)
        return refuse_key(setting, path, "its first line is empty; write the key there", message);
    if (key_len >= SETUP_KEY_MAX)
        return refuse_key(setting, path, "its first line is too long to be a key", message);
    if (key == NULL)
        return STATUS_NO_MEMORY;
    *ret_key = key;
    return STATUS_OK;
}

enum status setup_write(int fd, struct span text)
{
    while (text.len > 0) {
        ssize_t written = write(fd, text.ptr, text.len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return STATUS_IO;
        text = span_skip(text, (size_t)written);
    }
    return STATUS_OK;
}

unsigned setup_connection_limit(unsigned wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return CONNECTIONS_MIN;
    if (limit.rlim_cur < wanted + OTHER_FILES && limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit = raised;
    }
    if (limit.rlim_cur >= wanted + OTHER_FILES)
        return wanted;
    return limit.rlim_cur > OTHER_FILES + CONNECTIONS_MIN ? (unsigned)limit.rlim_cur - OTHER_FILES
                                                          : CONNECTIONS_MIN;
}
