/* Where the rows go, by which way, and with which key: chosen before the input is checked. Private
 * to run/. */
#ifndef NB_RUN_TARGET_H
#define NB_RUN_TARGET_H

#include "net/transport.h"
#include "run/person.h"
#include "run/settings.h"
#include "sim/server.h"

/* Makes the endpoint of the settings, and looks at the way there. Returns 0 or the exit status,
 * with what is wrong said. */
int target_choose(const struct run_settings *settings, const struct person *person,
                  struct endpoint *endpoint) MUST_USE;

/* Likewise the credentials. */
int target_load_key(const struct run_settings *settings, const struct person *person,
                    struct credentials *credentials) MUST_USE;

/* A job_key_fn: puts another key that the source gives into `credentials`. */
enum job_key target_renew_key(const struct run_settings *settings, struct credentials *credentials,
                              struct buf *message) MUST_USE;

/* Starts a simulator in the process as settings->simulate says, and makes the endpoint its own.
 * Returns 0 or the exit status, with what is wrong said. */
int target_simulate(const struct run_settings *settings, const struct person *person,
                    struct sim **ret_sim, struct endpoint *endpoint) MUST_USE;

/* Whom a run speaks with, as numbers on record: what is complete for one says nothing about
 * another.
 */
enum target_with {
    WITH_UNKNOWN,
    WITH_SIMULATOR, /* within the process: a rehearsal */
    WITH_PLATFORM,  /* and the dialect is added */
};

uint8_t target_with(const struct run_settings *settings);

/* The way as the transport takes it; points into the settings. */
struct wire_options target_wire(const struct run_settings *settings);

/* All of it; points to what it is given. */
struct transport_options target_transport(const struct run_settings *settings,
                                          const struct endpoint *endpoint,
                                          const struct credentials *credentials);

#endif
