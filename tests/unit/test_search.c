#include "unit.h"

#include "report/load.h"
#include "send/arrivals.h"
#include "send/search.h"

static void test_requests_are_due_at_equal_distances(void **state)
{
    (void)state;
    const struct arrivals arrivals = {.start_ns = 5000, .per_s = 1000};
    assert_int_equal(arrivals_due_ns(&arrivals, 0), 5000);
    assert_int_equal(arrivals_due_ns(&arrivals, 1), 1005000);
    assert_int_equal(arrivals_due_ns(&arrivals, 3600000), 5000 + INT64_C(3600000000000));
}

static void test_what_is_due_has_been_counted_whatever_the_rate(void **state)
{
    (void)state;
    static const double rates[] = {0.1, 3, 7, 299.7, 1000, 33333, 100000};
    for (size_t i = 0; i < ARRAY_LENGTH(rates); i++) {
        const struct arrivals arrivals = {.start_ns = 123456789, .per_s = rates[i]};
        assert_int_equal(arrivals_count(&arrivals, arrivals.start_ns - 1), 0);
        for (uint64_t number = 0; number < 5000; number++) {
            int64_t due_ns = arrivals_due_ns(&arrivals, number);
            assert_int_equal(arrivals_count(&arrivals, due_ns), number + 1);
            assert_int_equal(arrivals_count(&arrivals, due_ns - 1), number);
        }
    }
}

/*
 * A peer in virtual time: one request after the other, each for `service_ns`, but none within the
 * first `stall_ns` of each `period_ns`; beyond a token bucket it refuses at once.
 */
struct model {
    int64_t service_ns, stall_ns, period_ns;
    double limit_per_s;
};

static int64_t end_of_stall(const struct model *model, int64_t at_ns)
{
    if (model->period_ns == 0 || at_ns % model->period_ns >= model->stall_ns)
        return at_ns;
    return at_ns - at_ns % model->period_ns + model->stall_ns;
}

/* What `count` requests at a rate come to. Closed: each starts when the one before has ended, as a
 * bench that only keeps requests in flight does. */
static void play(const struct model *model, double rate, uint64_t count, bool closed,
                 struct load *load)
{
    const struct arrivals arrivals = {.start_ns = 1, .per_s = rate};
    static const struct outcome accepted = {.status = ROW_ACCEPTED},
                                refused = {.status = ROW_REJECTED, .voice = VOICE_PLATFORM};
    int64_t free_ns = 0;
    double tokens = 10;

    *load = (struct load){.rate_per_s = rate, .concurrency = 1};
    for (uint64_t number = 0; number < count; number++) {
        struct load_request request = {.outcome = &accepted, .left = true};
        request.due_ns = closed ? free_ns : arrivals_due_ns(&arrivals, number);
        request.started_ns = request.due_ns;
        tokens += model->limit_per_s / rate;
        tokens = tokens < 10 ? tokens : 10;
        bool is_refused = model->limit_per_s > 0 && tokens < 1;
        int64_t from_ns = end_of_stall(model, free_ns > request.due_ns ? free_ns : request.due_ns);
        request.ended_ns = from_ns + model->service_ns;
        if (is_refused) {
            request.outcome = &refused;
            request.ended_ns = request.due_ns + 1000;
        } else {
            free_ns = request.ended_ns;
            tokens -= 1;
        }
        request.latency_us = (request.ended_ns - request.started_ns) / 1000;
        load_add(load, &request);
    }
}

static void test_a_stall_shows_in_an_open_loop(void **state)
{
    (void)state;
    const struct model stalls = {1000000, 1000000000, 3000000000, 0};
    static struct load load;
    play(&stalls, 200, 2000, false, &load);
    assert_in_range(histogram_quantile(&load.from_due, 0.99), 900000, 1300000);
    assert_in_range(histogram_quantile(&load.from_due, 0.5), 1000, 2000);
}

/* Negative control: where a request waits for the one before, hardly any meets the stall. */
static void test_a_stall_does_not_show_in_a_closed_loop(void **state)
{
    (void)state;
    const struct model stalls = {1000000, 1000000000, 3000000000, 0};
    static struct load load;
    play(&stalls, 200, 2000, true, &load);
    assert_in_range(histogram_quantile(&load.from_due, 0.99), 1000, 1100);
    assert_int_equal(load.from_due.max_us, 1001000);
}

/* The highest rate that the search finds for a model. */
static double find(const struct model *model, const char *goal_text, double first, int *ret_tries)
{
    struct load_goal goal;
    struct search search;
    static struct load load;
    double rate;

    assert_true(load_parse_goal(span_string(goal_text), &goal));
    *ret_tries = 0;
    for (search_begin(&search, first, 100000); search_wants(&search, &rate); ++*ret_tries) {
        play(model, rate, (uint64_t)(rate * 20) + 1, false, &load);
        search_take(&search, load_keeps(&load, &goal));
    }
    return search.best;
}

static void test_the_search_finds_what_the_peer_can_do(void **state)
{
    (void)state;
    static const double firsts[] = {1, 100, 290, 5000};
    const struct model slow = {.service_ns = 2500000}; /* 400/s */
    const struct model limited = {.service_ns = 100000, .limit_per_s = 300};
    int tries;

    for (size_t i = 0; i < ARRAY_LENGTH(firsts); i++) {
        double found = find(&slow, "p99=50ms", firsts[i], &tries);
        assert_true(found >= 385 && found <= 405);
        assert_in_range(tries, 4, 20);
        found = find(&limited, "p99=50ms,refused=0.1%", firsts[i], &tries);
        assert_true(found >= 290 && found <= 303);
        found = find(&limited, "p99=50ms,refused=50%", firsts[i], &tries);
        assert_true(found >= 570 && found <= 603); /* half are refused at twice the limit */
    }
}

/* Between two neighbours no whole number may be left. */
static void test_the_search_ends_whatever_the_limit(void **state)
{
    (void)state;
    for (double limit = 1; limit < 60; limit += 0.05) {
        struct search search;
        double rate;
        int tries = 0;
        for (search_begin(&search, 1000, 100000); search_wants(&search, &rate); tries++)
            search_take(&search, rate <= limit);
        assert_in_range(tries, 4, 20);
        assert_true(search.best <= limit && search.best * 1.031 > limit);
    }
}

static void test_a_goal_that_no_rate_keeps_ends_the_search(void **state)
{
    (void)state;
    const struct model slow = {.service_ns = 300000000};
    int tries;
    assert_true(find(&slow, "p50=200ms", 100, &tries) == 0);
    assert_in_range(tries, 5, 9);
}

static void test_a_peer_that_keeps_every_rate_ends_it_too(void **state)
{
    (void)state;
    const struct model fast = {.service_ns = 1000};
    int tries;
    assert_true(find(&fast, "p99=1s", 30000, &tries) == 100000);
    assert_int_equal(tries, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_are_due_at_equal_distances),
        cmocka_unit_test(test_what_is_due_has_been_counted_whatever_the_rate),
        cmocka_unit_test(test_a_stall_shows_in_an_open_loop),
        cmocka_unit_test(test_a_stall_does_not_show_in_a_closed_loop),
        cmocka_unit_test(test_the_search_finds_what_the_peer_can_do),
        cmocka_unit_test(test_the_search_ends_whatever_the_limit),
        cmocka_unit_test(test_a_goal_that_no_rate_keeps_ends_the_search),
        cmocka_unit_test(test_a_peer_that_keeps_every_rate_ends_it_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
