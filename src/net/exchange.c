#include "net/exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

/*
 * What an attempt came to is decided by how far it came: libcurl calls on_prereq when the request
 * is about to leave, and on_header for each line of the answer. on_prereq has the two guards that
 * all else rests on (README.md, sections 2 and 4). It counts its calls: a second one in the same
 * attempt is libcurl sending the request again by itself. And it asks sockets_begin whether the
 * connection may carry a request; where it may not, nothing has left, and the attempt goes out
 * again over a new connection. Everything behind is words: exchange_answer turns state, code and
 * bytes into a struct answer, and never decides by the code alone.
 *
 * An answer that may be for no request (400 and 408) forbids its connection at once, in on_header:
 * libcurl may take a connection for the next request before it tells of the end of this one.
 */

/*
 * The negative control of the resend guard: the tests build a second binary in which this is
 * defined, and see the duplicates that the guard prevents. The product has no such switch.
 */
#ifndef NBATCH_TEST_WITHOUT_RESEND_GUARD
enum { REQUESTS_PER_ATTEMPT = 1 };
#else
enum { REQUESTS_PER_ATTEMPT = 1000 };
#endif

enum answer_state exchange_state(unsigned prereq_calls, bool headers_complete)
{
    if (prereq_calls == 0)
        return ANSWER_NOT_SENT;
    return headers_complete ? ANSWER_ANSWERED : ANSWER_IN_DOUBT;
}

bool exchange_is_hopeless(CURLcode code)
{
    switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_NOT_BUILT_IN:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return true;
    default:
        return false;
    }
}

void exchange_stop_connecting(struct exchange *exchange, enum connected connected)
{
    struct connecting *connecting = exchange->connecting;

    if (connecting == NULL)
        return;
    exchange->connecting = NULL;
    connecting->count--;
    if (connected == CONNECTED_NOT)
        connecting->room = CONNECTING_MIN;
    else if (connected == CONNECTED_NEW && connecting->room < CONNECTING_MAX)
        connecting->room++;
}

/*
 * The negative control of a request's time: the tests build another binary in which this is defined
 * (as in ledger/share/record.c), and see what a worker that stood still then sends twice. The
 * product has no such switch.
 */
#ifdef NBATCH_TEST_WITHOUT_FENCE
enum { HAS_FENCE = false };
#else
enum { HAS_FENCE = true };
#endif

/* The last moment at which it can be seen that a request's time is over. */
static bool is_too_late(const struct exchange *exchange)
{
    struct timespec now;

    if (exchange->before_ns == 0 || !HAS_FENCE)
        return false;
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec >= exchange->before_ns;
}

/* The connection is ready and the request is about to leave. It leaves once, in its time, and over
 * no connection on which something waits to be read. */
static int on_prereq(void *context, char *ip, char *local_ip, int port, int local_port)
{
    struct exchange *exchange = context;
    const struct sockets_ends ends = {local_ip, ip, local_port, port};

    exchange->is_late = exchange->prereq_calls == 0 && is_too_late(exchange);
    if (exchange->is_late)
        return CURL_PREREQFUNC_ABORT;
    if (exchange->prereq_calls < REQUESTS_PER_ATTEMPT) {
        enum sockets_use use = sockets_begin(exchange->sockets, &ends, &exchange->connection);
        exchange->reused = use != SOCKETS_FRESH;
        exchange->spoiled = use == SOCKETS_SPOILED;
        exchange_stop_connecting(exchange, exchange->reused ? CONNECTED_BEFORE : CONNECTED_NEW);
        if (exchange->spoiled)
            return CURL_PREREQFUNC_ABORT;
    }
    exchange->prereq_calls++;
    return exchange->prereq_calls > REQUESTS_PER_ATTEMPT ? CURL_PREREQFUNC_ABORT
                                                         : CURL_PREREQFUNC_OK;
}

/* README.md, "400 and 408". HTTP/2 tells whose an answer is. */
bool exchange_may_be_unasked(const struct exchange *exchange)
{
    return (exchange->head.status == 400 || exchange->head.status == 408) &&
           !exchange->head.multiplexed;
}

static size_t on_header(char *text, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    size_t len = size * count;

    if (!answer_head_take(&exchange->head, span_of(text, len)))
        return 0;
    if (exchange_may_be_unasked(exchange))
        sockets_forbid(exchange->sockets, exchange->connection);
    else if (exchange->head.multiplexed && !exchange->head.complete)
        sockets_set_multiplexed(exchange->sockets, exchange->connection);
    return len;
}

