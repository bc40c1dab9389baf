#include "platform/heading.h"
#include "unit.h"

static void test_spelling_is_forgiven_and_nothing_else(void **state)
{
    (void)state;
    assert_true(heading_equal(SPAN_LITERAL("imei"), SPAN_LITERAL(" \xef\xbb\xbfＩmEｉ\xc2\xa0")));
    assert_true(heading_equal(SPAN_LITERAL("res:5850"), SPAN_LITERAL("RES：５８５０")));
    assert_true(heading_equal(SPAN_LITERAL("设备"), SPAN_LITERAL(" 设备")));
    assert_false(heading_equal(SPAN_LITERAL("obj_id"), SPAN_LITERAL("obj id")));
    assert_false(heading_equal(SPAN_LITERAL("imei"), SPAN_LITERAL("im ei")));
    assert_false(heading_equal(SPAN_LITERAL(""), SPAN_LITERAL("x")));
}

static void test_what_a_heading_may_mean(void **state)
{
    static const struct {
        const char *heading, *name;
    } cases[] = {{"设备号", "imei"},
                 {"Device ID", "imei"},
                 {"设备号（15位）", "imei"},
                 {"obj id", "obj_id"},
                 {"过期时间", "expired_time"},
                 {"资源 5850", "res:5850"},
                 {"Res_5850", "res:5850"},
                 {"开关(res:5850)", "res:5850"},
                 {"imei", NULL},
                 {"站点", NULL},
                 {"5850", NULL},
                 {"资源70000", NULL},
                 {"", NULL},
                 {"(", NULL},
                 {"()", NULL}};
    char name[HEADING_NAME_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        bool is_known = heading_guess(span_string(cases[i].heading), name);
        assert_int_equal(is_known, cases[i].name != NULL);
        if (is_known)
            assert_string_equal(name, cases[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spelling_is_forgiven_and_nothing_else),
        cmocka_unit_test(test_what_a_heading_may_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
