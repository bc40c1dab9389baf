/* Where the rows go, by which way, and with which key: settled before the input is read. */
#ifndef NB_CLI_TARGET_H
#define NB_CLI_TARGET_H

#include "cli/options.h"
#include "engine/job.h"

/*
 * Makes endpoint and credentials of the settings, and checks that endpoint, way and key go
 * together. Returns 0 or the exit status, with what is wrong said on standard error.
 */
int cli_choose_target(const struct settings *settings, struct endpoint *endpoint,
                      struct credentials *credentials) MUST_USE;

/* Reads the key's source again, where it can change, and puts another key that it gives into
 * `credentials`; `message` says why it could not be read. */
enum job_key cli_renew_key(const struct settings *settings, struct credentials *credentials,
                           struct buf *message) MUST_USE;

/* The way as the transport takes it; points into the settings. */
struct wire_options cli_wire_options(const struct settings *settings);

#endif