static size_t on_body(char *text, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    size_t len = size * count;

    buf_add_bytes(&exchange->body, text, len);
    return exchange->body.status == STATUS_OK ? len : 0;
}

void exchange_init(struct exchange *exchange, struct sockets *sockets)
{
    *exchange = (struct exchange){.sockets = sockets};
    buf_init(&exchange->body, TRANSPORT_BODY_MAX);
}

void exchange_deinit(struct exchange *exchange)
{
    curl_easy_cleanup(exchange->easy);
    buf_deinit(&exchange->body);
}

/* Forgets what was known of the last attempt. */
static void forget(struct exchange *exchange)
{
    exchange->prereq_calls = 0;
    exchange->head = (struct answer_head){.bytes = 0};
    exchange->interrupted = exchange->is_late = false;
    exchange->connection = (struct sockets_ticket){.serial = 0};
    exchange->reused = false;
    exchange->spoiled = false;
    exchange->overtaken = false;
    exchange->allowed_ms = 0;
    exchange->error[0] = '\0';
    buf_clear(&exchange->body);
}

#define SET(option, value) \
    if (code == CURLE_OK)  \
    code = curl_easy_setopt(easy, option, value)

/* What this place in flight wants to hear from libcurl. */
static CURLcode set_callbacks(struct exchange *exchange)
{
    CURL *easy = exchange->easy;
    CURLcode code = CURLE_OK;

    SET(CURLOPT_PRIVATE, exchange);
    SET(CURLOPT_ERRORBUFFER, exchange->error);
    SET(CURLOPT_PREREQFUNCTION, on_prereq);
    SET(CURLOPT_PREREQDATA, exchange);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, exchange);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, exchange);
    SET(CURLOPT_OPENSOCKETFUNCTION, sockets_open);
    SET(CURLOPT_OPENSOCKETDATA, exchange->sockets);
    SET(CURLOPT_CLOSESOCKETFUNCTION, sockets_close);
    SET(CURLOPT_CLOSESOCKETDATA, exchange->sockets);
    return code;
}

enum status exchange_prepare(struct exchange *exchange, const struct handle_options *options,
                             const struct transport_request *request)
{
    forget(exchange);
    curl_easy_cleanup(exchange->easy);
    exchange->easy = curl_easy_init();
    if (exchange->easy == NULL)
        return STATUS_NO_MEMORY;
    exchange->headers = options->headers;
    exchange->before_ns = request->before_ns;
    CURLcode code = set_callbacks(exchange);
    if (code == CURLE_OK)
        code = handle_set(exchange->easy, options, request);
    /* The addresses that the operator gave are kept with the connections: they are said once. */
    if (code == CURLE_OK && options->resolve != NULL && !exchange->has_resolved) {
        exchange->has_resolved = true;
        code = curl_easy_setopt(exchange->easy, CURLOPT_RESOLVE, options->resolve);
    }
    if (code == CURLE_OUT_OF_MEMORY)
        return STATUS_NO_MEMORY;
    return code == CURLE_OK ? STATUS_OK : STATUS_NETWORK;
}

bool exchange_may_begin_again(const struct exchange *exchange)
{
    return exchange->spoiled && !exchange->is_late && exchange->prereq_calls == 0 &&
           !exchange->interrupted;
}

CURLcode exchange_begin_again(struct exchange *exchange)
{
    forget(exchange);
    return curl_easy_setopt(exchange->easy, CURLOPT_FRESH_CONNECT, 1L);
}

void exchange_allow_ms(struct exchange *exchange, const struct transport_options *options,
                       uint64_t more_ms)
{
    int64_t connect_ms = handle_connect_ms(options);

    exchange->allowed_ms += more_ms;
    int64_t all_ms = connect_ms + (int64_t)exchange->allowed_ms;
    /* A failure leaves the attempt the time that it had. */
    (void)curl_easy_setopt(exchange->easy, CURLOPT_CONNECTTIMEOUT_MS,
                           (long)(all_ms < INT_MAX ? all_ms : INT_MAX));
}

/* Whether the attempt wanted to a machine to which nothing may go: no other one fares better. */
static bool is_elsewhere(const struct exchange *exchange, CURLcode code, enum answer_state state)
{
    return state == ANSWER_NOT_SENT && code == CURLE_COULDNT_CONNECT && exchange->sockets->refused;
}

/*
 * Words for people. libcurl's own name times and ports where a connection fails or time runs out,
 * so that no two are the same: then the plain reason serves better, also for counting.
 */
