/*
 * The log of --log FILE: a JSON object a line, each with time, event, the run that says it and its
 * job's name, for machines and for the morning after. Lines are added to what is there, so that one
 * file may hold many nights, and runs that go on side by side.
 *
 *     event_log_begin(&log, "slower");
 *     event_log_add_number(&log, "concurrency", 32);
 *     event_log_end(&log);
 *
 * All of it does nothing while the log is not open. What cannot be written is told once, and does
 * not stop a run. Where the log is a pipe that nobody reads, lines are left out; an event left_out
 * says how many. Private to run/.
 */
#ifndef NB_RUN_EVENT_LOG_H
#define NB_RUN_EVENT_LOG_H

#include "core/buf.h"
#include "ledger/outlet.h"
#include "report/page.h"
#include "run/person.h"

struct event_log {
    char *path;                  /* NULL: not open */
    char run[17];                /* which run says it, in every line: hexadecimal digits */
    const char *job;             /* and whose it is; NULL: it has no name. Set by the owner */
    const struct person *person; /* who is told of its failures */
    int fd;
    bool failed;
    struct outlet *outlet; /* where it is no file: its reader may not read; else NULL */
    uint64_t left_out;     /* lines that found it full, and were not told of yet */
    struct buf out;        /* lines that were not written yet, and the one that is begun */
};

/* Opens or creates the file; a last line that was cut is ended. STATUS_USAGE with a text in
 * `message` where that cannot be, or where something else is in the file. */
enum status event_log_open(struct event_log *log, const char *path, const struct person *person,
                           struct buf *message) MUST_USE;

void event_log_begin(struct event_log *log, const char *event);
void event_log_add_text(struct event_log *log, const char *name, const char *value);
void event_log_add_number(struct event_log *log, const char *name, int64_t value);
void event_log_add_bool(struct event_log *log, const char *name, bool value);
/* An object of texts. */
void event_log_add_entries(struct event_log *log, const char *name,
                           const struct page_entry *entries, size_t count);
/* A number with three decimals. */
void event_log_add_thousandths(struct event_log *log, const char *name, int64_t thousandths);
void event_log_end(struct event_log *log);

/* Writes what has been added; it is also written whenever a good deal is there. */
void event_log_flush(struct event_log *log);

/* Flushes, closes, frees. Takes a zeroed struct. */
void event_log_close(struct event_log *log);

#endif
