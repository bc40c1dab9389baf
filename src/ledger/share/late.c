#include "ledger/share/late.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ledger/share/statements.h"

#define LATE_MARK "nbatch-late 1"

enum { LATE_TEXT_MAX = 128 * 1024 * 1024, WORKER_MAX = 24 };

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Nobody else reads it: it holds what results hold. Its lock says that its worker lives. */
static bool create(struct late *late, const char *worker, const char *worker_name)
{
    if (asprintf(&late->path, "%s.%s.late", late->about.name, worker_name) < 0)
        late->path = NULL;
    late->fd = late->path != NULL
                   ? open(late->path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600)
                   : -1;
    return late->fd >= 0 && flock(late->fd, LOCK_EX | LOCK_NB) == 0 &&
           dprintf(late->fd, LATE_MARK " %d %" PRId64 " %s\n", late->about.job,
                   late->about.loaded_us, worker) > 0;
}

static bool append(int fd, struct span text)
{
    while (text.len > 0) {
        ssize_t written = write(fd, text.ptr, text.len);
        if (written < 0 && errno != EINTR)
            return false;
        text = span_skip(text, written > 0 ? (size_t)written : 0);
    }
    return fdatasync(fd) == 0;
}

bool late_add(struct late *late, const char *worker, const char *worker_name,
              const struct buf *arrays, bool is_open, struct buf *message)
{
    struct buf text;

    if (late->has_failed)
        return true;
    buf_init(&text, LATE_TEXT_MAX);
    for (size_t i = 0; i < LATE_ARRAYS; i++) {
        buf_add(&text, buf_span(&arrays[i]));
        buf_add_string(&text, is_open ? "}\n" : "\n");
    }
    buf_add_format(&text, "%" PRId64 "\n.\n", now_ms());
    bool is_there = late->path != NULL || create(late, worker, worker_name);
    late->has_failed = !is_there || text.status != STATUS_OK || !append(late->fd, buf_span(&text));
    if (late->has_failed)
        buf_add_format(message, "%s: %s", late->path != NULL ? late->path : late->about.name,
                       strerror(errno));
    buf_deinit(&text);
    return !late->has_failed;
}

void late_forget(struct late *late)
{
    if (late->path != NULL)
        (void)unlink(late->path);
    late_deinit(late);
}

void late_deinit(struct late *late)
{
    if (late->path != NULL && late->fd >= 0)
        (void)close(late->fd);
    free(late->path);
    late->path = NULL;
}

/* Handing in. */

static uint64_t count_items(const char *array)
{
    uint64_t items = 1;

    for (; *array != '\0'; array++)
        items += *array == ',';
    return items;
}

static bool read_line(FILE *file, char **line, size_t *size)
{
    ssize_t len = getline(line, size, file);

    if (len <= 0 || (*line)[len - 1] != '\n')
        return false;
    (*line)[len - 1] = '\0';
    return true;
}

/* A batch, and the call of rows_end.sql that writes it; it may have been carried out before. */
struct batch_lines {
    char *lines[LATE_ARRAYS + 2]; /* then the time, and the full stop */
    size_t sizes[LATE_ARRAYS + 2];
};

static bool read_batch(FILE *file, struct batch_lines *batch)
{
    for (size_t i = 0; i < LATE_ARRAYS + 2; i++)
        if (!read_line(file, &batch->lines[i], &batch->sizes[i]))
            return false;
    return strcmp(batch->lines[LATE_ARRAYS + 1], ".") == 0;
}

static enum status hand_in_batch(struct database *database, const char *worker, const char *job,
                                 const struct batch_lines *batch, struct buf *message)
{
    const char *values[2 + LATE_ARRAYS + 1] = {worker, job};
    char ago[WORKER_MAX];

    for (size_t i = 0; i < LATE_ARRAYS; i++)
        values[2 + i] = batch->lines[i];
    (void)snprintf(ago, sizeof(ago), "%" PRId64,
                   now_ms() - (int64_t)strtoll(batch->lines[LATE_ARRAYS], NULL, 10));
    values[2 + LATE_ARRAYS] = ago;
    return database_query(database, sql_rows_end, ARRAY_LENGTH(values), values, message, NULL);
}

static enum status hand_in_batches(FILE *file, struct database *database, const char *worker,
                                   const char *job, uint64_t *rows, struct buf *message)
{
    struct batch_lines batch = {.lines = {NULL}};
    enum status status = STATUS_OK;

    while (status == STATUS_OK && read_batch(file, &batch)) {
        status = hand_in_batch(database, worker, job, &batch, message);
        *rows += count_items(batch.lines[2]);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(batch.lines); i++)
        free(batch.lines[i]);
    return status;
}

/* Whether it is of this job, and whose. */
static bool read_head(FILE *file, const struct late_about *about, char worker[WORKER_MAX])
{
    char *line = NULL, head[100];
    size_t size = 0, len;

    (void)snprintf(head, sizeof(head), LATE_MARK " %d %" PRId64 " ", about->job, about->loaded_us);
    len = strlen(head);
    bool is_good = read_line(file, &line, &size) && strncmp(line, head, len) == 0 &&
                   strspn(line + len, "0123456789") == strlen(line + len) &&
                   strlen(line + len) < WORKER_MAX;
    if (is_good)
        (void)snprintf(worker, WORKER_MAX, "%s", line + len);
    free(line);
    return is_good;
}

static enum status hand_in_file(const char *path, struct database *database,
                                const struct late_about *about, uint64_t *rows, struct buf *message)
{
    enum status status = STATUS_OK;
    char worker[WORKER_MAX], job[WORKER_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;

    if (file == NULL && fd >= 0)
        (void)close(fd);
    if (file == NULL)
        return STATUS_OK; /* another one has handed it in, or may */
    (void)snprintf(job, sizeof(job), "%d", about->job);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && read_head(file, about, worker)) {
        status = hand_in_batches(file, database, worker, job, rows, message);
        if (status == STATUS_OK)
            (void)unlink(path);
    }
    (void)fclose(file);
    return status;
}

static bool is_of(const char *file, const char *job)
{
    size_t len = strlen(file), job_len = strlen(job);

    return len > job_len + 6 && strncmp(file, job, job_len) == 0 && file[job_len] == '.' &&
           strcmp(file + len - 5, ".late") == 0;
}

enum status late_hand_in(struct database *database, const struct late_about *about,
                         uint64_t *ret_rows, struct buf *message)
{
    enum status status = STATUS_OK;
    DIR *folder = opendir(".");
    struct dirent *entry;

    *ret_rows = 0;
    while (folder != NULL && status == STATUS_OK && (entry = readdir(folder)) != NULL)
        if (is_of(entry->d_name, about->name))
            status = hand_in_file(entry->d_name, database, about, ret_rows, message);
    if (folder != NULL)
        (void)closedir(folder);
    return status;
}
