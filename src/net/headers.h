/*
 * The header lines of the requests, made once for many: libcurl reads them while a request is sent,
 * so a set must live as long as an attempt that was given it. With a token there is a new set
 * before the old one's token ends. Private to net/.
 */
#ifndef NB_NET_HEADERS_H
#define NB_NET_HEADERS_H

#include <curl/curl.h>

#include "net/credentials.h"

struct header_set {
    struct header_set *older; /* still in use by an attempt */
    struct curl_slist *post, *get;
    int64_t renew_at_s; /* from this Unix time on a new set is needed; INT64_MAX: never */
};

/*
 * Makes the lines for these credentials, which may hold no key; `now_s` is the wall clock. `host`
 * is the line "Host: …"; NULL leaves it to libcurl, which writes it twice, character by character.
 * STATUS_NO_MEMORY, or STATUS_CREDENTIALS when the access key signs nothing.
 */
enum status header_set_new(const struct credentials *credentials, const char *host, int64_t now_s,
                           struct header_set **ret_set) MUST_USE;

/* Wipes and frees this set; not the older ones. Takes NULL. */
void header_set_free(struct header_set *set);

#endif
