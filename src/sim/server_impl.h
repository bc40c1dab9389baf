/*
 * Shared by server.c, which has the thread and what it serves with, and request.c, which takes a
 * request and answers it. Private to sim/.
 */
#ifndef NB_SIM_SERVER_IMPL_H
#define NB_SIM_SERVER_IMPL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "sim/audit.h"
#include "sim/delay.h"
#include "sim/push.h"
#include "sim/server.h"
#include "sim/verdict.h"

enum { NS_PER_MS = 1000 * 1000 };

/* A request from its first line to the end of its answer. */
struct request {
    struct sim *sim;
    struct MHD_Connection *connection;
    struct request *next_free;
    struct request *held_before, *held_next; /* in sim->held, while held back */
    struct buf target, body;
    uint64_t discarded; /* bytes of the body beyond its maximum */
    bool begun, judged, held, watched;
    struct platform_answer answer;
    struct verdict verdict;
    struct delay delay;
};

struct sim {
    struct MHD_Daemon *daemon;
    struct sockaddr_storage bound;
    pthread_t thread;
    atomic_bool stopping;
    int wake_fd;  /* an eventfd: sim_stop speaks */
    int watch_fd; /* an epoll of clients whose answers are held back; -1: none can be */
    struct auth auth;
    uint64_t seed;
    char *state_file; /* owned; NULL: none */

    /* Of the thread alone. */
    struct platform platform;
    struct faults faults;
    struct limit limit;
    struct latency latency;
    struct prng fault_chance, latency_chance;
    struct audit audit;
    struct push push;
    uint64_t request_count;
    struct buf scratch;
    struct request *free_requests;
    struct request *held;
    struct delay_queue delays;
    bool draining; /* the thread ends: no request is taken any more */

    pthread_mutex_t stats_mutex;
    struct sim_stats stats;
};

static inline int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}

static inline int64_t wall_ms(void)
{
    return clock_ns(CLOCK_REALTIME) / NS_PER_MS;
}

/* As libmicrohttpd calls them: with the first line of a request, with each part of it, and when it
 * is over. */
void *request_begin(void *context, const char *target, struct MHD_Connection *connection);
enum MHD_Result request_take(void *context, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *upload,
                             size_t *upload_len, void **request_context);
void request_end(void *context, struct MHD_Connection *connection, void **request_context,
                 enum MHD_RequestTerminationCode code);

/* Lets the answers go that were held back: the one; those that are due; those whose clients have
 * gone. */
void request_release(struct request *request);
void requests_release_due(struct sim *sim);
void requests_release_gone(struct sim *sim);

/* Frees those that were given back. */
void requests_free(struct sim *sim);

#endif
