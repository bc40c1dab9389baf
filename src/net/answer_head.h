/*
 * What the header lines of an answer say. One line at a time, as libcurl hands them over, interim
 * answers and trailers included. Pure but for the struct. Private to net/.
 */
#ifndef NB_NET_ANSWER_HEAD_H
#define NB_NET_ANSWER_HEAD_H

#include "core/span.h"

/* A longer Retry-After is taken for none: nobody means it, and a row must not be lost to it. */
enum { RETRY_AFTER_MAX_S = 24 * 60 * 60 };

/* So much of some headers' values is kept, with a NUL behind it. No date is longer than that. */
enum { ANSWER_VALUE_MAX = 64, ANSWER_LOCATION_MAX = 199 };

/* All zero: nothing has come. */
struct answer_head {
    size_t bytes;
    int status;    /* of the last status line; 0 where it has none that can be read */
    bool complete; /* the blank line behind a final status was there */
    bool has_retry_after;
    char retry_after[ANSWER_VALUE_MAX + 1];
    char date[ANSWER_VALUE_MAX + 1]; /* "" where there is none */
    char location[ANSWER_LOCATION_MAX + 1];
    bool multiplexed; /* HTTP/2 */
    bool closes;      /* the answer says that it is the connection's last */
};

/* Takes one line, with its line end. False when the headers are larger than TRANSPORT_HEADERS_MAX.
 */
bool answer_head_take(struct answer_head *head, struct span line);

/*
 * The value of a Retry-After header (RFC 9110 section 10.2.3, seconds or an HTTP-date) in
 * milliseconds from the wall clock `now_s`: 0 for a date that has passed, -1 for what is neither
 * and for more than RETRY_AFTER_MAX_S.
 */
int64_t answer_head_retry_after_ms(struct span value, int64_t now_s);

#endif
