#include "ledger/complete.h"

#include <errno.h>
#include <xxhash.h>

enum { COMPLETION_VERSION = 1, COMPLETION_WITH_CONTENT = 2, PATH_BYTES_MAX = 64 * 1024 };

/* All numbers have their lowest byte first, so that the file goes with the results to another
 * machine. The text is for whoever looks into it. */
struct completion_file {
    char text[56];
    unsigned char version[8];
    unsigned char check[8]; /* of what follows */
    unsigned char with[8];  /* ledger_about.with */
    unsigned char input_size[8], input_hash[8];
    unsigned char parts[ACCEPTED_PARTS][2][8];
    unsigned char input_content[8]; /* not there in version 1, which is written where it is not
                                       known: earlier releases read that */
};

static size_t size_of(bool has_content)
{
    return has_content ? sizeof(struct completion_file)
                       : offsetof(struct completion_file, input_content);
}

static const char file_text[56] = "nbatch: what --resume compares the results with.\r\n\n";

static void put_number(unsigned char out[8], uint64_t number)
{
    for (int i = 0; i < 8; i++)
        out[i] = (unsigned char)(number >> 8 * i);
}

static uint64_t get_number(const unsigned char bytes[8])
{
    uint64_t number = 0;

    for (int i = 0; i < 8; i++)
        number |= (uint64_t)bytes[i] << 8 * i;
    return number;
}

void accepted_add(struct accepted *accepted, const struct row_id *id)
{
    const uint64_t key[2] = {id->hash, id->occurrence};
    uint64_t sum = XXH3_64bits(key, sizeof(key));
    struct accepted_part *part = &accepted->parts[id->hash % ACCEPTED_PARTS];

    part->count++;
    part->sum += sum;
}

uint64_t accepted_count(const struct accepted *accepted)
{
    uint64_t count = 0;

    for (size_t i = 0; i < ACCEPTED_PARTS; i++)
        count += accepted->parts[i].count;
    return count;
}

uint64_t accepted_missing(const struct accepted *before, const struct accepted *now)
{
    uint64_t missing = 0;

    for (size_t i = 0; i < ACCEPTED_PARTS; i++) {
        const struct accepted_part *was = &before->parts[i], *is = &now->parts[i];
        if (was->count > is->count)
            missing += was->count - is->count;
        else if (was->count == is->count && was->sum != is->sum)
            missing++; /* another one stands for it */
    }
    return missing;
}

char *completion_path(const char *results)
{
    return disk_name_with(results, ".complete");
}

static uint64_t check_of(const struct completion_file *file, size_t size)
{
    const size_t from = offsetof(struct completion_file, with);

    return XXH3_64bits((const char *)file + from, size - from);
}

/* Returns how many bytes of it are to be written. */
static size_t fill(struct completion_file *file, const struct completion *completion)
{
    bool has_content = completion->input_content != 0;
    const size_t size = size_of(has_content);

    memset(file, 0, sizeof(*file));
    memcpy(file->text, file_text, sizeof(file->text));
    put_number(file->version, has_content ? COMPLETION_WITH_CONTENT : COMPLETION_VERSION);
    put_number(file->with, completion->with);
    put_number(file->input_size, completion->input_size);
    put_number(file->input_hash, completion->input_hash);
    for (size_t i = 0; i < ACCEPTED_PARTS; i++) {
        put_number(file->parts[i][0], completion->accepted.parts[i].count);
        put_number(file->parts[i][1], completion->accepted.parts[i].sum);
    }
    put_number(file->input_content, completion->input_content);
    put_number(file->check, check_of(file, size));
    return size;
}

/* Writes a file that nobody has yet, and renames it. */
static bool write_file(struct disk *disk, const char *name, const char *path,
                       const struct stat *results, struct span file)
{
    int fd = disk->open(disk, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);

    if (fd < 0)
        return false;
    bool good = disk_append_all(disk, fd, file) == STATUS_OK &&
                disk->chmod(disk, fd, results->st_mode & 0666) == 0;
    disk_give_to_owner(disk, fd, results);
    good = good && disk->sync(disk, fd) == 0;
    (void)disk->close(disk, fd);
    if (good && disk->rename(disk, name, path) == 0)
        return true;
    int error = errno;
    (void)disk->unlink(disk, name);
    errno = error;
    return false;
}

enum status completion_write(struct disk *disk, const char *path,
                             const struct completion *completion, const struct stat *results,
                             struct buf *message)
{
    struct completion_file file;
    struct buf name;

    buf_init(&name, PATH_BYTES_MAX);
    buf_add_format(&name, "%s.%08llx", path, (unsigned long long)(disk->random(disk) & 0xffffffff));
    enum status status = name.status;
    struct span bytes = span_of((const char *)&file, fill(&file, completion));
    if (status == STATUS_OK && !write_file(disk, buf_string(&name), path, results, bytes)) {
        status = STATUS_IO;
        buf_add_printable(message, span_string(path));
        buf_add_format(message, ": what --resume compares the results with cannot be written: %s",
                       strerror(errno));
    } else if (status != STATUS_OK) {
        buf_add_string(message, status_text(status));
    }
    buf_deinit(&name);
    return status;
}

static bool read_file(struct disk *disk, int fd, struct completion_file *file)
{
    struct stat about;

    memset(file, 0, sizeof(*file));
    if (disk->stat(disk, fd, &about) != 0 || !S_ISREG(about.st_mode))
        return false;
    const bool has_content = about.st_size == (off_t)size_of(true);
    const size_t size = size_of(has_content);
    return about.st_size == (off_t)size && disk_read_all(disk, fd, file, size, 0) == STATUS_OK &&
           memcmp(file->text, file_text, sizeof(file->text)) == 0 &&
           get_number(file->version) ==
               (has_content ? COMPLETION_WITH_CONTENT : COMPLETION_VERSION) &&
           get_number(file->check) == check_of(file, size);
}

enum status completion_read(struct disk *disk, const char *path, struct completion *ret_completion)
{
    struct completion_file file;
    int fd = disk->open(disk, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);

    if (fd < 0)
        return errno == ENOENT ? STATUS_END : errno == ELOOP ? STATUS_SYNTAX : STATUS_IO;
    bool good = read_file(disk, fd, &file);
    (void)disk->close(disk, fd);
    if (!good)
        return STATUS_SYNTAX;
    ret_completion->with = get_number(file.with);
    ret_completion->input_size = get_number(file.input_size);
    ret_completion->input_hash = get_number(file.input_hash);
    ret_completion->input_content = get_number(file.input_content);
    for (size_t i = 0; i < ACCEPTED_PARTS; i++) {
        ret_completion->accepted.parts[i] =
            (struct accepted_part){.count = get_number(file.parts[i][0]),
                                   .sum = get_number(file.parts[i][1])};
    }
    return STATUS_OK;
}
