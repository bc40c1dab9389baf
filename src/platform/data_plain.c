#include "platform/data_plain.h"

#include "core/jsonlex.h"

enum { NUMBER_MAX = 15, ID_DIGITS_MAX = 5 };

/* What is left of the text. */
struct rest {
    const char *at, *end;
};

/* Always inlined: with the length known, the comparison is one or two words instead of a call. */
static inline __attribute__((always_inline)) bool take(struct rest *rest, struct span literal)
{
    if ((size_t)(rest->end - rest->at) < literal.len ||
        memcmp(rest->at, literal.ptr, literal.len) != 0)
        return false;
    rest->at += literal.len;
    return true;
}

/* A resource's number; one that is no such id for none. */
static inline int64_t take_id(struct rest *rest)
{
    const char *start = rest->at;
    int64_t id = 0;

    while (rest->at < rest->end && is_digit(*rest->at) && rest->at - start < ID_DIGITS_MAX)
        id = id * 10 + (*rest->at++ - '0');
    bool is_number = rest->at - start == 1 || (rest->at > start && *start != '0');
    return is_number ? id : LWM2M_ID_MAX + 1;
}

/* A number without an exponent; empty for none. */
static inline struct span take_number(struct rest *rest)
{
    const char *start = rest->at;
    size_t len = jsonlex_decimal_length(span_of(start, (size_t)(rest->end - start)));

    rest->at += len <= NUMBER_MAX ? len : 0;
    return span_of(start, (size_t)(rest->at - start));
}

static inline bool take_value(struct rest *rest, struct span *ret_text, bool *ret_is_string)
{
    const char *start = rest->at;

    *ret_is_string = take(rest, SPAN_LITERAL("\""));
    if (*ret_is_string) {
        const char *at = ++start;
        while (at < rest->end && *at >= ' ' && *at <= '~' && *at != '"' && *at != '\\')
            at++;
        rest->at = at;
        *ret_text = span_of(start, (size_t)(at - start));
        return take(rest, SPAN_LITERAL("\""));
    }
    if (take(rest, SPAN_LITERAL("true")) || take(rest, SPAN_LITERAL("false")))
        *ret_text = span_of(start, (size_t)(rest->at - start));
    else
        *ret_text = take_number(rest);
    return ret_text->len > 0 && !span_equal(*ret_text, SPAN_LITERAL("-0"));
}

static inline bool take_item(struct rest *rest, struct footprint *footprint)
{
    struct span value;
    bool is_string;

    if (!take(rest, SPAN_LITERAL("{\"res_id\":")))
        return false;
    int64_t res_id = take_id(rest);
    for (size_t i = 0; i < footprint->count; i++)
        if (footprint->items[i].res_id == res_id)
            return false;
    if (res_id > LWM2M_ID_MAX || footprint->count == FOOTPRINT_ITEMS_MAX ||
        !take(rest, SPAN_LITERAL(",\"val\":")) || !take_value(rest, &value, &is_string))
        return false;
    footprint_add(footprint, res_id, 0, is_string, value);
    return take(rest, SPAN_LITERAL("}"));
}

bool data_is_plain(struct span text, struct footprint *footprint)
{
    struct rest rest = {text.ptr, text.ptr + text.len};

    footprint->count = 0;
    if (text.len > 0 && text.len <= COMMAND_CONTENT_MAX && take(&rest, SPAN_LITERAL("["))) {
        while (take_item(&rest, footprint)) {
            if (take(&rest, SPAN_LITERAL(",")))
                continue;
            if (take(&rest, SPAN_LITERAL("]")) && rest.at == rest.end)
                return true;
            break;
        }
    }
    footprint->count = 0;
    return false;
}
