/*
 * The end of nbatch cancel, in a few lines for people or as one JSON object for programs: what was
 * taken back, what was not and why, and what to do now.
 */
#ifndef NB_REPORT_CANCEL_SUMMARY_H
#define NB_REPORT_CANCEL_SUMMARY_H

#include "platform/delivery.h"

struct cancel_summary {
    const char *results, *output;
    const uint64_t *outcomes; /* by enum cancel_outcome: of all commands, … */
    const uint64_t *before;   /* … and of those the ones that were known to have ended */
    uint64_t left;            /* commands that were not asked for */
    uint64_t doubtful;        /* rows of the results in doubt, or accepted without a uuid */
    uint64_t twice;           /* accepted rows whose device may hold the command twice */
    uint64_t puts, lookups, retries;
    double seconds;
    const char *end;    /* "complete" … */
    const char *again;  /* the command that asks once more; NULL: nothing is open */
    const char *resume; /* the command that sends what was taken back; NULL: nothing was */
    int exit_status;
};

void cancel_summary_add_text(const struct cancel_summary *summary, struct buf *out);

/* One JSON object and a line end. */
void cancel_summary_add_json(const struct cancel_summary *summary, struct buf *out);

#endif
