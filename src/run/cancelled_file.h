/*
 * The file of what was taken back: beside the results, a line for each command that `nbatch cancel`
 * has asked for. Lines are added as they come, so that a cancel that dies goes on where it was; of
 * several lines of a key and uuid the last counts. `nbatch run --resume=cancelled` reads it too.
 *
 *     char *path = cancelled_file_path("fleet.results.csv");        // fleet.cancelled.csv
 *
 *     cancelled_writer_open(&file, &disk_real, path, mode, &message);
 *     cancelled_writer_add(&file, &line);
 *     outfile_settle(&file);                                        // after each line
 *     outfile_close(&file);
 *
 *     status = cancelled_file_open(&table, &disk_real, path, &message);
 *     while (status == STATUS_OK && (status = cancelled_file_next(&table, &line)) == STATUS_OK) …
 *     table_scan_close(&table);
 *
 * CSV or JSONL by the extension of the name; read as ledger/table_scan.h says. Private to run/.
 */
#ifndef NB_RUN_CANCELLED_FILE_H
#define NB_RUN_CANCELLED_FILE_H

#include "ledger/outfile.h"
#include "ledger/table_scan.h"
#include "platform/delivery.h"

struct cancelled_line {
    struct row_id id; /* row, hash and occurrence */
    struct span device, uuid;
    enum cancel_outcome outcome;
    bool has_errno;
    int64_t platform_errno;
    struct span error;
    int64_t finished_ms; /* epoch; read to the second */
};

/* To be freed; NULL without memory. */
char *cancelled_file_path(const char *results);

/* Opens the file to add to it; a header where it is new. Names that are no such file's are refused
 * by whoever has read it before. As outfile_append. */
enum status cancelled_writer_open(struct outfile *file, struct disk *disk, const char *path,
                                  unsigned mode, struct buf *message) MUST_USE;

/* STATUS_IO once something could not be written. */
enum status cancelled_writer_add(struct outfile *file, const struct cancelled_line *line) MUST_USE;

/* As status_file_open and status_file_next. A last line that was cut off is left out. */
enum status cancelled_file_open(struct table_scan *table, struct disk *disk, const char *path,
                                struct buf *message) MUST_USE;
enum status cancelled_file_next(struct table_scan *table, struct cancelled_line *ret_line) MUST_USE;

#endif
