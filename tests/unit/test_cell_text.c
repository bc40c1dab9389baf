#include "unit.h"

#include "input/cell_text.h"

static void assert_number(const char *stored, const char *wanted)
{
    char text[CELL_NUMBER_MAX];

    assert_true(cell_number_text(span_string(stored), text));
    assert_string_equal(text, wanted);
}

static void test_a_number_keeps_its_digits(void **state)
{
    static const char *const kept[] = {
        "0",
        "42",
        "-5",
        "865820031310001",
        "99999999999999999999",
        "1.50",
        "0.0042",
        "-0",
        "1234567890.123456",
        "86582003131000112",
        "123456789012345678",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(kept); i++)
        assert_number(kept[i], kept[i]);
}

static void test_seventeen_digits_become_the_shortest_of_the_same_double(void **state)
{
    (void)state;
    assert_number("1.1000000000000001", "1.1");
    assert_number("0.30000000000000004", "0.30000000000000004");
    assert_number("0.33333333333333331", "0.3333333333333333");
    assert_number("-37.100000000000001", "-37.1");
    assert_number("8.6582003131000096E+17", "865820031310000900");
    assert_number("9.9999999999999995E-8", "0.0000001");
}

static void test_an_exponent_is_carried_out_where_that_is_short(void **state)
{
    (void)state;
    assert_number("8.65820031310001E+14", "865820031310001");
    assert_number("8.65820031310001e14", "865820031310001");
    assert_number("1E-4", "0.0001");
    assert_number("-2.5E-7", "-0.00000025");
    assert_number("1E+17", "100000000000000000");
    assert_number("1E+18", "1E+18");
    assert_number("1.5E+300", "1.5E+300");
    assert_number("1E-300", "1E-300");
    assert_number("0E+5", "0");
}

static void test_what_is_no_json_number_is_written_as_one(void **state)
{
    (void)state;
    assert_number("+5", "5");
    assert_number(".5", "0.5");
    assert_number("-.5", "-0.5");
    assert_number("5.", "5");
}

static void test_what_is_no_number_is_none(void **state)
{
    static const char *const none[] = {
        "",    "-",   ".",   "1.2.3", "1e", "1e+",      "NaN", "INF", "0x10",
        "1 2", "1,5", "--1", "1e5.5", "e5", "1e123456", "１",  "1-",  "true",
    };
    char text[CELL_NUMBER_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(none); i++)
        assert_false(cell_number_text(span_string(none[i]), text));
    char digits[1000];
    memset(digits, '7', sizeof(digits));
    assert_false(cell_number_text(span_of(digits, sizeof(digits)), text));
}

static void assert_date(double days, bool is_1904, const char *wanted)
{
    char text[CELL_DATE_MAX];

    if (wanted == NULL) {
        assert_false(cell_date_text(days, is_1904, text));
        return;
    }
    assert_true(cell_date_text(days, is_1904, text));
    assert_string_equal(text, wanted);
}

static void test_days_count_from_1900_with_the_day_that_never_was(void **state)
{
    (void)state;
    assert_date(1, false, "1900-01-01T00:00:00");
    assert_date(59, false, "1900-02-28T00:00:00");
    assert_date(60, false, "1900-02-29T00:00:00");
    assert_date(60.5, false, "1900-02-29T12:00:00");
    assert_date(61, false, "1900-03-01T00:00:00");
    assert_date(25569, false, "1970-01-01T00:00:00");
    assert_date(36585, false, "2000-02-29T00:00:00");
    assert_date(50071.3333333333, false, "2037-01-31T08:00:00");
    assert_date(2958465.99998, false, "9999-12-31T23:59:58");
}

static void test_days_count_from_1904(void **state)
{
    (void)state;
    assert_date(1, true, "1904-01-02T00:00:00");
    assert_date(48609.3333333333, true, "2037-01-31T08:00:00");
    assert_date(2957003, true, "9999-12-31T00:00:00");
    assert_date(2957004, true, NULL);
}

static void test_a_time_is_rounded_to_a_second(void **state)
{
    (void)state;
    assert_date(45000.999994, false, "2023-03-15T23:59:59");
    assert_date(45000.9999943, false, "2023-03-16T00:00:00");
    assert_date(45000.5 + 0.4 / 86400, false, "2023-03-15T12:00:00");
    assert_date(45000.5 + 0.6 / 86400, false, "2023-03-15T12:00:01");
}

