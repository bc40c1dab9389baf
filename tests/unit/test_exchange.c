#include "unit.h"

#include "net/exchange.h"

static bool take(struct exchange *exchange, const char *line)
{
    return exchange_take_header(exchange, span_string(line));
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
    static const int hopeless[] = {1, 3, 4, 58, 59, 60, 77, 83, 90, 91};
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
    assert_false(exchange.headers_complete);
    assert_true(take(&exchange, "\r\n"));
    assert_true(exchange.headers_complete);
    assert_int_equal(exchange.http_status, 200);
}

static void test_interim_answers_complete_nothing(void **state)
{
    (void)state;
    struct exchange exchange = {.prereq_calls = 1};
    assert_true(take(&exchange, "HTTP/1.1 100 Continue\r\n"));
    assert_true(take(&exchange, "\r\n"));
    assert_false(exchange.headers_complete);
    assert_true(take(&exchange, "HTTP/1.1 503 Busy\r\n"));
    assert_true(take(&exchange, "RETRY-AFTER: 3\r\n"));
    assert_true(take(&exchange, "\r\n"));
    assert_true(exchange.headers_complete);
    assert_true(exchange.has_retry_after);
    assert_int_equal(exchange.http_status, 503);
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
        assert_false(exchange.headers_complete);
    }
}

static void test_trailers_change_nothing(void **state)
{
    (void)state;
    struct exchange exchange = {.prereq_calls = 1};
    assert_true(take(&exchange, "HTTP/1.1 200 OK\r\n"));
    assert_true(take(&exchange, "\r\n"));
    assert_true(take(&exchange, "Retry-After: 1\r\n"));
    assert_false(exchange.has_retry_after);
    assert_int_equal(exchange.http_status, 200);
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
        cmocka_unit_test(test_trailers_change_nothing),
        cmocka_unit_test(test_headers_are_capped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
