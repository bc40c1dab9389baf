#include <arpa/inet.h>
#include <curl/curl.h>
#include <strings.h>

#include "net/endpoint.h"

#include "core/redact.h"
#include "core/retranslate.h"
#include "net/memory.h"
#include "platform/dialect.h"

static bool host_is_loopback(const char *host)
{
    struct in_addr v4;

    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

/* libcurl takes proxies from these, in this order; HTTP_PROXY in capitals is not among them (CGI
 * sets it). */
static const char *proxy_variable(bool secure)
{
    static const char *const plain[] = {"http_proxy", "all_proxy", "ALL_PROXY"};
    static const char *const tls[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    const char *const *names = secure ? tls : plain;
    size_t count = secure ? ARRAY_LENGTH(tls) : ARRAY_LENGTH(plain);

    for (size_t i = 0; i < count; i++) {
        const char *value = getenv(names[i]);
        if (value == NULL || value[0] == '\0')
            continue;
        redact_add_userinfo(span_string(value));
        return names[i];
    }
    return NULL;
}

static enum status name_variable(const char *variable, char **ret_text)
{
    struct buf text;

    buf_init_text(&text, 4096);
    buf_add_format(&text, "that the variable %s names", variable);
    *ret_text = text.status == STATUS_OK ? strdup(buf_string(&text)) : NULL;
    buf_deinit(&text);
    return *ret_text != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

static char *url_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    if (curl_url_get(url, part, &text, 0) != CURLUE_OK)
        return NULL;
    char *copy = strdup(text);
    curl_free(text);
    return copy;
}

static bool has_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return has;
}

static enum status refuse(const char *url, const char *why, struct buf *message)
{
    buf_add_string(message, "endpoint ");
    redact_add_url(message, span_string(url));
    buf_add_string(message, ": ");
    retranslate_said(span_string(why), message);
    buf_add_format(message, "; give something like %s", dialects[DIALECT_V1].endpoint);
    return STATUS_USAGE;
}

/* scheme://host[:port] */
static enum status set_origin(char **origin, const char *scheme, const char *host, const char *port)
{
    struct buf text;

    buf_init(&text, 4096);
    buf_add_format(&text, "%s://%s%s%s", scheme, host, port != NULL ? ":" : "",
                   port != NULL ? port : "");
    *origin = text.status == STATUS_OK ? strdup(buf_string(&text)) : NULL;
    buf_deinit(&text);
    return *origin != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status fill(CURLU *parsed, const char *url, struct buf *message,
                        struct endpoint *endpoint)
{
    if (has_part(parsed, CURLUPART_USER) || has_part(parsed, CURLUPART_PASSWORD))
        return refuse("(with a user name)", "a user name or password does not belong here",
                      message);
    if (has_part(parsed, CURLUPART_QUERY) || has_part(parsed, CURLUPART_FRAGMENT))
        return refuse(url, "a query or fragment does not belong here", message);
    char *scheme = url_part(parsed, CURLUPART_SCHEME);
    char *host = url_part(parsed, CURLUPART_HOST);
    char *port = url_part(parsed, CURLUPART_PORT);
    char *path = url_part(parsed, CURLUPART_PATH);
    enum status status = STATUS_NO_MEMORY;

    if (scheme == NULL || host == NULL || path == NULL)
        goto out;
    if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) {
        status = refuse(url, "only http and https are spoken", message);
        goto out;
    }
    while (path[0] != '\0' && path[strlen(path) - 1] == '/')
        path[strlen(path) - 1] = '\0';
    endpoint->secure = strcmp(scheme, "https") == 0;
    endpoint->loopback = host_is_loopback(host);
    status = set_origin(&endpoint->origin, scheme, host, port);
    endpoint->path = path;
    path = NULL;
    const char *proxy = endpoint->loopback ? NULL : proxy_variable(endpoint->secure);
    if (proxy != NULL && status == STATUS_OK)
        status = name_variable(proxy, &endpoint->proxy);
out:
    free(scheme);
    free(host);
    free(port);
    free(path);
    return status;
}

enum status endpoint_parse(const char *url, struct buf *message, struct endpoint *ret_endpoint)
{
    struct endpoint endpoint = {.origin = NULL};
    CURLU *parsed = memory_init() == STATUS_OK ? curl_url() : NULL;

    if (parsed == NULL)
        return STATUS_NO_MEMORY;
    CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, 0);
    enum status status;
    if (code != CURLUE_OK)
        status = refuse(url,
                        strstr(url, "://") == NULL ? "it needs http:// or https:// in front"
                                                   : curl_url_strerror(code),
                        message);
    else
        status = fill(parsed, url, message, &endpoint);
    curl_url_cleanup(parsed);
    if (status != STATUS_OK) {
        endpoint_deinit(&endpoint);
        return status;
    }
    *ret_endpoint = endpoint;
    return STATUS_OK;
}

