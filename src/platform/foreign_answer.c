#include "platform/foreign_answer.h"

#include <strings.h>

#include "core/text.h"

static bool contains(struct span text, const char *word)
{
    size_t len = strlen(word);

    for (size_t at = 0; at + len <= text.len; at++)
        if (strncasecmp(text.ptr + at, word, len) == 0)
            return true;
    return false;
}

static bool is_html(struct span body)
{
    body = text_trim_blanks(body);
    return contains(body, "<html") || contains(body, "<!doctype") || span_starts_with(body, "<");
}

/* The envelope of the newer platform: {"code":…,"msg":…,"request_id":…}. */
static bool is_newer_platform(struct span body)
{
    return span_starts_with(text_trim_blanks(body), "{") && contains(body, "\"code\"") &&
           (contains(body, "\"msg\"") || contains(body, "\"message\"") ||
            contains(body, "\"request_id\"") || contains(body, "\"requestid\""));
}

static void add_redirect(const struct answer *answer, struct buf *out)
{
    buf_add_string(out, "it is a redirect");
    if (answer->location.len > 0) {
        buf_add_string(out, " to ");
        buf_add_printable(out, answer->location);
    }
    buf_add_string(out, ", and redirects are not followed, since they would carry the key along: "
                        "give the platform's own address with --endpoint, or log in to the "
                        "network where that is a login page");
}

/* A path that was given and that every request has of its own leads nowhere. */
static bool is_doubled(const char *path)
{
    return strstr(path, "nbiot") != NULL || strstr(path, "nb-iot") != NULL;
}

void foreign_answer_describe(enum dialect dialect, const struct answer *answer, const char *path,
                             struct buf *out)
{
    int http = answer->http_status;

    if (dialect == DIALECT_V1 && is_newer_platform(answer->body))
        buf_add_format(out,
                       "it looks like the newer OneNET platform: say --api %s for it, with a token "
                       "of the account, or give the address of the platform that takes the api-key "
                       "with --endpoint (%s)",
                       dialects[DIALECT_V2].name, dialects[DIALECT_V1].endpoint);
    else if (http >= 300 && http < 400)
        add_redirect(answer, out);
    else if (http >= 400 && is_doubled(path))
        buf_add_format(out,
                       "the path of --endpoint, %s, is in front of the one that each request has "
                       "of its own: leave it out",
                       path);
    else if (http >= 400 && path[0] != '\0')
        buf_add_format(out,
                       "nothing takes commands there: is %s in --endpoint right? The platform's "
                       "own address has no path",
                       path);
    else if (http >= 400)
        buf_add_string(out, "nothing takes commands there: check --endpoint and --proxy");
    else if (is_html(answer->body))
        buf_add_string(out, "it looks like a web page, such as the login page of a proxy or of a "
                            "captive portal: log in to the network, or check --endpoint and "
                            "--proxy");
    else if (text_trim_blanks(answer->body).len == 0)
        buf_add_string(out, "it is empty: another service answers there; check --endpoint and "
                            "--proxy");
    else
        buf_add_string(out, "another service answers there: check --endpoint and --proxy");
}
