#include "unit.h"

#include "platform/meaning.h"
#include "send/retry.h"

static const struct retry_policy plain = {.max_attempts = 5, .base_ms = 200, .cap_ms = 30 * 1000};

static struct outcome judged(enum answer_state state, int http_status, bool has_retry_after,
                             const char *body)
{
    struct answer answer = {.state = state,
                            .http_status = http_status,
                            .has_retry_after = has_retry_after,
                            .body = span_string(body)};
    struct outcome outcome;
    outcome_judge(DIALECT_V1, OPERATION_WRITE, &answer, &outcome);
    return outcome;
}

static struct retry_decision decide(struct retry *retry, const struct outcome *outcome,
                                    bool idempotent, struct retry_row *row)
{
    struct retry_attempt attempt = {.outcome = outcome, .idempotent = idempotent};
    struct retry_decision decision;
    retry_decide(retry, &attempt, row, &decision);
    return decision;
}

#define UUID_BODY "{\"errno\":0,\"error\":\"succ\",\"data\":{\"uuid\":\"u-1\"}}"

/* What is sent again, case by case, as the attempt ended on the wire. */
static const struct {
    enum answer_state state;
    int http;
    bool retry_after;
    const char *body;
    const char *rule;
    enum outcome_class class;
    bool throttles;
} cases[] = {
    {ANSWER_ANSWERED, 200, false, UUID_BODY, "accepted", OUTCOME_ACCEPTED, false},
    {ANSWER_NOT_SENT, 0, false, "", "not sent", OUTCOME_AGAIN, false},
    {ANSWER_ANSWERED, 408, false, "", "HTTP 408", OUTCOME_AGAIN, false},
    {ANSWER_ANSWERED, 421, false, "", "HTTP 421", OUTCOME_AGAIN, false},
    {ANSWER_ANSWERED, 425, false, "", "HTTP 425", OUTCOME_AGAIN, false},
    {ANSWER_ANSWERED, 429, false, "", "HTTP 429", OUTCOME_AGAIN, true},
    {ANSWER_ANSWERED, 429, true, "{\"errno\":15}", "HTTP 429", OUTCOME_AGAIN, true},
    {ANSWER_ANSWERED, 503, true, "", "HTTP 503, Retry-After", OUTCOME_AGAIN, true},
    {ANSWER_ANSWERED, 200, false, "{\"errno\":7}", "errno: later", OUTCOME_AGAIN, true},
    {ANSWER_ANSWERED, 200, false, "{\"errno\":15}", "errno: later", OUTCOME_AGAIN, true},
    {ANSWER_ANSWERED, 400, false, "{\"errno\":15}", "errno: later", OUTCOME_AGAIN, true},
    {ANSWER_ANSWERED, 200, false, "{\"errno\":5117}", "errno: again", OUTCOME_AGAIN, false},
    {ANSWER_IN_DOUBT, 0, false, "", "no answer", OUTCOME_AMBIGUOUS, false},
    {ANSWER_ANSWERED, 200, false, "<html>", "unreadable answer", OUTCOME_AMBIGUOUS, false},
    {ANSWER_ANSWERED, 200, false, "{\"errno\":0}", "accepted", OUTCOME_ACCEPTED, false},
    {ANSWER_ANSWERED, 200, false, "{\"errno\":1,\"error\":\"internal server error\"}",
     "errno: again", OUTCOME_AGAIN, false},
    {ANSWER_ANSWERED, 200, false, "{\"errno\":7,\"error\":\"parameter required\"}", "other errno",
     OUTCOME_REFUSED, false},
    {ANSWER_ANSWERED, 200, false, "{\"errno\":5108,\"error\":\"rpc response error\"}",
     "errno: in doubt", OUTCOME_AMBIGUOUS, false},
    {ANSWER_ANSWERED, 200, false, "{\"errno\":5,\"errno\":0}", "errno: in doubt", OUTCOME_AMBIGUOUS,
     false},
    {ANSWER_ANSWERED, 200, false, "{\"errno\":3,\"error\":\"auth failed\"}", "errno: key",
     OUTCOME_REFUSED, false},
    {ANSWER_ANSWERED, 407, false, "", "HTTP 407", OUTCOME_REFUSED, false},
    {ANSWER_ANSWERED, 503, false, "", "HTTP 503", OUTCOME_AMBIGUOUS, true},
    {ANSWER_ANSWERED, 500, false, "", "other HTTP 5xx", OUTCOME_AMBIGUOUS, false},
    {ANSWER_ANSWERED, 502, false, "", "other HTTP 5xx", OUTCOME_AMBIGUOUS, false},
    {ANSWER_ANSWERED, 504, true, "", "other HTTP 5xx", OUTCOME_AMBIGUOUS, false},
    {ANSWER_ANSWERED, 520, false, "", "other HTTP 5xx", OUTCOME_AMBIGUOUS, false},
    {ANSWER_ANSWERED, 500, false, "{\"errno\":15}", "other HTTP 5xx", OUTCOME_AMBIGUOUS, false},
    {ANSWER_ANSWERED, 404, false, "{\"errno\":0}", "accepted", OUTCOME_ACCEPTED, false},
    {ANSWER_ANSWERED, 429, false, "{\"errno\":0}", "accepted", OUTCOME_ACCEPTED, false},
    {ANSWER_ANSWERED, 200, false, "{\"errno\":1}", "errno: device's key", OUTCOME_REFUSED, false},
    {ANSWER_ANSWERED, 401, false, "", "HTTP 401", OUTCOME_REFUSED, false},
    {ANSWER_ANSWERED, 403, false, "", "HTTP 403", OUTCOME_REFUSED, false},
    {ANSWER_ANSWERED, 301, false, "", "HTTP 3xx", OUTCOME_REFUSED, false},
    {ANSWER_ANSWERED, 307, false, "", "HTTP 3xx", OUTCOME_REFUSED, false},
    {ANSWER_ANSWERED, 400, false, "", "other HTTP 4xx", OUTCOME_REFUSED, false},
    {ANSWER_ANSWERED, 404, true, "", "other HTTP 4xx", OUTCOME_REFUSED, false},
    {ANSWER_ANSWERED, 200, false, "{\"errno\":5006}", "other errno", OUTCOME_REFUSED, false},
    {ANSWER_ANSWERED, 200, false, "{\"errno\":4711}", "other errno", OUTCOME_REFUSED, false},
};

