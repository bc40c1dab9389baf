#include "cli/option_setters.h"

#include "core/text.h"
#include "core/when.h"
#include "run/job_name.h"

enum { BENCH_RATE_MAX = 100 * 1000, DEFAULT_WATCH_MS = 30 * 1000, WATCH_MIN_MS = 1000 };

/* --resume=failed,rejected */
bool option_set_resume(struct settings *settings, struct span value, struct buf *wanted)
{
    static const struct {
        const char *name;
        bool status[ROW_STATUS_COUNT];
        bool group[DELIVERY_GROUP_COUNT];
    } words[] = {
        {"failed", .status = {[ROW_FAILED] = true}},
        {"rejected", .status = {[ROW_REJECTED] = true}},
        {"invalid", .status = {[ROW_INVALID] = true}},
        {"in_doubt", .status = {[ROW_IN_DOUBT] = true}},
        {"all", .status = {[ROW_FAILED] = true, [ROW_REJECTED] = true, [ROW_INVALID] = true}},
        {"expired", .group = {[DELIVERY_EXPIRED] = true}},
        {"undelivered", .group = {[DELIVERY_UNDELIVERED] = true}},
        {"cancelled", .group = {[DELIVERY_CANCELLED] = true}},
    };
    struct resume resume = {.on = true};

    while (value.len > 0) {
        struct span word = text_take_piece(&value);
        size_t i = 0;
        while (i < ARRAY_LENGTH(words) && !span_is(word, words[i].name))
            i++;
        if (i == ARRAY_LENGTH(words)) {
            buf_add_string(wanted, "must be failed, rejected, invalid, in_doubt or all (the first "
                                   "three), or expired, undelivered or cancelled, with commas "
                                   "between them, or nothing");
            return false;
        }
        for (size_t j = 0; j < ROW_STATUS_COUNT; j++)
            resume.status[j] = resume.status[j] || words[i].status[j];
        for (size_t j = 0; j < DELIVERY_GROUP_COUNT; j++)
            resume.group[j] = resume.group[j] || words[i].group[j];
    }
    settings->run.resume = resume;
    return true;
}

/* --watch, --watch=2m */
bool option_set_watch(struct settings *settings, struct span value, struct buf *wanted)
{
    int64_t interval_ms = DEFAULT_WATCH_MS;

    if (value.len > 0 &&
        (when_parse_duration(value, &interval_ms) != STATUS_OK || interval_ms < WATCH_MIN_MS)) {
        buf_add_string(wanted, "must be a duration of 1s or more, such as 30s or 5m, or nothing");
        return false;
    }
    settings->run.watch_ms = interval_ms;
    return true;
}

bool option_set_settle(struct settings *settings, struct span value, struct buf *wanted)
{
    int64_t *settle_ms = settings->run.settle_ms;
    struct span first = text_take_piece(&value);

    settings->run.has_settle = true;
    if (when_parse_duration(first, &settle_ms[0]) == STATUS_OK &&
        when_parse_duration(value, &settle_ms[1]) == STATUS_OK && settle_ms[0] <= settle_ms[1])
        return true;
    buf_add_string(wanted, "must be two durations, the second not shorter, such as 10s,60s");
    return false;
}

bool option_set_delimiter(struct settings *settings, struct span value, struct buf *wanted)
{
    if (reader_delimiter_of(value.ptr, &settings->run.delimiter))
        return true;
    buf_add_string(wanted, "must be one ASCII character that is no letter, digit, space or double "
                           "quote, or comma, semicolon, tab, pipe");
    return false;
}

/* N..M, or N for just so many. */
bool option_set_expected(struct settings *settings, struct span value, struct buf *wanted)
{
    const char *dots = strstr(value.ptr, "..");
    const size_t len = dots != NULL ? (size_t)(dots - value.ptr) : value.len;
    struct expected_rows expected;

    bool is_good = span_to_uint64(span_of(value.ptr, len), &expected.min) == STATUS_OK;
    expected.max = expected.min;
    if (is_good && dots != NULL)
        is_good = span_to_uint64(span_skip(value, len + 2), &expected.max) == STATUS_OK;
    if (is_good && expected.max >= expected.min && expected.max > 0)
        settings->run.expected = expected;
    else
        buf_add_string(wanted, "must be a number of rows or a range of them, such as 9000..11000");
    return is_good && expected.max >= expected.min && expected.max > 0;
}

