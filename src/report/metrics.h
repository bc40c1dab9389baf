/*
 * A run in Prometheus' text format, as node_exporter's textfile collector reads it
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). Every sample carries the label
 * input, so that the files of several runs go together. Pure.
 */
#ifndef NB_REPORT_METRICS_H
#define NB_REPORT_METRICS_H

#include "core/buf.h"
#include "report/tally.h"

struct metrics {
    const char *input;
    const char *version;
    const struct tally *tally;
    uint64_t twice;    /* rows that may be held twice, also of runs before this one */
    uint64_t expected; /* rows of the input; 0: not known */
    uint64_t retries;
    size_t in_flight, waiting;
    size_t concurrency;       /* that holds now */
    double rate_limit_per_s;  /* that holds now; 0: none */
    double rows_per_s;        /* of late */
    bool paused;              /* nothing starts: by the operator, by the platform, or an outage */
    int64_t start_ms, now_ms; /* epoch */
    bool ended;
    int exit_status; /* where it has ended */
};

/* Appends all of it. */
void metrics_add_text(const struct metrics *metrics, struct buf *out);

#endif
