/*
 * The end of a run whose results or journal are not any more where their names say: removed, moved,
 * replaced, saved by an editor, cut. The run's lines are in the descriptor that it holds, and are
 * written anew: to the results' own name where that is free, else beside it under another one, with
 * a journal beside them by which --resume goes on. What others have put there is never touched, and
 * the old journal stays: it keeps the file beside it from being taken for the results.
 */
#include <assert.h>
#include <errno.h>

#include "ledger/ledger_impl.h"

enum place ledger_look(const struct ledger *ledger, uint64_t size, bool is_all)
{
    struct stat opened, named;
    struct disk *disk = ledger->disk;

    if (disk->stat(disk, ledger->fd, &opened) != 0)
        return PLACE_SAME; /* nothing can be said */
    if (disk->lstat(disk, ledger->path, &named) != 0)
        return errno == ENOENT || errno == ENOTDIR ? PLACE_GONE : PLACE_SAME;
    if (opened.st_ino != named.st_ino || opened.st_dev != named.st_dev)
        return PLACE_OTHER;
    if ((uint64_t)opened.st_size < size)
        return PLACE_CUT;
    if (is_all && (uint64_t)opened.st_size > size)
        return PLACE_GROWN;
    if (ledger->journal != NULL && !journal_is_in_place(ledger->journal))
        return PLACE_JOURNAL;
    return PLACE_SAME;
}

enum status ledger_displace(struct ledger *ledger, enum place place)
{
    if (ledger->place == PLACE_SAME)
        ledger->place = place;
    return ledger_fail(ledger, place_text(place), 0);
}

bool ledger_has_other_names(const struct ledger *ledger)
{
    struct stat about;

    return ledger->fd >= 0 && ledger->disk->stat(ledger->disk, ledger->fd, &about) == 0 &&
           about.st_nlink > 1;
}

/* Takes other names for the files. */
static enum status rename_to(struct ledger *ledger, char *path)
{
    char *journal_path = path != NULL ? ledger_journal_path(path) : NULL;

    if (journal_path == NULL) {
        free(path);
        return STATUS_NO_MEMORY;
    }
    free(ledger->path);
    free(ledger->journal_path);
    ledger->path = path;
    ledger->journal_path = journal_path;
    return STATUS_OK;
}

static bool is_free(struct disk *disk, const char *path)
{
    struct stat about;

    return disk->lstat(disk, path, &about) != 0 && errno == ENOENT;
}

static bool is_folder_open(const struct ledger *ledger, const char *path)
{
    return ledger->disk->is_folder_open(ledger->disk, path);
}

/* Where the journal of the name would be: ours, or nobody's. */
static bool has_journal_place(const struct ledger *ledger)
{
    return journal_is_in_place(ledger->journal) || is_free(ledger->disk, ledger->journal_path);
}

/* Both files were moved, with their folder or under a common name: nothing is lost. */
static bool follow_move(struct ledger *ledger)
{
    char *name = place_name_now(ledger->disk, ledger->fd);
    char *journal_name = name != NULL ? ledger_journal_path(name) : NULL;
    bool moved = journal_name != NULL && journal_is_named(ledger->journal, journal_name);

    free(journal_name);
    if (!moved) {
        free(name);
        return false;
    }
    return rename_to(ledger, name) == STATUS_OK;
}

static const char *const last_folders[] = {"./", "/var/tmp/", "/tmp/"};

/* A name in another folder, made of the last part of a path. */
static char *name_in(struct disk *disk, const char *folder, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct buf name;

    buf_init(&name, 64 * 1024);
    buf_add_format(&name, "%s%s", folder, slash != NULL ? slash + 1 : path);
    char *beside = name.status == STATUS_OK ? place_name_beside(disk, buf_string(&name)) : NULL;
    buf_deinit(&name);
    return beside;
}

