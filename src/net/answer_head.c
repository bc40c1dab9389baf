#include "net/answer_head.h"

#include <ctype.h>
#include <curl/curl.h>
#include <strings.h>

#include "net/transport.h"

/*
 * libcurl hands over all lines of all header blocks of a transfer: of interim answers (1xx), of the
 * final one, and the trailers of a chunked body. A status line begins a block, and what is known of
 * the one before is forgotten; the blank line completes the block if its status is final; what
 * comes behind that is a trailer and changes nothing. A block that is cut off is never complete,
 * which is how an answer is told from a doubt (README.md, section 1).
 */

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

int64_t answer_head_retry_after_ms(struct span value, int64_t now_s)
{
    uint64_t delta_s;
    enum status status = span_to_uint64(value, &delta_s);

    if (status == STATUS_OK)
        return delta_s <= RETRY_AFTER_MAX_S ? (int64_t)delta_s * 1000 : -1;
    int64_t then_s;
    if (status == STATUS_RANGE || !transport_date_s(value, &then_s))
        return -1;
    if (then_s <= now_s)
        return 0;
    return then_s - now_s <= RETRY_AFTER_MAX_S ? (then_s - now_s) * 1000 : -1;
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

    /* Most lines are none of those that are looked for: the first letter says so. */
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

/* An interim answer (1xx) is followed by another status line, with which all begins anew. */
static void take_status_line(struct answer_head *head, struct span line)
{
    uint64_t status = 0;
    size_t at = 0;

    while (at < line.len && line.ptr[at] != ' ')
        at++;
    if (line.len < at + 4 || span_to_uint64(span_of(line.ptr + at + 1, 3), &status) != STATUS_OK)
        status = 0;
    head->status = (int)status;
    head->complete = false;
    head->has_retry_after = false;
    head->date[0] = head->location[0] = '\0';
    head->multiplexed = span_starts_with(line, "HTTP/2");
    head->closes = span_starts_with(line, "HTTP/1.0");
}

bool answer_head_take(struct answer_head *head, struct span line)
{
    struct span value;

    head->bytes += line.len;
    if (head->bytes > TRANSPORT_HEADERS_MAX)
        return false;
    if (head->complete)
        return true; /* a trailer behind a chunked body */
    if (span_starts_with(line, "HTTP/"))
        take_status_line(head, line);
    else if (span_is(line, "\r\n") || span_is(line, "\n"))
        head->complete = head->status >= 200 && head->status < 600;
    else if (has_name(line, "Date:", &value))
        keep(head->date, ANSWER_VALUE_MAX, value);
    else if (has_name(line, "Location:", &value))
        keep(head->location, ANSWER_LOCATION_MAX, value);
    else if (has_name(line, "Retry-After:", &value)) {
        head->has_retry_after = true;
        keep(head->retry_after, ANSWER_VALUE_MAX, value);
    } else if (has_name(line, "Connection:", &value)) {
        head->closes |= says_close(value);
    }
    return true;
}
