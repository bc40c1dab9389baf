#include "unit.h"

#include "failing_malloc.h"
#include "platform/outcome.h"

#define UUID "42742677-adc3-54ca-83a1-5aaaf71482f8"

static struct outcome answered(int http_status, bool has_retry_after, const char *body)
{
    struct answer answer = {.state = ANSWER_ANSWERED,
                            .http_status = http_status,
                            .has_retry_after = has_retry_after,
                            .body = span_string(body),
                            .detail = SPAN_LITERAL("the answer ended")};
    struct outcome outcome;
    outcome_judge(DIALECT_V1, OPERATION_WRITE, &answer, &outcome);
    return outcome;
}

static void test_a_uuid_is_acceptance(void **state)
{
    (void)state;
    struct outcome outcome =
        answered(200, false, "{\"errno\":0,\"error\":\"succ\",\"data\":{\"uuid\":\"" UUID "\"}}");
    assert_int_equal(outcome.status, ROW_ACCEPTED);
    assert_int_equal(outcome.class, OUTCOME_ACCEPTED);
    assert_string_equal(outcome.uuid, UUID);
    assert_true(outcome.has_errno);
    assert_string_equal(outcome.error, "");
    /* Another order, other words, a trailing space, as seen on the platform. */
    outcome = answered(200, false,
                       "{\"data\":{\"uuid\":\"" UUID " \"},\"error\":\"success\",\"errno\":0}\n");
    assert_int_equal(outcome.status, ROW_ACCEPTED);
    assert_string_equal(outcome.uuid, UUID);
}

static void test_errno_is_rejection_with_its_class(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum outcome_class class;
    } cases[] = {
        {"{\"errno\":1,\"error\":\"auth failed\"}", OUTCOME_REFUSED},
        {"{\"errno\":5006,\"error\":\"system logic limit\"}", OUTCOME_REFUSED},
        {"{\"errno\":5108,\"error\":\"invalid parameter\"}", OUTCOME_REFUSED},
        {"{\"errno\":7,\"error\":\"service internal error\"}", OUTCOME_AGAIN},
        {"{\"errno\":15,\"error\":\"api freq out of limit\"}", OUTCOME_AGAIN},
        {"{\"errno\":5117,\"error\":\"rpc error\"}", OUTCOME_AGAIN},
        {"{\"errno\":4711}", OUTCOME_REFUSED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct outcome outcome = answered(200, false, cases[i].body);
        assert_int_equal(outcome.status, ROW_REJECTED);
        assert_int_equal(outcome.class, cases[i].class);
        assert_true(outcome.error[0] != '\0');
    }
}

static void test_a_success_that_memory_did_not_suffice_to_read_is_in_doubt(void **state)
{
    (void)state;
    failing_malloc_start(0);
    struct outcome outcome = answered(200, false, "{\"errno\":0,\"data\":{\"uuid\":\"x\"}}");
    failing_malloc_stop();
    assert_int_equal(outcome.status, ROW_IN_DOUBT);
    assert_int_equal(outcome.class, OUTCOME_AMBIGUOUS);
    assert_non_null(strstr(outcome.error, "no memory"));
}

static void test_an_unreadable_success_is_in_doubt(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "{",
        "{\"errno\":0,\"error\":\"succ\",\"data\":{\"uuid\":\"4274",
        "{\"errno\":0.5}",
        "{\"errno\":\"x\"}",
        "{\"errno\":1e300}",
        "[0]",
        "null",
        "<html>hello</html>",
        "{\"errno\":0,\"data\":{\"uuid\":\"" UUID "\"}}{\"errno\":5}"};
    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        struct outcome outcome = answered(200, false, bodies[i]);
        assert_int_equal(outcome.status, ROW_IN_DOUBT);
        assert_int_equal(outcome.class, OUTCOME_AMBIGUOUS);
        assert_string_equal(outcome.uuid, "");
    }
}

