/*
 * core/when.h over any bytes. The first byte chooses what time it is, the rest is read as a time
 * and as a duration.
 */
#include "core/when.h"
#include "fuzz_help.h"

static const int64_t LAST_S = 253402300799 - WHEN_PLATFORM_OFFSET_S; /* the end of 9999 in UTC+8 */
static const int64_t DURATION_MAX_MS = 100LL * 366 * 86400 * 1000;
static const int64_t UNTOUCHED = -77;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int number_at(const char *text, size_t count)
{
    int value = 0;

    for (size_t i = 0; i < count; i++)
        value = value * 10 + (text[i] - '0');
    return value;
}

/* Whether the text looks like the pattern: 9 stands for a digit, T for itself, t or a space. */
static bool looks_like(struct span text, const char *pattern)
{
    if (text.len != strlen(pattern))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool good = pattern[i] == '9'   ? is_digit(text.ptr[i])
                    : pattern[i] == 'T' ? strchr("Tt ", text.ptr[i]) != NULL && text.ptr[i] != '\0'
                                        : text.ptr[i] == pattern[i];
        if (!good)
            return false;
    }
    return true;
}

/* Days since 1970-01-01, counted year by year and month by month. */
static int64_t count_days(int year, int month, int day, bool *ret_exists)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t days = day - 1;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    *ret_exists = month >= 1 && month <= 12 && day >= 1 &&
                  day <= lengths[(month + 11) % 12] + (month == 2 && leap ? 1 : 0);
    for (int y = 1970; y < year; y++)
        days += (y % 4 == 0 && y % 100 != 0) || y % 400 == 0 ? 366 : 365;
    for (int m = 1; *ret_exists && m < month; m++)
        days += lengths[m - 1] + (m == 2 && leap ? 1 : 0);
    return days;
}

/* The zone behind the civil part in seconds; false where there is none that could be. */
static bool zone_of(struct span rest, int64_t *ret_offset_s, bool *ret_exists)
{
    *ret_offset_s = WHEN_PLATFORM_OFFSET_S;
    *ret_exists = true;
    if (rest.len == 0)
        return true;
    if (rest.ptr[0] == '.') {
        size_t digits = 0;
        while (digits + 1 < rest.len && is_digit(rest.ptr[digits + 1]))
            digits++;
        if (digits == 0)
            return false;
        rest = span_skip(rest, digits + 1);
    }
    *ret_offset_s = 0;
    if (looks_like(rest, "Z") || looks_like(rest, "z"))
        return true;
    if (!looks_like(rest, "+99:99") && !looks_like(rest, "-99:99"))
        return false;
    int hours = number_at(rest.ptr + 1, 2), minutes = number_at(rest.ptr + 4, 2);
    *ret_exists = hours < 24 && minutes < 60;
    *ret_offset_s = (rest.ptr[0] == '-' ? -60 : 60) * (int64_t)(hours * 60 + minutes);
    return true;
}

/* The same by other means: for times that are not relative. */
static enum status reference(struct span text, int64_t *ret_s)
{
    int64_t offset_s;
    bool day_exists, offset_exists;

    if (text.len < WHEN_PLATFORM_LENGTH ||
        !looks_like(span_of(text.ptr, WHEN_PLATFORM_LENGTH), "9999-99-99T99:99:99") ||
        !zone_of(span_skip(text, WHEN_PLATFORM_LENGTH), &offset_s, &offset_exists))
        return STATUS_SYNTAX;
    int year = number_at(text.ptr, 4), hour = number_at(text.ptr + 11, 2);
    int minute = number_at(text.ptr + 14, 2), second = number_at(text.ptr + 17, 2);
    int64_t days =
        count_days(year, number_at(text.ptr + 5, 2), number_at(text.ptr + 8, 2), &day_exists);
    int64_t time_s = ((days * 24 + hour) * 60 + minute) * 60 + second - offset_s;
    if (!day_exists || hour > 23 || minute > 59 || second > 59)
        return STATUS_RANGE;
    if (year < 1970)
        return STATUS_TOO_BIG;
    if (!offset_exists)
        return STATUS_RANGE;
    if (time_s < 0 || time_s > LAST_S)
        return STATUS_TOO_BIG;
    *ret_s = time_s;
    return STATUS_OK;
}

