/*
 * An input cut into two: the rows that are good and those that are not, each in the input's own
 * format, header and bytes, so that the bad half can go back to whoever made it.
 */
#ifndef NB_RUN_SPLIT_H
#define NB_RUN_SPLIT_H

#include "ledger/outfile.h"

struct split {
    struct outfile valid, invalid;
    bool has_valid, has_invalid;
};

/*
 * Creates the files; a NULL path leaves that half out. As outfile_create; neither may be the other.
 */
enum status split_open(struct split *split, const char *valid_path, const char *invalid_path,
                       struct buf *message) MUST_USE;

/* As outfile_probe, for both. */
enum status split_probe(const char *valid_path, const char *invalid_path,
                        struct buf *message) MUST_USE;

/* Adds the header's bytes to both halves. */
enum status split_add_header(struct split *split, struct span bytes) MUST_USE;

/* Adds a row's bytes, with its line end. STATUS_IO once something could not be written. */
enum status split_add_row(struct split *split, struct span bytes, bool is_valid) MUST_USE;

/* Flushes and closes both. STATUS_IO, with a text in `message`. */
enum status split_close(struct split *split, struct buf *message);

#endif
