#include "platform/dialect.h"

#include <strings.h>

const struct dialect_rule dialects[DIALECT_COUNT] = {
    [DIALECT_V1] = {.name = "v1",
                    .endpoint = "https://api.heclouds.com",
                    .prefix = "/nbiot",
                    .rate_per_s = 300,
                    .number = "errno",
                    .text = "error",
                    .key_header = "api-key",
                    .token_header = "Authorization"},
    [DIALECT_V2] = {.name = "v2",
                    .endpoint = "https://iot-api.heclouds.com",
                    .prefix = "/nb-iot",
                    .rate_per_s = 100,
                    .number = "code",
                    .text = "msg",
                    .token_header = "authorization",
                    .unseen = true},
};

bool dialect_find(struct span name, enum dialect *ret_dialect)
{
    for (size_t i = 0; i < DIALECT_COUNT; i++) {
        if (span_is(name, dialects[i].name)) {
            *ret_dialect = (enum dialect)i;
            return true;
        }
    }
    return false;
}

/* What follows scheme:// up to a port or a path; a host's dot at the end changes nothing. */
static struct span host_of(struct span url)
{
    const char *scheme = memmem(url.ptr, url.len, "://", 3);
    struct span host = scheme != NULL ? span_skip(url, (size_t)(scheme + 3 - url.ptr)) : url;
    size_t len = 0;

    while (len < host.len && host.ptr[len] != ':' && host.ptr[len] != '/')
        len++;
    return span_of(host.ptr, len > 0 && host.ptr[len - 1] == '.' ? len - 1 : len);
}

bool dialect_of_url(struct span url, enum dialect *ret_dialect)
{
    struct span host = host_of(url);

    for (size_t i = 0; i < DIALECT_COUNT; i++) {
        struct span own = host_of(span_string(dialects[i].endpoint));
        if (host.len == own.len && strncasecmp(host.ptr, own.ptr, own.len) == 0) {
            *ret_dialect = (enum dialect)i;
            return true;
        }
    }
    return false;
}

void dialect_add_target(enum dialect dialect, const char *origin, struct buf *out)
{
    buf_add_string(out, origin);
    if (dialect != DIALECT_V1)
        buf_add_format(out, " %s", dialects[dialect].name);
}

enum dialect dialect_of_target(struct span target)
{
    const char *blank = memrchr(target.ptr, ' ', target.len);
    enum dialect dialect = DIALECT_V1;

    if (blank != NULL)
        (void)dialect_find(span_skip(target, (size_t)(blank + 1 - target.ptr)), &dialect);
    return dialect;
}
