#include <sys/epoll.h>

#include "sim/server_impl.h"

enum {
    DISCARDED_BODY_MAX = 16 * 1024 * 1024, /* of a body that is too big anyway */
    /* An answer that is held back longer is given up when its client goes. Shorter ones are not
     * worth two system calls. */
    WATCH_FROM_MS = 1000,
    WATCH_EVENTS = 64,
};

/* Requests: one for each connection at most, used again and again. */

static struct request *new_request(struct sim *sim)
{
    struct request *request = sim->free_requests;

    if (request != NULL) {
        sim->free_requests = request->next_free;
        return request;
    }
    request = calloc(1, sizeof(*request));
    if (request == NULL)
        return NULL;
    request->sim = sim;
    buf_init(&request->target, PLATFORM_TARGET_MAX);
    buf_init(&request->body, PLATFORM_BODY_MAX + 1); /* a byte behind it, for cJSON */
    buf_init(&request->answer.body, PLATFORM_ANSWER_MAX);
    return request;
}

static void request_give_back(struct request *request)
{
    buf_clear(&request->target);
    buf_clear(&request->body);
    request->discarded = 0;
    request->begun = false;
    request->judged = false;
    request->connection = NULL;
    request->next_free = request->sim->free_requests;
    request->sim->free_requests = request;
}

void requests_free(struct sim *sim)
{
    while (sim->free_requests != NULL) {
        struct request *request = sim->free_requests;
        sim->free_requests = request->next_free;
        buf_deinit(&request->target);
        buf_deinit(&request->body);
        buf_deinit(&request->answer.body);
        free(request);
    }
}

/* Judging: what becomes of a request. */

static void count_refusal(struct sim_stats *stats, int64_t number)
{
    for (size_t i = 0; i < stats->refused_count; i++) {
        if (stats->refused[i].number == number) {
            stats->refused[i].count++;
            return;
        }
    }
    if (stats->refused_count == SIM_ERRNOS_MAX) {
        stats->refused_others++;
        return;
    }
    stats->refused[stats->refused_count].number = number;
    stats->refused[stats->refused_count++].count = 1;
}

static void count_request(struct sim *sim, const struct platform_answer *answer, bool fault,
                          bool audit_lost)
{
    (void)pthread_mutex_lock(&sim->stats_mutex);
    sim->stats.requests++;
    sim->stats.accepted += answer->processed ? 1 : 0;
    sim->stats.faults += fault ? 1 : 0;
    sim->stats.audit_lost += audit_lost ? 1 : 0;
    if (answer->has_errno && answer->platform_errno != 0)
        count_refusal(&sim->stats, answer->platform_errno);
    (void)pthread_mutex_unlock(&sim->stats_mutex);
}

/* The imei as it is in the query, also of requests that were not looked at. */
static struct span find_imei(struct sim *sim, struct span query)
{
    struct query_pair pair;

    buf_clear(&sim->scratch);
    if (query.len == 0 || !buf_reserve(&sim->scratch, query.len))
        return span_of("", 0);
    while (query_next(&query, &sim->scratch, &pair) == STATUS_OK)
        if (span_is(pair.name, param_rules[PARAM_IMEI].name))
            return pair.value;
    return span_of("", 0);
}

static enum status write_audit(struct sim *sim, const struct request *request, const char *method,
                               const struct call *call, const struct fault *fault)
{
    const struct platform_answer *answer = &request->answer;
    struct audit_entry entry = {
        .number = sim->request_count,
        .time_ms = wall_ms(),
        .method = span_string(method),
        .target = buf_span(&request->target),
        .body = buf_span(&request->body),
        .action = call->kind == CALL_COMMAND ? action_rules[call->action].name : NULL,
        .imei = find_imei(sim, call->query),
        .processed = answer->processed,
        .uuid = answer->uuid[0] != '\0' ? answer->uuid : NULL,
        .has_errno = answer->has_errno,
        .platform_errno = answer->platform_errno,
        .http = answer->http,
        .fault = fault != NULL ? fault->name : NULL,
    };
    return audit_write(&sim->audit, &entry);
}

static void empty_answer(const struct sim *sim, struct platform_answer *answer)
{
    *answer = (struct platform_answer){.dialect = sim->auth.dialect, .body = answer->body};
    buf_clear(&answer->body);
}

