/*
 * A run in Prometheus' text format, as node_exporter's textfile collector reads it
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). Every sample carries the label
 * input, and job_name where the job has a name, so that the files of several jobs go together
 * ("job" is Prometheus' own label). Pure.
 */
#ifndef NB_REPORT_METRICS_H
#define NB_REPORT_METRICS_H

#include "core/buf.h"
#include "report/rollout_standing.h"
#include "report/tally.h"

/* What a run is doing. X(name, text) */
#define PHASE_MAP(X)      \
    X(PREPARE, "prepare") \
    X(CHECK, "check")     \
    X(SEND, "send")       \
    X(WAIT, "wait")       \
    X(RECORD, "record")   \
    X(REPORT, "report")

enum phase {
#define X(name, text) PHASE_##name,
    PHASE_MAP(X)
#undef X
        PHASE_COUNT
};

const char *phase_name(enum phase phase);

struct metrics {
    const char *input;
    const char *job; /* NULL: it has no name */
    enum phase phase;
    double last_success_s;   /* epoch: when a run of it last ended with 0; 0: not known */
    const uint64_t *results; /* rows of its results by status, those of runs before this one with
                                them; NULL: not known */
    const char *version;
    const struct tally *tally;
    uint64_t twice;    /* rows that may be held twice, also of runs before this one */
    uint64_t expected; /* rows of the input; 0: not known */
    uint64_t retries;
    size_t in_flight, waiting;
    size_t concurrency;                     /* that holds now */
    double rate_limit_per_s;                /* that holds now; 0: none */
    double rows_per_s;                      /* of late */
    const struct rollout_standing *rollout; /* NULL: there is none */
    bool paused;              /* nothing starts: by the operator, by the platform, or an outage */
    int64_t start_ms, now_ms; /* epoch */
    bool ended;
    int exit_status; /* where it has ended */
};

/* What was known at the end of an earlier run of a job, and holds until another run knows better.
 */
struct metrics_past {
    double last_success_s; /* epoch; 0: not known */
    uint64_t results[ROW_STATUS_COUNT];
    bool has_results;
    uint64_t twice;
};

/* Out of what was appended for it. A job is known by its name, one without a name by its input:
 * of another one nothing is taken. */
void metrics_read_past(struct span text, const char *input, const char *job,
                       struct metrics_past *ret_past);

/* Appends all of it. */
void metrics_add_text(const struct metrics *metrics, struct buf *out);

#endif
