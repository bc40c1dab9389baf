#include "send/ramp.h"

#include <assert.h>

#include "core/when.h"

#define HOUR_MS INT64_C(3600000)

enum { PERCENT_ALL = 100 };

_Static_assert(RAMP_PER_HOUR_MAX <= INT64_MAX / RAMP_MS_MAX, "a ramp is computed in 64 bits");

static enum status refuse(struct span text, const char *remedy, struct buf *message)
{
    buf_add_quoted(message, text);
    buf_add_format(message, ": %s", remedy);
    return STATUS_USAGE;
}

bool rate_parse(struct span text, int64_t *ret_count, int64_t *ret_per_ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"/s", 1000}, {"/m", 60 * 1000}, {"/h", HOUR_MS}};
    int64_t count;

    for (size_t i = 0; i < ARRAY_LENGTH(units) && text.len > 2; i++) {
        if (!span_is(span_skip(text, text.len - 2), units[i].name))
            continue;
        if (span_to_int64(span_of(text.ptr, text.len - 2), &count) != STATUS_OK || count < 1 ||
            count > RAMP_PER_HOUR_MAX / (HOUR_MS / units[i].ms))
            return false;
        *ret_count = count;
        *ret_per_ms = units[i].ms;
        return true;
    }
    return false;
}

static bool parse_per_hour(struct span text, int64_t *ret_per_hour)
{
    int64_t count, per_ms;

    if (!rate_parse(text, &count, &per_ms))
        return false;
    *ret_per_hour = count * (HOUR_MS / per_ms);
    return true;
}

static bool parse_duration(struct span text, int64_t max_ms, int64_t *ret_ms)
{
    int64_t ms;

    if (when_parse_duration(text, &ms) != STATUS_OK || ms > max_ms)
        return false;
    *ret_ms = ms;
    return true;
}

/* Where the first `mark` is; the length where it is not. */
static size_t find(struct span text, const char *mark)
{
    size_t at = 0;

    while (at < text.len && !span_starts_with(span_skip(text, at), mark))
        at++;
    return at;
}

enum status ramp_parse(struct span text, struct ramp *ret_ramp, struct buf *message)
{
    static const char bad_rate[] = "a rate is a whole number per second, minute or hour, from 1/h "
                                   "to 1000000/s, such as 10/s, 600/m or 5000/h";
    struct ramp ramp;
    struct span rates = span_of(text.ptr, find(text, ":"));
    struct span from = span_of(rates.ptr, find(rates, ".."));

    if (rates.len == text.len || from.len == rates.len)
        return refuse(text, "write two rates and a duration, such as 10/s..500/s:5m", message);
    struct span to = span_skip(rates, from.len + 2);
    struct span duration = span_skip(text, rates.len + 1);
    if (!parse_per_hour(from, &ramp.from_per_hour))
        return refuse(from, bad_rate, message);
    if (!parse_per_hour(to, &ramp.to_per_hour))
        return refuse(to, bad_rate, message);
    if (!parse_duration(duration, RAMP_MS_MAX, &ramp.ms) || ramp.ms == 0)
        return refuse(duration, "the ramp's duration is up to 7d, such as 30s, 5m or 1h", message);
    *ret_ramp = ramp;
    return STATUS_OK;
}

int64_t ramp_per_hour(const struct ramp *ramp, int64_t elapsed_ms)
{
    if (elapsed_ms <= 0)
        return ramp->from_per_hour;
    if (elapsed_ms >= ramp->ms)
        return ramp->to_per_hour;
    int64_t rise = ramp->to_per_hour - ramp->from_per_hour;
    return ramp->from_per_hour + rise * elapsed_ms / ramp->ms;
}

enum status canary_parse(struct span text, struct canary *ret_canary, struct buf *message)
{
    struct canary canary = {.state = CANARY_SENDING, .accept = PERCENT_ALL};
    struct span rows = span_of(text.ptr, find(text, ":"));

    if (span_to_uint64(rows, &canary.rows) != STATUS_OK || canary.rows == 0 ||
        canary.rows > CANARY_ROWS_MAX)
        return refuse(text,
                      "give the number of rows to send ahead, from 1 to 1000000, and a pause "
                      "behind them if you like, such as 20 or 20:30s",
                      message);
    if (rows.len < text.len) {
        struct span pause = span_skip(text, rows.len + 1);
        if (!parse_duration(pause, CANARY_PAUSE_MAX_MS, &canary.pause_ms))
            return refuse(pause, "the pause is a duration of up to 7d, such as 30s or 5m", message);
    }
    *ret_canary = canary;
    return STATUS_OK;
}

enum status canary_parse_accept(struct span text, struct canary *canary, struct buf *message)
{
    static const char remedy[] = "give the share of the canary's rows that is to be accepted, such "
                                 "as 90%, or their number, which is at most the canary's";
    bool is_share = text.len > 0 && text.ptr[text.len - 1] == '%';
    uint64_t max = is_share ? (uint64_t)PERCENT_ALL : canary->rows, accept;

    if (span_to_uint64(span_of(text.ptr, text.len - is_share), &accept) != STATUS_OK ||
        accept > max)
        return refuse(text, remedy, message);
    canary->accepts_count = !is_share;
    canary->accept = accept;
    return STATUS_OK;
}

uint64_t canary_needed(const struct canary *canary)
{
    return canary->accepts_count ? canary->accept
                                 : (canary->rows * canary->accept + PERCENT_ALL - 1) / PERCENT_ALL;
}

bool canary_is_lost(const struct canary *canary)
{
    return canary->ended - canary->by_status[ROW_ACCEPTED] > canary->rows - canary_needed(canary);
}

void canary_describe(const struct canary *canary, struct buf *out)
{
    buf_add_format(out, "%llu accepted", (unsigned long long)canary->by_status[ROW_ACCEPTED]);
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++)
        if (i != ROW_ACCEPTED && canary->by_status[i] > 0)
            buf_add_format(out, ", %llu %s", (unsigned long long)canary->by_status[i],
                           row_status_name((enum row_status)i));
}

int64_t canary_next_ms(struct canary *canary, int64_t now_ms)
{
    switch (canary->state) {
    case CANARY_SENDING:
    case CANARY_OVER:
        return 0;
    case CANARY_WAITING:
        return INT64_MAX;
    case CANARY_PAUSING:
        break;
    }
    if (now_ms < canary->over_ms)
        return canary->over_ms;
    canary->state = CANARY_OVER;
    return 0;
}

int64_t canary_wake_ms(const struct canary *canary)
{
    return canary->state == CANARY_PAUSING ? canary->over_ms : INT64_MAX;
}

void canary_add(struct canary *canary)
{
    if (canary->state == CANARY_OVER)
        return;
    assert(canary->state == CANARY_SENDING);
    if (++canary->added == canary->rows)
        canary->state = CANARY_WAITING;
}

void canary_end(struct canary *canary, enum row_status status, int64_t now_ms)
{
    if (canary->state == CANARY_OVER)
        return;
    assert(canary->ended < canary->added);
    canary->ended++;
    canary->by_status[status]++;
    if (canary->state != CANARY_WAITING || canary->ended < canary->rows)
        return;
    canary->state = CANARY_PAUSING;
    canary->over_ms = now_ms + canary->pause_ms;
}
