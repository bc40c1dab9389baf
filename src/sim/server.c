#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "sim/server.h"

#include "platform/device.h"
#include "sim/audit.h"
#include "sim/delay.h"
#include "sim/push.h"
#include "sim/setup.h"
#include "sim/state.h"
#include "sim/verdict.h"

enum {
    CONNECTION_MEMORY = 8 * 1024,          /* MHD clears it for each request: 32 KiB cost 2 µs */
    DISCARDED_BODY_MAX = 16 * 1024 * 1024, /* of a body that is too big anyway */
    /* An answer that is held back longer is given up when its client goes. Shorter ones are not
     * worth two system calls. */
    WATCH_FROM_MS = 1000,
    WATCH_EVENTS = 64,
    DEVICE_STEPS = 1000, /* of all devices, between two looks at requests */
};

static const int64_t NS_PER_MS = 1000 * 1000;

/* The second generator's seed differs, so that latency takes nothing from the faults' numbers. */
static const uint64_t LATENCY_SEED = 0x6c6174656e6379;

/* A request from its first line to the end of its answer. */
struct request {
    struct sim *sim;
    struct MHD_Connection *connection;
    struct request *next_free;
    struct request *held_before, *held_next; /* in sim->held, while held back */
    struct buf target, body;
    uint64_t discarded; /* bytes of the body beyond its maximum */
    bool begun, judged, held, watched;
    struct platform_answer answer;
    struct verdict verdict;
    struct delay delay;
};

struct sim {
    struct MHD_Daemon *daemon;
    struct sockaddr_storage bound;
    pthread_t thread;
    atomic_bool stopping;
    int wake_fd;  /* an eventfd: sim_stop speaks */
    int watch_fd; /* an epoll of clients whose answers are held back; -1: none can be */
    struct auth auth;
    uint64_t seed;
    char *state_file; /* owned; NULL: none */

    /* Of the thread alone. */
    struct platform platform;
    struct faults faults;
    struct limit limit;
    struct latency latency;
    struct prng fault_chance, latency_chance;
    struct audit audit;
    struct push push;
    uint64_t request_count;
    struct buf scratch;
    struct request *free_requests;
    struct request *held;
    struct delay_queue delays;
    bool draining; /* the thread ends: no request is taken any more */

    pthread_mutex_t stats_mutex;
    struct sim_stats stats;
};

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}

static int64_t wall_ms(void)
{
    return clock_ns(CLOCK_REALTIME) / NS_PER_MS;
}

/* Requests: one for each connection at most, used again and again. */

static struct request *request_take(struct sim *sim)
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

static void request_free(struct request *request)
{
    buf_deinit(&request->target);
    buf_deinit(&request->body);
    buf_deinit(&request->answer.body);
    free(request);
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

/* The imei as it stands in the query, also of requests that were not looked at. */
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

static void release(struct request *request)
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
    MHD_resume_connection(request->connection); /* MHD calls take_request again */
}

static void release_due(struct sim *sim)
{
    struct delay *delay;

    if (sim->delays.count == 0)
        return;
    int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    while ((delay = delay_take(&sim->delays, now_ns)) != NULL)
        release((struct request *)(void *)((char *)delay - offsetof(struct request, delay)));
}