/* --status in_doubt,failed */
bool option_set_statuses(struct settings *settings, struct span value, struct buf *wanted)
{
    do {
        struct span word = text_take_piece(&value);
        enum row_status status = 0;
        while (status < ROW_STATUS_COUNT && !span_is(word, row_status_name(status)))
            status++;
        if (status == ROW_STATUS_COUNT) {
            buf_add_string(wanted, "must be");
            for (status = 0; status < ROW_STATUS_COUNT; status++)
                buf_add_format(wanted, "%s %s", status > 0 ? "," : "", row_status_name(status));
            buf_add_string(wanted, ", or several with commas between them");
            return false;
        }
        settings->run.statuses[status] = settings->run.has_statuses = true;
    } while (value.len > 0);
    return true;
}

/* It becomes part of a file's name. */
bool option_set_job(struct settings *settings, struct span value, struct buf *wanted)
{
    bool is_good = value.len > 0 && value.len <= JOB_NAME_MAX && value.ptr[0] != '.';

    for (size_t i = 0; i < value.len; i++)
        is_good = is_good && job_name_has(value.ptr[i]);
    if (is_good)
        settings->run.job = value.ptr;
    else
        buf_add_format(wanted,
                       "must be 1–%d letters, digits and the characters %s, the first no "
                       "full stop",
                       JOB_NAME_MAX, JOB_NAME_OTHERS);
    return is_good;
}

bool option_set_levels(struct settings *settings, struct span value, struct buf *wanted)
{
    struct levels levels = {.count = 0};
    bool ends = false;
    int64_t level;

    while (!ends) {
        ends = memchr(value.ptr, ',', value.len) == NULL;
        if (levels.count == LEVELS_MAX ||
            span_to_int64(text_take_piece(&value), &level) != STATUS_OK || level < 1 ||
            level > CONCURRENCY_MAX) {
            buf_add_format(wanted, "must be at most %d numbers of 1–%d, such as 1,16,64",
                           LEVELS_MAX, CONCURRENCY_MAX);
            return false;
        }
        levels.items[levels.count++] = (size_t)level;
    }
    settings->run.levels = levels;
    return true;
}

/* --rate 100,200 of bench, a second each; 600/m is one too. */
bool option_set_rates(struct settings *settings, struct span value, struct buf *wanted)
{
    struct rates rates = {.count = 0};
    int64_t count, per_ms;
    bool is_good = true;

    do {
        struct span piece = text_take_piece(&value);
        bool has_unit = piece.len > 0 && memchr(piece.ptr, '/', piece.len) != NULL;
        per_ms = 1000;
        is_good =
            rates.count < LEVELS_MAX && (has_unit ? rate_parse(piece, &count, &per_ms)
                                                  : span_to_int64(piece, &count) == STATUS_OK);
        is_good = is_good && count >= 1 && count <= BENCH_RATE_MAX * (per_ms / 1000);
        if (is_good)
            rates.items[rates.count++] = (double)count * 1000 / (double)per_ms;
    } while (is_good && value.len > 0);
    if (!is_good)
        buf_add_format(wanted, "must be at most %d rates of 1–%d a second, such as 100,200,400",
                       LEVELS_MAX, BENCH_RATE_MAX);
    settings->run.rates = rates;
    return is_good;
}

bool option_set_find(struct settings *settings, struct span value, struct buf *wanted)
{
    settings->run.find = value.ptr;
    if (load_parse_goal(value, &settings->run.goal))
        return true;
    buf_add_string(wanted,
                   "must be a percentile and a duration, such as p99=200ms, or several, and "
                   "may have shares behind it, each named once: "
                   "p50=20ms,p99=200ms,refused=0.1%,failed=1%");
    return false;
}

bool option_set_ramp(struct settings *settings, struct span value, struct buf *wanted)
{
    return ramp_parse(value, &settings->run.ramp, wanted) == STATUS_OK;
}

bool option_set_canary(struct settings *settings, struct span value, struct buf *wanted)
{
    if (rollout_is_canary(value))
        return rollout_parse_canary(value, &settings->run.canary_step, wanted) == STATUS_OK;
    return canary_parse(value, &settings->run.canary, wanted) == STATUS_OK;
}

bool option_set_rollout(struct settings *settings, struct span value, struct buf *wanted)
{
    return rollout_parse(value, &settings->run.rollout, wanted) == STATUS_OK;
}

/* Options are carried out in the order of the table, in which this one is behind --canary. */
bool option_set_canary_accept(struct settings *settings, struct span value, struct buf *wanted)
{
    if (settings->run.canary.rows > 0)
        return canary_parse_accept(value, &settings->run.canary, wanted) == STATUS_OK;
    buf_add_string(wanted, settings->run.canary_step.rows > 0
                               ? "the canary goes by what is delivered, and not by what is accepted"
                               : "there is no canary; say how many rows go ahead with --canary N");
    return false;
}

bool option_set_halt(struct settings *settings, struct span value, struct buf *wanted)
{
    return halt_parse(&settings->run.halt, value, wanted) == STATUS_OK;
}
