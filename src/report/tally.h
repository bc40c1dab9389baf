/* What a run came to, in fixed memory: rows by status, reasons, latencies. Printed as the summary.
 */
#ifndef NB_REPORT_TALLY_H
#define NB_REPORT_TALLY_H

#include "platform/outcome.h"
#include "platform/problem.h"
#include "report/histogram.h"

enum { TALLY_REASONS_MAX = 32, TALLY_REASON_TEXT_MAX = 127 };

/* Why rows were not accepted: equal status, errno and text are one reason. */
struct tally_reason {
    enum row_status status;
    bool has_errno;
    int64_t platform_errno;
    int http_status;
    char text[TALLY_REASON_TEXT_MAX + 1];
    uint64_t count;
};

struct tally {
    uint64_t rows[ROW_STATUS_COUNT];
    uint64_t twice;   /* accepted ones that may be held twice */
    uint64_t passing; /* invalid ones that may be sent later as they are */
    uint64_t attempts;
    struct tally_reason reasons[TALLY_REASONS_MAX];
    size_t reason_count;
    uint64_t other_reasons; /* rows whose reason found no place any more */
    struct histogram latency;
};

/* Counts the end of a row that was sent (or tried); so many of its attempts may have been processed
 * without our knowing. */
void tally_add_outcome(struct tally *tally, const struct outcome *outcome, uint32_t ambiguous);

/* Counts a row that was never sent since it is invalid, by its first error. */
void tally_add_invalid(struct tally *tally, enum problem_code code);

/* Counts a request that left, and its latency. */
void tally_add_attempt(struct tally *tally, int64_t latency_us);

uint64_t tally_total(const struct tally *tally);

#endif
