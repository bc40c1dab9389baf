#include "sim/call.h"

#include <strings.h>

static size_t find(struct span text, char c)
{
    const char *at = text.len > 0 ? memchr(text.ptr, c, text.len) : NULL;
    return at != NULL ? (size_t)(at - text.ptr) : text.len;
}

static const char log_suffix[] = "/piecewise";

static bool same_method(struct span text, enum method method)
{
    const char *name = method_name(method);
    return text.len == strlen(name) && strncasecmp(text.ptr, name, text.len) == 0;
}

/* Whether the path is the operation's; a uuid at its end is then in `ret_uuid`. */
static bool is_path_of(enum operation operation, struct span path, struct span *ret_uuid)
{
    const struct operation_rule *rule = &operations[operation];

    *ret_uuid = span_of("", 0);
    if ((rule->questions & QUESTION_UUID) == 0)
        return span_is(path, rule->path);
    if (!span_starts_with(path, rule->path))
        return false;
    *ret_uuid = span_skip(path, strlen(rule->path));
    return ret_uuid->len > 0 && find(*ret_uuid, '/') == ret_uuid->len;
}

static void allow(struct call *call, enum method method)
{
    const char *name = method_name(method);

    call->kind = CALL_WRONG_METHOD;
    /* Only the path of writes and reads takes two. */
    call->allow = call->allow == NULL || strcmp(call->allow, name) == 0 ? name : "GET, POST";
}

/* The operation with that path and method; a path that only takes others is CALL_WRONG_METHOD. */
static void find_operation(struct span method, struct span path, struct call *call)
{
    static const enum call_kind kinds[OPERATION_COUNT] = {
        [OPERATION_WRITE] = CALL_COMMAND,        [OPERATION_READ] = CALL_COMMAND,
        [OPERATION_EXECUTE] = CALL_COMMAND,      [OPERATION_LIST] = CALL_HISTORY,
        [OPERATION_LOOKUP] = CALL_HISTORY_ONE,   [OPERATION_CANCEL] = CALL_CANCEL,
        [OPERATION_CANCEL_ALL] = CALL_CANCEL_ALL};

    for (size_t i = OPERATION_COUNT; i-- > 0;) { /* "all" before a uuid */
        struct span uuid;
        if (!is_path_of((enum operation)i, path, &uuid))
            continue;
        if (same_method(method, operations[i].method)) {
            call->kind = kinds[i];
            call->action = kinds[i] == CALL_COMMAND ? (enum action)i : ACTION_WRITE;
            call->uuid = uuid;
            return;
        }
        allow(call, operations[i].method);
    }
}

static bool cut_end(struct span *text, const char *end)
{
    size_t len = strlen(end);

    if (text->len <= len || memcmp(text->ptr + text->len - len, end, len) != 0)
        return false;
    text->len -= len;
    return true;
}

void call_parse(enum dialect dialect, struct span method, struct span target, struct call *ret_call)
{
    size_t path_len = find(target, '?');
    struct span path = span_of(target.ptr, path_len);
    struct call call = {.kind = CALL_UNKNOWN};

    call.query = span_skip(target, path_len < target.len ? path_len + 1 : path_len);
    (void)cut_end(&path, "/");
    bool log = cut_end(&path, log_suffix);
    if (span_starts_with(path, dialects[dialect].prefix))
        find_operation(method, span_skip(path, strlen(dialects[dialect].prefix)), &call);
    if (log && call.kind == CALL_HISTORY_ONE)
        call.kind = CALL_LOG;
    else if (log && call.kind != CALL_WRONG_METHOD)
        call.kind = CALL_UNKNOWN;
    *ret_call = call;
}

static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '%' || text.ptr[i] == '+')
            return false;
    return true;
}

/* The text decoded: as it is where there is nothing to decode, else in `scratch`. The result is
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
            c = (char)(hex_digit_value(text.ptr[i + 1]) << 4 | hex_digit_value(text.ptr[i + 2]));
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
