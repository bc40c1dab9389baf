#include "unit.h"

#include "failing_realloc.h"
#include "platform/data_plain.h"

static struct problems problems;
static struct footprint footprint;

static void check(const char *text)
{
    problems_clear(&problems, 1, 2);
    assert_int_equal(data_check(&(struct cell){.kind = CELL_TEXT, .text = span_string(text)},
                                &footprint, &problems),
                     STATUS_OK);
}

static void assert_good(const char *text)
{
    check(text);
    if (problems.count > 0)
        print_error("%s: %.*s\n", text, SPAN_ARG(problem_message(&problems, &problems.items[0])));
    assert_int_equal(problems.count, 0);
}

static void assert_one(const char *text, enum problem_code code, const char *field)
{
    check(text);
    if (problems.count != 1 || problems.items[0].code != code)
        print_error("%s: %zu problems\n", text, problems.count);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problem_code_name(problems.items[0].code), problem_code_name(code));
    assert_span(problem_field(&problems, &problems.items[0]), field);
}

static void test_every_kind_of_value_is_taken(void **state)
{
    (void)state;
    assert_good("[{\"res_id\":12,\"val\":121}]");
    assert_good("[{\"res_id\":12,\"type\":1,\"val\":\"121A\"}]");
    assert_good("[{\"res_id\":12,\"type\":2,\"val\":1700000000}]");
    assert_good(" [ { \"val\" : true , \"res_id\" : 0 } , {\"res_id\":65535,\"val\":\"text\"} ] ");
    assert_good("[{\"res_id\":1,\"val\":-0.5e-3},{\"res_id\":2,\"val\":\"\"},{\"res_id\":3,\"val\":"
                "false}]");
    assert_good("[{\"res_id\":1,\"type\":1,\"val\":\"\"}]");
    assert_good("[{\"res_id\":1,\"val\":\"\xe4\xb8\xad\xe6\x96\x87\"}]");
}

static void test_64_bit_integers_are_bounded_digit_for_digit(void **state)
{
    (void)state;
    assert_good("[{\"res_id\":1,\"val\":9223372036854775807}]");
    assert_good("[{\"res_id\":1,\"val\":-9223372036854775808}]");
    assert_one("[{\"res_id\":1,\"val\":9223372036854775808}]", PROBLEM_NUMBER, "data[0].val");
    assert_one("[{\"res_id\":1,\"val\":-9223372036854775809}]", PROBLEM_NUMBER, "data[0].val");
    assert_good("[{\"res_id\":1,\"val\":1e308}]");
    assert_one("[{\"res_id\":1,\"val\":1e400}]", PROBLEM_NUMBER, "data[0].val");
    /* The second number is judged by its own digits, whatever stands before it. */
    assert_one("[{\"res_id\":7,\"val\":[1,2]},{\"res_id\":1,\"val\":9223372036854775807},"
               "{\"res_id\":2,\"val\":3}]",
               PROBLEM_TYPE, "data[0].val");
}

static void test_res_id_is_a_16_bit_number(void **state)
{
    (void)state;
    assert_good("[{\"res_id\":0,\"val\":1},{\"res_id\":65535,\"val\":1}]");
    assert_one("[{\"res_id\":65536,\"val\":1}]", PROBLEM_RANGE, "data[0].res_id");
    assert_one("[{\"res_id\":-1,\"val\":1}]", PROBLEM_RANGE, "data[0].res_id");
    assert_one("[{\"res_id\":1.0,\"val\":1}]", PROBLEM_TYPE, "data[0].res_id");
    assert_one("[{\"res_id\":\"12\",\"val\":1}]", PROBLEM_TYPE, "data[0].res_id");
    assert_one("[{\"res_id\":99999999999999999999,\"val\":1}]", PROBLEM_RANGE, "data[0].res_id");
    assert_one("[{\"val\":1}]", PROBLEM_REQUIRED, "data[0].res_id");
}

static void test_type_is_1_or_2(void **state)
{
    (void)state;
    assert_one("[{\"res_id\":1,\"type\":0,\"val\":1}]", PROBLEM_RANGE, "data[0].type");
    assert_one("[{\"res_id\":1,\"type\":3,\"val\":1}]", PROBLEM_RANGE, "data[0].type");
    assert_one("[{\"res_id\":1,\"type\":null,\"val\":1}]", PROBLEM_TYPE, "data[0].type");
}

