/*
 * Which JSON the program takes: every case as the value of a JSONL row's member, as the val of an
 * item of data, and as the whole text of data. What RFC 8259 requires is accepted and what it
 * forbids refused; where the program does otherwise, the case's kind says why.
 */
#include "unit.h"

#include "core/jsonlex.h"
#include "json_reference.h"
#include "platform/data.h"
#include "reader_help.h"

enum { GOOD = PROBLEM_CODE_COUNT };

enum kind {
    YES,
    TYPE,      /* JSON, but no value that a resource can have (platform/README.md, "Commands") */
    RANGE,     /* JSON, but neither a 64-bit integer nor a double holds the number */
    LINE,      /* JSON, but JSONL has one row a line */
    LINE_TYPE, /* both */
    NUL,       /* JSON, but refused by rule: a C string cannot hold U+0000 */
    HALF,      /* JSON by the grammar, but nothing that UTF-8 can express (RFC 8259, 8.2) */
    LONG,      /* JSON, but a number of more than JSONLEX_NUMBER_MAX characters */
    NO,
    UTF8,   /* not UTF-8 */
    RAW_NUL /* no JSON, and a reader names the NUL byte first */
};

/* What each kind is answered, as a row, as a val, as a whole data. */
static const struct {
    bool is_json;
    int row, val, data; /* an enum problem_code, or GOOD */
} kinds[] = {
    [YES] = {true, GOOD, GOOD, GOOD},
    [TYPE] = {true, GOOD, PROBLEM_TYPE, GOOD},
    [RANGE] = {true, GOOD, PROBLEM_NUMBER, GOOD},
    [LINE] = {true, PROBLEM_JSON, GOOD, GOOD},
    [LINE_TYPE] = {true, PROBLEM_JSON, PROBLEM_TYPE, GOOD},
    [NUL] = {true, PROBLEM_NUL, PROBLEM_NUL, PROBLEM_NUL},
    [HALF] = {true, PROBLEM_JSON, PROBLEM_JSON, PROBLEM_JSON},
    [LONG] = {true, PROBLEM_NUMBER, PROBLEM_NUMBER, PROBLEM_NUMBER},
    [NO] = {false, PROBLEM_JSON, PROBLEM_JSON, PROBLEM_JSON},
    [UTF8] = {false, PROBLEM_UTF8, PROBLEM_UTF8, PROBLEM_UTF8},
    [RAW_NUL] = {false, PROBLEM_NUL, PROBLEM_JSON, PROBLEM_JSON},
};

#define TEXT(literal)                  \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }

