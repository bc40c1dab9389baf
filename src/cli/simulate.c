#include <signal.h>

#include "cli/show.h"
#include "cli/subcommands.h"
#include "sim/server.h"

static int wait_for_signal(const sigset_t *signals)
{
    int signal_number = 0;
    return sigwait(signals, &signal_number) == 0 ? 0 : EXIT_INTERNAL;
}

int cli_simulate(const struct settings *settings, const struct sim_config *config)
{
    struct buf message;
    struct sim *sim = NULL;
    sigset_t signals;
    char url[128];

    /* Blocked before the server's thread is made, so that it inherits the mask and only sigwait
     * sees them. */
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    buf_init(&message, 64 * 1024);
    enum status status = sim_start(config, &message, &sim);
    if (status != STATUS_OK) {
        show_error("%s", message.len > 0 ? buf_string(&message) : status_text(status));
        buf_deinit(&message);
        return status == STATUS_USAGE ? EXIT_USAGE : EXIT_INTERNAL;
    }
    buf_deinit(&message);
    sim_url(sim, url, sizeof(url));
    /* On standard output, alone on its line: a script reads the port from it. */
    (void)printf("%s\n", url);
    (void)fflush(stdout);
    show_note(settings->quiet, "a simulated OneNET platform listens; stop it with Ctrl-C");
    int result = wait_for_signal(&signals);
    sim_stop(sim);
    return result;
}
