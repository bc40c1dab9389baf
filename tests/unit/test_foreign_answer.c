#include "unit.h"

#include "platform/foreign_answer.h"

static void describes(int http, const char *body, const char *location, const char *path,
                      const char *words)
{
    struct answer answer = {.http_status = http,
                            .body = span_string(body),
                            .location = span_string(location)};
    struct buf text;

    buf_init(&text, 4096);
    foreign_answer_describe(DIALECT_V1, &answer, path, &text);
    if (strstr(buf_string(&text), words) == NULL)
        print_error("%s\n", buf_string(&text));
    assert_non_null(strstr(buf_string(&text), words));
    buf_deinit(&text);
}

static void test_what_answers_is_named_with_its_remedy(void **state)
{
    (void)state;
    describes(200, "\n <!DOCTYPE HTML><body>", "", "", "login page");
    describes(200, "\xef\xbb\xbf<HTML>", "", "", "login page");
    describes(200, "{\"code\":0,\"msg\":\"succ\"}", "", "", "newer OneNET platform");
    describes(404, " {\"request_id\":\"x\",\"code\":\"1\"}", "", "", "newer OneNET platform");
    describes(302, "<html>", "http://portal/\x1b", "", "http://portal/\\x1b");
    describes(302, "", "", "", "it is a redirect, and");
    describes(404, "", "", "/nbiot", "/nbiot, is in front of");
    describes(404, "", "", "/nbiot/offline", "leave it out");
    describes(405, "", "", "/gateway", "is /gateway in --endpoint right?");
    describes(404, "<html>", "", "", "check --endpoint");
    describes(200, " \r\n", "", "", "it is empty");
    describes(200, "OK", "", "", "another service");
    describes(200, "{\"status\":1}", "", "", "another service");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_answers_is_named_with_its_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
