/*
 * Sends commands at a constant rate, each when it is due (send/arrivals.h), whatever became of
 * those before, and once: nothing is sent again, and nothing goes slower when the platform asks for
 * it. For measuring, beside job.h, which is for sending.
 *
 * With a store, a command is taken down before it leaves and its result when it has ended, as in a
 * run: what a bench of somebody's own rows sent is not forgotten.
 */
#ifndef NB_ENGINE_OPEN_LOOP_H
#define NB_ENGINE_OPEN_LOOP_H

#include "engine/intake.h"
#include "net/transport.h"
#include "report/load.h"
#include "report/series.h"

struct open_loop_options {
    enum dialect dialect;
    const struct transport_options *transport;
    double rate_per_s;
    uint64_t requests;    /* that become due, while there are rows; */
    uint64_t warm_up;     /* the first of them, which are not measured */
    struct store *store;  /* NULL: none; it has been started */
    struct series *ended; /* what ended when, by status, the warm-up included; NULL: not wanted */
};

/* Why it ended before the last request. */
enum open_loop_end {
    OPEN_LOOP_DONE,
    OPEN_LOOP_NO_ROWS,  /* the intake has no other */
    OPEN_LOOP_SIGNAL,   /* SIGINT, SIGTERM or SIGHUP; what was under way has been waited for,
                           unless there was a second one */
    OPEN_LOOP_HOPELESS, /* no request can be sent, or the key is refused: the message says why */
};

struct open_loop_result {
    enum open_loop_end end;
    int signal_number;
    uint64_t sent; /* requests that were started */
};

/*
 * Sends rows of the intake, which is at its first byte or behind the rows of another call:
 * `is_started` says so. When it returns nothing is under way. STATUS_OK whatever became of the
 * requests; STATUS_BAD_INPUT, STATUS_IO, STATUS_NETWORK, STATUS_NO_MEMORY with a text in `message`.
 */
enum status open_loop_run(struct intake *intake, bool is_started,
                          const struct open_loop_options *options, struct load *ret_load,
                          struct open_loop_result *ret_result, struct buf *message) MUST_USE;

#endif
