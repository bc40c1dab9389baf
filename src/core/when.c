#include <time.h>

#include "core/when.h"

static const int64_t DURATION_MAX_MS = 100LL * 366 * 86400 * 1000;
static const int64_t YEAR_9999_END_S = 253402300799;

/* Reads exactly `count` digits at `at`; -1 when they are not there. */
static int digits(struct span text, size_t at, size_t count)
{
    int value = 0;

    if (text.len < at + count)
        return -1;
    for (size_t i = at; i < at + count; i++) {
        if (!is_digit(text.ptr[i]))
            return -1;
        value = value * 10 + (text.ptr[i] - '0');
    }
    return value;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* The part "YYYY-MM-DDThh:mm:ss" as if it were UTC. */
static enum status parse_civil(struct span text, int64_t *ret_s)
{
    int year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
    int hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);

    if (year < 0 || month < 0 || day < 0 || hour < 0 || minute < 0 || second < 0)
        return STATUS_SYNTAX;
    char t = text.ptr[10];
    if (text.ptr[4] != '-' || text.ptr[7] != '-' || (t != 'T' && t != 't' && t != ' ') ||
        text.ptr[13] != ':' || text.ptr[16] != ':')
        return STATUS_SYNTAX;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 ||
        minute > 59 || second > 59)
        return STATUS_RANGE;
    if (year < 1970)
        return STATUS_TOO_BIG;
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_sec = second};
    *ret_s = (int64_t)timegm(&tm);
    return STATUS_OK;
}

/* What may follow the civil part: nothing (the platform's zone), or a fraction and an offset. */
static enum status parse_offset(struct span rest, int64_t *ret_offset_s)
{
    if (rest.len == 0) {
        *ret_offset_s = WHEN_PLATFORM_OFFSET_S;
        return STATUS_OK;
    }
    if (rest.ptr[0] == '.') {
        size_t i = 1;
        while (i < rest.len && is_digit(rest.ptr[i]))
            i++;
        if (i == 1)
            return STATUS_SYNTAX;
        rest = span_skip(rest, i);
    }
    if (span_is(rest, "Z") || span_is(rest, "z")) {
        *ret_offset_s = 0;
        return STATUS_OK;
    }
    int hours = digits(rest, 1, 2), minutes = digits(rest, 4, 2);
    if (rest.len != 6 || (rest.ptr[0] != '+' && rest.ptr[0] != '-') || rest.ptr[3] != ':' ||
        hours < 0 || minutes < 0)
        return STATUS_SYNTAX;
    if (hours > 23 || minutes > 59)
        return STATUS_RANGE;
    int64_t offset = hours * 3600 + minutes * 60;
    *ret_offset_s = rest.ptr[0] == '-' ? -offset : offset;
    return STATUS_OK;
}

bool when_is_writable(int64_t epoch_s)
{
    return epoch_s >= 0 && epoch_s <= YEAR_9999_END_S - WHEN_PLATFORM_OFFSET_S;
}

enum status when_parse(struct span text, int64_t now_s, int64_t *ret_s)
{
    int64_t time_s = 0, offset_s = 0;
    enum status status;

    if (when_is_relative(text)) {
        int64_t duration_ms;
        status = when_parse_duration(span_skip(text, 1), &duration_ms);
        if (status != STATUS_OK)
            return status == STATUS_RANGE ? STATUS_TOO_BIG : status;
        time_s = now_s + duration_ms / 1000;
    } else {
        if (text.len < WHEN_PLATFORM_LENGTH)
            return STATUS_SYNTAX;
        /* The form of the whole is judged first: what is no time names no day that is none. */
        status = parse_civil(text, &time_s);
        enum status offset_status = parse_offset(span_skip(text, WHEN_PLATFORM_LENGTH), &offset_s);
        if (status == STATUS_SYNTAX || offset_status == STATUS_SYNTAX)
            return STATUS_SYNTAX;
        if (status != STATUS_OK)
            return status;
        if (offset_status != STATUS_OK)
            return offset_status;
        time_s -= offset_s;
    }
    if (!when_is_writable(time_s))
        return STATUS_TOO_BIG;
    *ret_s = time_s;
    return STATUS_OK;
}

bool when_drops_fraction(struct span text)
{
    int64_t ms = 0;
    size_t i = WHEN_PLATFORM_LENGTH;

    if (text.len > 0 && text.ptr[0] == '+')
        return when_parse_duration(span_skip(text, 1), &ms) == STATUS_OK && ms % 1000 != 0;
    if (text.len <= i || text.ptr[i] != '.')
        return false;
    for (i++; i < text.len && is_digit(text.ptr[i]); i++)
        if (text.ptr[i] != '0')
            return true;
    return false;
}

