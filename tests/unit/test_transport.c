#include "unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "net/transport.h"

/*
 * The transport in a loop of the test's own. The peer is a listening socket on loopback: the kernel
 * completes its connections, and nobody reads from them unless a test does.
 */
struct world {
    uv_loop_t loop;
    int listener;
    int served;         /* the connection that was accepted, or -1 */
    char request[4096]; /* what came over it last */
    bool once;          /* an attempt's end starts no other */
    size_t concurrency;
    int64_t timeout_ms;
    const struct word_list *resolve;
    struct endpoint endpoint;
    struct credentials credentials;
    struct transport *transport;
    struct seen {
        unsigned count;
        enum answer_state state;
        int http_status;
        bool hopeless;
        int64_t latency_us;
        char detail[128];
        enum status restart; /* what transport_start said from inside the callback */
        struct world *world;
    } seen[4];
};

static const struct transport_request a_request = {
    .method = METHOD_POST,
    .target = {"/nbiot/offline?imei=1", 21},
    .body = {"{}", 2},
};

static void open_transport(struct world *world)
{
    struct buf message;

    buf_init(&message, 4096);
    struct transport_options options = {.endpoint = &world->endpoint,
                                        .credentials = &world->credentials,
                                        .concurrency = world->concurrency,
                                        .connect_timeout_ms = world->timeout_ms,
                                        .request_timeout_ms = world->timeout_ms,
                                        .wire = {.resolve = world->resolve}};
    assert_int_equal(transport_open(&world->loop, &options, &message, &world->transport),
                     STATUS_OK);
    buf_deinit(&message);
}

/* With other credentials than the transport began with. */
static void reopen_transport(struct world *world)
{
    transport_close(world->transport);
    (void)uv_run(&world->loop, UV_RUN_DEFAULT);
    open_transport(world);
}

static void open_world(struct world *world, const char *host, size_t concurrency)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    struct buf message;
    char url[64];

    *world = (struct world){.served = -1, .concurrency = concurrency, .timeout_ms = 60000};
    buf_init(&message, 4096);
    world->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(world->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(world->listener, 16), 0);
    assert_int_equal(getsockname(world->listener, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(url, sizeof(url), "%s:%d", host, ntohs(address.sin_port));
    assert_int_equal(endpoint_parse(url, &message, &world->endpoint), STATUS_OK);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    open_transport(world);
    for (size_t i = 0; i < ARRAY_LENGTH(world->seen); i++)
        world->seen[i].world = world;
    buf_deinit(&message);
}

static void close_world(struct world *world)
{
    transport_close(world->transport);
    (void)uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    endpoint_deinit(&world->endpoint);
    if (world->served >= 0)
        (void)close(world->served);
    (void)close(world->listener);
}

static void on_done(void *context, const struct answer *answer)
{
    struct seen *seen = context;

    seen->count++;
    seen->state = answer->state;
    seen->http_status = answer->http_status;
    seen->hopeless = answer->hopeless;
    seen->latency_us = answer->latency_us;
    (void)snprintf(seen->detail, sizeof(seen->detail), "%.*s", SPAN_ARG(answer->detail));
    if (!seen->world->once)
        seen->restart = transport_start(seen->world->transport, &a_request, on_done, seen);
}

static void start(struct world *world, size_t i)
{
    assert_int_equal(transport_start(world->transport, &a_request, on_done, &world->seen[i]),
                     STATUS_OK);
}

/* Runs the loop until the peer has what the client sent; then sends `answer`. */
static void serve(struct world *world, const char *answer)
{
    size_t len = 0;

    memset(world->request, 0, sizeof(world->request));
    for (int turn = 0; turn < 1000 && len == 0; turn++) {
        (void)uv_run(&world->loop, UV_RUN_NOWAIT);
        if (world->served < 0)
            world->served = accept4(world->listener, NULL, NULL, SOCK_NONBLOCK);
        ssize_t got = recv(world->served, world->request, sizeof(world->request) - 1, 0);
        len += got > 0 ? (size_t)got : 0;
        (void)usleep(1000);
    }
    assert_true(len > 0);
    assert_true(send(world->served, answer, strlen(answer), 0) == (ssize_t)strlen(answer));
}

static void test_abort_calls_every_done_once_and_later(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, "https://127.0.0.1", 3); /* the handshake never ends */
    for (size_t i = 0; i < 3; i++)
        start(&world, i);
    for (int turn = 0; turn < 20; turn++)
        (void)uv_run(&world.loop, UV_RUN_NOWAIT);
    transport_abort(world.transport);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(world.seen[i].count, 0);
    (void)uv_run(&world.loop, UV_RUN_DEFAULT); /* ends, since nothing is left in flight */
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(world.seen[i].count, 1);
        assert_int_equal(world.seen[i].state, ANSWER_NOT_SENT);
        assert_string_equal(world.seen[i].detail, "interrupted");
    }
    close_world(&world);
}

