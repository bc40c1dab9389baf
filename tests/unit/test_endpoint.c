#include "unit.h"

#include "net/endpoint.h"

static void test_origin_path_and_loopback_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *url, *origin, *path;
        bool secure, loopback;
    } cases[] = {
        {"https://api.heclouds.com", "https://api.heclouds.com", "", true, false},
        {"http://127.0.0.1:8080/", "http://127.0.0.1:8080", "", false, true},
        {"http://127.9.9.9", "http://127.9.9.9", "", false, true},
        {"http://[::1]:80/base/", "http://[::1]:80", "/base", false, true},
        {"http://localhost:1", "http://localhost:1", "", false, true},
        {"http://128.0.0.1", "http://128.0.0.1", "", false, false},
        {"http://127.0.0.1.example.com", "http://127.0.0.1.example.com", "", false, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct endpoint endpoint = {.origin = NULL};
        struct buf message;
        buf_init(&message, 4096);
        assert_int_equal(endpoint_parse(cases[i].url, &message, &endpoint), STATUS_OK);
        assert_string_equal(endpoint.origin, cases[i].origin);
        assert_string_equal(endpoint.path, cases[i].path);
        assert_int_equal(endpoint.secure, cases[i].secure);
        assert_int_equal(endpoint.loopback, cases[i].loopback);
        endpoint_deinit(&endpoint);
        buf_deinit(&message);
    }
}

static void test_what_is_no_endpoint_is_refused_with_a_text(void **state)
{
    (void)state;
    static const char *const urls[] = {"",           "nonsense",          "ftp://127.0.0.1",
                                       "http://",    "https://u:p@host",  "https://u@host",
                                       "http://h?x", "http://h/#fragment"};
    for (size_t i = 0; i < ARRAY_LENGTH(urls); i++) {
        struct endpoint endpoint = {.origin = NULL};
        struct buf message;
        buf_init(&message, 4096);
        assert_int_equal(endpoint_parse(urls[i], &message, &endpoint), STATUS_USAGE);
        assert_true(message.len > 0);
        assert_null(endpoint.origin);
        buf_deinit(&message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origin_path_and_loopback_are_told),
        cmocka_unit_test(test_what_is_no_endpoint_is_refused_with_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