static struct span describe(struct exchange *exchange, CURLcode code, enum answer_state state)
{
    long os_error = 0;

    if (exchange->interrupted)
        return SPAN_LITERAL("interrupted");
    if (exchange->is_late)
        return SPAN_LITERAL("the time to send it was over");
    if (exchange->spoiled)
        return SPAN_LITERAL("the connection had an answer to no request on it");
    if (is_elsewhere(exchange, code, state))
        return SPAN_LITERAL("the address is another machine's, and over plain http the key can be "
                            "read on the way; use https, or say --insecure-http");
    if (exchange->prereq_calls > REQUESTS_PER_ATTEMPT)
        return SPAN_LITERAL("the connection died after the request was sent");
    if (exchange->overtaken)
        return SPAN_LITERAL("an answer came over the connection that was not its request's");
    if (code == CURLE_OK)
        return SPAN_LITERAL("the answer ended");
    if (code == CURLE_OPERATION_TIMEDOUT)
        return state == ANSWER_NOT_SENT ? SPAN_LITERAL("time ran out before there was a connection")
                                        : SPAN_LITERAL("time ran out before the answer was whole");
    if (code == CURLE_COULDNT_CONNECT &&
        curl_easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &os_error) == CURLE_OK &&
        os_error != 0)
        return span_string(strerror((int)os_error));
    return exchange->error[0] != '\0' ? span_string(exchange->error)
                                      : span_string(curl_easy_strerror(code));
}

/* Whether descriptors have run out, by which names, certificates and random numbers cannot be had
 * either; libcurl does not tell that from a name that is not there. */
static int probe_descriptors(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno == EMFILE || errno == ENFILE ? errno : 0;
    (void)close(fd);
    return 0;
}

/* The errno by which an attempt was not sent, where that may be a shortage of this machine. */
static int os_error_of(const struct exchange *exchange, CURLcode code)
{
    long os_error = 0;

    if (exchange->interrupted || code == CURLE_OK || code == CURLE_OPERATION_TIMEDOUT)
        return 0;
    if (code == CURLE_OUT_OF_MEMORY)
        return ENOMEM;
    if (code != CURLE_COULDNT_CONNECT)
        return probe_descriptors();
    if (exchange->sockets->open_error != 0)
        os_error = exchange->sockets->open_error;
    else
        (void)curl_easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &os_error);
    return (int)os_error;
}

/* What a proxy said to CONNECT where it opened no tunnel. */
static int proxy_status_of(const struct exchange *exchange)
{
    long status = 0;

    if (exchange->prereq_calls > 0 ||
        curl_easy_getinfo(exchange->easy, CURLINFO_HTTP_CONNECTCODE, &status) != CURLE_OK)
        return 0;
    return (int)status;
}

struct answer exchange_answer(struct exchange *exchange, CURLcode code, uint64_t now_ns)
{
    if (exchange->overtaken) { /* whatever came is the answer to another request */
        exchange->head.complete = false;
        exchange->head.has_retry_after = false;
        buf_clear(&exchange->body);
    }
    (void)buf_string(&exchange->body); /* puts the NUL behind it that reply_parse wants there */
    struct answer answer = {
        .state = exchange_state(exchange->prereq_calls, exchange->head.complete),
        .http_status = exchange->head.complete ? exchange->head.status : 0,
        .has_retry_after = exchange->head.has_retry_after,
        .may_be_unasked =
            exchange->reused && !exchange->head.closes && exchange_may_be_unasked(exchange),
        .retry_after_ms =
            exchange->head.has_retry_after
                ? answer_head_retry_after_ms(span_string(exchange->head.retry_after), time(NULL))
                : -1,
        .proxy_status = proxy_status_of(exchange),
        .body = buf_span(&exchange->body),
        .date = span_string(exchange->head.date),
        .location = span_string(exchange->head.location),
        .latency_us = (int64_t)((now_ns - exchange->started_ns) / 1000),
    };

    answer.os_error = answer.state == ANSWER_NOT_SENT ? os_error_of(exchange, code) : 0;
    answer.is_late = exchange->is_late;
    answer.is_whole = answer.state == ANSWER_ANSWERED && code == CURLE_OK;
    answer.hopeless = (answer.state == ANSWER_NOT_SENT && exchange_is_hopeless(code)) ||
                      is_elsewhere(exchange, code, answer.state);
    answer.detail = describe(exchange, code, answer.state);
    return answer;
}
