/*
 * The end of a run in a few lines for people, or as one JSON object for programs. It answers three
 * questions: did all arrive, what did not and why, and what is to be done now.
 */
#ifndef NB_REPORT_SUMMARY_H
#define NB_REPORT_SUMMARY_H

#include "report/next.h"
#include "report/rollout_standing.h"
#include "report/tally.h"

/* How the rows that went ahead have ended, and how many of them were to be accepted. */
struct summary_canary {
    uint64_t rows, needed;
    bool passed;
    const uint64_t *by_status;
};

/* How often a request that may have been processed was looked for, what came of it, and how many
 * calls that took. */
struct summary_verified {
    uint64_t looked, found, missing, unclear, calls;
};

struct summary {
    const char *input;
    const char *results; /* the results file, or NULL when nothing was sent */
    const char *endpoint;
    const struct tally *tally;
    const uint64_t *earlier; /* rows by the status that they had before this run */
    bool is_resumed;
    const char *end; /* why the run ended, for the JSON: "complete", "halted" … */
    bool has_unsent; /* whether it is known how many rows have no result */
    uint64_t unsent;
    uint64_t twice; /* rows that may be held twice, of this run and those before it */
    uint64_t input_rows;
    bool has_account; /* the results were compared with the input at the end: */
    uint64_t accounted, superseded, strange; /* as in ledger/ledger.h */
    uint64_t retries;
    const struct summary_canary *canary;    /* NULL: there was none */
    const struct rollout_standing *rollout; /* likewise */
    struct summary_verified verified;
    double seconds;           /* from the first request to the last result */
    double late_per_s;        /* rows in the last ten seconds; 0: it was shorter */
    double allowed;           /* the platform's limit a second, as it was found; 0: none showed */
    int64_t embargo_s, now_s; /* until when nothing is delivered, epoch, 0: as soon as it can be;
                                 and the time at hand */
    const char *cancel, *status, *verify; /* the calls that take back, that ask what became of it,
                                             and that look for rows in doubt; NULL: there is nothing
                                             to take back or ask about */
    int exit_status;
    bool is_refused, jsonl;      /* as in report/next.h */
    bool is_recorded;            /* the results are there */
    struct next_command command; /* likewise */
    const char *report;          /* the HTML page that was written, or NULL */
};

/* Appends the lines that end a run on standard error. */
void summary_add_text(const struct summary *summary, struct buf *out);

/* Appends the same as one line of JSON. STATUS_NO_MEMORY. */
enum status summary_add_json(const struct summary *summary, struct buf *out) MUST_USE;

#endif