static void test_each_end_of_an_attempt_falls_under_its_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct outcome outcome =
            judged(cases[i].state, cases[i].http, cases[i].retry_after, cases[i].body);
        const struct answer_case *rule = answer_case_of(&outcome);
        assert_string_equal(rule->name, cases[i].rule);
        assert_int_equal(rule->class, cases[i].class);
        assert_int_equal(rule->throttles, cases[i].throttles);
    }
    struct outcome outcome = {.class = OUTCOME_HOPELESS};
    assert_int_equal(answer_case_of(&outcome)->class, OUTCOME_HOPELESS);
}

/* Each row of the table is reached by a case above, but for those that catch what is to come. */
static void test_no_case_of_the_table_is_dead(void **state)
{
    (void)state;
    for (size_t i = 0; i < ANSWER_CASE_COUNT; i++) {
        bool reached = answer_cases[i].class == OUTCOME_HOPELESS ||
                       answer_cases[i].class == OUTCOME_UNKNOWN || /* see the newer platform's */
                       strcmp(answer_cases[i].name, "other transient answer") == 0 ||
                       strcmp(answer_cases[i].name, "other doubt") == 0 ||
                       strcmp(answer_cases[i].name, "other refusal") == 0;
        for (size_t j = 0; j < ARRAY_LENGTH(cases); j++)
            reached = reached || strcmp(cases[j].rule, answer_cases[i].name) == 0;
        if (!reached)
            print_error("%s\n", answer_cases[i].name);
        assert_true(reached);
    }
}

