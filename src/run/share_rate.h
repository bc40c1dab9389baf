/* --share-only-rate: a run of its own that keeps the account's rate. Private to run/. */
#ifndef NB_RUN_SHARE_RATE_H
#define NB_RUN_SHARE_RATE_H

#include "engine/job.h"
#include "run/person.h"
#include "run/settings.h"

struct share_rate;

/* Takes part in the account's rate, where that was asked for: then *ret_rate is not NULL, and the
 * options name a peer. Returns 0 or an exit status, after the reason was said. */
int share_rate_begin(const struct run_settings *settings, const struct person *person,
                     const struct credentials *credentials, struct job_options *options,
                     struct share_rate **ret_rate) MUST_USE;

/* These take NULL. */
void share_rate_attempt(struct share_rate *rate, const struct job_attempt *attempt);
void share_rate_end(struct share_rate *rate);

#endif
