/*
 * Who may write the results: a lock on the file, whose holder the journal names; and what is there
 * already.
 */
#include <errno.h>

#include "ledger/ledger_impl.h"

static void add_holder(struct disk *disk, const char *journal_path, struct buf *message)
{
    struct journal_about about;
    char started[WHEN_UTC_LENGTH + 1];

    if (!journal_peek(disk, journal_path, &about)) {
        buf_add_string(message, "another nbatch");
        return;
    }
    when_format_utc(about.started_ms, started);
    buf_add_format(message, "process %u on %s, which sends ", about.pid, about.host);
    buf_add_printable(message, span_string(about.input));
    buf_add_format(message, " since %s", started);
}

enum status ledger_lock(const struct ledger *ledger, struct buf *message)
{
    if (ledger->disk->lock(ledger->disk, ledger->fd) == 0)
        return STATUS_OK;
    if (errno != EWOULDBLOCK)
        return ledger_say(ledger, "the results cannot be locked", errno, message);
    buf_add_printable(message, span_string(ledger->path));
    buf_add_string(message, " is in use by ");
    add_holder(ledger->disk, ledger->journal_path, message);
    buf_add_string(message,
                   ": wait until it has ended, or name another results file with --output");
    return STATUS_EXISTS;
}

char *ledger_journal_path(const char *path)
{
    return disk_name_with(path, ".journal");
}

char *ledger_resolve(struct disk *disk, const char *path)
{
    struct stat about;
    char *resolved = NULL;

    /* Links to folders may stay: all that belongs to the results is in the same one. */
    if (disk->lstat(disk, path, &about) == 0 && S_ISLNK(about.st_mode))
        resolved = disk->resolve(disk, path);
    return resolved != NULL ? resolved : strdup(path);
}

void ledger_say_linked(const char *path, struct buf *message)
{
    buf_add_string(message, "results file ");
    buf_add_printable(message, span_string(path));
    buf_add_string(message, " has several names (hard links): its journal is found by one of them "
                            "alone, and rows could be sent twice under another; remove the other "
                            "names (find . -samefile ");
    buf_add_printable(message, span_string(path));
    buf_add_string(message, "), then go on with --resume");
}

/* Whether another process has the results open, and says so. */
static bool is_held(struct disk *disk, const char *path, const char *journal_path,
                    struct buf *message)
{
    struct ledger peek = {.disk = disk,
                          .path = (char *)(uintptr_t)path,
                          .journal_path = (char *)(uintptr_t)journal_path};

    peek.fd = disk->open(disk, path, O_RDONLY, 0);
    if (peek.fd < 0)
        return false;
    enum status status = ledger_lock(&peek, message);
    (void)disk->close(disk, peek.fd);
    return status == STATUS_EXISTS;
}

static enum status probe(struct disk *disk, const char *path, const char *journal_path,
                         struct buf *message)
{
    struct stat about;
    bool has_results = disk->lstat(disk, path, &about) == 0,
         has_journal = disk->has(disk, journal_path);

    if (!has_results && !has_journal)
        return STATUS_OK;
    if (has_results && S_ISREG(about.st_mode) && is_held(disk, path, journal_path, message))
        return STATUS_EXISTS;
    if (has_results && S_ISLNK(about.st_mode)) {
        buf_add_printable(message, span_string(path));
        buf_add_string(message, " is a symbolic link to a file that is not there: remove the link, "
                                "or name the file itself with --output");
    } else if (has_results && S_ISREG(about.st_mode) && about.st_nlink > 1) {
        ledger_say_linked(path, message);
    } else if (!has_results) {
        buf_add_printable(message, span_string(journal_path));
        buf_add_string(message,
                       " belongs to a run that has not ended, and its results are not beside it: ");
        if (!place_add_beside(disk, path, message))
            buf_add_string(message, "put them there and go on with --resume, or move it away too");
    } else {
        buf_add_string(message, "results file ");
        buf_add_printable(message, span_string(path));
        buf_add_string(message,
                       has_journal ? " is there, of a run that has not ended: go on with --resume, "
                                     "or name another with --output"
                                   : " exists already; nbatch overwrites nothing that may be a "
                                     "record: go on with --resume, move it away, or name another "
                                     "with --output");
    }
    return STATUS_EXISTS;
}

enum status ledger_probe(struct disk *disk, const char *path, struct buf *message)
{
    char *resolved = ledger_resolve(disk, path);
    char *journal_path = resolved != NULL ? ledger_journal_path(resolved) : NULL;
    enum status status = STATUS_NO_MEMORY;

    if (journal_path == NULL)
        buf_add_string(message, status_text(STATUS_NO_MEMORY));
    else
        status = probe(disk, resolved, journal_path, message);
    free(journal_path);
    free(resolved);
    return status;
}
