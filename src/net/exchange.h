/*
 * One place in flight, and what is known of the attempt that it carries now. Private to net/.
 *
 * Each attempt has an easy handle of its own: what libcurl keeps inside a handle from one request
 * to the next has proved unsafe (README.md, section 3).
 */
#ifndef NB_NET_EXCHANGE_H
#define NB_NET_EXCHANGE_H

#include <curl/curl.h>

#include "net/answer_head.h"
#include "net/handle.h"
#include "net/sockets.h"
#include "net/transport.h"

/*
 * Attempts that wait for a connection of their own. A peer that is met by a thousand at once drops
 * what its backlog does not hold, and is busy with handshakes for so long that the others time out.
 * So there is room for few, for one more with each that has connected, and for few again when one
 * has not.
 */
struct connecting {
    size_t count;
    size_t room;
};

enum { CONNECTING_MIN = 32, CONNECTING_MAX = 128 };

struct exchange {
    CURL *easy;                     /* of this attempt, or NULL */
    struct sockets *sockets;        /* its connections are the ones for this exchange */
    struct lane *lane;              /* the transport's */
    struct exchange *next;          /* the transport's: in a list of its */
    struct exchange *older, *newer; /* the transport's: in the order in which they were begun */
    bool active;                    /* the transport's: its owner has not been told of its end */
    bool begun;                     /* likewise: libcurl has it */
    struct connecting *connecting;  /* it has no connection yet, and is counted here; or NULL */
    bool has_resolved;              /* some attempt has told libcurl the given addresses */
    transport_done_fn *done;
    void *context;
    uint64_t started_ns;
    uint64_t begun_ms;          /* the transport's: by a clock of its own */
    uint64_t stalled_before_ms; /* likewise: how long the process had stood still by then */
    uint64_t allowed_ms;        /* added to the time to connect */
    /* Facts about the attempt, in the order in which they come about. */
    unsigned prereq_calls; /* a second one is libcurl sending the request again by itself */
    struct answer_head head;
    const struct header_set *headers; /* must live while the exchange is active */
    int64_t before_ns;                /* the request's */
    bool is_late;                     /* … and that had come before it could leave */
    bool interrupted;                 /* ended from our side: transport_abort */
    struct sockets_ticket connection; /* over which the request left */
    bool reused;                      /* … which had carried another one before */
    bool spoiled;   /* the connection was not to be used: nothing left, and nobody is to blame */
    bool overtaken; /* the transport's: the connection had brought an answer that was not its
                       request's before this one, and libcurl had used it again by then */
    struct buf body;
    char error[CURL_ERROR_SIZE];
};

/* Connections are opened and closed by `sockets`. */
void exchange_init(struct exchange *exchange, struct sockets *sockets);

/* Takes a zeroed struct. The handle must not be in a multi handle any more. */
void exchange_deinit(struct exchange *exchange);

/* Makes the handle of the next attempt, which takes the place of the last one's. STATUS_NO_MEMORY,
 * or STATUS_NETWORK when libcurl refuses an option. */
enum status exchange_prepare(struct exchange *exchange, const struct handle_options *options,
                             const struct transport_request *request) MUST_USE;

/* Whether the attempt ended only since its connection was not to be used: it goes out again, over a
 * new one, and nobody is told. */
bool exchange_may_begin_again(const struct exchange *exchange);

/* Makes ready for that, after libcurl has ended the attempt. */
CURLcode exchange_begin_again(struct exchange *exchange) MUST_USE;

/* Gives an attempt that is under way so much more time to connect. */
void exchange_allow_ms(struct exchange *exchange, const struct transport_options *options,
                       uint64_t more_ms);

/* Whether what came may have been for no request, so that no other may leave over its connection.
 */
bool exchange_may_be_unasked(const struct exchange *exchange);

/* What the attempt came to, after libcurl ended it with `code`. Spans point into the exchange. */
struct answer exchange_answer(struct exchange *exchange, CURLcode code, uint64_t now_ns);

/* How far an attempt came (README.md, section 1). Pure. */
enum answer_state exchange_state(unsigned prereq_calls, bool headers_complete);

/* Whether a code of an attempt that was not sent means that no other attempt can be sent either. A
 * file of certificates that cannot be read does not: it was good when the run began (wire_check),
 * and is being written. Pure. */
bool exchange_is_hopeless(CURLcode code);

enum connected { CONNECTED_NOT, CONNECTED_BEFORE, CONNECTED_NEW };

/* It has a connection, or has ended without one. Those that have been told are not counted again.
 */
void exchange_stop_connecting(struct exchange *exchange, enum connected connected);

#endif