static void test_opaque_is_pairs_of_hex_digits(void **state)
{
    (void)state;
    assert_good("[{\"res_id\":1,\"type\":1,\"val\":\"00ffAB\"}]");
    assert_one("[{\"res_id\":1,\"type\":1,\"val\":\"0\"}]", PROBLEM_HEX, "data[0].val");
    assert_one("[{\"res_id\":1,\"type\":1,\"val\":\"0g\"}]", PROBLEM_HEX, "data[0].val");
    assert_one("[{\"res_id\":1,\"type\":1,\"val\":12}]", PROBLEM_TYPE, "data[0].val");
}

static void test_time_is_whole_seconds(void **state)
{
    (void)state;
    assert_one("[{\"res_id\":1,\"type\":2,\"val\":1.5}]", PROBLEM_TYPE, "data[0].val");
    assert_one("[{\"res_id\":1,\"type\":2,\"val\":\"1700000000\"}]", PROBLEM_TYPE, "data[0].val");
    assert_one("[{\"res_id\":1,\"type\":2,\"val\":1700000000000}]", PROBLEM_TIME_UNIT,
               "data[0].val");
    assert_good("[{\"res_id\":1,\"type\":2,\"val\":253402300799}]");
    assert_one("[{\"res_id\":1,\"type\":2,\"val\":253402300800}]", PROBLEM_TIME_UNIT,
               "data[0].val");
}

static void test_a_value_is_basic(void **state)
{
    (void)state;
    assert_one("[{\"res_id\":1,\"val\":null}]", PROBLEM_TYPE, "data[0].val");
    assert_one("[{\"res_id\":1,\"val\":{}}]", PROBLEM_TYPE, "data[0].val");
    assert_one("[{\"res_id\":1,\"val\":[1]}]", PROBLEM_TYPE, "data[0].val");
    assert_one("[{\"res_id\":1}]", PROBLEM_REQUIRED, "data[0].val");
}

static void test_members_are_known_and_stand_once(void **state)
{
    (void)state;
    assert_one("[{\"res_id\":1,\"val\":1,\"value\":2}]", PROBLEM_DATA, "data[0].value");
    assert_one("[{\"res_id\":1,\"val\":1,\"val\":2}]", PROBLEM_DUPLICATE, "data[0].val");
    assert_one("[{\"res_id\":1,\"res_id\":1,\"val\":1}]", PROBLEM_DUPLICATE, "data[0].res_id");
    assert_one("[{\"res_id\":1,\"val\":1},{\"res_id\":1,\"val\":2}]", PROBLEM_RES_TWICE, "data");
    /* A long name is cut between characters: 13 of these 14 are 39 bytes. */
#define WIDE_7 "\u4e2d\u6587\u540d\u79f0\u5f88\u957f\u5427"
    assert_one("[{\"res_id\":1,\"val\":1,\"" WIDE_7 WIDE_7 "\":1}]", PROBLEM_DATA,
               "data[0]." WIDE_7 "\u4e2d\u6587\u540d\u79f0\u5f88\u957f");
    /* Names are case-sensitive. */
    check("[{\"RES_ID\":1,\"val\":1}]");
    assert_int_equal(problems.error_count, 2);
}

static void test_the_array_has_items_that_are_objects(void **state)
{
    (void)state;
    assert_one("[]", PROBLEM_DATA, "data");
    assert_one("{\"res_id\":1,\"val\":1}", PROBLEM_DATA, "data");
    assert_one("[1]", PROBLEM_DATA, "data[0]");
    assert_one("12", PROBLEM_DATA, "data");
}

static void test_what_is_no_json_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "[",
                                        "[{\"res_id\":1,\"val\":1}",
                                        "[{\"res_id\":1,\"val\":01}]",
                                        "[{\"res_id\":1,\"val\":1.}]",
                                        "[{\"res_id\":1,\"val\":.5}]",
                                        "[{\"res_id\":1,\"val\":+1}]",
                                        "[{\"res_id\":1,\"val\":1}]x",
                                        "[{\"res_id\":1,\"val\":1},]",
                                        "[{\"res_id\":1 \"val\":1}]",
                                        "[{'res_id':1,'val':1}]",
                                        "[{\"res_id\":1,\"val\":\"a\tb\"}]",
                                        "[{\"res_id\":1,\"val\":NaN}]",
                                        "[{\"res_id\":1,\"val\":\"\\x41\"}]",
                                        "[{res_id:1,val:1}]"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        assert_one(texts[i], PROBLEM_JSON, "data");
}

