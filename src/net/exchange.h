/*
 * One place in flight, and what is known of the attempt that it carries now. Private to net/.
 *
 * Each attempt has an easy handle of its own, a copy of one that is never used: what libcurl keeps
 * inside a handle from one request to the next has proved unsafe. In 7.88.1 an answer whose first
 * header line is folded is appended to the last header of the answer before, which has been freed.
 */
#ifndef NB_NET_EXCHANGE_H
#define NB_NET_EXCHANGE_H

#include <curl/curl.h>

#include "net/headers.h"
#include "net/sockets.h"
#include "net/transport.h"

/* A longer Retry-After counts as this. */
enum { EXCHANGE_RETRY_AFTER_MAX_S = 365 * 24 * 60 * 60 };

/* So much of the headers Date and Location is kept, with a NUL behind it. */
enum { EXCHANGE_DATE_MAX = 47, EXCHANGE_LOCATION_MAX = 199 };

/* Addresses of any age will do. */
enum { EXCHANGE_NAME_AGE_ANY = -1 };

struct exchange {
    CURL *easy;                     /* of this attempt, or NULL */
    struct sockets *sockets;        /* its connections are the ones for this exchange */
    struct lane *lane;              /* the transport's */
    struct exchange *next;          /* the transport's: in a list of its */
    struct exchange *older, *newer; /* the transport's: in the order in which they were begun */
    bool active;                    /* the transport's: its owner has not been told of its end */
    bool begun;                     /* likewise: libcurl has it */
    bool has_resolved;              /* some attempt has told libcurl the given addresses */
    transport_done_fn *done;
    void *context;
    uint64_t started_ns;
    uint64_t begun_ms;          /* the transport's: by a clock of its own */
    uint64_t stalled_before_ms; /* likewise: how long the process had stood still by then */
    uint64_t allowed_ms;        /* added to the time to connect */
    /* Facts about the attempt, in the order in which they come about. */
    unsigned prereq_calls; /* a second one is libcurl sending the request again by itself */
    size_t header_bytes;
    int http_status;       /* of the last status line */
    bool headers_complete; /* the blank line behind a final status was there */
    bool has_retry_after;
    int64_t retry_after_ms;           /* see struct answer; only where there is one */
    char date[EXCHANGE_DATE_MAX + 1]; /* of an answer; "" where there is none */
    char location[EXCHANGE_LOCATION_MAX + 1];
    const struct header_set *headers; /* must live while the exchange is active */
    bool interrupted;                 /* ended from our side: transport_abort */
    struct sockets_ticket connection; /* over which the request left */
    bool reused;                      /* … which had carried another one before */
    bool spoiled;     /* the connection was not to be used: nothing left, and nobody is to blame */
    bool overtaken;   /* the transport's: the connection had brought an answer that was not its
                         request's before this one, and libcurl had used it again by then */
    bool multiplexed; /* HTTP/2 */
    bool closes;      /* the answer says that it is the connection's last */
    struct buf body;
    char error[CURL_ERROR_SIZE];
};

struct exchange_options {
    const struct transport_options *transport;
    struct header_set *headers; /* of the attempts that start now; see also `older` */
    struct curl_slist *resolve; /* shared by all exchanges; NULL: none */
    CURLU *origin;              /* likewise, parsed once; NULL: each attempt has a URL of its own */
    CURLSH *share;              /* likewise: the TLS sessions, which no handle could keep */
};

void exchange_init(struct exchange *exchange, struct sockets *sockets);

/* Takes a zeroed struct. The handle must not be in a multi handle any more. */
void exchange_deinit(struct exchange *exchange);

/* Makes the handle of the next attempt, which takes the place of the last one's. STATUS_NO_MEMORY,
 * or STATUS_NETWORK when libcurl refuses an option. */
enum status exchange_prepare(struct exchange *exchange, const struct exchange_options *options,
                             const struct transport_request *request) MUST_USE;

/* Whether the attempt ended only since its connection was not to be used: it goes out again, over a
 * new one, and nobody is told. */
bool exchange_may_begin_again(const struct exchange *exchange);

/* Makes ready for that, after libcurl has ended the attempt. */
CURLcode exchange_begin_again(struct exchange *exchange) MUST_USE;

/* How old the addresses of a name may be that the attempt uses, in seconds. */
CURLcode exchange_set_name_age(struct exchange *exchange, long age_s) MUST_USE;

/* Gives an attempt that is under way so much more time to connect. */
void exchange_allow_ms(struct exchange *exchange, const struct exchange_options *options,
                       uint64_t more_ms);

/* How long an attempt may take to connect: no longer than it may take at all. */
int64_t exchange_connect_ms(const struct transport_options *options);

/* Whether what came may have been for no request, so that no other may leave over its connection.
 */
bool exchange_may_be_unasked(const struct exchange *exchange);

/* What the attempt came to, after libcurl ended it with `code`. Spans point into the exchange. */
struct answer exchange_answer(struct exchange *exchange, CURLcode code, uint64_t now_ns);

/* How far an attempt came (sending.md section 2). Pure. */
enum answer_state exchange_state(unsigned prereq_calls, bool headers_complete);

/* Whether a code of an attempt that was not sent means that no other attempt can be sent either.
 * Pure. */
bool exchange_is_hopeless(CURLcode code);

/*
 * One header line as libcurl hands it over, with its line end: updates status, completeness and
 * Retry-After. `now_s` is the wall clock. Pure but for the struct. False when the headers are
 * larger than TRANSPORT_HEADERS_MAX.
 */
bool exchange_take_header(struct exchange *exchange, struct span line, int64_t now_s);

/*
 * The value of a Retry-After header (RFC 9110 section 10.2.3, seconds or an HTTP-date) in
 * milliseconds from `now_s`: 0 for a date that has passed, at most EXCHANGE_RETRY_AFTER_MAX_S, -1
 * for what is neither. Pure.
 */
int64_t exchange_retry_after_ms(struct span value, int64_t now_s);

#endif
