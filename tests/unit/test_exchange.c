#include "unit.h"

#include "net/exchange.h"

static bool take(struct exchange *exchange, const char *line)
{
    return answer_head_take(&exchange->head, span_string(line));
}

static void test_prereq_and_headers_make_the_state(void **state)
{
    (void)state;
    assert_int_equal(exchange_state(0, false), ANSWER_NOT_SENT);
    assert_int_equal(exchange_state(0, true), ANSWER_NOT_SENT);
    assert_int_equal(exchange_state(1, false), ANSWER_IN_DOUBT);
    assert_int_equal(exchange_state(2, false), ANSWER_IN_DOUBT);
    assert_int_equal(exchange_state(1, true), ANSWER_ANSWERED);
}

/* After the request left, a code says nothing about whether it was processed: the state does, for
 * every code there is. */
static void test_the_code_never_makes_a_sent_request_unsent(void **state)
{
    (void)state;
    for (int code = 0; code < CURL_LAST; code++) {
        struct exchange exchange = {.prereq_calls = 1};
        struct answer answer = exchange_answer(&exchange, (CURLcode)code, 1000);
        assert_int_equal(answer.state, ANSWER_IN_DOUBT);
        assert_false(answer.hopeless);
    }
}

static void test_hopeless_are_only_configurations_that_cannot_work(void **state)
{
    (void)state;
    static const int hopeless[] = {1, 3, 4, 58, 59, 60, 83, 90, 91};
    for (int code = 0; code < CURL_LAST; code++) {
        bool expected = false;
        for (size_t i = 0; i < ARRAY_LENGTH(hopeless); i++)
            expected = expected || hopeless[i] == code;
        assert_int_equal(exchange_is_hopeless((CURLcode)code), expected);
    }
}

static void test_the_blank_line_completes_the_headers(void **state)
{
    (void)state;
    struct exchange exchange = {.prereq_calls = 1};
    assert_true(take(&exchange, "HTTP/1.1 200 OK\r\n"));
    assert_true(take(&exchange, "Content-Length: 2\r\n"));
    assert_false(exchange.head.complete);
    assert_true(take(&exchange, "\r\n"));
    assert_true(exchange.head.complete);
    assert_int_equal(exchange.head.status, 200);
}

static void test_interim_answers_complete_nothing(void **state)
{
    (void)state;
    struct exchange exchange = {.prereq_calls = 1};
    assert_true(take(&exchange, "HTTP/1.1 100 Continue\r\n"));
    assert_true(take(&exchange, "\r\n"));
    assert_false(exchange.head.complete);
    assert_true(take(&exchange, "HTTP/1.1 503 Busy\r\n"));
    assert_true(take(&exchange, "RETRY-AFTER: 3\r\n"));
    assert_true(take(&exchange, "\r\n"));
    assert_true(exchange.head.complete);
    assert_true(exchange.head.has_retry_after);
    assert_int_equal(exchange.head.status, 503);
}

static void test_a_status_outside_200_to_599_completes_nothing(void **state)
{
    (void)state;
    static const char *const lines[] = {"HTTP/1.1 600 X\r\n", "HTTP/1.1 199 X\r\n",
                                        "HTTP/1.1 000 X\r\n", "HTTP/1.1\r\n",
                                        "HTTP/1.1 2\r\n",     "HTTP/1.1 abc\r\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        struct exchange exchange = {.prereq_calls = 1};
        assert_true(take(&exchange, lines[i]));
        assert_true(take(&exchange, "\r\n"));
        assert_false(exchange.head.complete);
    }
}

