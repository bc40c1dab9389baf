#include "ledger/share/link.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <uv.h>

/*
 * libpq in its non-blocking, pipelined mode. Each call is one prepared statement and a sync, so
 * that it is a transaction of its own, and the server never waits within one for a worker that is
 * stopped or gone. The answers come in the order of the calls: `calls` is that order.
 *
 * libpq closes a descriptor by itself when it finds the connection broken, and its number may be
 * another socket's a moment later: the loop's handle for it is closed before anything else happens.
 *
 * A connection that is lost takes its calls with it: each is answered with nothing. The next one is
 * tried after a pause that doubles, and is up once all statements are prepared.
 *
 * Two other things are taken for a loss, so that there is one way to go on from each of them: a
 * database that does not answer while this process runs, and one that refuses a call for now (a
 * full disk, a lock that it waited for too long, its shutdown). Whoever called behind such a call
 * must not take what was answered to the later ones for what it asked.
 */

enum {
    PAUSE_MIN_MS = 100,
    PAUSE_MAX_MS = 3000,
    CONNECT_MAX_MS = 10000,
    ANSWER_MAX_MS = 10000, /* a call's; the statements are about some rows each */
    LOOK_MS = 1000,        /* how often it is seen whether one has waited so long */
    WELL_MS = 60000,       /* without a refusal: what was refused is not asked any more */
};

enum link_state { LINK_AWAY, LINK_CONNECTING, LINK_PREPARING, LINK_UP };

struct call {
    struct call *next;
    link_done_fn *done; /* NULL: nobody waits for it */
    void *context;
    int statement;   /* CALL_COUNT: its preparation */
    int64_t sent_ms; /* of the time in which this process ran */
};

struct link {
    struct link_options options;
    enum link_state state;
    PGconn *connection;
    uv_poll_t *poll; /* of the connection's descriptor; a new one for each */
    int fd;
    uv_timer_t timer; /* the next try, or the end of this one */
    int64_t due_ms;   /* the timer's, … */
    int64_t slept_ms; /* … and by how much it came too late, in all: nobody ran */
    int64_t pause_ms;
    struct call *calls, *last; /* that were sent, in their order */
    struct call *orphans;      /* made while away: to be answered with nothing */
    bool is_stopped;           /* the handles are closed */
    bool told_away;
    int refused; /* for now, and not answered since; CALL_COUNT: none is */
    int64_t refused_ms;
    char why[300]; /* it was refused, or the connection is lost */
};

static const struct {
    const char *name, *sql;
} statements[CALL_COUNT] = {
#define X(name) {#name, sql_##name},
    WORKER_STATEMENT_MAP(X)
#undef X
};

static const int parameters[CALL_COUNT] = {
    [CALL_worker_add] = 4,      [CALL_worker_renew] = 5, [CALL_worker_leave] = 1,
    [CALL_job_state] = 1,       [CALL_shard_lease] = 3,  [CALL_shard_settle] = 4,
    [CALL_shard_rest] = 2,      [CALL_shard_rows] = 4,   [CALL_shard_done] = 4,
    [CALL_shard_give_back] = 4, [CALL_rows_start] = 7,   [CALL_rows_give_back] = 7,
    [CALL_rows_end] = 14,       [CALL_rate_take] = 6,    [CALL_rate_throttle] = 1,
};

static void start_timer(struct link *link, int64_t ms);

static int64_t now_ms(void)
{
    return (int64_t)(uv_hrtime() / 1000000);
}

/* The time in which this process ran. One that was stopped (SIGSTOP, a machine that is moved) has
 * waited for nobody: what has come meanwhile is read once it runs again. */