static void test_http_statuses_fall_into_their_classes(void **state)
{
    (void)state;
    static const struct {
        int http;
        bool retry_after;
        enum row_status status;
        enum outcome_class class;
    } cases[] = {
        {301, false, ROW_FAILED, OUTCOME_REFUSED},
        {307, false, ROW_FAILED, OUTCOME_REFUSED},
        {400, false, ROW_FAILED, OUTCOME_REFUSED},
        {401, false, ROW_FAILED, OUTCOME_REFUSED},
        {403, false, ROW_FAILED, OUTCOME_REFUSED},
        {404, false, ROW_FAILED, OUTCOME_REFUSED},
        {408, false, ROW_FAILED, OUTCOME_AGAIN},
        {413, false, ROW_FAILED, OUTCOME_REFUSED},
        {421, false, ROW_FAILED, OUTCOME_AGAIN},
        {425, false, ROW_FAILED, OUTCOME_AGAIN},
        {429, false, ROW_FAILED, OUTCOME_AGAIN},
        {500, false, ROW_IN_DOUBT, OUTCOME_AMBIGUOUS},
        {502, false, ROW_IN_DOUBT, OUTCOME_AMBIGUOUS},
        {503, false, ROW_IN_DOUBT, OUTCOME_AMBIGUOUS},
        {503, true, ROW_FAILED, OUTCOME_AGAIN},
        {504, true, ROW_IN_DOUBT, OUTCOME_AMBIGUOUS},
        {522, false, ROW_IN_DOUBT, OUTCOME_AMBIGUOUS},
        {204, false, ROW_IN_DOUBT, OUTCOME_AMBIGUOUS},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct outcome outcome = answered(cases[i].http, cases[i].retry_after, "no json");
        assert_int_equal(outcome.status, cases[i].status);
        assert_int_equal(outcome.class, cases[i].class);
        assert_int_equal(outcome.http_status, cases[i].http);
    }
}

/* What a server also says of no request at all is in doubt, unless the platform says more. */
static void test_a_status_that_may_be_for_no_request_is_in_doubt(void **state)
{
    (void)state;
    static const char refusal[] = "{\"errno\":5006,\"error\":\"x\"}";
    struct answer answer = {.state = ANSWER_ANSWERED,
                            .http_status = 408,
                            .may_be_unasked = true,
                            .retry_after_ms = -1,
                            .body = SPAN_LITERAL("")};
    struct outcome outcome;
    outcome_judge(DIALECT_V1, OPERATION_WRITE, &answer, &outcome);
    assert_int_equal(outcome.status, ROW_IN_DOUBT);
    assert_int_equal(outcome.class, OUTCOME_AMBIGUOUS);
    answer.http_status = 400;
    answer.body = span_string(refusal);
    outcome_judge(DIALECT_V1, OPERATION_WRITE, &answer, &outcome);
    assert_int_equal(outcome.status, ROW_REJECTED);
}

static void test_what_is_not_believed_is_in_doubt_and_names_what_was_seen(void **state)
{
    (void)state;
    struct outcome outcome = answered(200, false, "{\"errno\":0,\"data\":{\"uuid\":\"" UUID "\"}}");
    assert_int_equal(outcome.status, ROW_ACCEPTED);
    outcome_disbelieve(&outcome);
    assert_int_equal(outcome.status, ROW_IN_DOUBT);
    assert_int_equal(outcome.class, OUTCOME_AMBIGUOUS);
    assert_string_equal(outcome.uuid, "");
    assert_non_null(strstr(outcome.error, UUID));
}

static void test_a_refusal_with_an_errno_names_it(void **state)
{
    (void)state;
    struct outcome outcome = answered(403, false, "{\"errno\":1,\"error\":\"auth failed\"}");
    assert_int_equal(outcome.status, ROW_REJECTED);
    assert_int_equal(outcome.platform_errno, 1);
    /* errno 0 was processed, whatever the status. */
    outcome = answered(400, false, "{\"errno\":0,\"data\":{\"uuid\":\"" UUID "\"}}");
    assert_int_equal(outcome.status, ROW_ACCEPTED);
    assert_string_equal(outcome.uuid, UUID);
    assert_string_equal(outcome.error, "errno 0 with HTTP 400");
    outcome = answered(200, false, "{\"errno\":0,\"error\":\"succ\"}");
    assert_int_equal(outcome.status, ROW_ACCEPTED);
    assert_string_equal(outcome.uuid, "");
    assert_non_null(strstr(outcome.error, "errno 0 without a uuid that can be read: "));
    /* A 5xx stays in doubt whatever it says. */
    outcome = answered(500, false, "{\"errno\":5108,\"error\":\"invalid parameter\"}");
    assert_int_equal(outcome.status, ROW_IN_DOUBT);
    assert_int_equal(outcome.platform_errno, 5108);
}

/* A refusal that hands out a uuid may have taken the command. */
static void test_a_refusal_with_a_uuid_is_never_sent_again_unasked(void **state)
{
    (void)state;
    struct outcome outcome = answered(200, false, "{\"errno\":7,\"data\":{\"uuid\":\"" UUID "\"}}");
    assert_int_equal(outcome.class, OUTCOME_AMBIGUOUS);
    outcome = answered(200, false, "{\"errno\":1,\"data\":{\"uuid\":\"" UUID "\"}}");
    assert_int_equal(outcome.class, OUTCOME_REFUSED);
    assert_false(outcome_refuses_key(&outcome));
}

