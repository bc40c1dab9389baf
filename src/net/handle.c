#include "net/handle.h"

/*
 * A handle is made for each attempt (README.md, section 3), so each option that is set here costs
 * every row some 60 instructions, and each text twice as much. What is the same for all is made
 * once and shared: the parsed origin, the header lines, the TLS sessions. What only TLS and proxies
 * look at is set where there are any.
 */

static enum status make_resolve(struct handle_options *options)
{
    const struct word_list *items = options->transport->wire.resolve;

    for (size_t i = 0; items != NULL && i < items->count; i++) {
        struct curl_slist *longer = curl_slist_append(options->resolve, items->items[i]);
        if (longer == NULL)
            return STATUS_NO_MEMORY;
        options->resolve = longer;
    }
    return STATUS_OK;
}

/* Plain http through a proxy asks it for whole URLs; otherwise the origin is the same for all. */
static enum status make_origin(struct handle_options *options)
{
    const struct endpoint *endpoint = options->transport->endpoint;

    if (endpoint->proxy != NULL && !endpoint->secure)
        return STATUS_OK;
    CURLU *origin = options->origin = curl_url();
    if (origin == NULL)
        return STATUS_NO_MEMORY;
    return curl_url_set(origin, CURLUPART_URL, endpoint->origin, 0) == CURLUE_OK ? STATUS_OK
                                                                                 : STATUS_NETWORK;
}

/* The TLS sessions, so that a new connection need not begin from nothing. One thread: no locks. */
static enum status make_share(struct handle_options *options)
{
    const struct endpoint *endpoint = options->transport->endpoint;

    if (!endpoint->secure && endpoint->proxy == NULL)
        return STATUS_OK;
    CURLSH *share = options->share = curl_share_init();
    if (share == NULL)
        return STATUS_NO_MEMORY;
    return curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK
               ? STATUS_OK
               : STATUS_NETWORK;
}

/* As libcurl would write it. What it would write in another way than it was given is left to it: a
 * name that is not ASCII. */
static enum status make_host(struct handle_options *options)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";
    const struct endpoint *endpoint = options->transport->endpoint;
    const char *authority = strstr(endpoint->origin, "://") + 3;
    const char *port = strrchr(authority, ':');
    size_t len = strlen(authority);

    if (strspn(authority, plain) != len)
        return STATUS_OK;
    if (port != NULL && strcmp(port, endpoint->secure ? ":443" : ":80") == 0)
        len = (size_t)(port - authority);
    if (asprintf(&options->host, "Host: %.*s", (int)len, authority) >= 0)
        return STATUS_OK;
    options->host = NULL;
    return STATUS_NO_MEMORY;
}

enum status handle_options_init(struct handle_options *options,
                                const struct transport_options *transport)
{
    *options = (struct handle_options){.transport = transport};
    enum status status = make_resolve(options);
    if (status == STATUS_OK)
        status = make_host(options);
    if (status == STATUS_OK)
        status = make_origin(options);
    return status == STATUS_OK ? make_share(options) : status;
}

void handle_options_deinit(struct handle_options *options)
{
    struct header_set *set;

    while ((set = options->headers) != NULL) {
        options->headers = set->older;
        header_set_free(set);
    }
    if (options->share != NULL)
        (void)curl_share_cleanup(options->share);
    free(options->host);
    curl_slist_free_all(options->resolve);
    curl_url_cleanup(options->origin);
}

int64_t handle_connect_ms(const struct transport_options *options)
{
    return options->connect_timeout_ms < options->request_timeout_ms ? options->connect_timeout_ms
                                                                     : options->request_timeout_ms;
}

#define SET(option, value) \
    if (code == CURLE_OK)  \
    code = curl_easy_setopt(easy, option, value)

/* What --proxy, --cacert, --resolve, --insecure and --http2 come to. */
static CURLcode set_wire(CURL *easy, const struct handle_options *options)
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
 * Where the request goes: the origin was given once, and the target alone says the rest, since
 * libcurl takes a URL apart and puts it together again character by character for every request. A
 * proxy that is sent plain http must be told the whole URL.
 */
static CURLcode set_target(CURL *easy, const struct handle_options *options, struct span target)
{
    const struct endpoint *endpoint = options->transport->endpoint;
    bool whole = options->origin == NULL;
    CURLoption option = whole ? CURLOPT_URL : CURLOPT_REQUEST_TARGET;
    struct buf text;

    /* The origin as a text, too, or libcurl would write it anew for each handle. */
    if (!whole && curl_easy_setopt(easy, CURLOPT_URL, endpoint->origin) != CURLE_OK)
        return CURLE_OUT_OF_MEMORY;
    if (!whole && endpoint->path[0] == '\0')
        return curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, target.ptr);
    buf_init(&text, 64 * 1024);
    buf_add_format(&text, "%s%s", whole ? endpoint->origin : "", endpoint->path);
    buf_add(&text, target);
    const char *string = buf_string(&text);
    CURLcode code =
        text.status == STATUS_OK ? curl_easy_setopt(easy, option, string) : CURLE_OUT_OF_MEMORY;
    buf_deinit(&text);
    return code;
}

/* A new handle asks by GET; fields to post make it a POST, and another name for that a PUT. */
static CURLcode set_body(CURL *easy, const struct transport_request *request)
{
    CURLcode code = CURLE_OK;

    if (request->method == METHOD_GET)
        return CURLE_OK;
    if (request->method == METHOD_PUT)
        SET(CURLOPT_CUSTOMREQUEST, "PUT");
    SET(CURLOPT_POSTFIELDSIZE, (long)request->body.len);
    SET(CURLOPT_POSTFIELDS, request->body.len > 0 ? request->body.ptr : "");
    return code;
}

/*
 * Redirects stay off, as they are: they would carry the key to another host. How long an attempt
 * may take is not libcurl's to say, but for connecting, where it goes from one address to the next:
 * it looks at its clock before it looks at a socket, and so throws away what has arrived while this
 * process stood still.
 */
CURLcode handle_set(CURL *easy, const struct handle_options *options,
                    const struct transport_request *request)
{
    const struct header_set *headers = options->headers;
    CURLcode code = CURLE_OK;

    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)handle_connect_ms(options->transport));
    if (options->origin != NULL)
        SET(CURLOPT_CURLU, options->origin);
    if (options->share != NULL)
        SET(CURLOPT_SHARE, options->share);
    SET(CURLOPT_HTTPHEADER, request->method == METHOD_GET ? headers->get : headers->post);
    if (code == CURLE_OK)
        code = set_wire(easy, options);
    if (code == CURLE_OK)
        code = set_target(easy, options, request->target);
    return code == CURLE_OK ? set_body(easy, request) : code;
}
