#include "sim/server_impl.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "platform/device.h"
#include "sim/setup.h"
#include "sim/state.h"

enum {
    CONNECTION_MEMORY = 8 * 1024, /* MHD clears it for each request: 32 KiB cost 2 µs */
    DEVICE_STEPS = 1000,          /* of all devices, between two looks at requests */
};

/* The second generator's seed differs, so that latency takes nothing from the faults' numbers. */
static const uint64_t LATENCY_SEED = 0x6c6174656e6379;

/* The query is decoded in call.c, where a bad one can be refused: leave MHD's copy alone. */
static size_t unescape_nothing(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

/* The thread. */

/* How long the thread may sleep: until the next answer is due, or what MHD says. */
static struct timespec sleep_time(struct sim *sim)
{
    unsigned long long mhd_ms = 0;
    int64_t sleep_ns = (int64_t)SIM_IDLE_TIMEOUT_S * 1000 * NS_PER_MS;

    if (MHD_get_timeout(sim->daemon, &mhd_ms) == MHD_YES &&
        mhd_ms < (unsigned long long)SIM_IDLE_TIMEOUT_S * 1000)
        sleep_ns = (int64_t)mhd_ms * NS_PER_MS;
    if (sim->delays.count > 0) {
        int64_t due_ns = delay_next(&sim->delays) - clock_ns(CLOCK_MONOTONIC);
        sleep_ns = due_ns < 0 ? 0 : due_ns < sleep_ns ? due_ns : sleep_ns;
    }
    int64_t next_ms = devices_next(&sim->platform.devices);
    if (next_ms != INT64_MAX) {
        int64_t left_ms = next_ms - wall_ms();
        if (left_ms < sleep_ns / NS_PER_MS)
            sleep_ns = left_ms > 0 ? left_ms * NS_PER_MS : 0;
    }
    return (struct timespec){.tv_sec = sleep_ns / (1000 * NS_PER_MS),
                             .tv_nsec = sleep_ns % (1000 * NS_PER_MS)};
}

static void wait_for_work(struct sim *sim)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(sim->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct pollfd fds[] = {{.fd = info->epoll_fd, .events = POLLIN},
                           {.fd = sim->wake_fd, .events = POLLIN},
                           {.fd = sim->watch_fd, .events = POLLIN}}; /* poll passes -1 over */
    struct timespec timeout = sleep_time(sim);

    if (ppoll(fds, ARRAY_LENGTH(fds), &timeout, NULL) > 0 && fds[2].revents != 0)
        requests_release_gone(sim);
}

static void *serve(void *context)
{
    struct sim *sim = context;

    while (!atomic_load(&sim->stopping)) {
        wait_for_work(sim);
        requests_release_due(sim);
        devices_advance(&sim->platform.devices, wall_ms(), DEVICE_STEPS);
        (void)MHD_run(sim->daemon);
    }
    /* MHD cannot stop while connections are suspended. Requests that come in meanwhile are closed
     * too, lest they be held back in their turn. */
    sim->draining = true;
    while (sim->held != NULL)
        request_release(sim->held);
    (void)MHD_run(sim->daemon);
    return NULL;
}

static bool start_thread(struct sim *sim)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    bool started = pthread_create(&sim->thread, NULL, serve, sim) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* Writes down what has become of a command at its device. */
static void note_event(void *context, uint64_t imei, const struct store_command *command)
{
    struct sim *sim = context;
    const struct command_life *life = &command->life;
    char device[DEVICE_TEXT_MAX + 1], uuid[UUID_LENGTH + 1];

    if (command_life_has_ended(life))
        push_send(&sim->push, imei, command);
    if (!audit_is_on(&sim->audit))
        return;
    device_write(imei, device);
    uuid_format(command->uuid, uuid);
    bool lost =
        audit_write_event(&sim->audit, device, uuid,
                          life->send_status == SEND_SENT ? life->sent_ms : life->confirmed_ms,
                          life) != STATUS_OK;
    (void)pthread_mutex_lock(&sim->stats_mutex);
    sim->stats.audit_lost += lost ? 1 : 0;
    (void)pthread_mutex_unlock(&sim->stats_mutex);
}

/* Starting and stopping. */

static struct MHD_Daemon *start_daemon(struct sim *sim, int listen_fd, bool holds_back)
{
    unsigned flags = MHD_USE_EPOLL | MHD_USE_SUPPRESS_DATE_NO_CLOCK;

    flags |= holds_back ? MHD_ALLOW_SUSPEND_RESUME : 0;
    flags |= sim->bound.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0;
    return MHD_start_daemon(flags, 0, NULL, NULL, request_take, sim, MHD_OPTION_LISTEN_SOCKET,
                            listen_fd, MHD_OPTION_CONNECTION_LIMIT,
                            setup_connection_limit(SIM_CONNECTIONS_MAX),
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SIM_IDLE_TIMEOUT_S,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
                            MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
                            MHD_OPTION_URI_LOG_CALLBACK, request_begin, sim,
                            MHD_OPTION_NOTIFY_COMPLETED, request_end, NULL,
                            MHD_OPTION_UNESCAPE_CALLBACK, unescape_nothing, NULL, MHD_OPTION_END);
}

static enum status open_network(struct sim *sim, const struct sim_config *config,
                                struct buf *message)
{
    bool holds_back = !latency_is_zero(&config->latency) || faults_hold_back(&config->faults);
    int listen_fd = -1;
    enum status status = setup_listen(&config->address, message, &listen_fd, &sim->bound);

    if (status != STATUS_OK)
        return status;
    sim->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (holds_back)
        sim->watch_fd = epoll_create1(EPOLL_CLOEXEC);
    if (sim->wake_fd >= 0 && (!holds_back || sim->watch_fd >= 0))
        sim->daemon = start_daemon(sim, listen_fd, holds_back);
    if (sim->daemon != NULL && start_thread(sim))
        return STATUS_OK;
    if (sim->daemon == NULL)
        (void)close(listen_fd); /* else the daemon's */
    buf_add_format(message, "the simulator's server cannot start: %s", strerror(errno));
    return STATUS_NETWORK;
}

static enum status choose_seed(struct sim *sim, const struct sim_config *config)
{
    sim->seed = config->seed;
    if (!config->has_seed &&
        getrandom(&sim->seed, sizeof(sim->seed), 0) != (ssize_t)sizeof(sim->seed))
        return STATUS_IO;
    sim->fault_chance.state = sim->seed;
    sim->latency_chance.state = sim->seed ^ LATENCY_SEED;
    return STATUS_OK;
}

/* Frees what does not need the thread. */
static void sim_free(struct sim *sim)
{
    if (sim->daemon != NULL)
        MHD_stop_daemon(sim->daemon);
    if (sim->wake_fd >= 0)
        (void)close(sim->wake_fd);
    if (sim->watch_fd >= 0)
        (void)close(sim->watch_fd);
    requests_free(sim);
    audit_close(&sim->audit);
    push_close(&sim->push);
    platform_deinit(&sim->platform);
    delay_queue_deinit(&sim->delays);
    buf_deinit(&sim->scratch);
    auth_deinit(&sim->auth);
    free(sim->state_file);
    (void)pthread_mutex_destroy(&sim->stats_mutex);
    free(sim);
}

static struct sim *sim_new(const struct sim_config *config)
{
    struct sim *sim = calloc(1, sizeof(*sim));

    if (sim == NULL)
        return NULL;
    sim->wake_fd = -1;
    sim->watch_fd = -1;
    sim->audit.fd = -1;
    sim->faults = config->faults;
    sim->limit = config->limit;
    limit_begin(&sim->limit, clock_ns(CLOCK_MONOTONIC));
    sim->latency = config->latency;
    atomic_init(&sim->stopping, false);
    buf_init(&sim->scratch, PLATFORM_TARGET_MAX);
    delay_queue_init(&sim->delays);
    if (pthread_mutex_init(&sim->stats_mutex, NULL) != 0) {
        free(sim);
        return NULL;
    }
    return sim;
}

/* Its thread must not take the process's signals. */
static enum status open_push(struct sim *sim, const struct sim_config *config, struct buf *message)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return STATUS_IO;
    enum status status = push_open(&sim->push, config->push_target, message);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

static enum status start_platform(struct sim *sim, const struct sim_config *config,
                                  struct buf *message)
{
    struct platform_options options = {.queue_limit = config->queue_limit,
                                       .overwrites = config->overwrites,
                                       .max_commands = config->max_commands,
                                       .lag_ms = config->lag_ms,
                                       .devices = config->devices};

    options.devices.seed = sim->seed;
    enum status status = platform_init(&sim->platform, &options, &sim->auth);
    sim->platform.devices.event = note_event;
    sim->platform.devices.context = sim;
    if (status != STATUS_OK || config->state_file == NULL)
        return status;
    sim->state_file = strdup(config->state_file);
    if (sim->state_file == NULL)
        return STATUS_NO_MEMORY;
    return state_load(&sim->platform, sim->state_file, wall_ms(), message);
}

enum status sim_start(const struct sim_config *config, struct buf *message, struct sim **ret_sim)
{
    struct sim *sim = sim_new(config);
    enum status status;

    if (sim == NULL)
        return STATUS_NO_MEMORY;
    status = auth_load(&sim->auth, config, message);
    if (status == STATUS_OK)
        status = choose_seed(sim, config);
    if (status == STATUS_OK)
        status = start_platform(sim, config, message);
    if (status == STATUS_OK)
        status = audit_open(&sim->audit, config->audit_file, message);
    if (status == STATUS_OK)
        status = open_push(sim, config, message);
    if (status == STATUS_OK)
        status = open_network(sim, config, message);
    if (status != STATUS_OK) {
        sim_free(sim);
        return status;
    }
    *ret_sim = sim;
    return STATUS_OK;
}

static void end_thread(struct sim *sim)
{
    const uint64_t one = 1;

    if (atomic_exchange(&sim->stopping, true))
        return;
    if (write(sim->wake_fd, &one, sizeof(one)) < 0) {
        /* Only a full counter refuses, and that wakes the thread too. */
    }
    (void)pthread_join(sim->thread, NULL);
}

enum status sim_finish(struct sim *sim, struct buf *message)
{
    end_thread(sim);
    return sim->state_file != NULL ? state_save(&sim->platform, sim->state_file, message)
                                   : STATUS_OK;
}

void sim_stop(struct sim *sim)
{
    if (sim == NULL)
        return;
    end_thread(sim);
    sim_free(sim);
}

void sim_url(const struct sim *sim, char *out, size_t size)
{
    struct buf address;

    buf_init(&address, 128);
    setup_add_address(&sim->bound, &address);
    (void)snprintf(out, size, "http://%s", buf_string(&address));
    buf_deinit(&address);
}

uint64_t sim_seed(const struct sim *sim)
{
    return sim->seed;
}

void sim_stats(struct sim *sim, struct sim_stats *ret_stats)
{
    (void)pthread_mutex_lock(&sim->stats_mutex);
    *ret_stats = sim->stats;
    (void)pthread_mutex_unlock(&sim->stats_mutex);
}

double sim_cpu_s(const struct sim *sim)
{
    struct timespec time;
    clockid_t clock;

    if (sim == NULL || pthread_getcpuclockid(sim->thread, &clock) != 0 ||
        clock_gettime(clock, &time) != 0)
        return 0;
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}
