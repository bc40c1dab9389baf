/*
 * Whether a run may go on as it is: a plain state machine that looks at the answers in the order in
 * which they come. Two things would go wrong with every row alike, and must not burn the file: a
 * key that is refused, also one that is revoked in mid-run, and a server that is not the platform.
 *
 *     switch (trust_add(&trust, &outcome)) {
 *     case TRUST_HOLD: … keep the row: it is not known yet whether it or the key is to blame …
 *     case TRUST_NO_KEY: … read the key's source again: trust_renew, or stop the run …
 *     …
 *     }
 *
 * Until the platform has answered for the first time (`met`), one request is in flight at most: the
 * scout. A zeroed struct is the beginning of a run. Pure.
 */
#ifndef NB_SEND_TRUST_H
#define NB_SEND_TRUST_H

#include "core/buf.h"
#include "platform/outcome.h"

enum {
    TRUST_FOREIGN_MAX = 5, /* answers in a row that are not the platform's end a run */
    TRUST_REFUSALS = 5,    /* so do refusals of the key in a row, … */
};

enum trust_verdict {
    TRUST_GO_ON,
    TRUST_GOOD,    /* the key is good: rows that were held are refused for reasons of their own */
    TRUST_HOLD,    /* refused for the key, and it may be the row's fault */
    TRUST_NO_KEY,  /* refused for the key, and it is the key */
    TRUST_FOREIGN, /* nobody knows who answers there */
};

struct trust {
    uint32_t foreign, refusals; /* in a row */
    bool met;                   /* the platform has answered a row, and took the key */
    bool asked;                 /* the key's source was read again since the key was good */
};

/*
 * Takes the outcome of an attempt. Rows of another product in the file are refused for the key as
 * well, one by one among good rows; what was accepted, or rejected for its content, shows that the
 * key is good. Where the key itself is refused (not its fit to a device), and the platform has
 * never taken it, one refusal is enough.
 */
enum trust_verdict trust_add(struct trust *trust, const struct outcome *outcome);

/* Appends why it goes no further, in English: TRUST_NO_KEY, and TRUST_FOREIGN. `path` is what the
 * endpoint has behind its host. */
void trust_explain_key(const struct trust *trust, const struct outcome *outcome, struct buf *out);
void trust_explain_foreign(enum dialect dialect, const char *path, const struct answer *answer,
                           const struct outcome *outcome, struct buf *out);

/* Whether the key's source is to be read again; that it is read is noted. */
bool trust_ask(struct trust *trust);

/* There is another key: its refusals are counted anew. */
void trust_renew(struct trust *trust);

#endif
