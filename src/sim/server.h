/*
 * The simulator: a OneNET platform on a loopback address, in a thread of its own.
 *
 *     sim_config_init(&config);
 *     sim_config_parse(&config, spec, &message);
 *     status = sim_start(&config, &message, &sim);
 *     sim_url(sim, url, sizeof(url));                  // http://127.0.0.1:40213
 *     …
 *     sim_stop(sim);
 *
 * It serves the calls that hand in a command, the list of a device's commands and one of them, in
 * the dialect of its config; what it decides is in sim/platform.h, the faults in
 * sim/faults.h, the audit in sim/audit.h. Faults and latency are drawn once for each command, in
 * the order of requests; history, 404 and 405 meet neither faults nor latency.
 *
 * At most SIM_CONNECTIONS_MAX connections, of which an idle one is closed after
 * SIM_IDLE_TIMEOUT_S; 8 KiB of memory for each, which bounds first line and headers; bodies up to
 * 64 KiB. sim_start may raise the process's soft limit of open files. The thread blocks all
 * signals; so sim_start needs no care for SIGPIPE or who gets SIGINT.
 */
#ifndef NB_SIM_SERVER_H
#define NB_SIM_SERVER_H

#include "sim/config.h"

enum { SIM_CONNECTIONS_MAX = 4096, SIM_IDLE_TIMEOUT_S = 60, SIM_ERRNOS_MAX = 16 };

struct sim;

/* Counts since the start. */
struct sim_stats {
    uint64_t requests; /* of any kind */
    uint64_t accepted; /* commands in the store */
    uint64_t faults;   /* answers that a fault changed or prevented */
    struct {
        int64_t number;
        uint64_t count;
    } refused[SIM_ERRNOS_MAX]; /* by errno, those of faults included; in order of appearance */
    size_t refused_count;
    uint64_t refused_others; /* errnos beyond SIM_ERRNOS_MAX */
    uint64_t audit_lost;     /* lines that could not be written: the audit is no oracle any more */
};

/*
 * Starts to serve; the config is copied. On failure nothing is left behind, and `message` has a
 * text: STATUS_IO (the address, or the audit file), STATUS_CREDENTIALS (a key file), STATUS_USAGE,
 * STATUS_NETWORK (libmicrohttpd), STATUS_NO_MEMORY.
 */
enum status sim_start(const struct sim_config *config, struct buf *message,
                      struct sim **ret_sim) MUST_USE;

/* Stops serving, and saves the state where that is asked for; sim_stop is to follow. STATUS_IO or
 * STATUS_NO_MEMORY with a text in `message`. */
enum status sim_finish(struct sim *sim, struct buf *message) MUST_USE;

/* Stops serving: connections are closed, answered or not; frees everything. Takes NULL. */
void sim_stop(struct sim *sim);

/* Writes "http://127.0.0.1:PORT"; 64 bytes are enough. */
void sim_url(const struct sim *sim, char *out, size_t size);

/* The seed in use: the configured one, or the random one that stands for it. */
uint64_t sim_seed(const struct sim *sim);

/* The processor time that its thread has taken, in seconds; 0 for NULL. */
double sim_cpu_s(const struct sim *sim);

/* May be called from any thread until sim_stop. */
void sim_stats(struct sim *sim, struct sim_stats *ret_stats);

#endif
