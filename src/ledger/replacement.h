/*
 * A file that is written whole and then takes the place of an earlier one in one step: whoever
 * reads the name sees the old file or the new one, also after a crash.
 *
 *     replacement_open(&new, &disk_real, path, mode, &kind, &message);
 *     buf_add_string(&new.file.out, "…");     // as often as wanted, …
 *     outfile_settle(&new.file);              // … each time with this behind it
 *     replacement_commit(&new, &message);
 *     replacement_deinit(&new);               // what was not committed leaves nothing behind
 */
#ifndef NB_LEDGER_REPLACEMENT_H
#define NB_LEDGER_REPLACEMENT_H

#include "ledger/outfile.h"

struct replacement {
    struct outfile file;
    char *path; /* what it takes the place of; NULL: standard output */
    char *temporary;
    unsigned mode;
};

/* "-" is standard output. A link is followed: the file that it leads to is replaced. As
 * outfile_create, but that a file may be there. */
enum status replacement_open(struct replacement *replacement, struct disk *disk, const char *path,
                             unsigned mode, const struct outfile_kind *kind,
                             struct buf *message) MUST_USE;

/* Durable when it returns STATUS_OK; else STATUS_IO with a text, and the old file is there. */
enum status replacement_commit(struct replacement *replacement, struct buf *message) MUST_USE;

/* Takes a zeroed struct. */
void replacement_deinit(struct replacement *replacement);

#endif
