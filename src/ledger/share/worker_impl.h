/*
 * What the worker's files share; nobody else includes it. worker.c is the connection, the leases'
 * renewal and the rate; shards.c leases shards and reads their rows; record.c is the store.
 */
#ifndef NB_LEDGER_SHARE_WORKER_IMPL_H
#define NB_LEDGER_SHARE_WORKER_IMPL_H

#include <libpq-fe.h>
#include <stdlib.h>
#include <uv.h>

#include "ledger/share/array.h"
#include "ledger/share/clock.h"
#include "ledger/share/fence.h"
#include "ledger/share/late.h"
#include "ledger/share/link.h"
#include "ledger/share/worker.h"

enum {
    SHARDS_MAX = 64,      /* that a worker has at a time */
    FETCH_ROWS = 256,     /* rows of a shard that are read at a time */
    LEASE_SHARDS = 4,     /* that are leased in one go where no row is left */
    TICK_MS = 50,         /* how often it is seen what is to be done */
    LOOK_MS = 1000,       /* … and how often whether the job is paused, stopped or complete */
    LEASE_PAUSE_MS = 500, /* before shards are asked for again where none was free */
    TAKE_MS = 200,        /* starts are taken for so long */
    TAKE_MAX = 1000,      /* … and so many at the most */
    LEAVE_MAX_MS = 10000, /* for what is to be written at the end */
    STOP_MS = 3000,       /* before a database that does not answer is left alone */
    BATCH_ARRAYS = LATE_ARRAYS,
    BATCH_BYTES_MAX = 64 * 1024 * 1024,
    TEXT_MAX = 24,
};

/* A shard that the worker has. */
struct shard {
    struct worker *worker;
    int number, epoch;
    uint64_t reached; /* rows up to this one have been fetched */
    size_t open;      /* rows that were admitted and whose end is not written, … */
    size_t ended;     /* … of which these have a result, … */
    size_t ending;    /* … and these one that is being written */
    bool is_used;
    bool is_settled;  /* what its last worker left has its result where it is not sent again */
    bool has_rest;    /* … and the others have come */
    bool is_asking;   /* a call is under way */
    bool is_read;     /* there are no more rows */
    bool is_lost;     /* another worker has it */
    bool is_returned; /* it is given back, since some of its rows were: they are read anew */
};

/* Rows that were fetched and not handed out. */
struct fetched {
    PGresult *rows;
    int next;
    struct shard *shard;
    struct fetched *after;
};

enum ticket_state { TICKET_FREE, TICKET_ADMITTED, TICKET_IN_BATCH, TICKET_MARKED, TICKET_LATE };

/* A row that may be sent, or is under way. */
struct ticket {
    enum ticket_state state;
    struct shard *shard;
    uint64_t row;
    uint32_t sent, ambiguous;
};

enum batch_kind { BATCH_GIVE_BACK, BATCH_END, BATCH_START, BATCH_COUNT };

/* A call about many rows, kept until it is answered. */
struct batch {
    struct worker *worker;
    struct buf arrays[BATCH_ARRAYS];
    size_t rows;
    bool is_called;
    int64_t built_ns;
};

/* By what they are about. NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct worker {
    struct peer peer; /* first: what the driver hands back */
    struct store store;
    struct worker_options options;
    struct peer_hooks hooks;
    struct link *link;
    uv_loop_t *loop;
    uv_timer_t timer;                 /* ticks */
    uv_timer_t rate_timer;            /* when to ask for starts again */
    char job[TEXT_MAX], id[TEXT_MAX]; /* as texts; "": not yet */
    char name[100];
    char *rate; /* a second, as a text; NULL: the job's, if any */
    /* Leases. */
    int64_t until_ns; /* CLOCK_BOOTTIME: no request leaves from then on */
    int64_t asked_ns; /* when the renewal under way was sent; 0: none is */
    int64_t renew_ns; /* when the next one is due */
    struct shard shards[SHARDS_MAX];
    bool is_leasing, is_adding, is_looking;
    int64_t lease_after_ns, look_ns; /* of the loop's clock: not before */
    bool is_paused, is_stopped, is_complete;
    /* Rows. */
    struct fetched *first, *last;
    size_t buffered;
    struct shard *given; /* the shard of the row that was handed out last */
    /* The record. */
    struct ticket *tickets;
    size_t free_hint, find_hint;
    struct batch building[BATCH_COUNT], called[BATCH_COUNT];
    bool is_syncing;
    struct late late;  /* what came while the database was away */
    unsigned late_due; /* so many batches have to be written for all of it to be */
    struct buf error;
    /* Rate. */
    bool is_taking, wants_starts, has_no_rate;
    int64_t covered; /* rows that needed no start when they were wanted */
    int64_t throttled_ns;
    bool is_away;           /* or refuses some call for now */
    int64_t waits_since_ns; /* for the database, and the run is to end; 0: it does not */
    bool has_given_up;      /* nothing is asked of it any more */
    bool is_closed;         /* the loop is gone; what is left is written without it */
};

/* A number as a call's value. */
struct text {
    char text[TEXT_MAX];
};
static inline struct text text_of(int64_t value)
{
    struct text text;

    (void)snprintf(text.text, sizeof(text.text), "%lld", (long long)value);
    return text;
}

static inline int64_t int_at(const PGresult *result, int row, int column)
{
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

/* Sees whether there is work, and whether that was the last. */
void worker_look(struct worker *worker);

void worker_tell(const struct worker *worker, enum worker_news news, const char *why, size_t count);

/* Does all that can be done now. */
void worker_pump(struct worker *worker);

/* The record cannot be written. */
void worker_fail(struct worker *worker, const char *why);

/* Leases shards and reads rows, as far as they are wanted. */
void shards_pump(struct worker *worker);

/* A shard that the database says is the worker's. */
void shards_add(struct worker *worker, int number, int epoch, uint64_t reached);

/* Forgets the rows that were fetched of it; whether there were some. */
bool shards_forget_rows(struct worker *worker, const struct shard *shard);

void shards_free(struct worker *worker);

/* Sends what waits to be written, where nothing of its kind is under way. */
void record_pump(struct worker *worker);

/* Sends once more what was not answered. */
void record_call_again(struct worker *worker);

enum status record_init(struct worker *worker) MUST_USE;
void record_deinit(struct worker *worker);

/* The database is away: what is not written yet is kept on this machine. */
void record_keep(struct worker *worker);

bool record_sync(struct peer *peer);
bool record_may_send(struct peer *peer, uint32_t ticket, int64_t *ret_before_ns);

/* How many rows are here that have no result. */
size_t shards_rows(const struct worker *worker);

/* Whether something waits to be written. */
bool record_is_pending(const struct worker *worker);

#endif
