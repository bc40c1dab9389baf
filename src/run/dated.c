#include "run/dated.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ledger/complete.h"
#include "ledger/ledger.h"

enum { TIME_LENGTH = sizeof("-20261128-020000") - 1, PATTERN_BYTES_MAX = 256 * 1024 };

/* What may be beside results: behind their name; in place of its extension or of its whole tail. */
static const char *const behind[] = {".doubt", ".complete"};
static const char *const instead[] = {".superseded.csv", ".html", ".status.csv",
                                      ".status.csv.journal", ".cancelled.csv"};

static char *format_name(const char *format, ...) PRINTF_LIKE(1, 2);

static char *format_name(const char *format, ...)
{
    struct buf name;
    va_list args;

    buf_init(&name, 64 * 1024);
    va_start(args, format);
    buf_add_format_list(&name, format, args);
    va_end(args);
    char *text = name.status == STATUS_OK ? strdup(buf_string(&name)) : NULL;
    buf_deinit(&name);
    return text;
}

/* How much of the tail is before its extension. */
static size_t tail_stem(const struct dated *dated)
{
    const char *point = strrchr(dated->tail, '.');

    return point != NULL ? (size_t)(point - dated->tail) : strlen(dated->tail);
}

/* Whether what is behind the time is the tail, or that of results that were written anew. */
static bool is_tail(const struct dated *dated, const char *text)
{
    const size_t len = tail_stem(dated);

    if (strncmp(text, dated->tail, len) != 0)
        return false;
    text += len;
    return strcmp(text + ledger_recovered_mark(text), dated->tail + len) == 0;
}

/* When the run of results so named began; -1: it is no such name. */
static int64_t time_of(const struct dated *dated, const char *path)
{
    const size_t stem = strlen(dated->stem);
    struct tm at = {.tm_isdst = 0};

    if (strlen(path) < stem + TIME_LENGTH || memcmp(path, dated->stem, stem) != 0 ||
        !is_tail(dated, path + stem + TIME_LENGTH))
        return -1;
    const char *end = strptime(path + stem, "-%Y%m%d-%H%M%S", &at);
    return end == path + stem + TIME_LENGTH ? (int64_t)timegm(&at) : -1;
}

static bool is_there(const char *path, const char *ending)
{
    char *name = format_name("%s%s", path, ending);
    bool there = name != NULL && access(name, F_OK) == 0;

    free(name);
    return there;
}

static char *link_name(const struct dated *dated)
{
    return format_name("%s.latest%s", dated->stem, dated->tail);
}

static bool is_there_in_any_form(const char *path)
{
    return is_there(path, "") || is_there(path, ".journal");
}

/* Whether the run has not come to its end, or somebody has taken its results away since. */
static bool is_unfinished(const char *path)
{
    return is_there(path, ".journal") && !ledger_goes_on_beside(&disk_real, path);
}

char *dated_linked(const struct dated *dated)
{
    char *link = link_name(dated), *path = NULL;
    char name[4096] = "";
    const char *slash = strrchr(dated->stem, '/');
    size_t folder = slash != NULL ? (size_t)(slash - dated->stem) + 1 : 0;

    if (link != NULL && readlink(link, name, sizeof(name) - 1) > 0)
        path = format_name("%.*s%s", (int)folder, dated->stem, name);
    free(link);
    if (path != NULL && time_of(dated, path) < 0) {
        free(path);
        path = NULL;
    }
    return path;
}

/* What may be of the job's results, the latest last, with such an ending. */
static enum status find_all(const struct dated *dated, const char *ending, glob_t *ret_found)
{
    struct buf pattern;

    buf_init(&pattern, PATTERN_BYTES_MAX);
    disk_add_literally(&pattern, span_string(dated->stem));
    buf_add_format(&pattern, "-[0-9]*-[0-9]*%s%s", dated->tail + tail_stem(dated), ending);
    enum status status = pattern.status;
    if (status == STATUS_OK && glob(buf_string(&pattern), 0, NULL, ret_found) != 0)
        status = STATUS_END;
    buf_deinit(&pattern);
    return status;
}

/* Of two names of a time the one whose run goes on is the later. */
static void take_later(const struct dated *dated, const char *name, size_t len, char **latest)
{
    char *path = strndup(name, len);
    int64_t time = path != NULL ? time_of(dated, path) : -1,
            before = *latest != NULL ? time_of(dated, *latest) : -1;

    if (time >= 0 && (time > before || (time == before && is_unfinished(path)))) {
        free(*latest);
        *latest = path;
    } else {
        free(path);
    }
}