/* y: RFC 8259 requires it; n: it forbids it; i: it leaves it to implementations. */
static const struct conformance_case {
    const char *name;
    enum kind kind;
    struct span text;
} cases[] = {
    {"y_true", YES, TEXT("true")},
    {"y_false", YES, TEXT("false")},
    {"y_null", TYPE, TEXT("null")},
    {"y_zero", YES, TEXT("0")},
    {"y_minus_zero", YES, TEXT("-0")},
    {"y_minus_zero_fraction", YES, TEXT("-0.0")},
    {"y_int64_max", YES, TEXT("9223372036854775807")},
    {"y_int64_max_plus_1", RANGE, TEXT("9223372036854775808")},
    {"y_int64_min", YES, TEXT("-9223372036854775808")},
    {"y_int64_min_minus_1", RANGE, TEXT("-9223372036854775809")},
    {"y_uint64_max", RANGE, TEXT("18446744073709551615")},
    {"y_double_exact_plus_1", YES, TEXT("9007199254740993")},
    {"y_1e400", RANGE, TEXT("1e400")},
    {"y_minus_1e400", RANGE, TEXT("-1e400")},
    {"y_1e_400", YES, TEXT("1e-400")},
    {"y_1e308", YES, TEXT("1E+308")},
    {"y_1e309", RANGE, TEXT("1e309")},
    {"y_exponent_huge", RANGE, TEXT("1e99999999999999999999")},
    {"y_exponent_tiny", YES, TEXT("1e-99999999999999999999")},
    {"y_exponent_zeros", YES, TEXT("1e0000000000000000000000001")},
    {"y_digits_63", RANGE, TEXT("111111111111111111111111111111111111111111111111111111111111111")},
    {"y_digits_63_minus", RANGE,
     TEXT("-11111111111111111111111111111111111111111111111111111111111111")},
    {"y_fraction_63", YES, TEXT("0.1111111111111111111111111111111111111111111111111111111111111")},
    {"y_string_empty", YES, TEXT("\"\"")},
    {"y_escapes_all", YES, TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"")},
    {"y_surrogate_pair", YES, TEXT("\"\\ud83d\\ude00\"")},
    {"y_surrogate_pair_upper", YES, TEXT("\"\\uD83D\\uDE00\"")},
    {"y_surrogate_first_last", YES, TEXT("\"\\udbff\\udfff\"")},
    {"y_noncharacter", YES, TEXT("\"\\uffff\\ufffe\"")},
    {"y_nul_escape_escaped", YES, TEXT("\"a\\\\u0000b\"")},
    {"y_del", YES, TEXT("\"\177\"")},
    {"y_utf8_2", YES, TEXT("\"\303\251\"")},
    {"y_utf8_3", YES, TEXT("\"\344\270\255\346\226\207\"")},
    {"y_utf8_4", YES, TEXT("\"\360\237\230\200\"")},
    {"y_utf8_bom_inside", YES, TEXT("\"\357\273\277\"")},
    {"y_array_empty", TYPE, TEXT("[]")},
    {"y_object_empty", TYPE, TEXT("{}")},
    {"y_nested", TYPE, TEXT("[{\"a\":[1,{}]}]")},
    {"y_space_around", YES, TEXT(" \t1\r ")},
    {"y_newline_before", LINE, TEXT("\n1")},
    {"y_newline_inside", LINE_TYPE, TEXT("[1,\n2]")},
    {"y_array", TYPE, TEXT("[1,\"a\",null]")},
    {"y_array_spaces", TYPE, TEXT("[ 1 , 2 ]")},
    {"y_array_of_arrays", TYPE, TEXT("[[],[[]]]")},
    {"y_object", TYPE, TEXT("{\"a\":1,\"b\":[]}")},
    {"y_object_name_empty", TYPE, TEXT("{\"\":1}")},
    {"y_object_duplicate", TYPE, TEXT("{\"a\":1,\"a\":2}")},
    {"y_object_name_escaped", TYPE, TEXT("{\"\\u0061\":1}")},
    {"y_object_spaces", TYPE, TEXT("{ \"a\" : 1 }")},
    {"y_exponent_plus", YES, TEXT("1e+2")},
    {"y_exponent_minus", YES, TEXT("1E-2")},
    {"y_exponent_leading_zeros", YES, TEXT("1e007")},
    {"y_zero_exponent", YES, TEXT("0e1")},
    {"y_zero_point_zero", YES, TEXT("0.0")},
    {"y_fraction_long", YES, TEXT("0.10000000000000000000")},
    {"y_negative", YES, TEXT("-123")},
    {"y_negative_fraction", YES, TEXT("-1.5e-3")},
    {"y_string_ascii", YES, TEXT("\"abc\"")},
    {"y_string_slash", YES, TEXT("\"/\"")},
    {"y_string_comment", YES, TEXT("\"a/*b*/c//d\"")},
    {"y_string_brackets", YES, TEXT("\"]}[{\"")},
    {"y_string_unescaped_del_c1", YES, TEXT("\"\177\302\200\"")},
    {"y_string_u2028", YES, TEXT("\"\342\200\250\342\200\251\"")},
    {"y_escape_u_case", YES, TEXT("\"\\u00e9\\u00E9\\uABCD\\uabcd\"")},
    {"y_utf8_last", YES, TEXT("\"\364\217\277\277\"")},
    {"y_utf8_private", YES, TEXT("\"\356\200\200\"")},
    {"y_utf8_noncharacter", YES, TEXT("\"\357\277\277\"")},
    {"i_digits_64", LONG, TEXT("1111111111111111111111111111111111111111111111111111111111111111")},
    {"i_digits_64_minus", LONG,
     TEXT("-111111111111111111111111111111111111111111111111111111111111111")},
    {"i_fraction_64", LONG,
     TEXT("0.11111111111111111111111111111111111111111111111111111111111111")},
    {"i_surrogate_high_alone", HALF, TEXT("\"\\ud83d\"")},
    {"i_surrogate_low_alone", HALF, TEXT("\"\\ude00\"")},
    {"i_surrogate_high_high", HALF, TEXT("\"\\ud83d\\ud83d\\ude00\"")},
    {"i_surrogate_low_high", HALF, TEXT("\"\\ude00\\ud83d\"")},
    {"i_surrogate_high_then_letter", HALF, TEXT("\"\\ud83dA\"")},
    {"i_surrogate_high_then_escape", HALF, TEXT("\"\\ud83d\\n\"")},
    {"i_surrogate_high_then_bmp", HALF, TEXT("\"\\ud83d\\u0041\"")},
    {"i_nul_escape", NUL, TEXT("\"a\\u0000b\"")},
    {"i_escape_nul_alone", NUL, TEXT("\"\\u0000\"")},
    {"n_leading_zero", NO, TEXT("01")},
    {"n_leading_zeros", NO, TEXT("00")},
    {"n_minus_leading_zero", NO, TEXT("-01")},
    {"n_point_at_end", NO, TEXT("1.")},
    {"n_point_first", NO, TEXT(".5")},
    {"n_minus_point", NO, TEXT("-.5")},
    {"n_minus_alone", NO, TEXT("-")},
    {"n_minus_twice", NO, TEXT("--1")},
    {"n_plus", NO, TEXT("+1")},
    {"n_exponent_empty", NO, TEXT("1e")},
    {"n_exponent_sign_only", NO, TEXT("1e+")},
    {"n_exponent_point", NO, TEXT("1e1.5")},
    {"n_point_then_exponent", NO, TEXT("1.e5")},
    {"n_two_points", NO, TEXT("1.2.3")},
    {"n_one_minus_two", NO, TEXT("1-2")},
    {"n_hex", NO, TEXT("0x1F")},
    {"n_underscore", NO, TEXT("1_000")},
    {"n_NaN", NO, TEXT("NaN")},
    {"n_Infinity", NO, TEXT("-Infinity")},
    {"n_full_width_digit", NO, TEXT("\357\274\221")},
    {"n_number_then_letter", NO, TEXT("1a")},
    {"n_word_capital", NO, TEXT("True")},
    {"n_word_cut", NO, TEXT("tru")},
    {"n_word_long", NO, TEXT("nulll")},
    {"n_words_glued", NO, TEXT("truefalse")},
    {"n_escape_x", NO, TEXT("\"\\x41\"")},
    {"n_escape_quote_single", NO, TEXT("\"\\'\"")},
    {"n_escape_a", NO, TEXT("\"\\a\"")},
    {"n_escape_u_cut", NO, TEXT("\"\\u12\"")},
    {"n_escape_u_bad_digit", NO, TEXT("\"\\u12G4\"")},
    {"n_escape_u_upper", NO, TEXT("\"\\U0041\"")},
    {"n_escape_backslash_newline", NO, TEXT("\"\\\n\"")},
    {"n_escape_backslash_end", NO, TEXT("\"\\")},
    {"n_surrogate_high_cut", NO, TEXT("\"\\ud83d\\ude0")},
    {"n_nul_raw", RAW_NUL, TEXT("\"a\000b\"")},
    {"n_control_1", NO, TEXT("\"\001\"")},
    {"n_control_1f", NO, TEXT("\"\037\"")},
    {"n_tab_raw", NO, TEXT("\"a\tb\"")},
    {"n_newline_raw", NO, TEXT("\"a\nb\"")},
    {"n_utf8_cut", UTF8, TEXT("\"\344\270\"")},
    {"n_utf8_continuation", UTF8, TEXT("\"\200\"")},
    {"n_utf8_ff", UTF8, TEXT("\"\377\"")},
    {"n_utf8_overlong", UTF8, TEXT("\"\300\257\"")},
    {"n_utf8_overlong_3", UTF8, TEXT("\"\340\200\257\"")},
    {"n_utf8_surrogate", UTF8, TEXT("\"\355\240\200\"")},
    {"n_utf8_above_10ffff", UTF8, TEXT("\"\364\220\200\200\"")},
    {"n_utf8_gbk", UTF8, TEXT("\"\326\320\316\304\"")},
    {"n_quote_missing", NO, TEXT("\"abc")},
    {"n_quotes_single", NO, TEXT("'a'")},
    {"n_empty", NO, TEXT("")},
    {"n_space_only", NO, TEXT("  ")},
    {"n_comma", NO, TEXT(",")},
    {"n_colon", NO, TEXT(":")},
    {"n_comma_behind", NO, TEXT("1,")},
    {"n_comma_before", NO, TEXT(",1")},
    {"n_comma_trailing", NO, TEXT("[1,]")},
    {"n_comma_double", NO, TEXT("[1,,2]")},
    {"n_comma_missing", NO, TEXT("[1 2]")},
    {"n_comma_only", NO, TEXT("[,]")},
    {"n_array_colon", NO, TEXT("[1:2]")},
    {"n_array_semicolon", NO, TEXT("[1;2]")},
    {"n_array_unclosed", NO, TEXT("[1")},
    {"n_array_extra_close", NO, TEXT("[1]]")},
    {"n_array_closed_by_brace", NO, TEXT("[1}")},
    {"n_array_inner_unclosed", NO, TEXT("[[1]")},
    {"n_object_trailing_comma", NO, TEXT("{\"a\":1,}")},
    {"n_object_double_colon", NO, TEXT("{\"a\"::1}")},
    {"n_object_no_colon", NO, TEXT("{\"a\" 1}")},
    {"n_object_comma_for_colon", NO, TEXT("{\"a\",1}")},
    {"n_object_no_value", NO, TEXT("{\"a\":}")},
    {"n_object_no_name", NO, TEXT("{:1}")},
    {"n_object_name_only", NO, TEXT("{\"a\"}")},
    {"n_object_name_number", NO, TEXT("{1:1}")},
    {"n_object_name_word", NO, TEXT("{a:1}")},
    {"n_object_name_single_quotes", NO, TEXT("{'a':1}")},
    {"n_object_two_commas", NO, TEXT("{\"a\":1,,\"b\":2}")},
    {"n_object_unclosed", NO, TEXT("{\"a\":1")},
    {"n_object_closed_by_bracket", NO, TEXT("{\"a\":1]")},
    {"n_object_garbage", NO, TEXT("{\"a\":1 x}")},
    {"n_crossed", NO, TEXT("[{]}")},
    {"n_two_values", NO, TEXT("1 2")},
    {"n_value_and_object", NO, TEXT("1{}")},
    {"n_string_behind", NO, TEXT("1\"a\"")},
    {"n_word_behind", NO, TEXT("true\"a\"")},
    {"n_comment_block", NO, TEXT("/**/1")},
    {"n_comment_block_behind", NO, TEXT("1/**/")},
    {"n_comment_line", NO, TEXT("1//")},
    {"n_comment_hash", NO, TEXT("1#")},
    {"n_form_feed", NO, TEXT("\0141")},
    {"n_vertical_tab", NO, TEXT("1\013")},
    {"n_nbsp", NO, TEXT("\302\2401")},
    {"n_bom", NO, TEXT("\357\273\2771")},
    {"n_control_01_outside", NO, TEXT("\0011")},
    {"n_unit_separator_behind", NO, TEXT("1\037")},
    {"n_nul_outside", RAW_NUL, TEXT("1\000")},
    {"n_backslash_outside", NO, TEXT("\\1")},
    {"n_escape_outside", NO, TEXT("\\u0031")},
    {"n_currency", NO, TEXT("$1")},
    {"n_percent", NO, TEXT("1%")},
    {"n_comma_decimal", NO, TEXT("1,5")},
    {"n_thousands", NO, TEXT("1 000")},
    {"n_fraction_exponent_space", NO, TEXT("1 e5")},
    {"n_minus_space", NO, TEXT("- 1")},
    {"n_minus_word", NO, TEXT("-true")},
    {"n_exponent_minus_only", NO, TEXT("1e-")},
    {"n_exponent_double", NO, TEXT("1e2e3")},
    {"n_exponent_capital_sign", NO, TEXT("1E+-1")},
    {"n_zero_x", NO, TEXT("0x")},
    {"n_binary", NO, TEXT("0b1")},
    {"n_octal", NO, TEXT("0o7")},
    {"n_nan_lower", NO, TEXT("nan")},
    {"n_inf", NO, TEXT("inf")},
    {"n_infinity", NO, TEXT("Infinity")},
    {"n_null_capital", NO, TEXT("NULL")},
    {"n_undefined", NO, TEXT("undefined")},
    {"n_word_none", NO, TEXT("None")},
    {"n_escape_empty", NO, TEXT("\"\\\"")},
    {"n_escape_space", NO, TEXT("\"\\ \"")},
    {"n_escape_zero", NO, TEXT("\"\\0\"")},
    {"n_escape_v", NO, TEXT("\"\\v\"")},
    {"n_escape_braces", NO, TEXT("\"\\u{41}\"")},
    {"n_escape_u_space", NO, TEXT("\"\\u 041\"")},
    {"n_escape_u_minus", NO, TEXT("\"\\u-041\"")},
    {"n_escape_utf8", NO, TEXT("\"\\\303\251\"")},
    {"n_surrogate_low_cut", NO, TEXT("\"\\ud83d\\u\"")},
    {"n_surrogate_broken_digits", NO, TEXT("\"\\ud83d\\udxyz\"")},
    {"n_utf8_iso_latin", UTF8, TEXT("\"\351\"")},
    {"n_utf8_two_continuations", UTF8, TEXT("\"\200\277\"")},
    {"n_utf8_in_name", UTF8, TEXT("{\"\377\":1}")},
    {"n_utf8_outside", UTF8, TEXT("\377")},
    {"n_utf8_5_bytes", UTF8, TEXT("\"\370\210\200\200\200\"")},
    {"n_utf8_cut_4", UTF8, TEXT("\"\360\237\230\"")},
    {"n_utf8_overlong_nul", UTF8, TEXT("\"\300\200\"")},
    {"n_html", NO, TEXT("<b>1</b>")},
    {"n_star", NO, TEXT("*")},
    {"n_parentheses", NO, TEXT("(1)")},
    {"n_backquotes", NO, TEXT("`a`")},
    {"n_angle_null", NO, TEXT("<null>")},
};

