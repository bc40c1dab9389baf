#include "unit.h"

#include <cjson/cJSON.h>

#include "core/jsonlex.h"

static struct jsonlex lex;

static bool is_json(struct span text)
{
    return jsonlex_check(&lex, text) == STATUS_OK;
}

#define TEXT(literal)                  \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }

static const struct span good_texts[] = {
    TEXT("{}"),
    TEXT("[]"),
    TEXT("0"),
    TEXT("-0"),
    TEXT("null"),
    TEXT("true"),
    TEXT(" false "),
    TEXT("\"\""),
    TEXT("\t[\r\n1 , 2 ]\n"),
    TEXT("[[]   ]"),
    TEXT("[\"\"]"),
    TEXT("[null, 1, \"1\", {}]"),
    TEXT("[1\n]"),
    TEXT("[123e65]"),
    TEXT("[0e+1]"),
    TEXT("[0e1]"),
    TEXT("[-0]"),
    TEXT("[-123]"),
    TEXT("[1E22]"),
    TEXT("[1E-2]"),
    TEXT("[1E+2]"),
    TEXT("[123.456e78]"),
    TEXT("[1e400]"),
    TEXT("[-1e-400]"),
    TEXT("[0.0000000000000000000000000000000000000000000000000000000000001]"),
    TEXT("[123456789012345678901234567890123456789012345678901234567890123]"),
    TEXT("[\"\\u0060\\u012a\\u12AB\"]"),
    TEXT("[\"\\ud83d\\ude39\\uD83D\\uDC8D\"]"),
    TEXT("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"),
    TEXT("[\"\\\\u0000\"]"),
    TEXT("[\"\\u0000\"]"),
    TEXT("[\"a/*b*/c/*d//e\"]"),
    TEXT("[\"\x7f\"]"),
    TEXT("[\"\xcf\x80 \xe2\x82\xac \xf0\x9f\x98\xb9\"]"),
    TEXT("[\"\xef\xbb\xbf\"]"),
    TEXT("[\"\xf4\x8f\xbf\xbf\"]"),
    TEXT("[\"\\uFFFF\\uDBFF\\uDFFF\"]"),
    TEXT("{\"asd\":\"sdf\", \"dfg\":\"fgh\"}"),
    TEXT("{\"a\":\"b\",\"a\":\"c\"}"), /* twice is not the grammar's business */
    TEXT("{\"\":0}"),
    TEXT("{\"foo\\u0000bar\": 42}"),
    TEXT("{\"a\":[]}"),
    TEXT("{\n\"a\": \"b\"\n}"),
    TEXT("{\"x\":[{\"id\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}],\"id\":\"xx\"}"),
};

