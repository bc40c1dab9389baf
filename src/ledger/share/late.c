#include "ledger/share/late.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "ledger/disk.h"
#include "ledger/share/statements.h"

#define LATE_MARK "nbatch-late 2"

enum { LATE_TEXT_MAX = 128 * 1024 * 1024, WORKER_MAX = 24, NAMES_MAX = 100 };

static struct disk *const disk = &disk_real;

/* What a batch of each kind is handed in by. */
static const struct kind {
    const char *name;
    const char *statement;
    size_t arrays;
    bool is_timed; /* it takes the time, too */
} kinds[] = {
    [LATE_ENDED] = {"ended", sql_rows_end, LATE_ARRAYS, true},
    [LATE_UNSENT] = {"unsent", sql_rows_give_back, 5, false},
};

/* A file that was not there: one of this name may be that of another machine, which shares the
 * folder and calls itself the same, or be left from a worker whose results nobody could take. */
static void open_new(struct late *late, const char *worker_name)
{
    late->fd = -1;
    for (int i = 1; i <= NAMES_MAX && late->fd < 0; i++) {
        char number[16] = "";
        if (i > 1)
            (void)snprintf(number, sizeof(number), ".%d", i);
        free(late->path);
        if (asprintf(&late->path, "%s.%s%s.late", late->about.name, worker_name, number) < 0)
            late->path = NULL;
        if (late->path == NULL)
            return;
        late->fd = disk->open(disk, late->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, 0600);
        if (late->fd < 0 && errno != EEXIST)
            return;
    }
}

/* Nobody else reads it: it holds what results hold. Its lock says that its worker lives. */
static bool create(struct late *late, const char *worker, const char *worker_name, struct buf *head)
{
    open_new(late, worker_name);
    buf_add_format(head, LATE_MARK " %d %" PRId64 " %s\n", late->about.job, late->about.loaded_us,
                   worker);
    return late->fd >= 0 && disk->lock(disk, late->fd) == 0;
}

bool late_add(struct late *late, enum late_kind kind, const char *worker, const char *worker_name,
              const struct buf *arrays, bool is_open, struct buf *message)
{
    struct buf text;

    if (late->has_failed)
        return true;
    buf_init(&text, LATE_TEXT_MAX);
    bool is_there = late->path != NULL || create(late, worker, worker_name, &text);
    buf_add_format(&text, "%s\n", kinds[kind].name);
    for (size_t i = 0; i < kinds[kind].arrays; i++) {
        buf_add(&text, buf_span(&arrays[i]));
        buf_add_string(&text, is_open ? "}\n" : "\n");
    }
    buf_add_format(&text, "%" PRId64 "\n.\n", disk->now_ms(disk));
    late->has_failed = !is_there || text.status != STATUS_OK ||
                       disk_append_all(disk, late->fd, buf_span(&text)) != STATUS_OK ||
                       disk->sync_data(disk, late->fd) != 0;
    if (late->has_failed)
        buf_add_format(message, "%s: %s", late->path != NULL ? late->path : late->about.name,
                       strerror(errno));
    buf_deinit(&text);
    return !late->has_failed;
}

void late_forget(struct late *late)
{
    if (late->path != NULL)
        (void)disk->unlink(disk, late->path);
    late_deinit(late);
}

void late_deinit(struct late *late)
{
    if (late->path != NULL && late->fd >= 0)
        (void)disk->close(disk, late->fd);
    free(late->path);
    late->path = NULL;
}

/* Handing in. */

/* The next line, which ends with a NUL from now on; NULL: it is not whole. */
static char *take_line(struct span *text)
{
    char *end = text->len > 0 ? memchr(text->ptr, '\n', text->len) : NULL;
    char *line = (char *)(uintptr_t)text->ptr;

    if (end == NULL)
        return NULL;
    *end = '\0';
    *text = span_skip(*text, (size_t)(end - line) + 1);
    return line;
}

static uint64_t count_items(const char *array)
{
    uint64_t items = 1;

    for (; *array != '\0'; array++)
        items += *array == ',';
    return items;
}

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; name != NULL && i < ARRAY_LENGTH(kinds); i++)
        if (strcmp(name, kinds[i].name) == 0)
            return &kinds[i];
    return NULL;
}

/* A batch as a call of its statement, which may have been carried out before. STATUS_END: it is
 * not whole. */
static enum status hand_in_batch(struct database *database, const char *worker, const char *job,
                                 struct span *text, uint64_t *rows, struct buf *message)
{
    const char *values[2 + LATE_ARRAYS + 1] = {worker, job};
    const struct kind *kind = find_kind(take_line(text));
    char ago[WORKER_MAX];

