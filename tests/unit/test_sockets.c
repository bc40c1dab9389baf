#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <unistd.h>

#include "net/sockets.h"

/* A connection over loopback: one end is made by sockets_open, the other is the test's. */
struct world {
    uv_loop_t loop;
    uv_prepare_t alive; /* keeps the loop going, as the transport does while it has work */
    struct sockets sockets;
    int listener, ours, theirs;
    unsigned calls;
    int events;  /* of the last call */
    bool closes; /* the callback closes the socket, as libcurl does on an error */
};

static void on_ready(void *context, curl_socket_t socket, int events)
{
    struct world *world = context;

    assert_int_equal(socket, world->ours);
    world->calls++;
    world->events = events;
    if (world->closes)
        assert_int_equal(sockets_close(&world->sockets, world->ours), 0);
}

static void on_alive(uv_prepare_t *alive)
{
    (void)alive;
}

static void connect_ours(struct world *world)
{
    struct curl_sockaddr wanted = {.family = AF_INET, .socktype = SOCK_STREAM};
    struct sockaddr_in address;
    socklen_t len = sizeof(address);

    assert_int_equal(getsockname(world->listener, (struct sockaddr *)&address, &len), 0);
    world->ours = sockets_open(&world->sockets, CURLSOCKTYPE_IPCXN, &wanted);
    assert_true(world->ours >= 0);
    assert_true((fcntl(world->ours, F_GETFD) & FD_CLOEXEC) != 0);
    assert_true((fcntl(world->ours, F_GETFL) & O_NONBLOCK) != 0);
    (void)connect(world->ours, (struct sockaddr *)&address, len);
    world->theirs = accept(world->listener, NULL, NULL);
    assert_true(world->theirs >= 0);
}

static void open_world(struct world *world)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};

    *world = (struct world){.calls = 0};
    world->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(world->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(world->listener, 4), 0);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    assert_int_equal(uv_prepare_init(&world->loop, &world->alive), 0);
    assert_int_equal(uv_prepare_start(&world->alive, on_alive), 0);
    sockets_init(&world->sockets, &world->loop, on_ready, world);
    connect_ours(world);
}

