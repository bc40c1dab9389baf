#include "unit.h"

#include "core/buf.h"
#include "failing_malloc.h"
#include "platform/reply.h"

static void test_errno_error_and_uuid_are_read_in_any_order(void **state)
{
    (void)state;
    struct reply reply;
    assert_int_equal(
        reply_parse(SPAN_LITERAL(
                        "{\"data\":{\"uuid\":\"4274-x \"},\"error\":\"succ\",\"errno\":0}"),
                    &reply),
        STATUS_OK);
    assert_int_equal(reply.number, 0);
    assert_string_equal(reply.error, "succ");
    assert_string_equal(reply.uuid, "4274-x"); /* the platform has been seen to append a space */
    assert_int_equal(reply_parse(SPAN_LITERAL(" {\"errno\":-7}\r\n"), &reply), STATUS_OK);
    assert_int_equal(reply.number, -7);
    assert_string_equal(reply.error, "");
    assert_string_equal(reply.uuid, "");
}

static void test_a_reply_cut_at_any_byte_is_no_reply(void **state)
{
    (void)state;
    static const char whole[] = "{\"errno\":0,\"error\":\"succ\",\"data\":{\"uuid\":\"42742677\"}}";
    struct reply reply;
    assert_int_equal(reply_parse(span_string(whole), &reply), STATUS_OK);
    for (size_t len = 0; len < sizeof(whole) - 1; len++) {
        char *part = malloc(len + 1); /* exact, so that a sanitizer sees a read too far */
        assert_non_null(part);
        memcpy(part, whole, len);
        part[len] = '\0';
        assert_int_equal(reply_parse(span_of(part, len), &reply), STATUS_SYNTAX);
        free(part);
    }
}

/* Every change of a byte of the usual reply says the same with a space in front, which is read by
 * another way. */
static void test_the_usual_reply_is_read_as_any_other(void **state)
{
    (void)state;
    static const char whole[] =
        "{\"errno\":0,\"error\":\"succ\",\"data\":{\"uuid\":\"42742677-adc3-54ca\"}}";
    char changed[sizeof(whole) + 1] = " ";
    struct reply one, other;

    for (size_t at = 0; at < sizeof(whole) - 1; at++) {
        for (int byte = 1; byte < 256; byte++) {
            memcpy(changed + 1, whole, sizeof(whole));
            changed[1 + at] = (char)byte;
            enum status status = reply_parse(span_string(changed + 1), &one);
            assert_int_equal(reply_parse(span_string(changed), &other), status);
            if (status != STATUS_OK)
                continue;
            assert_int_equal(one.number, other.number);
            assert_string_equal(one.error, other.error);
            assert_string_equal(one.uuid, other.uuid);
        }
    }
}

static void test_names_are_case_sensitive(void **state)
{
    (void)state;
    struct reply reply;
    assert_int_equal(reply_parse(SPAN_LITERAL("{\"ERRNO\":0}"), &reply), STATUS_SYNTAX);
    assert_int_equal(reply_parse(SPAN_LITERAL("{\"errno\":0,\"data\":{\"UUID\":\"x\"}}"), &reply),
                     STATUS_OK);
    assert_string_equal(reply.uuid, "");
}

static void test_a_uuid_that_is_none_is_not_taken(void **state)
{
    (void)state;
    struct reply reply;
    struct buf body;
    assert_int_equal(reply_parse(SPAN_LITERAL("{\"errno\":0,\"data\":{\"uuid\":\"a\\nb\"}}"),
                                 &reply),
                     STATUS_OK);
    assert_string_equal(reply.uuid, "");
    /* cJSON's string ends at the NUL: what stands before it is not what the platform said. */
    assert_int_equal(reply_parse(SPAN_LITERAL("{\"errno\":0,\"data\":{\"uuid\":\"42\\u000074\"}}"),
                                 &reply),
                     STATUS_OK);
    assert_string_equal(reply.uuid, "");
    assert_int_equal(reply_parse(SPAN_LITERAL("{\"errno\":0,\"data\":{\"uuid\":\"42\0"
                                              "74\"}}"),
                                 &reply),
                     STATUS_OK);
    assert_string_equal(reply.uuid, "");
    for (size_t len = REPLY_UUID_MAX; len <= REPLY_UUID_MAX + 1; len++) {
        buf_init(&body, 4096);
        buf_add_format(&body, "{\"errno\":0,\"data\":{\"uuid\":\"%0*d\"}}", (int)len, 0);
        (void)buf_string(&body);
        assert_int_equal(reply_parse(buf_span(&body), &reply), STATUS_OK);
        assert_int_equal(strlen(reply.uuid), len == REPLY_UUID_MAX ? len : 0);
        buf_deinit(&body);
    }
}

static void read_as(const char *body, int64_t number, bool contradicts, const char *uuid)
{
    struct reply reply;

    assert_int_equal(reply_parse(span_string(body), &reply), STATUS_OK);
    assert_int_equal(reply.number, number);
    assert_int_equal(reply.contradicts, contradicts);
    assert_string_equal(reply.uuid, uuid);
    assert_int_equal(reply.flaw == NULL, uuid[0] != '\0');
}

#define ID "42742677-adc3-54ca-83a1-5aaaf71482f8"