/* The meanings of the platform's numbers and the classes of the cases never disagree. */
static void test_the_table_agrees_with_the_meanings(void **state)
{
    size_t met = 0;

    (void)state;
    for (size_t i = 0; i < ANSWER_CASE_COUNT; i++) {
        const struct answer_case *one = &answer_cases[i];
        enum meaning_class meaning = (enum meaning_class)one->from;
        if (one->by != CASE_BY_MEANING)
            continue;
        assert_int_equal(one->class == OUTCOME_AGAIN, meaning_is_again(meaning));
        assert_int_equal(one->class == OUTCOME_AMBIGUOUS, meaning == MEANING_AMBIGUOUS);
        assert_int_equal(one->throttles, meaning == MEANING_LATER);
        met++;
    }
    assert_int_equal(met, MEANING_AMBIGUOUS); /* one for each, but for acceptance */
}

static void test_the_key_is_refused_by_401_403_407_and_what_says_so(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct outcome outcome =
            judged(cases[i].state, cases[i].http, cases[i].retry_after, cases[i].body);
        bool key = cases[i].http == 401 || cases[i].http == 403 || cases[i].http == 407 ||
                   strcmp(cases[i].rule, "errno: key") == 0 ||
                   strcmp(cases[i].rule, "errno: device's key") == 0;
        assert_int_equal(outcome_refuses_key(&outcome), key);
    }
}

