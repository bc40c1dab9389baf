/*
 * The transport against a peer that answers anything: several requests over the same places and
 * connections, so that what one answer leaves behind meets the next.
 *
 * The first byte of an input says how many requests are in flight (1 … 4). The rest are answers,
 * each up to a byte 0xff: the n-th one goes to the n-th request that the peer reads; those that are
 * left over get a good one. A byte 0xfe in an answer ends a segment, 0xfd sends the end of the
 * stream, and 0xfc what follows without waiting for a request, as an answer to nobody.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/transport.h"

enum { REQUESTS = 8, CONNECTIONS_MAX = 64, TURNS_MAX = 400, PATIENCE = 3 };

#define CHECK(condition)                                                      \
    do {                                                                      \
        if (!(condition)) {                                                   \
            (void)fprintf(stderr, "line %d: not %s\n", __LINE__, #condition); \
            abort();                                                          \
        }                                                                     \
    } while (0)

struct connection {
    int fd;
    bool ended; /* we have sent the end of the stream */
    char request[2048];
    size_t len;
};

static struct fuzz {
    uv_loop_t loop;
    struct endpoint endpoint;
    struct transport *transport;
    int listener;
    struct connection connections[CONNECTIONS_MAX];
    size_t connection_count;
    const uint8_t *answers;
    size_t left;
    struct attempt {
        char target[32];
        unsigned done;
        unsigned seen; /* by the peer */
        enum answer_state state;
    } attempts[REQUESTS];
    size_t started, finished;
    bool progress;
} fuzz;

static const char good[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
    "\r\n{}";

static void start_next(void);

static void on_done(void *context, const struct answer *answer)
{
    struct attempt *attempt = context;

    CHECK(attempt->done++ == 0);
    attempt->state = answer->state;
    fuzz.finished++;
    fuzz.progress = true;
    CHECK(answer->state == ANSWER_NOT_SENT || answer->state == ANSWER_IN_DOUBT ||
          answer->state == ANSWER_ANSWERED);
    CHECK((answer->state == ANSWER_ANSWERED) ==
          (answer->http_status >= 200 && answer->http_status < 600));
    CHECK(answer->state == ANSWER_ANSWERED || answer->http_status == 0);
    CHECK(!answer->hopeless);
    CHECK(answer->body.len <= TRANSPORT_BODY_MAX);
    CHECK(answer->body.len == 0 || answer->body.ptr[answer->body.len] == '\0');
    CHECK(answer->detail.len > 0 && answer->latency_us >= 0);
    CHECK(answer->has_retry_after || answer->retry_after_ms == -1);
    if (answer->http_status == 299)
        transport_distrust(fuzz.transport);
    start_next();
}

static void start_next(void)
{
    if (fuzz.started == REQUESTS)
        return;
    struct attempt *attempt = &fuzz.attempts[fuzz.started++];
    (void)snprintf(attempt->target, sizeof(attempt->target), "/nbiot?imei=%zu", fuzz.started);
    static const enum method methods[] = {METHOD_GET, METHOD_POST, METHOD_PUT};
    enum method method = methods[fuzz.started % ARRAY_LENGTH(methods)];
    struct transport_request request = {
        .method = method,
        .target = span_string(attempt->target),
        .body = method == METHOD_POST ? SPAN_LITERAL("{}") : SPAN_LITERAL(""),
    };
    if (transport_start(fuzz.transport, &request, on_done, attempt) != STATUS_OK)
        abort();
}

static void set_up(size_t concurrency)
{
    static uint32_t address = 0x7f000002; /* another one each time: ports are used up otherwise */
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(address)}};
    socklen_t len = sizeof(name);
    struct buf message;
    char url[64], host[INET_ADDRSTRLEN];
    static struct credentials credentials;

    address = address >= 0x7ffffff0 ? 0x7f000002 : address + 1;
    fuzz = (struct fuzz){.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)};
    CHECK(bind(fuzz.listener, (struct sockaddr *)&name, len) == 0);
    CHECK(listen(fuzz.listener, CONNECTIONS_MAX) == 0);
    CHECK(getsockname(fuzz.listener, (struct sockaddr *)&name, &len) == 0);
    CHECK(inet_ntop(AF_INET, &name.sin_addr, host, sizeof(host)) != NULL);
    (void)snprintf(url, sizeof(url), "http://%s:%d", host, ntohs(name.sin_port));
    buf_init(&message, 4096);
    CHECK(endpoint_parse(url, &message, &fuzz.endpoint) == STATUS_OK);
    CHECK(uv_loop_init(&fuzz.loop) == 0);
    const struct transport_options options = {.endpoint = &fuzz.endpoint,
                                              .credentials = &credentials,
                                              .concurrency = concurrency,
                                              .connect_timeout_ms = 60000,
                                              .request_timeout_ms = 60000};
    CHECK(transport_open(&fuzz.loop, &options, &message, &fuzz.transport) == STATUS_OK);
    buf_deinit(&message);
}