static struct problems problems;
static struct footprint footprint;
static struct buf text;
static struct buf told;
static size_t failures;

static void surround(const char *before, struct span middle, const char *behind)
{
    buf_clear(&text);
    buf_add_string(&text, before);
    buf_add(&text, middle);
    buf_add_string(&text, behind);
    (void)buf_string(&text); /* puts the NUL behind it that data_check wants there */
    assert_int_equal(text.status, STATUS_OK);
}

static const char *code_text(int code)
{
    return code == GOOD ? "no error" : problem_code_name((enum problem_code)code);
}

static void expect(const char *name, const char *way, int got, int wanted)
{
    if (got == wanted)
        return;
    failures++;
    print_error("%s %s: got %s, wanted %s\n", name, way, code_text(got), code_text(wanted));
}

/* The code of the first error, or GOOD. */
static int first_error(void)
{
    for (size_t i = 0; i < problems.count; i++)
        if (!problem_code_is_warning(problems.items[i].code))
            return (int)problems.items[i].code;
    return GOOD;
}

static int check_data(void)
{
    problems_clear(&problems, 1, 1);
    assert_int_equal(data_check(&(struct cell){.kind = CELL_TEXT, .text = buf_span(&text)},
                                &footprint, &problems),
                     STATUS_OK);
    return first_error();
}