/* Gives up the answers whose clients have gone. */
static void release_gone(struct sim *sim)
{
    struct epoll_event events[WATCH_EVENTS];
    int count = epoll_wait(sim->watch_fd, events, WATCH_EVENTS, 0);

    for (int i = 0; i < count; i++) {
        struct request *request = events[i].data.ptr;
        request->verdict.ending = ENDING_CLOSE;
        release(request);
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
static void *begin_request(void *context, const char *target, struct MHD_Connection *connection)
{
    struct request *request = request_take(context);

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
static enum MHD_Result take_request(void *context, struct MHD_Connection *connection,
                                    const char *url, const char *method, const char *version,
                                    const char *upload, size_t *upload_len, void **request_context)
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

static void end_request(void *context, struct MHD_Connection *connection, void **request_context,
                        enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)connection;
    (void)code;
    if (*request_context != NULL)
        request_give_back(*request_context);
    *request_context = NULL;
}

/* The query is decoded in call.c, where a bad one can be refused: leave MHD's copy alone. */
static size_t unescape_nothing(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

/* The thread. */

/* How long the thread may sleep: until the next answer is due, or what MHD says. */
static struct timespec sleep_time(struct sim *sim)
{
    unsigned long long mhd_ms = 0;
    int64_t sleep_ns = (int64_t)SIM_IDLE_TIMEOUT_S * 1000 * NS_PER_MS;

    if (MHD_get_timeout(sim->daemon, &mhd_ms) == MHD_YES &&
        mhd_ms < (unsigned long long)SIM_IDLE_TIMEOUT_S * 1000)
        sleep_ns = (int64_t)mhd_ms * NS_PER_MS;
    if (sim->delays.count > 0) {
        int64_t due_ns = delay_next(&sim->delays) - clock_ns(CLOCK_MONOTONIC);
        sleep_ns = due_ns < 0 ? 0 : due_ns < sleep_ns ? due_ns : sleep_ns;
    }
    int64_t next_ms = devices_next(&sim->platform.devices);
    if (next_ms != INT64_MAX) {
        int64_t left_ms = next_ms - wall_ms();
        if (left_ms < sleep_ns / NS_PER_MS)
            sleep_ns = left_ms > 0 ? left_ms * NS_PER_MS : 0;
    }
    return (struct timespec){.tv_sec = sleep_ns / (1000 * NS_PER_MS),
                             .tv_nsec = sleep_ns % (1000 * NS_PER_MS)};
}

static void wait_for_work(struct sim *sim)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(sim->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct pollfd fds[] = {{.fd = info->epoll_fd, .events = POLLIN},
                           {.fd = sim->wake_fd, .events = POLLIN},
                           {.fd = sim->watch_fd, .events = POLLIN}}; /* poll passes -1 over */
    struct timespec timeout = sleep_time(sim);

    if (ppoll(fds, ARRAY_LENGTH(fds), &timeout, NULL) > 0 && fds[2].revents != 0)
        release_gone(sim);
}

static void *serve(void *context)
{
    struct sim *sim = context;

    while (!atomic_load(&sim->stopping)) {
        wait_for_work(sim);
        release_due(sim);
        devices_advance(&sim->platform.devices, wall_ms(), DEVICE_STEPS);
        (void)MHD_run(sim->daemon);
    }
    /* MHD cannot stop while connections are suspended. Requests that come in meanwhile are closed
     * too, lest they be held back in their turn. */
    sim->draining = true;
    while (sim->held != NULL)
        release(sim->held);
    (void)MHD_run(sim->daemon);
    return NULL;
}

static bool start_thread(struct sim *sim)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    bool started = pthread_create(&sim->thread, NULL, serve, sim) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* Writes down what has become of a command at its device. */
static void note_event(void *context, uint64_t imei, const struct store_command *command)
{
    struct sim *sim = context;
    const struct command_life *life = &command->life;
    char device[DEVICE_TEXT_MAX + 1], uuid[UUID_LENGTH + 1];

    if (command_life_has_ended(life))
        push_send(&sim->push, imei, command);
    if (!audit_is_on(&sim->audit))
        return;
    device_write(imei, device);
    uuid_format(command->uuid, uuid);
    bool lost =
        audit_write_event(&sim->audit, device, uuid,
                          life->send_status == SEND_SENT ? life->sent_ms : life->confirmed_ms,
                          life) != STATUS_OK;
    (void)pthread_mutex_lock(&sim->stats_mutex);
    sim->stats.audit_lost += lost ? 1 : 0;
    (void)pthread_mutex_unlock(&sim->stats_mutex);
}

/* Starting and stopping. */

static struct MHD_Daemon *start_daemon(struct sim *sim, int listen_fd, bool holds_back)
{
    unsigned flags = MHD_USE_EPOLL | MHD_USE_SUPPRESS_DATE_NO_CLOCK;

    flags |= holds_back ? MHD_ALLOW_SUSPEND_RESUME : 0;
    flags |= sim->bound.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0;
    return MHD_start_daemon(flags, 0, NULL, NULL, take_request, sim, MHD_OPTION_LISTEN_SOCKET,
                            listen_fd, MHD_OPTION_CONNECTION_LIMIT,
                            setup_connection_limit(SIM_CONNECTIONS_MAX),
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SIM_IDLE_TIMEOUT_S,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
                            MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
                            MHD_OPTION_URI_LOG_CALLBACK, begin_request, sim,
                            MHD_OPTION_NOTIFY_COMPLETED, end_request, NULL,
                            MHD_OPTION_UNESCAPE_CALLBACK, unescape_nothing, NULL, MHD_OPTION_END);
}

static enum status open_network(struct sim *sim, const struct sim_config *config,
                                struct buf *message)
{
    bool holds_back = !latency_is_zero(&config->latency) || faults_hold_back(&config->faults);
    int listen_fd = -1;
    enum status status = setup_listen(&config->address, message, &listen_fd, &sim->bound);

    if (status != STATUS_OK)
        return status;
    sim->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (holds_back)
        sim->watch_fd = epoll_create1(EPOLL_CLOEXEC);
    if (sim->wake_fd >= 0 && (!holds_back || sim->watch_fd >= 0))
        sim->daemon = start_daemon(sim, listen_fd, holds_back);
    if (sim->daemon != NULL && start_thread(sim))
        return STATUS_OK;
    if (sim->daemon == NULL)
        (void)close(listen_fd); /* else the daemon's */
    buf_add_format(message, "the simulator's server cannot start: %s", strerror(errno));
    return STATUS_NETWORK;
}

static enum status choose_seed(struct sim *sim, const struct sim_config *config)
{
    sim->seed = config->seed;
    if (!config->has_seed &&
        getrandom(&sim->seed, sizeof(sim->seed), 0) != (ssize_t)sizeof(sim->seed))
        return STATUS_IO;
    sim->fault_chance.state = sim->seed;
    sim->latency_chance.state = sim->seed ^ LATENCY_SEED;
    return STATUS_OK;
}

/* Frees what does not need the thread. */
static void sim_free(struct sim *sim)
{
    if (sim->daemon != NULL)
        MHD_stop_daemon(sim->daemon);
    if (sim->wake_fd >= 0)
        (void)close(sim->wake_fd);
    if (sim->watch_fd >= 0)
        (void)close(sim->watch_fd);
    while (sim->free_requests != NULL) {
        struct request *request = sim->free_requests;
        sim->free_requests = request->next_free;
        request_free(request);
    }
    audit_close(&sim->audit);
    push_close(&sim->push);
    platform_deinit(&sim->platform);
    delay_queue_deinit(&sim->delays);
    buf_deinit(&sim->scratch);
    auth_deinit(&sim->auth);
    free(sim->state_file);
    (void)pthread_mutex_destroy(&sim->stats_mutex);
    free(sim);
}

static struct sim *sim_new(const struct sim_config *config)
{
    struct sim *sim = calloc(1, sizeof(*sim));

    if (sim == NULL)
        return NULL;
    sim->wake_fd = -1;
    sim->watch_fd = -1;
    sim->audit.fd = -1;
    sim->faults = config->faults;
    sim->limit = config->limit;
    limit_begin(&sim->limit, clock_ns(CLOCK_MONOTONIC));
    sim->latency = config->latency;
    atomic_init(&sim->stopping, false);
    buf_init(&sim->scratch, PLATFORM_TARGET_MAX);
    delay_queue_init(&sim->delays);
    if (pthread_mutex_init(&sim->stats_mutex, NULL) != 0) {
        free(sim);
        return NULL;
    }
    return sim;
}

/* Its thread must not take the process's signals. */
static enum status open_push(struct sim *sim, const struct sim_config *config, struct buf *message)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return STATUS_IO;
    enum status status = push_open(&sim->push, config->push_target, message);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

static enum status start_platform(struct sim *sim, const struct sim_config *config,
                                  struct buf *message)
{
    struct platform_options options = {.queue_limit = config->queue_limit,
                                       .overwrites = config->overwrites,
                                       .max_commands = config->max_commands,
                                       .lag_ms = config->lag_ms,
                                       .devices = config->devices};

    options.devices.seed = sim->seed;
    enum status status = platform_init(&sim->platform, &options, &sim->auth);
    sim->platform.devices.event = note_event;
    sim->platform.devices.context = sim;
    if (status != STATUS_OK || config->state_file == NULL)
        return status;
    sim->state_file = strdup(config->state_file);
    if (sim->state_file == NULL)
        return STATUS_NO_MEMORY;
    return state_load(&sim->platform, sim->state_file, wall_ms(), message);
}

enum status sim_start(const struct sim_config *config, struct buf *message, struct sim **ret_sim)
{
    struct sim *sim = sim_new(config);
    enum status status;

    if (sim == NULL)
        return STATUS_NO_MEMORY;
    status = auth_load(&sim->auth, config, message);
    if (status == STATUS_OK)
        status = choose_seed(sim, config);
    if (status == STATUS_OK)
        status = start_platform(sim, config, message);
    if (status == STATUS_OK)
        status = audit_open(&sim->audit, config->audit_file, message);
    if (status == STATUS_OK)
        status = open_push(sim, config, message);
    if (status == STATUS_OK)
        status = open_network(sim, config, message);
    if (status != STATUS_OK) {
        sim_free(sim);
        return status;
    }
    *ret_sim = sim;
    return STATUS_OK;
}

static void end_thread(struct sim *sim)
{
    const uint64_t one = 1;

    if (atomic_exchange(&sim->stopping, true))
        return;
    if (write(sim->wake_fd, &one, sizeof(one)) < 0) {
        /* Only a full counter refuses, and that wakes the thread too. */
    }
    (void)pthread_join(sim->thread, NULL);
}

enum status sim_finish(struct sim *sim, struct buf *message)
{
    end_thread(sim);
    return sim->state_file != NULL ? state_save(&sim->platform, sim->state_file, message)
                                   : STATUS_OK;
}

void sim_stop(struct sim *sim)
{
    if (sim == NULL)
        return;
    end_thread(sim);
    sim_free(sim);
}

uint16_t sim_port(const struct sim *sim)
{
    return ntohs(((const struct sockaddr_in *)(const void *)&sim->bound)->sin_port);
}

void sim_url(const struct sim *sim, char *out, size_t size)
{
    struct buf address;

    buf_init(&address, 128);
    setup_add_address(&sim->bound, &address);
    (void)snprintf(out, size, "http://%s", buf_string(&address));
    buf_deinit(&address);
}

uint64_t sim_seed(const struct sim *sim)
{
    return sim->seed;
}

void sim_stats(struct sim *sim, struct sim_stats *ret_stats)
{
    (void)pthread_mutex_lock(&sim->stats_mutex);
    *ret_stats = sim->stats;
    (void)pthread_mutex_unlock(&sim->stats_mutex);
}

double sim_cpu_s(const struct sim *sim)
{
    struct timespec time;
    clockid_t clock;

    if (sim == NULL || pthread_getcpuclockid(sim->thread, &clock) != 0 ||
        clock_gettime(clock, &time) != 0)
        return 0;
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}