static const struct span bad_texts[] = {
    TEXT(""),
    TEXT(" "),
    TEXT("["),
    TEXT("{"),
    TEXT("]"),
    TEXT("}"),
    TEXT("[}"),
    TEXT("{]"),
    TEXT("[1]]"),
    TEXT("[[1]"),
    TEXT("[1,]"),
    TEXT("[,1]"),
    TEXT("[1,,2]"),
    TEXT("[1 2]"),
    TEXT("[1 true]"),
    TEXT("[1:2]"),
    TEXT("[\"a\" \"b\"]"),
    TEXT("[\"\"],"),
    TEXT("[1] 2"),
    TEXT("{} {}"),
    TEXT("{}#"),
    TEXT("{}}"),
    TEXT("{} //"),
    TEXT("[1/*c*/]"),
    TEXT("[\"a\","),
    TEXT("{\"1\":1,"),
    TEXT("{\"1\":1,\""),
    TEXT("{\"a\":"),
    TEXT("{\"a\""),
    TEXT("{\"a\":1,}"),
    TEXT("{,\"a\":1}"),
    TEXT("{\"a\" 1}"),
    TEXT("{\"a\"::1}"),
    TEXT("{\"a\",1}"),
    TEXT("{a:1}"),
    TEXT("{'a':1}"),
    TEXT("{1:1}"),
    TEXT("{null:1}"),
    TEXT("{\"a\":1 \"b\":2}"),
    TEXT("{\"a\":1,,\"b\":2}"),
    TEXT("{[]:1}"),
    TEXT("[01]"),
    TEXT("[-01]"),
    TEXT("[00]"),
    TEXT("[1.]"),
    TEXT("[.5]"),
    TEXT("[-.5]"),
    TEXT("[-]"),
    TEXT("[--1]"),
    TEXT("[+1]"),
    TEXT("[1e]"),
    TEXT("[1e+]"),
    TEXT("[1E-]"),
    TEXT("[1.e5]"),
    TEXT("[1.2.3]"),
    TEXT("[1+2]"),
    TEXT("[0x10]"),
    TEXT("[1_000]"),
    TEXT("[NaN]"),
    TEXT("[Infinity]"),
    TEXT("[-Infinity]"),
    TEXT("[nan]"),
    TEXT("[inf]"),
    TEXT("[True]"),
    TEXT("[nul]"),
    TEXT("[nulll]"),
    TEXT("[truefalse]"),
    TEXT("[tru"),
    TEXT("\""),
    TEXT("\"\\"),
    TEXT("\"\\\""),
    TEXT("[\"a"),
    TEXT("['a']"),
    TEXT("[\"\\x41\"]"),
    TEXT("[\"\\a\"]"),
    TEXT("[\"\\'\"]"),
    TEXT("[\"\\\t\"]"),
    TEXT("[\"\\u\"]"),
    TEXT("[\"\\u00\"]"),
    TEXT("[\"\\u00A\"]"),
    TEXT("[\"\\u00G0\"]"),
    TEXT("[\"\\uXYZW\"]"),
    TEXT("[\"\\U0041\"]"),
    TEXT("[\"\\ud800\"]"),
    TEXT("[\"\\ud800\\u0041\"]"),
    TEXT("[\"\\ud800\\ud800\"]"),
    TEXT("[\"\\ud800\\n\"]"),
    TEXT("[\"\\udc00\"]"),
    TEXT("[\"\\udc00\\ud800\"]"),
    TEXT("[\"\\uD834\\uDd\"]"),
    TEXT("[\"\x01\"]"),
    TEXT("[\"a\tb\"]"),
    TEXT("[\"a\nb\"]"),
    TEXT("[\"a\0b\"]"),
    TEXT("[\"\x1f\"]"),
    TEXT("[1]\0"),
    TEXT("\0[1]"),
    TEXT("[\f1]"),
    TEXT("[\x0b\x01 1]"),
    TEXT("[1]\x1f"),
    TEXT("[\xc2\xa0]"),
    TEXT("\xef\xbb\xbf[1]"),
    TEXT("[\"\xff\"]"),
    TEXT("[\"\xc3\"]"),
    TEXT("[\"\xc0\xaf\"]"),
    TEXT("[\"\xed\xa0\x80\"]"),
    TEXT("[\"\xf4\x90\x80\x80\"]"),
    TEXT("[\xe5]"),
    TEXT("[\\u0041]"),
    TEXT("<null>"),
    TEXT("*"),
};

static void test_exactly_rfc_8259_is_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good_texts); i++) {
        if (!is_json(good_texts[i]))
            fail_msg("refused: %s (%s)", good_texts[i].ptr, lex.error);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad_texts); i++) {
        if (is_json(bad_texts[i]))
            fail_msg("accepted: %s", bad_texts[i].ptr);
        assert_non_null(lex.error);
        assert_true(lex.error_at <= bad_texts[i].len);
    }
}

/* The negative control: a reader that is less strict would fail the test above. */
static void test_cjson_accepts_what_is_no_json(void **state)
{
    static const char *const texts[] = {"[01]",       "[1.]",  "[\"\\uXYZW\"]",
                                        "[\"a\tb\"]", "[\f1]", "\xef\xbb\xbf[1]"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        cJSON *tree = cJSON_Parse(texts[i]);
        assert_non_null(tree);
        cJSON_Delete(tree);
        assert_false(is_json(span_string(texts[i])));
    }
}