static void test_who_speaks(void **state)
{
    (void)state;
    static const struct {
        int http;
        bool is_whole;
        const char *body;
        enum outcome_voice voice;
    } cases[] = {
        {200, true, "{\"errno\":5108}", VOICE_PLATFORM},
        {500, true, "{\"errno\":5108}", VOICE_PLATFORM},
        {200, true, "<html>", VOICE_FOREIGN},
        {200, true, "", VOICE_FOREIGN},
        {204, true, "", VOICE_FOREIGN},
        {302, true, "", VOICE_FOREIGN},
        {404, true, "<html>", VOICE_FOREIGN},
        {405, true, "", VOICE_FOREIGN},
        {200, true, "{\"code\":0,\"msg\":\"succ\"}", VOICE_FOREIGN},
        {200, true, "{\"errno\":0,\"error\":\"su\"c!}", VOICE_NONE}, /* the platform's, broken */
        {200, false, "<html>", VOICE_NONE},                          /* cut off on its way */
        {403, true, "<html>", VOICE_NONE},
        {429, true, "<html>", VOICE_NONE},
        {502, true, "<html>", VOICE_NONE},
        {503, true, "<html>", VOICE_NONE},
        {504, true, "<html>", VOICE_NONE},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct answer answer = {.state = ANSWER_ANSWERED,
                                .is_whole = cases[i].is_whole,
                                .http_status = cases[i].http,
                                .body = span_string(cases[i].body)};
        struct outcome outcome;
        outcome_judge(DIALECT_V1, OPERATION_WRITE, &answer, &outcome);
        assert_int_equal(outcome.voice, cases[i].voice);
    }
}

static void test_an_unreadable_answer_shows_how_it_begins(void **state)
{
    (void)state;
    char body[200];
    memset(body, 'x', sizeof(body) - 1);
    body[sizeof(body) - 1] = '\0';
    memcpy(body, "\n<html>\x1b", 8);
    struct outcome outcome = answered(200, false, body);
    assert_non_null(strstr(outcome.error, ": <html>\\x1bxxx"));
    assert_null(strstr(outcome.error, "\x1b"));
    assert_in_range(strlen(outcome.error), 80, 200);
}

static void test_a_proxy_that_wants_credentials_lets_no_row_through(void **state)
{
    (void)state;
    struct answer answer = {.state = ANSWER_NOT_SENT, .proxy_status = 407};
    struct outcome outcome;
    outcome_judge(DIALECT_V1, OPERATION_WRITE, &answer, &outcome);
    assert_int_equal(outcome.class, OUTCOME_HOPELESS);
    assert_non_null(strstr(outcome.error, "proxy wants credentials"));
    answer.proxy_status = 502;
    outcome_judge(DIALECT_V1, OPERATION_WRITE, &answer, &outcome);
    assert_int_equal(outcome.class, OUTCOME_AGAIN);
}

static void test_the_state_decides_where_there_is_no_answer(void **state)
{
    (void)state;
    struct answer answer = {.state = ANSWER_NOT_SENT, .detail = SPAN_LITERAL("connection refused")};
    struct outcome outcome;
    outcome_judge(DIALECT_V1, OPERATION_WRITE, &answer, &outcome);
    assert_int_equal(outcome.status, ROW_FAILED);
    assert_int_equal(outcome.class, OUTCOME_AGAIN);
    assert_string_equal(outcome.error, "not sent: connection refused");
    answer.hopeless = true;
    outcome_judge(DIALECT_V1, OPERATION_WRITE, &answer, &outcome);
    assert_int_equal(outcome.class, OUTCOME_HOPELESS);
    answer.state = ANSWER_IN_DOUBT;
    answer.http_status = 200; /* a status line without its blank line proves nothing */
    outcome_judge(DIALECT_V1, OPERATION_WRITE, &answer, &outcome);
    assert_int_equal(outcome.status, ROW_IN_DOUBT);
    assert_int_equal(outcome.class, OUTCOME_AMBIGUOUS);
}

static void test_what_a_peer_says_is_shown_without_control_characters(void **state)
{
    (void)state;
    struct outcome outcome =
        answered(200, false, "{\"errno\":9,\"error\":\"a\\u001b[31m\\nb\xff\"}");
    assert_string_equal(outcome.error, "a\\x1b[31m\\nb\\xff");
}

