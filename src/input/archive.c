#include "input/archive.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <unistd.h>
#include <zip.h>

#include "core/buf.h"

struct archive {
    zip_t *zip;
    struct trouble *trouble;
};

struct archive_part {
    struct archive *archive;
    zip_file_t *file;
    char name[ARCHIVE_NAME_MAX];
    uint64_t taken, size;
};

enum status trouble_say(struct trouble *trouble, const char *format, ...)
{
    char raw[sizeof(trouble->text)];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(raw, sizeof(raw), format, args);
    va_end(args);
    buf_copy_printable(trouble->text, sizeof(trouble->text),
                       span_of(raw, len > 0 ? strlen(raw) : 0));
    return STATUS_BAD_INPUT;
}

static enum status refuse_large(struct trouble *trouble)
{
    return trouble_say(trouble,
                       "the workbook unpacks to more than is read of one (%d GiB a part, %d "
                       "times its packed size): save the sheet as CSV UTF-8, and give that",
                       (int)(ARCHIVE_PART_MAX >> 30), ARCHIVE_RATIO_MAX);
}

static bool is_bomb(uint64_t unpacked, uint64_t packed)
{
    return unpacked > ARCHIVE_RATIO_FREE && unpacked / ARCHIVE_RATIO_MAX > packed;
}

/* What the directory declares. */
static enum status check_entries(struct archive *archive)
{
    zip_int64_t count = zip_get_num_entries(archive->zip, 0);
    uint64_t total = 0, packed = 0;

    if (count > ARCHIVE_ENTRIES_MAX)
        return trouble_say(archive->trouble,
                           "the workbook has %" PRId64 " parts, more than %d: it is no workbook",
                           (int64_t)count, ARCHIVE_ENTRIES_MAX);
    for (zip_int64_t i = 0; i < count; i++) {
        zip_stat_t about;
        zip_stat_init(&about);
        if (zip_stat_index(archive->zip, (zip_uint64_t)i, 0, &about) != 0)
            return trouble_say(archive->trouble, "the file is damaged: %s",
                               zip_strerror(archive->zip));
        if (about.size > ARCHIVE_TOTAL_MAX || total + about.size > ARCHIVE_TOTAL_MAX)
            return refuse_large(archive->trouble);
        total += about.size;
        packed += about.comp_size;
    }
    return is_bomb(total, packed) ? refuse_large(archive->trouble) : STATUS_OK;
}

enum status archive_open(int fd, struct trouble *trouble, struct archive **ret_archive)
{
    struct archive *archive = calloc(1, sizeof(*archive));
    int code = 0, copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    if (archive == NULL || copy < 0) {
        if (copy >= 0)
            (void)close(copy); /* nothing was written */
        free(archive);
        return STATUS_NO_MEMORY;
    }
    archive->trouble = trouble;
    archive->zip = zip_fdopen(copy, 0, &code); /* closes `copy` where it succeeds */
    if (archive->zip == NULL) {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        enum status status =
            code == ZIP_ER_MEMORY
                ? STATUS_NO_MEMORY
                : trouble_say(trouble,
                              "the file begins like an .xlsx workbook and is cut off or damaged "
                              "(%s): copy it again, or save it again",
                              zip_error_strerror(&error));
        zip_error_fini(&error);
        (void)close(copy);
        free(archive);
        return status;
    }
    enum status status = check_entries(archive);
    if (status != STATUS_OK) {
        archive_close(archive);
        return status;
    }
    *ret_archive = archive;
    return STATUS_OK;
}

void archive_close(struct archive *archive)
{
    if (archive == NULL)
        return;
    zip_discard(archive->zip); /* closes without writing */
    free(archive);
}

static zip_int64_t locate(struct archive *archive, const char *name)
{
    zip_int64_t index = zip_name_locate(archive->zip, name, ZIP_FL_ENC_GUESS);

    return index >= 0 ? index : zip_name_locate(archive->zip, name, ZIP_FL_NOCASE);
}

bool archive_has(struct archive *archive, const char *name)
{
    return locate(archive, name) >= 0;
}

/* Whether a part may be unpacked. */
static enum status check_part(struct archive *archive, const char *name, const zip_stat_t *about)
{
    if (about->encryption_method != ZIP_EM_NONE)
        return trouble_say(archive->trouble,
                           "its part %s is encrypted: save the workbook without a password", name);
    if (about->comp_method != ZIP_CM_STORE && about->comp_method != ZIP_CM_DEFLATE)
        return trouble_say(archive->trouble,
                           "its part %s is packed in a way that no workbook is (method %d)", name,
                           (int)about->comp_method);
    if (about->size > ARCHIVE_PART_MAX || is_bomb(about->size, about->comp_size))
        return refuse_large(archive->trouble);
    return STATUS_OK;
}

enum status archive_part_open(struct archive *archive, const char *name,
                              struct archive_part **ret_part)
{
    zip_int64_t index = locate(archive, name);
    zip_stat_t about;

    zip_stat_init(&about);
    if (index < 0 || zip_stat_index(archive->zip, (zip_uint64_t)index, 0, &about) != 0)
        return trouble_say(archive->trouble, "the workbook is damaged: its part %s is missing",
                           name);
    enum status status = check_part(archive, name, &about);
    if (status != STATUS_OK)
        return status;
    struct archive_part *part = calloc(1, sizeof(*part));
    if (part == NULL)
        return STATUS_NO_MEMORY;
    part->archive = archive;
    part->size = about.size;
    (void)snprintf(part->name, sizeof(part->name), "%s", name);
    part->file = zip_fopen_index(archive->zip, (zip_uint64_t)index, 0);
    if (part->file == NULL) {
        free(part);
        return trouble_say(archive->trouble, "the workbook is damaged: %s: %s", name,
                           zip_strerror(archive->zip));
    }
    *ret_part = part;
    return STATUS_OK;
}

void part_close(struct archive_part *part)
{
    if (part == NULL)
        return;
    (void)zip_fclose(part->file); /* it was only read; what is wrong, part_read has said */
    free(part);
}

enum status part_read(struct archive_part *part, char *out, size_t room, size_t *ret_count)
{
    zip_int64_t count = zip_fread(part->file, out, room);

    if (count < 0)
        return trouble_say(part->archive->trouble, "the workbook is damaged: %s: %s", part->name,
                           zip_file_strerror(part->file));
    if (count == 0)
        return part->taken == part->size
                   ? STATUS_END
                   : trouble_say(part->archive->trouble,
                                 "the workbook is damaged: %s ends too early", part->name);
    part->taken += (uint64_t)count;
    if (part->taken > part->size) /* more than was declared, and judged */
        return trouble_say(part->archive->trouble,
                           "the workbook is damaged: %s is larger than it says", part->name);
    *ret_count = (size_t)count;
    return STATUS_OK;
}

uint64_t part_taken(const struct archive_part *part)
{
    return part->taken;
}

uint64_t part_size(const struct archive_part *part)
{
    return part->size;
}
