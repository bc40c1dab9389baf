/*
 * Charts as inline SVG that fills its width; labels are beside it as text, so that they keep
 * their size on a phone. Each has a title and a description for those who cannot see it.
 */
#ifndef NB_REPORT_CHART_H
#define NB_REPORT_CHART_H

#include "core/buf.h"
#include "platform/delivery.h"
#include "report/histogram.h"
#include "report/load.h"
#include "report/series.h"

/* Rows that ended per second, stacked by status (a lane each, drawn in the class s-NAME). */
void chart_add_throughput(const struct series *series, struct buf *out);

/* Attempts in flight, and how many there might be: the lanes of report/page.h. */
void chart_add_flight(const struct series *series, struct buf *out);

/* The lane of a state that is an end; SERIES_LANES for those that have none. */
size_t chart_delivery_lane(enum command_state state);

/* Of `total` commands, how many have come to which end by when, stacked: the lanes of
 * chart_delivery_lane, each in the class s-WORD. What is left above is open. */
void chart_add_delivery(const struct series *series, uint64_t total, struct buf *out);

/* How many rows took how long; the axis of time is logarithmic. */
void chart_add_latency(const struct histogram *histogram, struct buf *out);

/* Latencies by percentile, from when a request was due and (dashed) from when it left; the axis
 * gives each further nine the same width. */
void chart_add_percentiles(const struct load *const *loads, size_t count, struct buf *out);

#endif
