#include "unit.h"

#include "core/prng.h"
#include "send/breaker.h"

static bool attempt(struct breaker *breaker, enum breaker_kind kind, int64_t now_ms)
{
    assert_int_equal(breaker_next_ms(breaker, now_ms), 0);
    return breaker_add(breaker, breaker_start(breaker, now_ms), kind, now_ms);
}

static void fail_connections(struct breaker *breaker, int64_t now_ms)
{
    for (size_t i = 1; i < BREAKER_RUN; i++)
        assert_false(attempt(breaker, BREAKER_NO_CONNECTION, now_ms));
    assert_true(attempt(breaker, BREAKER_NO_CONNECTION, now_ms));
    assert_int_equal(breaker->state, BREAKER_OPEN);
}

static void test_connections_that_fail_in_a_row_open_it(void **state)
{
    (void)state;
    struct breaker breaker;

    breaker_init(&breaker);
    for (size_t i = 1; i < BREAKER_RUN; i++)
        assert_false(attempt(&breaker, BREAKER_NO_CONNECTION, 0));
    assert_false(attempt(&breaker, BREAKER_OK, 0)); /* the row is broken */
    fail_connections(&breaker, 700);
    assert_true(breaker_is_open(&breaker));
    assert_int_equal(breaker.open_since_ms, 700);
    assert_int_equal(breaker_next_ms(&breaker, 700), 700 + BREAKER_DELAY_MS);
    assert_int_equal(breaker_next_ms(&breaker, 699 + BREAKER_DELAY_MS), 700 + BREAKER_DELAY_MS);
    assert_int_equal(breaker_next_ms(&breaker, 700 + BREAKER_DELAY_MS), 0);
}

static void test_half_of_twenty_attempts_open_it_and_not_of_fewer(void **state)
{
    (void)state;
    struct breaker breaker;

    breaker_init(&breaker);
    for (size_t i = 0; i < BREAKER_ATTEMPTS_MIN - 1; i++) /* all but the minimum fail */
        assert_false(attempt(&breaker, BREAKER_FAILED, 0));
    assert_true(attempt(&breaker, BREAKER_FAILED, 0));
    breaker_init(&breaker);
    for (size_t i = 0; i < 11; i++)
        assert_false(attempt(&breaker, BREAKER_OK, 0));
    for (size_t i = 0; i < 10; i++)
        assert_false(attempt(&breaker, BREAKER_FAILED, 0)); /* 10 of 21 */
    assert_true(attempt(&breaker, BREAKER_FAILED, 0));      /* 11 of 22 */
}

static void test_the_window_slides(void **state)
{
    (void)state;
    struct breaker breaker;
    size_t failures = 0;

    breaker_init(&breaker);
    for (size_t i = 0; i < 100 * 1000; i++)
        assert_false(attempt(&breaker, BREAKER_OK, 0));
    while (!attempt(&breaker, BREAKER_FAILED, 0))
        failures++;
    assert_int_equal(failures + 1, BREAKER_WINDOW / 2);
    /* Below a half it stays closed for ever: every third fails. */
    breaker_init(&breaker);
    for (size_t i = 0; i < 10000; i++)
        assert_false(attempt(&breaker, i % 3 == 2 ? BREAKER_FAILED : BREAKER_OK, 0));
}

static void test_one_probe_at_a_time_and_its_success_closes(void **state)
{
    (void)state;
    struct breaker breaker;

    breaker_init(&breaker);
    fail_connections(&breaker, 0);
    uint32_t probe = breaker_start(&breaker, BREAKER_DELAY_MS);
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    assert_int_equal(breaker_next_ms(&breaker, INT64_MAX - 1), INT64_MAX);
    assert_true(breaker_is_open(&breaker));
    assert_true(breaker_add(&breaker, probe, BREAKER_OK, 5000));
    assert_false(breaker_is_open(&breaker));
    assert_int_equal(breaker_next_ms(&breaker, 5000), 0);
    fail_connections(&breaker, 6000); /* what failed before is forgotten: a full run again */
    assert_int_equal(breaker.open_since_ms, 6000);
    assert_int_equal(breaker.probe_ms, 6000 + BREAKER_DELAY_MS);
    assert_int_equal(breaker.openings, 2);
}

static void test_a_closed_breaker_has_forgotten_the_outage(void **state)
{
    (void)state;
    struct breaker breaker;

    for (size_t round = 0; round < 2; round++) {
        breaker_init(&breaker);
        fail_connections(&breaker, 0);
        assert_true(attempt(&breaker, BREAKER_OK, BREAKER_DELAY_MS));
        if (round == 0) { /* a full minimum of attempts again */
            for (size_t i = 0; i < BREAKER_ATTEMPTS_MIN - 1; i++)
                assert_false(attempt(&breaker, BREAKER_FAILED, 2000));
            assert_true(attempt(&breaker, BREAKER_FAILED, 2000));
        } else { /* and no failure but the new ones: 10 of 21, then 11 of 22 */
            for (size_t i = 0; i < 11; i++)
                assert_false(attempt(&breaker, BREAKER_OK, 2000));
            for (size_t i = 0; i < 10; i++)
                assert_false(attempt(&breaker, BREAKER_FAILED, 2000));
            assert_true(attempt(&breaker, BREAKER_FAILED, 2000));
        }
    }
}

