/* Where the rows go, by which way, and with which key: chosen before the input is read. Private to
 * run/. */
#ifndef NB_RUN_TARGET_H
#define NB_RUN_TARGET_H

#include "run/person.h"
#include "run/settings.h"

/*
 * Makes endpoint and credentials of the settings, and checks that endpoint, way and key go
 * together. Returns 0 or the exit status, with what is wrong said.
 */
int target_choose(const struct run_settings *settings, const struct person *person,
                  struct endpoint *endpoint, struct credentials *credentials) MUST_USE;

/* Reads the key's source again, where it can change, and puts another key that it gives into
 * `credentials`; `message` says why it could not be read. */
enum job_key target_renew_key(const struct run_settings *settings, struct credentials *credentials,
                              struct buf *message) MUST_USE;

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

#endif
