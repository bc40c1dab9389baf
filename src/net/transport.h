/*
 * How requests travel: libcurl's multi handle on a libuv loop, one attempt a call, with the rules
 * of README.md: nothing is sent twice behind the caller's back (section 2), and what an attempt
 * came to is told by its state, not by an error code (section 1).
 *
 * An answer is the answer to the request before it: what comes over a connection that carries no
 * request closes it, and a request that finds something to read on a kept connection goes out over
 * a new one. Times are those in which this process ran: after a stall (stopped, swapped out, a slow
 * disk) what has arrived is read before time runs out. After the machine has slept, no connection
 * of before is used again.
 *
 *     transport_open(loop, &options, &message, &transport);
 *     transport_start(transport, &request, on_done, context);   // at most `concurrency` at a time
 *     uv_run(loop, …);                                          // on_done fires once for each
 *     transport_close(transport);                               // then run the loop to its end
 */
#ifndef NB_NET_TRANSPORT_H
#define NB_NET_TRANSPORT_H

#include <uv.h>

#include "net/credentials.h"
#include "net/endpoint.h"
#include "net/wire.h"
#include "platform/outcome.h"
#include "platform/rules.h"

enum {
    TRANSPORT_BODY_MAX = 64 * 1024,    /* bytes of a reply's body; more ends the attempt */
    TRANSPORT_HEADERS_MAX = 64 * 1024, /* bytes of a reply's headers, likewise */
};

struct transport_options {
    const struct endpoint *endpoint;       /* outlives the transport */
    const struct credentials *credentials; /* likewise; may hold no key */
    size_t concurrency;
    int64_t connect_timeout_ms; /* both ≥ 1 */
    int64_t request_timeout_ms;
    bool only_loopback;       /* a request to another machine ends as hopeless, and is not sent */
    struct wire_options wire; /* passed wire_check; what it points to outlives the transport */
};

struct transport_request {
    enum method method;
    struct span target; /* path and query, NUL-terminated behind its end; stays valid until the
                           attempt is done */
    struct span body;   /* likewise; empty: no body */
    int64_t before_ns;  /* by CLOCK_BOOTTIME: it does not leave from then on, and the answer says
                           is_late; 0: whenever it can */
};

struct transport;

/* The attempt is over. `answer` and its spans are valid during the call, from which
 * transport_start, transport_abort and transport_distrust may be called, but not transport_close.
 */
typedef void transport_done_fn(void *context, const struct answer *answer);

/* STATUS_NO_MEMORY or STATUS_NETWORK, with a text in `message`. */
enum status transport_open(uv_loop_t *loop, const struct transport_options *options,
                           struct buf *message, struct transport **ret_transport) MUST_USE;

/*
 * Starts an attempt. `done` is called exactly once, later, from the loop, never from inside this
 * call. A failure (STATUS_NO_MEMORY, STATUS_NETWORK, STATUS_CREDENTIALS) means that nothing was
 * started and `done` will not be called. No more than `concurrency` attempts may be under way.
 */
enum status transport_start(struct transport *transport, const struct transport_request *request,
                            transport_done_fn *done, void *context) MUST_USE;

/*
 * From inside a `done`: the answer is not believed, and no other request goes over the connection
 * that it came over.
 */
void transport_distrust(struct transport *transport);

/*
 * Ends every attempt that is under way, as soon as the loop has its turn and never from inside this
 * call: its `done` is called with what is known of it (not sent, in doubt, or answered where the
 * headers were complete) and the detail "interrupted". An aborted transport starts no attempt any
 * more: transport_start fails with STATUS_NETWORK. A second call changes nothing.
 */
void transport_abort(struct transport *transport);

/*
 * The credentials that the options point to hold another key now: attempts that start from here on
 * are sent with it. Those that are under way keep the headers that they have. STATUS_NO_MEMORY or
 * STATUS_CREDENTIALS leave the old headers.
 */
enum status transport_renew_key(struct transport *transport) MUST_USE;

/* An HTTP-date (RFC 9110 section 5.6.7), such as an answer's, as Unix time; false where it is none.
 * Pure. */
bool transport_date_s(struct span value, int64_t *ret_date_s);

/*
 * Ends attempts that are under way (their `done` is not called), closes all connections and
 * handles, and frees the transport once the loop has closed its handles: run the loop afterwards.
 * Takes NULL.
 */
void transport_close(struct transport *transport);

#endif