static void test_the_delay_doubles_up_to_its_maximum_and_the_outage_keeps_its_start(void **state)
{
    (void)state;
    static const int64_t delays[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    struct breaker breaker;
    int64_t now_ms = 100;

    breaker_init(&breaker);
    fail_connections(&breaker, now_ms);
    for (size_t i = 0; i < ARRAY_LENGTH(delays); i++) {
        assert_int_equal(breaker_next_ms(&breaker, now_ms), now_ms + delays[i]);
        now_ms += delays[i];
        assert_true(attempt(&breaker, i % 2 == 0 ? BREAKER_FAILED : BREAKER_NO_CONNECTION, now_ms));
        assert_int_equal(breaker.state, BREAKER_OPEN);
        assert_int_equal(breaker.open_since_ms, 100);
    }
    assert_true(attempt(&breaker, BREAKER_OK, now_ms + 60000));
    fail_connections(&breaker, now_ms + 70000);
    assert_int_equal(breaker_next_ms(&breaker, now_ms + 70000), now_ms + 71000);
}

static void test_attempts_from_before_a_change_are_not_counted(void **state)
{
    (void)state;
    struct breaker breaker;

    breaker_init(&breaker);
    uint32_t early = breaker_start(&breaker, 0);
    fail_connections(&breaker, 0);
    assert_false(breaker_add(&breaker, early, BREAKER_OK, 10)); /* not the probe's answer */
    assert_int_equal(breaker.state, BREAKER_OPEN);
    uint32_t probe = breaker_start(&breaker, BREAKER_DELAY_MS);
    assert_false(breaker_add(&breaker, early, BREAKER_OK, 2000));
    assert_false(breaker_add(&breaker, early, BREAKER_FAILED, 2000));
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    assert_true(breaker_add(&breaker, probe, BREAKER_OK, 2000));
    for (size_t i = 0; i < 100; i++)
        assert_false(breaker_add(&breaker, early, BREAKER_NO_CONNECTION, 2000));
    assert_int_equal(breaker.state, BREAKER_CLOSED);
}

/* Refuses ten in two seconds, the first ones so. Returns how many opened it; 0: none did. */
static size_t refuse(enum breaker_kind first, enum breaker_kind other, size_t firsts)
{
    struct breaker breaker;

    breaker_init(&breaker);
    for (size_t i = 0; i < 1000; i++) {
        enum breaker_kind kind = i < firsts ? first : other;
        if (attempt(&breaker, kind, (int64_t)i * BREAKER_REFUSED_MS / 10))
            return i + 1;
    }
    return 0;
}

static void test_rows_that_are_refused_for_their_own_sake_open_nothing(void **state)
{
    (void)state;
    assert_int_equal(refuse(BREAKER_REFUSED, BREAKER_REFUSED, 0), 11);
    assert_int_equal(refuse(BREAKER_REFUSED, BREAKER_REFUSED_AGAIN, 1), 11);
    assert_int_equal(refuse(BREAKER_STUBBORN, BREAKER_STUBBORN, 0), 0);
    assert_int_equal(refuse(BREAKER_STUBBORN, BREAKER_REFUSED_AGAIN, 1), 12);
    assert_int_equal(refuse(BREAKER_STUBBORN, BREAKER_REFUSED_AGAIN, 20), 61);
    assert_int_equal(refuse(BREAKER_STUBBORN, BREAKER_REFUSED, 1), 12);
    assert_int_equal(refuse(BREAKER_REFUSED, BREAKER_STUBBORN, 7), 0);
}

static void test_a_stubborn_probe_says_nothing(void **state)
{
    (void)state;
    struct breaker breaker;
    int64_t now_ms = 0;

    breaker_init(&breaker);
    assert_false(breaker_refuses_all(&breaker, false));
    while (!attempt(&breaker, BREAKER_REFUSED, now_ms))
        now_ms += 100;
    assert_true(breaker_refuses_all(&breaker, true));
    assert_true(attempt(&breaker, BREAKER_REFUSED, now_ms + 1000));
    for (int i = 1; i < 100; i++) {
        int64_t next_ms = breaker_next_ms(&breaker, now_ms + 1000);
        assert_true(attempt(&breaker, BREAKER_STUBBORN, next_ms));
        assert_int_equal(breaker_next_ms(&breaker, next_ms), next_ms + BREAKER_DELAY_MS);
    }
    assert_int_equal(breaker.delay_ms, 2 * BREAKER_DELAY_MS);
    breaker_init(&breaker);
    fail_connections(&breaker, 0); /* not by refusals: these are the row's own */
    assert_true(breaker_refuses_all(&breaker, false));
    assert_false(breaker_refuses_all(&breaker, true));
}

static enum breaker_kind kind_of(enum answer_state state, int http_status, bool has_retry_after,
                                 const char *body)
{
    struct answer answer = {.state = state,
                            .http_status = http_status,
                            .has_retry_after = has_retry_after,
                            .body = span_string(body)};
    struct outcome outcome;
    outcome_judge(DIALECT_V1, OPERATION_WRITE, &answer, &outcome);
    return breaker_kind_of(&outcome);
}

static void test_a_rejection_is_an_answer_and_throttling_a_refusal(void **state)
{
    (void)state;
    assert_int_equal(kind_of(ANSWER_NOT_SENT, 0, false, ""), BREAKER_NO_CONNECTION);
    assert_int_equal(kind_of(ANSWER_IN_DOUBT, 0, false, ""), BREAKER_FAILED);
    static const struct {
        int http;
        bool retry_after;
        const char *body;
        enum breaker_kind kind;
    } cases[] = {
        {200, false, "{\"errno\":0,\"data\":{\"uuid\":\"u\"}}", BREAKER_OK},
        {200, false, "{\"errno\":5006}", BREAKER_OK},
        {200, false, "{\"errno\":5117}", BREAKER_OK},
        {200, false, "{\"errno\":7}", BREAKER_REFUSED},
        {200, false, "{\"errno\":15}", BREAKER_REFUSED},
        {200, false, "<html>", BREAKER_OK},
        {404, false, "", BREAKER_OK},
        {401, false, "", BREAKER_OK},
        {408, false, "", BREAKER_OK},
        {429, false, "", BREAKER_REFUSED},
        {500, false, "", BREAKER_FAILED},
        {502, false, "{\"errno\":5006}", BREAKER_FAILED},
        {503, false, "", BREAKER_FAILED},
        {503, true, "", BREAKER_REFUSED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_int_equal(kind_of(ANSWER_ANSWERED, cases[i].http, cases[i].retry_after,
                                 cases[i].body),
                         cases[i].kind);
}

/* A run against an outage of ten minutes, with attempts that take 50 ms: it is found out at once,
 * costs a handful of attempts, and the run goes on within the longest delay after its end. */
static void test_an_outage_costs_a_handful_of_attempts(void **state)
{
    (void)state;
    enum { FLYING = 64, OUTAGE_BEGIN_MS = 60 * 1000, OUTAGE_END_MS = 660 * 1000 };
    struct {
        bool busy;
        uint32_t ticket;
        int64_t end_ms;
    } flying[FLYING] = {{0}};
    struct breaker breaker;
    struct prng prng = {1};
    size_t failed = 0, succeeded_after = 0;

    breaker_init(&breaker);
    for (int64_t now_ms = 0; now_ms < OUTAGE_END_MS + BREAKER_DELAY_MAX_MS + 100; now_ms++) {
        bool down = now_ms >= OUTAGE_BEGIN_MS && now_ms < OUTAGE_END_MS;
        for (size_t i = 0; i < FLYING; i++) {
            if (flying[i].busy && flying[i].end_ms <= now_ms) {
                flying[i].busy = false;
                failed += down;
                succeeded_after += now_ms >= OUTAGE_END_MS;
                (void)breaker_add(&breaker, flying[i].ticket, down ? BREAKER_FAILED : BREAKER_OK,
                                  now_ms);
            }
            if (!flying[i].busy && breaker_next_ms(&breaker, now_ms) == 0) {
                flying[i].busy = true;
                flying[i].ticket = breaker_start(&breaker, now_ms);
                flying[i].end_ms = now_ms + 25 + (int64_t)prng_up_to(&prng, 50);
            }
        }
    }
    assert_in_range(failed, BREAKER_RUN, 3 * FLYING);
    assert_true(succeeded_after > 0);
    assert_int_equal(breaker.openings, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_that_fail_in_a_row_open_it),
        cmocka_unit_test(test_half_of_twenty_attempts_open_it_and_not_of_fewer),
        cmocka_unit_test(test_the_window_slides),
        cmocka_unit_test(test_one_probe_at_a_time_and_its_success_closes),
        cmocka_unit_test(test_a_closed_breaker_has_forgotten_the_outage),
        cmocka_unit_test(test_the_delay_doubles_up_to_its_maximum_and_the_outage_keeps_its_start),
        cmocka_unit_test(test_attempts_from_before_a_change_are_not_counted),
        cmocka_unit_test(test_a_rejection_is_an_answer_and_throttling_a_refusal),
        cmocka_unit_test(test_an_outage_costs_a_handful_of_attempts),
        cmocka_unit_test(test_rows_that_are_refused_for_their_own_sake_open_nothing),
        cmocka_unit_test(test_a_stubborn_probe_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