static void test_nul_is_an_error_and_other_controls_a_warning(void **state)
{
    (void)state;
    check("[{\"res_id\":1,\"val\":\"a\\u0000b\"}]");
    assert_true(problems.error_count > 0);
    assert_int_equal(problems.items[0].code, PROBLEM_NUL);
    assert_one("[{\"res_id\":1,\"val\":\"a\\nb\"}]", PROBLEM_CONTROL, "data[0].val");
    assert_int_equal(problems.error_count, 0);
}

static void test_2048_bytes_are_taken_and_2049_are_not(void **state)
{
    (void)state;
    char text[2050 + 1];
    for (size_t len = 2047; len <= 2049; len++) {
        memset(text, 'x', len);
        memcpy(text, "[{\"res_id\":1,\"val\":\"", 20);
        memcpy(text + len - 3, "\"}]", 4);
        if (len <= 2048)
            assert_good(text);
        else
            assert_one(text, PROBLEM_DATA_SIZE, "data");
    }
}

static void test_all_problems_are_found_not_only_the_first(void **state)
{
    (void)state;
    check("[{\"res_id\":70000,\"val\":null},{\"type\":9},5,{\"res_id\":1,\"val\":1,\"x\":1}]");
    assert_int_equal(problems.error_count, 7);
}

static void test_bad_utf8_is_called_by_its_name(void **state)
{
    (void)state;
    assert_one("[{\"res_id\":1,\"val\":\"\xff\"}]", PROBLEM_UTF8, "data");
    assert_one("[{\"res_id\":1,\"val\":\"\xed\xa0\x80\"}]", PROBLEM_UTF8, "data");
    assert_one("[{\"res_id\":1,\"val\":\"\xe4\xb8\"}]", PROBLEM_UTF8, "data");
}

/* More numbers than are kept: those that were not kept are not judged by what they are not. */
static void test_numbers_beyond_those_kept_bring_no_problem_of_their_own(void **state)
{
    (void)state;
    struct buf text;

    buf_init(&text, 1024 * 1024);
    buf_add_string(&text, "[{\"res_id\":0,\"val\":0}");
    for (int i = 1; i < 1000; i++)
        buf_add_format(&text, ",{\"res_id\":%d,\"type\":2,\"val\":%d}", i, i);
    buf_add_char(&text, ']');
    assert_one(buf_string(&text), PROBLEM_DATA_SIZE, "data");
    buf_deinit(&text);
}

/* A text with escapes is copied, and a NULL from that must not become a verdict about the text. */
static void test_want_of_memory_is_told_from_bad_json(void **state)
{
    (void)state;
    problems_clear(&problems, 1, 2);
    realloc_fails = true;
    assert_int_equal(data_check(&(struct cell){.kind = CELL_TEXT,
                                               .text = SPAN_LITERAL(
                                                   "[{\"res_id\":1,\"val\":\"a\\\"b\"}]")},
                                &footprint, &problems),
                     STATUS_NO_MEMORY);
    realloc_fails = false;
    assert_int_equal(problems.count, 0);
    check("[{\"res_id\":1,\"val\":\"a\\\"b\"}]");
    assert_int_equal(problems.count, 0);
    check("[{\"res_id\":1,}]");
    assert_int_equal(problems.items[problems.count - 1].code, PROBLEM_JSON);
}

static void add_res(const char *name, enum cell_kind kind, const char *text, const char *expected,
                    size_t errors)
{
    struct schema schema;
    struct buf out;
    struct cell cell = {.kind = kind, .text = span_string(text)};

    schema_init(&schema);
    buf_init(&out, 4096);
    problems_clear(&problems, 1, 2);
    assert_int_equal(schema_add(&schema, span_string(name)), STATUS_OK);
    assert_int_equal(schema.columns[0].role, COLUMN_RES);
    data_add_res(&schema.columns[0], &cell, &footprint, &problems, &out);
    assert_int_equal(problems.error_count, errors);
    if (expected != NULL)
        assert_span(buf_span(&out), expected);
    buf_deinit(&out);
    schema_deinit(&schema);
}

