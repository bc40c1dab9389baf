/* What it takes to put old values back, digit for digit. */
#include "platform/writeback.h"

#include "unit.h"

struct seen {
    uint16_t ids[8];
    uint8_t types[8];
    size_t count;
};

static void see(void *context, uint16_t res_id, uint8_t type)
{
    struct seen *seen = context;

    assert_true(seen->count < ARRAY_LENGTH(seen->ids));
    seen->ids[seen->count] = res_id;
    seen->types[seen->count++] = type;
}

static void test_the_items_of_a_body_are_told(void **state)
{
    (void)state;
    struct seen seen = {.count = 0};

    writeback_each_item(SPAN_LITERAL(
                            "{\"data\":[{\"res_id\":5850,\"val\":true},{\"val\":\"1A\",\"type\":1,"
                            "\"res_id\":7},{\"res_id\":8,\"type\":2,\"val\":1},{\"val\":3}]}"),
                        see, &seen);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.ids[0], 5850);
    assert_int_equal(seen.types[0], WRITEBACK_BASIC);
    assert_int_equal(seen.ids[1], 7);
    assert_int_equal(seen.types[1], WRITEBACK_OPAQUE);
    assert_int_equal(seen.types[2], WRITEBACK_TIME);
    writeback_each_item(SPAN_LITERAL("{\"args\":\"ping\"}"), see, &seen);
    writeback_each_item(SPAN_LITERAL(""), see, &seen);
    assert_int_equal(seen.count, 3);
}

/* The item that a value's line comes to. */
static void check(const char *json, uint8_t type, const char *expected)
{
    struct writeback_value value;
    struct buf line, item;

    buf_init(&line, 4096);
    buf_init(&item, 4096);
    buf_add_format(&line, "{\"row\":3,\"res_id\":12,\"res_inst_id\":null,\"value\":%s}", json);
    assert_true(writeback_read_value(buf_span(&line), &value));
    assert_int_equal(value.row, 3);
    assert_false(value.has_instances);
    writeback_add_item(value.res_id, type, value.json, &item);
    assert_string_equal(buf_string(&item), expected);
    buf_deinit(&line);
    buf_deinit(&item);
}

static void test_values_are_carried_as_they_are(void **state)
{
    (void)state;
    check("-9223372036854775808", WRITEBACK_BASIC, "{\"res_id\":12,\"val\":-9223372036854775808}");
    check("1.10", WRITEBACK_BASIC, "{\"res_id\":12,\"val\":1.10}");
    check("\"\\u4f60\\\" \"", WRITEBACK_BASIC, "{\"res_id\":12,\"val\":\"\\u4f60\\\" \"}");
    check("\"00FF\"", WRITEBACK_OPAQUE, "{\"res_id\":12,\"type\":1,\"val\":\"00FF\"}");
    check("1700000000", WRITEBACK_TIME, "{\"res_id\":12,\"type\":2,\"val\":1700000000}");
    check("\"1700000000\"", WRITEBACK_TIME, "{\"res_id\":12,\"type\":2,\"val\":1700000000}");
}

static void test_what_is_no_value_is_told(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "{\"row\":3,\"res_id\":12,\"value\":1",
                                      "{\"row\":3,\"value\":1}",
                                      "{\"res_id\":12,\"value\":1}",
                                      "{\"row\":3,\"res_id\":70000,\"value\":1}",
                                      "{\"row\":3,\"res_id\":12}"};
    struct writeback_value value;

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(writeback_read_value(span_string(bad[i]), &value));
    assert_true(writeback_read_value(
        SPAN_LITERAL("{\"row\":3,\"res_id\":12,\"res_inst_id\":0,\"value\":1}"), &value));
    assert_true(value.has_instances);
}

static void test_what_may_have_been_opaque_or_a_time_is_told(void **state)
{
    (void)state;
    static const char *const may[] = {"\"00FF1a\"", "\"12\"", "0", "1700000000"};
    static const char *const cannot[] = {"\"\"", "\"123\"", "\"0x\"", "\"1 \"", "true",
                                         "-1",   "1.5",     "1e9",    ""};

    for (size_t i = 0; i < ARRAY_LENGTH(may); i++)
        assert_true(writeback_may_be_typed(span_string(may[i])));
    for (size_t i = 0; i < ARRAY_LENGTH(cannot); i++)
        assert_false(writeback_may_be_typed(span_string(cannot[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_items_of_a_body_are_told),
        cmocka_unit_test(test_values_are_carried_as_they_are),
        cmocka_unit_test(test_what_is_no_value_is_told),
        cmocka_unit_test(test_what_may_have_been_opaque_or_a_time_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
