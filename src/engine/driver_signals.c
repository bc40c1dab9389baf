#include "engine/driver_impl.h"

#include "engine/interrupt.h"

static void take_signals(struct driver *driver)
{
    int number;

    /* Behind its end the engine heeds none: they are for what comes after this loop. */
    while (!driver->ending && interrupt_next(&number))
        driver_step(driver, &(struct event){.kind = EVENT_SIGNAL,
                                            .signal = {.number = number,
                                                       .meaning = interrupt_meaning(number),
                                                       .what = interrupt_name(number)}});
}

static void on_signal(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    take_signals(poll->data);
}

static void on_tick(uv_timer_t *timer)
{
    struct driver *driver = timer->data;

    if (!driver->has_signal_poll)
        take_signals(driver);
    if (!driver->has_input_poll) /* what cannot be polled is asked again now and then */
        driver->input_waits = false;
    if (driver->options->peer != NULL)
        driver->options->peer->tick(driver->options->peer, engine_is_stopping(driver->engine));
    driver_step(driver, &(struct event){.kind = EVENT_TICK});
}

void driver_watch_signals(struct driver *driver)
{
    driver->signals.data = driver;
    driver->has_signal_poll =
        interrupt_fd() >= 0 && uv_poll_init(&driver->loop, &driver->signals, interrupt_fd()) == 0;
    if (driver->has_signal_poll) {
        (void)uv_poll_start(&driver->signals, UV_READABLE, on_signal);
        uv_unref((uv_handle_t *)&driver->signals);
    }
    (void)uv_timer_init(&driver->loop, &driver->tick);
    driver->tick.data = driver;
    (void)uv_timer_start(&driver->tick, on_tick, JOB_TICK_MS, JOB_TICK_MS);
    /* The tick keeps the loop going while a run is paused and nothing is in flight. */
}

void driver_close_signals(struct driver *driver)
{
    uv_close((uv_handle_t *)&driver->tick, NULL);
    if (driver->has_signal_poll)
        uv_close((uv_handle_t *)&driver->signals, NULL);
}
