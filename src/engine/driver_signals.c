#include "engine/driver_impl.h"

#include <signal.h>

/* SIGQUIT is left as the hard way out. */
static const struct {
    int number;
    enum engine_signal meaning;
    const char *what;
} signals[DRIVER_SIGNALS] = {
    {SIGINT, ENGINE_SIGNAL_STOP, "interrupted"},
    {SIGTERM, ENGINE_SIGNAL_STOP, "terminated"},
    {SIGHUP, ENGINE_SIGNAL_LEAVE, "hung up: the terminal is gone (SIGHUP)"},
    {SIGALRM, ENGINE_SIGNAL_LEAVE, "out of time (SIGALRM)"},
    {SIGXCPU, ENGINE_SIGNAL_LEAVE, "out of processor time (SIGXCPU, ulimit -t)"},
    {SIGUSR1, ENGINE_SIGNAL_STATUS, NULL},
    {SIGUSR2, ENGINE_SIGNAL_PAUSE, NULL},
};

static void on_signal(uv_signal_t *handle, int signal_number)
{
    struct driver *driver = handle->data;
    size_t i = 0;

    while (signals[i].number != signal_number)
        i++;
    driver_step(driver, &(struct event){.kind = EVENT_SIGNAL,
                                        .signal = {.number = signal_number,
                                                   .meaning = signals[i].meaning,
                                                   .what = signals[i].what}});
}

static bool is_ignored(int signal_number)
{
    struct sigaction action;

    return sigaction(signal_number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static void on_tick(uv_timer_t *timer)
{
    struct driver *driver = timer->data;

    if (!driver->has_input_poll) /* what cannot be polled is asked again now and then */
        driver->input_waits = false;
    if (driver->options->peer != NULL)
        driver->options->peer->tick(driver->options->peer, engine_is_stopping(driver->engine));
    driver_step(driver, &(struct event){.kind = EVENT_TICK});
}

void driver_watch_signals(struct driver *driver)
{
    for (size_t i = 0; i < DRIVER_SIGNALS; i++) {
        (void)uv_signal_init(&driver->loop, &driver->signals[i]);
        driver->signals[i].data = driver;
        if (!is_ignored(signals[i].number))
            (void)uv_signal_start(&driver->signals[i], on_signal, signals[i].number);
        uv_unref((uv_handle_t *)&driver->signals[i]);
    }
    (void)uv_timer_init(&driver->loop, &driver->tick);
    driver->tick.data = driver;
    (void)uv_timer_start(&driver->tick, on_tick, JOB_TICK_MS, JOB_TICK_MS);
    /* The tick keeps the loop going while a run is paused and nothing is in flight. */
}

void driver_close_signals(struct driver *driver)
{
    uv_close((uv_handle_t *)&driver->tick, NULL);
    for (size_t i = 0; i < DRIVER_SIGNALS; i++)
        uv_close((uv_handle_t *)&driver->signals[i], NULL);
}
