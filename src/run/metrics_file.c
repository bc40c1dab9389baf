#include "run/metrics_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "run/privacy.h"
#include "run/replace.h"

enum { METRICS_BYTES_MAX = 256 * 1024 };

static const char text_start[] = "# HELP nbatch_";

static int64_t monotonic_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum status refuse(const char *path, const char *why, struct buf *message)
{
    buf_add_string(message, "the metrics file ");
    buf_add_printable(message, span_string(path));
    buf_add_format(message, ": %s; name another with --metrics-file", why);
    return STATUS_USAGE;
}

/* Why the file may not be replaced: what is there is no file, or holds no metrics of ours. NULL: it
 * may. */
static const char *keeps(const char *path, const struct run_settings *settings, const char *input,
                         struct metrics_past *ret_past)
{
    static char text[METRICS_BYTES_MAX];
    struct stat about;

    if (stat(path, &about) != 0)
        return errno == ENOENT ? NULL : strerror(errno);
    if (!S_ISREG(about.st_mode)) /* neither opened, which a device or a pipe may notice */
        return "it is no regular file, and would be replaced";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return strerror(errno);
    ssize_t got = read(fd, text, sizeof(text));
    (void)close(fd);
    if (got > 0)
        metrics_read_past(span_of(text, (size_t)got), input, settings->job, ret_past);
    bool is_ours = got == 0 || (got > (ssize_t)sizeof(text_start) &&
                                memcmp(text, text_start, sizeof(text_start) - 1) == 0);
    return is_ours ? NULL : "it holds something other than metrics of nbatch";
}

enum status metrics_file_open(struct metrics_file *file, const struct run_settings *settings,
                              const char *input, struct metrics_past *ret_past, struct buf *message)
{
    const char *path = settings->metrics_file;
    const char *why = keeps(path, settings, input, ret_past);

    if (why != NULL)
        return refuse(path, why, message);
    *file = (struct metrics_file){.path = strdup(path)};
    return file->path != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

bool metrics_file_is_due(const struct metrics_file *file)
{
    return file->path != NULL && monotonic_ms() - file->written_ms >= METRICS_FILE_INTERVAL_MS;
}

enum status metrics_file_write(struct metrics_file *file, struct span text, struct buf *message)
{
    /* Read by another user, as node_exporter is; it holds no row. */
    enum status status = replace_file(file->path, text, 0644 & ~privacy_given_umask(), false);
    int error = errno;

    file->written_ms = monotonic_ms();
    if (status != STATUS_OK)
        (void)refuse(file->path, strerror(error), message);
    return status;
}

void metrics_file_close(struct metrics_file *file)
{
    free(file->path);
    *file = (struct metrics_file){.path = NULL};
}