static void assert_error(const char *text, size_t at, const char *error)
{
    assert_int_equal(jsonlex_check(&lex, span_string(text)), STATUS_SYNTAX);
    assert_string_equal(lex.error, error);
    assert_int_equal(lex.error_at, at);
}

static void test_errors_say_what_and_where(void **state)
{
    (void)state;
    assert_error("[01]", 1, "a number with a leading zero");
    assert_error("[1, -]", 4, "a minus sign without a digit");
    assert_error("[1.]", 1, "a decimal point without a digit behind it");
    assert_error("[1e]", 1, "an exponent without a digit");
    assert_error("[\"a\tb\"]", 3, "a control character inside a string");
    assert_error("[\"ab\\x\"]", 4, "an escape that JSON does not know");
    assert_error("[\"\\u12G4\"]", 2, "a \\u without four hexadecimal digits");
    assert_error("[\"\\udfff\"]", 2, "half of a surrogate pair");
    assert_error("[tru]", 1, "a word that is not true, false or null");
    assert_error("[1]]#", 3, "nothing is open that this bracket could close");
    assert_error("]", 0, "nothing is open that this bracket could close");
    assert_error("[1}]", 2, "a brace cannot close an array");
    assert_error("{\"a\":1]", 6, "a bracket cannot close an object");
    assert_error("{]", 1, "a bracket cannot close an object");
    assert_error("[1 2]", 3, "a comma is missing");
    assert_error("[1,]", 3, "a value is missing");
    assert_error("{\"a\":}", 5, "a value is missing");
    assert_error("{\"a\" 1}", 5, "a colon is missing");
    assert_error("{\"a\":1,}", 7, "a name in double quotes is missing");
    assert_error("{a:1}", 1, "a name in double quotes is missing");
    assert_error("[1] 2", 4, "text behind the value");
    assert_error(" ", 1, "there is no value");
    assert_error("{\"a\"", 4, "it ends before its last bracket is closed");
    assert_error("[\"a\xff\"]", 3, "a byte that is not UTF-8");
    assert_error("[1, #]", 4, "a character that starts no JSON value");
    assert_error("[1", 2, "it ends before its last bracket is closed");
    assert_error("[\"a", 3, "it ends inside a string");
}

static void test_nesting_is_refused_beyond_its_maximum(void **state)
{
    char text[2 * (JSONLEX_DEPTH_MAX + 1)];

    (void)state;
    memset(text, '[', JSONLEX_DEPTH_MAX);
    memset(text + JSONLEX_DEPTH_MAX, ']', JSONLEX_DEPTH_MAX);
    assert_true(is_json(span_of(text, 2 * (size_t)JSONLEX_DEPTH_MAX)));
    memset(text, '[', JSONLEX_DEPTH_MAX + 1);
    memset(text + JSONLEX_DEPTH_MAX + 1, ']', JSONLEX_DEPTH_MAX + 1);
    assert_false(is_json(span_of(text, sizeof(text))));
    assert_string_equal(lex.error, "it is nested too deeply");
    assert_int_equal(lex.error_at, JSONLEX_DEPTH_MAX);
}

static void test_a_number_longer_than_cjson_reads_is_refused_by_name(void **state)
{
    (void)state;
    assert_error("[1234567890123456789012345678901234567890123456789012345678901234]", 1,
                 "a number of more than 63 characters");
}