/* The latest by its name, be it that only its journal is left; to be freed. */
static char *latest_name(const struct dated *dated)
{
    static const char *const endings[] = {"", ".journal"};
    char *latest = NULL;

    for (size_t e = 0; e < ARRAY_LENGTH(endings); e++) {
        glob_t found;
        if (find_all(dated, endings[e], &found) != STATUS_OK)
            continue;
        for (size_t i = 0; i < found.gl_pathc; i++)
            take_later(dated, found.gl_pathv[i], strlen(found.gl_pathv[i]) - strlen(endings[e]),
                       &latest);
        globfree(&found);
    }
    return latest;
}

char *dated_latest(const struct dated *dated, bool *ret_is_unfinished)
{
    char *linked = dated_linked(dated), *named = latest_name(dated);
    bool is_linked = linked != NULL && is_there_in_any_form(linked);

    /* The link may be lost, or be an earlier one: it is for people. */
    bool by_link = is_linked && (is_unfinished(linked) || named == NULL || !is_unfinished(named));
    char *latest = by_link ? linked : named;
    free(by_link ? named : linked);
    *ret_is_unfinished = latest != NULL && is_unfinished(latest);
    return latest;
}

bool dated_is_free(const char *results)
{
    return !is_there_in_any_form(results) && !is_there(results, ".complete");
}

char *dated_name(const struct dated *dated, int64_t now_s)
{
    char text[32] = "";
    struct tm at;
    time_t now = (time_t)now_s;

    if (gmtime_r(&now, &at) != NULL)
        (void)strftime(text, sizeof(text), "-%Y%m%d-%H%M%S", &at);
    return format_name("%s%s%s", dated->stem, text, dated->tail);
}

/* Our own holds nothing, and whoever starts the job next may be another user. What is there already
 * may be somebody's file: it is neither written nor changed. */
static int open_lock(const char *path)
{
    const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    int fd = open(path, flags | O_CREAT | O_EXCL, 0644);

    if (fd >= 0)
        (void)!fchmod(fd, 0644);
    return fd < 0 && errno == EEXIST ? open(path, flags) : fd;
}

enum status dated_lock(const struct dated *dated, int *ret_fd, struct buf *message)
{
    char *path = format_name("%s.lock", dated->stem);
    int fd = path != NULL ? open_lock(path) : -1;
    enum status status = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 ? STATUS_OK : STATUS_IO;

    if (status != STATUS_OK && fd >= 0 && errno == EWOULDBLOCK) {
        buf_add_string(message, "another start of this job is under way: wait for its end");
        status = STATUS_EXISTS;
    } else if (status != STATUS_OK) {
        buf_add_printable(message, span_string(path != NULL ? path : dated->stem));
        buf_add_format(message,
                       ": the job's lock cannot be taken: %s; who starts the job needs to read "
                       "that file and to write in its folder",
                       strerror(errno));
    }
    if (status != STATUS_OK && fd >= 0)
        (void)close(fd);
    free(path);
    *ret_fd = status == STATUS_OK ? fd : -1;
    return status;
}

bool dated_can_link(const struct dated *dated, struct buf *message)
{
    char *link = link_name(dated);
    struct stat about;
    bool can = link == NULL || lstat(link, &about) != 0 || S_ISLNK(about.st_mode);

    if (!can) {
        buf_add_printable(message, span_string(link));
        buf_add_string(message,
                       " is there and is no link, and may be another input's results: move "
                       "it away, or give the job another name with --job");
    }
    free(link);
    return can;
}

enum status dated_link(const struct dated *dated, const char *path, struct buf *message)
{
    const char *slash = strrchr(path, '/');
    char *link = link_name(dated);
    char *fresh = format_name("%s.latest%s.%ld", dated->stem, dated->tail, (long)getpid());
    bool done = link != NULL && fresh != NULL &&
                symlink(slash != NULL ? slash + 1 : path, fresh) == 0 && rename(fresh, link) == 0 &&
                disk_real.sync_folder(&disk_real, link) == 0;

    if (!done) {
        int error = errno;
        if (fresh != NULL)
            (void)unlink(fresh);
        buf_add_printable(message, span_string(link != NULL ? link : path));
        buf_add_format(message, ": the link to the latest results cannot be made: %s",
                       strerror(error));
    }
    free(link);
    free(fresh);
    return done ? STATUS_OK : STATUS_IO;
}

enum status dated_link_back(const struct dated *dated, const char *path, const char *before,
                            struct buf *message)
{
    char *linked = dated_linked(dated), *link = link_name(dated);
    bool is_left =
        linked != NULL && link != NULL && strcmp(linked, path) == 0 && !is_there_in_any_form(path);
    enum status status = STATUS_OK;

    if (is_left && before != NULL && is_there_in_any_form(before))
        status = dated_link(dated, before, message);
    else if (is_left)
        (void)unlink(link);
    free(linked);
    free(link);
    return status;
}

