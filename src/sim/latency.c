#include "sim/latency.h"

#include <math.h>

#include "core/when.h"

static const double LOGNORMAL_SIGMA = 0.5;
static const double LOGNORMAL_SIGMA_MAX = 4;
static const double TWO_PI = 6.283185307179586;

static enum status parse_time(struct span text, int64_t *ret_ms)
{
    enum status status = when_parse_duration(text, ret_ms);
    return status == STATUS_OK && *ret_ms > LATENCY_MAX_MS ? STATUS_RANGE : status;
}

/* Cuts the text before the first `mark`; false when there is none. */
static bool split(struct span text, const char *mark, struct span *ret_before,
                  struct span *ret_behind)
{
    size_t len = strlen(mark);

    for (size_t i = 0; i + len <= text.len; i++) {
        if (memcmp(text.ptr + i, mark, len) != 0)
            continue;
        *ret_before = span_of(text.ptr, i);
        *ret_behind = span_skip(text, i + len);
        return true;
    }
    return false;
}

static enum status parse_uniform(struct span text, struct latency *latency)
{
    struct span low, high;

    if (!split(text, "..", &low, &high))
        return STATUS_SYNTAX;
    enum status status = parse_time(low, &latency->low_ms);
    if (status == STATUS_OK)
        status = parse_time(high, &latency->high_ms);
    if (status == STATUS_OK && latency->low_ms > latency->high_ms)
        status = STATUS_RANGE;
    return status;
}

static enum status parse_lognormal(struct span text, struct latency *latency)
{
    struct span median = text, sigma;

    latency->sigma = LOGNORMAL_SIGMA;
    if (split(text, ":", &median, &sigma)) {
        if (!chance_parse_decimal(sigma, &latency->sigma))
            return STATUS_SYNTAX;
        if (latency->sigma > LOGNORMAL_SIGMA_MAX)
            return STATUS_RANGE;
    }
    return parse_time(median, &latency->low_ms);
}

enum status latency_parse(struct span text, struct latency *ret_latency)
{
    struct latency latency = {.kind = LATENCY_FIXED};
    enum status status;

    if (span_starts_with(text, "uniform:")) {
        latency.kind = LATENCY_UNIFORM;
        status = parse_uniform(span_skip(text, strlen("uniform:")), &latency);
    } else if (span_starts_with(text, "lognormal:")) {
        latency.kind = LATENCY_LOGNORMAL;
        status = parse_lognormal(span_skip(text, strlen("lognormal:")), &latency);
    } else {
        status = parse_time(text, &latency.low_ms);
    }
    if (status == STATUS_OK)
        *ret_latency = latency;
    return status;
}

bool latency_is_zero(const struct latency *latency)
{
    return latency->low_ms == 0 && latency->high_ms == 0;
}

/* A standard normal variate, by Box and Muller. */
static double draw_normal(struct prng *chance)
{
    double radius = sqrt(-2 * log(1 - chance_unit(chance)));
    return radius * cos(TWO_PI * chance_unit(chance));
}

int64_t latency_draw(const struct latency *latency, struct prng *chance)
{
    double us = (double)latency->low_ms * 1000;

    if (latency_is_zero(latency))
        return 0;
    if (latency->kind == LATENCY_UNIFORM)
        us += chance_unit(chance) * (double)(latency->high_ms - latency->low_ms) * 1000;
    else if (latency->kind == LATENCY_LOGNORMAL)
        us *= exp(latency->sigma * draw_normal(chance));
    return (int64_t)fmin(us, LATENCY_MAX_MS * 1000.0);
}
