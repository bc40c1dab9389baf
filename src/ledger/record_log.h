/*
 * A file of records of one size that are added one by one, so that a process which dies leaves all
 * that it was told before: what nbatch status keeps until its file is written anew. A machine that
 * dies may lose the last of them, which are asked for again then.
 *
 *     record_log_open(&log, &disk_real, path, "nbatch status 1", size, &message);
 *     record_log_each(&log, take, context);          // what an earlier process has left
 *     record_log_add(&log, &record);
 *     record_log_end(&log, true);                    // all is kept elsewhere: no file any more
 *
 * Each record has a check behind it; the reading ends at one that is damaged or cut off.
 */
#ifndef NB_LEDGER_RECORD_LOG_H
#define NB_LEDGER_RECORD_LOG_H

#include "ledger/disk.h"

enum { RECORD_LOG_NAME_MAX = 31, RECORD_LOG_SIZE_MAX = 248 };

struct record_log {
    struct disk *disk;
    const char *path;
    size_t size;
    int fd; /* -1: not open */
};

/* Opens or makes the file and locks it. One of another version (the last character of `name`) or
 * size is emptied. `path` stays the caller's. STATUS_EXISTS: another process has it, or it is
 * somebody else's file; STATUS_IO; each with a text in `message`. */
enum status record_log_open(struct record_log *log, struct disk *disk, const char *path,
                            const char *name, size_t size, struct buf *message) MUST_USE;

typedef void record_log_fn(void *context, const void *record);

/* STATUS_IO with errno. */
enum status record_log_each(struct record_log *log, record_log_fn *take, void *context) MUST_USE;

/* STATUS_IO with errno. */
enum status record_log_add(struct record_log *log, const void *record) MUST_USE;

/* Closes it; `is_done`: and removes it. Takes one that is not open. */
void record_log_end(struct record_log *log, bool is_done);

#endif
