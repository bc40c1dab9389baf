#include "sim/call.h"

static size_t find(struct span text, char c)
{
    const char *at = text.len > 0 ? memchr(text.ptr, c, text.len) : NULL;
    return at != NULL ? (size_t)(at - text.ptr) : text.len;
}

static const char *method_name(enum method method)
{
    return method == METHOD_POST ? "POST" : "GET";
}

/* The action with that path and method; a path that only takes others is CALL_WRONG_METHOD. */
static void find_action(struct span method, struct span path, struct call *call)
{
    bool get = false, post = false;

    for (size_t i = 0; i < ACTION_COUNT; i++) {
        if (!span_is(path, action_rules[i].path))
            continue;
        if (span_is(method, method_name(action_rules[i].method))) {
            call->kind = CALL_COMMAND;
            call->action = (enum action)i;
            return;
        }
        get = get || action_rules[i].method == METHOD_GET;
        post = post || action_rules[i].method == METHOD_POST;
    }
    if (get || post) {
        call->kind = CALL_WRONG_METHOD;
        call->allow = !get ? "POST" : post ? "GET, POST" : "GET";
    }
}

static void find_history(struct span method, struct span path, struct call *call)
{
    static const char history[] = "/nbiot/offline/history";
    struct span rest;

    if (!span_starts_with(path, history))
        return;
    rest = span_skip(path, strlen(history));
    if (rest.len > 0) {
        if (rest.ptr[0] != '/' || rest.len == 1 || find(span_skip(rest, 1), '/') < rest.len - 1)
            return;
        call->uuid = span_skip(rest, 1);
    }
    call->kind = rest.len > 0 ? CALL_HISTORY_ONE : CALL_HISTORY;
    if (!span_is(method, "GET")) {
        call->kind = CALL_WRONG_METHOD;
        call->allow = "GET";
    }
}

void call_parse(struct span method, struct span target, struct call *ret_call)
{
    size_t path_len = find(target, '?');
    struct span path = span_of(target.ptr, path_len);
    struct call call = {.kind = CALL_UNKNOWN};

    call.query = span_skip(target, path_len < target.len ? path_len + 1 : path_len);
    find_action(method, path, &call);
    if (call.kind == CALL_UNKNOWN)
        find_history(method, path, &call);
    *ret_call = call;
}

static unsigned hex_value(char c)
{
    return is_digit(c) ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
}

static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '%' || text.ptr[i] == '+')
            return false;
    return true;
}

/* The text decoded: as it stands where there is nothing to decode, else in `scratch`. The result is
 * never longer. */
static enum status decode(struct span text, struct buf *scratch, struct span *ret_decoded)
{
    size_t start = scratch->len;

    if (is_plain(text)) {
        *ret_decoded = text;
        return STATUS_OK;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '+')
            c = ' ';
        if (c == '%') {
            if (text.len - i < 3 || !is_hex_digit(text.ptr[i + 1]) ||
                !is_hex_digit(text.ptr[i + 2]))
                return STATUS_SYNTAX;
            c = (char)(hex_value(text.ptr[i + 1]) << 4 | hex_value(text.ptr[i + 2]));
            i += 2;
        }
        buf_add_char(scratch, c);
    }
    if (scratch->status != STATUS_OK)
        return scratch->status;
    *ret_decoded = span_of(scratch->ptr + start, scratch->len - start);
    return STATUS_OK;
}

enum status query_next(struct span *rest, struct buf *scratch, struct query_pair *ret_pair)
{
    struct query_pair pair;

    if (rest->len == 0)
        return STATUS_END;
    size_t len = find(*rest, '&');
    struct span item = span_of(rest->ptr, len);
    size_t name_len = find(item, '=');
    if (name_len == 0 || name_len == item.len)
        return STATUS_SYNTAX;
    enum status status = decode(span_of(item.ptr, name_len), scratch, &pair.name);
    if (status == STATUS_OK)
        status = decode(span_skip(item, name_len + 1), scratch, &pair.value);
    if (status != STATUS_OK)
        return status;
    *rest = span_skip(*rest, len < rest->len ? len + 1 : len);
    *ret_pair = pair;
    return STATUS_OK;
}
