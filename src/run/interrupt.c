#include "run/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include "run/exit_status.h"

static volatile sig_atomic_t first;

static const struct {
    int number;
    const char *name; /* NULL: it ends nothing */
} signals[] = {
    {SIGINT, "interrupted"},
    {SIGTERM, "terminated"},
    {SIGHUP, "hung up: the terminal is gone (SIGHUP)"},
    {SIGALRM, "out of time (SIGALRM)"},
    {SIGXCPU, "out of processor time (SIGXCPU, ulimit -t)"},
    {SIGUSR1, NULL},
    {SIGUSR2, NULL},
};

static void on_signal(int signal_number)
{
    if (first != 0 && (signal_number == SIGINT || signal_number == SIGTERM))
        _exit(EXIT_SIGNAL + signal_number);
    if (first == 0 && signal_number != SIGUSR1 && signal_number != SIGUSR2)
        first = signal_number;
}

void interrupt_watch(void)
{
    struct sigaction action;

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (sigaction(signals[i].number, NULL, &action) != 0 || action.sa_handler == SIG_IGN)
            continue;
        /* No restart of what waits for a person's answer; short waits in other calls are repeated
         * by who makes them. */
        action = (struct sigaction){.sa_handler = on_signal,
                                    .sa_flags = signals[i].name == NULL ? SA_RESTART : 0};
        (void)sigaction(signals[i].number, &action, NULL);
    }
}

int interrupt_signal(void)
{
    return (int)first;
}

const char *interrupt_name(int signal_number)
{
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        if (signals[i].number == signal_number && signals[i].name != NULL)
            return signals[i].name;
    return "";
}