static void test_less_than_a_day_is_a_time_of_none(void **state)
{
    (void)state;
    assert_date(0, false, "00:00:00");
    assert_date(0.5, false, "12:00:00");
    assert_date(0.75, true, "18:00:00");
}

static void test_what_no_calendar_has_is_a_number(void **state)
{
    (void)state;
    assert_date(-1, false, NULL);
    assert_date(2958466, false, NULL);
    assert_date(865820031310001, false, NULL); /* an IMEI in a column of dates */
    assert_date(0.0 / 0.0, false, NULL);
}

static void test_every_day_is_the_one_behind_the_day_before(void **state)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = 1900, month = 3, day = 1;
    char text[CELL_DATE_MAX], wanted[64];

    (void)state;
    for (int days = 61; days <= 2958465; days++) {
        (void)snprintf(wanted, sizeof(wanted), "%04d-%02d-%02dT00:00:00", year, month, day);
        assert_true(cell_date_text(days, false, text));
        if (strcmp(text, wanted) != 0)
            fail_msg("day %d is %s, not %s", days, text, wanted);
        bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        if (++day > lengths[month - 1] + (month == 2 && is_leap)) {
            day = 1;
            month = month % 12 + 1;
            year += month == 1;
        }
    }
}

static void assert_iso(const char *stored, const char *wanted)
{
    char text[CELL_DATE_MAX];

    if (wanted == NULL) {
        assert_false(cell_iso_date_text(span_string(stored), text));
        return;
    }
    assert_true(cell_iso_date_text(span_string(stored), text));
    assert_string_equal(text, wanted);
}

static void test_iso_dates(void **state)
{
    (void)state;
    assert_iso("2037-01-31", "2037-01-31T00:00:00");
    assert_iso("2037-01-31T08:00:00", "2037-01-31T08:00:00");
    assert_iso("2037-01-31T08:00:00Z", "2037-01-31T08:00:00");
    assert_iso("2036-12-31T23:59:59.6", "2037-01-01T00:00:00");
    assert_iso("2036-12-31T23:59:59.499", "2036-12-31T23:59:59");
    static const char *const none[] = {
        "",
        "2037",
        "2037-01",
        "2037-13-01",
        "2037-01-31T08",
        "2037-01-31T08:00",
        "08:00:00",
        "2037-01-31X08:00:00",
        "2037-01-31T08:00:00+08:00",
        "2037/01/31",
        "Z",
        "2037-01-31T08:00:00.x",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(none); i++)
        assert_iso(none[i], NULL);
}

