/*
 * The line that says how far a long piece of work has come: on a terminal one that is rewritten,
 * elsewhere a plain one every ten seconds.
 *
 *     progress_init(&progress, mode, "sending");
 *     … now and then:
 *     if (progress_tick(&progress, rows))
 *         progress_show(&progress, &facts);
 *     … before anything else is written, and at the end:
 *     progress_hide(&progress);
 *
 * The terminal's width is asked for each time that the line is drawn, five times a second; so a
 * window that changes needs no signal.
 */
#ifndef NB_CLI_PROGRESS_H
#define NB_CLI_PROGRESS_H

#include "cli/progress_line.h"

enum progress_mode { PROGRESS_AUTO = 1, PROGRESS_ALWAYS, PROGRESS_NEVER };

enum { PROGRESS_SAMPLES = 51 }; /* five a second: of the last ten seconds */

struct progress {
    const char *doing; /* "checking fleet.csv" */
    bool off, live;    /* live: rewritten in place */
    bool shown;        /* a live line is on the terminal */
    int64_t last_ms;
    int64_t interval_ms;
    /* What was done when; a ring, from which the pace of late comes. */
    struct progress_sample {
        int64_t at_ms;
        uint64_t done;
    } samples[PROGRESS_SAMPLES];
    size_t sample_count, sample_next;
};

/* Starts the clock. `doing` stays the caller's. Nothing is written before the first interval is
 * over. */
void progress_init(struct progress *progress, enum progress_mode mode, const char *doing);

/* Notes how much is done, for the rate; whether it is time for a line. */
bool progress_tick(struct progress *progress, uint64_t done);

/* Rows per second over the last seconds, now that so many are done. */
double progress_rate(const struct progress *progress, uint64_t done);

/* Shows the line; the next one is due an interval later. `facts->doing` is filled in. */
void progress_show(struct progress *progress, struct progress_facts *facts);

/* Takes a live line away, so that something else can be written; the next one brings it back. */
void progress_hide(struct progress *progress);

#endif
