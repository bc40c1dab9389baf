/*
 * Whether the results and their journal are still what their names name: somebody may move, remove,
 * replace or cut them while a run writes to them, or save them from an editor; and which name is
 * theirs. Private to ledger/.
 */
#ifndef NB_LEDGER_PLACE_H
#define NB_LEDGER_PLACE_H

#include "ledger/disk.h"

enum place {
    PLACE_SAME,
    PLACE_GONE,    /* there is nothing at the name of the results */
    PLACE_OTHER,   /* there is another file */
    PLACE_CUT,     /* bytes are missing that were written … */
    PLACE_GROWN,   /* … or are there that were not */
    PLACE_JOURNAL, /* the journal is gone, or another one is there */
};

/* What a message says of it, without the name. */
const char *place_text(enum place place);

/* Whether the run's lines are still in the descriptor, so that it may be written to. */
bool place_keeps_lines(enum place place);

/* Whether a path is a name of an open file, itself and not by a link. */
bool place_is_name_of(struct disk *disk, const char *path, int fd);

/* The name that a file has now, to be freed; NULL: it has none, or it cannot be told. */
char *place_name_now(struct disk *disk, int fd);

/* A name beside `path` for what belongs there, with the same extension and not taken yet; to be
 * freed; NULL without memory. */
char *place_name_beside(struct disk *disk, const char *path);

/* As place_name_beside was used for before: NULL, or the latest such file; to be freed. */
char *place_find_beside(struct disk *disk, const char *path);

/* Appends that the lines of that run are in such a file, and how to go on; false: there is none. */
bool place_add_beside(struct disk *disk, const char *path, struct buf *message);

/* Appends that the record of results goes on elsewhere (journal_set_moved), but not where. */
void place_add_moved(const char *path, struct buf *message);

#endif
