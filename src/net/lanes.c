#include "net/transport_impl.h"

/*
 * libcurl's multi handles on the loop (README.md, section 5). libcurl tells which sockets to watch
 * and when to be called again; libuv watches and calls. After every call of libcurl the finished
 * transfers are drained, and only then, outside of libcurl, their owners are told: they may start
 * new ones at once.
 *
 * What they start waits until the loop has taken the answers that are there, and then goes out in
 * one go: a server that the first request wakes finds the others when it is done with it. Where
 * many answers come at once, it goes as soon as SEND_AT of them wait, or what the first ones need
 * has left the processor's cache.
 *
 * libcurl asks for two kinds of calls: at once, which makes a lane due, and later, by a timer. Due
 * lanes are driven before the loop waits, until none is, but not for ever: a lane that is due again
 * after DUE_ROUNDS_MAX rounds waits for a millisecond, so that the loop gets its turn.
 */

enum { LANE_CONNECTIONS = 16 };

/*
 * So many seconds a name's addresses are good. libcurl drops older ones after each request that has
 * such a limit, for which it goes through its table: one request in that time has it, the others
 * take what is there, so that addresses are used for twice as long at the most.
 */
enum { NAME_AGE_MAX_S = 60, NAME_AGE_ANY = -1 };

enum { SEND_AT = 64, DUE_ROUNDS_MAX = 64 };

static struct exchange *exchange_of(CURL *easy)
{
    char *private = NULL;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    return (struct exchange *)(void *)private;
}

static void drain(struct lane *lane)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(lane->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result; /* the message dies with the removal of its handle */
        struct exchange *exchange = exchange_of(message->easy_handle);
        if (!transport_begin_again(lane->transport, exchange, code))
            transport_finish(lane->transport, exchange, code);
    }
}

static void drive(struct lane *lane, curl_socket_t socket, int events)
{
    int running = 0;

    if (lane->transport->closing)
        return;
    transport_note_time(lane->transport);
    if (lane->new_count > 1)
        sockets_look(&lane->sockets);
    lane->new_count = 0;
    (void)curl_multi_socket_action(lane->multi, socket, events, &running);
    sockets_end_look(&lane->sockets);
    sockets_forget_closed(&lane->sockets);
    drain(lane);
}

static void set_due(struct lane *lane, bool due)
{
    struct transport *transport = lane->transport;

    if (lane->due == due)
        return;
    lane->due = due;
    transport->due_count = due ? transport->due_count + 1 : transport->due_count - 1;
}

static void on_timer(uv_timer_t *timer);

/* Wakes the lane in `delay_ms` at the latest. A timer that is set for an earlier time stays: most
 * requests put off libcurl's next time, and moving the timer for each costs more than waking up in
 * vain now and then. */
static int wake_lane(struct lane *lane, uint64_t delay_ms)
{
    uint64_t due_in_ms = uv_timer_get_due_in(&lane->timer); /* 0 where it is not set */

    if (due_in_ms > 0 && due_in_ms <= delay_ms)
        return 0;
    return uv_timer_start(&lane->timer, on_timer, delay_ms, 0);
}

/* libcurl tells changes of its next time alone, so that after a call in vain it has to be asked. */
static void on_timer(uv_timer_t *timer)
{
    struct lane *lane = timer->data;
    long left_ms = -1;

    drive(lane, CURL_SOCKET_TIMEOUT, 0);
    (void)curl_multi_timeout(lane->multi, &left_ms);
    if (left_ms > 0)
        (void)wake_lane(lane, (uint64_t)left_ms);
    else if (left_ms == 0)
        set_due(lane, true);
}

static CURLcode limit_name_age(struct exchange *exchange, uint64_t now_ms)
{
    struct lane *lane = exchange->lane;
    bool is_check = !lane->has_checked_names ||
                    now_ms - lane->names_checked_ms >= (uint64_t)NAME_AGE_MAX_S * 1000;

    if (is_check) {
        lane->has_checked_names = true;
        lane->names_checked_ms = now_ms;
    }
    return curl_easy_setopt(exchange->easy, CURLOPT_DNS_CACHE_TIMEOUT,
                            (long)(is_check ? NAME_AGE_MAX_S : NAME_AGE_ANY));
}

/* Hands libcurl what was started since the last time, by which the lanes become due, as far as not
 * too many connections are being made. */
