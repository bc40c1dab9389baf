#include "unit.h"

#include "core/text.h"

static void test_utf8_is_judged_at_every_offset(void **state)
{
    (void)state;
    static const char *const bad[] = {"\xff",     "\xc0\x80",         "\xed\xa0\x80",
                                      "\xe4\xb8", "\xf4\x90\x80\x80", "\x80"};
    char text[64];
    assert_true(text_is_utf8(span_of(NULL, 0)));
    assert_true(
        text_is_utf8(SPAN_LITERAL("plain, \xe4\xb8\xad\xe6\x96\x87, \xf0\x9f\x98\x80 and \0 NUL")));
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        for (size_t at = 0; at < 40; at++) {
            size_t len = strlen(bad[i]);
            memset(text, 'x', sizeof(text));
            memcpy(text + at, bad[i], len);
            assert_false(text_is_utf8(span_of(text, at + len)));
        }
    }
}

static void test_a_cut_never_splits_a_character(void **state)
{
    (void)state;
    struct span text = SPAN_LITERAL("a\xe4\xb8\xad\xf0\x9f\x98\x80");
    static const size_t expected[] = {0, 1, 1, 1, 4, 4, 4, 4, 8, 8};
    for (size_t max = 0; max < ARRAY_LENGTH(expected); max++)
        assert_int_equal(text_cut(text, max), expected[max]);
}

static void test_the_nearest_word_is_near_or_none(void **state)
{
    (void)state;
    static const char *const words[] = {"imei",         "obj_id", NULL,  "obj_inst_id",
                                        "expired_time", "mode",   "data"};
    static const struct {
        const char *text, *nearest;
    } cases[] = {{"imie", "imei"},
                 {"obj_di", "obj_id"},
                 {"expire_time", "expired_time"},
                 {"IMEI", NULL},
                 {"date", "data"},
                 {"modes", "mode"},
                 {"frobnicate", NULL},
                 {"x", NULL},
                 {"", NULL},
                 {"a-name-that-is-far-too-long-to-be-any-of-these-words-here", NULL}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const char *found = text_nearest(span_string(cases[i].text), words, ARRAY_LENGTH(words));
        if (cases[i].nearest == NULL)
            assert_null(found);
        else
            assert_string_equal(found, cases[i].nearest);
    }
}

static void test_control_characters_are_seen(void **state)
{
    (void)state;
    assert_false(text_has_control(SPAN_LITERAL("plain \xe4\xb8\xad")));
    assert_true(text_has_control(SPAN_LITERAL("a\tb")));
    assert_true(text_has_control(SPAN_LITERAL("a\x7f")));
    assert_true(text_has_control(SPAN_LITERAL("\0")));
    assert_true(text_has_control(SPAN_LITERAL("a\xc2\x85")) &&
                text_has_control(SPAN_LITERAL("\u202eb")));
    assert_false(text_has_control(SPAN_LITERAL("\u00a0\u200b\u2030\u2026\u2027\u202f\ue000")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_is_judged_at_every_offset),
        cmocka_unit_test(test_a_cut_never_splits_a_character),
        cmocka_unit_test(test_the_nearest_word_is_near_or_none),
        cmocka_unit_test(test_control_characters_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
