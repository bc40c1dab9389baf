/*
 * The file of --metrics-file: replaced as a whole every few seconds, so that who reads it never
 * sees a part. Private to run/.
 */
#ifndef NB_RUN_METRICS_FILE_H
#define NB_RUN_METRICS_FILE_H

#include "report/metrics.h"
#include "run/settings.h"

enum { METRICS_FILE_INTERVAL_MS = 5000 };

struct metrics_file {
    char *path;         /* NULL: not wanted */
    int64_t written_ms; /* monotonic; of the last time */
    bool failed;        /* and that was told */
};

/* STATUS_USAGE with a text in `message` where something else than a file of metrics is there;
 * STATUS_NO_MEMORY. Writes nothing. `input` is the label; `ret_past`: what is said there of runs of
 * this job before. */
enum status metrics_file_open(struct metrics_file *file, const struct run_settings *settings,
                              const char *input, struct metrics_past *ret_past,
                              struct buf *message) MUST_USE;

/* Whether it is time to write again. */
bool metrics_file_is_due(const struct metrics_file *file);

/* Replaces the file. STATUS_IO with a text in `message`. */
enum status metrics_file_write(struct metrics_file *file, struct span text,
                               struct buf *message) MUST_USE;

/* Takes a zeroed struct. */
void metrics_file_close(struct metrics_file *file);

#endif
