#include "unit.h"

#include "sim/config.h"

static struct sim_config config;
static struct buf message;

static int set_up(void **state)
{
    (void)state;
    sim_config_init(&config);
    buf_init(&message, 65536);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sim_config_deinit(&config);
    sim_config_deinit(&config);
    buf_deinit(&message);
    return 0;
}

static void expect(const char *spec, enum status status)
{
    buf_clear(&message);
    assert_int_equal(sim_config_parse(&config, span_string(spec), &message), status);
    if ((message.len == 0) != (status == STATUS_OK))
        fail_msg("%s: message \"%s\"", spec, buf_string(&message));
}

static void expect_message(const char *spec, const char *part)
{
    expect(spec, STATUS_USAGE);
    if (strstr(buf_string(&message), part) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", spec, buf_string(&message), part);
}

static void test_defaults(void **state)
{
    (void)state;
    const struct sockaddr_in *v4 = (const void *)&config.address;

    expect("", STATUS_OK);
    assert_int_equal(v4->sin_family, AF_INET);
    assert_int_equal(v4->sin_port, 0);
    assert_int_equal(ntohl(v4->sin_addr.s_addr), INADDR_LOOPBACK);
    assert_true(latency_is_zero(&config.latency));
    assert_int_equal(config.faults.count, 0);
    assert_false(config.has_seed);
    assert_int_equal(config.queue_limit, 10);
    assert_int_equal(config.max_commands, 1000000);
}

static void test_a_list_sets_everything_it_names(void **state)
{
    (void)state;
    expect("latency=20ms,fault=reset:1%,fault=http-503:0.5,seed=7,queue-limit=0,max-commands=5,"
           "audit=a b.jsonl,audit=b.jsonl,api-key-file=k,product-id=p-1,access-key-file=a,",
           STATUS_OK);
    assert_int_equal(config.latency.low_ms, 20);
    assert_int_equal(config.faults.count, 2);
    assert_true(config.has_seed && config.seed == 7);
    assert_int_equal(config.queue_limit, 0);
    assert_int_equal(config.max_commands, 5);
    assert_string_equal(config.audit_file, "b.jsonl");
    assert_string_equal(config.api_key_file, "k");
    assert_string_equal(config.product_id, "p-1");
    assert_string_equal(config.access_key_file, "a");
}

static void test_the_dialect_has_keys_of_its_own(void **state)
{
    (void)state;
    expect("", STATUS_OK);
    assert_int_equal(config.dialect, DIALECT_V1);
    expect("api=v2,user-id=420217,access-key-file=a,fault=envelope:1%", STATUS_OK);
    assert_int_equal(config.dialect, DIALECT_V2);
    assert_string_equal(config.user_id, "420217");
    expect_message("api=v3", "give v1 or v2");
    expect_message("user-id=a/b", "the account's id");
}

static void test_a_limit_and_what_is_said_beyond_it(void **state)
{
    (void)state;
    expect("", STATUS_OK);
    assert_true(config.limit.per_s == 0);
    assert_string_equal(config.limit.refusal.name, "errno-15");
    expect("limit=90/m,burst=30,limit-by=http-429-retry-after", STATUS_OK);
    assert_true(config.limit.per_s == 1.5);
    assert_int_equal(config.limit.burst, 30);
    assert_true(config.limit.refusal.kind->retry_after);
    assert_int_equal(config.limit.refusal.number, 429);
    expect("limit-by=errno-7,burst=0", STATUS_OK);
    assert_int_equal(config.limit.refusal.number, 7);
    assert_int_equal(config.limit.burst, 1);
    expect_message("limit=300", "such as 300/s");
    expect_message("limit=0/s", "such as 300/s");
    expect_message("limit=1000001/s", "such as 300/s");
    expect_message("burst=2000000", "1000000");
    expect_message("limit-by=garbage", "errno-15");
    expect_message("limit-by=http-500-after", "errno-15");
}

static void test_a_limit_takes_its_burst_and_then_its_rate(void **state)
{
    (void)state;
    const int64_t ms_ns = 1000 * 1000;
    struct limit limit;
    int taken = 0;

    limit_init(&limit);
    assert_true(limit_takes(&limit, 0)); /* there is none */
    limit.per_s = 100;
    limit.burst = 10;
    limit_begin(&limit, 0);
    for (int i = 0; i < 50; i++)
        taken += limit_takes(&limit, 0);
    assert_int_equal(taken, 10);
    for (int64_t ms = 1; ms <= 1000; ms++)
        taken += limit_takes(&limit, ms * ms_ns);
    assert_in_range(taken, 109, 110);
    for (int i = 0; i < 50; i++) /* no more than the burst is kept */
        taken += limit_takes(&limit, 100 * 1000 * ms_ns);
    assert_in_range(taken, 119, 120);
}

static void test_a_limit_without_a_burst_takes_a_tenth_of_a_second_at_once(void **state)
{
    (void)state;
    static const struct {
        double per_s;
        uint64_t burst;
    } cases[] = {{1500, 150}, {10, 1}, {0.5, 1}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct limit limit;
        limit_init(&limit);
        limit.per_s = cases[i].per_s;
        limit_begin(&limit, 0);
        assert_int_equal(limit.burst, cases[i].burst);
    }
}

static void test_only_loopback_is_listened_on(void **state)
{
    (void)state;
    const struct sockaddr_in *v4 = (const void *)&config.address;

    expect("listen=127.1.2.3:8080", STATUS_OK);
    assert_int_equal(ntohs(v4->sin_port), 8080);
    expect("listen=[::1]:80", STATUS_OK);
    assert_int_equal(config.address.ss_family, AF_INET6);
    assert_int_equal(ntohs(v4->sin_port), 80);
    expect("listen=localhost:65535", STATUS_OK);
    assert_int_equal(ntohl(v4->sin_addr.s_addr), INADDR_LOOPBACK);
    expect_message("listen=0.0.0.0:80", "listen=0.0.0.0:80: the simulator listens on this machine");
    expect_message("listen=128.0.0.1:80", "this machine only");
    expect_message("listen=[::]:80", "this machine only");
    expect_message("listen=::1:80", "this machine only");
    expect_message("listen=example.org:80", "this machine only");
    expect_message("listen=127.0.0.1", "give HOST:PORT");
    expect_message("listen=127.0.0.1:65536", "give HOST:PORT");
    expect_message("listen=127.0.0.1:", "give HOST:PORT");
    assert_int_equal(ntohs(v4->sin_port), 65535); /* as it was */
}

static void test_latency_in_each_form(void **state)
{
    (void)state;
    expect("latency=0", STATUS_OK);
    assert_true(latency_is_zero(&config.latency));
    expect("latency=uniform:10ms..1s", STATUS_OK);
    assert_int_equal(config.latency.kind, LATENCY_UNIFORM);
    assert_int_equal(config.latency.high_ms, 1000);
    expect("latency=lognormal:20ms", STATUS_OK);
    expect("latency=lognormal:20ms:1.25", STATUS_OK);
    assert_int_equal(config.latency.kind, LATENCY_LOGNORMAL);
    assert_true(config.latency.sigma == 1.25);
    static const char *const bad[] = {"20",
                                      "ms",
                                      "uniform:1ms",
                                      "uniform:..2s",
                                      "lognormal:",
                                      "lognormal:1s:",
                                      "lognormal:1s:x",
                                      "normal:1s",
                                      ""};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        char spec[64];
        (void)snprintf(spec, sizeof(spec), "latency=%s", bad[i]);
        expect_message(spec, "give a duration such as");
    }
    expect_message("latency=2h", "an hour at most");
    expect_message("latency=uniform:2s..1s", "no longer than");
    expect_message("latency=lognormal:1s:9", "sigma 4 at most");
}