/* Between transport_start and the loop's next turn libcurl knows nothing of an attempt. */
static void test_an_attempt_that_was_not_begun_has_no_latency_after_an_abort(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, "http://127.0.0.1", 3);
    for (size_t i = 0; i < 3; i++)
        start(&world, i);
    transport_abort(world.transport);
    (void)uv_run(&world.loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(world.seen[i].count, 1);
        assert_int_equal(world.seen[i].state, ANSWER_NOT_SENT);
        assert_string_equal(world.seen[i].detail, "interrupted");
        assert_in_range(world.seen[i].latency_us, 0, 1000000);
    }
    close_world(&world);
}

static void test_what_had_left_is_in_doubt_after_an_abort(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, "http://127.0.0.1", 1);
    start(&world, 0);
    serve(&world, "HTTP/1.1 200 OK\r\nContent-");
    transport_abort(world.transport);
    (void)uv_run(&world.loop, UV_RUN_DEFAULT);
    assert_int_equal(world.seen[0].count, 1);
    assert_int_equal(world.seen[0].state, ANSWER_IN_DOUBT);
    assert_int_equal(world.seen[0].http_status, 0);
    assert_string_equal(world.seen[0].detail, "interrupted");
    close_world(&world);
}

static void test_whole_headers_are_an_answer_after_an_abort(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, "http://127.0.0.1", 1);
    start(&world, 0);
    serve(&world, "HTTP/1.1 404 Gone\r\nContent-Length: 9\r\n\r\nbut");
    for (int turn = 0; turn < 20; turn++) {
        (void)uv_run(&world.loop, UV_RUN_NOWAIT);
        (void)usleep(1000);
    }
    assert_int_equal(world.seen[0].count, 0);
    transport_abort(world.transport);
    (void)uv_run(&world.loop, UV_RUN_DEFAULT);
    assert_int_equal(world.seen[0].state, ANSWER_ANSWERED);
    assert_int_equal(world.seen[0].http_status, 404);
    close_world(&world);
}

static void test_an_aborted_transport_starts_nothing(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, "http://127.0.0.1", 2);
    start(&world, 0);
    transport_abort(world.transport);
    transport_abort(world.transport);
    assert_int_equal(transport_start(world.transport, &a_request, on_done, &world.seen[1]),
                     STATUS_NETWORK);
    (void)uv_run(&world.loop, UV_RUN_DEFAULT);
    assert_int_equal(world.seen[0].count, 1);
    assert_int_equal(world.seen[0].restart, STATUS_NETWORK);
    assert_int_equal(world.seen[1].count, 0);
    assert_int_equal(transport_start(world.transport, &a_request, on_done, &world.seen[1]),
                     STATUS_NETWORK);
    close_world(&world);
}

static void test_closing_right_after_an_abort_is_clean(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, "http://127.0.0.1", 1);
    start(&world, 0);
    transport_abort(world.transport);
    close_world(&world);
    assert_int_equal(world.seen[0].count, 0);
}

/* The clock that the transport reads: this program's own stands before the system's. */
static time_t fake_now_s;

time_t time(time_t *ret_now)
{
    if (ret_now != NULL)
        *ret_now = fake_now_s;
    return fake_now_s;
}

/* The expiry in the token of a request that was read. */
static long long expiry_of(const char *request)
{
    const char *at = strstr(request, "\r\nAuthorization: version=2018-10-31&res=products%2Fp&et=");
    assert_non_null(at);
    return strtoll(strstr(at, "&et=") + strlen("&et="), NULL, 10);
}

