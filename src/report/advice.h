/*
 * What a row's end means and its remedy: by errno, by HTTP status, by the code of a problem. The
 * summary and the HTML page say the same. Pure.
 */
#ifndef NB_REPORT_ADVICE_H
#define NB_REPORT_ADVICE_H

#include "platform/outcome.h"

/* Why a row was not accepted, as its result says it. */
struct reason {
    enum row_status status; /* not ROW_ACCEPTED */
    bool has_errno;
    int64_t platform_errno;
    int http_status;  /* 0: none */
    struct span text; /* of an invalid row: with the code of its first problem */
};

struct advice {
    const char *name; /* the platform's word for an errno it documents, the code of a problem;
                         else NULL */
    const char *meaning;
    const char *remedy;
};

struct advice advice_of(const struct reason *reason);

/* What it means that an accepted row had an attempt before that may have been processed as well,
 * in a few words, after their number: "may be held twice: …". */
extern const char advice_twice[];

/* What rows of this status are, in a few words: "the platform said no". */
const char *advice_status_meaning(enum row_status status);

/* What to do about such rows: "nothing". */
const char *advice_status_remedy(enum row_status status);

#endif
