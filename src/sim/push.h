/*
 * What the platform pushes: a message for each command that has come to its end, in the form that
 * the documents show (platform/README.md), posted to a server on this machine or added to a file, a
 * line each. A thread of its own posts them; a message that is not answered with 200 within
 * PUSH_WAIT_S is repeated PUSH_TRIES times in all.
 *
 *     push_open(&push, "http://127.0.0.1:8080/onenet", &message);
 *     push_send(&push, imei, &command);
 *     push_close(&push);                  // waits for what is on its way, PUSH_WAIT_S at most
 */
#ifndef NB_SIM_PUSH_H
#define NB_SIM_PUSH_H

#include <pthread.h>

#include "core/buf.h"
#include "sim/store.h"

enum { PUSH_WAIT_S = 5, PUSH_TRIES = 3, PUSH_QUEUE_MAX = 100000 };

struct push_message;

/* Zeroed: nothing is pushed. */
struct push {
    bool is_on;
    int file_fd;   /* of a file; -1 with a server */
    uint16_t port; /* of a server on the loopback address */
    bool is_ipv6;
    char *host, *path; /* owned */
    struct buf line;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t more;
    struct push_message *head, *tail; /* that wait */
    size_t count;
    bool closing;
    uint64_t lost; /* messages: the queue was full, nobody took them, or the file did not */
};

/* Whether a setting says where to: an http URL of 127.0.0.1, [::1] or localhost, or a path. */
bool push_is_target(struct span text);

/* `target` NULL: nothing is pushed. STATUS_IO or STATUS_NO_MEMORY with a text in `message`. */
enum status push_open(struct push *push, const char *target, struct buf *message) MUST_USE;

/* Takes a zeroed struct. */
void push_close(struct push *push);

/* Queues the message of a command; does not wait. */
void push_send(struct push *push, uint64_t imei, const struct store_command *command);

#endif
