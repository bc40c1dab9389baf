/* A command of the platform's history and a request, compared by meaning. */
#include "unit.h"

#include "core/buf.h"
#include "platform/likeness.h"

static const char target[] =
    "/nbiot/offline?imei=865820031313187&valid_time=2030-01-01T00%3A00%3A00&expired_time=2030-01-"
    "08T00%3A00%3A00&obj_id=3311&obj_inst_id=0&mode=2&retry=3";
static const char body[] = "{\"data\":[{\"res_id\":5850,\"val\":9007199254740993},"
                           "{\"res_id\":12,\"type\":1,\"val\":\"12aB\"}]}";

#define ARGS "\"obj_id\":\"3311\",\"obj_inst_id\":0,\"expired_time\":\"2030-01-08 00:00:00\""
#define DATA "{\"val\":\"12AB\",\"res_id\":12},{\"res_id\":\"5850\",\"val\":9007199254740993}"

static struct likeness_request request_of(enum action action, const char *path, const char *content)
{
    return (struct likeness_request){action, span_string(path), span_string(content)};
}

static enum likeness compare(const struct likeness_request *request, const char *type,
                             const char *args, const char *content)
{
    enum likeness likeness = LIKENESS_UNCLEAR;
    struct buf answer;

    buf_init(&answer, 64 * 1024);
    buf_add_format(&answer,
                   "{\"errno\":0,\"data\":{\"type\":\"%s\",\"send_status\":1,\"args\":{%s}%s%s}}",
                   type, args, content[0] != '\0' ? ",\"content\":" : "", content);
    (void)buf_string(&answer);
    assert_int_equal(likeness_of_entry(buf_span(&answer), request, &likeness), STATUS_OK);
    buf_deinit(&answer);
    return likeness;
}

static enum likeness compare_write(const char *args, const char *data)
{
    const struct likeness_request request = request_of(ACTION_WRITE, target, body);
    struct buf content;

    buf_init(&content, 64 * 1024);
    buf_add_format(&content, "{\"data\":[%s]}", data);
    enum likeness likeness = compare(&request, "WRITE", args, buf_string(&content));
    buf_deinit(&content);
    return likeness;
}

/* What an earlier run asked for is known but for its times. */
static void test_a_request_without_times_is_compared_by_the_rest(void **state)
{
    static const char timeless[] =
        "/nbiot/offline?imei=865820031313187&obj_id=3311&obj_inst_id=0&mode=2";
    static const char another[] =
        "/nbiot/offline?imei=865820031313187&obj_id=3311&obj_inst_id=1&mode=2";
    const struct likeness_request whole = request_of(ACTION_WRITE, target, body),
                                  some = request_of(ACTION_WRITE, timeless, body),
                                  other = request_of(ACTION_WRITE, another, body);
    enum likeness likeness;

    (void)state;
    assert_int_equal(compare(&some, "WRITE", ARGS, "{\"data\":[" DATA "]}"), LIKENESS_EQUAL);
    assert_int_equal(compare(&other, "WRITE", ARGS, "{\"data\":[" DATA "]}"), LIKENESS_DIFFERENT);
    assert_int_equal(likeness_of_requests(&some, &some, &likeness), STATUS_OK);
    assert_int_equal(likeness, LIKENESS_EQUAL);
    assert_int_equal(likeness_of_requests(&other, &whole, &likeness), STATUS_OK);
    assert_int_equal(likeness, LIKENESS_DIFFERENT);
}

static void test_forms_say_nothing(void **state)
{
    (void)state;
    assert_int_equal(compare_write(ARGS, DATA), LIKENESS_EQUAL);
    assert_int_equal(compare_write(ARGS ",\"mode\":2,\"retry\":\"3\",\"timeout\":25,"
                                        "\"trigger_msg\":\"7\"",
                                   DATA),
                     LIKENESS_EQUAL);
    assert_int_equal(compare_write(ARGS ",\"retry\":null,\"mode\":\"\"", DATA), LIKENESS_EQUAL);
    const struct likeness_request request = request_of(ACTION_WRITE, target, body);
    assert_int_equal(compare(&request, "1", ARGS,
                             "\"{\\\"data\\\":[{\\\"val\\\":\\\"12AB\\\","
                             "\\\"res_id\\\":12},"
                             "{\\\"res_id\\\":5850,"
                             "\\\"val\\\":9007199254740993}]}\""),
                     LIKENESS_EQUAL); /* content as a text */
}

static void test_what_differs_is_seen(void **state)
{
    (void)state;
    static const char *const others[] = {
        ARGS ",\"mode\":1",
        ARGS ",\"retry\":4",
        ARGS ",\"trigger_msg\":3",
        "\"obj_id\":3312,\"obj_inst_id\":0",
        "\"obj_id\":3311,\"obj_inst_id\":1",
        "\"obj_id\":3311,\"obj_inst_id\":0,\"expired_time\":\"2030-01-08 00:00:01\""};
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        assert_int_equal(compare_write(others[i], DATA), LIKENESS_DIFFERENT);
    static const char *const contents[] = {
        "{\"res_id\":12,\"val\":\"12AB\"}",
        "{\"res_id\":12,\"val\":\"12AB\"},{\"res_id\":5850,\"val\":9007199254740992}",
        "{\"res_id\":12,\"val\":\"12AC\"},{\"res_id\":5850,\"val\":9007199254740993}",
        "{\"res_id\":12,\"type\":2,\"val\":\"12AB\"},{\"res_id\":5850,\"val\":9007199254740993}",
        DATA ",{\"res_id\":1,\"val\":1}"};
    for (size_t i = 0; i < ARRAY_LENGTH(contents); i++)
        assert_int_equal(compare_write(ARGS, contents[i]), LIKENESS_DIFFERENT);
    const struct likeness_request request = request_of(ACTION_WRITE, target, body);
    assert_int_equal(compare(&request, "READ", ARGS, ""), LIKENESS_DIFFERENT);
}