static bool is_proxy_scheme(const char *scheme)
{
    static const char *const schemes[] = {"http",    "https",  "socks4",
                                          "socks4a", "socks5", "socks5h"};

    for (size_t i = 0; scheme != NULL && i < ARRAY_LENGTH(schemes); i++)
        if (strcmp(scheme, schemes[i]) == 0)
            return true;
    return false;
}

static enum status refuse_proxy(const char *url, struct buf *message)
{
    buf_add_string(message, "--proxy ");
    bool has_user = strchr(url, '@') != NULL || strstr(url, "%40") != NULL;
    buf_add_printable(message, span_string(has_user ? "(with a user name)" : url));
    buf_add_string(message, ": give scheme, host and port, such as http://proxy.example:3128 or "
                            "socks5h://127.0.0.1:1080, or none");
    return STATUS_USAGE;
}

static void forget_proxy(struct endpoint *endpoint)
{
    if (endpoint->proxy_url != NULL)
        explicit_bzero(endpoint->proxy_url, strlen(endpoint->proxy_url));
    free(endpoint->proxy_url);
    free(endpoint->proxy);
    endpoint->proxy_url = NULL;
    endpoint->proxy = NULL;
}

static enum status fill_proxy(CURLU *parsed, const char *url, struct buf *message,
                              struct endpoint *endpoint)
{
    char *scheme = url_part(parsed, CURLUPART_SCHEME);
    char *host = url_part(parsed, CURLUPART_HOST);
    char *port = url_part(parsed, CURLUPART_PORT);
    char *path = url_part(parsed, CURLUPART_PATH);
    enum status status = STATUS_NO_MEMORY;

    if (!is_proxy_scheme(scheme) || host == NULL || port == NULL || path == NULL ||
        (strcmp(path, "") != 0 && strcmp(path, "/") != 0) || has_part(parsed, CURLUPART_QUERY) ||
        has_part(parsed, CURLUPART_FRAGMENT)) {
        status = refuse_proxy(url, message);
    } else if ((endpoint->proxy_url = strdup(url)) != NULL) {
        endpoint->loopback = endpoint->loopback && host_is_loopback(host);
        status = set_origin(&endpoint->proxy, scheme, host, port);
    }
    free(scheme);
    free(host);
    free(port);
    free(path);
    return status;
}

enum status endpoint_set_proxy(struct endpoint *endpoint, const char *url, struct buf *message)
{
    forget_proxy(endpoint);
    if (strcmp(url, "none") == 0)
        return STATUS_OK;
    redact_add_userinfo(span_string(url));
    CURLU *parsed = memory_init() == STATUS_OK ? curl_url() : NULL;
    if (parsed == NULL)
        return STATUS_NO_MEMORY;
    CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
    enum status status =
        code == CURLUE_OK ? fill_proxy(parsed, url, message, endpoint) : refuse_proxy(url, message);
    curl_url_cleanup(parsed);
    return status;
}

void endpoint_deinit(struct endpoint *endpoint)
{
    if (endpoint == NULL)
        return;
    free(endpoint->origin);
    free(endpoint->path);
    forget_proxy(endpoint);
    *endpoint = (struct endpoint){.origin = NULL};
}
