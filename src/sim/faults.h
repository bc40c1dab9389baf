/*
 * The faults that the simulator can be ordered to make: one table of kinds, and a list of what was
 * ordered with its probabilities.
 *
 *     faults_add(&faults, SPAN_LITERAL("close-after:1%"), &message);
 *     fault = faults_draw(&faults, &chance);        // once for each command
 *     if (fault != NULL && !fault->kind->processed) … the command is not looked at …
 */
#ifndef NB_SIM_FAULTS_H
#define NB_SIM_FAULTS_H

#include "core/buf.h"
#include "sim/chance.h"

enum fault_effect {
    FAULT_CLOSE,    /* closed without a byte (FIN) */
    FAULT_RESET,    /* reset without a byte (RST) */
    FAULT_SILENT,   /* never answered */
    FAULT_CUT,      /* half of the body, then closed */
    FAULT_GARBAGE,  /* a body that is no JSON */
    FAULT_ENVELOPE, /* JSON that is no dialect's */
    FAULT_NO_UUID,  /* errno 0, and no uuid */
    FAULT_HTTP,     /* the HTTP status `number` */
    FAULT_ERRNO,    /* the platform errno `number` */
    FAULT_SLOW,     /* a second later */
};

struct fault_kind {
    const char *name; /* as in the help; N is in place of a number */
    enum fault_effect effect;
    bool processed;   /* the command is processed before the fault happens */
    bool retry_after; /* with the header Retry-After: 1 */
    const char
        *prefix; /* with `suffix` around a number of min … max; NULL: no number in the name */
    const char *suffix;
    unsigned min, max; /* without a prefix: both are the number that is meant */
    const char *help;
};

extern const struct fault_kind fault_kinds[];
extern const size_t fault_kinds_count;

enum { FAULTS_MAX = 32, FAULT_NAME_MAX = 31, FAULT_SLOW_MS = 1000 };

struct fault {
    const struct fault_kind *kind;
    unsigned number; /* FAULT_HTTP, FAULT_ERRNO */
    double probability;
    char name[FAULT_NAME_MAX + 1]; /* as it was ordered */
};

struct faults {
    struct fault items[FAULTS_MAX];
    size_t count;
};

/* The fault of a name, of probability 0; false where there is none. */
bool faults_find(struct span name, struct fault *ret_fault) MUST_USE;

/*
 * Adds "KIND:PROBABILITY", the probability as 0…1 or with a percent sign. STATUS_USAGE with a text
 * appended to `message`: an unknown kind (and the nearest known one), no probability, or all
 * probabilities together above 1.
 */
enum status faults_add(struct faults *faults, struct span text, struct buf *message) MUST_USE;

/* The fault that the next command meets, or NULL. One draw, none where no fault was ordered. */
const struct fault *faults_draw(const struct faults *faults, struct prng *chance);

/* Whether any of them holds an answer back. */
bool faults_hold_back(const struct faults *faults);

#endif