static void add_new(struct transport *transport)
{
    struct exchange *exchange;

    while (transport->connecting.count < transport->connecting.room &&
           (exchange = transport_take_new(transport)) != NULL) {
        transport_begin(transport, exchange);
        exchange->lane->new_count++;
        if (limit_name_age(exchange, uv_now(transport->loop)) != CURLE_OK ||
            curl_multi_add_handle(exchange->lane->multi, exchange->easy) != CURLM_OK)
            transport_finish(transport, exchange, CURLE_OUT_OF_MEMORY);
    }
}

static void drive_due(struct transport *transport)
{
    add_new(transport);
    for (int round = 0; transport->due_count > 0 && round < DUE_ROUNDS_MAX; round++) {
        for (size_t i = 0; i < transport->lane_count; i++) {
            if (!transport->lanes[i].due)
                continue;
            set_due(&transport->lanes[i], false);
            drive(&transport->lanes[i], CURL_SOCKET_TIMEOUT, 0);
        }
        add_new(transport);
    }
}

void transport_on_prepare(uv_prepare_t *prepare)
{
    struct transport *transport = prepare->data;

    transport_note_time(transport);
    drive_due(transport);
    for (size_t i = 0; transport->due_count > 0 && i < transport->lane_count; i++) {
        if (!transport->lanes[i].due)
            continue;
        set_due(&transport->lanes[i], false);
        (void)wake_lane(&transport->lanes[i], 1);
    }
}

/* libcurl's timer callback: it must not call libcurl, so it only notes when. */
static int on_curl_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct lane *lane = context;

    (void)multi;
    set_due(lane, timeout_ms == 0);
    return timeout_ms > 0 ? wake_lane(lane, (uint64_t)timeout_ms) : 0;
}

static void on_socket_ready(void *context, curl_socket_t socket, int events)
{
    struct lane *lane = context;

    drive(lane, socket, events);
    if (lane->transport->new_count >= SEND_AT)
        drive_due(lane->transport);
}

static int on_curl_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *assigned)
{
    struct lane *lane = context;

    (void)easy;
    (void)assigned;
    return sockets_watch(&lane->sockets, socket, what);
}

static enum status make_multi(struct lane *lane, size_t connections)
{
    CURLM *multi = curl_multi_init();
    CURLMcode code = CURLM_OK;

    lane->multi = multi;
    if (multi == NULL)
        return STATUS_NO_MEMORY;
#define SET(option, value) \
    if (code == CURLM_OK)  \
    code = curl_multi_setopt(multi, option, value)
    SET(CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    SET(CURLMOPT_SOCKETDATA, lane);
    SET(CURLMOPT_TIMERFUNCTION, on_curl_timer);
    SET(CURLMOPT_TIMERDATA, lane);
    SET(CURLMOPT_MAXCONNECTS, (long)connections);
    SET(CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
#undef SET
    return code == CURLM_OK ? STATUS_OK : STATUS_NETWORK;
}

enum status transport_make_lanes(struct transport *transport)
{
    size_t count = (transport->options.concurrency + LANE_CONNECTIONS - 1) / LANE_CONNECTIONS;
    size_t exchanges = transport->options.concurrency + 1;
    enum status status = STATUS_OK;

    transport->lanes = calloc(count, sizeof(*transport->lanes));
    if (transport->lanes == NULL)
        return STATUS_NO_MEMORY;
    transport->lane_count = count;
    for (size_t i = 0; i < count; i++) { /* all of them, since all of them will be closed */
        struct lane *lane = &transport->lanes[i];
        lane->transport = transport;
        lane->timer.data = lane;
        (void)uv_timer_init(transport->loop, &lane->timer);
        uv_unref((uv_handle_t *)&lane->timer); /* what is in flight keeps the loop alive */
        transport->open_handles++;
        sockets_init(&lane->sockets, transport->loop, on_socket_ready, lane);
        lane->sockets.only_loopback =
            wire_stays_here(&transport->options.wire, transport->options.endpoint);
    }
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = make_multi(&transport->lanes[i], (exchanges + count - 1) / count);
    return status;
}

static void close_lane(struct lane *lane)
{
    if (lane->multi != NULL)
        (void)curl_multi_cleanup(lane->multi);
    sockets_deinit(&lane->sockets);
    lane->timer.data = lane->transport;
    uv_close((uv_handle_t *)&lane->timer, transport_on_handle_closed);
}

void transport_close_lanes(struct transport *transport)
{
    for (size_t i = 0; i < transport->lane_count; i++)
        close_lane(&transport->lanes[i]);
}
