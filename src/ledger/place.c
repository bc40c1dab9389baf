#include "ledger/place.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/outfile.h"

enum { COPY_BLOCK_BYTES = 64 * 1024, PATH_BYTES_MAX = 64 * 1024, LINK_BYTES_MAX = 8192 };

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

bool place_is_name_of(const char *path, int fd)
{
    struct stat opened, named;

    return fstat(fd, &opened) == 0 && lstat(path, &named) == 0 && opened.st_ino == named.st_ino &&
           opened.st_dev == named.st_dev;
}

char *place_name_now(int fd)
{
    char link[64], name[LINK_BYTES_MAX];

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, name, sizeof(name) - 1);
    if (len <= 0 || (size_t)len == sizeof(name) - 1)
        return NULL;
    name[len] = '\0';
    return place_is_name_of(name, fd) ? strdup(name) : NULL; /* else: "NAME (deleted)" */
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
    buf_add_string(&name, ".recovered-");
    buf_add_string(&name, mark);
    buf_add_string(&name, path + stem);
    char *text = name.status == STATUS_OK ? strdup(buf_string(&name)) : NULL;
    buf_deinit(&name);
    return text;
}

char *place_name_beside(const char *path)
{
    uint32_t number = (uint32_t)getpid();
    char mark[16];

    (void)!getrandom(&number, sizeof(number), 0);
    (void)snprintf(mark, sizeof(mark), "%08x", (unsigned)number);
    return name_beside(path, mark);
}

char *place_find_beside(const char *path)
{
    struct buf pattern;
    glob_t found = {.gl_pathc = 0};
    char *name = NULL, *plain = name_beside(path, "");

    if (plain == NULL)
        return NULL;
    buf_init(&pattern, PATH_BYTES_MAX);
    size_t before = stem_length(path) + strlen(".recovered-");
    for (size_t i = 0; plain[i] != '\0'; i++) {
        if (i == before)
            buf_add_string(&pattern, "*");
        if (strchr("*?[\\", plain[i]) != NULL)
            buf_add_char(&pattern, '\\');
        buf_add_char(&pattern, plain[i]);
    }
    if (plain[before] == '\0')
        buf_add_string(&pattern, "*");
    if (pattern.status == STATUS_OK && glob(buf_string(&pattern), 0, NULL, &found) == 0)
        name = strdup(found.gl_pathv[0]);
    globfree(&found);
    buf_deinit(&pattern);
    free(plain);
    return name;
}

enum status place_copy(int from, uint64_t size, int to, uint64_t *ret_hash)
{
    XXH3_state_t *hash = XXH3_createState();
    char block[COPY_BLOCK_BYTES];
    enum status status = STATUS_OK;

    if (hash == NULL) {
        errno = ENOMEM;
        return STATUS_IO;
    }
    (void)XXH3_64bits_reset(hash);
    for (uint64_t at = 0; at < size && status == STATUS_OK;) {
        size_t want = size - at < sizeof(block) ? (size_t)(size - at) : sizeof(block);
        ssize_t count = pread(from, block, want, (off_t)at);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            errno = count == 0 ? 0 : errno;
            status = STATUS_IO;
            break;
        }
        (void)XXH3_64bits_update(hash, block, (size_t)count);
        status = outfile_write_all(to, span_of(block, (size_t)count));
        at += (uint64_t)count;
    }
    int error = errno;
    *ret_hash = XXH3_64bits_digest(hash);
    (void)XXH3_freeState(hash);
    errno = error;
    return status;
}
