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

/* Parses `url`, sets the proxy and tells what came of it; `text` receives the message. */
static enum status set_proxy(const char *url, const char *proxy, struct endpoint *endpoint,
                             char text[256])
{
    struct buf message;

    buf_init(&message, 4096);
    assert_int_equal(endpoint_parse(url, &message, endpoint), STATUS_OK);
    enum status status = endpoint_set_proxy(endpoint, proxy, &message);
    (void)snprintf(text, 256, "%s", buf_string(&message));
    buf_deinit(&message);
    return status;
}

static void test_a_proxy_is_told_without_its_password(void **state)
{
    (void)state;
    static const struct {
        const char *url, *proxy, *shown;
        bool loopback;
    } cases[] = {
        {"http://127.0.0.1:8080", "http://127.0.0.1:3128", "http://127.0.0.1:3128", true},
        {"http://127.0.0.1:8080", "http://192.0.2.1:3128/", "http://192.0.2.1:3128", false},
        {"https://h", "http://me:pass%40word@p.example:80", "http://p.example:80", false},
        {"https://h", "socks5h://[::1]:1080", "socks5h://[::1]:1080", false},
        {"https://127.0.0.1", "none", NULL, true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct endpoint endpoint = {.origin = NULL};
        char text[256];
        assert_int_equal(set_proxy(cases[i].url, cases[i].proxy, &endpoint, text), STATUS_OK);
        if (cases[i].shown == NULL) {
            assert_null(endpoint.proxy);
            assert_null(endpoint.proxy_url);
        } else {
            assert_string_equal(endpoint.proxy, cases[i].shown);
            assert_string_equal(endpoint.proxy_url, cases[i].proxy);
        }
        assert_int_equal(endpoint.loopback, cases[i].loopback);
        endpoint_deinit(&endpoint);
    }
}

static void test_what_is_no_proxy_is_refused_without_its_password(void **state)
{
    (void)state;
    static const char *const proxies[] = {"127.0.0.1:3128",
                                          "http://p.example",
                                          "ftp://p.example:21",
                                          "http://me:secret@p.example",
                                          "http://me:secret@p.example:99999",
                                          "http://p.example:80/path",
                                          "http://p.example:80?q",
                                          "",
                                          "None"};
    for (size_t i = 0; i < ARRAY_LENGTH(proxies); i++) {
        struct endpoint endpoint = {.origin = NULL};
        char text[256];
        assert_int_equal(set_proxy("https://h", proxies[i], &endpoint, text), STATUS_USAGE);
        assert_non_null(strstr(text, "http://proxy.example:3128"));
        assert_null(strstr(text, "secret"));
        endpoint_deinit(&endpoint);
    }
}

static void test_the_environments_proxy_is_named_and_none_overrides_it(void **state)
{
    (void)state;
    struct endpoint endpoint = {.origin = NULL};
    struct buf message;

    buf_init(&message, 4096);
    assert_int_equal(setenv("https_proxy", "http://me:secret@p.example:80", 1), 0);
    assert_int_equal(endpoint_parse("https://h", &message, &endpoint), STATUS_OK);
    assert_string_equal(endpoint.proxy, "that the variable https_proxy names");
    assert_null(endpoint.proxy_url);
    assert_int_equal(endpoint_set_proxy(&endpoint, "none", &message), STATUS_OK);
    assert_null(endpoint.proxy);
    assert_int_equal(unsetenv("https_proxy"), 0);
    endpoint_deinit(&endpoint);
    buf_deinit(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origin_path_and_loopback_are_told),
        cmocka_unit_test(test_what_is_no_endpoint_is_refused_with_a_text),
        cmocka_unit_test(test_a_proxy_is_told_without_its_password),
        cmocka_unit_test(test_what_is_no_proxy_is_refused_without_its_password),
        cmocka_unit_test(test_the_environments_proxy_is_named_and_none_overrides_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
