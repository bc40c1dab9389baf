/*
 * The search for rows in doubt in the platform's history (platform/history_search.h), as an
 * engine's source of rows (engine/row_source.h): device by device, the first looks in their order,
 * and the second ones when they are due.
 *
 *     trace_init(&trace, &options);
 *     job_run(&trace.base, &job, &blank_store, …);
 *     trace_deinit(&trace);
 *
 * Reads no clock and touches no file. Private to run/.
 */
#ifndef NB_RUN_TRACE_H
#define NB_RUN_TRACE_H

#include "engine/row_source.h"
#include "ledger/doubt.h"
#include "platform/history_search.h"

/* A row in doubt. Those of a device are neighbours. */
struct trace_row {
    struct row_id id;
    uint64_t offset;           /* of its line in the results: the caller's */
    uint32_t ambiguous;        /* requests that may have been processed */
    bool is_covered;           /* its doubts are of all of these */
    size_t doubt, doubt_count; /* the first of them, as trace_options.load numbers them */
    int64_t last_ms;           /* of the last attempt, this machine's clock */
};

struct trace_options {
    enum dialect dialect;
    const struct trace_row *rows; /* the caller's, as are those below */
    size_t row_count;
    int64_t settle_ms[SEARCH_LOOKS]; /* a look comes no sooner after the last attempt */
    struct known_commands *known;
    void *context;
    /* Reads a doubt; its texts are put into `bytes`, which has room for them. */
    enum status (*load)(void *context, size_t doubt, struct buf *bytes, struct doubt *ret_doubt);
    size_t (*size)(void *context, size_t doubt); /* that `load` needs */
    /* What came of a row. False: it could not be kept, and all ends with STATUS_IO, by errno. */
    bool (*keep)(void *context, const struct trace_row *row, const struct search_found *found,
                 int64_t now_ms);
};

struct trace {
    struct row_source base; /* first */
    struct trace_options options;
    size_t at;           /* rows before it have had their first look, or have it now */
    struct tracing *all; /* the newest; of one device each */
    struct trace_queue {
        struct tracing *head, *tail;
    } next, later; /* those that go on at once, and those that wait for their second look */
    size_t under_way;
    int64_t begun_ms; /* epoch; 0: not yet */
    int error;        /* errno; 0: all could be kept */
    uint64_t lists, lookups;
};

void trace_init(struct trace *trace, const struct trace_options *options);
void trace_deinit(struct trace *trace);

#endif
