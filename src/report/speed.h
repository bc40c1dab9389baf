/* How fast rows were sent, by requests in flight, as a table for people or one JSON object. */
#ifndef NB_REPORT_SPEED_H
#define NB_REPORT_SPEED_H

#include "core/buf.h"
#include "report/tally.h"

/* One run. */
struct speed {
    size_t concurrency;
    uint64_t rows, accepted;
    double seconds; /* of sending */
    double cpu_s;   /* user and system, of checking and sending */
    uint64_t p50_us, p90_us, p99_us, max_us;
};

/* The run of that tally. */
struct speed speed_of(size_t concurrency, const struct tally *tally, double seconds, double cpu_s);

/* The run in the middle, by rows a second, of `count` (at least one); sorts them. */
struct speed speed_median(struct speed *runs, size_t count);

struct speed_report {
    const char *endpoint; /* NULL: the simulator within the process */
    int64_t rows;         /* of each run */
    int64_t rounds;
    long processors;
    const struct speed *levels; /* the median of each */
    size_t level_count;
};

void speed_add_text(const struct speed_report *report, struct buf *out);

/* The same as one line of JSON. STATUS_NO_MEMORY. */
enum status speed_add_json(const struct speed_report *report, struct buf *out) MUST_USE;

#endif
