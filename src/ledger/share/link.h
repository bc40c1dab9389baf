/*
 * A worker's connection: calls of prepared statements (statements.h), pipelined, on a libuv loop.
 * It comes back by itself: whoever uses it is told that it is up or away, and calls again what was
 * not answered.
 *
 *     link_open(&link, &options);
 *     … once options.changed has been called with is_up:
 *     link_call(link, CALL_RATE_TAKE, values, done, context);     // done(context, result), later
 *     link_stop(link);                                  // its handles; the connection stays …
 *     link_drain(link, 5000);                           // … for what is left, without a loop
 *     link_free(link);
 *
 * Each call is a transaction of its own. `done` is called from the loop or from link_drain, in the
 * order of the calls; with NULL where the connection was lost before the answer: the call may have
 * been carried out or not. A call that is refused for now, or not answered in ten seconds, is a
 * loss of the connection, too. What a result points to is valid during the call.
 */
#ifndef NB_LEDGER_SHARE_LINK_H
#define NB_LEDGER_SHARE_LINK_H

#include "core/buf.h"
#include "ledger/share/statements.h"

enum link_statement {
#define X(name) CALL_##name,
    WORKER_STATEMENT_MAP(X)
#undef X
        CALL_COUNT
};

struct uv_loop_s;
struct pg_result;
struct link;

typedef void link_done_fn(void *context, const struct pg_result *result);

struct link_options {
    struct uv_loop_s *loop;
    const char *where; /* as database_open; stays the caller's */
    /* It is up, or away; `why` is for people. Not told twice. From the loop. */
    void (*changed)(void *context, bool is_up, const char *why);
    /* A statement was refused for good: the schema is not what it should be, or a right is missing.
     * `state` is the SQLSTATE. */
    void (*failed)(void *context, const char *state, const char *why);
    void *context;
};

/* STATUS_NO_MEMORY, STATUS_NETWORK (the loop takes no handle). */
enum status link_open(const struct link_options *options, struct link **ret_link) MUST_USE;

bool link_is_up(const struct link *link);

/* Whether it is up, and what was refused for now is not refused any more. */
bool link_is_well(const struct link *link);

/* `values` are copied, and are as many as the statement has; NULL: null. Rows come in the binary
 * form where `is_binary`. Where the link is away, `done` is called with NULL all the same, later.
 * False: out of memory, and `done` is not called. */
bool link_call(struct link *link, enum link_statement statement, const char *const *values,
               bool is_binary, link_done_fn *done, void *context) MUST_USE;

/* Closes the handles. */
void link_stop(struct link *link);

/* Waits for the answers of all calls; false where they did not come in that time. */
bool link_drain(struct link *link, int64_t max_ms);

/* Nobody wants to wait for it any more: as link_stop, and all calls are answered with NULL. Takes
 * NULL. */
void link_give_up(struct link *link);

/* Takes NULL. The loop must have closed its handles. */
void link_free(struct link *link);

#endif
