#include "ledger/place.h"

#include "ledger/ledger.h"

enum { PATH_BYTES_MAX = 64 * 1024 };

/* What place_name_beside puts before the extension; other files beside results go on behind it. */
#define MARK         ".recovered-"
#define DIGIT        "[0-9a-f]"
#define MARK_PATTERN DIGIT DIGIT DIGIT DIGIT DIGIT DIGIT DIGIT DIGIT

const char *place_text(enum place place)
{
    static const char *const texts[] = {
        [PLACE_SAME] = "nothing has happened",
        [PLACE_GONE] = "the results have been removed or moved while the run wrote to them",
        [PLACE_OTHER] = "another file has been put in the place of the results while the run wrote "
                        "to them (one was moved there, or an editor has saved it)",
        [PLACE_CUT] = "somebody else has cut or rewritten the results while the run wrote to them",
        [PLACE_GROWN] = "somebody else has written into the results while the run wrote to them",
        [PLACE_JOURNAL] = "their journal has been removed, moved or replaced while the run wrote "
                          "to it",
    };

    return texts[place];
}

bool place_keeps_lines(enum place place)
{
    return place == PLACE_GONE || place == PLACE_OTHER || place == PLACE_JOURNAL;
}

bool place_is_name_of(struct disk *disk, const char *path, int fd)
{
    struct stat opened, named;

    return disk->stat(disk, fd, &opened) == 0 && disk->lstat(disk, path, &named) == 0 &&
           opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

char *place_name_now(struct disk *disk, int fd)
{
    char *name = disk->name_of(disk, fd);

    if (name != NULL && place_is_name_of(disk, name, fd))
        return name;
    free(name); /* "NAME (deleted)" */
    return NULL;
}

/* How much of a path is before the extension of its last part. */
static size_t stem_length(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    const char *point = strrchr(name, '.');

    return point != NULL && point > name ? (size_t)(point - path) : strlen(path);
}

static char *name_beside(const char *path, const char *mark)
{
    size_t stem = stem_length(path);
    struct buf name;

    buf_init(&name, PATH_BYTES_MAX);
    buf_add(&name, span_of(path, stem));
    buf_add_string(&name, MARK);
    buf_add_string(&name, mark);
    buf_add_string(&name, path + stem);
    char *text = name.status == STATUS_OK ? strdup(buf_string(&name)) : NULL;
    buf_deinit(&name);
    return text;
}

char *place_name_beside(struct disk *disk, const char *path)
{
    char mark[16];

    (void)snprintf(mark, sizeof(mark), "%08x", (unsigned)disk->random(disk));
    return name_beside(path, mark);
}

char *place_find_beside(struct disk *disk, const char *path)
{
    struct buf pattern;
    const size_t stem = stem_length(path);
    char *name = NULL;

    buf_init(&pattern, PATH_BYTES_MAX);
    disk_add_literally(&pattern, span_of(path, stem));
    buf_add_string(&pattern, MARK MARK_PATTERN);
    disk_add_literally(&pattern, span_string(path + stem));
    if (pattern.status == STATUS_OK)
        name = disk->find(disk, buf_string(&pattern));
    buf_deinit(&pattern);
    return name;
}

size_t ledger_recovered_mark(const char *text)
{
    enum { MARK_LENGTH = sizeof(MARK) - 1, DIGITS = 8 };

    if (strncmp(text, MARK, MARK_LENGTH) != 0 ||
        strspn(text + MARK_LENGTH, "0123456789abcdef") != DIGITS)
        return 0;
    return MARK_LENGTH + DIGITS;
}

void place_add_moved(const char *path, struct buf *message)
{
    buf_add_printable(message, span_string(path));
    buf_add_string(message, ": the record of these results goes on in another file, since files "
                            "were moved, replaced or written to while their run wrote");
}

bool place_add_beside(struct disk *disk, const char *path, struct buf *message)
{
    char *beside = place_find_beside(disk, path);

    if (beside == NULL)
        return false;
    buf_add_string(message, "its run has written its lines anew to ");
    buf_add_printable(message, span_string(beside));
    buf_add_string(message, ", go on with --output ");
    buf_add_printable(message, span_string(beside));
    free(beside);
    return true;
}
