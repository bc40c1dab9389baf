#include "unit.h"

#include "net/wire.h"

/* What wire_check says of one --resolve for an endpoint. */
static enum status check(const char *url, struct wire_options options, const char *resolve,
                         const char *wanted_text)
{
    struct word_list items = {.items = {resolve}, .count = resolve != NULL ? 1 : 0};
    struct endpoint endpoint = {.origin = NULL};
    struct buf message;

    buf_init(&message, 4096);
    options.resolve = &items;
    assert_int_equal(endpoint_parse(url, &message, &endpoint), STATUS_OK);
    enum status status = wire_check(&options, &endpoint, &message);
    if (status != STATUS_OK) {
        assert_non_null(wanted_text);
        if (strstr(buf_string(&message), wanted_text) == NULL)
            print_error("%s\n", buf_string(&message));
        assert_non_null(strstr(buf_string(&message), wanted_text));
    }
    endpoint_deinit(&endpoint);
    buf_deinit(&message);
    return status;
}

static void test_a_resolve_is_name_port_and_address(void **state)
{
    (void)state;
    static const char *const good[] = {"platform.example:443:127.0.0.1",
                                       "platform.example:1:192.0.2.7", "h:65535:2001:db8::1",
                                       "h:443:[::1]", "localhost.example:443:192.0.2.7"};
    static const char *const bad[] = {"",
                                      "h",
                                      "h:443",
                                      "h:443:",
                                      ":443:127.0.0.1",
                                      "h:0:127.0.0.1",
                                      "h:65536:127.0.0.1",
                                      "h:x:127.0.0.1",
                                      "h:443:other.example",
                                      "h:443:127.0.0.1,127.0.0.2",
                                      "h:443:[::1",
                                      "h:443:[]",
                                      "*:443:127.0.0.1",
                                      "+h:443:127.0.0.1",
                                      "-h:443",
                                      "LocalHost:443:192.0.2.1"};
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        assert_int_equal(check("https://h", (struct wire_options){0}, good[i], NULL), STATUS_OK);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_int_equal(check("https://h", (struct wire_options){0}, bad[i], "give "),
                         STATUS_USAGE);
}

static void test_http2_needs_tls(void **state)
{
    (void)state;
    const struct wire_options http2 = {.http2 = true};
    assert_int_equal(check("https://127.0.0.1", http2, NULL, NULL), STATUS_OK);
    assert_int_equal(check("http://127.0.0.1", http2, NULL, "https"), STATUS_USAGE);
}

static void test_authorities_are_pointless_without_verification(void **state)
{
    (void)state;
    const struct wire_options both = {.ca_file = "/dev/null", .insecure = true};
    assert_int_equal(check("https://h", both, NULL, "leave one of them out"), STATUS_USAGE);
}

static void test_a_file_of_authorities_must_hold_a_certificate(void **state)
{
    (void)state;
    static const struct {
        const char *path, *text;
    } cases[] = {{"/nowhere/ca.pem", "No such file"},
                 {"/dev/null", "regular file"},
                 {"/etc/passwd", "-----BEGIN CERTIFICATE-----"}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct wire_options options = {.ca_file = cases[i].path};
        assert_int_equal(check("https://h", options, NULL, cases[i].text), STATUS_CREDENTIALS);
    }
}

static struct endpoint endpoint_of(const char *url)
{
    struct endpoint endpoint;
    struct buf message;

    buf_init(&message, 4096);
    assert_int_equal(endpoint_parse(url, &message, &endpoint), STATUS_OK);
    buf_deinit(&message);
    return endpoint;
}

static void test_a_resolve_may_lead_this_machine_elsewhere(void **state)
{
    (void)state;
    static const struct {
        const char *url, *resolve;
        bool elsewhere;
    } cases[] = {
        {"http://127.0.0.1:8099", "127.0.0.1:8099:192.0.2.1", true},
        {"http://127.0.0.1:8099", "127.0.0.1:8099:127.0.0.9", false},
        {"http://127.0.0.1:8099", "127.0.0.1:8099:::1", false},
        {"http://127.0.0.1:8099", "127.0.0.1:8099:[::1]", false},
        {"http://127.0.0.1:8099", "127.0.0.1:8099:[2001:db8::1]", true},
        {"http://127.0.0.1:8099", "127.0.0.1:8098:192.0.2.1", false},
        {"http://127.0.0.1:8099", "127.0.0.2:8099:192.0.2.1", false},
        {"http://127.0.0.1", "127.0.0.1:80:192.0.2.1", true},
        {"https://127.0.0.1", "127.0.0.1:443:192.0.2.1", true},
        {"http://Platform.Example:8099/v1", "platform.example:8099:192.0.2.1", true},
        {"http://[::1]:8099", "127.0.0.1:8099:192.0.2.1", false},
        {"http://[::1]", "127.0.0.1:80:192.0.2.1", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct word_list items = {.items = {cases[i].resolve}, .count = 1};
        const struct wire_options options = {.resolve = &items};
        struct endpoint endpoint = endpoint_of(cases[i].url);
        assert_int_equal(wire_leads_elsewhere(&options, &endpoint), cases[i].elsewhere);
        endpoint_deinit(&endpoint);
    }
}

static void test_clear_text_stays_here_unless_the_operator_says_otherwise(void **state)
{
    (void)state;
    const struct wire_options usual = {.http2 = false}, allowed = {.clear_text = true};
    struct endpoint endpoint = endpoint_of("http://127.0.0.1");
    assert_true(wire_stays_here(&usual, &endpoint));
    assert_false(wire_stays_here(&allowed, &endpoint));
    endpoint_deinit(&endpoint);
    endpoint = endpoint_of("https://127.0.0.1");
    assert_false(wire_stays_here(&usual, &endpoint));
    endpoint_deinit(&endpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_resolve_is_name_port_and_address),
        cmocka_unit_test(test_a_resolve_may_lead_this_machine_elsewhere),
        cmocka_unit_test(test_clear_text_stays_here_unless_the_operator_says_otherwise),
        cmocka_unit_test(test_http2_needs_tls),
        cmocka_unit_test(test_authorities_are_pointless_without_verification),
        cmocka_unit_test(test_a_file_of_authorities_must_hold_a_certificate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