static void test_a_number_is_told_at_any_length(void **state)
{
    static const char *const good[] = {"0", "-0", "12", "-1.50e+3", "1E400"};
    static const char *const bad[] = {"",   " 1", "1 ",  "01",  "-",    "+1",  ".5",
                                      "1.", "1e", "1,2", "0x1", "true", "--1", "\xef\xbc\x91"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        assert_true(jsonlex_is_number(span_string(good[i])));
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(jsonlex_is_number(span_string(bad[i])));
    assert_true(jsonlex_is_number(
        SPAN_LITERAL("12345678901234567890123456789012345678901234567890123456789012345678901")));
}

static void assert_token(enum jsonlex_token token, const char *text, unsigned depth)
{
    assert_int_equal(jsonlex_next(&lex), token);
    assert_span(lex.text, text);
    assert_int_equal(lex.depth, depth);
}

static void test_tokens_are_given_as_written(void **state)
{
    (void)state;
    jsonlex_start(&lex,
                  SPAN_LITERAL(" { \"a\" : 1.10 , \"\\u0062\":[ true,{}, null ],\"\":\"\" } "));
    assert_token(JSONLEX_OBJECT, "{", 1);
    assert_token(JSONLEX_NAME, "\"a\"", 1);
    assert_token(JSONLEX_NUMBER, "1.10", 1);
    assert_token(JSONLEX_NAME, "\"\\u0062\"", 1);
    assert_token(JSONLEX_ARRAY, "[", 2);
    assert_token(JSONLEX_TRUE, "true", 2);
    assert_token(JSONLEX_OBJECT, "{", 3);
    assert_token(JSONLEX_OBJECT_END, "}", 2);
    assert_token(JSONLEX_NULL, "null", 2);
    assert_token(JSONLEX_ARRAY_END, "]", 1);
    assert_token(JSONLEX_NAME, "\"\"", 1);
    assert_token(JSONLEX_STRING, "\"\"", 1);
    assert_token(JSONLEX_OBJECT_END, "}", 0);
    assert_token(JSONLEX_END, "", 0);
    assert_token(JSONLEX_END, "", 0);
}

static void test_what_is_plain_is_taken_the_short_way(void **state)
{
    static const struct {
        const char *text;
        enum jsonlex_token token;
        size_t len;
    } cases[] = {
        {"[{\"res_id\":5850,\"val\":true},{\"res_id\": 1, \"val\": -0.50}]}", JSONLEX_ARRAY, 56},
        {"{\"a\":[[null,false],{\"b\":\"c d\"}]},", JSONLEX_OBJECT, 32},
        {"\"twelve bytes\":", JSONLEX_STRING, 14},
        {"12.5e3", JSONLEX_NUMBER, 4},
        {"truely", JSONLEX_TRUE, 4},
        {"false", JSONLEX_FALSE, 5},
        {"null", JSONLEX_NULL, 4},
        {"[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]", JSONLEX_ARRAY, 33},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct jsonlex_rest rest = {cases[i].text, cases[i].text + strlen(cases[i].text)};
        struct span text;
        assert_int_equal(jsonlex_plain_value(&rest, &text), cases[i].token);
        assert_int_equal(text.len, cases[i].len);
        assert_ptr_equal(rest.at, cases[i].text + cases[i].len);
    }
}

static void test_what_is_not_plain_is_left_to_the_lexer(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "[1 ]",
        "[1,  2]",
        "[1,]",
        "[1",
        "[1}",
        "{\"a\":1]",
        "{\"a\" :1}",
        "{\"a\"}",
        "{\"a\":}",
        "{1:2}",
        "[01]",
        "[1e5]",
        "[.5]",
        "[\"\\u0041\"]",
        "\"\\\"\"",
        "\"\xc3\xa4\"",
        "\"\t\"",
        "\"open",
        "[tru]",
        "{\"a\":1 ,\"b\":2}",
        " 1",
        "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]",
        "1234567890123456789012345678901234567890123456789012345678901234",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct jsonlex_rest rest = {texts[i], texts[i] + strlen(texts[i])};
        struct span text;
        assert_int_equal(jsonlex_plain_value(&rest, &text), JSONLEX_BAD);
    }
}

static void test_what_was_bad_stays_bad(void **state)
{
    (void)state;
    jsonlex_start(&lex, SPAN_LITERAL("[1 2, 3]"));
    assert_token(JSONLEX_ARRAY, "[", 1);
    assert_token(JSONLEX_NUMBER, "1", 1);
    assert_int_equal(jsonlex_next(&lex), JSONLEX_BAD);
    assert_int_equal(jsonlex_next(&lex), JSONLEX_BAD);
    assert_false(jsonlex_skip(&lex));
    assert_int_equal(lex.error_at, 3);
}

