/* How rows are sent: the settings as the engine takes them. Private to run/. */
#ifndef NB_RUN_SENDING_H
#define NB_RUN_SENDING_H

#include "engine/job.h"
#include "run/settings.h"

/* What is sent again, and when. */
struct retry_policy sending_retries(const struct run_settings *settings);

/* The rate that was asked for; else, at the platform's own hosts, the one that it documents. A
 * count of 0: none. */
struct rate sending_rate(const struct run_settings *settings, bool *ret_is_documented);

/* How many requests start in a second at most: what was asked for, else what the platform documents
 * at its own host. 0: as many as go. A ramp is left out. */
double sending_rate_per_s(const struct run_settings *settings);

/* When rows in doubt are looked for: so long after their last attempt, and once more. */
void sending_settle(const struct run_settings *settings, int64_t ret_ms[2]);

/* Fills in retries, pace, canary and halt rules; `halt` must outlive the run. */
void sending_options(const struct run_settings *settings, struct halt *halt,
                     struct job_options *options);

#endif