/* Names what is to be written; false where there is no place or no memory. */
static bool choose_name(struct ledger *ledger)
{
    bool is_ours = place_is_name_of(ledger->disk, ledger->path, ledger->fd) &&
                   place_keeps_lines(ledger->place);

    if ((is_ours || is_free(ledger->disk, ledger->path)) && is_folder_open(ledger, ledger->path) &&
        has_journal_place(ledger))
        return true;
    if (is_folder_open(ledger, ledger->path))
        return rename_to(ledger, place_name_beside(ledger->disk, ledger->path)) == STATUS_OK;
    /* The folder was removed or moved: where the file is now, or where there is any place. */
    char *now = place_name_now(ledger->disk, ledger->fd);
    char *beside =
        now != NULL && is_folder_open(ledger, now) ? place_name_beside(ledger->disk, now) : NULL;
    free(now);
    for (size_t i = 0; beside == NULL && i < ARRAY_LENGTH(last_folders); i++)
        beside = is_folder_open(ledger, last_folders[i])
                     ? name_in(ledger->disk, last_folders[i], ledger->path)
                     : NULL;
    return rename_to(ledger, beside) == STATUS_OK;
}

/* A journal for the new place, with what is known of the rows. *ret_old is the one until now, which
 * is the caller's. */
static enum status make_journal(struct ledger *ledger, struct buf *message,
                                struct journal **ret_old)
{
    struct journal_about about = *journal_about(ledger->journal);
    const struct journal_shape shape = *journal_shape(ledger->journal);
    struct intent *started = calloc(ledger->capacity, sizeof(*started));
    struct journal *journal;
    uint32_t count = 0;

    if (started == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < ledger->capacity; i++)
        if (ledger->entries[i].state == ENTRY_STARTED)
            started[count++] = ledger->entries[i].intent;
    enum status status =
        ledger_make_journal(ledger, &about, &shape, started, count, message, &journal);
    free(started);
    if (status != STATUS_OK)
        return status;
    struct span staged = journal_staged(ledger->journal); /* as one line: they are only copied */
    bool kept = staged.len == 0 || journal_stage(journal, staged);
    assert(kept);
    (void)kept;
    (void)!journal_settle(ledger->journal); /* the old one, where it is */
    *ret_old = ledger->journal;
    ledger->journal = journal;
    return STATUS_OK;
}

struct copying {
    struct disk *disk;
    int to;
    XXH3_state_t *hash; /* of what is copied */
};

static enum status copy_block(void *context, struct span block, uint64_t offset)
{
    const struct copying *copying = context;

    (void)offset;
    (void)XXH3_64bits_update(copying->hash, block.ptr, block.len);
    return disk_append_all(copying->disk, copying->to, block);
}

/* Fills the new file: what was written, and behind it what waits in the journal. STATUS_IO; errno
 * is 0 where that is not there any more. */
static enum status fill(const struct ledger *ledger, int fd)
{
    struct disk *disk = ledger->disk;
    struct copying copying = {.disk = disk, .to = fd, .hash = XXH3_createState()};
    enum status status = STATUS_IO;

    errno = ENOMEM;
    if (copying.hash != NULL && XXH3_64bits_reset(copying.hash) == XXH_OK &&
        disk->lock(disk, fd) == 0)
        status = disk_each_block(disk, ledger->fd, 0, ledger->base, copy_block, &copying);
    if (status == STATUS_OK &&
        XXH3_64bits_digest(copying.hash) != XXH3_64bits_digest(ledger->hash)) {
        errno = 0;
        status = STATUS_IO;
    }
    if (status == STATUS_OK)
        status = disk_append_all(disk, fd, journal_staged(ledger->journal));
    if (status == STATUS_OK &&
        (disk->sync(disk, fd) != 0 || disk->sync_folder(disk, ledger->path) != 0))
        status = STATUS_IO;
    int error = errno;
    (void)XXH3_freeState(copying.hash);
    errno = error;
    return status;
}

