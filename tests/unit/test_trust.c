#include "unit.h"

#include "send/trust.h"

static struct outcome said(int http, const char *body)
{
    struct answer answer = {.state = ANSWER_ANSWERED,
                            .is_whole = true,
                            .http_status = http,
                            .body = span_string(body)};
    struct outcome outcome;
    outcome_judge(DIALECT_V1, OPERATION_WRITE, &answer, &outcome);
    return outcome;
}

static enum trust_verdict add(struct trust *trust, int http, const char *body)
{
    struct outcome outcome = said(http, body);
    return trust_add(trust, &outcome);
}

#define GOOD     200, "{\"errno\":0,\"data\":{\"uuid\":\"u\"}}"
#define FOREIGN  200, "{\"errno\":1,\"error\":\"auth failed\"}"
#define NO_KEY   200, "{\"errno\":3,\"error\":\"token鉴权失败\"}"
#define REJECTED 200, "{\"errno\":5108}"
#define BACKLOG  200, "{\"errno\":7}"
#define PAGE     200, "<html>"

static void test_the_first_refusal_of_the_key_itself_is_enough(void **state)
{
    (void)state;
    struct trust trust = {0};
    assert_int_equal(add(&trust, NO_KEY), TRUST_NO_KEY);
    trust = (struct trust){0};
    assert_int_equal(add(&trust, 401, ""), TRUST_NO_KEY);
    trust = (struct trust){0};
    assert_int_equal(add(&trust, 407, ""), TRUST_NO_KEY);
    trust = (struct trust){0};
    assert_int_equal(add(&trust, 403, ""), TRUST_HOLD); /* a firewall may dislike the row */
    trust = (struct trust){0};
    assert_int_equal(add(&trust, FOREIGN), TRUST_HOLD);
}

static void test_five_refusals_in_a_row_are_the_key_at_any_time(void **state)
{
    (void)state;
    struct trust trust = {0};
    for (int i = 0; i < 1000; i++)
        assert_int_equal(add(&trust, GOOD), TRUST_GOOD);
    for (int i = 1; i < TRUST_REFUSALS; i++)
        assert_int_equal(i % 2 == 0 ? add(&trust, NO_KEY) : add(&trust, 401, ""), TRUST_HOLD);
    assert_int_equal(add(&trust, NO_KEY), TRUST_NO_KEY);
}

static void test_refusals_among_good_rows_are_the_rows_own(void **state)
{
    (void)state;
    struct trust trust = {0};
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(add(&trust, FOREIGN), TRUST_HOLD);
        assert_int_equal(i % 2 == 0 ? add(&trust, GOOD) : add(&trust, REJECTED), TRUST_GOOD);
    }
    /* What may come before the key is looked at says nothing about it. */
    for (int i = 1; i < TRUST_REFUSALS; i++) {
        assert_int_equal(add(&trust, NO_KEY), TRUST_HOLD);
        assert_int_equal(add(&trust, BACKLOG), TRUST_GO_ON);
        assert_int_equal(add(&trust, 502, "<html>"), TRUST_GO_ON);
    }
    assert_int_equal(add(&trust, NO_KEY), TRUST_NO_KEY);
}

static void test_the_source_of_the_key_is_asked_once_until_it_is_good(void **state)
{
    (void)state;
    struct trust trust = {0};
    assert_int_equal(add(&trust, NO_KEY), TRUST_NO_KEY);
    assert_true(trust_ask(&trust));
    trust_renew(&trust);
    assert_int_equal(add(&trust, NO_KEY), TRUST_NO_KEY);
    assert_false(trust_ask(&trust));
    assert_int_equal(add(&trust, GOOD), TRUST_GOOD);
    assert_true(trust_ask(&trust));
}

static void test_five_foreign_answers_in_a_row_are_too_many(void **state)
{
    (void)state;
    struct trust trust = {0};
    for (int i = 0; i < 100; i++) {
        for (int j = 1; j < TRUST_FOREIGN_MAX; j++)
            assert_int_equal(j % 2 == 0 ? add(&trust, PAGE) : add(&trust, 404, ""), TRUST_GO_ON);
        assert_int_equal(add(&trust, GOOD), TRUST_GOOD);
    }
    for (int i = 2; i < TRUST_FOREIGN_MAX; i++)
        assert_int_equal(add(&trust, 302, ""), TRUST_GO_ON);
    assert_int_equal(add(&trust, 503, "<html>"), TRUST_GO_ON); /* an outage says nothing */
    assert_int_equal(add(&trust, 204, ""), TRUST_GO_ON);
    assert_int_equal(add(&trust, PAGE), TRUST_FOREIGN);
}

static void test_the_platform_has_been_met_once_it_took_the_key(void **state)
{
    (void)state;
    struct trust trust = {0};
    struct outcome none = {.class = OUTCOME_AMBIGUOUS};
    (void)add(&trust, PAGE);
    (void)add(&trust, FOREIGN);
    (void)add(&trust, 503, "<html>");
    (void)trust_add(&trust, &none);
    assert_false(trust.met);
    (void)add(&trust, BACKLOG);
    assert_true(trust.met);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_refusal_of_the_key_itself_is_enough),
        cmocka_unit_test(test_five_refusals_in_a_row_are_the_key_at_any_time),
        cmocka_unit_test(test_refusals_among_good_rows_are_the_rows_own),
        cmocka_unit_test(test_the_source_of_the_key_is_asked_once_until_it_is_good),
        cmocka_unit_test(test_five_foreign_answers_in_a_row_are_too_many),
        cmocka_unit_test(test_the_platform_has_been_met_once_it_took_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
