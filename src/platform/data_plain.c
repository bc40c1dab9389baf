#include "platform/data_plain.h"

enum { DIGITS_MAX = 15, ID_DIGITS_MAX = 5 };

struct scan {
    const char *at, *end;
};

static char peek(const struct scan *scan)
{
    return scan->at < scan->end ? *scan->at : '\0';
}

static inline bool take(struct scan *scan, struct span literal)
{
    if ((size_t)(scan->end - scan->at) < literal.len ||
        memcmp(scan->at, literal.ptr, literal.len) != 0)
        return false;
    scan->at += literal.len;
    return true;
}

static size_t take_digits(struct scan *scan)
{
    const char *start = scan->at;

    while (peek(scan) >= '0' && peek(scan) <= '9')
        scan->at++;
    return (size_t)(scan->at - start);
}

/* Digits without a needless 0 in front; how many, 0 for none such. */
static size_t take_whole(struct scan *scan)
{
    bool zero = peek(scan) == '0';
    size_t digits = take_digits(scan);

    return zero && digits > 1 ? 0 : digits;
}

static bool take_number(struct scan *scan)
{
    bool negative = peek(scan) == '-';
    if (negative)
        scan->at++;
    bool is_zero = peek(scan) == '0';
    size_t whole = take_whole(scan);
    size_t fraction = 0;
    if (whole > 0 && peek(scan) == '.') {
        scan->at++;
        fraction = take_digits(scan);
        if (fraction == 0)
            return false;
    }
    bool minus_zero = negative && is_zero && fraction == 0;
    return whole > 0 && whole + fraction <= DIGITS_MAX && !minus_zero;
}

/* The characters between the quotes, the first of which has been taken. */
static bool take_string(struct scan *scan, struct span *ret_text)
{
    const char *start = scan->at;

    while (peek(scan) >= ' ' && peek(scan) <= '~' && peek(scan) != '"' && peek(scan) != '\\')
        scan->at++;
    *ret_text = span_of(start, (size_t)(scan->at - start));
    return take(scan, SPAN_LITERAL("\""));
}

static bool take_value(struct scan *scan, struct span *ret_text, bool *ret_is_string)
{
    const char *start = scan->at;

    *ret_is_string = take(scan, SPAN_LITERAL("\""));
    if (*ret_is_string)
        return take_string(scan, ret_text);
    bool taken =
        take(scan, SPAN_LITERAL("true")) || take(scan, SPAN_LITERAL("false")) || take_number(scan);
    *ret_text = span_of(start, (size_t)(scan->at - start));
    return taken;
}

static bool stands_in(const struct footprint *footprint, int64_t res_id)
{
    for (size_t i = 0; i < footprint->count; i++)
        if (footprint->items[i].res_id == res_id)
            return true;
    return false;
}

static bool take_item(struct scan *scan, struct footprint *footprint)
{
    int64_t res_id = 0;
    struct span value;
    bool is_string;

    if (!take(scan, SPAN_LITERAL("{\"res_id\":")))
        return false;
    const char *start = scan->at;
    size_t digits = take_whole(scan);
    if (digits == 0 || digits > ID_DIGITS_MAX)
        return false;
    for (const char *at = start; at < scan->at; at++)
        res_id = res_id * 10 + (*at - '0');
    if (res_id > LWM2M_ID_MAX || footprint->count == FOOTPRINT_ITEMS_MAX ||
        stands_in(footprint, res_id))
        return false;
    if (!take(scan, SPAN_LITERAL(",\"val\":")) || !take_value(scan, &value, &is_string) ||
        !take(scan, SPAN_LITERAL("}")))
        return false;
    footprint_add(footprint, res_id, 0, is_string, value);
    return true;
}

bool data_is_plain(struct span text, struct footprint *footprint)
{
    struct scan scan = {text.ptr, text.ptr + text.len};
    bool good = text.len > 0 && text.len <= COMMAND_CONTENT_MAX && take(&scan, SPAN_LITERAL("["));

    footprint->count = 0;
    while (good && (good = take_item(&scan, footprint)))
        if (!take(&scan, SPAN_LITERAL(",")))
            break;
    if (good && take(&scan, SPAN_LITERAL("]")) && scan.at == scan.end)
        return true;
    footprint->count = 0;
    return false;
}
