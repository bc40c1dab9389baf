#include "unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#include "net/transport.h"

/*
 * The transport in a loop of the test's own. The peer is a listening socket on loopback: the kernel
 * completes its connections, and nobody reads from them unless a test does.
 */
struct world {
    uv_loop_t loop;
    int listener;
    int served; /* the connection that was accepted, or -1 */
    struct endpoint endpoint;
    struct credentials credentials;
    struct transport *transport;
    struct seen {
        unsigned count;
        enum answer_state state;
        int http_status;
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

static void open_world(struct world *world, const char *host, size_t concurrency)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    struct buf message;
    char url[64];

    *world = (struct world){.served = -1};
    buf_init(&message, 4096);
    world->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(world->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(world->listener, 16), 0);
    assert_int_equal(getsockname(world->listener, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(url, sizeof(url), "%s:%d", host, ntohs(address.sin_port));
    assert_int_equal(endpoint_parse(url, &message, &world->endpoint), STATUS_OK);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    struct transport_options options = {.endpoint = &world->endpoint,
                                        .credentials = &world->credentials,
                                        .concurrency = concurrency,
                                        .connect_timeout_ms = 60000,
                                        .request_timeout_ms = 60000};
    assert_int_equal(transport_open(&world->loop, &options, &message, &world->transport),
                     STATUS_OK);
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
    (void)snprintf(seen->detail, sizeof(seen->detail), "%.*s", SPAN_ARG(answer->detail));
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
    char text[4096];
    size_t len = 0;

    for (int turn = 0; turn < 1000 && len == 0; turn++) {
        (void)uv_run(&world->loop, UV_RUN_NOWAIT);
        if (world->served < 0)
            world->served = accept4(world->listener, NULL, NULL, SOCK_NONBLOCK);
        ssize_t got = recv(world->served, text, sizeof(text), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_abort_calls_every_done_once_and_later),
        cmocka_unit_test(test_what_had_left_is_in_doubt_after_an_abort),
        cmocka_unit_test(test_whole_headers_are_an_answer_after_an_abort),
        cmocka_unit_test(test_an_aborted_transport_starts_nothing),
        cmocka_unit_test(test_closing_right_after_an_abort_is_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
