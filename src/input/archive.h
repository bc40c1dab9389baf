/*
 * The parts of a zip archive, by libzip, for readers that do not trust it. Where it is, the file
 * says (its directory is at its end): it must be a regular file.
 *
 *     status = archive_open(fd, &trouble, &archive);
 *     status = archive_part_open(archive, "xl/workbook.xml", &part);
 *     while ((status = part_read(part, bytes, sizeof(bytes), &count)) == STATUS_OK)
 *         … use `count` bytes …
 *     part_close(part);
 *
 * Limits, so that a small file does not unpack to a disk full: ARCHIVE_… below. They hold for what
 * the archive declares as well as for what comes out.
 */
#ifndef NB_INPUT_ARCHIVE_H
#define NB_INPUT_ARCHIVE_H

#include "core/span.h"

enum {
    ARCHIVE_ENTRIES_MAX = 10000,
    ARCHIVE_RATIO_MAX = 250,               /* unpacked bytes for a packed one … */
    ARCHIVE_RATIO_FREE = 64 * 1024 * 1024, /* … in what is larger than this */
    ARCHIVE_NAME_MAX = 512,                /* bytes of a part's name */
};

#define ARCHIVE_PART_MAX  ((uint64_t)4 << 30) /* bytes of one part, unpacked */
#define ARCHIVE_TOTAL_MAX ((uint64_t)8 << 30) /* of all of them */

/* Why a file cannot be used, in words for a person. */
struct trouble {
    char text[480];
};

/* Sets the text, escaped where it is not printable; gives STATUS_BAD_INPUT. */
enum status trouble_say(struct trouble *trouble, const char *format, ...) PRINTF_LIKE(2, 3);

struct archive;
struct archive_part;

/*
 * Reads the directory of the archive that `fd` is open on; `fd` stays the caller's. `trouble` is
 * the caller's too, lives as long as the archive, and takes every reason. STATUS_BAD_INPUT for what
 * is damaged, cut off, or above a limit; STATUS_NO_MEMORY.
 */
enum status archive_open(int fd, struct trouble *trouble, struct archive **ret_archive) MUST_USE;

/* Takes NULL. */
void archive_close(struct archive *archive);

/* Whether there is a part of that name; capitals and small letters are the same (OPC, section
 * 6.2.2.3). */
bool archive_has(struct archive *archive, const char *name);

/* STATUS_BAD_INPUT where there is none, or it is encrypted, packed in an unusual way or too large;
 * STATUS_NO_MEMORY. */
enum status archive_part_open(struct archive *archive, const char *name,
                              struct archive_part **ret_part) MUST_USE;

/* Takes NULL. */
void part_close(struct archive_part *part);

/* The next bytes, at least one with STATUS_OK. STATUS_END when all came and their checksum is
 * right; STATUS_BAD_INPUT where they are damaged. */
enum status part_read(struct archive_part *part, char *out, size_t room,
                      size_t *ret_count) MUST_USE;

/* How many bytes came, and how many there are as the archive says. */
uint64_t part_taken(const struct archive_part *part);
uint64_t part_size(const struct archive_part *part);

#endif
