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
 */

enum {
    PAUSE_MIN_MS = 100,
    PAUSE_MAX_MS = 3000,
    CONNECT_MAX_MS = 10000,
};

enum link_state { LINK_AWAY, LINK_CONNECTING, LINK_PREPARING, LINK_UP };

struct call {
    struct call *next;
    link_done_fn *done; /* NULL: the preparation of a statement */
    void *context;
};

struct link {
    struct link_options options;
    enum link_state state;
    PGconn *connection;
    uv_poll_t *poll; /* of the connection's descriptor; a new one for each */
    int fd;
    uv_timer_t timer; /* the next try, or the end of this one */
    int64_t pause_ms;
    struct call *calls, *last; /* that were sent, in their order */
    struct call *orphans;      /* made while away: to be answered with nothing */
    bool is_stopped;           /* the handles are closed */
    bool told_away;
};

static const struct {
    const char *name, *sql;
} statements[CALL_COUNT] = {
#define X(name) {#name, sql_##name},
    WORKER_STATEMENT_MAP(X)
#undef X
};

static const int parameters[CALL_COUNT] = {
    [CALL_worker_add] = 4,      [CALL_worker_renew] = 2, [CALL_worker_leave] = 1,
    [CALL_job_state] = 1,       [CALL_shard_lease] = 3,  [CALL_shard_settle] = 4,
    [CALL_shard_rest] = 2,      [CALL_shard_rows] = 4,   [CALL_shard_done] = 4,
    [CALL_shard_give_back] = 4, [CALL_rows_start] = 7,   [CALL_rows_give_back] = 7,
    [CALL_rows_end] = 14,       [CALL_rate_take] = 4,    [CALL_rate_throttle] = 1,
};

static void start_timer(struct link *link, int64_t ms);

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
    char text[300];

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
    link->pause_ms = PAUSE_MIN_MS;
    link->told_away = false;
    (void)uv_timer_stop(&link->timer);
    answer_all(&link->orphans);
    link->options.changed(link->options.context, true, "");
}

static bool is_error(const PGresult *result)
{
    return PQresultStatus(result) == PGRES_FATAL_ERROR;
}

/* What the database says of a statement that it refuses for good; one that is shutting down (class
 * 57), out of something (53), or has ended a transaction for another (40) takes it later. */
static bool is_for_good(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return state != NULL && strncmp(state, "57", 2) != 0 && strncmp(state, "53", 2) != 0 &&
           strncmp(state, "40", 2) != 0 && strncmp(state, "08", 2) != 0;
}

/* Takes the first call's result, where it is one. */
static void take_result(struct link *link, const PGresult *result)
{
    struct call *call = link->calls;

    if (is_error(result) && is_for_good(result))
        link->options.failed(link->options.context,
                             PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    if (call->done != NULL)
        call->done(call->context, is_error(result) ? NULL : result);
    call->done = NULL;
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

/* Takes what has come; false where the connection is lost. */
static bool read_results(struct link *link)
{
    while (link->calls != NULL && PQisBusy(link->connection) == 0) {
        PGresult *result = PQgetResult(link->connection);
        if (result == NULL && PQstatus(link->connection) != CONNECTION_OK)
            return false;
        if (result != NULL && PQresultStatus(result) == PGRES_PIPELINE_SYNC)
            end_call(link);
        else if (result != NULL)
            take_result(link, result);
        PQclear(result);
    }
    return true;
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

static bool add_call(struct link *link, link_done_fn *done, void *context)
{
    struct call *call = calloc(1, sizeof(*call));

    if (call == NULL)
        return false;
    *call = (struct call){.done = done, .context = context};
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
        PQpipelineSync(link->connection) != 1 || !add_call(link, NULL, NULL)) {
        lose(link, PQerrorMessage(link->connection));
        return;
    }
    for (size_t i = 0; i < CALL_COUNT; i++)
        if (PQsendPrepare(link->connection, statements[i].name, statements[i].sql, 0, NULL) != 1 ||
            PQpipelineSync(link->connection) != 1 || !add_call(link, NULL, NULL)) {
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
    if ((events & UV_READABLE) != 0 || status < 0) {
        bool is_lost = PQconsumeInput(link->connection) != 1;
        if (is_lost)
            close_poll(link);
        if (!read_results(link) || is_lost) {
            lose(link, PQerrorMessage(link->connection));
            return;
        }
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

static void on_timer(uv_timer_t *timer)
{
    struct link *link = timer->data;

    answer_all(&link->orphans);
    if (link->state == LINK_AWAY)
        connect_anew(link);
    else
        lose(link, link->poll != NULL ? "it does not answer" : PQerrorMessage(link->connection));
}

static void start_timer(struct link *link, int64_t ms)
{
    (void)uv_timer_start(&link->timer, on_timer, (uint64_t)ms, 0);
}

enum status link_open(const struct link_options *options, struct link **ret_link)
{
    struct link *link = calloc(1, sizeof(*link));

    if (link == NULL)
        return STATUS_NO_MEMORY;
    link->options = *options;
    link->pause_ms = PAUSE_MIN_MS;
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
    bool added = add_call(link, done, context);
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

static int64_t now_ms(void)
{
    return (int64_t)(uv_hrtime() / 1000000);
}

bool link_drain(struct link *link, int64_t max_ms)
{
    int64_t end_ms = now_ms() + max_ms;

    while (link->state == LINK_UP && link->calls != NULL && now_ms() < end_ms) {
        short events = PQflush(link->connection) > 0 ? POLLIN | POLLOUT : POLLIN;
        struct pollfd fd = {.fd = PQsocket(link->connection), .events = events};
        (void)poll(&fd, 1, (int)(end_ms - now_ms()));
        bool is_lost = PQconsumeInput(link->connection) != 1;
        if (!read_results(link) || is_lost)
            lose(link, PQerrorMessage(link->connection));
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