static int64_t awake_ms(const struct link *link)
{
    return now_ms() - link->slept_ms;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void close_poll(struct link *link)
{
    if (link->poll != NULL)
        uv_close((uv_handle_t *)link->poll, free_handle);
    link->poll = NULL;
}

static void answer_all(struct call **list)
{
    struct call *call = *list;

    *list = NULL;
    while (call != NULL) {
        struct call *next = call->next;
        if (call->done != NULL)
            call->done(call->context, NULL);
        free(call);
        call = next;
    }
}

/* The connection is gone, or never came about. */
static void lose(struct link *link, const char *why)
{
    bool was_up = link->state == LINK_UP;
    char text[sizeof(link->why)];

    (void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(why, "\n"), why);
    close_poll(link);
    PQfinish(link->connection);
    link->connection = NULL;
    link->state = LINK_AWAY;
    link->last = NULL;
    if ((was_up || !link->told_away) && !link->is_stopped) {
        link->told_away = true;
        link->options.changed(link->options.context, false, text);
    }
    answer_all(&link->calls);
    if (!link->is_stopped)
        start_timer(link, link->pause_ms);
    link->pause_ms = link->pause_ms * 2 < PAUSE_MAX_MS ? link->pause_ms * 2 : PAUSE_MAX_MS;
}

static void watch(struct link *link, int events);

static void come_up(struct link *link)
{
    link->state = LINK_UP;
    if (link->refused == CALL_COUNT)
        link->pause_ms = PAUSE_MIN_MS;
    link->told_away = false;
    if (!link->is_stopped)
        start_timer(link, LOOK_MS);
    answer_all(&link->orphans);
    link->options.changed(link->options.context, true, "");
}

static bool is_error(const PGresult *result)
{
    return PQresultStatus(result) == PGRES_FATAL_ERROR;
}

/* Whether the database takes the statement later: it is shutting down, or was told to end it (class
 * 57), is out of something (53), has ended a transaction for another (40), a lock was not to be had
 * in time (55), or it is read-only, as a standby is until it takes over (25006). */
static bool is_for_now(const PGresult *result)
{
    static const char *const states[] = {"57", "53", "40", "08", "55", "25006"};
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    for (size_t i = 0; i < ARRAY_LENGTH(states); i++)
        if (state != NULL && strncmp(state, states[i], strlen(states[i])) == 0)
            return true;
    return state == NULL;
}

static void note_why(struct link *link, const char *why)
{
    (void)snprintf(link->why, sizeof(link->why), "%s", why != NULL ? why : "");
}

/* Takes the first call's result, where it is one. False: it was refused for now, and the connection
 * is to be given up. */
static bool take_result(struct link *link, const PGresult *result)
{
    struct call *call = link->calls;
    bool is_refused = is_error(result);

    if (is_refused && is_for_now(result)) {
        link->refused = call->statement;
        link->refused_ms = now_ms();
        note_why(link, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
        return false;
    }
    if (is_refused)
        link->options.failed(link->options.context, PQresultErrorField(result, PG_DIAG_SQLSTATE),
                             PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    else if (call->statement == link->refused)
        link->refused = CALL_COUNT;
    if (call->done != NULL)
        call->done(call->context, is_refused ? NULL : result);
    call->done = NULL;
    return true;
}

/* The first call has been answered as a whole. */
static void end_call(struct link *link)
{
    struct call *call = link->calls;

    link->calls = call->next;
    if (link->calls == NULL)
        link->last = NULL;
    free(call);
    if (link->state == LINK_PREPARING && link->calls == NULL)
        come_up(link);
}

/* Takes what has come; false where the connection is lost, by link->why. */
static bool read_results(struct link *link)
{
    bool is_good = true;

    while (is_good && link->calls != NULL && PQisBusy(link->connection) == 0) {
        PGresult *result = PQgetResult(link->connection);
        if (result == NULL && PQstatus(link->connection) != CONNECTION_OK) {
            note_why(link, PQerrorMessage(link->connection));
            return false;
        }
        if (result != NULL && PQresultStatus(result) == PGRES_PIPELINE_SYNC)
            end_call(link);
        else if (result != NULL)
            is_good = take_result(link, result);
        PQclear(result);
    }
    return is_good;
}

/* Reads from the connection; false where it is lost, by link->why. */
static bool consume(struct link *link)
{
    bool is_lost = PQconsumeInput(link->connection) != 1;

    if (is_lost)
        close_poll(link);
    if (!read_results(link))
        return false;
    if (is_lost)
        note_why(link, PQerrorMessage(link->connection));
    return !is_lost;
}

/* Whether libpq has closed the connection in a call; that it is lost is told later, from the loop.
 */
static bool is_broken(struct link *link)
{
    if (PQsocket(link->connection) >= 0)
        return false;
    close_poll(link);
    if (!link->is_stopped)
        start_timer(link, 0);
    return true;
}

static void flush(struct link *link)
{
    if (link->connection == NULL || link->state < LINK_PREPARING || link->is_stopped)
        return;
    bool has_more = PQflush(link->connection) > 0;
    if (!is_broken(link))
        watch(link, UV_READABLE | (has_more ? UV_WRITABLE : 0));
}

static bool add_call(struct link *link, int statement, link_done_fn *done, void *context)
{
    struct call *call = calloc(1, sizeof(*call));

    if (call == NULL)
        return false;
    *call = (struct call){.done = done,
                          .context = context,
                          .statement = statement,
                          .sent_ms = awake_ms(link)};
    if (link->last != NULL)
        link->last->next = call;
    else
        link->calls = call;
    link->last = call;
    return true;
}

/* All statements, behind which the link is up. */
static void prepare(struct link *link)
{
    link->state = LINK_PREPARING;
    if (PQsetnonblocking(link->connection, 1) != 0 || PQenterPipelineMode(link->connection) != 1) {
        lose(link, PQerrorMessage(link->connection));
        return;
    }
    if (PQsendQueryParams(link->connection, sql_session, 0, NULL, NULL, NULL, NULL, 0) != 1 ||
        PQpipelineSync(link->connection) != 1 || !add_call(link, CALL_COUNT, NULL, NULL)) {
        lose(link, PQerrorMessage(link->connection));
        return;
    }
    for (size_t i = 0; i < CALL_COUNT; i++)
        if (PQsendPrepare(link->connection, statements[i].name, statements[i].sql, 0, NULL) != 1 ||
            PQpipelineSync(link->connection) != 1 || !add_call(link, CALL_COUNT, NULL, NULL)) {
            lose(link, PQerrorMessage(link->connection));
            return;
        }
    flush(link);
}

static void connect_on(struct link *link)
{
    PostgresPollingStatusType next = PQconnectPoll(link->connection);

    if (next == PGRES_POLLING_OK)
        prepare(link);
    else if (next == PGRES_POLLING_FAILED)
        lose(link, PQerrorMessage(link->connection));
    else
        watch(link, next == PGRES_POLLING_READING ? UV_READABLE : UV_WRITABLE);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct link *link = poll->data;

    (void)status; /* an error shows when it is read */
    if (link->state == LINK_CONNECTING) {
        connect_on(link);
        return;
    }
    if (((events & UV_READABLE) != 0 || status < 0) && !consume(link)) {
        lose(link, link->why);
        return;
    }
    flush(link);
}

/* While it connects, each step may be another descriptor, of the same number too. */
static void watch(struct link *link, int events)
{
    int fd = PQsocket(link->connection);

    if (link->poll == NULL || fd != link->fd || link->state == LINK_CONNECTING) {
        close_poll(link);
        link->fd = fd;
        link->poll = calloc(1, sizeof(*link->poll));
        if (link->poll == NULL || uv_poll_init(link->options.loop, link->poll, fd) != 0) {
            free(link->poll);
            link->poll = NULL;
            lose(link, "the event loop takes no other connection");
            return;
        }
        link->poll->data = link;
    }
    (void)uv_poll_start(link->poll, events, on_ready);
}

static void ignore_notice(void *context, const char *text)
{
    (void)context;
    (void)text;
}

/* What the operator says of the connection goes before what is said of it here. */
static void connect_anew(struct link *link)
{
    static const char *const names[] = {"keepalives_idle",
                                        "keepalives_interval",
                                        "tcp_user_timeout",
                                        "dbname",
                                        "client_encoding",
                                        "fallback_application_name",
                                        NULL};
    const char *const values[] = {"5", "5", "15000", link->options.where, "UTF8", "nbatch", NULL};

    link->connection = PQconnectStartParams(names, values, 1);
    if (link->connection == NULL || PQstatus(link->connection) == CONNECTION_BAD) {
        lose(link, link->connection == NULL ? status_text(STATUS_NO_MEMORY)
                                            : PQerrorMessage(link->connection));
        return;
    }
    (void)PQsetNoticeProcessor(link->connection, ignore_notice, NULL);
    link->state = LINK_CONNECTING;
    start_timer(link, CONNECT_MAX_MS);
    watch(link, UV_WRITABLE);
}

/* Whether the first call has waited for too long. */
static bool is_silent(const struct link *link)
{
    return link->calls != NULL && awake_ms(link) - link->calls->sent_ms > ANSWER_MAX_MS;
}

static void on_timer(uv_timer_t *timer)
{
    struct link *link = timer->data;
    int64_t late_ms = now_ms() - link->due_ms;
    bool has_slept = late_ms > LOOK_MS;

    link->slept_ms += has_slept ? late_ms : 0;
    answer_all(&link->orphans);
    if (link->state == LINK_AWAY)
        connect_anew(link);
    else if (link->poll == NULL)
        lose(link, PQerrorMessage(link->connection));
    else if (link->state != LINK_UP && has_slept)
        start_timer(link, CONNECT_MAX_MS);
    else if (link->state != LINK_UP || is_silent(link))
        lose(link, "it does not answer");
    else
        start_timer(link, LOOK_MS);
}

static void start_timer(struct link *link, int64_t ms)
{
    link->due_ms = now_ms() + ms;
    (void)uv_timer_start(&link->timer, on_timer, (uint64_t)ms, 0);
}

enum status link_open(const struct link_options *options, struct link **ret_link)
{
    struct link *link = calloc(1, sizeof(*link));

    if (link == NULL)
        return STATUS_NO_MEMORY;
    link->options = *options;
    link->pause_ms = PAUSE_MIN_MS;
    link->refused = CALL_COUNT;
    if (uv_timer_init(options->loop, &link->timer) != 0) {
        free(link);
        return STATUS_NETWORK;
    }
    link->timer.data = link;
    start_timer(link, 0);
    *ret_link = link;
    return STATUS_OK;
}

bool link_is_up(const struct link *link)
{
    return link != NULL && link->state == LINK_UP;
}

bool link_is_well(const struct link *link)
{
    return link_is_up(link) &&
           (link->refused == CALL_COUNT || now_ms() - link->refused_ms > WELL_MS);
}

static bool add_orphan(struct link *link, link_done_fn *done, void *context)
{
    struct call *call = calloc(1, sizeof(*call));

    if (call == NULL)
        return false;
    *call = (struct call){.next = link->orphans, .done = done, .context = context};
    link->orphans = call;
    return true;
}

bool link_call(struct link *link, enum link_statement statement, const char *const *values,
               bool is_binary, link_done_fn *done, void *context)
{
    if (link->state != LINK_UP)
        return add_orphan(link, done, context);
    if (PQsendQueryPrepared(link->connection, statements[statement].name, parameters[statement],
                            values, NULL, NULL, is_binary) != 1 ||
        PQpipelineSync(link->connection) != 1) {
        (void)is_broken(link); /* else that it is lost shows when it is read */
        return add_orphan(link, done, context);
    }
    bool added = add_call(link, (int)statement, done, context);
    flush(link);
    return added;
}

void link_stop(struct link *link)
{
    if (link->is_stopped)
        return;
    link->is_stopped = true;
    close_poll(link);
    uv_close((uv_handle_t *)&link->timer, NULL);
}

void link_give_up(struct link *link)
{
    if (link == NULL)
        return;
    if (!link->is_stopped)
        link_stop(link);
    if (link->state != LINK_AWAY)
        lose(link, "");
    answer_all(&link->orphans);
}

bool link_drain(struct link *link, int64_t max_ms)
{
    int64_t end_ms = now_ms() + max_ms;

    while (link->state == LINK_UP && link->calls != NULL && now_ms() < end_ms) {
        short events = PQflush(link->connection) > 0 ? POLLIN | POLLOUT : POLLIN;
        struct pollfd fd = {.fd = PQsocket(link->connection), .events = events};
        (void)poll(&fd, 1, (int)(end_ms - now_ms()));
        if (!consume(link))
            lose(link, link->why);
    }
    answer_all(&link->orphans);
    return link->state == LINK_UP && link->calls == NULL;
}

void link_free(struct link *link)
{
    if (link == NULL)
        return;
    PQfinish(link->connection);
    for (struct call *call = link->calls; call != NULL; call = link->calls) {
        link->calls = call->next;
        free(call);
    }
    free(link);
}