static void close_world(struct world *world)
{
    sockets_deinit(&world->sockets);
    uv_close((uv_handle_t *)&world->alive, NULL);
    assert_int_equal(uv_run(&world->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    (void)close(world->theirs);
    (void)close(world->listener);
}

static void watch(struct world *world, int what)
{
    assert_int_equal(sockets_watch(&world->sockets, world->ours, what), 0);
}

/* How often libcurl is called in some turns of the loop. */
static unsigned calls_in(struct world *world, int turns)
{
    unsigned before = world->calls;

    for (int turn = 0; turn < turns; turn++) {
        (void)uv_run(&world->loop, UV_RUN_NOWAIT);
        (void)usleep(1000);
    }
    return world->calls - before;
}

static void say(struct world *world)
{
    assert_int_equal(write(world->theirs, "x", 1), 1);
}

static void hear(struct world *world)
{
    char byte;
    assert_int_equal(read(world->ours, &byte, 1), 1);
}

static void test_libcurl_hears_of_what_it_waits_for(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    watch(&world, CURL_POLL_OUT);
    assert_int_equal(calls_in(&world, 1), 1);
    assert_int_equal(world.events, CURL_CSELECT_OUT);
    watch(&world, CURL_POLL_IN);
    assert_int_equal(calls_in(&world, 3), 0);
    say(&world);
    assert_int_equal(calls_in(&world, 1), 1);
    assert_int_equal(world.events, CURL_CSELECT_IN);
    watch(&world, CURL_POLL_INOUT);
    assert_int_equal(calls_in(&world, 1), 1);
    assert_int_equal(world.events, CURL_CSELECT_IN | CURL_CSELECT_OUT);
    assert_int_equal(sockets_close(&world.sockets, world.ours), 0);
    close_world(&world);
}

/* As libcurl closes a connection that never came about: not by sockets_close. */
static void close_silently(struct world *world)
{
    watch(world, CURL_POLL_OUT);
    watch(world, CURL_POLL_REMOVE);
    (void)close(world->ours);
    (void)close(world->theirs);
}

static void test_a_connection_that_is_closed_silently_is_forgotten(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    sockets_forget_closed(&world.sockets);
    watch(&world, CURL_POLL_REMOVE);
    sockets_forget_closed(&world.sockets); /* it is still there */
    watch(&world, CURL_POLL_IN);
    say(&world);
    assert_int_equal(calls_in(&world, 1), 1);
    close_silently(&world);
    sockets_forget_closed(&world.sockets);
    assert_null(hashmap_get(&world.sockets.watchers, (uint64_t)world.ours));
    assert_null(world.sockets.unnamed);
    close_world(&world);
}

static void test_its_number_may_be_another_connection_s_in_the_same_call(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    int number = world.ours;
    close_silently(&world);
    connect_ours(&world);
    assert_int_equal(world.ours, number);
    watch(&world, CURL_POLL_IN);
    sockets_forget_closed(&world.sockets);
    say(&world);
    assert_int_equal(calls_in(&world, 1), 1);
    assert_int_equal(sockets_close(&world.sockets, world.ours), 0);
    close_world(&world);
}

static void test_a_connection_is_watched_again_from_request_to_request(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    for (int request = 0; request < 5; request++) {
        watch(&world, CURL_POLL_IN);
        say(&world);
        assert_int_equal(calls_in(&world, 1), 1);
        hear(&world);
        watch(&world, CURL_POLL_REMOVE);
        assert_int_equal(calls_in(&world, 3), 0);
    }
    assert_int_equal(sockets_close(&world.sockets, world.ours), 0);
    close_world(&world);
}

/* What comes over an idle connection waits for the next request, and the loop does not spin. */
static void test_an_idle_connection_calls_nobody(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    watch(&world, CURL_POLL_IN);
    watch(&world, CURL_POLL_REMOVE);
    say(&world);
    assert_int_equal(calls_in(&world, 5), 0);
    watch(&world, CURL_POLL_IN);
    assert_int_equal(calls_in(&world, 1), 1);
    assert_int_equal(world.events, CURL_CSELECT_IN);
    hear(&world);
    watch(&world, CURL_POLL_REMOVE);
    (void)shutdown(world.theirs, SHUT_RDWR);
    assert_int_equal(calls_in(&world, 5), 0);
    watch(&world, CURL_POLL_OUT);
    watch(&world, CURL_POLL_REMOVE); /* writable, and nobody wants to know */
    assert_int_equal(calls_in(&world, 5), 0);
    assert_int_equal(sockets_close(&world.sockets, world.ours), 0);
    close_world(&world);
}

/* A request leaves over the connection. */
static enum sockets_use begin(struct world *world, struct sockets_ticket *ret_ticket)
{
    struct sockaddr_in here, there;
    socklen_t len = sizeof(here);
    char local[INET_ADDRSTRLEN], remote[INET_ADDRSTRLEN];

    assert_int_equal(getsockname(world->ours, (struct sockaddr *)&here, &len), 0);
    assert_int_equal(getpeername(world->ours, (struct sockaddr *)&there, &len), 0);
    const struct sockets_ends ends = {inet_ntop(AF_INET, &here.sin_addr, local, sizeof(local)),
                                      inet_ntop(AF_INET, &there.sin_addr, remote, sizeof(remote)),
                                      ntohs(here.sin_port), ntohs(there.sin_port)};
    return sockets_begin(&world->sockets, &ends, ret_ticket);
}

static bool is_shut_down(struct world *world)
{
    char byte;
    return recv(world->ours, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

static void test_what_comes_over_an_idle_connection_spoils_it(void **state)
{
    (void)state;
    struct world world;
    struct sockets_ticket ticket;
    open_world(&world);
    assert_int_equal(begin(&world, &ticket), SOCKETS_FRESH);
    watch(&world, CURL_POLL_IN);
    watch(&world, CURL_POLL_REMOVE);
    assert_int_equal(begin(&world, &ticket), SOCKETS_REUSED);
    say(&world);
    assert_int_equal(calls_in(&world, 3), 0);
    assert_true(is_shut_down(&world));
    assert_int_equal(begin(&world, &ticket), SOCKETS_SPOILED);
    assert_int_equal(sockets_close(&world.sockets, world.ours), 0);
    close_world(&world);
}

static void test_a_request_looks_before_it_leaves(void **state)
{
    (void)state;
    struct world world;
    struct sockets_ticket ticket;
    open_world(&world);
    say(&world); /* a session ticket of TLS, for all that is known */
    assert_int_equal(begin(&world, &ticket), SOCKETS_FRESH);
    assert_int_equal(begin(&world, &ticket), SOCKETS_SPOILED);
    hear(&world);
    assert_int_equal(begin(&world, &ticket), SOCKETS_SPOILED); /* once and for all */
    assert_int_equal(sockets_close(&world.sockets, world.ours), 0);
    (void)close(world.theirs);
    connect_ours(&world);
    assert_int_equal(begin(&world, &ticket), SOCKETS_FRESH);
    (void)shutdown(world.theirs, SHUT_RDWR);
    assert_int_equal(begin(&world, &ticket), SOCKETS_SPOILED);
    assert_int_equal(sockets_close(&world.sockets, world.ours), 0);
    close_world(&world);
}

/* A connection that has carried a request and is idle now. */
static void connect_idle(struct world *world)
{
    struct sockets_ticket ticket;

    assert_int_equal(sockets_close(&world->sockets, world->ours), 0);
    (void)close(world->theirs);
    connect_ours(world);
    assert_int_equal(begin(world, &ticket), SOCKETS_FRESH);
    watch(world, CURL_POLL_IN);
    watch(world, CURL_POLL_REMOVE);
}

/* It counts for one request, until it ends, and for a moment; what comes before it spoils. */
static void test_a_look_at_all_counts_once_for_each(void **state)
{
    (void)state;
    struct world world;
    struct sockets_ticket ticket;
    open_world(&world);
    connect_idle(&world);
    sockets_look(&world.sockets);
    world.sockets.look_until_ns = UINT64_MAX; /* however slow this machine is */
    say(&world);
    assert_int_equal(begin(&world, &ticket), SOCKETS_REUSED);
    assert_int_equal(begin(&world, &ticket), SOCKETS_SPOILED);
    connect_idle(&world);
    sockets_look(&world.sockets);
    say(&world);
    (void)usleep(20000); /* another process has the processor */
    assert_int_equal(begin(&world, &ticket), SOCKETS_SPOILED);
    connect_idle(&world);
    sockets_look(&world.sockets);
    sockets_end_look(&world.sockets);
    say(&world);
    assert_int_equal(begin(&world, &ticket), SOCKETS_SPOILED);
    connect_idle(&world);
    say(&world);
    sockets_look(&world.sockets);
    assert_true(is_shut_down(&world));
    assert_int_equal(begin(&world, &ticket), SOCKETS_SPOILED);
    assert_int_equal(sockets_close(&world.sockets, world.ours), 0);
    close_world(&world);
}

/* An answer that is there is its request's. */
static void test_a_look_leaves_what_is_under_way(void **state)
{
    (void)state;
    struct world world;
    struct sockets_ticket ticket;
    open_world(&world);
    connect_idle(&world);
    watch(&world, CURL_POLL_IN);
    say(&world);
    sockets_look(&world.sockets);
    assert_false(is_shut_down(&world));
    hear(&world);
    watch(&world, CURL_POLL_REMOVE);
    assert_int_equal(begin(&world, &ticket), SOCKETS_REUSED);
    assert_int_equal(sockets_close(&world.sockets, world.ours), 0);
    close_world(&world);
}

static void test_http2_is_left_to_libcurl(void **state)
{
    (void)state;
    struct world world;
    struct sockets_ticket ticket;
    open_world(&world);
    assert_int_equal(begin(&world, &ticket), SOCKETS_FRESH);
    sockets_set_multiplexed(&world.sockets, ticket);
    watch(&world, CURL_POLL_IN);
    watch(&world, CURL_POLL_REMOVE);
    say(&world);
    assert_int_equal(calls_in(&world, 3), 0);
    assert_false(is_shut_down(&world));
    sockets_look(&world.sockets);
    assert_false(is_shut_down(&world));
    assert_int_equal(begin(&world, &ticket), SOCKETS_REUSED);
    sockets_spoil(&world.sockets, ticket);
    assert_int_equal(begin(&world, &ticket), SOCKETS_SPOILED);
    assert_int_equal(sockets_close(&world.sockets, world.ours), 0);
    close_world(&world);
}

static void test_a_ticket_is_good_for_its_own_connection_only(void **state)
{
    (void)state;
    struct world world;
    struct sockets_ticket ticket, later;
    open_world(&world);
    assert_int_equal(begin(&world, &ticket), SOCKETS_FRESH);
    int number = world.ours;
    assert_int_equal(sockets_close(&world.sockets, world.ours), 0);
    (void)close(world.theirs);
    connect_ours(&world);
    assert_true(world.ours == number || world.ours == number + 1);
    assert_int_equal(begin(&world, &later), SOCKETS_FRESH);
    sockets_spoil(&world.sockets, ticket);
    assert_int_equal(begin(&world, &later), SOCKETS_REUSED);
    sockets_forbid(&world.sockets, later);
    assert_false(is_shut_down(&world)); /* what it carries goes on */
    assert_int_equal(begin(&world, &later), SOCKETS_SPOILED);
    assert_int_equal(sockets_close(&world.sockets, world.ours), 0);
    close_world(&world);
}

static void test_only_loopback_means_it(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        bool here;
    } cases[] = {{"127.0.0.1", true},        {"127.255.0.9", true},       {"::1", true},
                 {"::ffff:127.0.0.1", true}, {"192.0.2.1", false},        {"0.0.0.0", false},
                 {"128.0.0.1", false},       {"::ffff:192.0.2.1", false}, {"::", false},
                 {"fe80::1", false},         {"2001:db8::1", false}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct world world;
        /* libcurl's has room for any address, although its type says less */
        union {
            struct curl_sockaddr address;
            char room[sizeof(struct curl_sockaddr) + sizeof(struct sockaddr_storage)];
        } wanted = {.address = {.socktype = SOCK_STREAM}};
        void *end = &wanted.address.addr;
        struct sockaddr_in *v4 = end;
        struct sockaddr_in6 *v6 = end;
        bool is_v6 = strchr(cases[i].address, ':') != NULL;
        open_world(&world);
        world.sockets.only_loopback = true;
        wanted.address.family = is_v6 ? AF_INET6 : AF_INET;
        assert_int_equal(inet_pton(wanted.address.family, cases[i].address,
                                   is_v6 ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr),
                         1);
        curl_socket_t fd = sockets_open(&world.sockets, CURLSOCKTYPE_IPCXN, &wanted.address);
        assert_int_equal(fd != CURL_SOCKET_BAD, cases[i].here);
        assert_int_equal(world.sockets.refused, !cases[i].here);
        if (fd != CURL_SOCKET_BAD)
            assert_int_equal(sockets_close(&world.sockets, fd), 0);
        assert_int_equal(sockets_close(&world.sockets, world.ours), 0);
        close_world(&world);
    }
}

static void test_a_closed_number_can_be_taken_again_at_once(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    for (int round = 0; round < 5; round++) {
        int number = world.ours;
        watch(&world, CURL_POLL_IN);
        say(&world);
        assert_int_equal(sockets_close(&world.sockets, world.ours), 0);
        (void)close(world.theirs);
        connect_ours(&world);
        assert_true(world.ours == number || world.ours == number + 1);
        watch(&world, CURL_POLL_IN);
        assert_int_equal(calls_in(&world, 2), 0); /* the old one's byte is not for it */
        say(&world);
        assert_int_equal(calls_in(&world, 1), 1);
    }
    assert_int_equal(sockets_close(&world.sockets, world.ours), 0);
    close_world(&world);
}

static void test_a_socket_may_be_closed_from_its_own_call(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    world.closes = true;
    watch(&world, CURL_POLL_IN);
    say(&world);
    assert_int_equal(calls_in(&world, 3), 1);
    close_world(&world);
}

/* The resolver's sockets: libcurl closes them itself, right after it has taken its interest back.
 */
static void test_a_socket_of_libcurls_own_is_let_go(void **state)
{
    (void)state;
    struct world world;
    int pair[2], mine;
    open_world(&world);
    mine = world.ours;
    for (int round = 0; round < 3; round++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        world.ours = pair[0];
        watch(&world, CURL_POLL_IN);
        assert_int_equal(world.sockets.watchers.count, 2);
        assert_int_equal(write(pair[1], "x", 1), 1);
        assert_int_equal(calls_in(&world, 1), 1);
        watch(&world, CURL_POLL_REMOVE);
        assert_int_equal(world.sockets.watchers.count, 1);
        (void)close(pair[0]);
        (void)close(pair[1]);
    }
    watch(&world, CURL_POLL_REMOVE); /* of one that is not watched */
    assert_int_equal(sockets_close(&world.sockets, mine), 0);
    close_world(&world);
}

/* Even while libcurl waits for one: what is in flight keeps the loop alive, not its socket. */
static void test_sockets_do_not_keep_the_loop_alive(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    watch(&world, CURL_POLL_IN);
    assert_int_equal(uv_prepare_stop(&world.alive), 0);
    assert_int_equal(uv_run(&world.loop, UV_RUN_DEFAULT), 0);
    int ours = world.ours;
    close_world(&world); /* with an open one, as after a failure */
    (void)close(ours);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_libcurl_hears_of_what_it_waits_for),
        cmocka_unit_test(test_a_connection_that_is_closed_silently_is_forgotten),
        cmocka_unit_test(test_its_number_may_be_another_connection_s_in_the_same_call),
        cmocka_unit_test(test_a_connection_is_watched_again_from_request_to_request),
        cmocka_unit_test(test_an_idle_connection_calls_nobody),
        cmocka_unit_test(test_what_comes_over_an_idle_connection_spoils_it),
        cmocka_unit_test(test_a_request_looks_before_it_leaves),
        cmocka_unit_test(test_a_look_at_all_counts_once_for_each),
        cmocka_unit_test(test_a_look_leaves_what_is_under_way),
        cmocka_unit_test(test_http2_is_left_to_libcurl),
        cmocka_unit_test(test_a_ticket_is_good_for_its_own_connection_only),
        cmocka_unit_test(test_only_loopback_means_it),
        cmocka_unit_test(test_a_closed_number_can_be_taken_again_at_once),
        cmocka_unit_test(test_a_socket_may_be_closed_from_its_own_call),
        cmocka_unit_test(test_a_socket_of_libcurls_own_is_let_go),
        cmocka_unit_test(test_sockets_do_not_keep_the_loop_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
