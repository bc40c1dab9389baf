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

static void assert_words(const char *const *words, size_t count, enum look_word word, bool value)
{
    for (size_t i = 0; i < count; i++) {
        bool found = !value;
        assert_int_equal(look_word(span_string(words[i]), &found), word);
        assert_true(word == WORD_NONE || found == value);
    }
}

static void test_booleans_of_spreadsheets_are_known(void **state)
{
    static const char *const trues[] = {"TRUE", "True",   "tRUE", "ＴＲＵＥ",
                                        "WAHR", "ИСТИНА", "VRAI", "TRUE\u00a0"};
    static const char *const falses[] = {"FALSE", "FALSCH", "FAUX", "ЛОЖЬ"};

    (void)state;
    assert_words(trues, ARRAY_LENGTH(trues), WORD_EXPORTED, true);
    assert_words(falses, ARRAY_LENGTH(falses), WORD_EXPORTED, false);
}

static void test_words_of_people_for_true_and_false_are_known(void **state)
{
    static const char *const trues[] = {"开", "打开",   "開啟", "是", "on", "On",
                                        "Y",  "ｙｅｓ", "√",    "有", "✓",  " 开 "};
    static const char *const falses[] = {"关", "关闭", "關閉", "否", "OFF", "off",
                                         "n",  "No",   "×",    "无", "禁用"};
    static const char *const others[] = {"true",  "false", "ture", "1",    "0",    "wahr",
                                         "TRUES", "",      "开阀", "合闸", "x",    "once",
                                         "开关",  "nope",  "N/A",  "NW",   "关于", "-"};

    (void)state;
    assert_words(trues, ARRAY_LENGTH(trues), WORD_WRITTEN, true);
    assert_words(falses, ARRAY_LENGTH(falses), WORD_WRITTEN, false);
    assert_words(others, ARRAY_LENGTH(others), WORD_NONE, false);
}

static void test_numbers_as_people_write_them_are_known(void **state)
{
    static const char *const numerals[] = {"1,234",    "1,234.50", "1 234,5", "12%",      "12.5 %",
                                           "¥80",      "￥80",     "(80)",    "−80",      "８０",
                                           "80\u00a0", "'80",      "0,5",     "-1,000.5", "80元"};
    static const char *const others[] = {"0042", "000",   "1.2.3", "12:30", "A1",   "12E5x", "",
                                         "-",    "1,23x", "(80",   "80)",   "¥",    "80kWh", "1-2",
                                         "%",    "+86",   "1/2",   "0x1F",  "1,2,3"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(numerals); i++)
        assert_true(look_is_numeral(span_string(numerals[i])));
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        assert_false(look_is_numeral(span_string(others[i])));
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
        bool value;
        assert_non_null(copy);
        memcpy(copy + 1, bytes, len);
        struct span text = span_of(copy + 1, len);
        (void)look_damage(text);
        (void)look_word(text, &value);
        (void)look_is_numeral(text);
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
        cmocka_unit_test(test_numbers_as_people_write_them_are_known),
        cmocka_unit_test(test_words_of_people_for_true_and_false_are_known),
        cmocka_unit_test(test_numbers_that_may_be_hex_are_those_without_sign_and_point),
        cmocka_unit_test(test_invisible_characters_are_found_and_shown),
        cmocka_unit_test(test_any_bytes_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
