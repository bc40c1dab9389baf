/*
 * A file that is written from its start to its end and never in place of another: results, lists of
 * problems, the halves of a split input.
 *
 *     outfile_create(&file, &disk_real, path, &kind, &message);
 *     buf_add_string(&file.out, "…");           // as often as wanted
 *     outfile_settle(&file);                    // after each line: writes when enough is there
 *     outfile_close(&file);
 *
 * After a write error everything else fails too with STATUS_IO; outfile_error says why.
 */
#ifndef NB_LEDGER_OUTFILE_H
#define NB_LEDGER_OUTFILE_H

#include "ledger/disk.h"

/* What messages call the file, and the option that names it. */
struct outfile_kind {
    const char *what;   /* "results file" */
    const char *option; /* "--output" */
};

struct outfile {
    struct buf out; /* for the caller to append to */
    struct buf error;
    struct disk *disk;
    char *name;
    int fd; /* valid while name is set */
    bool failed;
};

/* Creates the file; "-" is standard output. STATUS_EXISTS, STATUS_IO or STATUS_NO_MEMORY, with a
 * text in `message`. */
enum status outfile_create(struct outfile *file, struct disk *disk, const char *path,
                           const struct outfile_kind *kind, struct buf *message) MUST_USE;

/* Takes away what is behind the last line end of a file that is appended to: what a death or a full
 * disk has left. *ret_size: of what remains, 0 where it is no regular file. STATUS_IO with errno.
 */
enum status outfile_cut_to_lines(struct outfile *file, uint64_t *ret_size) MUST_USE;

/* Opens a file to be appended to, which may be there already. As outfile_create. */
enum status outfile_append(struct outfile *file, struct disk *disk, const char *path,
                           const struct outfile_kind *kind, struct buf *message) MUST_USE;

/* Whether outfile_create would be refused since the file is there: STATUS_EXISTS with a text in
 * `message`. */
enum status outfile_probe(struct disk *disk, const char *path, const struct outfile_kind *kind,
                          struct buf *message) MUST_USE;

/* Writes what has been appended; _settle only when it is a good deal, or could not be appended. */
enum status outfile_flush(struct outfile *file) MUST_USE;
enum status outfile_settle(struct outfile *file) MUST_USE;

/* Flushes and closes. STATUS_IO when something could not be written. Takes a zeroed or closed
 * struct. `error` stays until outfile_deinit. */
enum status outfile_close(struct outfile *file);

/* Closes, where that was not done, and frees. */
void outfile_deinit(struct outfile *file);

/* Says what went wrong, once something has: "fleet.results.csv: No space left on device". */
const char *outfile_error(struct outfile *file);

/* Whether the name asks for JSONL: it ends in .jsonl or .ndjson. */
bool outfile_is_jsonl(const char *path);

#endif
