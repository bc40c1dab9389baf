/* How a request travels beyond its address: what the operator may set of TLS, names and HTTP. */
#ifndef NB_NET_WIRE_H
#define NB_NET_WIRE_H

#include "core/buf.h"
#include "core/word_list.h"
#include "net/endpoint.h"

/* All zero: the system's certificates, verified, its resolver, HTTP/1.1. */
struct wire_options {
    const char *ca_file;             /* PEM; the only authorities that are trusted */
    const struct word_list *resolve; /* HOST:PORT:ADDRESS; NULL: none */
    bool insecure;                   /* the platform's certificate is not verified */
    bool http2;                      /* offered in the TLS handshake */
    bool clear_text;                 /* plain http may go to other machines */
};

/*
 * Whether they can be used for this endpoint. STATUS_USAGE, or STATUS_CREDENTIALS for a file of
 * certificates that cannot be used, with a text in `message` that names option and remedy.
 */
enum status wire_check(const struct wire_options *options, const struct endpoint *endpoint,
                       struct buf *message) MUST_USE;

/*
 * Whether requests may go to this machine alone, since they are in clear text: then the transport
 * connects to no other one, whatever a name leads to, and ends the attempt as hopeless. Pure.
 */
bool wire_stays_here(const struct wire_options *options, const struct endpoint *endpoint);

/* Whether --resolve leads the endpoint to another machine all the same. Pure. */
bool wire_leads_elsewhere(const struct wire_options *options, const struct endpoint *endpoint);

#endif