/* Writes the lines to a file that nobody has yet, locked and durable. */
static enum status write_anew(struct ledger *ledger, struct buf *message)
{
    struct stat about = {.st_mode = 0600, .st_uid = (uid_t)-1, .st_gid = (gid_t)-1};
    struct disk *disk = ledger->disk;
    (void)!disk->stat(disk, ledger->fd, &about);
    int fd = disk->open(disk, ledger->path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW,
                        about.st_mode & 0666);
    if (fd < 0)
        return ledger_say(ledger, "the results cannot be written anew", errno, message);
    disk_give_to_owner(disk, fd, &about);
    if (fill(ledger, fd) == STATUS_OK) {
        (void)disk->close(disk, ledger->fd); /* it has no name here */
        ledger->fd = fd;
        return STATUS_OK;
    }
    int error = errno;
    (void)disk->unlink(disk, ledger->path);
    (void)disk->close(disk, fd); /* nothing of it is kept */
    return ledger_say(ledger,
                      error != 0 ? "the results cannot be written anew"
                                 : "what the run wrote is not in the results any more: restore "
                                   "them from a copy; without it --resume refuses what is "
                                   "there, or calls rows in doubt whose lines are missing",
                      error, message);
}

/* What is known of rows in doubt is beside the new results, too, or not any more; without it they
 * just stay that. */
static void keep_doubts(const struct ledger *ledger, bool is_kept)
{
    struct disk *disk = ledger->disk;
    char *path = doubt_path(ledger->path);
    bool is_other = path != NULL && strcmp(path, ledger->doubt_path) != 0;

    if (is_other && is_kept)
        (void)!disk->link(disk, ledger->doubt_path, path);
    else if (is_other)
        (void)!disk->unlink(disk, path);
    free(path);
}

static enum status rescue(struct ledger *ledger, struct buf *message)
{
    char *old_path = strdup(ledger->path);
    struct journal *old = NULL;
    bool is_here, has_journal;
    enum status status = STATUS_OK;

    if (old_path == NULL)
        return STATUS_NO_MEMORY;
    if (!choose_name(ledger)) {
        free(old_path);
        return ledger_say(ledger, "there is no place to write the results anew", 0, message);
    }
    is_here = place_is_name_of(ledger->disk, ledger->path, ledger->fd);
    has_journal = journal_is_named(ledger->journal, ledger->journal_path);
    keep_doubts(ledger, true);
    /* The journal first: results without one are taken for complete. */
    if (!has_journal)
        status = make_journal(ledger, message, &old);
    if (status == STATUS_OK && !is_here)
        status = write_anew(ledger, message);
    if (status == STATUS_OK)
        status = journal_settle(ledger->journal);
    /* Last: until now it was all there is. What an editor has saved may be just what it knows. */
    if (status == STATUS_OK && old != NULL)
        (void)!journal_set_moved(old);
    journal_close(old);
    if (status != STATUS_OK) {
        if (!has_journal && journal_is_named(ledger->journal, ledger->journal_path))
            (void)ledger->disk->unlink(ledger->disk, ledger->journal_path); /* of no results */
        keep_doubts(ledger, false);
        (void)!rename_to(ledger, old_path);
        return status;
    }
    free(old_path);
    return STATUS_OK;
}

enum status ledger_rescue(struct ledger *ledger, struct buf *message)
{
    if (ledger->disk->sync_data(ledger->disk, ledger->fd) != 0)
        return ledger_say(ledger, "the results cannot be synced to the disk", errno, message);
    if (place_keeps_lines(ledger->place) && follow_move(ledger)) {
        ledger->rescued = true;
        return journal_settle(ledger->journal);
    }
    enum status status = rescue(ledger, message);
    if (status == STATUS_NO_MEMORY && message->len == 0)
        buf_add_string(message, status_text(status));
    ledger->rescued = status == STATUS_OK;
    return status;
}

bool ledger_goes_on_beside(struct disk *disk, const char *path)
{
    char *journal = ledger_journal_path(path);
    char *beside =
        journal != NULL && journal_peek_moved(disk, journal) ? place_find_beside(disk, path) : NULL;
    bool goes_on = beside != NULL;

    free(beside);
    free(journal);
    return goes_on;
}
