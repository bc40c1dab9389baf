#include "net/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/x509.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status refuse(const char *option, const char *value, const char *why,
                          enum status status, struct buf *message)
{
    buf_add_format(message, "%s ", option);
    buf_add_printable(message, span_string(value));
    buf_add_format(message, ": %s", why);
    return status;
}

/* Whether OpenSSL finds a certificate in the file: libcurl reads it in the same way. */
static bool holds_certificate(const char *path)
{
    X509_STORE *store = X509_STORE_new();
    bool holds = store != NULL && X509_STORE_load_file(store, path) == 1;

    X509_STORE_free(store);
    return holds;
}

static enum status check_ca_file(const char *path, struct buf *message)
{
    static const char option[] = "--cacert";
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool known = fd >= 0 && fstat(fd, &info) == 0;
    int error = errno;

    if (fd >= 0)
        (void)close(fd);
    if (!known)
        return refuse(option, path, strerror(error), STATUS_CREDENTIALS, message);
    if (!S_ISREG(info.st_mode))
        return refuse(option, path, "it is not a regular file", STATUS_CREDENTIALS, message);
    if (!holds_certificate(path))
        return refuse(option, path,
                      "no certificate can be read from it; give the authority's in "
                      "PEM form (-----BEGIN CERTIFICATE-----)",
                      STATUS_CREDENTIALS, message);
    return STATUS_OK;
}

static bool is_address(const char *text)
{
    unsigned char address[sizeof(struct in6_addr)];
    char inside[INET6_ADDRSTRLEN];
    size_t len = strlen(text);

    if (inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1)
        return true;
    if (len < 2 || text[0] != '[' || text[len - 1] != ']' || len - 2 >= sizeof(inside))
        return false;
    (void)snprintf(inside, sizeof(inside), "%.*s", (int)len - 2, text + 1);
    return inet_pton(AF_INET6, inside, address) == 1;
}

/* HOST:PORT:ADDRESS; what libcurl knows beyond that (*, +, -, lists) is not meant here. */
static enum status check_resolve(const char *item, struct buf *message)
{
    static const char option[] = "--resolve";
    static const char form[] =
        "give HOST:PORT:ADDRESS with a name, a port and an IP address, such as "
        "platform.example:443:203.0.113.7";
    size_t host_len = strcspn(item, ":");
    const char *port = item[host_len] == ':' ? item + host_len + 1 : "";
    size_t port_len = strcspn(port, ":");
    uint64_t number = 0;

    if (host_len == 0 || strchr("*+-[", item[0]) != NULL || port[port_len] != ':' ||
        span_to_uint64(span_of(port, port_len), &number) != STATUS_OK || number < 1 ||
        number > 65535 || !is_address(port + port_len + 1))
        return refuse(option, item, form, STATUS_USAGE, message);
    if (host_len == strlen("localhost") && strncasecmp(item, "localhost", host_len) == 0)
        return refuse(option, item, "localhost is this machine; give another name", STATUS_USAGE,
                      message);
    return STATUS_OK;
}

enum status wire_check(const struct wire_options *options, const struct endpoint *endpoint,
                       struct buf *message)
{
    enum status status = STATUS_OK;

    if (options->http2 && !endpoint->secure) {
        buf_add_format(message,
                       "--http2 is spoken over TLS only: give an https endpoint instead of %s, or "
                       "leave it out",
                       endpoint->origin);
        return STATUS_USAGE;
    }
    if (options->ca_file != NULL && options->insecure) {
        buf_add_string(message, "--cacert and --insecure exclude each other: without verification "
                                "no authority is asked; leave one of them out");
        return STATUS_USAGE;
    }
    if (options->ca_file != NULL)
        status = check_ca_file(options->ca_file, message);
    for (size_t i = 0; options->resolve != NULL && i < options->resolve->count; i++)
        if (status == STATUS_OK)
            status = check_resolve(options->resolve->items[i], message);
    return status;
}

bool wire_stays_here(const struct wire_options *options, const struct endpoint *endpoint)
{
    return !endpoint->secure && endpoint->loopback && !options->clear_text;
}

/* "host:port:" of an endpoint, as the items of --resolve begin. */
static void name_endpoint(const struct endpoint *endpoint, struct buf *text)
{
    const char *scheme_end = strstr(endpoint->origin, "://");
    const char *host = scheme_end != NULL ? scheme_end + 3 : endpoint->origin;
    bool has_port = strchr(host[0] == '[' ? strchr(host, ']') : host, ':') != NULL;

    buf_add_string(text, host);
    buf_add_string(text, has_port ? ":" : endpoint->secure ? ":443:" : ":80:");
}

static bool is_loopback(const char *address)
{
    struct in_addr v4;

    if (inet_pton(AF_INET, address, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return strcmp(address, "::1") == 0 || strcmp(address, "[::1]") == 0;
}

bool wire_leads_elsewhere(const struct wire_options *options, const struct endpoint *endpoint)
{
    struct buf name;
    bool elsewhere = false;

    buf_init(&name, 4096);
    name_endpoint(endpoint, &name);
    for (size_t i = 0; options->resolve != NULL && i < options->resolve->count; i++) {
        const char *item = options->resolve->items[i];
        if (strncasecmp(item, buf_string(&name), name.len) == 0)
            elsewhere |= !is_loopback(item + name.len);
    }
    elsewhere |= name.status != STATUS_OK; /* nothing is sent for want of memory */
    buf_deinit(&name);
    return elsewhere;
}
