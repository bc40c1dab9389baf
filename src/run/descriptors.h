/* How many files this process may have open, and what that allows for. Private to run/. */
#ifndef NB_RUN_DESCRIPTORS_H
#define NB_RUN_DESCRIPTORS_H

#include "core/buf.h"
#include "run/person.h"
#include "run/settings.h"

/* Raises the soft limit to `wanted`, as far as the hard limit reaches; never lowers it. Returns the
 * limit that holds then. */
uint64_t descriptors_raise(uint64_t wanted);

/*
 * Makes room for so many connections, each with its other end in this process or not. Returns how
 * many there is room for, `connections` at most and 0 where there is none; in `ret_limit` the limit
 * and in `ret_needed` the one that all of them would need.
 */
size_t descriptors_fit(size_t connections, bool both_ends, uint64_t *ret_limit,
                       uint64_t *ret_needed);

/* Makes room for the settings' concurrency, or lowers that, and says so. Returns 0 or an exit
 * status. */
int descriptors_settle(struct run_settings *settings, const struct person *person) MUST_USE;

#endif
