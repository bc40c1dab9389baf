/* nbatch bench at given rates: an open loop. Private to run/. */
#ifndef NB_RUN_BENCH_OPEN_H
#define NB_RUN_BENCH_OPEN_H

#include "run/person.h"
#include "run/settings.h"

/* Measures settings->rates one after the other, or searches for the highest that keeps
 * settings->goal. */
int bench_open(const struct run_settings *settings, const struct person *person);

/* Whether made-up commands may be sent to the endpoint of bench. Returns 0 or an exit status, after
 * the reason was said. */
int bench_check_endpoint(const struct run_settings *settings, const struct person *person);

#endif
