/*
 * Who follows a run beside the person: the log and the metrics. Private to run/.
 *
 *     observers_open(&observers, …)                  first of all: from here on each end is told
 *     observers_phase(&observers, PHASE_CHECK) …     what is being done
 *     observers_start(&observers, &subject)          when sending begins
 *     … observers_event, observers_attempt …
 *     observers_close(&observers, &end)              whatever the end is
 */
#ifndef NB_RUN_OBSERVERS_H
#define NB_RUN_OBSERVERS_H

#include "engine/job.h"
#include "report/metrics.h"
#include "run/event_log.h"
#include "run/metrics_file.h"
#include "run/refusals.h"
#include "run/settings.h"

/* The run that is followed; texts are the caller's and outlive the observers. */
struct observed_run {
    const char *results;
    const char *endpoint;
    const struct tally *tally;
    const uint64_t *earlier;         /* rows that had their result before, by status; NULL: none */
    const uint64_t *earlier_twice;   /* those of them that may be held twice; NULL: none */
    bool has_results;                /* its rows have their results in a file, or a job */
    uint64_t rows;                   /* to be sent; meaningless without has_rows */
    bool has_rows;                   /* a pipe's are not known */
    uint64_t input_size, input_hash; /* 0: not known */
    int64_t embargo_s;               /* when the embargo ends, epoch; 0: none */
};

struct observed_end {
    const char *end;                 /* "complete", "halted" …; not told where nothing began */
    const char *message;             /* why it ended; "" where it is complete */
    uint64_t input_size, input_hash; /* 0: not known; of a refusal */
    uint64_t retries;
    double allowed, late_per_s; /* as in engine/news.h */
    double seconds;
    int exit_status;
};

struct observers {
    struct event_log log;
    struct metrics_file metrics;
    struct observed_run run;
    const struct run_settings *settings;
    char *input;            /* its absolute name; "standard input" */
    struct job_status last; /* without what it points to */
    struct refusals refusals;
    enum phase phase;
    const struct rollout_standing *rollout; /* the caller's; NULL: there is none */
    struct metrics_past past;               /* of runs of this job before */
    int64_t start_ms;                       /* epoch */
    const struct person *person;            /* verbose: each attempt goes into the log */
    bool started;
};

/* Opens what the settings ask for, and begins: the metrics of an earlier run are no longer there,
 * but for what holds until another one knows better. Where one of the two cannot be opened,
 * observers_close tells the other. STATUS_USAGE with a text in `message`, STATUS_NO_MEMORY. */
enum status observers_open(struct observers *observers, const struct run_settings *settings,
                           const struct person *person, struct buf *message) MUST_USE;

void observers_phase(struct observers *observers, enum phase phase);

/* Notes the start. STATUS_IO with a text in `message` where the metrics cannot be written. */
enum status observers_start(struct observers *observers, const struct observed_run *run,
                            struct buf *message) MUST_USE;

/* Notes what happens; `rows_per_s` is the pace of late. */
void observers_event(struct observers *observers, enum job_event event,
                     const struct job_status *status, double rows_per_s);

/* Notes a step's beginning or end, by that word; `rollout` is looked at later, too. */
void observers_rollout(struct observers *observers, const char *event,
                       const struct rollout_standing *rollout);

void observers_attempt(struct observers *observers, const struct job_attempt *attempt);

/* Tells the end, whatever it is, and closes: there is no way to close without one, so that no path
 * out of a run leaves log and metrics saying that it goes on. Where observers_start was not called
 * it is told as a refusal. Takes a zeroed struct, and leaves one. */
void observers_close(struct observers *observers, const struct observed_end *end);

#endif