static void answer(struct world *world)
{
    serve(world, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    (void)uv_run(&world->loop, UV_RUN_DEFAULT);
}

static void test_each_method_has_its_request_line(void **state)
{
    static const struct {
        enum method method;
        const char *line, *length;
    } cases[] = {{METHOD_GET, "GET /nbiot/offline?imei=1 HTTP/1.1\r\n", NULL},
                 {METHOD_POST, "POST /nbiot/offline?imei=1 HTTP/1.1\r\n", "Content-Length: 0\r\n"},
                 {METHOD_PUT, "PUT /nbiot/offline?imei=1 HTTP/1.1\r\n", "Content-Length: 0\r\n"}};
    struct world world;

    (void)state;
    open_world(&world, "http://127.0.0.1", 1);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct transport_request request = a_request;
        request.method = cases[i].method;
        request.body = span_of(NULL, 0);
        world.once = true;
        assert_int_equal(transport_start(world.transport, &request, on_done, &world.seen[0]),
                         STATUS_OK);
        answer(&world);
        assert_memory_equal(world.request, cases[i].line, strlen(cases[i].line));
        if (cases[i].length == NULL)
            assert_null(strstr(world.request, "Content-"));
        else
            assert_non_null(strstr(world.request, cases[i].length));
    }
    close_world(&world);
}

static void test_a_token_is_renewed_before_it_ends(void **state)
{
    (void)state;
    static const struct {
        time_t now_s;
        long long expires_s;
    } steps[] = {{1000, 4600}, {3999, 4600},  {4000, 7600},
                 {6999, 7600}, {7000, 10600}, {100000, 103600}};
    char access_key[] = "YWJj";
    struct world world;

    fake_now_s = 1000;
    open_world(&world, "http://127.0.0.1", 1);
    world.credentials =
        (struct credentials){access_key, strlen(access_key), {DIALECT_V1, KEY_PRODUCT, "p"}, false};
    reopen_transport(&world);
    for (size_t i = 0; i < ARRAY_LENGTH(steps); i++) {
        fake_now_s = steps[i].now_s;
        world.once = true;
        start(&world, 0);
        answer(&world);
        assert_int_equal(expiry_of(world.request), steps[i].expires_s);
        assert_int_equal(world.seen[0].count, i + 1);
    }
    close_world(&world);
    fake_now_s = 0;
}

/* The second attempt renews the token before libcurl has read the first one's headers. */
static void test_a_renewed_token_leaves_attempts_under_way_alone(void **state)
{
    (void)state;
    char access_key[] = "YWJj";
    struct world world;

    fake_now_s = 1000;
    open_world(&world, "http://127.0.0.1", 4);
    world.credentials =
        (struct credentials){access_key, strlen(access_key), {DIALECT_V1, KEY_PRODUCT, "p"}, false};
    reopen_transport(&world);
    for (size_t i = 0; i < 4; i++) {
        start(&world, i);
        fake_now_s += 4000;
    }
    serve(&world, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    assert_int_equal(expiry_of(world.request), 4600);
    transport_abort(world.transport);
    (void)uv_run(&world.loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(world.seen[i].count, 1);
    close_world(&world);
    fake_now_s = 0;
}

static const char good[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

static void turn_until_done(struct world *world, size_t i)
{
    for (int turn = 0; turn < 5000 && world->seen[i].count == 0; turn++) {
        (void)uv_run(&world->loop, UV_RUN_NOWAIT);
        (void)usleep(1000);
    }
    assert_int_equal(world->seen[i].count, 1);
}

/* The second request comes over another connection than the first. */
static void assert_leaves_anew(struct world *world)
{
    for (int turn = 0; turn < 20; turn++) {
        (void)uv_run(&world->loop, UV_RUN_NOWAIT);
        (void)usleep(1000);
    }
    start(world, 1);
    int before = world->served;
    world->served = -1;
    serve(world, good);
    turn_until_done(world, 1);
    assert_int_equal(world->seen[1].http_status, 200);
    (void)close(before);
}

static void test_what_comes_unasked_ends_a_connection(void **state)
{
    (void)state;
    static const char *const strays[] = {"x", "\r\n",
                                         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                                         "HTTP/1.1 408 Request Timeout\r\n\r\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(strays); i++) {
        struct world world;
        open_world(&world, "http://127.0.0.1", 1);
        world.once = true;
        start(&world, 0);
        serve(&world, good);
        turn_until_done(&world, 0);
        assert_true(send(world.served, strays[i], strlen(strays[i]), 0) > 0);
        assert_leaves_anew(&world);
        close_world(&world);
    }
}

/* Also where the loop has had no turn since, so that only the look before the request leaves tells.
 */
static void test_a_request_finds_what_came_unasked(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, "http://127.0.0.1", 1);
    world.once = true;
    start(&world, 0);
    serve(&world, good);
    turn_until_done(&world, 0);
    assert_true(send(world.served, good, strlen(good), 0) > 0);
    start(&world, 1);
    int before = world.served;
    world.served = -1;
    serve(&world, "HTTP/1.1 201 Another\r\nContent-Length: 2\r\n\r\n{}");
    turn_until_done(&world, 1);
    assert_int_equal(world.seen[1].http_status, 201);
    (void)close(before);
    close_world(&world);
}

static bool asleep; /* the machine has slept for an hour */

int __real_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now);

int __wrap_clock_gettime(clockid_t id, struct timespec *now)
{
    int result = __real_clock_gettime(id, now);

    if (id == CLOCK_BOOTTIME && asleep)
        now->tv_sec += 3600;
    return result;
}

static void test_a_connection_does_not_survive_the_machines_sleep(void **state)
{
    (void)state;
    struct world world;
    asleep = false;
    open_world(&world, "http://127.0.0.1", 1);
    world.once = true;
    start(&world, 0);
    serve(&world, good);
    turn_until_done(&world, 0);
    asleep = true;
    for (int turn = 0; turn < 400; turn++) { /* longer than a beat */
        (void)uv_run(&world.loop, UV_RUN_NOWAIT);
        (void)usleep(1000);
    }
    assert_leaves_anew(&world);
    close_world(&world);
    asleep = false;
}

static void test_an_answer_that_came_in_a_stall_is_read(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, "http://127.0.0.1", 1);
    world.once = true;
    world.timeout_ms = 200;
    reopen_transport(&world);
    start(&world, 0);
    serve(&world, good);
    (void)usleep(900 * 1000); /* nobody runs the loop */
    turn_until_done(&world, 0);
    assert_int_equal(world.seen[0].http_status, 200);
    close_world(&world);
}