static void test_a_value_is_skipped_as_a_whole(void **state)
{
    (void)state;
    jsonlex_start(&lex, SPAN_LITERAL("[ [1, {\"c\":[]}] ,2,[[3]"));
    assert_token(JSONLEX_ARRAY, "[", 1);
    assert_token(JSONLEX_ARRAY, "[", 2);
    assert_true(jsonlex_skip(&lex));
    assert_span(lex.text, "[1, {\"c\":[]}]");
    assert_token(JSONLEX_NUMBER, "2", 1);
    assert_true(jsonlex_skip(&lex));
    assert_span(lex.text, "2");
    assert_token(JSONLEX_ARRAY, "[", 2);
    assert_false(jsonlex_skip(&lex));
}

static void test_strings_are_read_without_their_escapes(void **state)
{
    struct buf decoded;

    (void)state;
    buf_init(&decoded, 100);
    assert_span(jsonlex_string(SPAN_LITERAL("\"\""), &decoded), "");
    assert_span(jsonlex_string(SPAN_LITERAL("\"ab\""), &decoded), "ab");
    assert_int_equal(decoded.len, 0); /* a part of the text */
    assert_span(jsonlex_string(SPAN_LITERAL("\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\""), &decoded),
                "a\"\\/\b\f\n\r\tz");
    assert_span(jsonlex_string(SPAN_LITERAL("\"\\u0041\\u00e9\\u4E2d\\ud83d\\uDE00\""), &decoded),
                "A\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80");
    buf_deinit(&decoded);
    buf_init(&decoded, 1); /* too small */
    assert_span(jsonlex_string(SPAN_LITERAL("\"ab\\n\""), &decoded), "");
    assert_int_equal(decoded.status, STATUS_TOO_BIG);
    buf_deinit(&decoded);
}

static void test_an_escape_is_measured_as_a_whole(void **state)
{
    static const struct {
        const char *text;
        size_t length;
    } cases[] = {{"\\n", 2},
                 {"\\u0041b", 6},
                 {"\\ud83d\\ude00", 12},
                 {"\\ud83d", 0},
                 {"\\ud83d\\u0041", 0},
                 {"\\ude00", 0},
                 {"\\x", 0},
                 {"\\", 0},
                 {"\\u12", 0},
                 {"n", 0},
                 {"", 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_int_equal(jsonlex_escape_length(span_string(cases[i].text)), cases[i].length);
}

static void test_escaped_nul_is_told(void **state)
{
    (void)state;
    assert_true(is_json(span_string("[\"a\\u0000b\"]")));
    assert_true(lex.nul_escape);
    assert_true(is_json(span_string("[\"a\\\\u0000b\\u0001\"]")));
    assert_false(lex.nul_escape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exactly_rfc_8259_is_accepted),
        cmocka_unit_test(test_cjson_accepts_what_is_no_json),
        cmocka_unit_test(test_errors_say_what_and_where),
        cmocka_unit_test(test_nesting_is_refused_beyond_its_maximum),
        cmocka_unit_test(test_a_number_longer_than_cjson_reads_is_refused_by_name),
        cmocka_unit_test(test_a_number_is_told_at_any_length),
        cmocka_unit_test(test_tokens_are_given_as_written),
        cmocka_unit_test(test_what_is_plain_is_taken_the_short_way),
        cmocka_unit_test(test_what_is_not_plain_is_left_to_the_lexer),
        cmocka_unit_test(test_what_was_bad_stays_bad),
        cmocka_unit_test(test_a_value_is_skipped_as_a_whole),
        cmocka_unit_test(test_strings_are_read_without_their_escapes),
        cmocka_unit_test(test_an_escape_is_measured_as_a_whole),
        cmocka_unit_test(test_escaped_nul_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