/* The JSON of a whole data text: what else is wrong with it is another matter. */
static int check_whole_data(void)
{
    int code = check_data();

    bool is_long = code == PROBLEM_NUMBER && strstr(problems.text.ptr, "more than 63") != NULL;
    return code == PROBLEM_JSON || code == PROBLEM_UTF8 || code == PROBLEM_NUL || is_long ? code
                                                                                          : GOOD;
}

/* The first of the rows that the text is; the last has to be good in any case. */
static int check_row(const char *name)
{
    char wanted[64];

    buf_clear(&told);
    tell_bytes(text.ptr, text.len, INPUT_JSONL, 0, READER_MAX_ROW_BYTES, &told);
    const char *all = buf_string(&told);
    if (strstr(all, "|n:7|\nend\n") == NULL) {
        failures++;
        print_error("%s as a row spoils the next: %s", name, all);
    }
    if (strncmp(all, "ok 1@1 ", 7) == 0)
        return GOOD;
    for (int code = 0; code < PROBLEM_CODE_COUNT; code++) {
        (void)snprintf(wanted, sizeof(wanted), "bad 1@1 %s@1 ",
                       problem_code_name((enum problem_code)code));
        if (strncmp(all, wanted, strlen(wanted)) == 0)
            return code;
    }
    fail_msg("%s as a row: %s", name, all);
    return GOOD;
}

