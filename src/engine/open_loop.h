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
#include "send/trust.h"

struct open_loop_options {
    enum dialect dialect;
    const struct transport_options *transport;
    double rate_per_s;
    uint64_t requests;    /* that become due, while there are rows; */
    uint64_t warm_up;     /* the first of them, which are not measured */
    struct store *store;  /* NULL: none; it has been started */
    bool skip_invalid;    /* rows that are wrong are recorded as that, and count for nothing */
    int64_t give_up_ns;   /* a start later than that ends it; 0: none does */
    struct trust *trust;  /* what the answers of earlier calls say, and this one's */
    struct buf *why;      /* LOAD_STOPPED: takes the reason, in English */
    struct series *ended; /* what ended when, by status, the warm-up included; NULL: not wanted */
};

struct open_loop_result {
    int signal_number; /* LOAD_INTERRUPTED (interrupt.h); what was under way has been
                          waited for, unless there was a second one */
    uint64_t sent;     /* requests that were started */
    uint64_t invalid;  /* rows that were recorded as wrong */
};

/*
 * Sends rows of the intake, which is at its first byte or behind the rows of another call:
 * `is_started` says so. When it returns nothing is under way, and the load says how it
 * ended: a refused key and answers of somebody else end it as they end a run (send/trust.h).
 * STATUS_OK whatever became of the requests; STATUS_BAD_INPUT, STATUS_IO, STATUS_NETWORK,
 * STATUS_NO_MEMORY with a text in `message`.
 */
enum status open_loop_run(struct intake *intake, bool is_started,
                          const struct open_loop_options *options, struct load *ret_load,
                          struct open_loop_result *ret_result, struct buf *message) MUST_USE;

#endif
