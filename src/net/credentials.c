#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/credentials.h"

static void protect_process(void)
{
    const struct rlimit none = {0, 0};
    /* Both can only fail where they are forbidden to us; there is no safer way to go on. */
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static enum status refuse(struct buf *message, const char *where, const char *why)
{
    buf_add_string(message, "api key from ");
    buf_add_printable(message, span_string(where));
    buf_add_format(message, ": %s", why);
    return STATUS_CREDENTIALS;
}

/* Takes the bytes over as the key when they can be one. They are wiped by the caller. */
static enum status adopt(const char *where, struct span text, struct buf *message,
                         struct credentials *ret_credentials)
{
    if (text.len > 0 && text.ptr[text.len - 1] == '\n')
        text.len--;
    if (text.len == 0)
        return refuse(message, where, "it is empty");
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= 0x20 || text.ptr[i] >= 0x7f)
            return refuse(message, where,
                          "it holds a space, a line break or another character that no key has; "
                          "let the key stand there alone, on one line");
    char *key = malloc(text.len + 1);
    if (key == NULL)
        return STATUS_NO_MEMORY;
    memcpy(key, text.ptr, text.len);
    key[text.len] = '\0';
    *ret_credentials = (struct credentials){key, text.len};
    protect_process();
    return STATUS_OK;
}

static enum status judge_file(const char *path, const struct stat *info, struct buf *message)
{
    if (!S_ISREG(info->st_mode))
        return refuse(message, path, "it is not a regular file");
    if (info->st_uid != geteuid() && info->st_uid != 0)
        return refuse(message, path,
                      "it belongs to another user; it must belong to you or to root");
    if ((info->st_mode & 077) != 0)
        return refuse(message, path, "others may read it; run chmod 600 on it");
    if (info->st_size > CREDENTIALS_KEY_MAX)
        return refuse(message, path, "it is too large for a key");
    return STATUS_OK;
}

static enum status load_file(const char *path, bool from_systemd, struct buf *message,
                             struct credentials *ret_credentials)
{
    char text[CREDENTIALS_KEY_MAX + 1];
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &info) != 0) {
        enum status status = refuse(message, path, strerror(errno));
        if (fd >= 0)
            (void)close(fd);
        return status;
    }
    if (from_systemd) /* systemd owns and guards that directory, with modes of its own */
        info.st_mode &= ~(mode_t)077;
    enum status status = judge_file(path, &info, message);
    if (status == STATUS_OK) {
        ssize_t len = read(fd, text, sizeof(text));
        status = len < 0 ? refuse(message, path, strerror(errno))
                         : adopt(path, span_of(text, (size_t)len), message, ret_credentials);
    }
    explicit_bzero(text, sizeof(text));
    (void)close(fd);
    return status;
}

static enum status load_environment(char *value, struct buf *message,
                                    struct credentials *ret_credentials)
{
    struct span text = span_string(value);
    enum status status = adopt("NBATCH_API_KEY", text, message, ret_credentials);

    explicit_bzero(value, text.len);
    (void)unsetenv("NBATCH_API_KEY");
    return status;
}

enum status credentials_load(const char *path, struct buf *message,
                             struct credentials *ret_credentials)
{
    char *value = getenv("NBATCH_API_KEY");
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    char in_directory[4096];

    if (path != NULL)
        return load_file(path, false, message, ret_credentials);
    if (value != NULL)
        return load_environment(value, message, ret_credentials);
    if (directory != NULL) {
        int len = snprintf(in_directory, sizeof(in_directory), "%s/api-key", directory);
        if (len > 0 && (size_t)len < sizeof(in_directory) && access(in_directory, F_OK) == 0)
            return load_file(in_directory, true, message, ret_credentials);
    }
    buf_add_string(message,
                   "no api key: put the product's MasterKey into a file that only you can read "
                   "and name it with --api-key-file FILE, or set NBATCH_API_KEY "
                   "(--simulate needs none)");
    return STATUS_CREDENTIALS;
}

void credentials_deinit(struct credentials *credentials)
{
    if (credentials == NULL || credentials->key == NULL)
        return;
    explicit_bzero(credentials->key, credentials->key_len);
    free(credentials->key);
    *credentials = (struct credentials){NULL, 0};
}