/* The newer platform's envelope, as its sister calls have it. */
static void test_the_newer_platform_is_understood_where_it_is_known(void **state)
{
    static const struct {
        int http;
        bool retry_after;
        const char *body;
        enum row_status status;
        enum outcome_class class;
    } cases[] = {
        {200, false,
         "{\"code\":0,\"msg\":\"succ\",\"request_id\":\"r\",\"data\":{\"uuid\":\"" UUID "\"}}",
         ROW_ACCEPTED, OUTCOME_ACCEPTED},
        {200, false, "{\"errno\":0,\"error\":\"succ\",\"data\":{\"uuid\":\"" UUID "\"}}",
         ROW_ACCEPTED, OUTCOME_ACCEPTED},
        {200, false, "{\"code\":10403,\"msg\":\"no permission\",\"request_id\":\"r\"}",
         ROW_REJECTED, OUTCOME_REFUSED},
        {403, false, "{\"code\":10403,\"msg\":\"no permission\"}", ROW_REJECTED, OUTCOME_REFUSED},
        {200, false, "{\"code\":5006,\"msg\":\"system logic limit\"}", ROW_REJECTED,
         OUTCOME_REFUSED},
        {200, false, "{\"code\":4711,\"msg\":\"?\"}", ROW_REJECTED, OUTCOME_REFUSED},
        {429, true, "{\"code\":15,\"msg\":\"too many requests\"}", ROW_FAILED, OUTCOME_AGAIN},
        {429, true, "", ROW_FAILED, OUTCOME_AGAIN},
        {502, false, "<html>", ROW_IN_DOUBT, OUTCOME_AMBIGUOUS},
        {404, false, "", ROW_FAILED, OUTCOME_REFUSED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct answer answer = {.state = ANSWER_ANSWERED,
                                      .is_whole = true,
                                      .http_status = cases[i].http,
                                      .has_retry_after = cases[i].retry_after,
                                      .body = span_string(cases[i].body)};
        struct outcome outcome;
        outcome_judge(DIALECT_V2, OPERATION_WRITE, &answer, &outcome);
        assert_int_equal(outcome.status, cases[i].status);
        assert_int_equal(outcome.class, cases[i].class);
        assert_string_equal(outcome.uuid, outcome.class == OUTCOME_ACCEPTED ? UUID : "");
    }
    /* Its envelope says nothing to the first dialect, as before. */
    const struct answer answer = {.state = ANSWER_ANSWERED,
                                  .is_whole = true,
                                  .http_status = 200,
                                  .body = span_string(cases[0].body)};
    struct outcome outcome;
    outcome_judge(DIALECT_V1, OPERATION_WRITE, &answer, &outcome);
    assert_int_equal(outcome.class, OUTCOME_AMBIGUOUS);
    assert_int_equal(outcome.voice, VOICE_FOREIGN);
}

/* A cancelled command has no uuid in its answer, and nothing is missing. */
static void test_only_a_command_is_asked_for_its_uuid(void **state)
{
    const struct answer answer = {.state = ANSWER_ANSWERED,
                                  .is_whole = true,
                                  .http_status = 200,
                                  .body = SPAN_LITERAL("{\"errno\":0,\"error\":\"success\"}")};
    struct outcome outcome;

    (void)state;
    outcome_judge(DIALECT_V1, OPERATION_CANCEL, &answer, &outcome);
    assert_int_equal(outcome.class, OUTCOME_ACCEPTED);
    assert_string_equal(outcome.error, "");
    outcome_judge(DIALECT_V1, OPERATION_WRITE, &answer, &outcome);
    assert_non_null(strstr(outcome.error, "without a uuid"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_newer_platform_is_understood_where_it_is_known),
        cmocka_unit_test(test_only_a_command_is_asked_for_its_uuid),
        cmocka_unit_test(test_a_uuid_is_acceptance),
        cmocka_unit_test(test_errno_is_rejection_with_its_class),
        cmocka_unit_test(test_a_success_that_memory_did_not_suffice_to_read_is_in_doubt),
        cmocka_unit_test(test_an_unreadable_success_is_in_doubt),
        cmocka_unit_test(test_http_statuses_fall_into_their_classes),
        cmocka_unit_test(test_a_status_that_may_be_for_no_request_is_in_doubt),
        cmocka_unit_test(test_what_is_not_believed_is_in_doubt_and_names_what_was_seen),
        cmocka_unit_test(test_a_refusal_with_an_errno_names_it),
        cmocka_unit_test(test_a_refusal_with_a_uuid_is_never_sent_again_unasked),
        cmocka_unit_test(test_who_speaks),
        cmocka_unit_test(test_an_unreadable_answer_shows_how_it_begins),
        cmocka_unit_test(test_a_proxy_that_wants_credentials_lets_no_row_through),
        cmocka_unit_test(test_the_state_decides_where_there_is_no_answer),
        cmocka_unit_test(test_what_a_peer_says_is_shown_without_control_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
