/*
 * The dialects of the platform as rows of a table: the OneNET that the NB-IoT pages document (v1),
 * and the newer one of new accounts (v2). They differ in host, path, proof of who asks and the form
 * of answers; parameters and bodies are the same (README.md, "The dialects").
 */
#ifndef NB_PLATFORM_DIALECT_H
#define NB_PLATFORM_DIALECT_H

#include "core/buf.h"

enum dialect { DIALECT_V1, DIALECT_V2, DIALECT_COUNT };

struct dialect_rule {
    const char *name;     /* as --api takes it */
    const char *endpoint; /* its base URL */
    const char *prefix;   /* of every path */
    int64_t rate_per_s;   /* calls that its own host takes, as documented */
    const char *number;   /* the member of an answer that says what happened, 0 for success, … */
    const char *text;     /* … and the one that says it in words */
    const char *key_header; /* that takes a MasterKey; NULL: it takes none */
    const char *token_header;
    bool unseen; /* no answer of its NB-IoT calls has been seen: what is not known of one is never
                    taken for a reason to send again */
};

extern const struct dialect_rule dialects[DIALECT_COUNT];

/* The dialect of that name; false when there is none. */
bool dialect_find(struct span name, enum dialect *ret_dialect);

/* Whose own host a base URL, or its scheme and host, leads to; false: nobody's that is known. */
bool dialect_of_url(struct span url, enum dialect *ret_dialect);

/* What a run to that origin (scheme and host) goes on record as, and the dialect of such a record.
 * Of the first dialect it is the origin alone: so are all records from before there was another. */
void dialect_add_target(enum dialect dialect, const char *origin, struct buf *out);
enum dialect dialect_of_target(struct span target);

#endif
