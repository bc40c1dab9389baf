/*
 * The commands of a results file, with what an earlier look has found out about them, and the
 * status file that this becomes. Of a row's line only its place is kept in memory; what else it
 * says is read again when it is needed. Each step returns 0 or an exit status, after the reason was
 * said. Private to run/.
 *
 *     status_rows_open(&rows, settings, person);      // results, status file, journal
 *     … rows.table …
 *     status_rows_keep(&rows, command);               // at once durable against a kill
 *     status_rows_write(&rows);                       // the status file, whole
 *     status_rows_close(&rows);
 *
 * The journal (STATUSFILE.journal) is there as long as something was kept that the status file does
 * not have.
 */
#ifndef NB_RUN_STATUS_ROWS_H
#define NB_RUN_STATUS_ROWS_H

#include "ledger/record_log.h"
#include "report/delivery_summary.h"
#include "run/command_table.h"
#include "run/person.h"
#include "run/questions.h"
#include "run/result_passed.h"
#include "run/settings.h"
#include "run/status_file.h"
#include "run/values_file.h"

struct status_rows {
    const struct run_settings *settings;
    const struct person *person;
    struct results results;
    struct result_scan scan; /* of single lines */
    struct command_table table;
    uint64_t not_accepted; /* lines that no command came of */
    uint64_t until_row;    /* set before it is opened: what is told of rows up to this one; */
    uint64_t until_sent;   /* … how many are there that are not invalid, … */
    int64_t until_ms;      /* … and when the last of them ended; epoch */
    bool is_simulated;     /* some uuid is one of a simulator's */
    char *path;            /* of the status file */
    char *journal_path;
    struct record_log journal;
    uint64_t unwritten;        /* records that only the journal has */
    struct values_file values; /* open where there is one */
    struct span passed[LAYOUT_PASSES_MAX];
    size_t passed_count;
    struct buf text, passed_text, message;
    struct buf failure; /* what could not be kept, and why; empty: all was */
};

int status_rows_open(struct status_rows *rows, const struct run_settings *settings,
                     const struct person *person) MUST_USE;

/* Locks and opens the journal: before anything is asked. What another process has left in it is
 * taken up. */
int status_rows_begin(struct status_rows *rows) MUST_USE;

/* As struct questions_options has it. */
enum status status_rows_find(void *context, const struct command_record *command,
                             struct command_line *ret_line);
bool status_rows_keep(void *context, const struct command_record *command);
bool status_rows_take_values(void *context, const struct command_record *command,
                             struct span answer);

/* The same of values that were pushed. */
bool status_rows_take_pushed_values(struct status_rows *rows, const struct command_record *command,
                                    struct span values);

/* Says the message and why; the exit status. */
int status_rows_fail(struct status_rows *rows, enum status status);

/* Until it has succeeded, the journal stays. */
int status_rows_write(struct status_rows *rows) MUST_USE;

void status_rows_count(struct status_rows *rows, struct delivery_counts *ret_counts);

/* Takes a zeroed struct. */
void status_rows_close(struct status_rows *rows);

#endif
