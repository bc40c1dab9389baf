/* How rows are sent, out of the settings; and what is told while it goes on. Private to cli/. */
#ifndef NB_CLI_SENDING_H
#define NB_CLI_SENDING_H

#include "cli/observers.h"
#include "cli/progress.h"
#include "engine/job.h"

/*
 * Fills in retries, pace, canary and halt rules; `halt` must outlive the run. STATUS_USAGE with a
 * text in `message`.
 */
enum status sending_options(const struct settings *settings, struct halt *halt,
                            struct job_options *options, struct buf *message) MUST_USE;

/* Appends the table of what is sent again, under these settings. STATUS_USAGE as above. */
enum status sending_explain(const struct settings *settings, struct buf *out,
                            struct buf *message) MUST_USE;

/* The view of a run that is under way. */
struct sending_view {
    bool quiet;
    bool verbose;
    const char *input;
    uint64_t rows; /* in all; 0: not known */
    const struct tally *tally;
    struct progress progress;
    struct observers *observers;
};

/* A job_event_fn and a job_attempt_fn: `context` is a struct sending_view. */
void sending_event(void *context, enum job_event event, const struct job_status *status);
void sending_attempt(void *context, const struct job_attempt *attempt);

#endif