/* What a call meets: the limit, or a fault. */
static const struct fault *find_fault(struct sim *sim)
{
    if (sim->limit.per_s > 0 && !limit_takes(&sim->limit, clock_ns(CLOCK_MONOTONIC)))
        return &sim->limit.refusal;
    return faults_draw(&sim->faults, &sim->fault_chance);
}

/* Lets the platform answer, a fault bend the answer, and writes it all down. */
static void judge(struct request *request, const char *method, struct call *ret_call)
{
    struct sim *sim = request->sim;
    struct platform_request asked = {.body = buf_span(&request->body),
                                     .body_too_big = request->discarded > 0};
    const struct fault *fault = NULL;
    enum status status = STATUS_OK;

    sim->request_count++;
    call_parse(sim->auth.dialect, span_string(method), buf_span(&request->target), &asked.call);
    if (asked.call.kind < CALL_WRONG_METHOD)
        fault = find_fault(sim);
    asked.api_key = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "api-key");
    asked.authorization =
        MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Authorization");
    if (fault == NULL || fault->kind->processed)
        status = platform_answer(&sim->platform, &asked, wall_ms(), &request->answer);
    else
        empty_answer(sim, &request->answer);
    verdict_make(&request->verdict, &request->answer, fault);
    if (status != STATUS_OK || request->answer.body.status != STATUS_OK) {
        request->verdict.ending = ENDING_CLOSE; /* no memory for an answer */
        request->answer.http = 0;
    }
    bool lost = audit_is_on(&sim->audit) &&
                write_audit(sim, request, method, &asked.call, fault) != STATUS_OK;
    count_request(sim, &request->answer, fault != NULL, lost);
    request->judged = true;
    *ret_call = asked.call;
}

/* Holding back: answers that come later, or never. */

static void watch(struct request *request)
{
    struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = request};
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    request->watched = info != NULL && epoll_ctl(request->sim->watch_fd, EPOLL_CTL_ADD,
                                                 info->connect_fd, &event) == 0;
}

static void unwatch(struct request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    if (request->watched && info != NULL)
        (void)epoll_ctl(request->sim->watch_fd, EPOLL_CTL_DEL, info->connect_fd, NULL);
    request->watched = false;
}

/* False: it could not be, and the answer goes out at once. */
static bool hold_back(struct request *request, int64_t delay_ns)
{
    struct sim *sim = request->sim;
    bool silent = request->verdict.ending == ENDING_SILENT;

    if (!silent &&
        delay_add(&sim->delays, &request->delay, clock_ns(CLOCK_MONOTONIC) + delay_ns) != STATUS_OK)
        return false;
    if (silent || delay_ns >= WATCH_FROM_MS * NS_PER_MS)
        watch(request);
    request->held = true;
    request->held_before = NULL;
    request->held_next = sim->held;
    if (sim->held != NULL)
        sim->held->held_before = request;
    sim->held = request;
    MHD_suspend_connection(request->connection);
    return true;
}

void request_release(struct request *request)
{
    struct sim *sim = request->sim;

    delay_remove(&sim->delays, &request->delay);
    unwatch(request);
    if (request->held_before != NULL)
        request->held_before->held_next = request->held_next;
    else
        sim->held = request->held_next;
    if (request->held_next != NULL)
        request->held_next->held_before = request->held_before;
    request->held = false;
    MHD_resume_connection(request->connection); /* MHD calls request_take again */
}

void requests_release_due(struct sim *sim)
{
    struct delay *delay;

    if (sim->delays.count == 0)
        return;
    int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    while ((delay = delay_take(&sim->delays, now_ns)) != NULL)
        request_release(
            (struct request *)(void *)((char *)delay - offsetof(struct request, delay)));
}

/* Gives up the answers whose clients have gone. */
void requests_release_gone(struct sim *sim)
{
    struct epoll_event events[WATCH_EVENTS];
    int count = epoll_wait(sim->watch_fd, events, WATCH_EVENTS, 0);

    for (int i = 0; i < count; i++) {
        struct request *request = events[i].data.ptr;
        request->verdict.ending = ENDING_CLOSE;
        request_release(request);
    }
}

/* Answering, in the terms of libmicrohttpd. */