static void test_what_is_not_shown_cannot_be_told(void **state)
{
    (void)state;
    const struct likeness_request request = request_of(ACTION_WRITE, target, body);

    assert_int_equal(compare(&request, "WRITE", ARGS, ""), LIKENESS_UNCLEAR);
    assert_int_equal(compare(&request, "WRITE", ARGS, "\"?\""), LIKENESS_UNCLEAR);
    assert_int_equal(compare(&request, "", ARGS, body), LIKENESS_UNCLEAR);
    assert_int_equal(compare_write("", DATA), LIKENESS_UNCLEAR);
    assert_int_equal(compare_write("\"obj_id\":3311", DATA), LIKENESS_UNCLEAR);
    /* A clock that is eight hours behind. */
    assert_int_equal(
        compare_write("\"obj_id\":3311,\"obj_inst_id\":0,\"expired_time\":\"2030-01-07 "
                      "16:00:00\"",
                      DATA),
        LIKENESS_UNCLEAR);
    /* 64 bits through a double. */
    assert_int_equal(compare_write(ARGS, "{\"res_id\":12,\"val\":\"12AB\"},{\"res_id\":5850,"
                                         "\"val\":9.007199254740992e15}"),
                     LIKENESS_UNCLEAR);
    enum likeness likeness;
    assert_int_equal(likeness_of_entry(span_of("{}", 2), &request, &likeness), STATUS_SYNTAX);
    assert_int_equal(likeness_of_entry(span_of("{\"data\":", 8), &request, &likeness),
                     STATUS_SYNTAX);
}

static void test_executes_and_reads(void **state)
{
    (void)state;
    struct likeness_request request =
        request_of(ACTION_EXECUTE, "/x?obj_id=3&obj_inst_id=0&res_id=4", "{\"args\":\"ping\"}");
    const char *args = "\"obj_id\":3,\"obj_inst_id\":0,\"res_id\":4";

    assert_int_equal(compare(&request, "EXECUTE", args, "{\"args\":\"ping\"}"), LIKENESS_EQUAL);
    assert_int_equal(compare(&request, "2", args, "{\"args\":\"pong\"}"), LIKENESS_DIFFERENT);
    assert_int_equal(compare(&request, "EXECUTE", args, "null"), LIKENESS_UNCLEAR);
    request.body = span_of(NULL, 0);
    assert_int_equal(compare(&request, "EXECUTE", args, "null"), LIKENESS_EQUAL);
    assert_int_equal(compare(&request, "EXECUTE", args, "{\"args\":\"\"}"), LIKENESS_EQUAL);
    assert_int_equal(compare(&request, "EXECUTE", args, "{\"args\":\"ping\"}"), LIKENESS_DIFFERENT);
    assert_int_equal(compare(&request, "EXECUTE", "\"obj_id\":3,\"obj_inst_id\":0", "null"),
                     LIKENESS_UNCLEAR);
    request = request_of(ACTION_READ, "/x?obj_id=3&obj_inst_id=0", "");
    assert_int_equal(compare(&request, "READ", args, ""), LIKENESS_DIFFERENT);
    assert_int_equal(compare(&request, "READ", "\"obj_id\":3,\"obj_inst_id\":0", "null"),
                     LIKENESS_EQUAL);
}

static enum likeness compare_requests(const char *a, const char *b)
{
    const struct likeness_request one = request_of(ACTION_WRITE, target, a),
                                  other = request_of(ACTION_WRITE, target, b);
    enum likeness likeness = LIKENESS_UNCLEAR;

    assert_int_equal(likeness_of_requests(&one, &other, &likeness), STATUS_OK);
    return likeness;
}

static void test_requests(void **state)
{
    (void)state;
    const char *one = "{\"data\":[{\"res_id\":1,\"val\":5}]}";

    assert_int_equal(compare_requests(one, "{\"data\":[{\"val\":5,\"res_id\":1}]}"),
                     LIKENESS_EQUAL);
    assert_int_equal(compare_requests(one, "{\"data\":[{\"res_id\":1,\"val\":\"5\"}]}"),
                     LIKENESS_DIFFERENT);
    assert_int_equal(compare_requests("{\"data\":[{\"res_id\":1,\"val\":\"12\"}]}",
                                      "{\"data\":[{\"res_id\":1,\"type\":1,\"val\":\"12\"}]}"),
                     LIKENESS_DIFFERENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_say_nothing),
        cmocka_unit_test(test_a_request_without_times_is_compared_by_the_rest),
        cmocka_unit_test(test_what_differs_is_seen),
        cmocka_unit_test(test_what_is_not_shown_cannot_be_told),
        cmocka_unit_test(test_executes_and_reads),
        cmocka_unit_test(test_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
