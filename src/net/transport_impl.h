/* What the parts of the transport share: see transport.h for the whole, and the beginning of each
 * .c file for its part. Private to transport.c, lanes.c and stalls.c. */
#ifndef NB_NET_TRANSPORT_IMPL_H
#define NB_NET_TRANSPORT_IMPL_H

#include "net/exchange.h"

struct transport {
    uv_loop_t *loop;
    struct transport_options options;
    struct handle_options handle_options;
    struct lane *lanes;
    size_t lane_count;
    struct exchange *exchanges; /* one more than the concurrency: see transport_finish */
    size_t exchange_count;
    struct exchange *free_exchanges;
    struct exchange *first_new; /* started, and not handed to libcurl yet, in order */
    struct exchange **last_new; /* where the next one goes */
    size_t new_count;
    struct connecting connecting;
    uv_prepare_t prepare; /* runs what libcurl wants done at once, without a timer's millisecond */
    uv_idle_t abort;      /* ends all attempts in the loop's next turn */
    bool closing;
    bool aborted;
    struct exchange *finishing;         /* its owner is being told */
    struct exchange *oldest, *youngest; /* of the attempts that were begun and have not ended */
    uv_timer_t beat;                    /* turns the loop, see stalls.c */
    uv_check_t check;                   /* looks for attempts whose time is over */
    uint64_t beat_ms;
    uint64_t seen_ms;     /* when the time was looked at last */
    uint64_t stalled_ms;  /* altogether */
    int64_t asleep_ns;    /* how long the machine has slept altogether */
    uint64_t forgiven_ms; /* of these, the stalls of which no attempt is left */
    size_t due_count;     /* lanes */
    size_t in_flight;     /* while there are any, the prepare handle keeps the loop alive */
    size_t open_handles;  /* libuv handles whose close callback is still to come */
};

/*
 * A part of the connections, and a multi handle of its own for them: libcurl goes through all that
 * a handle has for each request, which for 1024 cost as much as half of all the rest.
 */
struct lane {
    struct transport *transport;
    CURLM *multi;
    struct sockets sockets;
    uv_timer_t timer;
    size_t new_count; /* attempts that libcurl was given since it was called last */
    bool due;
    bool has_checked_names;
    uint64_t names_checked_ms;
};

/* transport.c: the life of an attempt. */

/* The attempt has ended: its owner is told, and may start others. */
void transport_finish(struct transport *transport, struct exchange *exchange, CURLcode code);

/* Takes the first of those that are to be handed over; NULL for none. */
struct exchange *transport_take_new(struct transport *transport);

/* Whether the attempt goes out again, since nothing has left and nobody is to blame; it then will.
 */
bool transport_begin_again(struct transport *transport, struct exchange *exchange, CURLcode code);

/* lanes.c: libcurl and the loop. */

enum status transport_make_lanes(struct transport *transport) MUST_USE;
void transport_close_lanes(struct transport *transport);

/* Sends what was started, and does what else libcurl wants done at once: in each turn of the loop,
 * before it waits. */
void transport_on_prepare(uv_prepare_t *prepare);

/* One of the transport's libuv handles, whose `data` it is, has been closed. */
void transport_on_handle_closed(uv_handle_t *handle);

/* stalls.c: the clock that stands still while the process does. */

/* All of these handles, which do not keep the loop alive; STATUS_NETWORK. */
enum status transport_start_clock(struct transport *transport) MUST_USE;

/* Looks at the time: before libcurl is called, since it looks at its clock first. */
void transport_note_time(struct transport *transport);

/* The attempt's time begins, before libcurl is given it; and has ended, however that came. */
void transport_begin(struct transport *transport, struct exchange *exchange);
void transport_end(struct transport *transport, struct exchange *exchange);

#endif
