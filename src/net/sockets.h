/*
 * libcurl's sockets on a libuv loop. A connection's socket stays registered with the kernel from
 * one request to the next: libcurl takes its interest back at the end of each and asks anew at the
 * start of the next, which would cost seven system calls a row. They do not keep the loop alive.
 * Private to net/.
 *
 *     sockets_init(&sockets, loop, on_ready, context);
 *     CURLMOPT_SOCKETFUNCTION calls sockets_watch, CURLOPT_OPENSOCKETFUNCTION is sockets_open,
 *     CURLOPT_CLOSESOCKETFUNCTION is sockets_close, each with &sockets as its data
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

struct sockets {
    uv_loop_t *loop;
    sockets_ready_fn *ready;
    void *context;
    struct hashmap watchers; /* by socket */
    int open_error;          /* errno of the last sockets_open; 0: it went well */
};

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

#endif
