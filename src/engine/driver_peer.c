#include "engine/driver_impl.h"

/*
 * What takes part in the loop beside the transport (ledger/peer.h). Its hooks come from the loop,
 * and each becomes a turn of the engine or the end of a sync.
 */

static void on_news(void *context)
{
    struct driver *driver = context;

    driver->input_waits = false;
    driver_turn_soon(driver);
}

static void on_granted(void *context, int64_t at_ns, int64_t step_ns, int64_t count)
{
    struct driver *driver = context;

    (void)beats_add(&driver->beats, at_ns, step_ns, count); /* they were asked for: there is room */
    driver_turn_soon(driver);
}

static void on_synced(void *context, bool ok)
{
    driver_end_sync(context, ok);
}

enum status driver_open_peer(struct driver *driver)
{
    struct peer *peer = driver->options->peer;
    const struct peer_hooks hooks = {.news = on_news,
                                     .synced = on_synced,
                                     .granted = on_granted,
                                     .context = driver};

    return peer != NULL ? peer->open(peer, &driver->loop, &hooks) : STATUS_OK;
}

void driver_close_peer(struct driver *driver)
{
    if (driver->options->peer != NULL)
        driver->options->peer->close(driver->options->peer);
}

bool driver_sync_peer(struct driver *driver)
{
    struct peer *peer = driver->options->peer;

    if (peer == NULL || peer->sync == NULL)
        return false;
    driver->news.sync_skipped = !peer->sync(peer);
    return true;
}

bool driver_may_send(struct driver *driver, const struct item *item, int64_t *ret_before_ns)
{
    struct peer *peer = driver->options->peer;

    return peer == NULL || peer->may_send == NULL ||
           peer->may_send(peer, item->ticket, ret_before_ns);
}

void driver_tell_peer(struct driver *driver)
{
    struct peer *peer = driver->options->peer;

    if (!driver->beats.wanted || peer == NULL)
        return;
    driver->beats.wanted = false;
    peer->want(peer, beats_held(&driver->beats) + (int64_t)driver->in_flight);
}