static enum MHD_Result queue(struct request *request, struct MHD_Response *response,
                             const char *allow)
{
    enum MHD_Result result = MHD_NO;

    if (response == NULL)
        return MHD_NO;
    const char *type = request->verdict.json ? "application/json" : "text/html";
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
        (!request->verdict.retry_after ||
         MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1") == MHD_YES) &&
        (allow == NULL ||
         MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow) == MHD_YES))
        result = MHD_queue_response(request->connection, request->answer.http, response);
    MHD_destroy_response(response);
    return result;
}

/* Half of the body, then an error: MHD closes the connection. */
static ssize_t read_half(void *context, uint64_t at, char *out, size_t max)
{
    const struct buf *body = &((const struct request *)context)->answer.body;
    size_t half = body->len / 2;

    if (at >= half)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t len = half - (size_t)at < max ? half - (size_t)at : max;
    memcpy(out, body->ptr + at, len);
    return (ssize_t)len;
}

/* Disconnecting a TCP socket sends RST at once; with SO_LINGER alone, MHD's shutdown() would send a
 * FIN before it. */
static void reset_connection(struct MHD_Connection *connection)
{
    const struct sockaddr unspecified = {.sa_family = AF_UNSPEC};
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    if (info != NULL)
        (void)connect(info->connect_fd, &unspecified, sizeof(unspecified));
}

/* MHD_NO closes the connection. */
static enum MHD_Result conclude(struct request *request, const char *allow)
{
    struct buf *body = &request->answer.body;

    switch (request->verdict.ending) {
    case ENDING_ANSWER:
        return queue(request,
                     MHD_create_response_from_buffer(body->len, body->ptr, MHD_RESPMEM_PERSISTENT),
                     allow);
    case ENDING_CUT:
        return queue(request,
                     MHD_create_response_from_callback(body->len, body->len, read_half, request,
                                                       NULL),
                     allow);
    case ENDING_RESET:
        reset_connection(request->connection);
        break;
    case ENDING_CLOSE:
    case ENDING_SILENT:
        break;
    }
    return MHD_NO;
}

/* Called with the first line; the result becomes the request's context. */
void *request_begin(void *context, const char *target, struct MHD_Connection *connection)
{
    struct request *request = new_request(context);

    if (request == NULL)
        return NULL;
    request->connection = connection;
    buf_add_string(&request->target, target);
    return request;
}

static bool take_body(struct request *request, const char *bytes, size_t len)
{
    if (request->discarded == 0 && len <= PLATFORM_BODY_MAX - request->body.len) {
        buf_add_bytes(&request->body, bytes, len);
        return request->body.status == STATUS_OK && buf_reserve(&request->body, 1);
    }
    request->discarded += len;
    return request->discarded <= DISCARDED_BODY_MAX;
}

/*
 * Called with the headers, with each part of the body, at the end of the request, and once more
 * when an answer that was held back is due.
 */
enum MHD_Result request_take(void *context, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *upload,
                             size_t *upload_len, void **request_context)
{
    struct request *request = *request_context;
    struct sim *sim = context;
    struct call call;

    (void)connection;
    (void)url;
    (void)version;
    if (request == NULL || request->target.status != STATUS_OK || sim->draining)
        return MHD_NO;
    if (!request->begun) {
        request->begun = true;
        return MHD_YES;
    }
    if (*upload_len > 0) {
        bool taken = take_body(request, upload, *upload_len);
        *upload_len = 0;
        return taken ? MHD_YES : MHD_NO;
    }
    if (request->judged)
        return conclude(request, NULL);
    judge(request, method, &call);
    int64_t delay_ns = request->verdict.extra_delay_ms * NS_PER_MS;
    if (call.kind == CALL_COMMAND)
        delay_ns += latency_draw(&sim->latency, &sim->latency_chance) * 1000;
    if ((delay_ns > 0 || request->verdict.ending == ENDING_SILENT) && hold_back(request, delay_ns))
        return MHD_YES;
    return conclude(request, call.allow);
}

void request_end(void *context, struct MHD_Connection *connection, void **request_context,
                 enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)connection;
    (void)code;
    if (*request_context != NULL)
        request_give_back(*request_context);
    *request_context = NULL;
}
