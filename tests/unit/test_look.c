#include "unit.h"

#include "core/prng.h"
#include "platform/look.h"

static void assert_damage(const char *const *texts, size_t count, enum damage damage)
{
    for (size_t i = 0; i < count; i++) {
        if (look_damage(span_string(texts[i])) != damage)
            print_error("\"%s\"\n", texts[i]);
        assert_int_equal(look_damage(span_string(texts[i])), damage);
    }
}

static void test_errors_of_spreadsheets_are_known_in_all_their_forms(void **state)
{
    static const char *const errors[] = {
        "#N/A",       "#REF!",          "#DIV/0!",    "#VALUE!",    "#NAME?",        "#NUM!",
        "#NULL!",     "#SPILL!",        "#CALC!",     "#FIELD!",    "#GETTING_DATA", "#n/a",
        "#ref!",      "#####",          "##",         "########",   "#NV",           "#BEZUG!",
        "#WERT!",     "#ZAHL!",         "#VALEUR!",   "#¡REF!",     "#¿NOMBRE?",     "#ЗНАЧ!",
        "#Н/Д",       "Err:502",        "err:511",    "Error:504",  "错误:502",      "错误：502",
        "Fehler:502", "ＥＲＲ：５０２", "＃Ｎ／Ａ",   "＃ＲＥＦ！", "＃＃＃",        " #N/A ",
        "\u00a0#N/A", "#N/A\u200b",     "\ufeff#N/A", "#DIV/0!\t"};

    (void)state;
    assert_damage(errors, ARRAY_LENGTH(errors), DAMAGE_ERROR);
}

static void test_formulas_are_told_from_texts_with_a_sign(void **state)
{
    static const char *const formulas[] = {"=B2*2", "=1+1",  "＝B2*2",   "=SUM(A1:A9)", "+B2",
                                           "+$B$2", "-B2*3", "@SUM(A1)", "+SUM(A1:A2)", "＋Ｂ２",
                                           " =B2",  "=x",    "+B2-C3"};

    (void)state;
    assert_damage(formulas, ARRAY_LENGTH(formulas), DAMAGE_FORMULA);
}

static void test_usual_texts_are_not_damaged(void **state)
{
    static const char *const texts[] = {"",
                                        "a",
                                        "80",
                                        "-80",
                                        "+5",
                                        "+8613800138000",
                                        "#",
                                        "#1",
                                        "#fff",
                                        "#A1B2",
                                        "@home",
                                        "-",
                                        "=",
                                        "+",
                                        "-B",
                                        "Room:502",
                                        "502",
                                        "x:502",
                                        "Err:402",
                                        "Err:5022",
                                        "Errors: 512 of",
                                        "A-B2",
                                        "#hello!",
                                        "# N",
                                        "héllo",
                                        "设备",
                                        "on#N/A",
                                        "+B2C",
                                        "-12345678901234567890"};

    (void)state;
    assert_damage(texts, ARRAY_LENGTH(texts), DAMAGE_NONE);
}

static void test_booleans_of_spreadsheets_are_known(void **state)
{
    static const char *const words[] = {"TRUE",   "FALSE", "True", "tRUE",   "ＴＲＵＥ",  "WAHR",
                                        "FALSCH", "VRAI",  "FAUX", "ИСТИНА", "TRUE\u00a0"};
    static const char *const others[] = {"true", "false", "ture", "yes", "1", "wahr", "TRUES", ""};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        assert_true(look_is_boolean_word(span_string(words[i])));
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        assert_false(look_is_boolean_word(span_string(others[i])));
}

static void test_numbers_that_may_be_hex_are_those_without_sign_and_point(void **state)
{
    (void)state;
    assert_true(look_is_hex_number(SPAN_LITERAL("12E5")));
    assert_true(look_is_hex_number(SPAN_LITERAL("120e51")));
    assert_false(look_is_hex_number(SPAN_LITERAL("1E5")));
    assert_false(look_is_hex_number(SPAN_LITERAL("1.2E5")));
    assert_false(look_is_hex_number(SPAN_LITERAL("12E+5")));
    assert_false(look_is_hex_number(SPAN_LITERAL("12")));
    assert_false(look_is_hex_number(SPAN_LITERAL("")));
}

static void assert_shown(const char *text, const char *shown, size_t size)
{
    char out[64];

    look_show(span_string(text), out, size);
    assert_string_equal(out, shown);
}

static void test_invisible_characters_are_found_and_shown(void **state)
{
    (void)state;
    assert_true(look_has_invisible(SPAN_LITERAL("80\u00a0")));
    assert_true(look_has_invisible(SPAN_LITERAL("a\u200bb")));
    assert_true(look_has_invisible(SPAN_LITERAL("\ufeffa")));
    assert_true(look_has_invisible(SPAN_LITERAL("ab\u202ec")));
    assert_true(look_has_invisible(SPAN_LITERAL("a\xc2\x85")));
    assert_false(look_has_invisible(SPAN_LITERAL("plain text, 设备, é, ☃️")));
    assert_false(look_has_invisible(SPAN_LITERAL("")));
    assert_shown("80\u00a0", "80<U+00A0>", 64);
    assert_shown("\u202ea\tb", "<U+202E>a<U+0009>b", 64);
    assert_shown("0123456789012345", "012345678901…", 16);
    assert_shown("012345678901234", "012345678901…", 16);
    assert_shown("01234567", "01234567", 16);
}

/* Whatever bytes there are, in memory of just their size: sanitizers see what goes beyond. */
static void test_any_bytes_do_no_harm(void **state)
{
    static const char *const bits[] = {"#",        "=",    "+",        "N/A",      "!",
                                       "Err:",     "502",  "\xc2\xa0", "\xef\xbc", "\xef\xbc\x83",
                                       "\xf0\x9f", "\xff", "A1",       "(",        "12E5",
                                       " "};
    struct prng prng = {.state = 16};

    (void)state;
    for (int round = 0; round < 100000; round++) {
        char bytes[256];
        size_t len = 0, count = prng_next(&prng) % 12;
        for (size_t i = 0; i < count; i++) {
            const char *bit = bits[prng_next(&prng) % ARRAY_LENGTH(bits)];
            memcpy(bytes + len, bit, strlen(bit));
            len += strlen(bit);
        }
        char *copy = malloc(len + 1), out[32];
        assert_non_null(copy);
        memcpy(copy + 1, bytes, len);
        struct span text = span_of(copy + 1, len);
        (void)look_damage(text);
        (void)look_is_boolean_word(text);
        (void)look_is_hex_number(text);
        (void)look_has_invisible(text);
        look_show(text, out, sizeof(out));
        assert_true(strlen(out) < sizeof(out));
        free(copy);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_of_spreadsheets_are_known_in_all_their_forms),
        cmocka_unit_test(test_formulas_are_told_from_texts_with_a_sign),
        cmocka_unit_test(test_usual_texts_are_not_damaged),
        cmocka_unit_test(test_booleans_of_spreadsheets_are_known),
        cmocka_unit_test(test_numbers_that_may_be_hex_are_those_without_sign_and_point),
        cmocka_unit_test(test_invisible_characters_are_found_and_shown),
        cmocka_unit_test(test_any_bytes_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
