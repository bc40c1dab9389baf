#include <time.h>

#include "net/transport_impl.h"

/*
 * How long an attempt may take, by a clock that stands still while the process does: stopped,
 * swapped out, or held up by a slow disk. The loop turns once in beat_ms at least; where it took
 * more than twice that, it was not for want of answers, and the whole time does not count. An
 * attempt ends for its time only behind the loop's poll: by then what had arrived for it has been
 * read. Attempts are in a list in the order in which they were begun, so that the first one is the
 * next to run out of time.
 *
 * While an attempt connects, libcurl has a clock as well, since it goes from one address to the
 * next by it, and that clock goes on during a stall. Such attempts get the time of the stall added,
 * and on_check ends those that have connected for too long by ours. Where libcurl ends one for its
 * time in the very call in which the stall was, transport_begin_again sends it again.
 *
 * When the machine has slept, its peers have forgotten their connections: none is used again.
 */

enum { BEAT_MIN_MS = 10, BEAT_MAX_MS = 250, BEATS_PER_TIMEOUT = 4, STALL_BEATS = 2 };

/* The machine slept, where its clocks have parted by so much. */
#define SLEEP_NS INT64_C(1000000000)

static uint64_t clock_ms(const struct transport *transport)
{
    return transport->seen_ms - transport->stalled_ms;
}

/* Attempts that are still connecting are under libcurl's clock, which has gone on. */
static void allow_for_stall(struct transport *transport, uint64_t stall_ms)
{
    transport->stalled_ms += stall_ms;
    for (struct exchange *exchange = transport->oldest; exchange != NULL;
         exchange = exchange->newer)
        if (exchange->prereq_calls == 0)
            exchange_allow_ms(exchange, &transport->options, stall_ms);
}

void transport_note_time(struct transport *transport)
{
    uint64_t now_ms = uv_hrtime() / 1000000;
    uint64_t turn_ms = now_ms - transport->seen_ms;

    transport->seen_ms = now_ms;
    if (turn_ms > STALL_BEATS * transport->beat_ms)
        allow_for_stall(transport, turn_ms);
}

void transport_begin(struct transport *transport, struct exchange *exchange)
{
    exchange->started_ns = uv_hrtime();
    exchange->begun_ms = clock_ms(transport);
    exchange->stalled_before_ms = transport->stalled_ms;
    exchange->newer = NULL;
    exchange->older = transport->youngest;
    if (transport->youngest != NULL)
        transport->youngest->newer = exchange;
    else
        transport->oldest = exchange;
    transport->youngest = exchange;
    exchange->begun = true;
    exchange->connecting = &transport->connecting;
    transport->connecting.count++;
}

void transport_end(struct transport *transport, struct exchange *exchange)
{
    if (!exchange->begun)
        return;
    exchange->begun = false;
    exchange_stop_connecting(exchange, CONNECTED_NOT);
    (void)curl_multi_remove_handle(exchange->lane->multi, exchange->easy);
    sockets_forget_closed(&exchange->lane->sockets);
    if (exchange->older != NULL)
        exchange->older->newer = exchange->newer;
    else
        transport->oldest = exchange->newer;
    if (exchange->newer != NULL)
        exchange->newer->older = exchange->older;
    else
        transport->youngest = exchange->older;
}

/* By our clock. */
static int64_t spent_ms(const struct transport *transport, const struct exchange *exchange)
{
    return (int64_t)(clock_ms(transport) - exchange->begun_ms);
}

static bool is_over(const struct transport *transport, const struct exchange *exchange)
{
    return spent_ms(transport, exchange) >= transport->options.request_timeout_ms;
}

/* Whether it has connected for too long, where libcurl was given more time than that by its clock.
 */
static bool connects_too_long(const struct transport *transport, const struct exchange *exchange)
{
    return exchange->allowed_ms > 0 && exchange->prereq_calls == 0 &&
           spent_ms(transport, exchange) >= handle_connect_ms(&transport->options);
}

/* Behind the poll: what has arrived has been read. An attempt's end may start others, which are
 * younger. */
static void on_check(uv_check_t *check)
{
    struct transport *transport = check->data;

    while (transport->oldest != NULL && is_over(transport, transport->oldest))
        transport_finish(transport, transport->oldest, CURLE_OPERATION_TIMEDOUT);
    if (transport->stalled_ms == transport->forgiven_ms)
        return;
    bool any = false;
    struct exchange *next;
    for (struct exchange *exchange = transport->oldest; exchange != NULL; exchange = next) {
        next = exchange->newer;
        any |= exchange->allowed_ms > 0;
        if (connects_too_long(transport, exchange))
            transport_finish(transport, exchange, CURLE_OPERATION_TIMEDOUT);
    }
    if (!any)
        transport->forgiven_ms = transport->stalled_ms;
}

/* How long the machine has slept altogether: one of its clocks goes on then, the loop's does not.
 */
static int64_t asleep_ns(void)
{
    struct timespec with = {.tv_sec = 0}, without = {.tv_sec = 0};

    (void)clock_gettime(CLOCK_BOOTTIME, &with);
    (void)clock_gettime(CLOCK_MONOTONIC, &without);
    return (int64_t)(with.tv_sec - without.tv_sec) * 1000000000 + with.tv_nsec - without.tv_nsec;
}

static bool has_slept(struct transport *transport)
{
    int64_t now_ns = asleep_ns();
    bool slept = now_ns - transport->asleep_ns >= SLEEP_NS;

    transport->asleep_ns = now_ns;
    return slept;
}

static void on_beat(uv_timer_t *beat)
{
    struct transport *transport = beat->data;
    const struct exchange *oldest = transport->oldest;
    int64_t next_ms = (int64_t)transport->beat_ms;

    transport_note_time(transport);
    if (has_slept(transport))
        for (size_t i = 0; i < transport->lane_count; i++)
            sockets_spoil_idle(&transport->lanes[i].sockets);
    if (oldest != NULL) {
        int64_t left_ms = transport->options.request_timeout_ms - spent_ms(transport, oldest);
        next_ms = left_ms < next_ms ? left_ms : next_ms;
    }
    (void)uv_timer_start(beat, on_beat, next_ms > 0 ? (uint64_t)next_ms : 1, 0);
}

static uint64_t beat_of(const struct transport_options *options)
{
    int64_t beat_ms = handle_connect_ms(options) / BEATS_PER_TIMEOUT;

    if (beat_ms > BEAT_MAX_MS)
        return BEAT_MAX_MS;
    return beat_ms < BEAT_MIN_MS ? BEAT_MIN_MS : (uint64_t)beat_ms;
}

enum status transport_start_clock(struct transport *transport)
{
    (void)uv_timer_init(transport->loop, &transport->beat);
    (void)uv_check_init(transport->loop, &transport->check);
    transport->beat.data = transport->check.data = transport;
    transport->open_handles += 2;
    transport->beat_ms = beat_of(&transport->options);
    transport->seen_ms = uv_hrtime() / 1000000;
    transport->asleep_ns = asleep_ns();
    bool started = uv_check_start(&transport->check, on_check) == 0 &&
                   uv_timer_start(&transport->beat, on_beat, transport->beat_ms, 0) == 0;
    uv_unref((uv_handle_t *)&transport->beat);
    uv_unref((uv_handle_t *)&transport->check);
    return started ? STATUS_OK : STATUS_NETWORK;
}
