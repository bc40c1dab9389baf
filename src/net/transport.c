#include "net/transport.h"

#include <time.h>

#include "net/exchange.h"
#include "net/memory.h"
#include "net/sockets.h"

/*
 * The loop, by sending.md section 4. libcurl tells which sockets to watch and when to be called
 * again; libuv watches and calls. After every curl_multi_socket_action the finished transfers are
 * drained, and only then, outside of libcurl, their owners are told: they may start new ones at
 * once. What they start waits until the loop has taken the answers that are there, and then goes
 * out in one go: a server that the first request wakes finds the others when it is done with it.
 * Where many answers come at once, it goes as soon as SEND_AT of them wait, or what the first ones
 * need has left the processor's cache.
 *
 * How long an attempt may take is measured by a clock that stands still while the process does. The
 * loop turns once in beat_ms at least; where it took more than twice that, it was not for want of
 * answers, and the whole time does not count. And an attempt ends for its time only behind the
 * loop's poll: by then what had arrived for it has been read.
 */
struct transport {
    uv_loop_t *loop;
    struct transport_options options;
    struct exchange_options exchange_options;
    struct lane *lanes;
    size_t lane_count;
    struct exchange *exchanges; /* one more than the concurrency: see finish_exchange */
    size_t exchange_count;
    struct exchange *free_exchanges;
    struct exchange *first_new; /* started, and not handed to libcurl yet, in order */
    struct exchange **last_new; /* where the next one goes */
    size_t new_count;
    uv_prepare_t prepare; /* runs what libcurl wants done at once, without a timer's millisecond */
    uv_idle_t abort;      /* ends all attempts in the loop's next turn */
    bool closing;
    bool aborted;
    struct exchange *finishing;         /* its owner is being told */
    struct exchange *oldest, *youngest; /* of the attempts that were begun and have not ended */
    uv_timer_t beat;                    /* turns the loop, see below */
    uv_check_t check;                   /* looks for attempts whose time is over */
    uint64_t beat_ms;
    uint64_t seen_ms;     /* when the time was looked at last */
    uint64_t stalled_ms;  /* altogether */
    int64_t asleep_ns;    /* how long the machine has slept altogether */
    uint64_t forgiven_ms; /* of these, the stalls of which no attempt is left */
    size_t due_count;     /* lanes */
    size_t in_flight;     /* while there are any, the prepare handle keeps the loop alive */
    size_t open_handles;  /* libuv handles whose close callback is still to come */
};

/*
 * A part of the connections, and a multi handle of its own for them: libcurl goes through all that
 * a handle has for each request, which for 1024 cost as much as half of all the rest.
 */
struct lane {
    struct transport *transport;
    CURLM *multi;
    struct sockets sockets;
    uv_timer_t timer;
    size_t new_count; /* attempts that libcurl was given since it was called last */
    bool due;
    bool has_checked_names;
    uint64_t names_checked_ms;
};

enum { LANE_CONNECTIONS = 16 };

/*
 * So many seconds a name's addresses are good. libcurl drops older ones after each request that has
 * such a limit, for which it goes through its table: one request in that time has it, the others
 * take what is there, so that addresses are used for twice as long at the most.
 */
enum { NAME_AGE_MAX_S = 60 };

enum { BEAT_MIN_MS = 10, BEAT_MAX_MS = 250, BEATS_PER_TIMEOUT = 4, STALL_BEATS = 2 };

/* The machine slept, where its clocks have parted by so much. */
#define SLEEP_NS INT64_C(1000000000)

enum { SEND_AT = 64 };

/* How often a prepare may find libcurl due again before the loop gets a turn. */
enum { DUE_ROUNDS_MAX = 64 };

static struct exchange *exchange_of(CURL *easy)
{
    char *private = NULL;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    return (struct exchange *)(void *)private;
}

/* By the clock that stands still while the process does. */
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
            exchange_allow_ms(exchange, &transport->exchange_options, stall_ms);
}

/* Before libcurl is called, since it looks at its clock first. */
static void note_time(struct transport *transport)
{
    uint64_t now_ms = uv_hrtime() / 1000000;
    uint64_t turn_ms = now_ms - transport->seen_ms;

    transport->seen_ms = now_ms;
    if (turn_ms > STALL_BEATS * transport->beat_ms)
        allow_for_stall(transport, turn_ms);
}

static void begin(struct transport *transport, struct exchange *exchange)
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
}

