#include "unit.h"

#include "core/buf.h"

static void test_it_grows_to_its_maximum_and_no_farther(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 300);
    for (size_t i = 0; i < 300; i++)
        buf_add_char(&buf, 'x');
    assert_int_equal(buf.status, STATUS_OK);
    buf_add_char(&buf, 'y');
    assert_int_equal(buf.status, STATUS_TOO_BIG);
    assert_int_equal(buf.len, 300);
    assert_int_equal(strlen(buf_string(&buf)), 300); /* room for the NUL is not counted */
    buf_clear(&buf);
    buf_add_string(&buf, "again");
    assert_span(buf_span(&buf), "again");
    buf_deinit(&buf);
    buf_deinit(&buf);
    buf_deinit(NULL);
}

static void test_numbers_at_their_edges(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    buf_add_uint64(&buf, 0);
    buf_add_char(&buf, ' ');
    buf_add_uint64(&buf, UINT64_MAX);
    buf_add_char(&buf, ' ');
    buf_add_int64(&buf, INT64_MIN);
    buf_add_char(&buf, ' ');
    buf_add_int64(&buf, INT64_MAX);
    assert_span(buf_span(&buf), "0 18446744073709551615 -9223372036854775808 9223372036854775807");
    buf_drop(&buf, 2);
    buf_drop(&buf, 0);
    assert_int_equal(buf.ptr[0], '1');
    buf_deinit(&buf);
}

static void test_json_strings_escape_what_must_be(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    buf_add_json_string(&buf, SPAN_LITERAL("a\"b\\c\n\r\t\x01/\x7f\xe4\xb8\xad"));
    assert_span(buf_span(&buf), "\"a\\\"b\\\\c\\n\\r\\t\\u0001/\x7f\xe4\xb8\xad\"");
    buf_clear(&buf);
    buf_add_json_string(&buf, span_of(NULL, 0));
    assert_span(buf_span(&buf), "\"\"");
    buf_deinit(&buf);
}

static void test_percent_encoding_leaves_only_the_unreserved(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    buf_add_percent_encoded(&buf, SPAN_LITERAL("aZ09-._~ +/?%#&=\xff"));
    assert_span(buf_span(&buf), "aZ09-._~%20%2B%2F%3F%25%23%26%3D%FF");
    buf_deinit(&buf);
}

static void test_what_cannot_be_shown_is_escaped(void **state)
{
    (void)state;
    struct buf buf;
    char small[6];
    buf_init(&buf, 1000);
    buf_add_printable(&buf, SPAN_LITERAL("a\x1b[0m\n\xe4\xb8\xad\xff\xc2\x85"));
    assert_span(buf_span(&buf), "a\\x1b[0m\\n\xe4\xb8\xad\\xff<U+0085>");
    buf_deinit(&buf);
    buf_copy_printable(small, sizeof(small), SPAN_LITERAL("abc\xe4\xb8\xad"));
    assert_string_equal(small, "abc");
    buf_copy_printable(small, sizeof(small), span_of(NULL, 0));
    assert_string_equal(small, "");
}

static void test_words_are_broken_into_lines(void **state)
{
    (void)state;
    struct buf buf;

    buf_init(&buf, 1024);
    buf_add_string(&buf, "- ");
    buf_add_wrapped(&buf, "one two three a-word-too-long four", 2, 10);
    assert_string_equal(buf_string(&buf), "- one two\n  three\n  a-word-too-long\n  four");
    buf_clear(&buf);
    buf_add_wrapped(&buf, "", 2, 10);
    assert_string_equal(buf_string(&buf), "");
    buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_are_broken_into_lines),
        cmocka_unit_test(test_it_grows_to_its_maximum_and_no_farther),
        cmocka_unit_test(test_numbers_at_their_edges),
        cmocka_unit_test(test_json_strings_escape_what_must_be),
        cmocka_unit_test(test_percent_encoding_leaves_only_the_unreserved),
        cmocka_unit_test(test_what_cannot_be_shown_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
