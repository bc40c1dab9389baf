/* The platform's address: checked once, before anything else is done. */
#ifndef NB_NET_ENDPOINT_H
#define NB_NET_ENDPOINT_H

#include "core/buf.h"

struct endpoint {
    char *origin; /* scheme://host[:port], as it goes into a URL */
    char *path;   /* in front of the requests' own, without a slash at its end; often "" */
    char *proxy;  /* the proxy for it as people are told of it, without credentials; NULL: none */
    char *proxy_url; /* the one that was given; NULL: that of the environment, or none */
    bool secure;     /* https */
    bool loopback;   /* 127.0.0.0/8, ::1 or localhost, and no proxy elsewhere */
};

/*
 * Reads a base URL: http or https, host, optional port and path; no user, query or fragment.
 * STATUS_USAGE with a text in `message` otherwise. The caller frees with endpoint_deinit.
 */
enum status endpoint_parse(const char *url, struct buf *message,
                           struct endpoint *ret_endpoint) MUST_USE;

/*
 * Says which proxy to take instead of the environment's, also for loopback: an http, https, socks4,
 * socks4a, socks5 or socks5h URL with a port, or "none". STATUS_USAGE with a text in `message`
 * that holds no password.
 */
enum status endpoint_set_proxy(struct endpoint *endpoint, const char *url,
                               struct buf *message) MUST_USE;

/* Takes NULL and a zeroed struct. */
void endpoint_deinit(struct endpoint *endpoint);

#endif