static void tear_down(void)
{
    transport_close(fuzz.transport);
    (void)uv_run(&fuzz.loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&fuzz.loop) == 0);
    endpoint_deinit(&fuzz.endpoint);
    for (size_t i = 0; i < fuzz.connection_count; i++)
        (void)close(fuzz.connections[i].fd);
    (void)close(fuzz.listener);
}

static void say(struct connection *connection, const void *bytes, size_t len)
{
    if (!connection->ended && len > 0)
        (void)!send(connection->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void end_stream(struct connection *connection)
{
    (void)shutdown(connection->fd, SHUT_WR);
    connection->ended = true;
}

/* Sends what stands there up to a mark, and returns the mark. */
static uint8_t say_segment(struct connection *connection)
{
    const uint8_t *begin = fuzz.answers;
    uint8_t mark = 0xff;

    while (fuzz.left > 0 && *fuzz.answers < 0xfc) {
        fuzz.answers++;
        fuzz.left--;
    }
    say(connection, begin, (size_t)(fuzz.answers - begin));
    if (fuzz.left > 0) {
        mark = *fuzz.answers++;
        fuzz.left--;
    }
    return mark;
}

/* The next answer of the input, or a good one. */
static void answer(struct connection *connection)
{
    if (fuzz.left == 0) {
        say(connection, good, strlen(good));
        return;
    }
    for (;;) {
        uint8_t mark = say_segment(connection);
        if (mark == 0xff)
            return;
        if (mark == 0xfd)
            end_stream(connection);
        for (int turn = 0; turn < 3; turn++) /* the client reads it by itself */
            (void)uv_run(&fuzz.loop, UV_RUN_NOWAIT);
    }
}

/* Notes which request this is: none comes twice, whatever was answered. */
static void take_request(struct connection *connection)
{
    const char *imei = strstr(connection->request, "imei=");
    unsigned long number = imei != NULL ? strtoul(imei + 5, NULL, 10) : 0;

    CHECK(number >= 1 && number <= REQUESTS);
    CHECK(fuzz.attempts[number - 1].seen++ == 0);
    connection->len = 0;
    fuzz.progress = true;
    answer(connection);
}

static void serve(struct connection *connection)
{
    char *to = connection->request + connection->len;
    ssize_t got =
        recv(connection->fd, to, sizeof(connection->request) - 1 - connection->len, MSG_DONTWAIT);

    if (got <= 0)
        return;
    connection->len += (size_t)got;
    connection->request[connection->len] = '\0';
    const char *end = strstr(connection->request, "\r\n\r\n");
    bool is_post = strncmp(connection->request, "POST", 4) == 0;
    if (end != NULL && (!is_post || strcmp(end + 4, "{}") == 0))
        take_request(connection);
}

static void serve_all(void)
{
    int fd;

    while (fuzz.connection_count < CONNECTIONS_MAX &&
           (fd = accept(fuzz.listener, NULL, NULL)) >= 0) {
        fuzz.connections[fuzz.connection_count++] = (struct connection){.fd = fd};
        fuzz.progress = true;
    }
    for (size_t i = 0; i < fuzz.connection_count; i++)
        serve(&fuzz.connections[i]);
}

static void run(void)
{
    int quiet = 0;

    for (int turn = 0; turn < TURNS_MAX && fuzz.finished < REQUESTS; turn++) {
        fuzz.progress = false;
        (void)uv_run(&fuzz.loop, UV_RUN_NOWAIT);
        serve_all();
        quiet = fuzz.progress ? 0 : quiet + 1;
        if (quiet >= PATIENCE) { /* what is there of an answer is all of it */
            for (size_t i = 0; i < fuzz.connection_count; i++)
                end_stream(&fuzz.connections[i]);
            quiet = 0;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t concurrency = size > 0 ? data[0] % 4 + 1u : 1;

    (void)signal(SIGPIPE, SIG_IGN);
    set_up(concurrency);
    fuzz.answers = size > 0 ? data + 1 : data;
    fuzz.left = size > 0 ? size - 1 : 0;
    for (size_t i = 0; i < concurrency; i++)
        start_next();
    run();
    if (fuzz.finished < fuzz.started) {
        fuzz.started = REQUESTS;
        transport_abort(fuzz.transport);
        (void)uv_run(&fuzz.loop, UV_RUN_DEFAULT);
    }
    for (size_t i = 0; i < REQUESTS; i++) {
        const struct attempt *attempt = &fuzz.attempts[i];
        CHECK(attempt->done == (attempt->target[0] != '\0'));
        CHECK(attempt->seen == 0 || attempt->state != ANSWER_NOT_SENT);
    }
    tear_down();
    return 0;
}
