#include "unit.h"

#include "core/when.h"

static const int64_t NOW = 1800000000; /* 2027-01-15T08:00:00Z */

static int64_t parsed(const char *text)
{
    int64_t time = -1;
    assert_int_equal(when_parse(span_string(text), NOW, &time), STATUS_OK);
    return time;
}

static enum status refused(const char *text)
{
    int64_t time = -1;
    enum status status = when_parse(span_string(text), NOW, &time);
    assert_int_equal(time, -1);
    return status;
}

static void test_platform_form_is_utc_plus_8(void **state)
{
    (void)state;
    assert_int_equal(parsed("2027-01-15T16:00:00"), NOW);
    assert_int_equal(parsed("2027-01-15 16:00:00"), NOW);
    assert_int_equal(parsed("1970-01-01T08:00:00"), 0);
}

static void test_rfc3339_offsets_are_honoured(void **state)
{
    (void)state;
    assert_int_equal(parsed("2027-01-15T08:00:00Z"), NOW);
    assert_int_equal(parsed("2027-01-15t08:00:00z"), NOW);
    assert_int_equal(parsed("2027-01-15T08:00:00.999Z"), NOW);
    assert_int_equal(parsed("2027-01-15T16:00:00+08:00"), NOW);
    assert_int_equal(parsed("2027-01-15T02:30:00-05:30"), NOW);
}

static void test_relative_times_count_from_now(void **state)
{
    (void)state;
    assert_int_equal(parsed("+24h"), NOW + 86400);
    assert_int_equal(parsed("+7d"), NOW + 7 * 86400);
    assert_int_equal(parsed("+90s"), NOW + 90);
    assert_int_equal(parsed("+5m"), NOW + 300);
    assert_int_equal(parsed("+1500ms"), NOW + 1);
    assert_int_equal(parsed("+0"), NOW);
}

static void test_days_that_do_not_exist_are_out_of_range(void **state)
{
    (void)state;
    static const char *const texts[] = {"2027-02-29T00:00:00", "2027-13-01T00:00:00",
                                        "2027-00-01T00:00:00", "2027-04-31T00:00:00",
                                        "2027-01-00T00:00:00", "2027-01-01T24:00:00",
                                        "2027-01-01T00:60:00", "2027-01-01T00:00:60",
                                        "2100-02-29T00:00:00", "2027-01-01T00:00:00+24:00"};
    static const char *const beyond[] = {"1969-12-31T00:00:00", "1970-01-01T07:59:59",
                                         "9999-12-31T23:59:59-01:00", "9999-12-31T16:00:00Z",
                                         "+36601d"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        assert_int_equal(refused(texts[i]), STATUS_RANGE);
    for (size_t i = 0; i < ARRAY_LENGTH(beyond); i++)
        assert_int_equal(refused(beyond[i]), STATUS_TOO_BIG);
    assert_int_equal(parsed("2028-02-29T08:00:00"), 1835395200);
    assert_int_equal(parsed("2000-02-29T08:00:00"), 951782400);
    assert_int_equal(parsed("9999-12-31T23:59:59"), 253402300799 - 8 * 3600);
}

static void test_what_is_no_time_is_a_syntax_error(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "tomorrow",
                                        "2027-01-15",
                                        "2027-01-15T16:00",
                                        "2027/01/15T16:00:00",
                                        "2027-01-15T16:00:00 ",
                                        "2027-01-15T16:00:00+0800",
                                        "2027-01-15T16:00:00+08",
                                        "2027-01-15T16:00:00.Z",
                                        "2027-02-29T16:00:00.Z",
                                        "9999-12-35T23:59:59+23239",
                                        "2027-01-15_16:00:00",
                                        "+",
                                        "+h",
                                        "+1w",
                                        "+-1h",
                                        "1800000000",
                                        " 2027-01-15T16:00:00"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        assert_int_equal(refused(texts[i]), STATUS_SYNTAX);
}

static void test_formats_read_back_as_the_same_second(void **state)
{
    (void)state;
    char text[WHEN_PLATFORM_LENGTH + 1];
    for (int64_t time = 0; time < 4000000000; time += 7654321) {
        when_format_platform(time, text);
        assert_int_equal(parsed(text), time);
    }
    char utc[WHEN_UTC_LENGTH + 1];
    when_format_utc(NOW * 1000 + 7, utc);
    assert_string_equal(utc, "2027-01-15T08:00:00.007Z");
}

static void test_what_was_written_as_utc_is_read_again(void **state)
{
    (void)state;
    char text[WHEN_UTC_LENGTH + 1];

    for (int64_t ms = 0; ms < INT64_C(253402300800000); ms += INT64_C(98765432101)) {
        when_format_utc(ms, text);
        assert_int_equal(when_read_utc(text), ms);
    }
    assert_int_equal(when_read_utc("2000-02-29T23:59:59.999Z"), INT64_C(951868799999));
    assert_true(when_read_utc("0000-00-00T00:00:00.000Z") < 0); /* and no more than that */
}

static void test_durations_have_a_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"500ms", 500},    {"30s", 30000},    {"5m", 300000},
                {"24h", 86400000}, {"7d", 604800000}, {"0", 0}};
    static const char *const bad[] = {"",
                                      "5",
                                      "s",
                                      "-1s",
                                      "1.5s",
                                      "1 s",
                                      "5M",
                                      "1h30m",
                                      "99999999999999999999",
                                      "99999999999999999999w"};
    int64_t ms = -1;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        assert_int_equal(when_parse_duration(span_string(good[i].text), &ms), STATUS_OK);
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_int_equal(when_parse_duration(span_string(bad[i]), &ms), STATUS_SYNTAX);
    assert_int_equal(when_parse_duration(SPAN_LITERAL("99999999999999d"), &ms), STATUS_RANGE);
    assert_int_equal(when_parse_duration(SPAN_LITERAL("99999999999999999999s"), &ms), STATUS_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_platform_form_is_utc_plus_8),
        cmocka_unit_test(test_rfc3339_offsets_are_honoured),
        cmocka_unit_test(test_relative_times_count_from_now),
        cmocka_unit_test(test_days_that_do_not_exist_are_out_of_range),
        cmocka_unit_test(test_what_is_no_time_is_a_syntax_error),
        cmocka_unit_test(test_formats_read_back_as_the_same_second),
        cmocka_unit_test(test_what_was_written_as_utc_is_read_again),
        cmocka_unit_test(test_durations_have_a_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