static void test_formats_that_show_a_date(void **state)
{
    static const char *const dates[] = {
        "yyyy-mm-dd",
        "d/m/yy h:mm",
        "[$-804]yyyy\"年\"m\"月\"d\"日\"",
        "[h]:mm:ss",
        "[mm]",
        "[SS].0",
        "mmm",
        "h:mm AM/PM",
        "yyyy年m月",
        "[Red]dd.mm.yyyy",
        "\\Xyyyy",
        "ss.00",
        "[$-F800]dddd, mmmm dd",
    };
    static const char *const others[] = {
        "General",    "GENERAL",   "0",     "0.00",   "#,##0.00", "0.00E+00",      "@",
        "\"days\" 0", "0\\d",      "0_d",   "*d0",    "[Red]0",   "[$¥-804]#,##0", "[$USD] 0",
        "[<100]0",    "0%",        "# ?/?", "0;yyyy", "[",        "\"d",           "\\",
        "",           "[DBNum1]0",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(dates); i++)
        if (!cell_format_is_date(dates[i]))
            fail_msg("%s shows a date", dates[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        if (cell_format_is_date(others[i]))
            fail_msg("%s shows none", others[i]);
    assert_true(cell_format_id_is_date(14) && cell_format_id_is_date(22));
    assert_true(cell_format_id_is_date(31) && cell_format_id_is_date(47));
    assert_false(cell_format_id_is_date(0) || cell_format_id_is_date(13));
    assert_false(cell_format_id_is_date(23) || cell_format_id_is_date(48));
    assert_false(cell_format_id_is_date(49) || cell_format_id_is_date(164));
}

static void test_names_of_cells(void **state)
{
    static const struct {
        const char *name;
        uint32_t column, row;
    } cells[] = {{"A1", 0, 1},
                 {"C17", 2, 17},
                 {"Z2", 25, 2},
                 {"AA3", 26, 3},
                 {"ZZ9", 701, 9},
                 {"AAA1", 702, 1},
                 {"XFD1048576", 16383, 1048576}};
    static const char *const none[] = {"",          "A",   "1",    "A0",    "XFE1",
                                       "A1048577",  "A1B", "$A$1", "AAAA1", "A-1",
                                       "A99999999", "é1",  "A 1"};
    uint32_t column, row;
    char name[CELL_NAME_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cells); i++) {
        assert_true(cell_name_parse(span_string(cells[i].name), &column, &row));
        assert_int_equal(column, cells[i].column);
        assert_int_equal(row, cells[i].row);
        cell_name_write(column, row, name);
        assert_string_equal(name, cells[i].name);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(none); i++)
        assert_false(cell_name_parse(span_string(none[i]), &column, &row));
}

static void test_ranges_of_cells(void **state)
{
    struct cell_range range;
    char text[2 * CELL_NAME_MAX];

    (void)state;
    assert_true(cell_range_parse(span_string("B2:C17"), &range));
    cell_range_write(&range, text);
    assert_string_equal(text, "B2:C17");
    assert_true(cell_range_parse(span_string("B2"), &range));
    assert_int_equal(range.last_row, 2);
    assert_false(cell_range_parse(span_string("C2:B2"), &range));
    assert_false(cell_range_parse(span_string("B3:B2"), &range));
    assert_false(cell_range_parse(span_string("B3:"), &range));
    assert_false(cell_range_parse(span_string(":B3"), &range));
    assert_false(cell_range_parse(span_string("A:A"), &range));
    assert_false(cell_range_parse(span_string(""), &range));
}

static void assert_unescaped(const char *stored, const char *wanted)
{
    struct buf text;

    buf_init(&text, 1024);
    buf_add_string(&text, stored);
    cell_unescape(&text);
    assert_span(buf_span(&text), wanted);
    buf_deinit(&text);
}

static void test_escapes_are_carried_out(void **state)
{
    (void)state;
    assert_unescaped("a_x000D_b", "a\rb");
    assert_unescaped("_x000d__x000A_", "\r\n");
    assert_unescaped("_x005F_x000D_", "_x000D_"); /* an underscore, so that the rest is a text */
    assert_unescaped("_x4E2D_", "中");
    assert_unescaped("_x00e9_", "é");
    assert_unescaped("_xD83D__xDE00_", "😀");
    assert_unescaped("_xD83D_", "_xD83D_");
    assert_unescaped("_xDE00__xD83D_", "_xDE00__xD83D_");
    assert_unescaped("_x12_ _x12345_ _xZZZZ_ _x000D", "_x12_ _x12345_ _xZZZZ_ _x000D");
    assert_unescaped("", "");
}

static void test_layout_is_trimmed_from_a_place(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 1024);
    buf_add_string(&text, " a ");
    buf_add_string(&text, "\n b c\t ");
    cell_trim_from(&text, 3);
    assert_span(buf_span(&text), " a b c");
    cell_trim_from(&text, 0);
    assert_span(buf_span(&text), "a b c");
    buf_clear(&text);
    buf_add_string(&text, "  ");
    cell_trim_from(&text, 0);
    assert_int_equal(text.len, 0);
    buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_number_keeps_its_digits),
        cmocka_unit_test(test_seventeen_digits_become_the_shortest_of_the_same_double),
        cmocka_unit_test(test_an_exponent_is_carried_out_where_that_is_short),
        cmocka_unit_test(test_what_is_no_json_number_is_written_as_one),
        cmocka_unit_test(test_what_is_no_number_is_none),
        cmocka_unit_test(test_days_count_from_1900_with_the_day_that_never_was),
        cmocka_unit_test(test_days_count_from_1904),
        cmocka_unit_test(test_a_time_is_rounded_to_a_second),
        cmocka_unit_test(test_less_than_a_day_is_a_time_of_none),
        cmocka_unit_test(test_what_no_calendar_has_is_a_number),
        cmocka_unit_test(test_every_day_is_the_one_behind_the_day_before),
        cmocka_unit_test(test_iso_dates),
        cmocka_unit_test(test_formats_that_show_a_date),
        cmocka_unit_test(test_names_of_cells),
        cmocka_unit_test(test_ranges_of_cells),
        cmocka_unit_test(test_escapes_are_carried_out),
        cmocka_unit_test(test_layout_is_trimmed_from_a_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