static void test_res_cells_become_items(void **state)
{
    (void)state;
    add_res("res:5850", CELL_TEXT, "true", "{\"res_id\":5850,\"val\":true}", 0);
    add_res("res:5850", CELL_TEXT, "9223372036854775807",
            "{\"res_id\":5850,\"val\":9223372036854775807}", 0);
    add_res("res:5850", CELL_TEXT, "-1.50", "{\"res_id\":5850,\"val\":-1.50}", 0);
    add_res("res:5850", CELL_TEXT, "007", "{\"res_id\":5850,\"val\":\"007\"}", 0);
    add_res("res:5850", CELL_TEXT, "TRUE", "{\"res_id\":5850,\"val\":\"TRUE\"}", 0);
    add_res("res:5850", CELL_TEXT, "say \"hi\"\\",
            "{\"res_id\":5850,\"val\":\"say \\\"hi\\\"\\\\\"}", 0);
    add_res("res:5850:string", CELL_TEXT, "12", "{\"res_id\":5850,\"val\":\"12\"}", 0);
    add_res("res:1:opaque", CELL_TEXT, "00FF", "{\"res_id\":1,\"type\":1,\"val\":\"00FF\"}", 0);
    add_res("res:1:opaque", CELL_TEXT, "0F0", NULL, 1);
    add_res("res:1:time", CELL_TEXT, "1700000000", "{\"res_id\":1,\"type\":2,\"val\":1700000000}",
            0);
    add_res("res:1:time", CELL_TEXT, "noon", NULL, 1);
    /* They would go out as strings, which data may not have there either. */
    add_res("res:1:time", CELL_TEXT, "007", NULL, 1);
    add_res("res:1:time", CELL_STRING, "1700000000", NULL, 1);
    add_res("res:1:time", CELL_NUMBER, "1700000000", "{\"res_id\":1,\"type\":2,\"val\":1700000000}",
            0);
    add_res("res:1", CELL_TEXT, "9223372036854775808", NULL, 1);
    add_res("res:1", CELL_TEXT, "0.1234567890123456789012345678901234567890123456789012345678901",
            "{\"res_id\":1,\"val\":"
            "0.1234567890123456789012345678901234567890123456789012345678901}",
            0);
    /* One digit more is still a number, and not to be sent as a string. */
    add_res("res:1", CELL_TEXT, "0.12345678901234567890123456789012345678901234567890123456789012",
            NULL, 1);
    add_res("res:1", CELL_STRING, "12", "{\"res_id\":1,\"val\":\"12\"}", 0);
    add_res("res:1", CELL_NUMBER, "12", "{\"res_id\":1,\"val\":12}", 0);
    add_res("res:1", CELL_BOOL, "false", "{\"res_id\":1,\"val\":false}", 0);
    add_res("res:1", CELL_JSON, "[]", NULL, 1);
}

static int setup(void **state)
{
    (void)state;
    problems_init(&problems);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    problems_deinit(&problems);
    return 0;
}

/* Each kind of array that is read in one go is also good the long way, and means the same there. */
static void test_plain_data_are_what_the_long_way_says(void **state)
{
    (void)state;
    static const char *const plain[] = {
        "[{\"res_id\":0,\"val\":true}]",
        "[{\"res_id\":65535,\"val\":false}]",
        "[{\"res_id\":1,\"val\":0},{\"res_id\":2,\"val\":-1},{\"res_id\":3,\"val\":999999999999999}"
        "]",
        "[{\"res_id\":1,\"val\":-12.50},{\"res_id\":2,\"val\":\"\"},{\"res_id\":3,\"val\":\" "
        "a:~\"}]",
    };
    char padded[256];

    for (size_t i = 0; i < ARRAY_LENGTH(plain); i++) {
        struct footprint found;
        if (!data_is_plain(span_string(plain[i]), &found))
            fail_msg("%s", plain[i]);
        (void)snprintf(padded, sizeof(padded), " %s", plain[i]);
        assert_good(padded);
        assert_int_equal(found.count, footprint.count);
        for (size_t item = 0; item < found.count; item++) {
            assert_int_equal(found.items[item].res_id, footprint.items[item].res_id);
            assert_int_equal(found.items[item].kind, footprint.items[item].kind);
            assert_int_equal(found.items[item].value, footprint.items[item].value);
        }
    }
}

