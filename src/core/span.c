#include "core/span.h"

enum { SAFE_DIGITS = 19 }; /* as many digits fit into 64 bits whatever they are */

enum status span_to_uint64(struct span span, uint64_t *ret_value)
{
    uint64_t value = 0;
    bool fits = true;

    if (span.len == 0)
        return STATUS_SYNTAX;
    if (span.len <= SAFE_DIGITS) {
        for (size_t i = 0; i < span.len; i++) {
            if (!is_digit(span.ptr[i]))
                return STATUS_SYNTAX;
            value = value * 10 + (uint64_t)(span.ptr[i] - '0');
        }
        *ret_value = value;
        return STATUS_OK;
    }
    for (size_t i = 0; i < span.len; i++) {
        if (!is_digit(span.ptr[i]))
            return STATUS_SYNTAX;
        uint64_t digit = (uint64_t)(span.ptr[i] - '0');
        fits = fits && value <= (UINT64_MAX - digit) / 10;
        value = value * 10 + digit;
    }
    if (!fits)
        return STATUS_RANGE;
    *ret_value = value;
    return STATUS_OK;
}

enum status span_to_int64(struct span span, int64_t *ret_value)
{
    bool negative = span.len > 0 && span.ptr[0] == '-';
    uint64_t magnitude;
    enum status status = span_to_uint64(negative ? span_skip(span, 1) : span, &magnitude);

    if (status != STATUS_OK)
        return status;
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return STATUS_RANGE;
    *ret_value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return STATUS_OK;
}
