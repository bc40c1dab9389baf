/* The clocks of a worker: one that goes on while the machine sleeps, by which its leases are
 * reckoned, and the loop's. In nanoseconds. */
#ifndef NB_LEDGER_SHARE_CLOCK_H
#define NB_LEDGER_SHARE_CLOCK_H

#include <stdint.h>

int64_t clock_boot_ns(void);
int64_t clock_loop_ns(void);

/* "host:pid", for people. */
void clock_worker_name(char *out, unsigned long size);

#endif