static void test_without_an_answer_time_runs_out_also_after_a_stall(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, "http://127.0.0.1", 1);
    world.once = true;
    world.timeout_ms = 200;
    reopen_transport(&world);
    start(&world, 0);
    serve(&world, "HTTP/1.1 200 OK\r\n");
    (void)usleep(900 * 1000);
    turn_until_done(&world, 0);
    assert_int_equal(world.seen[0].state, ANSWER_IN_DOUBT);
    assert_string_equal(world.seen[0].detail, "time ran out before the answer was whole");
    close_world(&world);
}

/* The last guard of the key in clear text: whatever a name leads to. */
static void test_no_connection_to_another_machine_is_made_for_this_one(void **state)
{
    (void)state;
    struct world world;
    struct word_list resolve = {.count = 1};
    char item[64];
    open_world(&world, "http://127.0.0.1", 1);
    (void)snprintf(item, sizeof(item), "%s:192.0.2.1", world.endpoint.origin + strlen("http://"));
    resolve.items[0] = item;
    world.resolve = &resolve;
    world.once = true;
    reopen_transport(&world);
    start(&world, 0);
    turn_until_done(&world, 0);
    assert_int_equal(world.seen[0].state, ANSWER_NOT_SENT);
    assert_true(world.seen[0].hopeless);
    assert_non_null(strstr(world.seen[0].detail, "another machine"));
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_comes_unasked_ends_a_connection),
        cmocka_unit_test(test_a_request_finds_what_came_unasked),
        cmocka_unit_test(test_a_connection_does_not_survive_the_machines_sleep),
        cmocka_unit_test(test_an_answer_that_came_in_a_stall_is_read),
        cmocka_unit_test(test_without_an_answer_time_runs_out_also_after_a_stall),
        cmocka_unit_test(test_no_connection_to_another_machine_is_made_for_this_one),
        cmocka_unit_test(test_abort_calls_every_done_once_and_later),
        cmocka_unit_test(test_an_attempt_that_was_not_begun_has_no_latency_after_an_abort),
        cmocka_unit_test(test_what_had_left_is_in_doubt_after_an_abort),
        cmocka_unit_test(test_whole_headers_are_an_answer_after_an_abort),
        cmocka_unit_test(test_an_aborted_transport_starts_nothing),
        cmocka_unit_test(test_closing_right_after_an_abort_is_clean),
        cmocka_unit_test(test_each_method_has_its_request_line),
        cmocka_unit_test(test_a_token_is_renewed_before_it_ends),
        cmocka_unit_test(test_a_renewed_token_leaves_attempts_under_way_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
