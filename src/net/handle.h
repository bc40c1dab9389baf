/* What is asked of libcurl for one attempt: where the request goes, what it says and how it
 * travels. Private to net/. */
#ifndef NB_NET_HANDLE_H
#define NB_NET_HANDLE_H

#include <curl/curl.h>

#include "net/headers.h"
#include "net/transport.h"

/* The same for all attempts, but for the headers, which are renewed. */
struct handle_options {
    const struct transport_options *transport;
    struct header_set *headers; /* of the attempts that start now; see also `older` */
    char *host;                 /* the line; NULL: libcurl's own */
    struct curl_slist *resolve; /* addresses that the operator gave; NULL: none */
    CURLU *origin;              /* parsed once; NULL: each attempt has a URL of its own */
    CURLSH *share;              /* the TLS sessions, which no handle could keep; NULL: no TLS */
};

/* Makes what is shared, but for the headers. STATUS_NO_MEMORY or STATUS_NETWORK; the caller frees
 * with handle_options_deinit in any case. */
enum status handle_options_init(struct handle_options *options,
                                const struct transport_options *transport) MUST_USE;

/* Frees all, the headers too. Takes a zeroed struct. */
void handle_options_deinit(struct handle_options *options);

/* Sets a new handle up for the request, which must stay valid as long as the handle is used. */
CURLcode handle_set(CURL *easy, const struct handle_options *options,
                    const struct transport_request *request) MUST_USE;

/* How long an attempt may take to connect: no longer than it may take at all. */
int64_t handle_connect_ms(const struct transport_options *options);

#endif
