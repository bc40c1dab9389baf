/*
 * One place in flight: an easy handle that is used again and again, and what is known of the
 * attempt that it carries now. Private to net/.
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

struct exchange {
    CURL *easy;
    struct sockets *sockets; /* that open its connections */
    struct lane *lane;       /* the transport's: its connections are the ones for this exchange */
    struct exchange *next;   /* the transport's: in a list of its */
    bool active;
    long name_age_s; /* as libcurl was told */
    transport_done_fn *done;
    void *context;
    uint64_t started_ns;
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
    struct buf body;
    char error[CURL_ERROR_SIZE];
};

struct exchange_options {
    const struct transport_options *transport;
    struct header_set *headers; /* of the attempts that start now; see also `older` */
    struct curl_slist *resolve; /* shared by all exchanges; NULL: none */
    CURLU *origin;              /* likewise, parsed once; NULL: each attempt has a URL of its own */
};

/* Makes the easy handle and sets what never changes; its connections are opened and closed by
 * `sockets`. STATUS_NO_MEMORY or STATUS_NETWORK. */
enum status exchange_init(struct exchange *exchange, const struct exchange_options *options,
                          struct sockets *sockets) MUST_USE;

/* Takes a zeroed struct. The handle must not be in a multi handle any more. */
void exchange_deinit(struct exchange *exchange);

/* Forgets the last attempt and sets up the next. STATUS_NETWORK when libcurl refuses an option. */
enum status exchange_prepare(struct exchange *exchange, const struct exchange_options *options,
                             const struct transport_request *request) MUST_USE;

/* How old the addresses of a name may be that the attempt uses, in seconds; -1: any. */
CURLcode exchange_set_name_age(struct exchange *exchange, long age_s) MUST_USE;

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
