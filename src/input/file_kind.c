#include "input/file_kind.h"

#include <unistd.h>

enum { OLE_LOOK_BYTES = 8192 /* of an OLE file's directory */ };

static const struct {
    const char *bytes;
    size_t len;
    enum file_kind kind;
} magics[] = {
    {"PK\3\4", 4, FILE_ZIP},
    {"PK\5\6", 4, FILE_ZIP}, /* without a part */
    {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8, FILE_OLE},
};

enum file_kind file_kind_of(struct span start)
{
    for (size_t i = 0; i < ARRAY_LENGTH(magics); i++)
        if (start.len >= magics[i].len && memcmp(start.ptr, magics[i].bytes, magics[i].len) == 0)
            return magics[i].kind;
    return FILE_OTHER;
}

bool file_kind_may_be(struct span start)
{
    for (size_t i = 0; i < ARRAY_LENGTH(magics); i++)
        if (start.len < magics[i].len && start.len > 0 &&
            memcmp(start.ptr, magics[i].bytes, start.len) == 0)
            return true;
    return false;
}

/* Whether the name, in UTF-16, is among the bytes. */
static bool has_wide(struct span bytes, const char *name)
{
    char wide[64];
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++) {
        wide[2 * i] = name[i];
        wide[2 * i + 1] = '\0';
    }
    return memmem(bytes.ptr, bytes.len, wide, 2 * len) != NULL;
}

void file_kind_describe_ole(int fd, struct trouble *trouble)
{
    unsigned char head[64] = {0};
    char directory[OLE_LOOK_BYTES];
    ssize_t count = pread(fd, head, sizeof(head), 0);

    if (count == (ssize_t)sizeof(head)) { /* MS-CFB, section 2.2: where the directory is */
        uint32_t sector = (uint32_t)head[48] | (uint32_t)head[49] << 8 | (uint32_t)head[50] << 16 |
                          (uint32_t)head[51] << 24;
        unsigned shift = head[30] == 12 ? 12 : 9;
        count = pread(fd, directory, sizeof(directory), (off_t)(((uint64_t)sector + 1) << shift));
    }
    if (count > 0 && has_wide(span_of(directory, (size_t)count), "EncryptedPackage"))
        (void)trouble_say(trouble, "the workbook is encrypted: save it without a password (in "
                                   "Excel: File, Info, Protect Workbook), as .xlsx or CSV UTF-8");
    else
        (void)trouble_say(trouble, "an .xls or .et workbook, of the kind before 2007, cannot be "
                                   "read: save it as .xlsx or CSV UTF-8");
}