/* A time that was read is written, and read again, as the same second, whatever time it is. */
static void check_formats(int64_t time_s)
{
    char platform[WHEN_PLATFORM_LENGTH + 1], utc[WHEN_UTC_LENGTH + 1];
    int64_t again = UNTOUCHED;

    MUST(time_s >= 0 && time_s <= LAST_S);
    when_format_platform(time_s, platform);
    MUST(strlen(platform) == WHEN_PLATFORM_LENGTH);
    MUST(when_parse(span_string(platform), 0, &again) == STATUS_OK && again == time_s);
    when_format_utc(time_s * 1000 + 999, utc);
    again = UNTOUCHED;
    MUST(strlen(utc) == WHEN_UTC_LENGTH);
    MUST(when_parse(span_string(utc), LAST_S, &again) == STATUS_OK && again == time_s);
}

/* Whether it is digits and a unit, or zeros alone, however large. */
static bool looks_like_duration(struct span text)
{
    static const char *const units[] = {"ms", "s", "m", "h", "d"};
    size_t digits = 0, zeros = 0;

    while (digits < text.len && is_digit(text.ptr[digits]))
        zeros += text.ptr[digits++] == '0' ? 1 : 0;
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
        if (digits > 0 && span_is(span_skip(text, digits), units[i]))
            return true;
    return text.len > 0 && zeros == text.len;
}

/* The milliseconds of what looks like a duration: exact up to far beyond the maximum. */
static double value_of(struct span text)
{
    double value = 0;
    size_t digits = 0;

    while (digits < text.len && is_digit(text.ptr[digits]))
        value = value * 10 + (text.ptr[digits++] - '0');
    struct span unit = span_skip(text, digits);
    return value * (span_is(unit, "d")   ? 86400000
                    : span_is(unit, "h") ? 3600000
                    : span_is(unit, "m") ? 60000
                    : span_is(unit, "s") ? 1000
                                         : 1);
}

static void check_duration(struct span text)
{
    int64_t ms = UNTOUCHED;
    enum status status = when_parse_duration(text, &ms);
    enum status wanted = STATUS_SYNTAX;

    if (looks_like_duration(text))
        wanted = value_of(text) > (double)DURATION_MAX_MS ? STATUS_RANGE : STATUS_OK;
    MUST(status == wanted);
    if (status == STATUS_OK)
        MUST(ms >= 0 && (double)ms == value_of(text));
    else
        MUST(ms == UNTOUCHED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t nows[] = {0,          1,          951782399,      1800000000,
                                   1835395199, 4102444800, 253402271998LL, 253402271999LL};
    int64_t time_s = UNTOUCHED, wanted_s = UNTOUCHED, ms = 0;

    if (size == 0)
        return 0;
    int64_t now_s = nows[data[0] % ARRAY_LENGTH(nows)];
    char *copy = exact_copy(data + 1, size - 1);
    struct span text = span_of(copy, size - 1);
    enum status status = when_parse(text, now_s, &time_s), wanted;

    if (text.len > 0 && copy[0] == '+') {
        wanted = when_parse_duration(span_skip(text, 1), &ms);
        if (wanted == STATUS_RANGE || (wanted == STATUS_OK && now_s + ms / 1000 > LAST_S))
            wanted = STATUS_TOO_BIG;
        check_duration(span_skip(text, 1));
        wanted_s = wanted == STATUS_OK ? now_s + ms / 1000 : UNTOUCHED;
    } else {
        wanted = reference(text, &wanted_s);
    }
    MUST(status == wanted && time_s == wanted_s);
    if (status == STATUS_OK)
        check_formats(time_s);
    check_duration(text);
    free(copy);
    return 0;
}
