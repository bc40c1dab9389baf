/*
 * The way of a row from bytes to a checked command: source, reader, schema and rules in one pull.
 * The check and the run go the same way.
 *
 *     intake_open(&options, &message, &intake);
 *     status = intake_start(intake, &problems);               // header
 *     while ((status = intake_next(intake, &command, &problems)) == STATUS_OK)
 *         if (problems.error_count == 0) … good … else … the row has problems …
 */
#ifndef NB_JOB_INTAKE_H
#define NB_JOB_INTAKE_H

#include "command/command.h"
#include "input/reader.h"

struct intake_options {
    const char *path; /* "-" for standard input */
    bool has_format;  /* else by the path's extension */
    enum input_format format;
    const char *encoding; /* NULL: by the byte order mark, else UTF-8 */
    char delimiter;       /* of CSV; 0: a comma. STATUS_USAGE where the input is JSONL */
    size_t max_row_bytes;
    int64_t now_s; /* the run's start: what relative times and the past refer to */
};

struct intake;

/* STATUS_USAGE with a text in `message` when the input cannot be opened, or its format or encoding
 * is not known. */
enum status intake_open(const struct intake_options *options, struct buf *message,
                        struct intake **ret_intake) MUST_USE;

/* Takes NULL. */
void intake_close(struct intake *intake);

/*
 * Reads and judges the header. STATUS_BAD_INPUT with everything wrong about it in `problems`;
 * STATUS_AGAIN: call it again when the descriptor is readable.
 */
enum status intake_start(struct intake *intake, struct problems *problems) MUST_USE;

/*
 * The next row as a command. STATUS_OK: row, line, hash and imei are set; the row is good when
 * problems.error_count is 0, only then there is a request. STATUS_END, STATUS_AGAIN, STATUS_IO
 * (errno is set), STATUS_NO_MEMORY; STATUS_BAD_INPUT as reader_next, or there are no rows.
 */
enum status intake_next(struct intake *intake, struct command *command,
                        struct problems *problems) MUST_USE;

/* Goes back to the first byte. STATUS_CHANGED, with a text in `message`, when the file is not what
 * it was. */
enum status intake_rewind(struct intake *intake, struct buf *message) MUST_USE;

const struct source *intake_source(const struct intake *intake);

#endif