static void civil_of(int64_t epoch_s, struct tm *ret_tm)
{
    time_t time = (time_t)epoch_s;
    *ret_tm = (struct tm){.tm_mday = 1};
    (void)gmtime_r(&time, ret_tm);
}

/* Writes a number with leading zeros. */
static char *put_digits(char *out, unsigned value, size_t digits)
{
    for (size_t i = digits; i > 0; i--) {
        out[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + digits;
}

/* YYYY-MM-DDThh:mm:ss, by hand: every command has one, and strftime is slow. */
static char *put_civil(char *out, const struct tm *tm)
{
    out = put_digits(out, (unsigned)tm->tm_year + 1900, 4);
    *out++ = '-';
    out = put_digits(out, (unsigned)tm->tm_mon + 1, 2);
    *out++ = '-';
    out = put_digits(out, (unsigned)tm->tm_mday, 2);
    *out++ = 'T';
    out = put_digits(out, (unsigned)tm->tm_hour, 2);
    *out++ = ':';
    out = put_digits(out, (unsigned)tm->tm_min, 2);
    *out++ = ':';
    return put_digits(out, (unsigned)tm->tm_sec, 2);
}

void when_format_platform(int64_t epoch_s, char out[WHEN_PLATFORM_LENGTH + 1])
{
    struct tm tm;
    civil_of(epoch_s + WHEN_PLATFORM_OFFSET_S, &tm);
    *put_civil(out, &tm) = '\0';
}

void when_format_utc(int64_t epoch_ms, char out[WHEN_UTC_LENGTH + 1])
{
    struct tm tm;
    civil_of(epoch_ms / 1000, &tm);
    char *end = put_civil(out, &tm);
    *end++ = '.';
    end = put_digits(end, (unsigned)(epoch_ms % 1000), 3);
    *end++ = 'Z';
    *end = '\0';
}

/* The number that `count` digits make. */
static int64_t number_at(const char *text, size_t count)
{
    int64_t number = 0;

    for (size_t i = 0; i < count; i++)
        number = number * 10 + (text[i] - '0');
    return number;
}

int64_t when_read_utc(const char text[WHEN_UTC_LENGTH])
{
    int64_t year = number_at(text, 4), month = number_at(text + 5, 2);

    /* The year begins in March, so that the day that leap years have is its last. */
    year -= month <= 2;
    month += month <= 2 ? 9 : -3;
    int64_t days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 +
                   number_at(text + 8, 2) - 719469;
    int64_t minutes = (days * 24 + number_at(text + 11, 2)) * 60 + number_at(text + 14, 2);
    return (minutes * 60 + number_at(text + 17, 2)) * 1000 + number_at(text + 20, 3);
}

/* The milliseconds of a unit; 0 where it is none. Nearly every row has one: no strings are
 * compared. */
static int64_t unit_ms(struct span unit)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};

    if (unit.len == 2)
        return unit.ptr[0] == 'm' && unit.ptr[1] == 's' ? 1 : 0;
    for (size_t i = 0; unit.len == 1 && i < ARRAY_LENGTH(units); i++)
        if (unit.ptr[0] == units[i].unit)
            return units[i].ms;
    return 0;
}

enum status when_parse_duration(struct span text, int64_t *ret_ms)
{
    size_t len = 0;
    int64_t value = 0;

    while (len < text.len && is_digit(text.ptr[len]))
        len++;
    struct span unit = span_skip(text, len);
    int64_t ms = unit_ms(unit);
    enum status status = span_to_int64(span_of(text.ptr, len), &value);
    bool plain_zero = unit.len == 0 && status == STATUS_OK && value == 0;
    if (status == STATUS_SYNTAX || (ms == 0 && !plain_zero))
        return STATUS_SYNTAX;
    if (status == STATUS_RANGE || (ms > 0 && value > DURATION_MAX_MS / ms))
        return STATUS_RANGE;
    *ret_ms = value * ms;
    return STATUS_OK;
}

void when_add_duration(double seconds, struct buf *out)
{
    static const struct {
        int64_t seconds;
        const char *unit;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
    int64_t rest = (int64_t)(seconds + 0.5);

    if (seconds < 1) {
        buf_add_string(out, "less than a second");
        return;
    }
    size_t first = 0;
    while (rest < units[first].seconds)
        first++;
    for (size_t i = first; i < first + 2 && i < ARRAY_LENGTH(units); i++) {
        if (i > first && rest / units[i].seconds == 0)
            break;
        buf_add_format(out, "%s%lld%s", i > first ? " " : "", (long long)(rest / units[i].seconds),
                       units[i].unit);
        rest %= units[i].seconds;
    }
}