static void test_the_table_is_what_rfc_8259_says(void **state)
{
    struct json_reference ref;

    (void)state;
    failures = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct conformance_case *one = &cases[i];
        bool is_json = json_reference_accepts(&ref, one->text.ptr, one->text.len);
        bool wanted = kinds[one->kind].is_json;
        char letter = one->kind == NUL || one->kind == HALF || one->kind == LONG ? 'i'
                      : wanted                                                   ? 'y'
                                                                                 : 'n';
        if (is_json == wanted && one->name[0] == letter)
            continue;
        failures++;
        print_error("%s is in the wrong place\n", one->name);
    }
    assert_int_equal(failures, 0);
}

static void test_a_rows_member_is_rfc_8259(void **state)
{
    (void)state;
    failures = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        surround("{\"a\":", cases[i].text, "}\n{\"a\":7}\n");
        expect(cases[i].name, "as a member of a row", check_row(cases[i].name),
               kinds[cases[i].kind].row);
    }
    assert_int_equal(failures, 0);
}

static void test_an_items_val_is_rfc_8259(void **state)
{
    (void)state;
    failures = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        surround("[{\"res_id\":1,\"val\":", cases[i].text, "}]");
        expect(cases[i].name, "as a val", check_data(), kinds[cases[i].kind].val);
        surround("[{\"val\":", cases[i].text, ",\"res_id\":1}]");
        expect(cases[i].name, "as a val in front", check_data(), kinds[cases[i].kind].val);
    }
    assert_int_equal(failures, 0);
}