static void test_draws_stay_in_their_range_and_repeat(void **state)
{
    (void)state;
    struct prng chance = {1}, again = {1};
    double sum = 0;

    expect("latency=uniform:10ms..20ms", STATUS_OK);
    for (int i = 0; i < 10000; i++) {
        int64_t us = latency_draw(&config.latency, &chance);
        assert_in_range(us, 10000, 20000);
        assert_true(us == latency_draw(&config.latency, &again));
        sum += (double)us;
    }
    assert_true(sum / 10000 > 14800 && sum / 10000 < 15200);
    int below = 0;
    expect("latency=lognormal:20ms:1", STATUS_OK);
    for (int i = 0; i < 10000; i++)
        below += latency_draw(&config.latency, &chance) < 20000 ? 1 : 0;
    assert_in_range(below, 4800, 5200); /* the median */
}

static void test_each_kind_of_fault_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum fault_effect effect;
        bool processed, retry_after;
        unsigned number;
    } kinds[] = {
        {"close", FAULT_CLOSE, false, false, 0},
        {"close-after", FAULT_CLOSE, true, false, 0},
        {"reset-after", FAULT_RESET, true, false, 0},
        {"silent", FAULT_SILENT, false, false, 0},
        {"slow", FAULT_SLOW, true, false, 0},
        {"cut", FAULT_CUT, true, false, 0},
        {"http-400", FAULT_HTTP, false, false, 400},
        {"http-599-after", FAULT_HTTP, true, false, 599},
        {"http-503-retry-after", FAULT_HTTP, false, true, 503},
        {"http-429-retry-after", FAULT_HTTP, false, true, 429},
        {"errno-5117", FAULT_ERRNO, false, false, 5117},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        char spec[64];
        (void)snprintf(spec, sizeof(spec), "fault=%s:1%%", kinds[i].name);
        expect(spec, STATUS_OK);
        const struct fault *fault = &config.faults.items[i];
        assert_string_equal(fault->name, kinds[i].name);
        assert_int_equal(fault->kind->effect, kinds[i].effect);
        assert_int_equal(fault->kind->processed, kinds[i].processed);
        assert_int_equal(fault->kind->retry_after, kinds[i].retry_after);
        assert_int_equal(fault->number, kinds[i].number);
        assert_true(fault->probability == 0.01);
    }
}