/* What was begun has ended, however that came. */
static void end(struct transport *transport, struct exchange *exchange)
{
    if (!exchange->begun)
        return;
    exchange->begun = false;
    (void)curl_multi_remove_handle(exchange->lane->multi, exchange->easy);
    if (exchange->older != NULL)
        exchange->older->newer = exchange->newer;
    else
        transport->oldest = exchange->newer;
    if (exchange->newer != NULL)
        exchange->newer->older = exchange->older;
    else
        transport->youngest = exchange->older;
}

/* No request leaves any more over the connection that this one left over; one that already has will
 * be given the wrong answer. */
static void spoil_connection(struct transport *transport, const struct exchange *exchange)
{
    uint64_t serial = exchange->connection.serial;

    sockets_spoil(exchange->sockets, exchange->connection);
    for (struct exchange *other = transport->oldest; other != NULL; other = other->newer)
        if (other != exchange && other->sockets == exchange->sockets && serial != 0 &&
            other->connection.serial == serial && !other->multiplexed)
            other->overtaken = true;
}

static void finish_exchange(struct transport *transport, struct exchange *exchange, CURLcode code)
{
    end(transport, exchange);
    if (exchange_may_be_unasked(exchange))
        spoil_connection(transport, exchange);
    exchange->active = false;
    if (--transport->in_flight == 0)
        uv_unref((uv_handle_t *)&transport->prepare);
    struct answer answer = exchange_answer(exchange, code, uv_hrtime());
    /* The exchange stays taken during the call: the answer's spans point into it. A new attempt
     * finds the spare one. */
    transport->finishing = exchange;
    exchange->done(exchange->context, &answer);
    transport->finishing = NULL;
    exchange->next = transport->free_exchanges;
    transport->free_exchanges = exchange;
}

void transport_distrust(struct transport *transport)
{
    const struct exchange *exchange = transport->finishing;

    if (exchange != NULL)
        spoil_connection(transport, exchange);
}

/* Hands libcurl an attempt in its next turn. */
static void add_later(struct transport *transport, struct exchange *exchange)
{
    exchange->next = NULL;
    *transport->last_new = exchange;
    transport->last_new = &exchange->next;
    transport->new_count++;
}

/* Whether libcurl's clock ended an attempt to connect in which this process stood still: also in
 * the middle of a call of libcurl's, where no time could be allowed for it. */
static bool was_stalled(struct transport *transport, const struct exchange *exchange, CURLcode code)
{
    if (code != CURLE_OPERATION_TIMEDOUT || exchange->prereq_calls > 0)
        return false;
    note_time(transport);
    return exchange->stalled_before_ms != transport->stalled_ms;
}

/* Nothing has left: over a new connection, the attempt is what it was to be. */
static bool begin_again(struct transport *transport, struct exchange *exchange, CURLcode code)
{
    if (transport->aborted ||
        !(exchange_may_begin_again(exchange) || was_stalled(transport, exchange, code)))
        return false;
    end(transport, exchange);
    if (exchange_begin_again(exchange) != CURLE_OK)
        return false;
    add_later(transport, exchange);
    return true;
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
        if (!begin_again(lane->transport, exchange, code))
            finish_exchange(lane->transport, exchange, code);
    }
}

