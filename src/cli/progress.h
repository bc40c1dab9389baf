/*
 * The line that says how far a long piece of work has come: on a terminal one that is rewritten,
 * elsewhere a plain one every ten seconds.
 */
#ifndef NB_CLI_PROGRESS_H
#define NB_CLI_PROGRESS_H

#include "core/span.h"

enum progress_mode { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER };

struct progress {
    const char *doing; /* "checking fleet.csv" */
    bool off, live;    /* live: rewritten in place */
    bool shown;        /* a live line stands on the terminal */
    int64_t start_ms, last_ms;
    int64_t interval_ms;
};

/* The mode of that name; false where there is none. */
bool progress_mode_of(const char *name, enum progress_mode *ret_mode);

/* Starts the clock. `doing` stays the caller's. Nothing is written before the first interval is
 * over. */
void progress_init(struct progress *progress, enum progress_mode mode, const char *doing);

/* Whether it is time for a line. */
bool progress_is_due(const struct progress *progress);

/* Shows a line, behind what is done; the next one is due an interval later. */
void progress_show(struct progress *progress, const char *text);

/* Rows per second so far. */
double progress_rate(const struct progress *progress, uint64_t rows);

/* Takes a live line away, so that something else can be written; the next tick brings it back. */
void progress_hide(struct progress *progress);

#endif