    if (kind == NULL)
        return STATUS_END;
    size_t count = 2 + kind->arrays;
    for (size_t i = 2; i <= count; i++)
        if ((values[i] = take_line(text)) == NULL)
            return STATUS_END;
    const char *end = take_line(text);
    if (end == NULL || strcmp(end, ".") != 0)
        return STATUS_END;
    (void)snprintf(ago, sizeof(ago), "%" PRId64,
                   disk->now_ms(disk) - (int64_t)strtoll(values[count], NULL, 10));
    values[count] = ago;
    *rows += count_items(values[4]);
    return database_query(database, kind->statement, (int)count + kind->is_timed, values, message,
                          NULL);
}

/* The worker, where it is of this job; else NULL. */
static const char *take_head(struct span *text, const struct late_about *about)
{
    const char *line = take_line(text);
    char head[100];

    (void)snprintf(head, sizeof(head), LATE_MARK " %d %" PRId64 " ", about->job, about->loaded_us);
    size_t len = strlen(head);
    bool is_good = line != NULL && strncmp(line, head, len) == 0 &&
                   strspn(line + len, "0123456789") == strlen(line + len);
    return is_good ? line + len : NULL;
}

static enum status hand_in_text(struct database *database, const struct late_about *about,
                                struct span text, uint64_t *rows, struct buf *message)
{
    const char *worker = take_head(&text, about);
    enum status status = worker != NULL ? STATUS_OK : STATUS_SYNTAX;
    char job[WORKER_MAX];

    (void)snprintf(job, sizeof(job), "%d", about->job);
    while (status == STATUS_OK)
        status = hand_in_batch(database, worker, job, &text, rows, message);
    return status;
}

/* Opens and reads a file whose worker has died; it is the caller's to close. -1: there is none. */
static int take_file(const char *path, struct buf *text)
{
    struct stat stat;
    int fd = disk->open(disk, path, O_RDONLY | O_NOFOLLOW, 0);

    if (fd < 0)
        return -1;
    if (disk->lock(disk, fd) == 0 && disk->stat(disk, fd, &stat) == 0 && S_ISREG(stat.st_mode) &&
        buf_reserve(text, (size_t)stat.st_size) &&
        disk_read_all(disk, fd, text->ptr, (size_t)stat.st_size, 0) == STATUS_OK) {
        text->len = (size_t)stat.st_size;
        return fd;
    }
    (void)disk->close(disk, fd);
    return -1;
}

/* What is asked of each file. */
struct search {
    const struct late_about *about;
    struct database *database; /* NULL: nothing is handed in */
    uint64_t rows;
    struct buf *paths;
    struct buf *message;
};

/* One that is another job's, or that cannot be read, stays as it is. */
static enum status look_at(const struct search *search, const char *path, struct span text,
                           uint64_t *rows)
{
    struct database *database = search->database;
    enum status status = database != NULL
                             ? hand_in_text(database, search->about, text, rows, search->message)
                         : take_head(&text, search->about) != NULL ? STATUS_SYNTAX
                                                                   : STATUS_OK;

    if (status == STATUS_END)
        (void)disk->unlink(disk, path);
    if (status == STATUS_SYNTAX)
        buf_add_format(search->paths, "%s%s", search->paths->len > 0 ? ", " : "", path);
    return status == STATUS_NETWORK ? status : STATUS_OK;
}

static bool is_of(const char *file, const char *job)
{
    size_t len = strlen(file), job_len = strlen(job);

    return len > job_len + 6 && strncmp(file, job, job_len) == 0 && file[job_len] == '.' &&
           strcmp(file + len - 5, ".late") == 0;
}

static enum status look_at_all(struct search *search)
{
    enum status status = STATUS_OK;
    DIR *folder = opendir(".");
    struct dirent *entry;
    struct buf text;

    buf_init(&text, LATE_TEXT_MAX);
    while (folder != NULL && status == STATUS_OK && (entry = readdir(folder)) != NULL) {
        if (!is_of(entry->d_name, search->about->name))
            continue;
        buf_clear(&text);
        int fd = take_file(entry->d_name, &text);
        if (fd < 0)
            continue;
        status = look_at(search, entry->d_name, buf_span(&text), &search->rows);
        (void)disk->close(disk, fd);
    }
    if (folder != NULL)
        (void)closedir(folder);
    buf_deinit(&text);
    return status;
}

enum status late_hand_in(struct database *database, const struct late_about *about,
                         uint64_t *ret_rows, struct buf *ret_others, struct buf *message)
{
    struct search search = {about, database, 0, ret_others, message};
    enum status status = look_at_all(&search);

    *ret_rows = search.rows;
    return status;
}

void late_list(const struct late_about *about, struct buf *ret_paths)
{
    struct search search = {about, NULL, 0, ret_paths, NULL};

    (void)look_at_all(&search);
}
