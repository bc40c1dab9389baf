#include "net/exchange.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

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
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return true;
    default:
        return false;
    }
}

/*
 * The guards of sending.md section 1: the connection is ready and the request is about to leave. It
 * leaves once, and over no connection on which something waits to be read.
 */
static int on_prereq(void *context, char *ip, char *local_ip, int port, int local_port)
{
    struct exchange *exchange = context;
    const struct sockets_ends ends = {local_ip, ip, local_port, port};

    if (exchange->prereq_calls < REQUESTS_PER_ATTEMPT) {
        enum sockets_use use = sockets_begin(exchange->sockets, &ends, &exchange->connection);
        exchange->reused = use != SOCKETS_FRESH;
        exchange->spoiled = use == SOCKETS_SPOILED;
        if (exchange->spoiled)
            return CURL_PREREQFUNC_ABORT;
    }
    exchange->prereq_calls++;
    return exchange->prereq_calls > REQUESTS_PER_ATTEMPT ? CURL_PREREQFUNC_ABORT
                                                         : CURL_PREREQFUNC_OK;
}

static void take_status_line(struct exchange *exchange, struct span line)
{
    uint64_t status = 0;
    size_t at = 0;

    while (at < line.len && line.ptr[at] != ' ')
        at++;
    if (line.len < at + 4 || span_to_uint64(span_of(line.ptr + at + 1, 3), &status) != STATUS_OK)
        status = 0;
    exchange->http_status = (int)status;
    exchange->headers_complete = false;
    exchange->has_retry_after = false;
    exchange->date[0] = exchange->location[0] = '\0';
    exchange->multiplexed = span_starts_with(line, "HTTP/2");
    exchange->closes = span_starts_with(line, "HTTP/1.0");
}

/* curl_getdate also reads what is no HTTP-date: one has the day's name first, and a time. */
bool transport_date_s(struct span value, int64_t *ret_date_s)
{
    char date[64];

    if (value.len == 0 || value.len >= sizeof(date) || !isalpha((unsigned char)value.ptr[0]) ||
        memchr(value.ptr, ':', value.len) == NULL)
        return false;
    (void)snprintf(date, sizeof(date), "%.*s", SPAN_ARG(value));
    time_t then_s = curl_getdate(date, NULL);
    if (then_s < 0)
        return false;
    *ret_date_s = then_s;
    return true;
}

