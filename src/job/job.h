/*
 * The engine: pulls rows from the intake when there is room, asks the scheduler which one may
 * start, lets the transport carry it and tells results and tally what became of it. The only place
 * that acts on decisions; it runs a libuv loop of its own until every row has come to its end.
 */
#ifndef NB_JOB_JOB_H
#define NB_JOB_JOB_H

#include "job/check.h"
#include "ledger/results.h"
#include "net/transport.h"
#include "report/tally.h"

struct job_options {
    struct transport_options transport;
    problems_fn *report; /* told of every row with problems; NULL where a check has told already */
    void *report_context;
};

/*
 * Sends every valid row of the intake, which stands at its first byte, and records every row,
 * invalid ones as such. When it returns nothing is in flight.
 *
 * STATUS_OK: every row has its result. STATUS_BAD_INPUT: header or file cannot be used (`report`
 * was told), nothing was sent. STATUS_IO: results could not be written or the input not be read;
 * what was in flight was waited for. STATUS_NO_MEMORY, STATUS_NETWORK. `message` says more for all
 * but the first two.
 */
enum status job_run(struct intake *intake, const struct job_options *options,
                    struct results *results, struct tally *tally, struct buf *message) MUST_USE;

#endif
