#include "run/dated.h"

#include <errno.h>
#include <glob.h>
#include <time.h>
#include <unistd.h>

#include "ledger/complete.h"
#include "ledger/ledger.h"

enum { TIME_LENGTH = sizeof("-20261128-020000") - 1 };

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

char *dated_latest(const struct dated *dated, bool *ret_is_unfinished)
{
    char *link = format_name("%s.latest%s", dated->stem, dated->tail);
    char name[4096] = "";
    const char *slash = strrchr(dated->stem, '/');
    size_t folder = slash != NULL ? (size_t)(slash - dated->stem) + 1 : 0;
    char *path = NULL;

    if (link != NULL && readlink(link, name, sizeof(name) - 1) > 0)
        path = format_name("%.*s%s", (int)folder, dated->stem, name);
    free(link);
    if (path != NULL && (time_of(dated, path) < 0 || !is_there(path, ""))) {
        free(path);
        path = NULL;
    }
    *ret_is_unfinished = path != NULL && is_there(path, ".journal");
    return path;
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

enum status dated_link(const struct dated *dated, const char *path, struct buf *message)
{
    const char *slash = strrchr(path, '/');
    char *link = format_name("%s.latest%s", dated->stem, dated->tail);
    char *fresh = format_name("%s.latest%s.%ld", dated->stem, dated->tail, (long)getpid());
    bool done = link != NULL && fresh != NULL &&
                symlink(slash != NULL ? slash + 1 : path, fresh) == 0 && rename(fresh, link) == 0;

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

bool dated_is_name(const struct dated *dated, const char *path)
{
    return time_of(dated, path) >= 0;
}

/* What may be results of the job, the latest last; a stem's own characters mean nothing in a
 * pattern. */
static enum status find_all(const struct dated *dated, glob_t *ret_found)
{
    struct buf pattern;

    buf_init(&pattern, 256 * 1024);
    for (const char *at = dated->stem; *at != '\0'; at++) {
        if (strchr("*?[]\\", *at) != NULL)
            buf_add_char(&pattern, '\\');
        buf_add_char(&pattern, *at);
    }
    buf_add_format(&pattern, "-[0-9]*-[0-9]*%s", dated->tail + tail_stem(dated));
    enum status status = pattern.status;
    if (status == STATUS_OK && glob(buf_string(&pattern), 0, NULL, ret_found) != 0)
        status = STATUS_END;
    buf_deinit(&pattern);
    return status;
}

static bool is_complete(const char *results, struct completion *ret_completion)
{
    char *path = completion_path(results);
    bool complete = path != NULL &&
                    completion_read(&disk_real, path, ret_completion) == STATUS_OK &&
                    !is_there(results, ".journal");

    free(path);
    return complete;
}

char *dated_same_input(const struct dated *dated, const struct dated_input *input,
                       bool *ret_same_bytes)
{
    struct completion completion;
    char *same = NULL;
    glob_t found;

    if (input->size == 0 || input->hash == 0 || find_all(dated, &found) != STATUS_OK)
        return NULL;
    for (size_t i = found.gl_pathc; i > 0 && same == NULL; i--) { /* the latest first */
        const char *path = found.gl_pathv[i - 1];
        if (time_of(dated, path) < 0 || !is_complete(path, &completion))
            continue;
        *ret_same_bytes =
            completion.input_size == input->size && completion.input_hash == input->hash;
        if (*ret_same_bytes || (input->content != 0 && completion.input_content == input->content))
            same = strdup(path);
    }
    globfree(&found);
    return same;
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

static void remove_all(const struct dated *dated, const char *path)
{
    const size_t len = strlen(path), end = strlen(dated->tail);

    remove_beside(path, len - (end - tail_stem(dated)), instead, ARRAY_LENGTH(instead));
    if (strcmp(path + len - end, dated->tail) == 0)
        remove_beside(path, len - end, instead, ARRAY_LENGTH(instead));
    /* The results last: what is beside them is found by them. */
    remove_beside(path, len, behind, ARRAY_LENGTH(behind));
    (void)unlink(path);
}

unsigned dated_prune(const struct dated *dated, int64_t before_s, const char *latest)
{
    struct completion completion;
    unsigned count = 0;
    glob_t found;

    if (find_all(dated, &found) != STATUS_OK)
        return 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        int64_t began_s = time_of(dated, path);
        if (began_s < 0 || began_s >= before_s || strcmp(path, latest) == 0 ||
            !is_complete(path, &completion))
            continue;
        remove_all(dated, path);
        count++;
    }
    globfree(&found);
    return count;
}
