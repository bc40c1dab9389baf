/*
 * The search for rows in doubt in the platform's history, as an engine's source of rows
 * (engine/row_source.h): for each device a LIST with all its pages, from a day before the first
 * attempt on, and a LOOKUP of each command of the right kind that is nobody's. What is found is
 * compared by meaning (platform/likeness.h) and shared out (run/claims.h). Where something is
 * missing, the device is looked at once more, later.
 *
 *     trace_init(&trace, &options);
 *     job_run(&trace.base, &job, &blank_store, …);
 *     trace_deinit(&trace);
 *
 * Before the second looks, a command that was accepted is looked up: where the history does not
 * know it, nothing is called missing. A command that is equal, but was created at a time at which
 * the row cannot have been sent, is not claimed, and keeps the row in doubt: a platform's clock may
 * be of another zone than is thought. Reads no clock and touches no file. Private to run/.
 */
#ifndef NB_RUN_TRACE_H
#define NB_RUN_TRACE_H

#include "engine/row_source.h"
#include "ledger/doubt.h"
#include "run/claims.h"

enum {
    TRACE_BACK_S = 26 * 3600, /* the list begins so much before the first attempt */
    TRACE_MARGIN_S = 120,     /* a command's creation may be this much before or after it */
    TRACE_PER_PAGE = 50,
    TRACE_PAGES_MAX = 1000,
    TRACE_ENTRIES_MAX = 4096, /* commands of a device that are looked up */
    TRACE_LOOKS = 2,
};

/* A row in doubt. Those of a device are neighbours. */
struct trace_row {
    struct row_id id;
    uint64_t offset;           /* of its line in the results: the caller's */
    uint32_t ambiguous;        /* requests that may have been processed */
    bool is_covered;           /* its doubts are of all of these */
    size_t doubt, doubt_count; /* the first of them, as trace_options.load numbers them */
    int64_t last_ms;           /* of the last attempt, this machine's clock */
};

struct trace_found {
    enum claim claim;
    const char *uuid;    /* of CLAIM_FOUND */
    const char *surplus; /* further ones of equal commands, with ", " between them; "" for none */
    const char *why;     /* of CLAIM_UNCLEAR */
};

struct trace_options {
    enum dialect dialect;
    const struct trace_row *rows; /* the caller's, as are those below */
    size_t row_count;
    int64_t settle_ms[TRACE_LOOKS]; /* a look comes no sooner after the last attempt */
    bool trusts_executes;           /* an execute may be called missing, too */
    uint64_t control_device;        /* of a command that was accepted; 0: there is none */
    const char *control_uuid;
    void *context;
    /* Reads a doubt; its texts are put into `bytes`, which has room for them. */
    enum status (*load)(void *context, size_t doubt, struct buf *bytes, struct doubt *ret_doubt);
    size_t (*size)(void *context, size_t doubt);       /* that `load` needs */
    bool (*is_owned)(void *context, struct span uuid); /* by another row */
    /* What came of a row. False: it could not be kept, and all ends with STATUS_IO, by errno. */
    bool (*keep)(void *context, const struct trace_row *row, const struct trace_found *found,
                 int64_t now_ms);
};

struct search; /* of one device */

struct trace {
    struct row_source base; /* first */
    struct trace_options options;
    size_t at;                     /* rows before it have had their first look, or have it now */
    struct search *all;            /* the newest */
    struct search *next, *last;    /* go on at once, in their order */
    struct search *later, *latest; /* wait for their second look */
    size_t under_way;
    int64_t begun_ms; /* epoch; 0: not yet */
    int error;        /* errno; 0: all could be kept */
    enum { CONTROL_NOT_ASKED, CONTROL_ASKED, CONTROL_GOOD, CONTROL_BAD } control;
    uint64_t lists, lookups;
};

void trace_init(struct trace *trace, const struct trace_options *options);
void trace_deinit(struct trace *trace);

#endif