/* What is said of the connection is told from the last status line on. */
static void test_the_answer_tells_what_becomes_of_the_connection(void **state)
{
    (void)state;
    static const struct {
        const char *status, *header;
        bool closes, multiplexed, unasked;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\n", "Connection: keep-alive\r\n", false, false, false},
        {"HTTP/1.1 408 X\r\n", "Connection: close\r\n", true, false, true},
        {"HTTP/1.1 408 X\r\n", "connection:CLOSE\r\n", true, false, true},
        {"HTTP/1.1 400 X\r\n", "Connection: upgrade, close\r\n", true, false, true},
        {"HTTP/1.1 400 X\r\n", "Connection: clos\r\n", false, false, true},
        {"HTTP/1.1 400 X\r\n", "Connections: close\r\n", false, false, true},
        {"HTTP/1.0 400 X\r\n", "X: y\r\n", true, false, true},
        {"HTTP/2 400\r\n", "x: y\r\n", false, true, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct exchange exchange = {.prereq_calls = 1};
        assert_true(take(&exchange, cases[i].status));
        assert_true(take(&exchange, cases[i].header));
        assert_int_equal(exchange.head.closes, cases[i].closes);
        assert_int_equal(exchange.head.multiplexed, cases[i].multiplexed);
        assert_int_equal(exchange_may_be_unasked(&exchange), cases[i].unasked);
    }
}

/* Nothing has left: the attempt goes out again. What has left, once, does not. */
static void test_only_what_was_not_sent_begins_again(void **state)
{
    (void)state;
    struct exchange exchange = {.spoiled = true};
    assert_true(exchange_may_begin_again(&exchange));
    exchange.prereq_calls = 1;
    assert_false(exchange_may_begin_again(&exchange));
    exchange = (struct exchange){.spoiled = true, .interrupted = true};
    assert_false(exchange_may_begin_again(&exchange));
    exchange = (struct exchange){.prereq_calls = 0};
    assert_false(exchange_may_begin_again(&exchange));
}

static void test_trailers_change_nothing(void **state)
{
    (void)state;
    struct exchange exchange = {.prereq_calls = 1};
    assert_true(take(&exchange, "HTTP/1.1 200 OK\r\n"));
    assert_true(take(&exchange, "\r\n"));
    assert_true(take(&exchange, "Retry-After: 1\r\n"));
    assert_false(exchange.head.has_retry_after);
    assert_int_equal(exchange.head.status, 200);
}

static void test_retry_after_is_seconds_or_a_date(void **state)
{
    (void)state;
    const int64_t max_ms = (int64_t)RETRY_AFTER_MAX_S * 1000;
    const struct {
        const char *value;
        int64_t ms;
    } cases[] = {
        {"0", 0},
        {"3", 3000},
        {"120", 120000},
        {"86400", max_ms},
        {"86401", -1}, /* nobody means it */
        {"99999999999999999999999", -1},
        {"Mon, 07 Nov 1994 08:49:37 GMT", max_ms},
        {"Mon, 07 Nov 1994 08:49:38 GMT", -1},
        {"Sun, 06 Nov 1994 08:50:37 GMT", 60000},
        {"Sunday, 06-Nov-94 08:50:37 GMT", 60000},
        {"Sun Nov  6 08:50:37 1994", 60000},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"Sat, 05 Nov 1994 08:49:37 GMT", 0},
        {"Mon, 06 Nov 2034 08:49:37 GMT", -1},
        {"", -1},
        {"-1", -1},
        {"+1", -1},
        {"1.5", -1},
        {"1 2", -1},
        {"soon", -1},
        {"06 Nov 1994", -1},
        {"Sun, 99 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 08:50:37 GMT, Sun, 06 Nov 1994 08:50:37 GMT and so on and so on", -1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int64_t ms = answer_head_retry_after_ms(span_string(cases[i].value), 784111777);
        if (ms != cases[i].ms)
            print_error("Retry-After: %s\n", cases[i].value);
        assert_int_equal(ms, cases[i].ms);
    }
}

static void test_the_answer_tells_how_long_to_wait(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool has;
        int64_t ms;
    } cases[] = {{"Retry-After: 3\r\n", true, 3000},
                 {"retry-after:\t 7 \n", true, 7000},
                 {"Retry-After:\r\n", true, -1},
                 {"Retry-After: later\r\n", true, -1},
                 {"X-Retry-After: 3\r\n", false, -1}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct exchange exchange = {.prereq_calls = 1};
        assert_true(take(&exchange, "HTTP/1.1 429 Slow down\r\n"));
        assert_true(take(&exchange, cases[i].line));
        assert_true(take(&exchange, "\r\n"));
        struct answer answer = exchange_answer(&exchange, CURLE_OK, 1000);
        assert_int_equal(answer.has_retry_after, cases[i].has);
        assert_int_equal(answer.retry_after_ms, cases[i].ms);
    }
}

/* As libcurl would write it, or left to it. */
static void test_the_host_is_named_as_libcurl_would(void **state)
{
    (void)state;
    static const struct {
        const char *url, *line;
    } cases[] = {{"https://api.heclouds.com", "Host: api.heclouds.com"},
                 {"https://api.heclouds.com:443/x", "Host: api.heclouds.com"},
                 {"https://api.heclouds.com:80", "Host: api.heclouds.com:80"},
                 {"http://127.0.0.1:80", "Host: 127.0.0.1"},
                 {"http://127.0.0.1:8080", "Host: 127.0.0.1:8080"},
                 {"http://[::1]", "Host: [::1]"},
                 {"http://[::80]:81", "Host: [::80]:81"},
                 {"https://[fe80::1]:8443", "Host: [fe80::1]:8443"},
                 {"https://pl\xc3\xa4tze.example", NULL}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct endpoint endpoint;
        struct buf message;
        struct handle_options options;
        buf_init(&message, 1000);
        assert_int_equal(endpoint_parse(cases[i].url, &message, &endpoint), STATUS_OK);
        const struct transport_options transport = {.endpoint = &endpoint};
        assert_int_equal(handle_options_init(&options, &transport), STATUS_OK);
        if (cases[i].line == NULL)
            assert_null(options.host);
        else
            assert_string_equal(options.host, cases[i].line);
        handle_options_deinit(&options);
        endpoint_deinit(&endpoint);
        buf_deinit(&message);
    }
}

static void test_headers_are_capped(void **state)
{
    (void)state;
    struct exchange exchange = {.prereq_calls = 1};
    char line[1024];
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\0';
    size_t taken = 0;
    while (take(&exchange, line) && taken < 10 * TRANSPORT_HEADERS_MAX)
        taken += sizeof(line) - 1;
    assert_true(taken <= TRANSPORT_HEADERS_MAX);
    assert_true(taken > TRANSPORT_HEADERS_MAX - 2 * sizeof(line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prereq_and_headers_make_the_state),
        cmocka_unit_test(test_the_code_never_makes_a_sent_request_unsent),
        cmocka_unit_test(test_hopeless_are_only_configurations_that_cannot_work),
        cmocka_unit_test(test_the_blank_line_completes_the_headers),
        cmocka_unit_test(test_interim_answers_complete_nothing),
        cmocka_unit_test(test_a_status_outside_200_to_599_completes_nothing),
        cmocka_unit_test(test_the_answer_tells_what_becomes_of_the_connection),
        cmocka_unit_test(test_only_what_was_not_sent_begins_again),
        cmocka_unit_test(test_trailers_change_nothing),
        cmocka_unit_test(test_retry_after_is_seconds_or_a_date),
        cmocka_unit_test(test_the_answer_tells_how_long_to_wait),
        cmocka_unit_test(test_the_host_is_named_as_libcurl_would),
        cmocka_unit_test(test_headers_are_capped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
