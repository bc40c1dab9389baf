/*
 * Charts as inline SVG that fills its width; labels stand beside it as text, so that they keep
 * their size on a phone. Each has a title and a description for those who cannot see it.
 */
#ifndef NB_REPORT_CHART_H
#define NB_REPORT_CHART_H

#include "core/buf.h"
#include "report/histogram.h"
#include "report/load.h"
#include "report/series.h"

/* Rows that ended per second, stacked by status (a lane each, drawn in the class s-NAME). */
void chart_add_throughput(const struct series *series, struct buf *out);

/* Attempts in flight, and how many there might be: the lanes of report/page.h. */
void chart_add_flight(const struct series *series, struct buf *out);

/* How many rows took how long; the axis of time is logarithmic. */
void chart_add_latency(const struct histogram *histogram, struct buf *out);

/* Latencies by percentile, from when a request was due and (dashed) from when it left; the axis
 * gives each further nine the same width. */
void chart_add_percentiles(const struct load *const *loads, size_t count, struct buf *out);

#endif
