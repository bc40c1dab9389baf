/*
 * The status file: what became of the accepted commands of a results file, one line a row, in the
 * order of the rows. `nbatch status` writes it beside the results; --resume, `nbatch cancel` and
 * `nbatch report` read it.
 *
 *     char *path = status_file_path("fleet.results.csv");          // fleet.status.csv
 *
 *     status_writer_open(&writer, &disk_real, path, 0600, passed, passed_count, &message);
 *     status_writer_add(&writer, &line);                           // for each row, in their order
 *     status_writer_commit(&writer, &message);                     // replaces the old file
 *     status_writer_deinit(&writer);
 *
 *     status = status_file_open(&file, &disk_real, path, &message);
 *     while (status == STATUS_OK && (status = status_file_next(&file, &line)) == STATUS_OK) …
 *     status_file_close(&file);
 *
 * CSV, or JSONL by the extension of the name (the reader goes by the first byte). Times are RFC
 * 3339 with the offset of the platform's clock (2026-11-28T16:00:00+08:00), to the second. What is
 * not known is empty in CSV and null in JSONL. The reader takes a file that a spreadsheet has saved
 * again, and damage is an error with file, line, column and remedy (ledger/table_scan.h).
 *
 * A line speaks of a uuid. The results may have got another one for the row since (--resume): then
 * the line does not count any more. That is for the caller to compare. Private to run/.
 */
#ifndef NB_RUN_STATUS_FILE_H
#define NB_RUN_STATUS_FILE_H

#include "core/row.h"
#include "ledger/replacement.h"
#include "ledger/table_scan.h"
#include "platform/delivery.h"

/* X(name, text): the columns that are the file's own, in their order. */
#define STATUS_COLUMN_MAP(X)            \
    X(row, "row")                       \
    X(key, "key")                       \
    X(device, DEVICE_COLUMN)            \
    X(uuid, "uuid")                     \
    X(state, "state")                   \
    X(send_status, "send_status")       \
    X(confirm_status, "confirm_status") \
    X(reason, "reason")                 \
    X(remain, "remain")                 \
    X(create_time, "create_time")       \
    X(send_time, "send_time")           \
    X(confirm_time, "confirm_time")     \
    X(expired_time, "expired_time")     \
    X(checked_at, "checked_at")

enum status_column {
#define X(name, text) STATUS_COLUMN_##name,
    STATUS_COLUMN_MAP(X)
#undef X
        STATUS_COLUMN_COUNT
};

extern const char *const status_column_names[STATUS_COLUMN_COUNT];

struct status_line {
    struct row_id id;          /* row, hash and occurrence; the rest is 0 */
    struct span device;        /* as given */
    struct span uuid;          /* empty: accepted without one that could be read */
    enum command_state state;  /* platform/delivery.h has the words */
    int send_status;           /* as the platform has it; HISTORY_NONE */
    enum confirm confirm;      /* what the device answered */
    struct span reason;        /* a word or a sentence; empty: none */
    int64_t remain;            /* deliveries that are left to try; HISTORY_NONE */
    int64_t created_s, sent_s; /* epoch; HISTORY_NONE */
    int64_t confirmed_s, expires_s;
    int64_t checked_s;         /* when the platform was asked; HISTORY_NONE: it never was */
    const struct cell *passed; /* for the first of the passed columns; when written alone */
    size_t passed_count;
};

/* What delivery_is_final and delivery_is_in go by. `accepted_s`: when the row was accepted. */
struct delivery_facts status_line_facts(const struct status_line *line, int64_t accepted_s);

/* The name beside results: NAME.results.EXT, or NAME.EXT, becomes NAME.status.EXT. To be freed;
 * NULL without memory. A rehearsal's too: NAME.rehearsal.csv becomes NAME.rehearsal.status.csv. */
char *status_file_path(const char *results);

/* The same for another word than "status". */
char *status_file_beside(const char *results, const char *word);

struct status_writer {
    struct replacement file;
    bool jsonl;
    const struct span *passed;
    size_t passed_count;
};

/*
 * Starts a file, with `mode` as its permissions (no wider than those of the results). The names of
 * the passed columns stay the caller's. "-" is standard output. STATUS_EXISTS where the name is
 * that of a file that is no status file, STATUS_IO, STATUS_NO_MEMORY; each with a text.
 */
enum status status_writer_open(struct status_writer *writer, struct disk *disk, const char *path,
                               unsigned mode, const struct span *passed, size_t passed_count,
                               struct buf *message) MUST_USE;

/* Rows in their order. STATUS_IO once something could not be written. */
enum status status_writer_add(struct status_writer *writer,
                              const struct status_line *line) MUST_USE;

/* Until then, and where it fails, an earlier file stays as it is. */
enum status status_writer_commit(struct status_writer *writer, struct buf *message) MUST_USE;

/* Takes a zeroed struct, and one that could not be opened. */
void status_writer_deinit(struct status_writer *writer);

struct status_file {
    struct table_scan table; /* table.line: of the line that was read last */
};

/* `path` and `message` stay the caller's, and in use. STATUS_END: there is none. STATUS_SYNTAX,
 * STATUS_IO, STATUS_NO_MEMORY; each of these with a text in the message. */
enum status status_file_open(struct status_file *file, struct disk *disk, const char *path,
                             struct buf *message) MUST_USE;

/* Takes one that could not be opened. */
void status_file_close(struct status_file *file);

/* The next line; its spans stay until the next call. No passed columns. STATUS_END behind the last
 * one; else as status_file_open. */
enum status status_file_next(struct status_file *file, struct status_line *ret_line) MUST_USE;

#endif