static void drive(struct lane *lane, curl_socket_t socket, int events)
{
    int running = 0;

    if (lane->transport->closing)
        return;
    note_time(lane->transport);
    if (lane->new_count > 1)
        sockets_look(&lane->sockets);
    lane->new_count = 0;
    (void)curl_multi_socket_action(lane->multi, socket, events, &running);
    sockets_end_look(&lane->sockets);
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

static void forget_new(struct transport *transport)
{
    transport->first_new = NULL;
    transport->last_new = &transport->first_new;
    transport->new_count = 0;
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
    return exchange_set_name_age(exchange, is_check ? NAME_AGE_MAX_S : EXCHANGE_NAME_AGE_ANY);
}

/* Hands libcurl what was started since the last time, by which the lanes become due. */
static void add_new(struct transport *transport)
{
    struct exchange *next;
    struct exchange *exchange = transport->first_new;

    forget_new(transport);
    for (; exchange != NULL; exchange = next) {
        next = exchange->next;
        begin(transport, exchange);
        exchange->lane->new_count++;
        if (limit_name_age(exchange, uv_now(transport->loop)) != CURLE_OK ||
            curl_multi_add_handle(exchange->lane->multi, exchange->easy) != CURLM_OK)
            finish_exchange(transport, exchange, CURLE_OUT_OF_MEMORY);
    }
}

/* Sends what was started, and does what else libcurl wants done at once. */
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

static void on_prepare(uv_prepare_t *prepare)
{
    struct transport *transport = prepare->data;

    note_time(transport);
    drive_due(transport);
    for (size_t i = 0; transport->due_count > 0 && i < transport->lane_count; i++) {
        if (!transport->lanes[i].due)
            continue;
        set_due(&transport->lanes[i], false);
        (void)wake_lane(&transport->lanes[i], 1);
    }
}

static bool is_over(const struct transport *transport, const struct exchange *exchange)
{
    int64_t spent_ms = (int64_t)(clock_ms(transport) - exchange->begun_ms);

    return spent_ms >= transport->options.request_timeout_ms;
}

/* Whether it has connected for too long, where libcurl was given more time than that by its clock.
 */
static bool connects_too_long(const struct transport *transport, const struct exchange *exchange)
{
    int64_t spent_ms = (int64_t)(clock_ms(transport) - exchange->begun_ms);

    return exchange->allowed_ms > 0 && exchange->prereq_calls == 0 &&
           spent_ms >= exchange_connect_ms(&transport->options);
}

/* Behind the poll: what has arrived has been read. An attempt's end may start others, which are
 * younger. */
static void on_check(uv_check_t *check)
{
    struct transport *transport = check->data;

    while (transport->oldest != NULL && is_over(transport, transport->oldest))
        finish_exchange(transport, transport->oldest, CURLE_OPERATION_TIMEDOUT);
    if (transport->stalled_ms == transport->forgiven_ms)
        return;
    bool any = false;
    struct exchange *next;
    for (struct exchange *exchange = transport->oldest; exchange != NULL; exchange = next) {
        next = exchange->newer;
        any |= exchange->allowed_ms > 0;
        if (connects_too_long(transport, exchange))
            finish_exchange(transport, exchange, CURLE_OPERATION_TIMEDOUT);
    }
    if (!any)
        transport->forgiven_ms = transport->stalled_ms;
}

static int64_t clock_ns(clockid_t id)
{
    struct timespec now = {.tv_sec = 0};
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Whether the machine has slept since the last time: one of its clocks goes on then, the loop's
 * does not. The peers have forgotten their connections by then, and do not say so. */
static bool has_slept(struct transport *transport)
{
    int64_t asleep_ns = clock_ns(CLOCK_BOOTTIME) - clock_ns(CLOCK_MONOTONIC);
    bool slept = asleep_ns - transport->asleep_ns >= SLEEP_NS;

    transport->asleep_ns = asleep_ns;
    return slept;
}

static void on_beat(uv_timer_t *beat)
{
    struct transport *transport = beat->data;
    const struct exchange *oldest = transport->oldest;
    int64_t next_ms = (int64_t)transport->beat_ms;

    note_time(transport);
    if (has_slept(transport))
        for (size_t i = 0; i < transport->lane_count; i++)
            sockets_spoil_idle(&transport->lanes[i].sockets);
    if (oldest != NULL) {
        int64_t spent_ms = (int64_t)(clock_ms(transport) - oldest->begun_ms);
        int64_t left_ms = transport->options.request_timeout_ms - spent_ms;
        next_ms = left_ms < next_ms ? left_ms : next_ms;
    }
    (void)uv_timer_start(beat, on_beat, next_ms > 0 ? (uint64_t)next_ms : 1, 0);
}

/* What has not been handed to libcurl has not begun: it ends as it begins. */
static void give_up_new(struct transport *transport)
{
    for (struct exchange *exchange = transport->first_new; exchange != NULL;
         exchange = exchange->next)
        exchange->started_ns = uv_hrtime();
    forget_new(transport);
}

static void on_abort(uv_idle_t *idle)
{
    struct transport *transport = idle->data;

    (void)uv_idle_stop(idle);
    give_up_new(transport);
    for (size_t i = 0; i < transport->exchange_count; i++) {
        struct exchange *exchange = &transport->exchanges[i];
        if (!exchange->active)
            continue;
        exchange->interrupted = true;
        finish_exchange(transport, exchange, CURLE_ABORTED_BY_CALLBACK);
    }
}

void transport_abort(struct transport *transport)
{
    transport->aborted = true;
    (void)uv_idle_start(&transport->abort, on_abort);
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

static struct curl_slist *append(struct curl_slist *list, const char *line, bool *ok)
{
    struct curl_slist *longer = *ok ? curl_slist_append(list, line) : NULL;
    *ok = *ok && longer != NULL;
    return *ok ? longer : list;
}

static bool in_use(const struct transport *transport, const struct header_set *set)
{
    for (size_t i = 0; i < transport->exchange_count; i++)
        if (transport->exchanges[i].active && transport->exchanges[i].headers == set)
            return true;
    return false;
}

static void drop_unused_headers(struct transport *transport)
{
    struct header_set **at = &transport->exchange_options.headers->older;

    while (*at != NULL) {
        struct header_set *set = *at;
        if (in_use(transport, set)) {
            at = &set->older;
        } else {
            *at = set->older;
            header_set_free(set);
        }
    }
}

enum status transport_renew_key(struct transport *transport)
{
    struct header_set **current = &transport->exchange_options.headers;
    struct header_set *set;
    enum status status = header_set_new(transport->options.credentials, time(NULL), &set);

    if (status != STATUS_OK)
        return status;
    set->older = *current;
    *current = set;
    drop_unused_headers(transport);
    return STATUS_OK;
}

/* Makes the headers of the attempts to come when there are none yet, or their token ends soon. */
static enum status renew_headers(struct transport *transport)
{
    const struct header_set *current = transport->exchange_options.headers;

    if (current != NULL && time(NULL) < current->renew_at_s)
        return STATUS_OK;
    return transport_renew_key(transport);
}

static enum status make_resolve(struct transport *transport)
{
    const struct word_list *items = transport->options.wire.resolve;
    struct curl_slist **list = &transport->exchange_options.resolve;
    bool ok = true;

    for (size_t i = 0; items != NULL && i < items->count; i++)
        *list = append(*list, items->items[i], &ok);
    return ok ? STATUS_OK : STATUS_NO_MEMORY;
}

/* Plain http through a proxy asks it for whole URLs; otherwise the origin is the same for all. */
static enum status make_origin(struct transport *transport)
{
    const struct endpoint *endpoint = transport->options.endpoint;

    if (endpoint->proxy != NULL && !endpoint->secure)
        return STATUS_OK;
    CURLU *origin = transport->exchange_options.origin = curl_url();
    if (origin == NULL)
        return STATUS_NO_MEMORY;
    return curl_url_set(origin, CURLUPART_URL, endpoint->origin, 0) == CURLUE_OK ? STATUS_OK
                                                                                 : STATUS_NETWORK;
}

/* The TLS sessions, so that a new connection need not begin from nothing. One thread: no locks. */
static enum status make_share(struct transport *transport)
{
    const struct endpoint *endpoint = transport->options.endpoint;

    if (!endpoint->secure && endpoint->proxy == NULL)
        return STATUS_OK;
    CURLSH *share = transport->exchange_options.share = curl_share_init();
    if (share == NULL)
        return STATUS_NO_MEMORY;
    return curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK
               ? STATUS_OK
               : STATUS_NETWORK;
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

static enum status make_lanes(struct transport *transport)
{
    size_t count = (transport->options.concurrency + LANE_CONNECTIONS - 1) / LANE_CONNECTIONS;
    size_t exchanges = transport->options.concurrency + 1;
    const struct endpoint *endpoint = transport->options.endpoint;
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
        lane->sockets.only_loopback = wire_stays_here(&transport->options.wire, endpoint);
    }
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = make_multi(&transport->lanes[i], (exchanges + count - 1) / count);
    return status;
}

static enum status make_exchanges(struct transport *transport)
{
    size_t count = transport->options.concurrency + 1;

    transport->exchanges = calloc(count, sizeof(*transport->exchanges));
    if (transport->exchanges == NULL)
        return STATUS_NO_MEMORY;
    transport->exchange_count = count;
    for (size_t i = 0; i < count; i++) {
        struct exchange *exchange = &transport->exchanges[i];
        struct lane *lane = &transport->lanes[i % transport->lane_count];
        exchange_init(exchange, &lane->sockets);
        exchange->lane = lane;
        exchange->next = transport->free_exchanges;
        transport->free_exchanges = exchange;
    }
    return STATUS_OK;
}

static uint64_t beat_of(const struct transport_options *options)
{
    int64_t beat_ms = exchange_connect_ms(options) / BEATS_PER_TIMEOUT;

    if (beat_ms > BEAT_MAX_MS)
        return BEAT_MAX_MS;
    return beat_ms < BEAT_MIN_MS ? BEAT_MIN_MS : (uint64_t)beat_ms;
}

/* The loop's handles, all of them, since all of them will be closed. None keeps the loop alive. */
static enum status make_handles(struct transport *transport)
{
    uv_loop_t *loop = transport->loop;

    (void)uv_prepare_init(loop, &transport->prepare);
    (void)uv_idle_init(loop, &transport->abort);
    (void)uv_timer_init(loop, &transport->beat);
    (void)uv_check_init(loop, &transport->check);
    transport->prepare.data = transport->abort.data = transport;
    transport->beat.data = transport->check.data = transport;
    transport->open_handles = 4;
    transport->beat_ms = beat_of(&transport->options);
    transport->seen_ms = uv_hrtime() / 1000000;
    transport->asleep_ns = clock_ns(CLOCK_BOOTTIME) - clock_ns(CLOCK_MONOTONIC);
    bool started = uv_prepare_start(&transport->prepare, on_prepare) == 0 &&
                   uv_check_start(&transport->check, on_check) == 0 &&
                   uv_timer_start(&transport->beat, on_beat, transport->beat_ms, 0) == 0;
    uv_unref((uv_handle_t *)&transport->prepare);
    uv_unref((uv_handle_t *)&transport->beat);
    uv_unref((uv_handle_t *)&transport->check);
    return started ? STATUS_OK : STATUS_NETWORK;
}

enum status transport_open(uv_loop_t *loop, const struct transport_options *options,
                           struct buf *message, struct transport **ret_transport)
{
    static enum status (*const makers[])(struct transport *) = {renew_headers, make_resolve,
                                                                make_origin,   make_share,
                                                                make_lanes,    make_exchanges};
    struct transport *transport = calloc(1, sizeof(*transport));

    if (transport == NULL)
        return STATUS_NO_MEMORY;
    transport->loop = loop;
    transport->options = *options;
    transport->exchange_options.transport = &transport->options;
    forget_new(transport);
    enum status status = make_handles(transport);
    if (status == STATUS_OK)
        status = memory_init();
    for (size_t i = 0; i < ARRAY_LENGTH(makers) && status == STATUS_OK; i++)
        status = makers[i](transport);
    if (status != STATUS_OK) {
        buf_add_format(message, "the network library could not be set up: %s", status_text(status));
        transport_close(transport);
        return status;
    }
    *ret_transport = transport;
    return STATUS_OK;
}

enum status transport_start(struct transport *transport, const struct transport_request *request,
                            transport_done_fn *done, void *context)
{
    struct exchange *exchange = transport->free_exchanges;

    if (exchange == NULL || transport->closing || transport->aborted)
        return STATUS_NETWORK;
    enum status status = renew_headers(transport);
    if (status == STATUS_OK)
        status = exchange_prepare(exchange, &transport->exchange_options, request);
    if (status != STATUS_OK)
        return status;
    transport->free_exchanges = exchange->next;
    exchange->done = done;
    exchange->context = context;
    exchange->active = true;
    add_later(transport, exchange);
    if (transport->in_flight++ == 0)
        uv_ref((uv_handle_t *)&transport->prepare);
    return STATUS_OK;
}

static void free_headers(struct transport *transport)
{
    struct header_set *set;

    while ((set = transport->exchange_options.headers) != NULL) {
        transport->exchange_options.headers = set->older;
        header_set_free(set);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct transport *transport = handle->data;
    if (--transport->open_handles > 0)
        return;
    free(transport->lanes);
    free(transport);
}

static void close_lane(struct lane *lane)
{
    if (lane->multi != NULL)
        (void)curl_multi_cleanup(lane->multi);
    sockets_deinit(&lane->sockets);
    lane->timer.data = lane->transport;
    uv_close((uv_handle_t *)&lane->timer, on_handle_closed);
}

void transport_close(struct transport *transport)
{
    if (transport == NULL)
        return;
    transport->closing = true;
    for (size_t i = 0; i < transport->exchange_count; i++) {
        struct exchange *exchange = &transport->exchanges[i];
        end(transport, exchange);
        exchange_deinit(exchange);
    }
    for (size_t i = 0; i < transport->lane_count; i++)
        close_lane(&transport->lanes[i]);
    if (transport->exchange_options.share != NULL)
        (void)curl_share_cleanup(transport->exchange_options.share);
    free_headers(transport);
    curl_slist_free_all(transport->exchange_options.resolve);
    curl_url_cleanup(transport->exchange_options.origin);
    free(transport->exchanges);
    uv_close((uv_handle_t *)&transport->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&transport->abort, on_handle_closed);
    uv_close((uv_handle_t *)&transport->beat, on_handle_closed);
    uv_close((uv_handle_t *)&transport->check, on_handle_closed);
}
