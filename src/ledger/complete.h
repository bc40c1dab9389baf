/*
 * The small file beside complete results (RESULTS.complete) by which a later --resume notices that
 * accepted rows are missing from them: the file was cut, filtered, or is another one. It holds how
 * many keys were accepted and a sum of them, in 256 parts, so that the order of the lines does not
 * matter, and lines that were added hide few that are missing. No row can be read out of it.
 *
 *     accepted_add(&accepted, &id);          // each key once
 *     completion_write(disk, path, &completion, mode, &message);
 *     completion_read(disk, path, &completion);
 *     accepted_missing(&completion.accepted, &accepted);  // at least so many
 */
#ifndef NB_LEDGER_COMPLETE_H
#define NB_LEDGER_COMPLETE_H

#include "core/buf.h"
#include "core/row_id.h"
#include "ledger/disk.h"

enum { ACCEPTED_PARTS = 256 };

struct accepted {
    struct accepted_part {
        uint64_t count, sum;
    } parts[ACCEPTED_PARTS];
};

struct completion {
    struct accepted accepted;
    uint64_t input_size, input_hash; /* 0: not known */
    uint64_t input_content;          /* likewise, and in files of earlier versions */
    uint64_t with;                   /* as in ledger_about; 0 or 1 in files of earlier versions */
};

/* A key that was accepted; each once. Pure. */
void accepted_add(struct accepted *accepted, const struct row_id *id);

/* Pure. */
uint64_t accepted_count(const struct accepted *accepted);

/* How many of `before` are not in `now`: at least so many, exact where none was added. Pure. */
uint64_t accepted_missing(const struct accepted *before, const struct accepted *now);

/* The name beside the results, to be freed; NULL without memory. */
char *completion_path(const char *results);

/* Puts the file in the place of an earlier one, with the owner and the permissions of the results,
 * durably but for its name. STATUS_IO, STATUS_NO_MEMORY, with a text in `message`. */
enum status completion_write(struct disk *disk, const char *path,
                             const struct completion *completion, const struct stat *results,
                             struct buf *message) MUST_USE;

/* STATUS_END: there is none. STATUS_SYNTAX: it is damaged, or no such file. STATUS_IO; errno is
 * set. */
enum status completion_read(struct disk *disk, const char *path,
                            struct completion *ret_completion) MUST_USE;

#endif
