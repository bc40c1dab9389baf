/* How rows are sent: the settings as the engine takes them. Private to run/. */
#ifndef NB_RUN_SENDING_H
#define NB_RUN_SENDING_H

#include "engine/job.h"
#include "run/person.h"
#include "run/settings.h"

/* What is sent again, and when. */
struct retry_policy sending_retries(const struct run_settings *settings);

/* The rate that was asked for; else what the platform documents, at its own host. */
struct rate sending_rate(const struct run_settings *settings);

/* No more at a time than there are descriptors for. Returns 0 or an exit status, after the reason
 * was said. */
int sending_fit(struct run_settings *settings, const struct person *person);

/* Fills in retries, pace, canary and halt rules; `halt` must outlive the run. */
void sending_options(const struct run_settings *settings, struct halt *halt,
                     struct job_options *options);

#endif
