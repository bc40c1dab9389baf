/*
 * A OneNET platform on loopback: libmicrohttpd with one epoll thread, the same rules table as the
 * client, real random UUIDs, the limit of commands that wait per device, faults to order, and an
 * audit of every request.
 */
#ifndef NB_SIM_SERVER_H
#define NB_SIM_SERVER_H

#include "sim/config.h"

struct sim;

/* Starts serving in a thread of its own. STATUS_USAGE, STATUS_IO or STATUS_NO_MEMORY with a text in
 * `message`. */
enum status sim_start(const struct sim_config *config, struct buf *message,
                      struct sim **ret_sim) MUST_USE;

/* Writes "http://127.0.0.1:PORT". */
void sim_url(const struct sim *sim, char *out, size_t size);

/* Ends the thread, writes the audit to its end and frees. Takes NULL. */
void sim_stop(struct sim *sim);

#endif
