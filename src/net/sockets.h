/*
 * libcurl's sockets on a libuv loop. A connection's socket stays registered with the kernel from
 * one request to the next: libcurl takes its interest back at the end of each and asks anew at the
 * start of the next, which would cost seven system calls a row. They do not keep the loop alive.
 *
 * What comes over a connection that carries no request is nobody's answer, but libcurl 7.88.1 takes
 * it for the next one: a connection is spoiled by it. A spoiled connection is emptied and shut
 * down, so that libcurl finds it dead; and sockets_begin, which looks once more before a request
 * leaves, never lets a request go over it. HTTP/2 names the request of each answer, and has frames
 * of its own between them: its connections are left to libcurl. Private to net/.
 *
 *     sockets_init(&sockets, loop, on_ready, context);
 *     CURLMOPT_SOCKETFUNCTION calls sockets_watch, CURLOPT_OPENSOCKETFUNCTION is sockets_open,
 *     CURLOPT_CLOSESOCKETFUNCTION is sockets_close, each with &sockets as its data
 *     … in CURLOPT_PREREQFUNCTION: sockets_begin(&sockets, &ends, &ticket) …
 *     sockets_deinit(&sockets);                        // then run the loop
 */
#ifndef NB_NET_SOCKETS_H
#define NB_NET_SOCKETS_H

#include <curl/curl.h>
#include <uv.h>

#include "core/hashmap.h"

/* A socket that libcurl waits for is ready: `events` is what curl_multi_socket_action takes, 0 for
 * an error, which libcurl finds out by itself. From the loop, never from inside a call of these. */
typedef void sockets_ready_fn(void *context, curl_socket_t socket, int events);

struct watcher;

struct sockets {
    uv_loop_t *loop;
    sockets_ready_fn *ready;
    void *context;
    struct hashmap watchers; /* by socket */
    int open_error;          /* errno of the last sockets_open; 0: it went well */
    struct hashmap ports;    /* connections by local port; those of one port are a list */
    struct watcher *unnamed; /* connections whose ends are not known yet */
    uint64_t serial;         /* of the connection that was made last */
    uint64_t look;           /* the number of the look that counts now; see sockets_look */
    uint64_t look_until_ns;  /* and no longer than until then, by uv_hrtime */
    bool only_loopback;      /* no connection to another machine is made */
    bool refused;            /* one would have been */
    bool may_have_closed;    /* libcurl, without sockets_close; see sockets_forget_closed */
};

/* The ends of a connection, as a curl_prereq_callback is told of them. */
struct sockets_ends {
    const char *local_ip, *remote_ip;
    int local_port, remote_port;
};

/* One connection, also when its number has been taken by another since; zeroed: none. */
struct sockets_ticket {
    curl_socket_t socket;
    uint64_t serial;
};

enum sockets_use {
    SOCKETS_FRESH,  /* the connection has carried no request yet */
    SOCKETS_REUSED, /* it has, and nothing waits to be read */
    SOCKETS_SPOILED /* no request may leave over it */
};

/* The caller may set only_loopback afterwards. */
void sockets_init(struct sockets *sockets, uv_loop_t *loop, sockets_ready_fn *ready, void *context);

/* Watches no socket any more. After curl_multi_cleanup, which closes what is still open; the loop
 * then frees what is left in its next turn. Takes a zeroed struct. */
void sockets_deinit(struct sockets *sockets);

/* What libcurl wants to know of a socket from now on: CURL_POLL_IN, _OUT, _INOUT or _REMOVE. 0, or
 * -1 where it cannot be watched, as libcurl takes it. */
int sockets_watch(struct sockets *sockets, curl_socket_t socket, int what);

/* A curl_opensocket_callback and a curl_closesocket_callback; `context` is the struct sockets. */
curl_socket_t sockets_open(void *context, curlsocktype purpose, struct curl_sockaddr *address);
int sockets_close(void *context, curl_socket_t socket);

/* After each call of libcurl that may close connections: forgets those that it has closed without
 * saying so. Costs nothing where none was left alone before its first request. */
void sockets_forget_closed(struct sockets *sockets);

/*
 * Several requests are about to leave: looks at all connections that carry none, in one system
 * call, and spoils those that have something to read. The others need not be looked at one by one
 * until sockets_end_look, each for one request, and only for a moment: what comes while this
 * process has to wait for a processor is not to be missed.
 */
void sockets_look(struct sockets *sockets);
void sockets_end_look(struct sockets *sockets);

/*
 * A request is about to leave over the connection with these ends. One system call where it has
 * carried a request before and no look counts. A fresh one is not looked at: session tickets of TLS
 * may wait there.
 */
enum sockets_use sockets_begin(struct sockets *sockets, const struct sockets_ends *ends,
                               struct sockets_ticket *ret_ticket) MUST_USE;

/* The connection speaks HTTP/2: see above. */
void sockets_set_multiplexed(struct sockets *sockets, struct sockets_ticket ticket);

/* No request may leave over the connection any more, if it still is there. What it carries now goes
 * on. From inside calls of libcurl, too. */
void sockets_forbid(struct sockets *sockets, struct sockets_ticket ticket);

/* The same; where libcurl waits for nothing on it, it ends at once. */
void sockets_spoil(struct sockets *sockets, struct sockets_ticket ticket);

/* The same for all connections that carry no request. */
void sockets_spoil_idle(struct sockets *sockets);

#endif