static void test_a_whole_data_is_rfc_8259(void **state)
{
    (void)state;
    failures = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        surround("", cases[i].text, "");
        expect(cases[i].name, "as data", check_whole_data(), kinds[cases[i].kind].data);
    }
    assert_int_equal(failures, 0);
}

static bool is_blank(struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.ptr[i] != ' ')
            return false;
    return true;
}

/* Whatever it is: one character is enough. */
static void test_nothing_may_follow_the_value(void **state)
{
    (void)state;
    failures = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct conformance_case *one = &cases[i];
        bool good = is_blank(one->text);
        surround("[{\"res_id\":1,\"val\":1}]", one->text, "");
        expect(one->name, "behind data", check_data() == GOOD ? GOOD : PROBLEM_JSON,
               good ? GOOD : PROBLEM_JSON);
        if (memchr(one->text.ptr, '\n', one->text.len) != NULL)
            continue; /* a row of its own */
        surround("{\"a\":1}", one->text, "\n{\"a\":7}\n");
        expect(one->name, "behind a row", check_row(one->name) == GOOD ? GOOD : PROBLEM_JSON,
               good ? GOOD : PROBLEM_JSON);
    }
    assert_int_equal(failures, 0);
}

/* `depth` arrays or objects, one in the other, and a 1 in the innermost. */
static void nest(struct buf *out, const char *open, const char *close, size_t depth)
{
    buf_clear(out);
    for (size_t i = 0; i < depth; i++)
        buf_add_string(out, open);
    buf_add_char(out, '1');
    for (size_t i = 0; i < depth; i++)
        buf_add_string(out, close);
}

static void test_nesting_ends_at_its_stated_limit(void **state)
{
    static const char *const brackets[][2] = {{"[", "]"}, {"{\"b\":", "}"}, {" [ ", " ] "}};
    struct buf nested;

    (void)state;
    failures = 0;
    buf_init(&nested, 64 * 1024);
    for (size_t i = 0; i < ARRAY_LENGTH(brackets); i++) {
        for (size_t depth = JSONLEX_DEPTH_MAX - 1; depth <= JSONLEX_DEPTH_MAX + 1; depth++) {
            bool deep = depth > JSONLEX_DEPTH_MAX;
            nest(&nested, brackets[i][0], brackets[i][1], depth - 1);
            surround("{\"a\":", buf_span(&nested), "}\n{\"a\":7}\n");
            expect(brackets[i][0], "as a row", check_row("depth"), deep ? PROBLEM_JSON : GOOD);
            nest(&nested, brackets[i][0], brackets[i][1], depth - 2);
            surround("[{\"res_id\":1,\"val\":", buf_span(&nested), "}]");
            expect(brackets[i][0], "as a val", check_data(), deep ? PROBLEM_JSON : PROBLEM_TYPE);
            nest(&nested, brackets[i][0], brackets[i][1], depth);
            surround("", buf_span(&nested), "");
            expect(brackets[i][0], "as data", check_whole_data(), deep ? PROBLEM_JSON : GOOD);
        }
    }
    buf_deinit(&nested);
    assert_int_equal(failures, 0);
}

static int setup(void **state)
{
    (void)state;
    problems_init(&problems);
    buf_init(&text, 64 * 1024);
    buf_init(&told, 64 * 1024);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    problems_deinit(&problems);
    buf_deinit(&text);
    buf_deinit(&told);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_is_what_rfc_8259_says),
        cmocka_unit_test(test_a_rows_member_is_rfc_8259),
        cmocka_unit_test(test_an_items_val_is_rfc_8259),
        cmocka_unit_test(test_a_whole_data_is_rfc_8259),
        cmocka_unit_test(test_nothing_may_follow_the_value),
        cmocka_unit_test(test_nesting_ends_at_its_stated_limit),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