bool dated_is_name(const struct dated *dated, const char *path)
{
    return time_of(dated, path) >= 0;
}

bool dated_is_complete(const char *results)
{
    struct completion completion;
    char *path = completion_path(results);
    bool complete = path != NULL && completion_read(&disk_real, path, &completion) == STATUS_OK &&
                    !is_there(results, ".journal");

    free(path);
    return complete;
}

static enum dated_match compare(const struct dated_input *input,
                                const struct completion *completion)
{
    if (completion->input_size == input->size && completion->input_hash == input->hash)
        return DATED_SAME_BYTES;
    return input->content != 0 && completion->input_content == input->content ? DATED_SAME_ROWS
                                                                              : DATED_OTHER;
}

enum dated_match dated_same_input(const struct dated *dated, const struct dated_input *input,
                                  char **ret_results)
{
    static const char ending[] = ".complete";
    enum dated_match match = DATED_OTHER;
    glob_t found;

    *ret_results = NULL;
    if (input->size == 0 || input->hash == 0 || find_all(dated, ending, &found) != STATUS_OK)
        return DATED_OTHER;
    for (size_t i = found.gl_pathc; i > 0 && match <= DATED_UNREADABLE;
         i--) { /* the latest first */
        const char *path = found.gl_pathv[i - 1];
        char *results = strndup(path, strlen(path) - strlen(ending));
        struct completion completion;
        enum dated_match own = DATED_OTHER;
        if (results != NULL && time_of(dated, results) >= 0 && !is_there(results, ".journal"))
            own = completion_read(&disk_real, path, &completion) == STATUS_OK
                      ? compare(input, &completion)
                      : DATED_UNREADABLE;
        if (own > match) {
            match = own;
            free(*ret_results);
            *ret_results = results;
        } else {
            free(results);
        }
    }
    globfree(&found);
    return match;
}

/* Removes what is named by the first `len` bytes of a path and an ending. */
static void remove_beside(const char *path, size_t len, const char *const *endings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *name = format_name("%.*s%s", (int)len, path, endings[i]);
        if (name != NULL)
            (void)unlink(name);
        free(name);
    }
}

/* False where the results cannot be removed, and nothing is. */
static bool remove_all(const struct dated *dated, const char *path)
{
    const size_t len = strlen(path), end = strlen(dated->tail);

    if (unlink(path) != 0 && errno != ENOENT)
        return false;
    remove_beside(path, len - (end - tail_stem(dated)), instead, ARRAY_LENGTH(instead));
    if (strcmp(path + len - end, dated->tail) == 0)
        remove_beside(path, len - end, instead, ARRAY_LENGTH(instead));
    /* The last one is what all are found by. */
    remove_beside(path, len, behind, ARRAY_LENGTH(behind));
    return true;
}

/* Whether "csv" or "xlsx.gz" may be the end of an input's name, and is none of what we write. */
static bool is_input_end(const char *end)
{
    static const char *const compressed[] = {".gz", ".zst"};
    size_t len = strlen(end);

    for (size_t i = 0; i < ARRAY_LENGTH(compressed); i++) {
        size_t own = strlen(compressed[i]);
        if (len > own && strcmp(end + len - own, compressed[i]) == 0)
            len -= own;
    }
    return memchr(end, '.', len) == NULL && strcmp(end, "html") != 0;
}

/* Whether an input is there that these are the results of: meters-20261128-020000.csv. */
static bool has_input(const struct dated *dated, const char *results)
{
    const size_t stem = strlen(dated->stem) + TIME_LENGTH;
    struct buf pattern;
    bool has = false;
    glob_t found;

    buf_init(&pattern, PATTERN_BYTES_MAX);
    disk_add_literally(&pattern, span_of(results, stem));
    buf_add_string(&pattern, ".*");
    if (pattern.status == STATUS_OK && glob(buf_string(&pattern), 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            has = has || is_input_end(found.gl_pathv[i] + stem + 1);
        globfree(&found);
    }
    buf_deinit(&pattern);
    return has;
}

unsigned dated_prune(const struct dated *dated, int64_t before_s, const char *latest)
{
    static const char ending[] = ".complete";
    unsigned count = 0;
    glob_t found;

    if (find_all(dated, ending, &found) != STATUS_OK)
        return 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        char *results = strndup(path, strlen(path) - strlen(ending));
        int64_t began_s = results != NULL ? time_of(dated, results) : -1;
        if (began_s >= 0 && began_s < before_s && strcmp(results, latest) != 0 &&
            dated_is_complete(results) && !has_input(dated, results))
            count += remove_all(dated, results);
        free(results);
    }
    globfree(&found);
    return count;
}
