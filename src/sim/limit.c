#include "sim/limit.h"

#include <assert.h>

#define PER_S_MAX 1e6

void limit_init(struct limit *limit)
{
    *limit = (struct limit){.per_s = 0};
    bool found = faults_find(SPAN_LITERAL("errno-15"), &limit->refusal);
    assert(found);
    (void)found;
}

bool limit_parse(struct span text, double *ret_per_s)
{
    static const struct {
        char unit;
        double seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}};
    uint64_t count;

    if (text.len < 3 || text.ptr[text.len - 2] != '/' ||
        span_to_uint64(span_of(text.ptr, text.len - 2), &count) != STATUS_OK || count == 0)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        if (text.ptr[text.len - 1] != units[i].unit || (double)count / units[i].seconds > PER_S_MAX)
            continue;
        *ret_per_s = (double)count / units[i].seconds;
        return true;
    }
    return false;
}

void limit_begin(struct limit *limit, int64_t now_ns)
{
    if (limit->burst == 0)
        limit->burst = limit->per_s > 10 ? (uint64_t)(limit->per_s / 10) : 1;
    limit->tokens = (double)limit->burst;
    limit->at_ns = now_ns;
}

bool limit_takes(struct limit *limit, int64_t now_ns)
{
    if (limit->per_s <= 0)
        return true;
    limit->tokens += limit->per_s * (double)(now_ns - limit->at_ns) / 1e9;
    limit->at_ns = now_ns;
    if (limit->tokens > (double)limit->burst)
        limit->tokens = (double)limit->burst;
    if (limit->tokens < 1)
        return false;
    limit->tokens--;
    return true;
}
