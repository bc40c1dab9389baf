#include "net/transport.h"

#include <time.h>

#include "net/memory.h"
#include "net/transport_impl.h"

/*
 * The life of an attempt (README.md has the whole). transport_start finds it a free exchange, makes
 * its handle, and puts it into the list of new ones; lanes.c hands it to libcurl and hears of its
 * end; transport_finish tells its owner. In between, an attempt that found its connection unfit, so
 * that nothing left, goes back into the list.
 */

/* No request leaves any more over the connection that this one left over; one that already has will
 * be given the wrong answer. */
static void spoil_connection(struct transport *transport, const struct exchange *exchange)
{
    uint64_t serial = exchange->connection.serial;

    sockets_spoil(exchange->sockets, exchange->connection);
    for (struct exchange *other = transport->oldest; other != NULL; other = other->newer)
        if (other != exchange && other->sockets == exchange->sockets && serial != 0 &&
            other->connection.serial == serial && !other->head.multiplexed)
            other->overtaken = true;
}

void transport_finish(struct transport *transport, struct exchange *exchange, CURLcode code)
{
    transport_end(transport, exchange);
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
static void transport_add_later(struct transport *transport, struct exchange *exchange)
{
    exchange->next = NULL;
    *transport->last_new = exchange;
    transport->last_new = &exchange->next;
    transport->new_count++;
}

struct exchange *transport_take_new(struct transport *transport)
{
    struct exchange *first = transport->first_new;

    if (first == NULL)
        return NULL;
    transport->first_new = first->next;
    if (first->next == NULL)
        transport->last_new = &transport->first_new;
    transport->new_count--;
    return first;
}

/* Whether libcurl's clock ended an attempt to connect in which this process stood still: also in
 * the middle of a call of libcurl's, where no time could be allowed for it. */
static bool was_stalled(struct transport *transport, const struct exchange *exchange, CURLcode code)
{
    if (code != CURLE_OPERATION_TIMEDOUT || exchange->prereq_calls > 0)
        return false;
    transport_note_time(transport);
    return exchange->stalled_before_ms != transport->stalled_ms;
}

bool transport_begin_again(struct transport *transport, struct exchange *exchange, CURLcode code)
{
    if (transport->aborted ||
        !(exchange_may_begin_again(exchange) || was_stalled(transport, exchange, code)))
        return false;
    transport_end(transport, exchange);
    if (exchange_begin_again(exchange) != CURLE_OK)
        return false;
    transport_add_later(transport, exchange);
    return true;
}

/* What has not been handed to libcurl has not begun: it ends as it begins. */
static void give_up_new(struct transport *transport)
{
    struct exchange *exchange;

    while ((exchange = transport_take_new(transport)) != NULL)
        exchange->started_ns = uv_hrtime();
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
        transport_finish(transport, exchange, CURLE_ABORTED_BY_CALLBACK);
    }
}

void transport_abort(struct transport *transport)
{
    transport->aborted = true;
    (void)uv_idle_start(&transport->abort, on_abort);
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
    struct header_set **at = &transport->handle_options.headers->older;

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
    struct header_set **current = &transport->handle_options.headers;
    struct header_set *set;
    enum status status = header_set_new(transport->options.credentials,
                                        transport->handle_options.host, time(NULL), &set);

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
    const struct header_set *current = transport->handle_options.headers;

    if (current != NULL && time(NULL) < current->renew_at_s)
        return STATUS_OK;
    return transport_renew_key(transport);
}

static enum status make_options(struct transport *transport)
{
    return handle_options_init(&transport->handle_options, &transport->options);
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

/* The loop's handles, all of them, since all of them will be closed. */
static enum status make_handles(struct transport *transport)
{
    (void)uv_prepare_init(transport->loop, &transport->prepare);
    (void)uv_idle_init(transport->loop, &transport->abort);
    transport->prepare.data = transport->abort.data = transport;
    transport->open_handles = 2;
    enum status status = transport_start_clock(transport);
    int error = uv_prepare_start(&transport->prepare, transport_on_prepare);
    uv_unref((uv_handle_t *)&transport->prepare); /* until something is in flight */
    return error == 0 ? status : STATUS_NETWORK;
}

enum status transport_open(uv_loop_t *loop, const struct transport_options *options,
                           struct buf *message, struct transport **ret_transport)
{
    static enum status (*const makers[])(
        struct transport *) = {make_options, renew_headers, transport_make_lanes, make_exchanges};
    struct transport *transport = calloc(1, sizeof(*transport));

    if (transport == NULL)
        return STATUS_NO_MEMORY;
    transport->loop = loop;
    transport->options = *options;
    transport->last_new = &transport->first_new;
    transport->connecting.room = CONNECTING_MIN;
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
        status = exchange_prepare(exchange, &transport->handle_options, request);
    if (status != STATUS_OK)
        return status;
    transport->free_exchanges = exchange->next;
    exchange->done = done;
    exchange->context = context;
    exchange->active = true;
    transport_add_later(transport, exchange);
    if (transport->in_flight++ == 0)
        uv_ref((uv_handle_t *)&transport->prepare);
    return STATUS_OK;
}

void transport_on_handle_closed(uv_handle_t *handle)
{
    struct transport *transport = handle->data;
    if (--transport->open_handles > 0)
        return;
    free(transport->lanes);
    free(transport);
}

void transport_close(struct transport *transport)
{
    if (transport == NULL)
        return;
    transport->closing = true;
    for (size_t i = 0; i < transport->exchange_count; i++) {
        struct exchange *exchange = &transport->exchanges[i];
        transport_end(transport, exchange);
        exchange_deinit(exchange);
    }
    transport_close_lanes(transport);
    handle_options_deinit(&transport->handle_options);
    free(transport->exchanges);
    uv_close((uv_handle_t *)&transport->prepare, transport_on_handle_closed);
    uv_close((uv_handle_t *)&transport->abort, transport_on_handle_closed);
    uv_close((uv_handle_t *)&transport->beat, transport_on_handle_closed);
    uv_close((uv_handle_t *)&transport->check, transport_on_handle_closed);
}
