/* Placeholders of a text: values, sections, lists, and what is wrong with a text. */
#include "unit.h"

#include "report/fill.h"

static struct buf out;

static void add_items(const struct fill *fill, struct span part, struct buf *into)
{
    static const char *const names[] = {"one", "two"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        const struct fill_value values[] = {{.name = "item", .text = names[i]},
                                            {.name = "is-behind", .count = i}};
        fill_add(&(struct fill){values, ARRAY_LENGTH(values), fill, NULL}, part, into);
    }
}

static const struct fill_value values[] = {
    {.name = "text", .kind = FILL_TEXT, .text = "<a & b>"},
    {.name = "nothing", .kind = FILL_TEXT},
    {.name = "count", .kind = FILL_COUNT, .count = 12345},
    {.name = "zero", .kind = FILL_COUNT},
    {.name = "seconds", .kind = FILL_SECONDS, .real = 1.5},
    {.name = "items", .kind = FILL_LIST, .list = add_items},
};

static const char *filled(const char *text)
{
    buf_clear(&out);
    fill_add(&(struct fill){values, ARRAY_LENGTH(values), NULL, NULL}, span_string(text), &out);
    return buf_string(&out);
}

static void test_values_are_written_for_people_and_for_programs(void **state)
{
    (void)state;
    assert_string_equal(filled("a{{text}}b{{nothing}}c"), "a&lt;a &amp; b&gt;bc");
    assert_string_equal(filled("{{count}} {{=count}} {{seconds}} {{=seconds}}"),
                        "12,345 12345 1.5 s 1.500");
    assert_int_equal(out.status, STATUS_OK);
}

static void test_a_part_is_there_only_with_its_value(void **state)
{
    (void)state;
    assert_string_equal(filled("{{#count}}a{{/count}}{{^count}}b{{/count}}"), "a");
    assert_string_equal(filled("{{#zero}}a{{/zero}}{{^zero}}b{{/zero}}"), "b");
    assert_string_equal(filled("{{#count}}a{{#count}}b{{/count}}c{{/count}}d"), "abcd");
    assert_string_equal(filled("{{#zero}}a{{#zero}}b{{/zero}}c{{/zero}}d"), "d");
}

static void test_a_list_repeats_its_part_with_what_is_outside_of_it(void **state)
{
    (void)state;
    assert_string_equal(filled(
                            "{{#items}}{{#is-behind}}, {{/is-behind}}{{item}}={{count}}{{/items}}"),
                        "one=12,345, two=12,345");
}

static void test_a_line_of_a_tag_alone_is_left_out(void **state)
{
    (void)state;
    assert_string_equal(filled("a\n{{#items}}\n{{item}}\n{{/items}}\nb\n"), "a\none\ntwo\nb\n");
    assert_string_equal(filled("{{#count}}\na{{/count}}\n"), "a\n");
    assert_string_equal(filled("{{nothing}}\n"), "\n");
}

static void test_an_unknown_name_is_an_error(void **state)
{
    (void)state;
    (void)filled("a{{strange}}b");
    assert_int_equal(out.status, STATUS_SYNTAX);
    (void)filled("a{{item}}b"); /* is known within the list only */
    assert_int_equal(out.status, STATUS_SYNTAX);
}

static int teardown(void **state)
{
    (void)state;
    buf_deinit(&out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_written_for_people_and_for_programs),
        cmocka_unit_test(test_a_part_is_there_only_with_its_value),
        cmocka_unit_test(test_a_list_repeats_its_part_with_what_is_outside_of_it),
        cmocka_unit_test(test_a_line_of_a_tag_alone_is_left_out),
        cmocka_unit_test(test_an_unknown_name_is_an_error),
    };
    buf_init(&out, 10000);
    return cmocka_run_group_tests(tests, NULL, teardown);
}