static void test_retry_never_resends_execute_unless_told_to(void **state)
{
    (void)state;
    static const struct {
        enum on_ambiguous policy;
        bool idempotent, again;
    } asked[] = {
        {ON_AMBIGUOUS_BY_ACTION, true, true}, {ON_AMBIGUOUS_BY_ACTION, false, false},
        {ON_AMBIGUOUS_RESEND, true, true},    {ON_AMBIGUOUS_RESEND, false, true},
        {ON_AMBIGUOUS_HOLD, true, false},     {ON_AMBIGUOUS_HOLD, false, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(asked); i++) {
        for (size_t j = 0; j < ARRAY_LENGTH(cases); j++) {
            struct retry_policy policy = plain;
            struct retry retry;
            struct retry_row row = {0};
            struct outcome outcome =
                judged(cases[j].state, cases[j].http, cases[j].retry_after, cases[j].body);
            bool ask = cases[j].class == OUTCOME_AMBIGUOUS;
            bool again = ask ? asked[i].again : cases[j].class == OUTCOME_AGAIN;

            policy.on_ambiguous = asked[i].policy;
            retry_init(&retry, &policy, 1);
            struct retry_decision decision = decide(&retry, &outcome, asked[i].idempotent, &row);
            assert_int_equal(decision.again, again);
            assert_int_equal(decision.end, again ? RETRY_END_NONE
                                           : ask ? RETRY_END_HELD
                                                 : RETRY_END_FINAL);
            assert_int_equal(row.ambiguous, ask);
            assert_int_equal(retry.ambiguous, ask);
            assert_int_equal(retry.resent, ask && again);
            assert_int_equal(retry.held, ask && !again);
            assert_int_equal(retry.retries, again);
            assert_int_equal(retry.seen[decision.rule - answer_cases], 1);
            assert_int_equal(row.sent, cases[j].state != ANSWER_NOT_SENT);
        }
    }
}

static void test_a_row_ends_after_its_attempts_whether_they_left_or_not(void **state)
{
    (void)state;
    struct outcome outcome = judged(ANSWER_NOT_SENT, 0, false, "");
    struct retry_policy policy = plain;
    struct retry_row row = {0};
    struct retry retry;

    retry_init(&retry, &policy, 1);
    for (int i = 1; i < 5; i++)
        assert_true(decide(&retry, &outcome, true, &row).again);
    struct retry_decision decision = decide(&retry, &outcome, true, &row);
    assert_false(decision.again);
    assert_int_equal(decision.end, RETRY_END_EXHAUSTED);
    assert_int_equal(row.tries, 5);
    assert_int_equal(row.sent, 0);
    policy.max_attempts = 1;
    retry_init(&retry, &policy, 1);
    row = (struct retry_row){0};
    assert_false(decide(&retry, &outcome, true, &row).again);
    outcome.class = OUTCOME_HOPELESS;
    assert_int_equal(decide(&retry, &outcome, true, &row).end, RETRY_END_STOP);
}

static void test_the_longest_wait_doubles_up_to_its_cap(void **state)
{
    (void)state;
    static const int64_t waits[] = {200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000};
    static const int64_t slower[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
    struct retry_policy policy = plain;

    for (uint32_t i = 0; i < ARRAY_LENGTH(waits); i++)
        assert_int_equal(retry_longest_ms(&policy, i + 1, false), waits[i]);
    for (uint32_t i = 0; i < ARRAY_LENGTH(slower); i++)
        assert_int_equal(retry_longest_ms(&policy, i + 1, true), slower[i]);
    assert_int_equal(retry_longest_ms(&policy, UINT32_MAX, true), 30000);
    policy.base_ms = 5000;
    assert_int_equal(retry_longest_ms(&policy, 1, true), 5000);
    policy.cap_ms =
        100; /* a cap below the base is the wait; one below a second does not throttle */
    assert_int_equal(retry_longest_ms(&policy, 1, false), 100);
    assert_int_equal(retry_longest_ms(&policy, 3, true), 1000);
    policy.base_ms = 0;
    assert_int_equal(retry_longest_ms(&policy, UINT32_MAX, false), 0);
    policy.base_ms = INT64_MAX / 2 + 1;
    policy.cap_ms = INT64_MAX;
    assert_int_equal(retry_longest_ms(&policy, 9, false), INT64_MAX);
}

/* Full jitter: every wait up to the longest, each as likely as the others. */
static void test_waits_are_spread_evenly_from_0_to_the_longest(void **state)
{
    (void)state;
    enum { DRAWS = 100 * 1000, BINS = 10 };
    struct outcome plain_case = judged(ANSWER_NOT_SENT, 0, false, "");
    struct outcome throttled = judged(ANSWER_ANSWERED, 429, false, "");
    struct retry retry;

    print_message("seed 99\n");
    retry_init(&retry, &plain, 99);
    for (uint32_t made = 0; made < 4; made++) {
        for (int slow = 0; slow < 2; slow++) {
            int64_t longest_ms = retry_longest_ms(&plain, made + 1, slow);
            int64_t lowest_ms = INT64_MAX, highest_ms = 0;
            size_t bins[BINS] = {0};
            for (size_t i = 0; i < DRAWS; i++) {
                struct retry_row row = {.tries = made};
                int64_t ms = decide(&retry, slow ? &throttled : &plain_case, true, &row).delay_ms;
                lowest_ms = ms < lowest_ms ? ms : lowest_ms;
                highest_ms = ms > highest_ms ? ms : highest_ms;
                bins[ms * BINS / (longest_ms + 1)]++;
            }
            assert_in_range(lowest_ms, 0, longest_ms / 100);
            assert_in_range(highest_ms, longest_ms - longest_ms / 100, longest_ms);
            for (size_t i = 0; i < BINS; i++)
                assert_in_range(bins[i], DRAWS / BINS * 9 / 10, DRAWS / BINS * 11 / 10);
        }
    }
}

static void test_the_same_seed_gives_the_same_waits(void **state)
{
    (void)state;
    struct outcome outcome = judged(ANSWER_NOT_SENT, 0, false, "");
    struct retry one, other, different;
    size_t unequal = 0;

    retry_init(&one, &plain, 5);
    retry_init(&other, &plain, 5);
    retry_init(&different, &plain, 6);
    for (size_t i = 0; i < 100; i++) {
        struct retry_row rows[3] = {{.tries = 3}, {.tries = 3}, {.tries = 3}};
        int64_t ms = decide(&one, &outcome, true, &rows[0]).delay_ms;
        assert_int_equal(decide(&other, &outcome, true, &rows[1]).delay_ms, ms);
        unequal += decide(&different, &outcome, true, &rows[2]).delay_ms != ms;
    }
    assert_true(unequal > 80);
}

/* An answer that is not believed: sent again under no policy. */
/* What a row has been through when it has been refused ten times. */
static struct retry_row refuse_ten_times(uint32_t max_attempts, bool all_refused)
{
    struct outcome outcome = judged(ANSWER_ANSWERED, 429, false, "");
    struct retry_policy policy = plain;
    struct retry_row row = {0};
    struct retry_decision decision = {.again = true};
    struct retry retry;
    const struct retry_attempt attempt = {.outcome = &outcome, .all_refused = all_refused};

    policy.max_attempts = max_attempts;
    retry_init(&retry, &policy, 1);
    for (int i = 0; i < 10 && decision.again; i++)
        retry_decide(&retry, &attempt, &row, &decision);
    return row;
}

static void test_where_all_are_refused_no_attempt_is_the_last(void **state)
{
    (void)state;
    assert_int_equal(refuse_ten_times(5, true).sent, 10);
    assert_int_equal(refuse_ten_times(5, true).tries, 4);
    assert_int_equal(refuse_ten_times(5, false).sent, 5);
    assert_int_equal(refuse_ten_times(1, true).sent, 1); /* none but the first was asked for */
}

static void test_where_nothing_can_be_sent_no_attempt_is_the_last(void **state)
{
    (void)state;
    struct outcome lost = judged(ANSWER_NOT_SENT, 0, false, ""),
                   refused = judged(ANSWER_ANSWERED, 429, false, "");
    struct retry retry;

    for (int i = 0; i < 3; i++) {
        struct retry_row row = {.tries = plain.max_attempts - 1};
        struct retry_decision decision;
        const struct retry_attempt attempt = {.outcome = i == 2 ? &refused : &lost,
                                              .unreachable = i != 1};
        retry_init(&retry, &plain, 1);
        retry_decide(&retry, &attempt, &row, &decision);
        assert_int_equal(decision.again, i == 0);
    }
}

static void test_what_is_to_be_held_is_held_under_every_policy(void **state)
{
    (void)state;
    static const enum on_ambiguous policies[] = {ON_AMBIGUOUS_BY_ACTION, ON_AMBIGUOUS_RESEND,
                                                 ON_AMBIGUOUS_HOLD};
    struct outcome outcome = judged(ANSWER_ANSWERED, 200, false, UUID_BODY);
    outcome_disbelieve(&outcome);
    for (size_t i = 0; i < ARRAY_LENGTH(policies); i++) {
        const struct retry_policy policy = {.on_ambiguous = policies[i], .max_attempts = 5};
        struct retry_attempt attempt = {.outcome = &outcome, .idempotent = true, .held = true};
        struct retry_row row = {.tries = 0};
        struct retry_decision decision;
        struct retry retry;
        retry_init(&retry, &policy, 1);
        retry_decide(&retry, &attempt, &row, &decision);
        assert_false(decision.again);
        assert_int_equal(decision.end, RETRY_END_HELD);
        assert_int_equal(row.ambiguous, 1);
    }
}

static struct retry_decision told_to_wait(const struct outcome *outcome, int64_t retry_after_ms,
                                          uint32_t tries)
{
    struct retry retry;
    struct retry_row row = {.tries = tries};
    struct retry_attempt attempt = {.outcome = outcome,
                                    .idempotent = true,
                                    .has_retry_after = true,
                                    .retry_after_ms = retry_after_ms};
    struct retry_decision decision;

    retry_init(&retry, &plain, 1);
    retry_decide(&retry, &attempt, &row, &decision);
    return decision;
}

static void test_retry_after_is_a_lower_bound_and_the_hosts(void **state)
{
    (void)state;
    struct outcome throttled = judged(ANSWER_ANSWERED, 429, true, "");
    struct outcome refused = judged(ANSWER_ANSWERED, 404, true, "");
    struct retry_decision decision = told_to_wait(&throttled, 7000, 0);

    assert_true(decision.again);
    assert_int_equal(decision.delay_ms, 7000);
    assert_int_equal(decision.host_wait_ms, 7000);
    decision = told_to_wait(&throttled, 1, 3);
    assert_in_range(decision.delay_ms, 1, 8000);
    assert_int_equal(decision.host_wait_ms, 1);
    decision = told_to_wait(&throttled, RETRY_AFTER_MAX_MS, 0);
    assert_true(decision.again);
    assert_int_equal(decision.delay_ms, RETRY_AFTER_MAX_MS);
    decision = told_to_wait(&throttled, RETRY_AFTER_MAX_MS + 1, 0);
    assert_int_equal(decision.end, RETRY_END_TOO_LONG);
    assert_int_equal(decision.host_wait_ms, RETRY_AFTER_MAX_MS);
    decision = told_to_wait(&throttled, 9000, 4); /* the row's last attempt gates the host, too */
    assert_int_equal(decision.end, RETRY_END_EXHAUSTED);
    assert_int_equal(decision.host_wait_ms, 9000);
    assert_int_equal(told_to_wait(&throttled, -5, 0).host_wait_ms, 0);
    assert_int_equal(told_to_wait(&refused, 9000, 0).host_wait_ms, 0);
}

static void test_a_row_that_may_have_been_processed_once_is_in_doubt_to_the_end(void **state)
{
    (void)state;
    struct retry_row once = {.tries = 3, .sent = 1, .ambiguous = 1}, never = {.tries = 3};

    assert_int_equal(retry_row_status(&never, ROW_FAILED), ROW_FAILED);
    assert_int_equal(retry_row_status(&never, ROW_REJECTED), ROW_REJECTED);
    assert_int_equal(retry_row_status(&never, ROW_ACCEPTED), ROW_ACCEPTED);
    assert_int_equal(retry_row_status(&once, ROW_FAILED), ROW_IN_DOUBT);
    assert_int_equal(retry_row_status(&once, ROW_REJECTED), ROW_IN_DOUBT);
    assert_int_equal(retry_row_status(&once, ROW_IN_DOUBT), ROW_IN_DOUBT);
    assert_int_equal(retry_row_status(&once, ROW_ACCEPTED), ROW_ACCEPTED);
}

/* What comes whole from the newer platform and is not understood, or only half, is never sent
 * again, however much that is asked for. The first dialect sends all of these again. */
static void test_an_unknown_answer_is_never_sent_again(void **state)
{
    static const struct {
        int http;
        const char *body;
    } answers[] = {
        {200, ""},
        {200, "<html>"},
        {200, "{\"result\":\"success\"}"},
        {200, "{\"code\":0}"}, /* many a service answers so */
        {200, "{\"code\":0,\"msg\":\"su\"c"},
        {200, "{\"code\":1,\"code\":0,\"msg\":\"succ\"}"},
        {200, "{\"code\":0,\"msg\":\"succ\",\"errno\":5006}"},
        {200, "{\"code\":500,\"msg\":\"internal server error\"}"},
        {200, "{\"code\":15,\"msg\":\"api freq out of limit\"}"},
        {500, "{\"code\":500,\"msg\":\"?\"}"},
        {200, "{\"errno\":5117,\"error\":\"rpc error\"}"},
        {200, "{\"errno\":4711,\"error\":\"?\"}"},
        {200, "{\"code\":4711,\"msg\":\"?\",\"data\":{\"uuid\":\"u-1\"}}"},
    };
    struct retry_policy policy = plain;
    struct retry retry;

    (void)state;
    policy.on_ambiguous = ON_AMBIGUOUS_RESEND;
    retry_init(&retry, &policy, 1);
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        const struct answer answer = {.state = ANSWER_ANSWERED,
                                      .is_whole = true,
                                      .http_status = answers[i].http,
                                      .body = span_string(answers[i].body)};
        struct retry_row row = {.tries = 0};
        struct outcome outcome;
        outcome_judge(DIALECT_V2, OPERATION_WRITE, &answer, &outcome);
        struct retry_decision decision = decide(&retry, &outcome, true, &row);
        assert_int_equal(outcome.class, OUTCOME_UNKNOWN);
        assert_int_equal(outcome.status, ROW_IN_DOUBT);
        assert_string_equal(decision.rule->name, "unknown answer");
        assert_false(decision.again);
        assert_int_equal(row.ambiguous, 1);
    }
    struct outcome cut; /* half of a body is no answer: that is what --on-ambiguous is for */
    const struct answer half = {.state = ANSWER_ANSWERED,
                                .http_status = 200,
                                .body = SPAN_LITERAL("{\"code\":0,\"ms")};
    struct retry_row row = {.tries = 0};
    outcome_judge(DIALECT_V2, OPERATION_WRITE, &half, &cut);
    assert_true(decide(&retry, &cut, true, &row).again);
}

static bool has_line(struct buf *text, const char *line)
{
    return strstr(buf_string(text), line) != NULL;
}

static void test_the_explanation_shows_each_case_and_what_the_policy_does(void **state)
{
    (void)state;
    struct retry_policy policy = plain;
    struct buf text;

    buf_init(&text, 64 * 1024);
    retry_explain(DIALECT_V1, &policy, &text);
    assert_int_equal(text.status, STATUS_OK);
    for (size_t i = 0; i < ANSWER_CASE_COUNT; i++) {
        bool is_shown = answer_cases[i].class != OUTCOME_UNKNOWN;
        assert_int_equal(has_line(&text, answer_cases[i].why), is_shown);
        if (answer_cases[i].by != CASE_BY_MEANING)
            assert_int_equal(has_line(&text, answer_cases[i].name), is_shown);
    }
    assert_true(
        has_line(&text, "\nno answer               yes: write, read            the request"));
    assert_true(has_line(&text, "\nHTTP 429                yes (slower)                too many"));
    assert_true(
        has_line(&text, "\nother errno             no                          the command"));
    assert_true(has_line(&text, "never sent again for execute:\n"));
    assert_true(has_line(&text, "tried 5 times at most"));
    assert_true(has_line(&text, "    200ms, 400ms, 800ms, 1600ms\n"));
    assert_true(has_line(&text, "    1s, 2s, 4s, 8s\n"));
    for (const char *line = buf_string(&text); *line != '\0'; line = strchr(line, '\n') + 1)
        assert_true(strchr(line, '\n') - line <= 110);
    buf_clear(&text);
    retry_explain(DIALECT_V2, &policy, &text);
    assert_true(has_line(&text, "\nunknown answer          no  "));
    assert_true(has_line(&text, "\ncode 10403 "));
    assert_false(has_line(&text, "errno 5117"));
    buf_clear(&text);
    policy.on_ambiguous = ON_AMBIGUOUS_HOLD;
    policy.max_attempts = 1;
    retry_explain(DIALECT_V1, &policy, &text);
    assert_true(
        has_line(&text, "\nno answer               no: in_doubt                the request"));
    assert_true(has_line(&text, "never sent again for write, read, execute:\n"));
    assert_false(has_line(&text, "Before each retry"));
    buf_clear(&text);
    policy.on_ambiguous = ON_AMBIGUOUS_RESEND;
    policy.max_attempts = 100;
    retry_explain(DIALECT_V1, &policy, &text);
    assert_true(
        has_line(&text, "\nno answer               yes                         the request"));
    assert_false(has_line(&text, "never sent again"));
    assert_true(has_line(&text, "12800ms, 25600ms, …\n"));
    buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_end_of_an_attempt_falls_under_its_case),
        cmocka_unit_test(test_no_case_of_the_table_is_dead),
        cmocka_unit_test(test_an_unknown_answer_is_never_sent_again),
        cmocka_unit_test(test_the_table_agrees_with_the_meanings),
        cmocka_unit_test(test_the_key_is_refused_by_401_403_407_and_what_says_so),
        cmocka_unit_test(test_retry_never_resends_execute_unless_told_to),
        cmocka_unit_test(test_a_row_ends_after_its_attempts_whether_they_left_or_not),
        cmocka_unit_test(test_the_longest_wait_doubles_up_to_its_cap),
        cmocka_unit_test(test_waits_are_spread_evenly_from_0_to_the_longest),
        cmocka_unit_test(test_the_same_seed_gives_the_same_waits),
        cmocka_unit_test(test_where_all_are_refused_no_attempt_is_the_last),
        cmocka_unit_test(test_where_nothing_can_be_sent_no_attempt_is_the_last),
        cmocka_unit_test(test_what_is_to_be_held_is_held_under_every_policy),
        cmocka_unit_test(test_retry_after_is_a_lower_bound_and_the_hosts),
        cmocka_unit_test(test_a_row_that_may_have_been_processed_once_is_in_doubt_to_the_end),
        cmocka_unit_test(test_the_explanation_shows_each_case_and_what_the_policy_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