static void test_what_is_not_plain_goes_the_long_way(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",
        "[",
        "[]",
        "{}",
        "[{\"res_id\":1,\"val\":1}",
        "[{\"res_id\":1,\"val\":1}] ",
        "[{\"res_id\":1,\"val\":1},]",
        "[ {\"res_id\":1,\"val\":1}]",
        "[{\"res_id\":65536,\"val\":1}]",
        "[{\"res_id\":01,\"val\":1}]",
        "[{\"res_id\":1,\"val\":01}]",
        "[{\"res_id\":1,\"val\":1.}]",
        "[{\"res_id\":1,\"val\":.5}]",
        "[{\"res_id\":1,\"val\":-}]",
        "[{\"res_id\":1,\"val\":1e5}]",
        "[{\"res_id\":1,\"val\":1234567890123456}]",
        "[{\"res_id\":1,\"val\":null}]",
        "[{\"res_id\":1,\"val\":truex}]",
        "[{\"res_id\":1,\"val\":\"a\\n\"}]",
        "[{\"res_id\":1,\"val\":\"\x7f\"}]",
        "[{\"res_id\":1,\"val\":\"\xe4\xb8\xad\"}]",
        "[{\"res_id\":1,\"val\":\"x]",
        "[{\"res_id\":1,\"val\":1},{\"res_id\":1,\"val\":2}]",
        "[{\"res_id\":1,\"type\":1,\"val\":\"00\"}]",
        "[{\"val\":1,\"res_id\":1}]",
    };
    struct footprint found;

    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        if (data_is_plain(span_string(others[i]), &found))
            fail_msg("%s", others[i]);
        assert_int_equal(found.count, 0);
    }
    assert_false(data_is_plain(span_of(NULL, 0), &found));
}

/* Every cut of a plain text, and every change of one of its bytes: plain means good. */
static void test_nothing_near_plain_data_is_taken_for_them(void **state)
{
    (void)state;
    static const char text[] = "[{\"res_id\":10,\"val\":-1.5},{\"res_id\":2,\"val\":\"x\"}]";
    char changed[sizeof(text) + 1] = " ";
    struct footprint found;

    for (size_t at = 0; at < sizeof(text) - 1; at++) {
        assert_false(data_is_plain(span_of(text, at), &found));
        for (int byte = 1; byte < 256; byte++) {
            memcpy(changed + 1, text, sizeof(text));
            changed[1 + at] = (char)byte;
            if (data_is_plain(span_string(changed + 1), &found))
                assert_good(changed); /* with a space in front it goes the long way */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_data_are_what_the_long_way_says),
        cmocka_unit_test(test_what_is_not_plain_goes_the_long_way),
        cmocka_unit_test(test_nothing_near_plain_data_is_taken_for_them),
        cmocka_unit_test(test_every_kind_of_value_is_taken),
        cmocka_unit_test(test_64_bit_integers_are_bounded_digit_for_digit),
        cmocka_unit_test(test_res_id_is_a_16_bit_number),
        cmocka_unit_test(test_type_is_1_or_2),
        cmocka_unit_test(test_opaque_is_pairs_of_hex_digits),
        cmocka_unit_test(test_time_is_whole_seconds),
        cmocka_unit_test(test_a_value_is_basic),
        cmocka_unit_test(test_members_are_known_and_stand_once),
        cmocka_unit_test(test_the_array_has_items_that_are_objects),
        cmocka_unit_test(test_what_is_no_json_is_refused),
        cmocka_unit_test(test_nul_is_an_error_and_other_controls_a_warning),
        cmocka_unit_test(test_2048_bytes_are_taken_and_2049_are_not),
        cmocka_unit_test(test_all_problems_are_found_not_only_the_first),
        cmocka_unit_test(test_bad_utf8_is_called_by_its_name),
        cmocka_unit_test(test_numbers_beyond_those_kept_bring_no_problem_of_their_own),
        cmocka_unit_test(test_want_of_memory_is_told_from_bad_json),
        cmocka_unit_test(test_res_cells_become_items),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
