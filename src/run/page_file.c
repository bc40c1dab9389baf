#include "run/page_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/outfile.h"
#include "report/page.h"
#include "run/replace.h"

static enum status refuse(const char *path, const char *why, struct buf *message)
{
    buf_add_string(message, "the report cannot be written to ");
    buf_add_printable(message, span_string(path));
    buf_add_format(message, ": %s", why);
    return STATUS_IO;
}

/* Whether the file begins as a page does. */
static bool is_page(int fd)
{
    char start[256] = "";
    size_t wanted = strlen(page_start);

    return wanted < sizeof(start) && read(fd, start, wanted) == (ssize_t)wanted &&
           (memcmp(start, page_start, wanted) == 0 ||
            memcmp(start, page_start_chinese, wanted) == 0);
}

/* The folder of what a link leads to, which is written anew there. */
static enum status probe_folder(const char *path, struct buf *message)
{
    char *target = disk_real.follow(&disk_real, path);
    bool writable = target != NULL && disk_real.is_folder_open(&disk_real, target);
    int error = errno;

    free(target);
    return writable ? STATUS_OK : refuse(path, strerror(error), message);
}

enum status page_file_probe(const char *path, struct buf *message)
{
    struct stat about;

    if (strcmp(path, "-") == 0)
        return STATUS_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno != ENOENT)
        return refuse(path, strerror(errno), message);
    if (fd < 0)
        return probe_folder(path, message);
    bool may = fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && is_page(fd);
    (void)close(fd);
    if (may)
        return probe_folder(path, message);
    buf_add_printable(message, span_string(path));
    buf_add_string(message, " is there, and is no report of nbatch's: name another file, or remove "
                            "it");
    return STATUS_EXISTS;
}

enum status page_file_write(const char *path, const struct buf *page, struct buf *message)
{
    if (page->status != STATUS_OK) {
        (void)refuse(path, status_text(page->status), message);
        return page->status;
    }
    if (strcmp(path, "-") == 0)
        return disk_append_all(&disk_real, STDOUT_FILENO, buf_span(page)) == STATUS_OK
                   ? STATUS_OK
                   : refuse(path, strerror(errno), message);
    enum status status = page_file_probe(path, message);
    if (status != STATUS_OK)
        return status;
    status = replace_file(path, buf_span(page), 0, true);
    return status == STATUS_OK ? STATUS_OK : refuse(path, strerror(errno), message);
}