int64_t exchange_retry_after_ms(struct span value, int64_t now_s)
{
    uint64_t delta_s;
    enum status status = span_to_uint64(value, &delta_s);

    if (status == STATUS_RANGE || (status == STATUS_OK && delta_s > EXCHANGE_RETRY_AFTER_MAX_S))
        return (int64_t)EXCHANGE_RETRY_AFTER_MAX_S * 1000;
    if (status == STATUS_OK)
        return (int64_t)delta_s * 1000;
    int64_t then_s;
    if (!transport_date_s(value, &then_s))
        return -1;
    if (then_s <= now_s)
        return 0;
    int64_t left_s = then_s - now_s;
    return (left_s < EXCHANGE_RETRY_AFTER_MAX_S ? left_s : EXCHANGE_RETRY_AFTER_MAX_S) * 1000;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span trim(struct span text)
{
    while (text.len > 0 && is_space(text.ptr[0]))
        text = span_skip(text, 1);
    while (text.len > 0 && is_space(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

/* The value of the header line where it is the one of that name, with its colon. */
static inline bool has_name(struct span line, const char *name, struct span *ret_value)
{
    size_t len = strlen(name);

    /* Most lines are neither of those that are looked for: the first letter says so. */
    if (line.len < len || (line.ptr[0] | 0x20) != (name[0] | 0x20) ||
        strncasecmp(line.ptr, name, len) != 0)
        return false;
    *ret_value = trim(span_skip(line, len));
    return true;
}

static void keep(char *out, size_t max, struct span value)
{
    size_t len = value.len < max ? value.len : max;

    memcpy(out, value.ptr, len);
    out[len] = '\0';
}

/* Whether "close" is in the list of a Connection header. */
static bool says_close(struct span value)
{
    static const char close[] = "close";

    for (; value.len >= strlen(close); value = span_skip(value, 1))
        if ((value.ptr[0] | 0x20) == 'c' && strncasecmp(value.ptr, close, strlen(close)) == 0)
            return true;
    return false;
}

bool exchange_take_header(struct exchange *exchange, struct span line, int64_t now_s)
{
    struct span value;

    exchange->header_bytes += line.len;
    if (exchange->header_bytes > TRANSPORT_HEADERS_MAX)
        return false;
    if (exchange->headers_complete)
        return true; /* a trailer behind a chunked body */
    if (span_starts_with(line, "HTTP/"))
        take_status_line(exchange, line);
    else if (span_is(line, "\r\n") || span_is(line, "\n"))
        exchange->headers_complete = exchange->http_status >= 200 && exchange->http_status < 600;
    else if (has_name(line, "Date:", &value))
        keep(exchange->date, EXCHANGE_DATE_MAX, value);
    else if (has_name(line, "Location:", &value))
        keep(exchange->location, EXCHANGE_LOCATION_MAX, value);
    else if (has_name(line, "Retry-After:", &value)) {
        exchange->has_retry_after = true;
        exchange->retry_after_ms = exchange_retry_after_ms(value, now_s);
    } else if (has_name(line, "Connection:", &value)) {
        exchange->closes |= says_close(value);
    }
    return true;
}

/*
 * HTTP 400 and 408 are what servers say of a request that they could not read; they may be for
 * none, and then the real answer is still to come. HTTP/2 tells whose an answer is.
 */
bool exchange_may_be_unasked(const struct exchange *exchange)
{
    return (exchange->http_status == 400 || exchange->http_status == 408) && !exchange->multiplexed;
}

/* libcurl may take a connection for the next request before it tells of the end of this one. */
static size_t on_header(char *text, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    size_t len = size * count;

    if (!exchange_take_header(exchange, span_of(text, len), time(NULL)))
        return 0;
    if (exchange_may_be_unasked(exchange))
        sockets_forbid(exchange->sockets, exchange->connection);
    else if (exchange->multiplexed && !exchange->headers_complete)
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

#define SET(option, value) \
    if (code == CURLE_OK)  \
    code = curl_easy_setopt(easy, option, value)

/* What --proxy, --cacert, --resolve, --insecure and --http2 come to. */
static CURLcode set_wire(CURL *easy, const struct exchange_options *options)
{
    const struct endpoint *endpoint = options->transport->endpoint;
    const struct wire_options *wire = &options->transport->wire;
    CURLcode code = CURLE_OK;

    SET(CURLOPT_HTTP_VERSION, (long)(wire->http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    if (endpoint->proxy == NULL)
        SET(CURLOPT_NOPROXY, "*"); /* or libcurl asks the environment for every request */
    if (!endpoint->secure && endpoint->proxy == NULL)
        return code; /* the rest is about TLS and proxies */
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, wire->insecure ? 0L : 1L);
    SET(CURLOPT_SSL_VERIFYHOST, wire->insecure ? 0L : 2L);
    if (wire->ca_file != NULL) {
        SET(CURLOPT_CAINFO, wire->ca_file);
        SET(CURLOPT_CAPATH, NULL); /* or the system's authorities would count as well */
        SET(CURLOPT_PROXY_CAINFO, wire->ca_file);
        SET(CURLOPT_PROXY_CAPATH, NULL);
    }
    if (endpoint->proxy_url != NULL) {
        SET(CURLOPT_PROXY, endpoint->proxy_url);
        SET(CURLOPT_NOPROXY, ""); /* said on purpose: the environment's exceptions do not count */
    }
    /* The headers of a proxy's answer to CONNECT are none of the platform's. */
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    return code;
}

/*
 * The options that are the same for every attempt. Redirects stay off: they would carry the key to
 * another host. How long an attempt may take is not libcurl's to say, but for connecting, where it
 * goes from one address to the next: it looks at its clock before it looks at a socket, and so
 * throws away what has arrived while this process stood still.
 */
static CURLcode set_constants(struct exchange *exchange, const struct exchange_options *all)
{
    struct sockets *sockets = exchange->sockets;
    CURL *easy = exchange->easy;
    const struct transport_options *options = all->transport;
    CURLcode code = CURLE_OK;

    SET(CURLOPT_PRIVATE, exchange);
    SET(CURLOPT_ERRORBUFFER, exchange->error);
    if (all->origin != NULL)
        SET(CURLOPT_CURLU, all->origin);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, (long)EXCHANGE_NAME_AGE_ANY);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)exchange_connect_ms(options));
    SET(CURLOPT_PREREQFUNCTION, on_prereq);
    SET(CURLOPT_PREREQDATA, exchange);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, exchange);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, exchange);
    SET(CURLOPT_OPENSOCKETFUNCTION, sockets_open);
    SET(CURLOPT_OPENSOCKETDATA, sockets);
    SET(CURLOPT_CLOSESOCKETFUNCTION, sockets_close);
    SET(CURLOPT_CLOSESOCKETDATA, sockets);
    return code;
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

/*
 * Where the request goes: the origin was given once, and the target alone says the rest, since
 * libcurl takes a URL apart and puts it together again character by character for every request. A
 * proxy that is sent plain http must be told the whole URL.
 */
static CURLcode set_target(struct exchange *exchange, const struct exchange_options *options,
                           struct span target)
{
    const struct endpoint *endpoint = options->transport->endpoint;
    bool whole = options->origin == NULL;
    CURLoption option = whole ? CURLOPT_URL : CURLOPT_REQUEST_TARGET;
    struct buf text;

    /* The origin as a text, too, or libcurl would write it anew for each handle. */
    if (!whole && curl_easy_setopt(exchange->easy, CURLOPT_URL, endpoint->origin) != CURLE_OK)
        return CURLE_OUT_OF_MEMORY;
    if (!whole && endpoint->path[0] == '\0')
        return curl_easy_setopt(exchange->easy, CURLOPT_REQUEST_TARGET, target.ptr);
    buf_init(&text, 64 * 1024);
    buf_add_format(&text, "%s%s", whole ? endpoint->origin : "", endpoint->path);
    buf_add(&text, target);
    const char *string = buf_string(&text);
    CURLcode code = text.status == STATUS_OK ? curl_easy_setopt(exchange->easy, option, string)
                                             : CURLE_OUT_OF_MEMORY;
    buf_deinit(&text);
    return code;
}

/* Forgets what was known of the last attempt. */
static void forget(struct exchange *exchange)
{
    exchange->prereq_calls = 0;
    exchange->header_bytes = 0;
    exchange->http_status = 0;
    exchange->headers_complete = false;
    exchange->has_retry_after = false;
    exchange->date[0] = exchange->location[0] = '\0';
    exchange->interrupted = false;
    exchange->connection = (struct sockets_ticket){.serial = 0};
    exchange->reused = false;
    exchange->spoiled = false;
    exchange->overtaken = false;
    exchange->multiplexed = false;
    exchange->closes = false;
    exchange->allowed_ms = 0;
    exchange->error[0] = '\0';
    buf_clear(&exchange->body);
}

/* A copy of the model has all of its options but the share. */
static CURLcode make_easy(struct exchange *exchange, const struct exchange_options *options)
{
    curl_easy_cleanup(exchange->easy);
    exchange->easy = curl_easy_init();
    if (exchange->easy == NULL)
        return CURLE_OUT_OF_MEMORY;
    CURLcode code = set_constants(exchange, options);
    if (code == CURLE_OK)
        code = set_wire(exchange->easy, options);
    if (code != CURLE_OK)
        return code;
    if (options->share == NULL)
        return CURLE_OK;
    return curl_easy_setopt(exchange->easy, CURLOPT_SHARE, options->share);
}

/* The addresses that the operator gave are kept with the connections: they are said once. */
static CURLcode set_resolve(struct exchange *exchange, const struct exchange_options *options)
{
    if (options->resolve == NULL || exchange->has_resolved)
        return CURLE_OK;
    exchange->has_resolved = true;
    return curl_easy_setopt(exchange->easy, CURLOPT_RESOLVE, options->resolve);
}

static CURLcode set_body(CURL *easy, const struct transport_request *request)
{
    CURLcode code = CURLE_OK;

    if (request->method != METHOD_POST)
        return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDSIZE, (long)request->body.len);
    SET(CURLOPT_POSTFIELDS, request->body.len > 0 ? request->body.ptr : "");
    return code;
}

enum status exchange_prepare(struct exchange *exchange, const struct exchange_options *options,
                             const struct transport_request *request)
{
    const struct header_set *headers = options->headers;
    struct curl_slist *lines = request->method == METHOD_POST ? headers->post : headers->get;

    forget(exchange);
    exchange->headers = headers;
    CURLcode code = make_easy(exchange, options);
    if (code == CURLE_OK)
        code = set_resolve(exchange, options);
    if (code == CURLE_OK)
        code = set_target(exchange, options, request->target);
    if (code == CURLE_OK)
        code = set_body(exchange->easy, request);
    if (code == CURLE_OK)
        code = curl_easy_setopt(exchange->easy, CURLOPT_HTTPHEADER, lines);
    if (code == CURLE_OUT_OF_MEMORY)
        return STATUS_NO_MEMORY;
    return code == CURLE_OK ? STATUS_OK : STATUS_NETWORK;
}

bool exchange_may_begin_again(const struct exchange *exchange)
{
    return exchange->spoiled && exchange->prereq_calls == 0 && !exchange->interrupted;
}

CURLcode exchange_begin_again(struct exchange *exchange)
{
    forget(exchange);
    return curl_easy_setopt(exchange->easy, CURLOPT_FRESH_CONNECT, 1L);
}

CURLcode exchange_set_name_age(struct exchange *exchange, long age_s)
{
    if (age_s == EXCHANGE_NAME_AGE_ANY) /* the model's */
        return CURLE_OK;
    return curl_easy_setopt(exchange->easy, CURLOPT_DNS_CACHE_TIMEOUT, age_s);
}

int64_t exchange_connect_ms(const struct transport_options *options)
{
    return options->connect_timeout_ms < options->request_timeout_ms ? options->connect_timeout_ms
                                                                     : options->request_timeout_ms;
}

void exchange_allow_ms(struct exchange *exchange, const struct exchange_options *options,
                       uint64_t more_ms)
{
    int64_t connect_ms = exchange_connect_ms(options->transport);

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
        exchange->headers_complete = false;
        exchange->has_retry_after = false;
        buf_clear(&exchange->body);
    }
    (void)buf_string(&exchange->body); /* puts the NUL behind it that reply_parse wants there */
    struct answer answer = {
        .state = exchange_state(exchange->prereq_calls, exchange->headers_complete),
        .http_status = exchange->headers_complete ? exchange->http_status : 0,
        .has_retry_after = exchange->has_retry_after,
        .may_be_unasked =
            exchange->reused && !exchange->closes && exchange_may_be_unasked(exchange),
        .retry_after_ms = exchange->has_retry_after ? exchange->retry_after_ms : -1,
        .proxy_status = proxy_status_of(exchange),
        .body = buf_span(&exchange->body),
        .date = span_string(exchange->date),
        .location = span_string(exchange->location),
        .latency_us = (int64_t)((now_ns - exchange->started_ns) / 1000),
    };

    answer.os_error = answer.state == ANSWER_NOT_SENT ? os_error_of(exchange, code) : 0;
    answer.is_whole = answer.state == ANSWER_ANSWERED && code == CURLE_OK;
    answer.hopeless = (answer.state == ANSWER_NOT_SENT && exchange_is_hopeless(code)) ||
                      is_elsewhere(exchange, code, answer.state);
    answer.detail = describe(exchange, code, answer.state);
    return answer;
}
