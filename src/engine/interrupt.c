#include "engine/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"

enum {
    EXIT_SIGNAL = 128, /* a shell's status of what a signal has ended */
    AT_ONCE_MS = 500,
};

/* SIGQUIT is left as the hard way out. */
static const struct {
    int number;
    enum engine_signal meaning;
    const char *name; /* NULL: it ends nothing */
} signals[] = {
    {SIGINT, ENGINE_SIGNAL_STOP, "interrupted"},
    {SIGTERM, ENGINE_SIGNAL_STOP, "terminated"},
    {SIGHUP, ENGINE_SIGNAL_LEAVE, "hung up: the terminal is gone (SIGHUP)"},
    {SIGALRM, ENGINE_SIGNAL_LEAVE, "out of time (SIGALRM)"},
    {SIGXCPU, ENGINE_SIGNAL_LEAVE, "out of processor time (SIGXCPU, ulimit -t)"},
    {SIGUSR1, ENGINE_SIGNAL_STATUS, NULL},
    {SIGUSR2, ENGINE_SIGNAL_PAUSE, NULL},
};

enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

static atomic_int first;
static _Atomic int64_t asked_ms; /* when to end, by SIGINT or SIGTERM, while no loop takes them */
static atomic_int to_take[SIGNALS]; /* came while a loop takes them */
static atomic_bool is_taken;
static int wake_fd = -1;
static char last_word[128]; /* in the language, as it was at the beginning */
static size_t last_word_len;

static size_t index_of(int signal_number)
{
    size_t i = 0;

    while (i < SIGNALS && signals[i].number != signal_number)
        i++;
    return i;
}

static void wake(void)
{
    const uint64_t one = 1;
    int error = errno;

    if (wake_fd >= 0)
        (void)!write(wake_fd, &one, sizeof(one));
    errno = error;
}

/* Who ends a session sends SIGHUP and SIGTERM at once, and timeout(1) SIGTERM to a process and to
 * its group: nobody is impatient then. */
static bool is_first_asked(void)
{
    struct timespec now = {.tv_sec = 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, none = 0;
    return atomic_compare_exchange_strong(&asked_ms, &none, now_ms) || now_ms - none < AT_ONCE_MS;
}

static void on_signal(int signal_number)
{
    size_t i = index_of(signal_number);

    if (atomic_load(&is_taken)) {
        atomic_fetch_add(&to_take[i], 1);
        wake();
        return;
    }
    if (signals[i].name == NULL)
        return;
    if (signals[i].meaning == ENGINE_SIGNAL_STOP && !is_first_asked()) {
        (void)!write(STDERR_FILENO, last_word, last_word_len);
        _exit(EXIT_SIGNAL + signal_number);
    }
    int none = 0;
    (void)atomic_compare_exchange_strong(&first, &none, signal_number);
    wake(); /* a loop that has begun to take them meanwhile */
}

/* Changes flags from one call to the next without a time in which no handler is there. */
static void watch(bool is_loop)
{
    struct sigaction action;

    if (wake_fd < 0) {
        buf_copy_format(last_word, sizeof(last_word), "nbatch: stopped at once\n");
        last_word_len = strlen(last_word);
        wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    }
    for (size_t i = 0; i < SIGNALS; i++) {
        if (sigaction(signals[i].number, NULL, &action) != 0 || action.sa_handler == SIG_IGN)
            continue;
        /* No restart of what waits for a person's answer; short waits in other calls are repeated
         * by who makes them. */
        bool restarts = is_loop || signals[i].name == NULL;
        action = (struct sigaction){.sa_handler = on_signal, .sa_flags = restarts ? SA_RESTART : 0};
        (void)sigaction(signals[i].number, &action, NULL);
    }
}

void interrupt_watch(void)
{
    watch(false);
}

/* What came for a loop that did not look any more. */
static void take_back(void)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        int none = 0;
        if (atomic_exchange(&to_take[i], 0) == 0 || signals[i].name == NULL)
            continue;
        (void)atomic_compare_exchange_strong(&first, &none, signals[i].number);
        if (signals[i].meaning == ENGINE_SIGNAL_STOP)
            (void)is_first_asked();
    }
}

int interrupt_signal(void)
{
    if (!atomic_load(&is_taken))
        take_back();
    return atomic_load(&first);
}

const char *interrupt_name(int signal_number)
{
    size_t i = index_of(signal_number);

    return i < SIGNALS && signals[i].name != NULL ? signals[i].name : "";
}

enum engine_signal interrupt_meaning(int signal_number)
{
    return signals[index_of(signal_number)].meaning;
}

void interrupt_take(bool on)
{
    if (!on) {
        atomic_store(&is_taken, false);
        watch(false);
        take_back();
        return;
    }
    watch(true);
    atomic_store(&is_taken, true);
    if (atomic_load(&first) != 0)
        wake();
}

int interrupt_fd(void)
{
    return wake_fd;
}

bool interrupt_next(int *ret_number)
{
    uint64_t count;

    if (wake_fd >= 0)
        (void)!read(wake_fd, &count, sizeof(count)); /* before the counts are looked at */
    *ret_number = atomic_exchange(&first, 0);
    atomic_store(&asked_ms, 0);
    if (*ret_number != 0)
        return true;
    for (size_t i = 0; i < SIGNALS; i++)
        if (atomic_load(&to_take[i]) > 0) {
            atomic_fetch_sub(&to_take[i], 1);
            *ret_number = signals[i].number;
            return true;
        }
    return false;
}
