/* Whether a file is a spreadsheet's, by its first bytes. */
#ifndef NB_INPUT_FILE_KIND_H
#define NB_INPUT_FILE_KIND_H

#include "core/span.h"
#include "input/archive.h"

/* What a file is, by its first bytes, when it is not text. */
enum file_kind {
    FILE_OTHER,
    FILE_ZIP, /* an .xlsx, or another archive: book_open tells */
    FILE_OLE, /* an .xls, or a workbook that is encrypted: file_kind_describe_ole tells */
};

enum { FILE_KIND_BYTES = 8 };

enum file_kind file_kind_of(struct span start);

/* Whether it takes more bytes than these to tell. */
bool file_kind_may_be(struct span start);

/* What the OLE file is, and how to save it so that it can be read. */
void file_kind_describe_ole(int fd, struct trouble *trouble);

#endif
