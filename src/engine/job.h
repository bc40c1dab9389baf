/*
 * A run, from the first row to the last result: the engine (engine/engine.h) decides, and here is
 * what acts on it, on a libuv loop of its own: it pulls rows from a source, lets the transport
 * carry them, and tells ledger and tally what became of them.
 */
#ifndef NB_ENGINE_JOB_H
#define NB_ENGINE_JOB_H

#include "engine/check.h"
#include "engine/news.h"
#include "engine/row_source.h"
#include "ledger/peer.h"
#include "ledger/store.h"
#include "net/transport.h"
#include "report/tally.h"
#include "send/halt.h"

/* Reads the key's source again; `message` says why it could not be. */
typedef enum job_key job_key_fn(void *context, struct buf *message);

/* A source that cannot be read may just be being written: it is looked at again after this time,
 * which doubles, until so much has passed in all. Nothing starts meanwhile; the loop goes on. */
enum { JOB_KEY_LOOK_MS = 200, JOB_KEY_WAIT_MS = 6500 };

struct job_options {
    enum dialect dialect; /* of the platform */
    struct transport_options transport;
    struct retry_policy retry;
    uint64_t seed; /* of the jitter */
    struct pacer_options pacer;
    struct canary canary;
    struct peer *peer;      /* takes part in the loop; NULL: nobody does */
    struct halt *halt;      /* rules; counts are kept in it */
    int64_t outage_wait_ms; /* an outage of this length ends the run */
    struct verify_options verify;
    job_key_fn *renew_key; /* reads the key's source again; NULL: there is none that could change */
    void *renew_key_context;
    problems_fn *report; /* told of every row with problems; NULL where a check has told already */
    void *report_context;
    job_event_fn *event; /* may be NULL */
    void *event_context;
    job_attempt_fn *attempt; /* told of every attempt; may be NULL */
    void *attempt_context;
};

/*
 * Sends every good row of the source, and records every row that has come to its end, invalid ones
 * as such. The store has been started; an intake that is behind the source uses it. When it returns
 * nothing is in flight; the store is to be finished.
 *
 * STATUS_OK: every row has its result, or `ret_result` says why the run was stopped; rows without a
 * result were then never sent, or are certain not to have been processed. STATUS_BAD_INPUT: header
 * or file cannot be used (`report` was told). STATUS_IO: results could not be written or the input
 * not be read; what was in flight was waited for. STATUS_NO_MEMORY, STATUS_NETWORK. `message` says
 * more wherever the end is not JOB_COMPLETE.
 *
 * The first request goes alone, until the platform has answered one: its answer tells whether the
 * key is good, whether it is the platform that answers, and what its clock says. Rows that were
 * refused for the key when the run was stopped for it have no result.
 *
 * SIGINT, SIGTERM, SIGHUP (and SIGALRM, SIGXCPU, that would kill) stop starting rows and wait for
 * what is in flight; a second SIGINT or SIGTERM ends that too. Where nothing was left to start
 * after the first, the run is complete. SIGUSR1 asks for JOB_EVENT_STATUS, SIGUSR2 pauses and
 * resumes. A signal that is ignored when the run starts (nohup, a background job of a script) stays
 * so.
 */
enum status job_run(struct row_source *source, const struct job_options *options,
                    struct store *store, struct tally *tally, struct job_result *ret_result,
                    struct buf *message) MUST_USE;

#endif
