/*
 * Who follows a run beside the person: the log and the metrics. Private to run/.
 *
 *     observers_open(&observers, …)                  before anything is sent
 *     observers_start(&observers, &subject)          when sending begins
 *     … observers_event, observers_attempt …
 *     observers_end(&observers, &end)
 *     observers_close(&observers)
 */
#ifndef NB_RUN_OBSERVERS_H
#define NB_RUN_OBSERVERS_H

#include "engine/job.h"
#include "report/metrics.h"
#include "run/event_log.h"
#include "run/metrics_file.h"
#include "run/settings.h"

/* The run that is followed; texts are the caller's and outlive the observers. */
struct observed_run {
    const char *input;
    const char *results;
    const char *endpoint;
    const struct tally *tally;
    const uint64_t *earlier_twice; /* rows of runs before this that may be held twice; NULL: none */
    uint64_t rows;                 /* 0: not known */
    const struct run_settings *settings;
};

struct observed_end {
    const char *end;     /* "complete", "halted" … */
    const char *message; /* why it ended; "" where it is complete */
    uint64_t retries;
    double allowed, late_per_s; /* as in engine/news.h */
    double seconds;
    int exit_status;
};

struct observers {
    struct event_log log;
    struct metrics_file metrics;
    struct observed_run run;
    struct job_status last;      /* without what it points to */
    int64_t start_ms;            /* epoch */
    const struct person *person; /* verbose: each attempt goes into the log */
    bool started;
};

/* Opens what the settings ask for. STATUS_USAGE with a text in `message`, STATUS_NO_MEMORY. */
enum status observers_open(struct observers *observers, const struct run_settings *settings,
                           const struct person *person, struct buf *message) MUST_USE;

/* Notes the start. STATUS_IO with a text in `message` where the metrics cannot be written. */
enum status observers_start(struct observers *observers, const struct observed_run *run,
                            struct buf *message) MUST_USE;

/* Notes what happens; `rows_per_s` is the pace of late. */
void observers_event(struct observers *observers, enum job_event event,
                     const struct job_status *status, double rows_per_s);
void observers_attempt(struct observers *observers, const struct job_attempt *attempt);
void observers_end(struct observers *observers, const struct observed_end *end);

/* In place of start and end: the run was refused before anything was sent, which the log and the
 * metrics must not pass over. */
void observers_refused(struct observers *observers, const struct observed_run *run,
                       int exit_status);

/* Takes a zeroed struct. */
void observers_close(struct observers *observers);

#endif
