/* Whether this process may start the threads that a run needs. Private to run/. */
#ifndef NB_RUN_THREADS_H
#define NB_RUN_THREADS_H

#include "run/person.h"

/* libuv ends the process without a word where it can start none. Returns 0, or an exit status after
 * saying what is missing. */
int threads_check(const struct person *person);

#endif
