/*
 * A stream whose reader may stop reading for a while: standard output, standard error, a named
 * pipe. A thread of its own writes, so that who adds to it never waits; O_NONBLOCK would change the
 * descriptor for everybody who shares it, the shell among them.
 *
 *     outlet_open(fd, &outlet);
 *     if (!outlet_is_full(outlet))            // the caller stops making more, or leaves it out
 *         outlet_add(outlet, text);
 *     outlet_wait(outlet, 30000);             // at the end
 *     outlet_close(outlet);
 *
 * The thread takes no signals, so that a terminal that stops background writers (stty tostop) does
 * not stop the program. Where no thread can be had, outlet_add writes by itself.
 */
#ifndef NB_LEDGER_OUTLET_H
#define NB_LEDGER_OUTLET_H

#include "core/buf.h"

enum {
    OUTLET_FULL_BYTES = 256 * 1024,        /* that wait: full … */
    OUTLET_MAX_BYTES = 1024 * 1024 * 1024, /* … and more than this is refused */
};

struct outlet;

/* The descriptor stays the caller's, and open for as long as the program runs. STATUS_NO_MEMORY. */
enum status outlet_open(int fd, struct outlet **ret_outlet) MUST_USE;

/* Queues the bytes, all or none. STATUS_IO after a write that failed (see outlet_error),
 * STATUS_NO_MEMORY. */
enum status outlet_add(struct outlet *outlet, struct span bytes);

/* Bytes that wait. */
size_t outlet_waiting(struct outlet *outlet);

static inline bool outlet_is_full(struct outlet *outlet)
{
    return outlet_waiting(outlet) >= OUTLET_FULL_BYTES;
}

/* Waits until all is written; false where nothing at all was for `patience_ms`, negative: however
 * long. True also after a write that failed. */
bool outlet_wait(struct outlet *outlet, int64_t patience_ms);

/* The errno of the write that failed; 0 for none. A terminal that has hung up is no failure: what
 * it would have shown is nobody's loss. */
int outlet_error(struct outlet *outlet);

/* Forgets what waits. A write that hangs is left behind with the little that it needs. Takes NULL.
 */
void outlet_close(struct outlet *outlet);

#endif
