/*
 * How long a worker may send by the leases that it has: the database fences what is written, this
 * what leaves. Pure; times are CLOCK_BOOTTIME, which goes on while the machine sleeps, so that a
 * worker that stood still or slept finds its time over.
 *
 * A lease that was asked for at `asked_ns` ends at the earliest `lease_ms` later, however long the
 * question was on its way. The margin is for a request that is on its way to the platform.
 */
#ifndef NB_LEDGER_SHARE_FENCE_H
#define NB_LEDGER_SHARE_FENCE_H

#include "core/span.h"

enum { FENCE_MARGIN_PART = 10, FENCE_RENEW_PART = 3 };

static inline int64_t fence_end_ns(int64_t asked_ns, int64_t lease_ms)
{
    return asked_ns + (lease_ms - lease_ms / FENCE_MARGIN_PART) * 1000000;
}

/* How often the leases are renewed. */
static inline int64_t fence_renew_ms(int64_t lease_ms)
{
    return lease_ms / FENCE_RENEW_PART;
}

#endif
