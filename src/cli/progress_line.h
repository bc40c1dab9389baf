/*
 * The text of a progress line: all of it where there is room, and on a narrow terminal what matters
 * most. Pure. Private to cli/.
 *
 *     sending: [######----] 60 % 3000/5000, 320 rows/s, 64 in flight, 3 failed, 6s to go
 *     60 %, 3 failed, 6s to go
 */
#ifndef NB_CLI_PROGRESS_LINE_H
#define NB_CLI_PROGRESS_LINE_H

#include "core/buf.h"
#include "platform/outcome.h"

struct progress_facts {
    const char *doing; /* "sending", "checking fleet.csv" */
    uint64_t done;
    uint64_t total;  /* 0: not known */
    double share;    /* 0 … 1; below 0: not known */
    double rate;     /* rows per second of late */
    double eta_s;    /* below 0: not known */
    bool is_sending; /* whether what follows is known */
    size_t in_flight;
    uint64_t retries;
    uint64_t ended[ROW_STATUS_COUNT]; /* rows by what became of them */
    /* Says more than `ended` does; NULL: nothing. */
    void (*add_standing)(const void *context, struct buf *out);
    const void *context;
    const char *wait;  /* why nothing starts; NULL: something does */
    double wait_s;     /* until it goes on; below 0: not known */
    double held_per_s; /* the rate that holds rows back; 0: none does */
    bool is_limited;   /* that is the platform's own limit */
};

/* Appends the line for so many columns, in colours where there are some. */
void progress_line_add_live(const struct progress_facts *facts, size_t columns, struct buf *out);

/* Appends the line for a file: all of it, plain. */
void progress_line_add_plain(const struct progress_facts *facts, struct buf *out);

#endif
