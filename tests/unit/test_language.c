/* The language: what is looked up and what is not, and printf with a translation. */
#include "unit.h"

#include "core/buf.h"
#include "core/language.h"

/* What vsnprintf writes is written in Chinese too, where there is nothing to translate. */
#define SAME(...)                                                \
    do {                                                         \
        char expected[1024];                                     \
        struct buf buf;                                          \
        (void)snprintf(expected, sizeof(expected), __VA_ARGS__); \
        buf_init_text(&buf, sizeof(expected));                   \
        buf_add_format(&buf, __VA_ARGS__);                       \
        assert_string_equal(buf_string(&buf), expected);         \
        buf_deinit(&buf);                                        \
    } while (0)

static int set_chinese(void **state)
{
    (void)state;
    language_set(LANGUAGE_CHINESE);
    return 0;
}

static int set_english(void **state)
{
    (void)state;
    language_set(LANGUAGE_ENGLISH);
    return 0;
}

static void test_conversions_are_those_of_printf(void **state)
{
    const char name[] = "fleet.csv";

    (void)state;
    SAME("%s|%10s|%-10s|%.3s|%-6.2s|%.*s|%*s", name, name, name, name, name, 2, name, 12, name);
    SAME("%d|%5d|%-5d|%05d|%+d|%.3d|%c|%%", -7, 42, 42, 42, 42, 7, 'x');
    SAME("%u|%x|%X|%08x|%#x|%o", 4294967295u, 255u, 255u, 48879u, 255u, 8u);
    SAME("%ld|%lu|%lld|%llu|%zu|%016llx", -1L, ~0UL, -1LL, ~0ULL, (size_t)-1, 0xfeedULL);
    SAME("%f|%.1f|%6.2f|%g|%.3g|%.*f|%e|%.0f", 1.5, 2.25, 3.14159, 0.0001, 12345.678, 1, 2.0, 1e9,
         0.5);
    SAME("%*llu  %s", 9, 123ULL, "");
    SAME("no conversion, – and 中文");
}

static void test_arguments_may_be_named_by_number(void **state)
{
    const char *format = "%2$s is %1$d|%1$d|%3$5.2f|%2$-*4$s|"; /* a translation may have it */
    struct buf buf;

    (void)state;
    buf_init_text(&buf, 4096);
    buf_add_format(&buf, format, 5, "it", 1.5, 4);
    assert_string_equal(buf_string(&buf), "it is 5|5| 1.50|it  |");
    buf_deinit(&buf);
}

static void test_a_text_of_the_program_is_translated_where_it_is_put_together(void **state)
{
    struct buf buf;

    (void)state;
    buf_init_text(&buf, 4096);
    buf_add_format(&buf, "unknown command %s; did you mean nbatch %s?", "rnu", "run");
    assert_string_equal(buf_string(&buf), "没有 rnu 这个命令；是不是 nbatch run？");
    buf_clear(&buf);
    buf_add_string(&buf, "the platform said no");
    assert_string_equal(buf_string(&buf), "平台拒绝了");
    buf_clear(&buf);
    buf_add_format(&buf, "[%-12s]", "the platform said no"); /* ten columns */
    assert_string_equal(buf_string(&buf), "[平台拒绝了  ]");
    buf_deinit(&buf);
}

static void test_what_comes_from_outside_is_not_translated(void **state)
{
    char name[] = "the platform said no"; /* a file may be called so */
    struct buf buf;

    (void)state;
    buf_init_text(&buf, 4096);
    buf_add_format(&buf, "%s", name);
    buf_add_string(&buf, name);
    assert_string_equal(buf_string(&buf), "the platform said nothe platform said no");
    assert_ptr_equal(language_of(name), name);
    assert_string_equal(language_find(span_string(name)), "平台拒绝了"); /* negative control */
    buf_deinit(&buf);
}

static void test_a_buffer_for_programs_stays_english(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 4096);
    buf_add_string(&buf, "the platform said no");
    buf_add_format(&buf, "|%s|", "the platform said no");
    buf_add_wrapped(&buf, "the platform said no", 0, 80);
    assert_string_equal(buf_string(&buf),
                        "the platform said no|the platform said no|the platform said no");
    buf_deinit(&buf);
}

static void test_lines_end_at_characters_and_not_in_front_of_punctuation(void **state)
{
    struct buf buf;

    (void)state;
    buf_init_text(&buf, 4096);
    buf_add_wrapped(&buf, "缓存命令已下发，等设备 aaaa 上报（如有）。", 2, 16);
    assert_string_equal(buf_string(&buf), "缓存命令已下\n  发，等设备\n  aaaa 上报（如\n  有）。");
    buf_deinit(&buf);
}

static void test_variables_name_a_language(void **state)
{
    enum language language;

    (void)state;
    assert_false(language_of_variable("", &language));
    assert_false(language_of_variable(NULL, &language));
    static const char *const chinese[] = {"zh", "zh_CN.UTF-8", "zh_CN", "zh.UTF-8", "zh_CN:en"};
    for (size_t i = 0; i < ARRAY_LENGTH(chinese); i++) {
        assert_true(language_of_variable(chinese[i], &language));
        assert_int_equal(language, LANGUAGE_CHINESE);
    }
    static const char *const others[] = {"C", "C.UTF-8", "en_US.UTF-8", "de_DE", "zhx"};
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        assert_true(language_of_variable(others[i], &language));
        assert_int_equal(language, LANGUAGE_ENGLISH);
    }
}

static void test_english_is_what_is_written(void **state)
{
    struct buf buf;

    (void)state;
    buf_init_text(&buf, 4096);
    buf_add_string(&buf, "the platform said no");
    assert_string_equal(buf_string(&buf), "the platform said no");
    buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_conversions_are_those_of_printf, set_chinese,
                                        set_english),
        cmocka_unit_test_setup_teardown(test_arguments_may_be_named_by_number, set_chinese,
                                        set_english),
        cmocka_unit_test_setup_teardown(
            test_a_text_of_the_program_is_translated_where_it_is_put_together, set_chinese,
            set_english),
        cmocka_unit_test_setup_teardown(test_what_comes_from_outside_is_not_translated, set_chinese,
                                        set_english),
        cmocka_unit_test_setup_teardown(test_a_buffer_for_programs_stays_english, set_chinese,
                                        set_english),
        cmocka_unit_test_setup_teardown(
            test_lines_end_at_characters_and_not_in_front_of_punctuation, set_chinese, set_english),
        cmocka_unit_test(test_variables_name_a_language),
        cmocka_unit_test(test_english_is_what_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