static void test_bad_faults_are_refused(void **state)
{
    (void)state;
    expect_message("fault=clos:1%", "did you mean close?");
    expect_message("fault=http-399:1%", "there is no fault");
    expect_message("fault=http-600-after:1%", "there is no fault");
    expect_message("fault=http-500-retry-after:1%", "there is no fault");
    expect_message("fault=http--after:1%", "there is no fault");
    expect_message("fault=errno-0:1%", "there is no fault");
    expect_message("fault=:1%", "there is no fault");
    expect_message("fault=close", "close:0.01 or :1%");
    expect_message("fault=close:101%", "close:0.01 or :1%");
    expect_message("fault=close:-1", "close:0.01 or :1%");
    expect_message("fault=close:nan", "close:0.01 or :1%");
    expect_message("fault=close:%", "close:0.01 or :1%");
    expect_message("fault=close:0.6,fault=reset:0.5", "add up to 1.1");
}

static void test_ten_tenths_are_one(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        expect("fault=close:0.1", STATUS_OK);
    expect_message("fault=close:0.1", "add up");
}

static void test_faults_come_as_often_as_ordered(void **state)
{
    (void)state;
    struct prng chance = {42};
    int closed = 0, reset = 0, none = 0;

    expect("fault=close:20%,fault=reset:0.3", STATUS_OK);
    for (int i = 0; i < 100000; i++) {
        const struct fault *fault = faults_draw(&config.faults, &chance);
        if (fault == NULL)
            none++;
        else if (fault->kind->effect == FAULT_CLOSE)
            closed++;
        else
            reset++;
    }
    assert_in_range(closed, 19500, 20500);
    assert_in_range(reset, 29500, 30500);
    assert_in_range(none, 49500, 50500);
}

static void test_unknown_settings_name_the_nearest(void **state)
{
    (void)state;
    expect_message("latncy=1s", "did you mean latency?");
    expect_message("xyzzyx=1", "the settings are listen, api, latency");
    expect_message("latency", "write key=value");
    expect_message("seed=-1", "seed=-1: give a whole number");
    expect_message("queue-limit=1001", "0 to 1000");
    expect_message("audit=", "path of a file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_dialect_has_keys_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_list_sets_everything_it_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_loopback_is_listened_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_latency_in_each_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_draws_stay_in_their_range_and_repeat, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_each_kind_of_fault_is_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_faults_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ten_tenths_are_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_faults_come_as_often_as_ordered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_settings_name_the_nearest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_limit_and_what_is_said_beyond_it, set_up, tear_down),
        cmocka_unit_test(test_a_limit_without_a_burst_takes_a_tenth_of_a_second_at_once),
        cmocka_unit_test_setup_teardown(test_a_limit_takes_its_burst_and_then_its_rate, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
