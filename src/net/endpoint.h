/* The platform's address: checked once, before anything else is done. */
#ifndef NB_NET_ENDPOINT_H
#define NB_NET_ENDPOINT_H

#include "core/buf.h"

struct endpoint {
    char *origin;  /* scheme://host[:port], as it goes into a URL */
    char *path;    /* what stands before /nbiot, without a slash at its end; often "" */
    char *proxy;   /* the environment variable that names a proxy for it, or NULL */
    bool secure;   /* https */
    bool loopback; /* 127.0.0.0/8, ::1 or localhost */
};

/*
 * Reads a base URL: http or https, host, optional port and path; no user, query or fragment.
 * STATUS_USAGE with a text in `message` otherwise. The caller frees with endpoint_deinit.
 */
enum status endpoint_parse(const char *url, struct buf *message,
                           struct endpoint *ret_endpoint) MUST_USE;

/* Takes NULL and a zeroed struct. */
void endpoint_deinit(struct endpoint *endpoint);

#endif