static void test_a_flaw_in_the_rest_loses_no_uuid(void **state)
{
    (void)state;
    read_as("{\"errno\":0,\"data\":{\"uuid\":\"" ID "\\t\"}}", 0, false, ID);
    read_as("{\"errno\":0,\"data\":{\"uuid\":\"\\ufeff" ID "\\u00a0\\r\\n\"}}", 0, false, ID);
    read_as("{\"errno\":0,\"data\":{\"uuid\":\"\xe3\x80\x80" ID "\xe2\x80\x8b\"}}", 0, false, ID);
    read_as("{\"errno\":\"0\",\"data\":{\"uuid\":\"" ID "\"}}", 0, false, ID);
    read_as("{\"errno\":\" 0.0 \",\"data\":{\"uuid\":\"" ID "\"}}", 0, false, ID);
    read_as("{\"errno\":-0e0,\"data\":{\"uuid\":\"" ID "\"}}", 0, false, ID);
    read_as("{\"errno\":0,\"error\":\"x\\ud800y\",\"data\":{\"uuid\":\"" ID "\"}}", 0, false, ID);
    read_as("{\"errno\":0,\"error\":\"\\udc00\\ud800\\ud800\",\"data\":{\"uuid\":\"" ID "\"}}", 0,
            false, ID);
    read_as("{\"errno\":0,\"error\":\"\\q\\u12\",\"data\":{\"uuid\":\"" ID "\"}}", 0, false, ID);
    read_as("{\"errno\":0,\"error\":\"\\ud83d\\ude00\",\"data\":{\"uuid\":\"" ID "\"}}", 0, false,
            ID);
    read_as("{\"errno\":0,\"data\":{\"uuid\":\"" ID "\\u0000x\"}}", 0, false, ID);
    read_as("{\"errno\":0,\"data\":[{\"uuid\":\"" ID "\"}]} and more", 0, false, ID);
    read_as("{\"errno\":0,\"data\":\"" ID "\"}", 0, false, ID);
    read_as("{\"errno\":7,\"error\":\"\\ud800\"}", 7, false, "");
}

static void test_a_uuid_that_nobody_can_tell_is_none(void **state)
{
    (void)state;
    read_as("{\"errno\":0}", 0, false, "");
    read_as("{\"errno\":0,\"data\":null}", 0, false, "");
    read_as("{\"errno\":0,\"data\":\"queued\"}", 0, false, "");
    read_as("{\"errno\":0,\"data\":[{\"uuid\":\"a\"},{\"uuid\":\"b\"}]}", 0, false, "");
    read_as("{\"errno\":0,\"data\":{\"uuid\":42}}", 0, false, "");
    read_as("{\"errno\":0,\"data\":{\"uuid\":\"a\",\"uuid\":\"b\"}}", 0, false, "");
}

static void test_errno_counts_only_where_it_is_one(void **state)
{
    struct reply reply;

    (void)state;
    read_as("{\"errno\":0,\"errno\":0.0,\"data\":{\"uuid\":\"a\"}}", 0, false, "a");
    read_as("{\"errno\":5,\"errno\":0,\"data\":{\"uuid\":\"a\"}}", 5, true, "a");
    read_as("{\"errno\":0,\"errno\":null}", 0, true, "");
    assert_int_equal(reply_parse(SPAN_LITERAL("{\"errno\":0}{\"errno\":5}"), &reply),
                     STATUS_SYNTAX);
    assert_int_equal(reply_parse(SPAN_LITERAL("{\"errno\":7} x"), &reply), STATUS_SYNTAX);
    assert_int_equal(reply_parse(SPAN_LITERAL("{\"errno\":\"\"}"), &reply), STATUS_SYNTAX);
    assert_int_equal(reply_parse(SPAN_LITERAL("{\"errno\":true}"), &reply), STATUS_SYNTAX);
}

static void test_a_long_error_is_cut_between_characters(void **state)
{
    (void)state;
    struct reply reply;
    struct buf body;
    buf_init(&body, 8192);
    buf_add_string(&body, "{\"errno\":1,\"error\":\"");
    for (size_t i = 0; i < 200; i++)
        buf_add_string(&body, "\xe4\xb8\xad");
    buf_add_string(&body, "\"}");
    (void)buf_string(&body);
    assert_int_equal(reply_parse(buf_span(&body), &reply), STATUS_OK);
    assert_int_equal(strlen(reply.error), REPLY_ERROR_MAX / 3 * 3);
    buf_deinit(&body);
}

static void test_want_of_memory_is_told_from_a_bad_reply(void **state)
{
    /* The space keeps it from being the usual reply, which takes no memory. */
    static const char text[] = " {\"errno\":0,\"error\":\"succ\",\"data\":{\"uuid\":\"42742677\"}}";
    enum status status = STATUS_NO_MEMORY;
    size_t failures = 0;
    struct reply reply = {.uuid = "untouched"};

    (void)state;
    for (; status == STATUS_NO_MEMORY; failures++) {
        assert_string_equal(reply.uuid, "untouched");
        failing_malloc_start(failures);
        status = reply_parse(span_string(text), &reply);
        failing_malloc_stop();
    }
    assert_int_equal(status, STATUS_OK);
    assert_string_equal(reply.uuid, "42742677");
    assert_true(failures > 8); /* each node, name and string failed once */
    failing_malloc_start(0);
    status = reply_parse(span_string(text + 1), &reply);
    failing_malloc_stop();
    assert_int_equal(status, STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errno_error_and_uuid_are_read_in_any_order),
        cmocka_unit_test(test_a_reply_cut_at_any_byte_is_no_reply),
        cmocka_unit_test(test_the_usual_reply_is_read_as_any_other),
        cmocka_unit_test(test_names_are_case_sensitive),
        cmocka_unit_test(test_a_uuid_that_is_none_is_not_taken),
        cmocka_unit_test(test_a_flaw_in_the_rest_loses_no_uuid),
        cmocka_unit_test(test_a_uuid_that_nobody_can_tell_is_none),
        cmocka_unit_test(test_errno_counts_only_where_it_is_one),
        cmocka_unit_test(test_a_long_error_is_cut_between_characters),
        cmocka_unit_test(test_want_of_memory_is_told_from_a_bad_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
