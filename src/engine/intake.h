/*
 * The way of a row from bytes to a checked command: source, reader, layout, rules and the other
 * rows, in one pull. The check and the run go the same way. What only shows across rows is found in
 * the first pass over the input and remembered for a second one.
 *
 *     intake_open(&options, &message, &intake);
 *     status = intake_start(intake, &problems);               // header
 *     while ((status = intake_next(intake, &command, &problems)) == STATUS_OK)
 *         if (problems.error_count == 0) … good … else … the row has problems …
 */
#ifndef NB_ENGINE_INTAKE_H
#define NB_ENGINE_INTAKE_H

#include "core/word_list.h"
#include "input/reader.h"
#include "ledger/store.h"
#include "platform/command.h"
#include "platform/layout.h"

struct intake_options {
    const char *path; /* "-" for standard input */
    bool has_format;  /* else by the path's extension */
    enum input_format format;
    const char *sheet;    /* of a workbook: a name or a number; NULL: the first visible one */
    const char *encoding; /* NULL: by the byte order mark, else UTF-8 */
    char delimiter;       /* of CSV; 0: a comma. STATUS_USAGE where the input is not CSV */
    uint64_t header_line; /* of CSV and workbooks; 0: the first that is not blank */
    size_t max_row_bytes;
    const struct word_list *sets, *maps, *passes; /* NAME=VALUE, NAME=COLUMN, NAME[,NAME…] */
    bool keep_raw;                                /* for intake_raw_row */
    bool strict;                                  /* warnings are errors */
    const struct word_list *trues, *falses;       /* WORD[,WORD…] */
    enum dialect dialect;                         /* of the requests */
    bool any_device;                              /* test devices too */
    bool allow_replace;                           /* writes with mode 1 are meant */
    bool allow_mixed;                             /* and whatever kinds.h would ask about */
    bool for_sending;  /* rows of an input that cannot be read twice are sent as they come: what a
                          check would ask about is an error then */
    bool reads_once;   /* there will be no intake_rewind, and nobody asks for the digest */
    double rate_per_s; /* how fast rows will be sent; 0 when that is not known */
    int64_t now_s;     /* the run's start: what relative times and the past refer to */
    int64_t embargo_s; /* the valid_time of rows that give none; 0: none */
};

struct intake;
struct fleet;
struct waiting;

/* STATUS_USAGE with a text in `message` when the input cannot be opened, its format is not known,
 * or a word about its columns makes no sense. The words stay the caller's until intake_close. */
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
 * From the next row on, the ledger meets each row: see intake_known. A row that has its result is
 * settled: nothing is wrong with it any more, and it takes no part beside the others. The ledger
 * stays the caller's.
 */
void intake_use_store(struct intake *intake, struct store *store);

/* Whether a good row is left out by who reads it: it takes no part beside the others. */
typedef bool intake_leaves_out_fn(const void *context, const struct command *command);

/* From the next row on. The context stays the caller's. */
void intake_leave_out(struct intake *intake, intake_leaves_out_fn *leaves_out, const void *context);

/* The row that was read last, as the ledger knows it; a new one where there is no ledger. */
const struct store_row *intake_known(const struct intake *intake);

/* Size and hash (XXH3) of the input's bytes, as they are in the file; 0 where they are not known:
 * not all was read, or it cannot be read twice. Kept over intake_rewind. */
void intake_digest(const struct intake *intake, uint64_t *ret_size, uint64_t *ret_hash);

/*
 * The next row as a command. STATUS_OK: row, line, hash and device are set; the row is good when
 * problems.error_count is 0, only then there is a request. STATUS_END, STATUS_AGAIN, STATUS_IO
 * (errno is set), STATUS_CHANGED, STATUS_NO_MEMORY; STATUS_BAD_INPUT as reader_next, or there are
 * no rows.
 */
enum status intake_next(struct intake *intake, struct command *command,
                        struct problems *problems) MUST_USE;

/*
 * Whether the row that was read last, or the end, is behind one after which text may pass for rows
 * (reader_lost): good as a row may look, it counts as bad. Where rows are sent as they are read,
 * intake_next says STATUS_BAD_INPUT in place of it.
 */
bool intake_is_lost(const struct intake *intake);

/* What the first pass has seen so far: different devices, and instances that writes with mode 1
 * replace. Kept for the second pass. */
uint64_t intake_device_count(const struct intake *intake);
uint64_t intake_replaced_count(const struct intake *intake);

/* Once all rows are read: adds what is to be said about the file as a whole. */
void intake_judge_file(const struct intake *intake, struct problems *problems);

/* Likewise: the words that --true (`value`) or --false would have to name (kinds.h). */
void intake_add_words(const struct intake *intake, bool value, struct buf *out);

/* Goes back to the first byte, as source_rewind: what is read from now on is what was read before,
 * or STATUS_CHANGED. */
enum status intake_rewind(struct intake *intake, struct buf *message) MUST_USE;

/* What the first pass has seen so far of the devices; NULL in the second one. */
const struct fleet *intake_fleet(const struct intake *intake);

/*
 * Likewise, for another first pass: what was seen across rows is forgotten, and each row is looked
 * at beside what waits at its device (platform/waiting.h). `waiting` outlives the intake, or the
 * next intake_rewind. Times are compared with, and counted from, `now_s` (epoch) from now on: to
 * ask about many devices takes a while, and that is no time in which rows could be sent.
 */
enum status intake_restart(struct intake *intake, const struct waiting *waiting, int64_t now_s,
                           struct buf *message) MUST_USE;

/* As source_look: STATUS_CHANGED where it is known already that the reading will come to that. */
enum status intake_look(struct intake *intake) MUST_USE;

/* The physical line that is read next. */
uint64_t intake_line(const struct intake *intake);

const struct source *intake_source(const struct intake *intake);

/*
 * The bytes of the header, and of the row that was read last, as they are in the input (behind
 * decompression), with their line ends; for an intake with keep_raw. Valid until the next row.
 * STATUS_NO_MEMORY.
 */
enum status intake_raw_header(struct intake *intake, struct span *ret_bytes) MUST_USE;
enum status intake_raw_row(struct intake *intake, struct span *ret_bytes) MUST_USE;

/* The run's start, as it was given. */
int64_t intake_now_s(const struct intake *intake);

/* Relative times of the rows that are read from now on count from then. */
void intake_begin_step(struct intake *intake, int64_t now_s);

/* When the embargo ends, as it was given; 0: there is none. */
int64_t intake_embargo_s(const struct intake *intake);

/* Appends what a person should know of what was read, a line for each, once it is read to its
 * end. */
void intake_add_notes(const struct intake *intake, struct buf *out);

/* The names of the columns that go into the results; the commands carry their cells. */
const struct span *intake_passed(const struct intake *intake, size_t *ret_count);

#endif
